//! What bounds one run from inside: its clock, and the memory that a template's automata may take.
//!
//! A search in one line cannot be interrupted, so its size is known before it begins: the places of the expression
//! times the bytes of the line. The clock is asked after a certain amount of such work, not after so many lines.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering},
};

/// Work between two looks at the clock: less than a tenth of a second at the worst.
const WORK_BETWEEN_LOOKS: u64 = 1 << 17;
/// Compiling an expression counts as much.
pub(super) const WORK_OF_COMPILING: u64 = WORK_BETWEEN_LOOKS / 8;
/// What all automata of one template may take, by estimate.
const MOST_BYTES: u64 = 96 << 20;

/// The time is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Late;

/// The memory that a template's automata have taken, in bytes and by estimate; they are kept as long as the template.
#[derive(Debug, Default)]
pub(super) struct Memory(AtomicU64);

/// One run's bounds.
pub(super) struct Watch<'a> {
    is_late: &'a dyn Fn() -> bool,
    memory: &'a Memory,
    work: Cell<u64>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(is_late: &'a dyn Fn() -> bool, memory: &'a Memory) -> Self {
        Self { is_late, memory, work: Cell::new(0) }
    }

    /// Notes a piece of work that was done or is about to be, and looks at the clock if it is time to.
    pub(super) fn note(&self, work: u64) -> Result<(), Late> {
        let work = self.work.get().saturating_add(work);
        if work < WORK_BETWEEN_LOOKS {
            self.work.set(work);
            return Ok(());
        }
        self.work.set(0);
        if (self.is_late)() { Err(Late) } else { Ok(()) }
    }

    /// Takes memory for an automaton; false if the template has had its share.
    pub(super) fn has_room_for(&self, bytes: u64) -> bool {
        let Memory(taken) = self.memory;
        bytes <= MOST_BYTES && taken.fetch_add(bytes, Ordering::Relaxed) <= MOST_BYTES - bytes
    }
}

/// The work of searching in a line, in the unit of [`Watch::note`].
pub(super) fn work_of(places: u64, line: &str) -> u64 {
    1 + (positions(places, line) >> 6)
}

/// How often an automaton may have to look at one of its places.
pub(super) fn positions(places: u64, line: &str) -> u64 {
    places.saturating_mul(line.len() as u64)
}

/// A line for the backtracking engine, which counts only the ways that it gives up: whatever looks at this text is
/// noted, and a search whose time is over is ended by unwinding.
pub(super) struct Watched<'a> {
    pub(super) line: &'a str,
    pub(super) watch: &'a Watch<'a>,
    /// Of one look, which may be a search through all of the line.
    pub(super) work: u64,
}

impl fancy_regex::Input for Watched<'_> {
    type Match<'t>
        = (usize, usize)
    where
        Self: 't;

    fn len(&self) -> usize {
        self.line.len()
    }

    fn as_bytes(&self) -> &[u8] {
        if let Err(late) = self.watch.note(self.work) {
            // No panic: no message, and `matcher` takes it up.
            std::panic::resume_unwind(Box::new(late));
        }
        self.line.as_bytes()
    }

    fn is_char_boundary(&self, at: usize) -> bool {
        self.line.is_char_boundary(at)
    }

    fn is_ascii(&self) -> bool {
        self.line.is_ascii()
    }

    fn prev_codepoint_ix(&self, at: usize) -> usize {
        fancy_regex::Input::prev_codepoint_ix(self.line, at)
    }

    fn make_match(&self, start: usize, end: usize) -> (usize, usize) {
        (start, end)
    }

    fn advance_position(&self, at: usize) -> usize {
        fancy_regex::Input::advance_position(self.line, at)
    }
}
