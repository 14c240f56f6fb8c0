//! The buffers of a session, which the next one on its thread goes on with: to grow them anew costs more than what is
//! done in them.

use std::{cell::Cell, mem::take};

/// The most that is read at a time.
pub(super) const MOST_READ_BYTES: usize = 32 * 1024;
/// The room of larger outputs is not kept for the next one.
pub(super) const MOST_ROOM_BYTES: usize = 32 * 1024;
/// A session of short outputs needs no more, and need not fill the rest with zeros.
const LEAST_READ_BYTES: usize = 4 * 1024;
/// Most prompts, banners and short outputs.
const USUAL_BYTES: usize = 1024;

thread_local! {
    static KEPT: Cell<Option<[Vec<u8>; 3]>> = const { Cell::new(None) };
}

/// Buffers; what stands in them at the end is not kept.
#[derive(Debug)]
pub(super) struct Rooms {
    /// What is read into, all of it.
    pub read: Vec<u8>,
    /// Where the next step's lines gather; empty.
    pub lines: Vec<u8>,
    /// Lines that came behind the end of the last step.
    pub ahead: Vec<u8>,
}

impl Rooms {
    /// Those of the thread's last session, or new ones.
    pub(super) fn new() -> Self {
        let [read, lines, ahead] = KEPT.take().unwrap_or_else(|| {
            [vec![0; LEAST_READ_BYTES], Vec::with_capacity(USUAL_BYTES), Vec::new()]
        });
        Self { read, lines, ahead }
    }

    /// Makes as much room for reads as there ever is.
    pub(super) fn read_more(&mut self) {
        self.read.resize(MOST_READ_BYTES, 0);
    }
}

impl Drop for Rooms {
    fn drop(&mut self) {
        for text in [&mut self.lines, &mut self.ahead] {
            text.clear();
            text.shrink_to(MOST_ROOM_BYTES);
        }
        KEPT.set(Some([take(&mut self.read), take(&mut self.lines), take(&mut self.ahead)]));
    }
}
