//! The read-only gate: the one way from a caller's text to a line that may be sent to a device.
//!
//! An allow-list, not a search for bad words: bytes, verb, arguments, then every filter stage by name with the
//! arguments it takes. Verbs and filters come from the platform's definition; the rules are here. What the gate does
//! not know it refuses, and nothing is repaired. `docs/security.md` tells operators what passes.

mod grammar;
mod path;
mod pipe;
mod policy;
mod quotes;
mod refusal;

use std::borrow::Cow;

pub use self::{
    policy::{CommandPolicy, PolicyError},
    refusal::{Refusal, Rule},
};
pub use crate::output::filter::FilterKind;
use crate::{
    output::filter::{Filter, TooSlow},
    platform::Platform,
};

/// Longest line that is sent, in bytes.
const MOST_BYTES: usize = 512;
/// Longest filter value, in bytes.
const MOST_PATTERN_BYTES: usize = 256;

/// One read-only line, exactly as it is sent. A value is proof that it passed the gate.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ShowCommand(Box<str>);

impl ShowCommand {
    /// The line, without a line end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A command as a caller wrote it.
#[derive(Clone, Copy, Debug)]
pub struct CommandInput<'a> {
    /// The command line, inline filters included.
    pub text: &'a str,
    /// A filter in the words of every platform.
    pub pipe_option: Option<FilterKind>,
    /// What it filters for.
    pub pipe_value: Option<&'a str>,
    /// Where filters are to be applied.
    pub filter_where: FilterWhere,
}

/// Where a request wants its filters applied.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum FilterWhere {
    /// On the device where it can, by the service otherwise.
    #[default]
    Device,
    /// By the service, on the whole output.
    Service,
}

/// Where a filter is applied.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FilteredBy {
    /// By the device, in its own words.
    Device,
    /// By the service, on the whole output.
    Service,
}

impl FilteredBy {
    /// As answers spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Service => "service",
        }
    }
}

/// A command that passed the gate, with what is left for the service to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CheckedCommand {
    line: ShowCommand,
    display: String,
    base: String,
    filtered_by: Option<FilteredBy>,
    service_filters: Vec<Filter>,
}

impl CheckedCommand {
    /// Exactly what is sent.
    #[must_use]
    pub fn line(&self) -> &ShowCommand {
        &self.line
    }

    /// What the answer calls the command: its text, and its filter.
    #[must_use]
    pub fn display(&self) -> &str {
        &self.display
    }

    /// The command without filters.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Where lines are dropped, if they are.
    #[must_use]
    pub fn filtered_by(&self) -> Option<FilteredBy> {
        self.filtered_by
    }

    /// True if it has no filter of any kind, not even one that only changes the form; `no-more` is none.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.display.strip_prefix(&self.base).is_some_and(only_pages)
    }

    /// True if the service has filters of its own to apply.
    #[must_use]
    pub fn is_filtered_here(&self) -> bool {
        !self.service_filters.is_empty()
    }

    /// The output after the service's own filters, if there are any. `is_late` is asked at every line and ends it.
    ///
    /// # Errors
    /// [`TooSlow`]: it was late.
    pub fn apply_service_filters<'t>(
        &self,
        output: &'t str,
        is_late: &dyn Fn() -> bool,
    ) -> Result<Cow<'t, str>, TooSlow> {
        let mut text = Cow::Borrowed(output);
        for filter in &self.service_filters {
            text = Cow::Owned(filter.apply(&text, is_late)?.into_owned());
        }
        Ok(text)
    }
}

/// Checks a command of a platform.
///
/// # Errors
/// Names the rule and the position, and the allowed way where there is one.
pub fn check(
    platform: &Platform,
    policy: &CommandPolicy,
    input: &CommandInput<'_>,
) -> Result<CheckedCommand, Refusal> {
    let reads = platform.reads();
    let text = input.text.trim_matches(' ');
    grammar::check_bytes(text)?;
    // A device without filters of its own (`linux`, `generic`) gets none: they are the service's, whatever stands in them.
    let gets_filters = !platform.filters().is_empty();
    let sent = text.split('|').next().filter(|_base| !gets_filters).unwrap_or(text);
    grammar::check_for_shell(sent, reads)?;
    quotes::check_line(text, platform)?;
    let (base, stages) = pipe::split(text, reads.quotes)?;
    policy.check(platform, base)?;
    let mut plan =
        Filtering { here: input.filter_where == FilterWhere::Service, ..Filtering::default() };
    if !policy.allows(platform, text) {
        grammar::check_base(base, reads)?;
        plan.spelled_out = grammar::shortened_to_a_shell(base, reads);
    }
    for (index, stage) in stages.iter().enumerate() {
        plan.add_inline(platform, stage, index > 0)?;
    }
    let mut display = text.to_owned();
    if let Some((option, value)) = input.pipe_option.zip(input.pipe_value) {
        let value = value.trim_matches(' ');
        let refused = |refusal: Refusal| refusal.of_pipe_value();
        grammar::check_bytes(value).map_err(refused)?;
        if gets_filters {
            grammar::check_for_shell(value, reads).map_err(refused)?;
        }
        plan.add_neutral(platform, option, value).map_err(refused)?;
        display = format!("{text} | {} {value}", option.word());
    }
    plan.finish(base, text, display)
}

