//! JSON in pieces: a large answer is not moved about while it grows, and is freed while it is sent.

use std::{
    io,
    mem::{replace, take},
};

/// Bytes of a piece that is written into: the system's allocator keeps what is no larger at hand.
pub const PIECE_BYTES: usize = 64 * 1024;
/// A part that is as large is a piece of its own and not moved again.
const LARGE_BYTES: usize = 4 * 1024;

/// Pieces that follow each other.
#[derive(Default)]
pub struct Pieces {
    full: Vec<Vec<u8>>,
    last: Vec<u8>,
}

impl Pieces {
    /// Adds a few bytes.
    pub fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = PIECE_BYTES - self.last.len();
            let (taken, left) = bytes.split_at(room.min(bytes.len()));
            self.last.extend_from_slice(taken);
            if taken.len() == room {
                let full = replace(&mut self.last, Vec::with_capacity(PIECE_BYTES));
                self.full.push(full);
            }
            bytes = left;
        }
    }

    /// Adds a part that is there already.
    pub fn add_whole(&mut self, bytes: Vec<u8>) {
        if bytes.len() < LARGE_BYTES {
            self.add(&bytes);
        } else {
            self.end();
            self.full.push(bytes);
        }
    }

    /// All of them, in order; none is empty.
    #[must_use]
    pub fn all(mut self) -> Vec<Vec<u8>> {
        self.end();
        self.full
    }

    fn end(&mut self) {
        if !self.last.is_empty() {
            self.full.push(take(&mut self.last));
        }
    }
}

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.add(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_is_written_comes_out_whole_and_in_order() {
        for n_bytes in [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES + 7] {
            let written: Vec<u8> = (0..=255).cycle().take(n_bytes).collect();
            for cut in [1000, LARGE_BYTES, PIECE_BYTES, 10 * PIECE_BYTES] {
                let (mut pieces, mut parts) = (Pieces::default(), Pieces::default());
                for part in written.chunks(cut) {
                    pieces.write_all(part).unwrap();
                    parts.add_whole(part.to_vec());
                }
                for all in [pieces.all(), parts.all()] {
                    assert!(all.iter().all(|piece| !piece.is_empty()));
                    assert_eq!(all.concat(), written, "{n_bytes} by {cut}");
                }
            }
        }
    }
}
