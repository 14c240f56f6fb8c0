//! The read-only gate: the one way from a caller's text to a line that may be sent to a device.
//!
//! An allow-list, not a search for bad words: printable ASCII, one line, a read verb of the platform, and at most
//! one of the filters that only drop lines. What it does not know it refuses. Nothing is repaired.

use std::{borrow::Cow, fmt};

use crate::{
    output::filter::{Filter, Kind},
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
    pub pipe_option: Option<PipeOption>,
    /// What it filters for.
    pub pipe_value: Option<&'a str>,
}

/// A filter in the words of every platform.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PipeOption {
    /// Lines that match.
    Include,
    /// Lines that do not match.
    Exclude,
    /// From the first line that matches.
    Begin,
    /// Sections whose first line matches.
    Section,
    /// How many lines match.
    Count,
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
#[derive(Clone, Debug)]
pub struct CheckedCommand {
    line: ShowCommand,
    display: String,
    base: String,
    filtered_by: Option<FilteredBy>,
    service_filter: Option<Filter>,
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

    /// The output after the service's own filter, if there is one.
    #[must_use]
    pub fn apply_service_filters<'t>(&self, output: &'t str) -> Cow<'t, str> {
        match &self.service_filter {
            Some(filter) => filter.apply(output),
            None => Cow::Borrowed(output),
        }
    }
}

/// Why a command is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    rule: &'static str,
    position: usize,
    of_pipe_value: bool,
    message: String,
}

impl Refusal {
    /// The rule's name, for programs and metrics.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        self.rule
    }

    /// True if it is the separate filter value that is refused.
    #[must_use]
    pub fn is_of_pipe_value(&self) -> bool {
        self.of_pipe_value
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (rule {}, position {})", self.message, self.rule, self.position)
    }
}

/// A command of the operator's lists that cannot stand there.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{line}`: {reason}")]
pub struct PolicyError {
    /// The entry.
    pub line: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The operator's word on commands: what is refused besides, and what is allowed that is off by default.
#[derive(Clone, Debug, Default)]
pub struct CommandPolicy {
    deny: Vec<Entry>,
    allow: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    platform: Option<String>,
    text: String,
    prefix: bool,
}

impl CommandPolicy {
    /// Reads entries `text` or `platform: text`; a `*` at the end of a denied text makes it a prefix.
    ///
    /// # Errors
    /// An entry that is empty or that no setting can allow.
    pub fn parse(deny: &[String], allow: &[String]) -> Result<Self, PolicyError> {
        let deny = deny.iter().map(|line| Entry::parse(line)).collect::<Result<_, _>>()?;
        let allow: Vec<Entry> =
            allow.iter().map(|line| Entry::parse(line)).collect::<Result<_, _>>()?;
        for entry in &allow {
            let fault =
                |reason: &str| PolicyError { line: entry.text.clone(), reason: reason.to_owned() };
            check_bytes(&entry.text).map_err(|refusal| fault(&refusal.message))?;
            if entry.prefix || entry.text.contains('|') {
                return Err(fault("an allowed command is one exact text without filters"));
            }
        }
        Ok(Self { deny, allow })
    }
}

impl Entry {
    fn parse(line: &str) -> Result<Self, PolicyError> {
        let (platform, text) = match line.split_once(": ") {
            Some((platform, text)) => (Some(platform.trim().to_owned()), text),
            None => (None, line),
        };
        let (text, prefix) = match text.trim().strip_suffix('*') {
            Some(text) => (text, true),
            None => (text.trim(), false),
        };
        if text.is_empty() {
            return Err(PolicyError { line: line.to_owned(), reason: "no command".to_owned() });
        }
        Ok(Self { platform, text: text.to_ascii_lowercase(), prefix })
    }

