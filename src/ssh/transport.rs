//! The wire under a session: bytes in, bytes out, by a deadline.

use crate::deadline::Deadline;

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

/// A channel to a device's terminal.
pub trait Transport {
    /// Waits until bytes are there or `until` has passed; `None` looks once and does not wait.
    ///
    /// # Errors
    /// The connection is gone.
    fn read(&mut self, buffer: &mut [u8], until: Option<Deadline>) -> Result<Arrived, Broken>;

    /// Writes all bytes or fails.
    ///
    /// # Errors
    /// The connection is gone, or the device took no bytes until `until`.
    fn write_all(&mut self, bytes: &[u8], until: Deadline) -> Result<(), Broken>;
}
