//! What a platform says about a session besides its prompts: logins, pagers, refusals, lines to send.
//!
//! All of it is built by the loader (`definition`) from a checked file; a value is proof that its patterns and
//! lines are sound. Not here: the file's schema.

use regex::Regex;
use regex_syntax::hir::literal::Extractor;
use serde::Deserialize;

/// A line that a definition sends: printable ASCII, one line, not empty, and none that changes the device.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PreparedLine(String);

/// Why a text is no line that a definition may send.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LineFault {
    /// Nothing there.
    #[error("a line to send is empty")]
    Empty,
    /// A control character or one outside ASCII.
    #[error("a line to send holds a character that is not printable ASCII")]
    NotPrintable,
    /// It configures, saves, or opens something that does.
    #[error("a line to send begins with a word that configures, writes or leaves the CLI")]
    Writes,
}

/// Words a prepared line must not begin with, and how much of each is enough to be taken for it.
const WRITING_WORDS: [(&str, usize); 22] = [
    ("configure", 1),
    ("configuration", 1),
    ("commit", 1),
    ("copy", 1),
    ("edit", 2),
    ("write", 1),
    ("save", 2),
    ("erase", 2),
    ("delete", 3),
    ("format", 2),
    ("reload", 3),
    ("reboot", 3),
    ("reset", 3),
    ("request", 3),
    ("modify", 3),
    ("create", 2),
    ("install", 3),
    ("bash", 3),
    ("shell", 2),
    ("expert", 3),
    ("sudo", 2),
    ("tclsh", 2),
];

impl PreparedLine {
    /// # Errors
    /// Says what is wrong with `line`.
    pub(super) fn parse(line: &str) -> Result<Self, LineFault> {
        if line.trim().is_empty() {
            return Err(LineFault::Empty);
        }
        if !line.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            return Err(LineFault::NotPrintable);
        }
        if writes(line) { Err(LineFault::Writes) } else { Ok(Self(line.to_owned())) }
    }

    /// The line, without a line end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// True if the device could take the line's first word for one that writes: devices take abbreviations.
fn writes(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    let mut words = line.split_whitespace();
    let first = words.next().unwrap_or_default();
    let first = first.trim_start_matches(['/', '!']);
    let alone = words.next().is_none();
    let abbreviates =
        |(word, least): &(&str, usize)| first.len() >= *least && word.starts_with(first);
    // `system …` is a word of its own on some platforms; alone it is short for `system-view`.
    WRITING_WORDS.iter().any(abbreviates)
        || first.starts_with("config")
        || (alone && first.len() >= 2 && "system-view".starts_with(first))
        || first == "system-view"
}

/// Something a device asks, and what it is told.
#[derive(Clone, Debug)]
pub struct Dialog {
    /// Matched at the end of the last line, trailing blanks left out.
    pub expect: Regex,
    /// Sent as it is: a line end is part of it where one is needed.
    pub answer: String,
    /// Before the first prompt, an earlier line may be what asks.
    pub anywhere: bool,
}

/// What a device may ask in its terminal before the first prompt.
#[derive(Debug, Default)]
pub struct LoginRules {
    /// Asks for the user name.
    pub username_prompt: Option<Regex>,
    /// Asks for the password.
    pub password_prompt: Option<Regex>,
    /// Anything else, whose answer changes nothing.
    pub dialogs: Vec<Dialog>,
}

/// How a session gets from user to privileged mode.
#[derive(Debug)]
pub struct EnableRules {
    /// The line that asks for it.
    pub command: PreparedLine,
    /// Asks for a user name first, as some do whose rights come from a server.
    pub username_prompt: Option<Regex>,
    /// Asks for the enable password.
    pub password_prompt: Regex,
}

