//! The compiled form of a template's expressions, made when a line first needs it.
//!
//! One automaton a state says in one pass which rules match a line; the expression of a rule that matches then
//! finds its groups. Lines of ASCII have automata of their own, a quarter of the size. Expressions that look around
//! run on a backtracking engine with a bound.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::OnceLock,
};

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use super::{
    pattern::{self, Script},
    watch::{self, Late, Memory, WORK_OF_COMPILING, Watch, Watched},
};

/// A compiled expression beyond this is refused: `(x{1000}){1000}` is no template.
const MOST_COMPILED_BYTES: usize = 32 << 20;
/// What a state's automaton may remember. Less makes it forget and begin anew, at a third of the speed.
const MOST_AUTOMATON_BYTES: usize = 4 << 20;

/// More places than this in one expression, repetitions written out, are no template either; the largest of the library
/// has 1,700.
const MOST_PLACES: u64 = 200_000;
/// How many looks at places one search may take, as it cannot be interrupted: a second or two at the worst. Expressions
/// of 200 places search in the longest of lines.
const MOST_POSITIONS: u64 = 50_000_000;
/// What a command's expression may try.
const MOST_BACKTRACKS: usize = 10_000;

/// Why an expression gave no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unanswered {
    /// The backtracking engine gave up.
    Backtracks,
    /// The run's time is over.
    Late,
    /// The line is too long for an expression of this size.
    TooLong,
    /// Too large when compiled.
    TooLarge,
}

impl From<Late> for Unanswered {
    fn from(_: Late) -> Self {
        Self::Late
    }
}

/// Where groups were found: one span for each that was asked for, `None` for a group that took no part.
pub(super) type Spans = Vec<Option<(usize, usize)>>;

/// One expression, for both scripts.
#[derive(Debug)]
pub(crate) struct Expression {
    /// Python's form.
    source: Box<str>,
    /// What it is written for, for lines of ASCII and for all others.
    scripts: [Script; 2],
    places: u64,
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
        let for_ascii = if read.node.is_ascii() { Script::Ascii } else { Script::Unicode };
        let scripts = [for_ascii, Script::Unicode];
        let expression = Self {
            source: source.into(),
            scripts,
            places: read.node.places(),
            backtracks: scripts.map(|script| pattern::needs_backtracking(&read.node, script)),
            compiled: [OnceLock::new(), OnceLock::new()],
        };
        Ok((expression, read))
    }

    /// True if it matches at the beginning of the text; also false if it gave up.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        let memory = Memory::default();
        let watch = Watch::new(&|| false, &memory);
        self.spans(text, &[], MOST_BACKTRACKS, &watch).is_ok_and(|found| found.is_some())
    }

    /// The groups of the match at the beginning of the line, if there is one.
    pub(super) fn spans(
        &self,
        line: &str,
        wanted: &[usize],
        most_backtracks: usize,
        watch: &Watch,
    ) -> Result<Option<Spans>, Unanswered> {
        let at = usize::from(!line.is_ascii());
        let engine = self.engine(at, most_backtracks, watch)?;
        if watch::positions(self.places, line) > MOST_POSITIONS {
            return Err(Unanswered::TooLong);
        }
        let work = watch::work_of(self.places, line);
        watch.note(work)?;
        match engine {
            Engine::Linear(regex) if wanted.is_empty() => {
                Ok(regex.is_match(line.as_bytes()).then(Vec::new))
            }
            Engine::Linear(regex) => {
                let mut locations = regex.capture_locations();
                let found = regex.captures_read(&mut locations, line.as_bytes()).is_some();
                Ok(found.then(|| wanted.iter().map(|group| locations.get(*group)).collect()))
            }
            Engine::Backtracking(regex) => {
                let text = Watched { line, watch, work };
                let search = || {
                    let found = regex.captures(&text).map_err(|_gave_up| Unanswered::Backtracks)?;
                    let spans = |captures: fancy_regex::Captures<'_, _>| {
                        wanted.iter().map(|group| captures.get(*group)).collect()
                    };
                    Ok(found.map(spans))
                };
                // The search has no state that is used again.
                catch_unwind(AssertUnwindSafe(search)).unwrap_or_else(|ended| {
                    let Late =
                        *ended.downcast::<Late>().unwrap_or_else(|panic| resume_unwind(panic));
                    Err(Unanswered::Late)
                })
            }
        }
    }

    /// True if the state's automaton takes it in; otherwise it is tried alone.
    fn joins(&self, at: usize) -> bool {
        self.backtracks.get(at) == Some(&false) && (at == 1 || self.script(at) == Script::Ascii)
    }

    fn engine(
        &self,
        at: usize,
        most_backtracks: usize,
        watch: &Watch,
    ) -> Result<&Engine, Unanswered> {
        let (Some(slot), Some(backtracks)) = (self.compiled.get(at), self.backtracks.get(at))
        else {
            return Err(Unanswered::TooLarge);
        };
        if slot.get().is_none() {
            watch.note(WORK_OF_COMPILING)?;
        }
        let engine = slot.get_or_init(|| {
            let text = self.written(at, watch)?;
            if *backtracks {
                return fancy_regex::RegexBuilder::new(&text)
                    .backtrack_limit(most_backtracks)
                    .delegate_size_limit(MOST_COMPILED_BYTES)
                    .build()
                    .map(|regex| Engine::Backtracking(Box::new(regex)))
                    .map_err(|_too_large| Unanswered::TooLarge);
            }
            RegexBuilder::new(&text)
                .unicode(self.script(at) == Script::Unicode)
                .size_limit(MOST_COMPILED_BYTES)
                // The state's automaton has said that it matches: for the groups of one line there are better engines.
                .dfa_size_limit(1)
                .build()
                .map(Engine::Linear)
                .map_err(|_too_large| Unanswered::TooLarge)
        });
        engine.as_ref().map_err(|unanswered| *unanswered)
    }

    /// As its engine wants it, with the memory for it taken.
    fn written(&self, at: usize, watch: &Watch) -> Result<String, Unanswered> {
        let script = self.script(at);
        // It was read when the template was.
        let (text, bytes) = pattern::read(&self.source)
            .map(|read| (pattern::write(&read.node, script), read.node.bytes(script)))
            .unwrap_or_default();
        if self.places > MOST_PLACES || !watch.has_room_for(bytes) {
            return Err(Unanswered::TooLarge);
        }
        Ok(text)
    }

    fn script(&self, at: usize) -> Script {
        self.scripts.get(at).copied().unwrap_or(Script::Unicode)
    }
}

