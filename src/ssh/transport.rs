//! The wire under a session: bytes in, bytes out, by a deadline.

use std::sync::{Mutex, PoisonError};

use crate::deadline::Deadline;

/// The most that is read at a time.
const MOST_READ_BYTES: usize = 32 * 1024;

/// Buffers that nobody reads into now, the last used at the end: no more than were ever in use at once, each for one read.
static IDLE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// What came of a read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arrived {
    /// This many bytes, and nothing behind them yet: the device has not closed its side either.
    All(usize),
    /// This many bytes.
    Bytes(usize),
    /// Nothing by the deadline.
    Nothing,
    /// The device has closed its side; nothing will come any more.
    End,
}

/// Why the wire cannot be used any more.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Broken {
    /// The connection is gone: what the SSH library said; no device text, no secret.
    #[error("{0}")]
    Gone(String),
    /// The device took no input in time.
    #[error("the device took no input in time")]
    Late,
}

/// What one read goes into: the buffer that any session used last, which is still in the processor's cache. Nobody has one
/// while he waits.
#[derive(Debug, Default)]
pub struct ReadBuffer(Vec<u8>);

impl ReadBuffer {
    /// What may be read into.
    pub fn all(&mut self) -> &mut [u8] {
        if self.0.is_empty() {
            let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
            self.0 = idle.unwrap_or_else(|| vec![0; MOST_READ_BYTES]);
        }
        &mut self.0
    }

    /// The first so many bytes of what was read.
    #[must_use]
    pub fn first(&self, length: usize) -> &[u8] {
        self.0.get(..length).unwrap_or_default()
    }

    /// Leaves it to others.
    pub fn release(&mut self) {
        let buffer = std::mem::take(&mut self.0);
        if !buffer.is_empty() {
            IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
        }
    }
}

impl Drop for ReadBuffer {
    fn drop(&mut self) {
        self.release();
    }
}

/// A channel to a device's terminal.
pub trait Transport {
    /// Waits until bytes are there or `until` has passed; `None` looks once and does not wait.
    ///
    /// # Errors
    /// The connection is gone.
    fn read(&mut self, buffer: &mut ReadBuffer, until: Option<Deadline>)
    -> Result<Arrived, Broken>;

    /// Writes all bytes or fails.
    ///
    /// # Errors
    /// The connection is gone, or the device took no bytes until `until`.
    fn write_all(&mut self, bytes: &[u8], until: Deadline) -> Result<(), Broken>;
}
