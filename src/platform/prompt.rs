//! Tells whether an unfinished line is a prompt, and of which kind.
//!
//! A prompt is a guess about a whole line, never about a part of it. Prompts no reading session may stand at are
//! looked for first: a line that could be both is forbidden. Not here: when a prompt is believed (`ssh`).

use std::{cell::RefCell, ops::Range, sync::LazyLock};

use regex::Regex;
use serde::Deserialize;

/// Longer lines are no prompts; spares the patterns a look at a long line of output.
const MAX_PROMPT_BYTES: usize = 512;

/// A time of the day.
static CLOCK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?\b")
        .expect("the expression is a constant that a test compiles")
});

/// What a session may do at a prompt.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Before `enable`.
    User,
    /// After `enable`, or on a platform without levels.
    Privileged,
}

/// Why a session must not stand at a prompt.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Forbidden {
    /// Lines typed here change the device.
    Configuration,
    /// An operating system's shell.
    Shell,
    /// Anything else that is not for reading, such as a diagnosis or boot mode.
    Other,
}

/// What a line is when it stands, unfinished, at the end of the terminal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Tail<'a> {
    /// A prompt that show commands may be typed at.
    Operational {
        /// Its level.
        mode: Mode,
        /// The part that stays the same for the whole session.
        name: &'a str,
    },
    /// A prompt that ends the session.
    Forbidden(Forbidden),
    /// No prompt.
    Text,
}

/// A platform's prompts.
#[derive(Debug)]
pub struct PromptRules {
    operational: Vec<(Mode, Regex)>,
    forbidden: Vec<(Forbidden, Regex)>,
}

impl PromptRules {
    /// Patterns match whole lines: their maker has anchored them.
    pub(super) fn new(operational: Vec<(Mode, Regex)>, forbidden: Vec<(Forbidden, Regex)>) -> Self {
        Self { operational, forbidden }
    }

    /// What `line` is; it comes without its line end, and blanks around it do not count.
    ///
    /// Lines over 512 bytes are [`Tail::Text`].
    #[must_use]
    pub fn classify<'a>(&self, line: &'a str) -> Tail<'a> {
        let line = line.trim();
        if line.is_empty() || line.len() > MAX_PROMPT_BYTES {
            return Tail::Text;
        }
        if let Some((what, _)) = self.forbidden.iter().find(|(_, pattern)| pattern.is_match(line)) {
            return Tail::Forbidden(*what);
        }
        for (mode, pattern) in &self.operational {
            if let Some(groups) = pattern.captures(line) {
                let name = groups.name("name").map_or(line, |group| group.as_str());
                return Tail::Operational { mode: *mode, name };
            }
        }
        Tail::Text
    }
}

/// True if both are names of one device; a clock in them (EOS' `prompt %H.%D{%T}%P`) may have gone on.
#[must_use]
pub fn is_same_name(one: &str, other: &str) -> bool {
    one == other
        || (one.contains(':') && CLOCK.replace_all(one, "") == CLOCK.replace_all(other, ""))
}

/// The prompts of one session, which shows the same one again and again: what the last one was is known.
#[derive(Debug)]
pub struct KnownPrompts<'p> {
    rules: &'p PromptRules,
    last: RefCell<Option<Known>>,
}

#[derive(Debug)]
struct Known {
    line: String,
    mode: Mode,
    name: Range<usize>,
}

impl<'p> KnownPrompts<'p> {
    /// None is known yet.
    #[must_use]
    pub fn new(rules: &'p PromptRules) -> Self {
        Self { rules, last: RefCell::new(None) }
    }

    /// As [`PromptRules::classify`].
    #[must_use]
    pub fn classify<'a>(&self, line: &'a str) -> Tail<'a> {
        let line = line.trim();
        if let Some(known) = self.last.borrow().as_ref().filter(|known| known.line == line) {
            let name = line.get(known.name.clone()).unwrap_or(line);
            return Tail::Operational { mode: known.mode, name };
        }
        let tail = self.rules.classify(line);
        if let Tail::Operational { mode, name } = tail
            && let Some(at) = line.find(name)
        {
            let known = Known { line: line.to_owned(), mode, name: at..at + name.len() };
            self.last.replace(Some(known));
        }
        tail
    }
}

#[cfg(test)]
mod tests {
    use super::is_same_name;

    #[test]
    fn a_clock_in_a_name_may_go_on_and_nothing_else_may_change() {
        for (one, other, want) in [
            ("leaf1", "leaf1", true),
            ("leaf1.09:59:59", "leaf1.10:00:00", true),
            ("leaf1.9:59", "leaf1.10:00", true),
            ("[14:02:03.104] leaf1", "[14:02:04.2] leaf1", true),
            ("leaf1.09:59:59", "leaf2.09:59:59", false),
            ("leaf1.09:59:59", "leaf1", false),
            ("leaf1", "leaf2", false),
            ("RP/0/RP0/CPU0:xr1", "RP/0/RP0/CPU0:xr2", false),
            ("a:1:2", "a:1:3", false),
        ] {
            assert_eq!(is_same_name(one, other), want, "{one} {other}");
            assert_eq!(is_same_name(other, one), want, "{other} {one}");
        }
    }
}