/// Which rules of a state match a line.
#[derive(Debug)]
pub(super) struct Matchers {
    /// Of all rules.
    places: u64,
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
    /// Nothing if every rule has to be tried.
    found: Option<(regex::bytes::SetMatches, &'a [Option<usize>])>,
}

impl Verdict<'_> {
    /// Whether a rule matches; `None` if it has to be tried.
    pub(super) fn of(&self, rule: usize) -> Option<bool> {
        let (found, numbers) = self.found.as_ref()?;
        let number = numbers.get(rule).copied().flatten()?;
        Some(found.matched(number))
    }
}

impl Matchers {
    /// For a state's rules; nothing is compiled yet.
    pub(super) fn new<'e>(expressions: impl Iterator<Item = &'e Expression>) -> Self {
        let places = expressions.fold(0_u64, |sum, one| sum.saturating_add(one.places));
        Self { places, compiled: [OnceLock::new(), OnceLock::new()] }
    }

    /// Asks about one line.
    pub(super) fn ask<'e>(
        &self,
        line: &str,
        expressions: impl Iterator<Item = &'e Expression>,
        watch: &Watch,
    ) -> Result<Verdict<'_>, Unanswered> {
        watch.note(watch::work_of(self.places, line))?;
        if watch::positions(self.places, line) > MOST_POSITIONS {
            return Ok(Verdict { found: None });
        }
        let at = usize::from(!line.is_ascii());
        let Some(slot) = self.compiled.get(at) else { return Err(Unanswered::TooLarge) };
        if slot.get().is_none() {
            watch.note(WORK_OF_COMPILING)?;
        }
        let automaton = slot.get_or_init(|| Automaton::new(at, expressions, watch));
        let Automaton { set, numbers } = automaton.as_ref().map_err(|unanswered| *unanswered)?;
        Ok(Verdict { found: Some((set.matches(line.as_bytes()), numbers)) })
    }
}

impl Automaton {
    fn new<'e>(
        at: usize,
        expressions: impl Iterator<Item = &'e Expression>,
        watch: &Watch,
    ) -> Result<Self, Unanswered> {
        let mut texts = Vec::new();
        let mut numbers = Vec::new();
        for expression in expressions {
            let joins = expression.joins(at);
            numbers.push(joins.then_some(texts.len()));
            if joins {
                texts.push(expression.written(at, watch)?);
            }
        }
        let set = RegexSetBuilder::new(&texts)
            .unicode(at == 1)
            .size_limit(MOST_COMPILED_BYTES)
            .dfa_size_limit(MOST_AUTOMATON_BYTES)
            .build();
        let set = set.unwrap_or_else(|_too_large| {
            // Each may be small enough alone.
            numbers.fill(None);
            RegexSet::empty()
        });
        Ok(Self { set, numbers })
    }
}
