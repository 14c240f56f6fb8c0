//! Texts as they stand in JSON, written faster than the library does it: outputs are long, and refusals can be many.

/// Shorter texts are no outputs, or are not worth a second look.
const LONG_BYTES: usize = 256;

/// Writes a text with its quotes.
pub fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

/// Writes a text as it stands between the quotes of JSON.
pub fn escape(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let is_other = |b: &u8| *b < b' ' && *b != b'\n';
    if bytes.len() < LONG_BYTES || bytes.iter().fold(false, |any, b| any | is_other(b)) {
        escape_any(bytes, out);
    } else {
        escape_lines(bytes, out);
    }
}

/// Outputs are lines without other controls: three bytes are found faster than a range.
fn escape_lines(bytes: &[u8], out: &mut Vec<u8>) {
    let mut from = 0;
    for at in memchr::memchr3_iter(b'\n', b'"', b'\\', bytes) {
        out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        let special = bytes.get(at).copied().filter(|special| *special != b'\n');
        out.extend([b'\\', special.unwrap_or(b'n')]);
        from = at + 1;
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
}

fn escape_any(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    loop {
        let (plain, behind) = rest.split_at(plain_length(rest));
        out.extend_from_slice(plain);
        let Some((special, behind)) = behind.split_first() else { return };
        rest = behind;
        let short = match special {
            b'"' | b'\\' => *special,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            8 => b'b',
            12 => b'f',
            _ => {
                out.extend_from_slice(b"\\u00");
                out.extend([special >> 4, special & 15].map(hex_digit));
                continue;
            }
        };
        out.extend([b'\\', short]);
    }
}

/// How many bytes come before the next that cannot stand in JSON as it is.
fn plain_length(bytes: &[u8]) -> usize {
    let is_special = |b: &u8| *b < b' ' || *b == b'"' || *b == b'\\';
    // The compiler looks at all bytes of a block at once.
    let blocks = bytes.chunks_exact(16);
    let n_plain =
        blocks.take_while(|block| !block.iter().fold(false, |any, b| any | is_special(b)));
    let start = n_plain.count() * 16;
    let rest = bytes.get(start..).unwrap_or_default();
    start + rest.iter().position(is_special).unwrap_or(rest.len())
}

fn hex_digit(digit: u8) -> u8 {
    if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_escaped_as_the_library_does_it(
            text in "(.|[\x00-\x1f\x7f\"\\\\]){0,80}|([^\x00-\x1f]|[\n\"\\\\]){250,400}",
        ) {
            let mut written = Vec::new();
            quote(&text, &mut written);
            prop_assert_eq!(String::from_utf8(written).unwrap(), serde_json::to_string(&text).unwrap());
        }
    }
}
