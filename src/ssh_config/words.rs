//! A line of the file: its keyword, and the words behind it with their quotes taken off.

/// What stands between words.
const BLANKS: [char; 5] = [' ', '\t', '\r', '\n', '\u{c}'];

/// A line that says something.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Words<'a> {
    /// In small letters.
    pub keyword: String,
    /// Everything behind it, as it is written.
    pub rest: &'a str,
}

impl<'a> Words<'a> {
    /// The keyword of a line and what stands behind it; `None` for an empty line or a comment.
    pub(super) fn of_line(line: &'a str) -> Option<Self> {
        let line = line.trim_matches(BLANKS);
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (keyword, rest) = match line.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => {
                line.split_at(line.find(|c| BLANKS.contains(&c) || c == '=').unwrap_or(line.len()))
            }
        };
        // One `=` may stand there, with blanks on both sides.
        let rest = rest.trim_start_matches(BLANKS);
        let rest = rest.strip_prefix('=').unwrap_or(rest).trim_start_matches(BLANKS);
        Some(Self { keyword: keyword.to_ascii_lowercase(), rest })
    }

    /// The words behind the keyword, up to a comment. Quotes of either kind and backslashes before blanks, quotes and
    /// backslashes are taken off.
    ///
    /// # Errors
    /// A quote is not closed.
    pub(super) fn arguments(&self) -> Result<Vec<String>, &'static str> {
        let mut words = Vec::new();
        let mut word: Option<String> = None;
        let mut quote = None;
        let mut letters = self.rest.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                ' ' | '\t' if quote.is_none() => words.extend(word.take()),
                '#' if quote.is_none() && word.is_none() => break,
                '"' | '\'' if quote.is_none_or(|open| open == letter) => {
                    quote = if quote.is_none() { Some(letter) } else { None };
                    word.get_or_insert_default();
                }
                '\\' => {
                    let escaped = letters.next_if(|next| {
                        ['"', '\'', '\\'].contains(next) || (quote.is_none() && *next == ' ')
                    });
                    word.get_or_insert_default().push(escaped.unwrap_or(letter));
                }
                _ => word.get_or_insert_default().push(letter),
            }
        }
        if quote.is_some() {
            return Err("a quote is not closed");
        }
        words.extend(word);
        Ok(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_keyword_and_words_with_or_without_quotes() {
        for (line, keyword, words) in [
            ("Host a b", "host", &["a", "b"][..]),
            ("  HOST\ta\t b  # c d", "host", &["a", "b"]),
            ("Port=22", "port", &["22"]),
            ("Port = 22\r", "port", &["22"]),
            ("HostName==c", "hostname", &["=c"]),
            ("\"User\" b", "user", &["b"]),
            ("User \"a b\" 'c d' e\\ f g\\h", "user", &["a b", "c d", "e f", "g\\h"]),
            ("User \"a 'b\" 'c \"d' \"\"", "user", &["a 'b", "c \"d", ""]),
            ("Port \"2\"2", "port", &["22"]),
            ("User a#b", "user", &["a#b"]),
            ("User \"#\"", "user", &["#"]),
            ("User", "user", &[]),
        ] {
            let found = Words::of_line(line).unwrap();
            assert_eq!(found.keyword, keyword, "{line}");
            assert_eq!(found.arguments().unwrap(), words, "{line}");
        }
        for line in ["", "   ", "# Host a", "\t#"] {
            assert_eq!(Words::of_line(line), None, "{line}");
        }
        for line in ["User \"a", "User a'b", "User \"a\\\""] {
            assert!(Words::of_line(line).unwrap().arguments().is_err(), "{line}");
        }
    }
}