/// What a session sends of its own accord.
#[derive(Debug)]
pub struct SessionRules {
    /// Sent in order at the first prompt. Nothing saved changes; a refusal is worth a warning, no more.
    pub prepare: Vec<PreparedLine>,
    /// Of the first so many lines each release knows one, and what it says of the others is nobody's business; 0 for none.
    pub alternatives: usize,
    /// Ends the session.
    pub logout: PreparedLine,
    /// What the device asks on the way out.
    pub logout_dialogs: Vec<Dialog>,
    /// The device may print the echo, or prompt and echo, more than once.
    pub repeats_echo: bool,
    /// Lines may be typed before the prompt that they are for; the device echoes them behind it when it comes to them.
    pub reads_ahead: bool,
    /// What the device makes of an echo.
    pub echo: EchoForm,
    /// The device may ask where the cursor is, and is told.
    pub tells_cursor: bool,
    /// What ends a line that is sent.
    pub line_end: &'static str,
}

/// What a device makes of the line that is typed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum EchoForm {
    /// It stays as it is.
    #[default]
    Typed,
    /// Short keywords become whole, and names stand in quotes.
    Rewritten,
    /// It ends before a word that nobody knows, and a caret stands below.
    Cut,
}

/// How a device stops after a screenful.
#[derive(Debug)]
pub struct PagerRules {
    markers: Option<Regex>,
    key: String,
    /// Markers with a key of their own.
    dialogs: Vec<Dialog>,
    ends_line: bool,
}

/// A pager that waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PagerHit<'r> {
    /// Where in the line the marker begins, in bytes.
    pub start: usize,
    /// What makes the device go on.
    pub key: &'r str,
}

impl PagerRules {
    pub(super) fn new(
        markers: Option<Regex>,
        key: String,
        dialogs: Vec<Dialog>,
        ends_line: bool,
    ) -> Self {
        Self { markers, key, dialogs, ends_line }
    }

    /// The pager that waits at the end of the unfinished `line`, if one does. Trailing blanks do not count.
    #[must_use]
    pub fn matches<'r>(&'r self, line: &str) -> Option<PagerHit<'r>> {
        let line = line.trim_end();
        let asked = |dialog: &'r Dialog| {
            let start = dialog.expect.find(line)?.start();
            Some(PagerHit { start, key: &dialog.answer })
        };
        if let Some(hit) = self.dialogs.iter().find_map(asked) {
            return Some(hit);
        }
        let found = self.markers.as_ref()?.find(line)?;
        Some(PagerHit { start: found.start(), key: &self.key })
    }

    /// True if a line end right behind a marker that `key` answers is the device's answer to the key, not output.
    #[must_use]
    pub fn ends_line(&self, key: &str) -> bool {
        self.ends_line || key.ends_with(['\n', '\r'])
    }
}

/// What texts begin with that one of some patterns matches from their beginning on: most lines are told apart by it without
/// a search. `None` if they may begin with anything.
#[derive(Debug, Default)]
pub(super) struct FirstBytes(Option<Box<[bool; 256]>>);

impl FirstBytes {
    pub(super) fn of<'p>(patterns: impl Iterator<Item = &'p str>) -> Self {
        let mut bytes = Box::new([false; 256]);
        for pattern in patterns {
            let parsed = regex_syntax::parse(pattern).ok();
            let literals = parsed.map(|parsed| Extractor::new().extract(&parsed));
            let Some(literals) = literals.as_ref().and_then(|found| found.literals()) else {
                return Self(None);
            };
            for literal in literals {
                match literal.as_bytes().first().and_then(|byte| bytes.get_mut(usize::from(*byte)))
                {
                    Some(begins) => *begins = true,
                    None => return Self(None),
                }
            }
        }
        Self(Some(bytes))
    }

    fn may_begin(&self, text: &str) -> bool {
        let Some(bytes) = &self.0 else { return true };
        let first = text.as_bytes().first().map(|byte| usize::from(*byte));
        first.and_then(|byte| bytes.get(byte)).is_none_or(|begins| *begins)
    }
}

