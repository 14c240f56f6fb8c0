//! The compiled form of a template's expressions, made when a line first needs it.
//!
//! One automaton a state says in one pass which rules match a line; the expression of a rule that matches then
//! finds its groups. Lines of ASCII have automata of their own, a quarter of the size. Expressions that look around
//! run on a backtracking engine with a bound.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use super::pattern::{self, Script};

/// A compiled expression beyond this is refused: `(x{1000}){1000}` is no template.
const MOST_COMPILED_BYTES: usize = 32 << 20;
/// What a state's automaton may remember. Less makes it forget and begin anew, at a third of the speed.
const MOST_AUTOMATON_BYTES: usize = 4 << 20;

/// What a command's expression may try.
const MOST_BACKTRACKS: usize = 10_000;

/// Why an expression gave no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unanswered {
    /// Too large when compiled.
    TooLarge,
    /// The backtracking engine gave up.
    Backtracks,
}

/// Where groups were found: one span for each that was asked for, `None` for a group that took no part.
pub(super) type Spans = Vec<Option<(usize, usize)>>;

/// One expression, for both scripts.
#[derive(Debug)]
pub(crate) struct Expression {
    /// Python's form.
    source: Box<str>,
    backtracks: [bool; 2],
    compiled: [OnceLock<Result<Engine, Unanswered>>; 2],
}

#[derive(Debug)]
enum Engine {
    Linear(Regex),
    Backtracking(Box<fancy_regex::Regex>),
}

impl Expression {
    /// Reads Python's form; the pattern is given back for its groups.
    pub(crate) fn new(source: &str) -> Result<(Self, pattern::Pattern), pattern::PatternError> {
        let read = pattern::read(source)?;
        // Letters beyond ASCII may fold into it: such an expression has one form for all lines.
        let scripts = [script(0, source), Script::Unicode];
        let expression = Self {
            source: source.into(),
            backtracks: scripts.map(|script| pattern::needs_backtracking(&read.node, script)),
            compiled: [OnceLock::new(), OnceLock::new()],
        };
        Ok((expression, read))
    }

    /// True if it matches at the beginning of the text; also false if it gave up.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.spans(text, &[], MOST_BACKTRACKS).is_ok_and(|found| found.is_some())
    }

    /// The groups of the match at the beginning of the line, if there is one.
    pub(super) fn spans(
        &self,
        line: &str,
        wanted: &[usize],
        most_backtracks: usize,
    ) -> Result<Option<Spans>, Unanswered> {
        let at = usize::from(!line.is_ascii());
        match self.engine(at, most_backtracks)? {
            Engine::Linear(regex) if wanted.is_empty() => {
                Ok(regex.is_match(line.as_bytes()).then(Vec::new))
            }
            Engine::Linear(regex) => {
                let mut locations = regex.capture_locations();
                let found = regex.captures_read(&mut locations, line.as_bytes()).is_some();
                Ok(found.then(|| wanted.iter().map(|group| locations.get(*group)).collect()))
            }
            Engine::Backtracking(regex) => {
                let found = regex.captures(line).map_err(|_gave_up| Unanswered::Backtracks)?;
                Ok(found.map(|captures| {
                    let span = |group: &usize| captures.get(*group).map(|m| (m.start(), m.end()));
                    wanted.iter().map(span).collect()
                }))
            }
        }
    }

    fn engine(&self, at: usize, most_backtracks: usize) -> Result<&Engine, Unanswered> {
        let (Some(slot), Some(backtracks)) = (self.compiled.get(at), self.backtracks.get(at))
        else {
            return Err(Unanswered::TooLarge);
        };
        let engine = slot.get_or_init(|| {
            let text = self.written(at);
            if *backtracks {
                return fancy_regex::RegexBuilder::new(&text)
                    .backtrack_limit(most_backtracks)
                    .delegate_size_limit(MOST_COMPILED_BYTES)
                    .build()
                    .map(|regex| Engine::Backtracking(Box::new(regex)))
                    .map_err(|_too_large| Unanswered::TooLarge);
            }
            RegexBuilder::new(&text)
                .unicode(script(at, &self.source) == Script::Unicode)
                .size_limit(MOST_COMPILED_BYTES)
                // The state's automaton has said that it matches: for the groups of one line there are better engines.
                .dfa_size_limit(1)
                .build()
                .map(Engine::Linear)
                .map_err(|_too_large| Unanswered::TooLarge)
        });
        engine.as_ref().map_err(|unanswered| *unanswered)
    }

    fn written(&self, at: usize) -> String {
        // It was read when the template was.
        pattern::read(&self.source)
            .map(|read| pattern::write(&read.node, script(at, &self.source)))
            .unwrap_or_default()
    }
}

fn script(at: usize, source: &str) -> Script {
    if at == 0 && source.is_ascii() { Script::Ascii } else { Script::Unicode }
}

/// Which rules of a state match a line.
#[derive(Debug, Default)]
pub(super) struct Matchers {
    compiled: [OnceLock<Result<Automaton, Unanswered>>; 2],
}

#[derive(Debug)]
struct Automaton {
    set: RegexSet,
    /// Of each rule its number in the set; `None` for one that has to be tried.
    numbers: Vec<Option<usize>>,
}

/// What an automaton said of one line.
pub(super) struct Verdict<'a> {
    found: regex::bytes::SetMatches,
    numbers: &'a [Option<usize>],
}

impl Verdict<'_> {
    /// Whether a rule matches; `None` if it has to be tried.
    pub(super) fn of(&self, rule: usize) -> Option<bool> {
        let number = self.numbers.get(rule).copied().flatten()?;
        Some(self.found.matched(number))
    }
}

impl Matchers {
    /// Asks about one line.
    pub(super) fn ask<'e>(
        &self,
        line: &str,
        expressions: impl Iterator<Item = &'e Expression>,
    ) -> Result<Verdict<'_>, Unanswered> {
        let at = usize::from(!line.is_ascii());
        let Some(slot) = self.compiled.get(at) else { return Err(Unanswered::TooLarge) };
        let automaton = slot.get_or_init(|| Automaton::new(at, expressions));
        let Automaton { set, numbers } = automaton.as_ref().map_err(|unanswered| *unanswered)?;
        Ok(Verdict { found: set.matches(line.as_bytes()), numbers })
    }
}

impl Automaton {
    fn new<'e>(
        at: usize,
        expressions: impl Iterator<Item = &'e Expression>,
    ) -> Result<Self, Unanswered> {
        let mut texts = Vec::new();
        let mut numbers = Vec::new();
        for expression in expressions {
            let alone = expression.backtracks.get(at) != Some(&false)
                || (at == 0 && script(at, &expression.source) == Script::Unicode);
            numbers.push((!alone).then_some(texts.len()));
            if !alone {
                texts.push(expression.written(at));
            }
        }
        let set = RegexSetBuilder::new(&texts)
            .unicode(at == 1)
            .size_limit(MOST_COMPILED_BYTES)
            .dfa_size_limit(MOST_AUTOMATON_BYTES)
            .build()
            .map_err(|_too_large| Unanswered::TooLarge)?;
        Ok(Self { set, numbers })
    }
}
