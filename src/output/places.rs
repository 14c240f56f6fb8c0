//! Finds bytes that stand near each other: a search that begins anew behind each find takes longer than what it looks at.

use wide::u8x16;

/// Bytes that are looked at before the first of their places is given.
const BLOCK_BYTES: usize = 64;
/// What stands behind the last bytes where they fill no block; its places are not given.
const FILLER: u8 = b' ';

/// The places of the bytes that are wanted, in order.
pub struct Places<'b, W> {
    rest: &'b [u8],
    wanted: W,
    /// The places that are still to be given, in the block that begins there.
    found: u64,
    block_at: usize,
    n_taken: usize,
}

/// The places in `bytes` of those that `wanted` says of sixteen at a time.
pub fn places<W: Fn(u8x16) -> u8x16>(bytes: &[u8], wanted: W) -> Places<'_, W> {
    Places { rest: bytes, wanted, found: 0, block_at: 0, n_taken: 0 }
}

/// Says of bytes which of them are this one.
pub fn is(byte: u8) -> impl Fn(u8x16) -> u8x16 {
    let byte = u8x16::splat(byte);
    move |bytes| bytes.simd_eq(byte)
}

/// Says of bytes which of them come before the blank, as most control characters do.
pub fn is_below_blank() -> impl Fn(u8x16) -> u8x16 {
    let last = u8x16::splat(b' ' - 1);
    move |bytes| bytes.min(last).simd_eq(bytes)
}

impl<W: Fn(u8x16) -> u8x16> Iterator for Places<'_, W> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.found == 0 {
            let (places, rest) = first_block(self.rest, |block| bits(block, &self.wanted))?;
            let n_bytes = self.rest.len() - rest.len();
            (self.block_at, self.rest) = (self.n_taken, rest);
            self.n_taken += n_bytes;
            self.found = if n_bytes < BLOCK_BYTES { places & ((1 << n_bytes) - 1) } else { places };
        }
        let at = self.found.trailing_zeros() as usize;
        self.found &= self.found - 1;
        Some(self.block_at + at)
    }
}

/// True if the only control characters are line ends of CR LF, and nothing stands behind the last.
#[must_use]
pub fn are_plain_lines(lines: &[u8]) -> bool {
    let (is_return, is_feed, is_delete) = (is(b'\r'), is(b'\n'), is(0x7f));
    let is_low = is_below_blank();
    let (mut rest, mut odd, mut after_return) = (lines, 0, 0);
    let mut look = |block: &_| {
        let (returns, feeds) = (bits(block, &is_return), bits(block, &is_feed));
        let controls = bits(block, |bytes| is_low(bytes) | is_delete(bytes));
        odd |= controls & !(returns | feeds) | feeds ^ (returns << 1 | after_return);
        after_return = returns >> (BLOCK_BYTES - 1);
    };
    while let Some(((), behind)) = first_block(rest, &mut look) {
        rest = behind;
    }
    odd == 0 && lines.ends_with(b"\r\n")
}

/// What `look` makes of the first block, and the bytes behind it.
#[inline]
fn first_block<T>(bytes: &[u8], look: impl FnOnce(&[u8; BLOCK_BYTES]) -> T) -> Option<(T, &[u8])> {
    if let Some((block, rest)) = bytes.split_first_chunk() {
        return Some((look(block), rest));
    }
    let mut block = [FILLER; BLOCK_BYTES];
    block.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    (!bytes.is_empty()).then(|| (look(&block), &[][..]))
}

/// A bit for each byte that is wanted, the first byte's the lowest.
#[inline]
fn bits(block: &[u8; BLOCK_BYTES], wanted: impl Fn(u8x16) -> u8x16) -> u64 {
    let (parts, _) = block.as_chunks();
    let of_part = |part: &[u8; 16]| u64::from(wanted(u8x16::new(*part)).to_bitmask());
    parts.iter().rev().fold(0, |bits, part| bits << 16 | of_part(part))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_place_is_given_once_and_in_order(
            bytes in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b' '), Just(0), any::<u8>()], 0..300),
        ) {
            for byte in [b'\r', b' ', 0, 0xff] {
                let all = |wanted: &dyn Fn(u8) -> bool| -> Vec<usize> {
                    bytes.iter().enumerate().filter(|(_, byte)| wanted(**byte)).map(|(at, _)| at).collect()
                };
                prop_assert_eq!(places(&bytes, is(byte)).collect::<Vec<_>>(), all(&|one| one == byte));
                prop_assert_eq!(places(&bytes, is_below_blank()).collect::<Vec<_>>(), all(&|one| one < b' '));
            }
        }

        #[test]
        fn plain_lines_have_no_control_but_cr_lf(
            parts in prop::collection::vec(
                prop_oneof![4 => Just("\r\n".to_owned()), 4 => "[ -~é]{0,70}", 1 => Just("\r".to_owned()), 1 => Just("\n".to_owned()), 1 => "[\u{0}-\u{1f}\u{7f}]"],
                0..9,
            ),
        ) {
            let text = parts.concat() + "\r\n";
            let is_plain = !text.replace("\r\n", "").contains(|c: char| c.is_ascii_control());
            prop_assert_eq!(are_plain_lines(text.as_bytes()), is_plain);
            prop_assert!(!are_plain_lines(text.trim_end_matches('\n').as_bytes()));
        }
    }
}
