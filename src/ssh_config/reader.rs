//! Reads a configuration file into steps; what cannot be read is refused with its file and line.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    keywords::is_passed_over,
    paths::FilePath,
    value::{Criterion, Value, criteria, one, pattern, shown, some},
    words::Words,
};
use crate::host_pattern::{HostPattern, covers};

/// Files that include each other, at the most; OpenSSH's own bound is 16.
const MOST_DEPTH: usize = 8;
/// Lines of all files together.
const MOST_LINES: usize = 20_000;

/// What a line is: its file and its number, from 1.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Spot {
    pub file: Arc<str>,
    pub line: usize,
}

impl std::fmt::Display for Spot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} line {}", self.file, self.line)
    }
}

/// A line that cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ConfigError {
    /// The file that it is in.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// What is wrong with it, and what would be right.
    pub reason: String,
}

/// Gives the files that an `Include` means, each with its name and its text, in their order.
///
/// # Errors
/// One of them cannot be read.
pub type Include<'a> = dyn FnMut(&FilePath) -> Result<Vec<(PathBuf, String)>, String> + 'a;

/// A configuration that was read.
#[derive(Clone, Debug, Default)]
pub struct SshConfig {
    pub(super) steps: Vec<Step>,
    /// Keywords that were passed over, and where each stands first.
    passed_over: BTreeMap<String, Spot>,
    n_lines: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// An included file begins.
    Enter,
    /// It ends: what was meant before is meant again.
    Leave,
    /// What follows is for these hosts.
    Section(Condition),
    Value(Value),
}

/// Whom a section is for.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    Host(Vec<HostPattern>),
    /// All of them hold; none for everybody.
    Match(Vec<Criterion>),
}

impl SshConfig {
    /// Reads a file and what it includes.
    ///
    /// # Errors
    /// The first line that cannot be used.
    pub fn parse(file: &Path, text: &str, include: &mut Include<'_>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let mut unknown = Vec::new();
        config.read(file, text, 0, &mut unknown, include)?;
        Ok(config)
    }

    /// Keywords that were passed over, each with the place of the first.
    pub fn passed_over(&self) -> impl Iterator<Item = String> {
        self.passed_over.iter().map(|(keyword, spot)| format!("{keyword} ({spot})"))
    }

    /// Every file of keys that is named for somebody.
    pub fn identity_files(&self) -> impl Iterator<Item = &FilePath> {
        self.steps.iter().filter_map(|step| match step {
            Step::Value(Value::Identity(path)) => path.as_ref(),
            _ => None,
        })
    }

    /// Every file of host keys that is named for somebody.
    pub fn known_hosts_files(&self) -> impl Iterator<Item = &FilePath> {
        let files = self.steps.iter().filter_map(|step| match step {
            Step::Value(Value::KnownHosts(files) | Value::GlobalKnownHosts(files)) => Some(files),
            _ => None,
        });
        files.flatten()
    }

    fn read(
        &mut self,
        file: &Path,
        text: &str,
        depth: usize,
        unknown: &mut Vec<String>,
        include: &mut Include<'_>,
    ) -> Result<(), ConfigError> {
        let name: Arc<str> = file.display().to_string().into();
        for (index, line) in text.split('\n').enumerate() {
            let spot = Spot { file: Arc::clone(&name), line: index + 1 };
            let failed = |reason| ConfigError { file: file.to_owned(), line: index + 1, reason };
            self.n_lines += 1;
            if self.n_lines > MOST_LINES {
                return Err(failed(format!("more than {MOST_LINES} lines")));
            }
            let Some(words) = Words::of_line(line) else { continue };
            if words.keyword == "include" {
                self.include(&words, depth, unknown, include).map_err(|reason| match reason {
                    Broken::Here(reason) => failed(reason),
                    Broken::There(error) => error,
                })?;
            } else {
                self.take(&words, &spot, unknown).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn include(
        &mut self,
        words: &Words<'_>,
        depth: usize,
        unknown: &mut Vec<String>,
        include: &mut Include<'_>,
    ) -> Result<(), Broken> {
        if depth + 1 > MOST_DEPTH {
            return Err(Broken::Here(format!("files include each other {MOST_DEPTH} deep")));
        }
        for path in some(words)? {
            let path = FilePath::parse(&path).map_err(Broken::Here)?;
            for (file, text) in include(&path).map_err(Broken::Here)? {
                self.steps.push(Step::Enter);
                self.read(&file, &text, depth + 1, unknown, include).map_err(Broken::There)?;
                self.steps.push(Step::Leave);
            }
        }
        Ok(())
    }

    /// Takes a line that is no `Include`.
    fn take(
        &mut self,
        words: &Words<'_>,
        spot: &Spot,
        unknown: &mut Vec<String>,
    ) -> Result<(), String> {
        let step = match words.keyword.as_str() {
            "host" => Step::Section(Condition::Host(
                some(words)?.iter().map(|text| pattern(text)).collect::<Result<_, _>>()?,
            )),
            "match" => Step::Section(Condition::Match(criteria(some(words)?)?)),
            "ignoreunknown" => {
                unknown.extend(one(words)?.split(',').map(str::to_owned));
                return Ok(());
            }
            "revokedhostkeys" => {
                return Err("RevokedHostKeys is not read; write `@revoked` lines into known_hosts"
                    .to_owned());
            }
            keyword => {
                if let Some(value) = Value::read(keyword, words, spot)? {
                    Step::Value(value)
                } else {
                    let is_let_pass = || unknown.iter().any(|pattern| covers(pattern, keyword));
                    if !is_passed_over(keyword) && !is_let_pass() {
                        return Err(format!("`{}` is no keyword of ssh_config", shown(keyword)));
                    }
                    self.passed_over.entry(keyword.to_owned()).or_insert_with(|| spot.clone());
                    return Ok(());
                }
            }
        };
        self.steps.push(step);
        Ok(())
    }
}

enum Broken {
    Here(String),
    There(ConfigError),
}

impl From<String> for Broken {
    fn from(reason: String) -> Self {
        Self::Here(reason)
    }
}
