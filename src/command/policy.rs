//! The operator's word on commands: what is refused besides, and what is allowed that is off by default.
//!
//! No entry can widen the rules on bytes or switch on a filter that writes: an allowed command is one exact text
//! without filters, and it passes the byte rules like every other.

use super::{
    grammar,
    refusal::{Refusal, Rule},
};
use crate::platform::{Platform, ReadRules};

/// A command of the operator's lists that cannot stand there.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{line}`: {reason}", line = .line.escape_debug())]
pub struct PolicyError {
    /// The entry.
    pub line: String,
    /// What is wrong with it.
    pub reason: String,
}

/// What the operator's settings say about commands.
#[derive(Clone, Debug, Default)]
pub struct CommandPolicy {
    /// Only these, if there are any.
    only: Vec<Entry>,
    deny: Vec<Entry>,
    allow: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    platform: Option<String>,
    words: Vec<String>,
    prefix: bool,
}

impl CommandPolicy {
    /// Reads entries `text` or `platform: text`. A `*` at the end of a denied text makes it a prefix. Letters of
    /// either case and any number of blanks are the same; a denied word also covers its abbreviations.
    ///
    /// # Errors
    /// An entry that is empty, or that no setting can allow.
    pub fn parse(deny: &[String], allow: &[String]) -> Result<Self, PolicyError> {
        let entries = |lines: &[String]| lines.iter().map(|line| Entry::parse(line)).collect();
        let (deny, allow): (Result<_, _>, Result<Vec<Entry>, _>) = (entries(deny), entries(allow));
        let allow = allow?;
        for entry in &allow {
            let line = entry.words.join(" ");
            let fault = |reason: String| PolicyError { line: line.clone(), reason };
            grammar::check_bytes(&line, &ReadRules::default())
                .map_err(|no| fault(no.to_string()))?;
            if entry.prefix || line.contains('|') {
                return Err(fault(
                    "an allowed command is one exact text without filters".to_owned(),
                ));
            }
        }
        Ok(Self { only: Vec::new(), deny: deny?, allow })
    }

    /// The same, narrowed to commands of `lines`: `text` or `platform: text`, a `*` at the end for a prefix. None of
    /// them means no narrowing. Words are taken as they are written: an abbreviation of a listed command is not listed.
    ///
    /// # Errors
    /// An entry that is empty.
    pub fn with_only(mut self, lines: &[String]) -> Result<Self, PolicyError> {
        self.only = lines.iter().map(|line| Entry::parse(line)).collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// # Errors
    /// An entry denies the command, or only others are listed.
    pub(super) fn check(&self, platform: &Platform, base: &str) -> Result<(), Refusal> {
        let listed =
            self.only.is_empty() || self.only.iter().any(|entry| entry.lists(platform, base));
        if !listed || self.deny.iter().any(|entry| entry.denies(platform, base)) {
            return Err(Refusal::new(Rule::DeniedByPolicy, 0));
        }
        Ok(())
    }

    /// True if an entry allows exactly this text.
    pub(super) fn allows(&self, platform: &Platform, text: &str) -> bool {
        self.allow.iter().any(|entry| entry.is_for(platform) && entry.words == words(text))
    }
}

impl Entry {
    fn parse(line: &str) -> Result<Self, PolicyError> {
        let (platform, text) = match line.split_once(": ") {
            Some((platform, text)) => (Some(platform.trim().to_ascii_lowercase()), text.trim()),
            None => (None, line.trim()),
        };
        let (text, prefix) = match text.strip_suffix('*') {
            Some(text) => (text, true),
            None => (text, false),
        };
        let words = words(text);
        if words.is_empty() {
            return Err(PolicyError { line: line.to_owned(), reason: "no command".to_owned() });
        }
        Ok(Self { platform, words, prefix })
    }

    fn is_for(&self, platform: &Platform) -> bool {
        let named = |name: &String| name == platform.name() || platform.aliases().contains(name);
        self.platform.as_ref().is_none_or(named)
    }

    /// True if the command stands here word for word.
    fn lists(&self, platform: &Platform, base: &str) -> bool {
        let typed = words(base);
        let length = if self.prefix {
            typed.len() >= self.words.len()
        } else {
            typed.len() == self.words.len()
        };
        let last = self.words.len() - 1;
        self.is_for(platform)
            && length
            && self.words.iter().zip(&typed).enumerate().all(|(index, (listed, typed))| {
                listed == typed
                    || (self.prefix && index == last && typed.starts_with(listed.as_str()))
            })
    }

    /// A device takes abbreviations, so a denied word covers every beginning of it.
    fn denies(&self, platform: &Platform, base: &str) -> bool {
        let typed = words(base);
        let long_enough = if self.prefix {
            typed.len() >= self.words.len()
        } else {
            typed.len() == self.words.len()
        };
        let last = self.words.len() - 1;
        self.is_for(platform)
            && long_enough
            && self.words.iter().zip(&typed).enumerate().all(|(index, (denied, typed))| {
                denied.starts_with(typed.as_str())
                    || (self.prefix && index == last && typed.starts_with(denied.as_str()))
            })
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').filter(|word| !word.is_empty()).map(str::to_ascii_lowercase).collect()
}