/// How a device says that it refused a command.
#[derive(Debug)]
pub struct ErrorRules {
    first_lines: usize,
    markers: Option<Regex>,
    first_bytes: FirstBytes,
    hint_needs_enable: bool,
}

impl ErrorRules {
    /// `first_bytes` are those of what the `markers` match.
    pub(super) fn new(
        first_lines: usize,
        markers: Option<Regex>,
        first_bytes: FirstBytes,
        hint_needs_enable: bool,
    ) -> Self {
        Self { first_lines, markers, first_bytes, hint_needs_enable }
    }

    /// The first line of `output` that says the device refused the command, trimmed.
    ///
    /// Only the first lines that are not blank count: long outputs hold such lines as data.
    #[must_use]
    pub fn find<'a>(&self, output: &'a str) -> Option<&'a str> {
        let markers = self.markers.as_ref()?;
        let lines = output.lines().map(str::trim).filter(|line| !line.is_empty());
        lines
            .take(self.first_lines)
            .find(|line| self.first_bytes.may_begin(line) && markers.is_match(line))
    }

    /// A refusal in user mode may mean that the user lacks the privilege.
    #[must_use]
    pub fn hint_needs_enable(&self) -> bool {
        self.hint_needs_enable
    }
}

/// Lines around an output that belong to the CLI.
#[derive(Debug)]
pub struct OutputRules {
    first: Option<Regex>,
    last: Option<Regex>,
    native: Option<String>,
}

impl OutputRules {
    pub(super) fn new(first: Option<Regex>, last: Option<Regex>, native: Option<String>) -> Self {
        Self { first, last, native }
    }

    /// What is put behind a command for the device to print it as JSON: `| json`.
    #[must_use]
    pub fn native(&self) -> Option<&str> {
        self.native.as_deref()
    }

    /// `output` without the lines that belong to the CLI: at its start those of `strip_first_lines`, at its end
    /// those of `strip_last_lines`, each of the latter with one blank line before it.
    #[must_use]
    pub fn strip(&self, mut output: String) -> String {
        if let Some(last) = &self.last {
            while let Some(kept) = without_last(&output, last) {
                output.truncate(kept);
            }
        }
        if let Some(first) = &self.first {
            let mut from = 0;
            for line in output.split_inclusive('\n') {
                if !first.is_match(line.trim()) {
                    break;
                }
                from += line.len();
            }
            output.drain(..from);
        }
        output
    }
}

/// How long `output` is without its last line, if that line is to go.
fn without_last(output: &str, pattern: &Regex) -> Option<usize> {
    let line = output.split_inclusive('\n').next_back()?;
    if !pattern.is_match(line.trim()) {
        return None;
    }
    let rest = output.strip_suffix(line)?;
    // `\n\n` at the end is a blank line; a lone `\n` is an output of nothing but one.
    let blank = rest.ends_with("\n\n") || rest == "\n";
    Some(rest.len() - usize::from(blank))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_that_a_pattern_matches_begins_otherwise_than_it_may() {
        let texts =
            ["% Invalid", "%Invalid", "error", "ERROR", "Auth", "éa", "xfoo", "a failed", "-"];
        for (pattern, n_may) in [
            ("% ?Invalid", 2),
            ("(?i)error", 2),
            ("(?:% ?)?Auth", 3),
            ("[éx]", 2),
            (r"\bAuth|%", 3),
            (r"\w+ failed", 9),
            ("x*", 9),
        ] {
            let first = FirstBytes::of([pattern].into_iter());
            let matches = Regex::new(&format!(r"\A(?:{pattern})")).unwrap();
            let may = texts.iter().filter(|text| first.may_begin(text)).count();
            assert_eq!(may, n_may, "{pattern}");
            assert!(texts.iter().all(|text| !matches.is_match(text) || first.may_begin(text)));
        }
        assert!(!FirstBytes::of(["a", "b"].into_iter()).may_begin("c"));
        assert!(FirstBytes::of(["a", ".", "b"].into_iter()).may_begin("c"));
    }
}