/// True if what stands behind a command switches its pager off and filters nothing.
#[must_use]
pub fn only_pages(filters: &str) -> bool {
    filters.split('|').all(|filter| ["", "no-more", "nomore"].contains(&filter.trim()))
}

/// A command and its filter stages, parted as the gate does it; whole, if the gate would not. For lines that may not have passed it.
#[must_use]
pub fn stages(line: &str) -> Vec<&str> {
    let Ok((base, stages)) = pipe::split(line, false) else { return vec![line] };
    [base].into_iter().chain(stages.iter().map(|stage| stage.text)).map(str::trim).collect()
}

/// The stages of a command, parted into the device's and the service's.
#[derive(Default)]
struct Filtering<'r> {
    /// Where the command has a `sh`, and what is sent for it: should the device be a Unix by mistake, it starts no shell.
    spelled_out: Option<(usize, &'r str)>,
    device: Vec<String>,
    service: Vec<Filter>,
    drops_on_device: bool,
    /// The service is to filter.
    here: bool,
    /// A stage is not sent as it was written.
    translated: bool,
}

impl Filtering<'_> {
    /// Adds a stage that is written in the line; `behind` another one.
    fn add_inline(
        &mut self,
        platform: &Platform,
        stage: &pipe::Stage<'_>,
        behind: bool,
    ) -> Result<(), Refusal> {
        match pipe::read(stage, platform, behind)? {
            pipe::Read::Device { drops, here } => {
                if self.may_send(platform) && !(self.here && drops) {
                    self.device.push(stage.text.to_owned());
                    self.drops_on_device |= drops;
                    return Ok(());
                }
                // What comes behind a filter of the service has to happen here too.
                self.translated = true;
                match (drops, here) {
                    (false, _) => Ok(()),
                    (true, Some((kind, pattern))) => self.add_service(kind, &pattern, stage.at),
                    (true, None) => Err(Refusal::new(Rule::FilterOrder, stage.at)
                        .hint("put the device's own filters before the others")),
                }
            }
            pipe::Read::Service { kind, pattern } => self.add_service(kind, &pattern, stage.at),
            pipe::Read::Neutral { kind, value } => self.add_neutral(platform, kind, &value),
            pipe::Read::Nothing => {
                self.translated = true;
                Ok(())
            }
        }
    }

    /// A filter in the words of every platform: the device's own word for it, or the service.
    fn add_neutral(
        &mut self,
        platform: &Platform,
        kind: FilterKind,
        value: &str,
    ) -> Result<(), Refusal> {
        grammar::check_pattern(value, 0)?;
        self.translated = true;
        if self.may_send(platform)
            && !self.here
            && let Some(stage) = pipe::in_words_of(platform, kind, value)
        {
            self.device.push(stage);
            self.drops_on_device = true;
            return Ok(());
        }
        self.add_service(kind, value, 0)
    }

    /// True if the device may get another stage.
    fn may_send(&self, platform: &Platform) -> bool {
        self.service.is_empty() && (self.device.is_empty() || platform.reads().chains)
    }

    fn add_service(&mut self, kind: FilterKind, pattern: &str, at: usize) -> Result<(), Refusal> {
        self.translated = true;
        let filter = Filter::new(kind, pattern).map_err(|_bad| Refusal::new(Rule::Pattern, at))?;
        self.service.push(filter);
        Ok(())
    }

    fn finish(self, base: &str, text: &str, display: String) -> Result<CheckedCommand, Refusal> {
        let mut line = if self.translated {
            let mut line = base.to_owned();
            for stage in &self.device {
                line.push_str(" | ");
                line.push_str(stage);
            }
            line
        } else {
            text.to_owned()
        };
        if let Some((at, verb)) = self.spelled_out {
            line.replace_range(at..at + "sh".len(), verb);
        }
        if line.len() > MOST_BYTES {
            return Err(Refusal::new(Rule::TooLong, MOST_BYTES));
        }
        let filtered_by = match (self.service.is_empty(), self.drops_on_device) {
            (false, _) => Some(FilteredBy::Service),
            (true, true) => Some(FilteredBy::Device),
            (true, false) => None,
        };
        Ok(CheckedCommand {
            line: ShowCommand(line.into()),
            display,
            base: base.to_owned(),
            filtered_by,
            service_filters: self.service,
        })
    }
}

#[cfg(test)]
mod tests;
