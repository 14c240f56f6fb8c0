//! Tells whether an unfinished line is a prompt, and of which kind.
//!
//! A prompt is a guess about a whole line, never about a part of it. Prompts no reading session may stand at are
//! looked for first: a line that could be both is forbidden. Not here: when a prompt is believed (`ssh`).

use std::{cell::RefCell, ops::Range};

use regex::Regex;
use serde::Deserialize;

/// Longer lines are no prompts; spares the patterns a look at a long line of output.
const MAX_PROMPT_BYTES: usize = 512;

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
