//! The buffers of a session, which the next one on its thread goes on with: to grow them anew costs more than what is
//! done in them.

use std::{cell::Cell, mem::take};

/// The room of larger outputs is not kept for the next one.
pub(super) const MOST_ROOM_BYTES: usize = 32 * 1024;
/// Most prompts, banners and short outputs.
const USUAL_BYTES: usize = 1024;

thread_local! {
    static KEPT: Cell<Option<[String; 3]>> = const { Cell::new(None) };
}

/// Buffers; what stands in them at the end is not kept.
#[derive(Debug)]
pub(super) struct Rooms {
    /// Where the next step's lines gather; empty.
    pub lines: String,
    /// What came behind the end of the last step.
    pub ahead: Ahead,
    /// What its lines are exchanged for; empty.
    pub spare: String,
}

/// Lines that came behind the end of a step.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    pub lines: String,
    /// One of them may begin with the prompt.
    pub has_prompt: bool,
}

impl Rooms {
    /// Those of the thread's last session, or new ones.
    pub(super) fn new() -> Self {
        let [lines, ahead, spare] = KEPT
            .take()
            .unwrap_or_else(|| [String::with_capacity(USUAL_BYTES), String::new(), String::new()]);
        Self { lines, ahead: Ahead { lines: ahead, has_prompt: false }, spare }
    }
}

impl Drop for Rooms {
    fn drop(&mut self) {
        let mut rooms = [&mut self.lines, &mut self.ahead.lines, &mut self.spare].map(take);
        for room in &mut rooms {
            room.clear();
            room.shrink_to(MOST_ROOM_BYTES);
        }
        KEPT.set(Some(rooms));
    }
}
