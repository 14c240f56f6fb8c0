//! Texts as they stand in JSON, written faster than the library does it: outputs are long, and refusals can be many.

use crate::output::places::{is, is_below_blank, places};

/// Writes a text with its quotes.
pub fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

/// Writes a word of ours, of plain letters, with its quotes.
pub fn plain(word: &'static str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(word.as_bytes());
    out.push(b'"');
}

/// Writes a text as it stands between the quotes of JSON.
pub fn escape(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let (is_quote, is_backslash, is_low) = (is(b'"'), is(b'\\'), is_below_blank());
    let wanted = |bytes| is_quote(bytes) | is_backslash(bytes) | is_low(bytes);
    let mut from = 0;
    for at in places(bytes, wanted) {
        out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        from = at + 1;
        let special = bytes.get(at).copied().unwrap_or_default();
        let short = match special {
            b'"' | b'\\' => special,
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
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
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
            text in "(.|[\x00-\x1f\x7f\"\\\\]){0,200}",
        ) {
            let mut written = Vec::new();
            quote(&text, &mut written);
            prop_assert_eq!(String::from_utf8(written).unwrap(), serde_json::to_string(&text).unwrap());
        }
    }
}
