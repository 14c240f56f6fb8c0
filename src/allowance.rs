//! How many bytes of output and records a request may hold: taken when they are kept, given back when they were sent.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that all sessions of a request share.
#[derive(Debug)]
pub struct Allowance {
    most_bytes: usize,
    taken: AtomicUsize,
}

impl Allowance {
    /// Nothing taken yet.
    #[must_use]
    pub fn new(most_bytes: usize) -> Self {
        Self { most_bytes, taken: AtomicUsize::new(0) }
    }

    /// Keeps as much of a text as may be kept, cut at a line's end if there is one; true if that is all of it.
    pub fn keep(&self, text: &mut String) -> bool {
        let wanted = text.len();
        let before = self.taken.fetch_add(wanted, Ordering::AcqRel);
        let left = self.most_bytes.saturating_sub(before);
        if wanted <= left {
            return true;
        }
        let mut cut = left;
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        text.truncate(cut);
        if let Some(end) = text.rfind('\n') {
            text.truncate(end + 1);
        }
        text.shrink_to_fit();
        self.give_back(wanted - text.len());
        false
    }

    /// Takes so many bytes for what cannot be cut; false, and none taken, if they are too many.
    #[must_use]
    pub fn take(&self, bytes: usize) -> bool {
        let before = self.taken.fetch_add(bytes, Ordering::AcqRel);
        let fits = before.saturating_add(bytes) <= self.most_bytes;
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    /// Bytes that are not held any more.
    pub fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// True if half of it or more is taken.
    #[must_use]
    pub fn is_half_taken(&self) -> bool {
        self.taken.load(Ordering::Acquire) >= self.most_bytes.div_ceil(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_the_allowance_is_cut_at_a_lines_end_and_can_be_had_again() {
        let allowance = Allowance::new(10);
        let (mut first, mut second) = ("ab\ncd\n".to_owned(), "é\nefghi\n".to_owned());
        assert!(allowance.keep(&mut first));
        assert!(allowance.is_half_taken());
        assert!(!allowance.keep(&mut second));
        assert_eq!(second, "é\n");
        let mut third = "éé".to_owned();
        assert!(!allowance.keep(&mut third) && third.is_empty());
        let mut line = "one line".to_owned();
        assert!(!Allowance::new(3).keep(&mut line) && line == "one");
        allowance.give_back(first.len() + second.len());
        assert!(!allowance.is_half_taken());
        assert!(allowance.keep(&mut "0123456789".to_owned()));
        assert!(!allowance.take(1));
        allowance.give_back(10);
        assert!(!allowance.take(11) && allowance.take(10) && !allowance.take(1));
    }
}