    fn covers(&self, platform: &Platform, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        let named = |name: &String| name == platform.name() || platform.aliases().contains(name);
        self.platform.as_ref().is_none_or(named)
            && if self.prefix { text.starts_with(&self.text) } else { text == self.text }
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
    let text = input.text.trim_matches(' ');
    check_bytes(text)?;
    let (base, inline) = match text.split_once('|') {
        Some((base, stage)) => (base.trim_end_matches(' '), Some(stage.trim_matches(' '))),
        None => (text, None),
    };
    if policy.deny.iter().any(|entry| entry.covers(platform, base)) {
        return Err(refuse(
            "denied_by_policy",
            0,
            "the operator's settings do not allow this command",
        ));
    }
    if !policy.allow.iter().any(|entry| entry.covers(platform, text)) {
        check_base(platform, base)?;
    }
    let filter = match (inline, input.pipe_option.zip(input.pipe_value)) {
        (Some(_), Some(_)) => {
            return Err(refuse(
                "one_filter",
                base.len(),
                "one filter only: inline or as `pipe_option`",
            ));
        }
        (Some(stage), None) => Some(inline_filter(stage, base.len())?),
        (None, Some((option, value))) => {
            let value = value.trim_matches(' ');
            check_pattern(value).map_err(|refusal| Refusal { of_pipe_value: true, ..refusal })?;
            Some((option, value.to_owned()))
        }
        (None, None) => None,
    };
    let Some((option, value)) = filter else {
        return Ok(CheckedCommand {
            line: ShowCommand(base.into()),
            display: text.to_owned(),
            base: base.to_owned(),
            filtered_by: None,
            service_filter: None,
        });
    };
    let word = option_word(option);
    let display =
        if inline.is_some() { text.to_owned() } else { format!("{base} | {word} {value}") };
    // A device's own filter where its words are IOS's; the service's everywhere else.
    if speaks_ios(platform) && option != PipeOption::Count {
        let line = format!("{base} | {word} {value}");
        if line.len() <= MOST_BYTES {
            return Ok(CheckedCommand {
                line: ShowCommand(line.into()),
                display,
                base: base.to_owned(),
                filtered_by: Some(FilteredBy::Device),
                service_filter: None,
            });
        }
    }
    let kind = match option {
        PipeOption::Begin => Kind::Begin,
        PipeOption::Count => Kind::Count,
        PipeOption::Exclude => Kind::Exclude,
        PipeOption::Include => Kind::Include,
        PipeOption::Section => Kind::Section,
    };
    let filter = Filter::new(kind, &value).map_err(|bad| Refusal {
        of_pipe_value: inline.is_none(),
        ..refuse("pattern", base.len(), &bad.to_string())
    })?;
    Ok(CheckedCommand {
        line: ShowCommand(base.into()),
        display,
        base: base.to_owned(),
        filtered_by: Some(FilteredBy::Service),
        service_filter: Some(filter),
    })
}

fn refuse(rule: &'static str, position: usize, message: &str) -> Refusal {
    Refusal { rule, position, of_pipe_value: false, message: message.to_owned() }
}

/// Printable ASCII, not too long, and nothing that another language under the CLI could take for its own.
fn check_bytes(text: &str) -> Result<(), Refusal> {
    if text.is_empty() {
        return Err(refuse("empty", 0, "Command cannot be empty"));
    }
    if text.len() > MOST_BYTES {
        return Err(refuse("too_long", MOST_BYTES, "Command exceeds maximum length of 512 bytes"));
    }
    for (position, found) in text.char_indices() {
        if !(' '..='~').contains(&found) {
            let message = "only printable ASCII characters can be sent to a device";
            return Err(refuse("printable_ascii", position, message));
        }
        if matches!(found, ';' | '`' | '<' | '>' | '&' | '?') {
            let message = format!("`{found}` is never sent to a device");
            return Err(refuse("forbidden_character", position, &message));
        }
    }
    Ok(())
}

/// A read verb and arguments that only read.
fn check_base(platform: &Platform, base: &str) -> Result<(), Refusal> {
    let lower = base.to_ascii_lowercase();
    let mut words = lower.split(' ').filter(|word| !word.is_empty());
    let verb = words.next().unwrap_or_default();
    let verbs = verbs(platform);
    if !verbs.contains(&verb) {
        let message = format!(
            "Only read commands are allowed: begin with `{}`",
            verbs.first().copied().unwrap_or("show")
        );
        return Err(refuse("read_verb", 0, &message));
    }
    let mut after_file = false;
    for word in words {
        let position = lower.find(word).unwrap_or_default();
        let clears = (word.len() >= 3 && "clear".starts_with(word))
            || ["clear_drop", "clear-on-read", "logto", "local-file"].contains(&word)
            || (word.len() >= 4 && "to-file".starts_with(word));
        if clears {
            return Err(refuse(
                "argument_that_writes",
                position,
                "this argument clears or writes something",
            ));
        }
        if after_file && word.contains([':', '/', '.']) {
            return Err(refuse(
                "file_destination",
                position,
                "this argument names a file to write",
            ));
        }
        after_file = word == "file";
        if word.contains("://") {
            return Err(refuse("remote_url", position, "the device would fetch a remote file"));
        }
        let heavy = ["tech-support", "diagnostic-information"];
        if heavy.iter().any(|name| word.len() >= 4 && name.starts_with(word)) {
            let message =
                "off by default: heavy, full of secrets, and it writes files on some platforms";
            return Err(refuse("off_by_default", position, message));
        }
        if word.contains(['!', '#', '{']) {
            return Err(refuse(
                "forbidden_character",
                position,
                "`!`, `#` and `{` belong to no read command",
            ));
        }
    }
    Ok(())
}

fn inline_filter(stage: &str, position: usize) -> Result<(PipeOption, String), Refusal> {
    let (word, value) = stage.split_once(' ').unwrap_or((stage, ""));
    let word = word.to_ascii_lowercase();
    let options = [
        PipeOption::Include,
        PipeOption::Exclude,
        PipeOption::Begin,
        PipeOption::Section,
        PipeOption::Count,
    ];
    let option = options
        .into_iter()
        .find(|option| !word.is_empty() && option_word(*option).starts_with(&word));
    let Some(option) = option else {
        let message =
            "only filters that drop lines are allowed: include, exclude, begin, section, count";
        return Err(refuse("filter", position, message));
    };
    let value = value.trim_matches(' ');
    check_pattern(value)?;
    Ok((option, value.to_owned()))
}

fn check_pattern(value: &str) -> Result<(), Refusal> {
    if value.is_empty() {
        return Err(refuse("filter_value", 0, "a filter needs a value"));
    }
    if value.len() > MOST_PATTERN_BYTES {
        return Err(refuse(
            "too_long",
            MOST_PATTERN_BYTES,
            "Pipe value exceeds maximum length of 256 bytes",
        ));
    }
    check_bytes(value)?;
    // A bar with blanks would begin another stage on the device.
    if let Some(position) = value.find("| ").or_else(|| value.find(" |")) {
        return Err(refuse(
            "one_filter",
            position,
            "one filter only; write alternatives without blanks: a|b",
        ));
    }
    Ok(())
}

fn option_word(option: PipeOption) -> &'static str {
    match option {
        PipeOption::Include => "include",
        PipeOption::Exclude => "exclude",
        PipeOption::Begin => "begin",
        PipeOption::Section => "section",
        PipeOption::Count => "count",
    }
}

fn speaks_ios(platform: &Platform) -> bool {
    matches!(platform.name(), "cisco_ios" | "cisco_xe" | "cisco_xr" | "cisco_nxos" | "arista_eos")
}

fn verbs(platform: &Platform) -> &'static [&'static str] {
    match platform.name() {
        "huawei" | "huawei_smartax" | "hp_comware" => &["display", "displ", "disp", "dis"],
        "fortinet" => &["get", "show"],
        "juniper_screenos" => &["get"],
        "mikrotik_routeros" | "linux" | "cumulus_linux" => &[],
        _ => &["show", "sho", "sh"],
    }
}
