//! Why a command is refused: the rule, the place, and the allowed way where there is one.

use std::fmt;

/// The rules of the gate. Names are API: add, never rename.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rule {
    /// An argument that writes, clears or changes something.
    ArgumentWrites,
    /// The operator's settings refuse it.
    DeniedByPolicy,
    /// Nothing there.
    Empty,
    /// An argument names a file or an address to write to or fetch from.
    FileOrUrl,
    /// A filter that the platform does not have, or that writes.
    Filter,
    /// What follows a filter's word is not what it takes.
    FilterArgument,
    /// A device filter behind one that the service applies.
    FilterOrder,
    /// A character that could mean more to the device than a letter.
    ForbiddenCharacter,
    /// Heavy or full of secrets: off unless the operator allows it.
    OffByDefault,
    /// The service cannot run the filter's pattern.
    Pattern,
    /// A character outside printable ASCII.
    PrintableAscii,
    /// A quote that does not end.
    Quotes,
    /// No read verb of the platform.
    ReadVerb,
    /// More bytes than are sent.
    TooLong,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 14] = [
        Self::ArgumentWrites,
        Self::DeniedByPolicy,
        Self::Empty,
        Self::FileOrUrl,
        Self::Filter,
        Self::FilterArgument,
        Self::FilterOrder,
        Self::ForbiddenCharacter,
        Self::OffByDefault,
        Self::Pattern,
        Self::PrintableAscii,
        Self::Quotes,
        Self::ReadVerb,
        Self::TooLong,
    ];

    /// The rule's name, for programs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ArgumentWrites => "argument_writes",
            Self::DeniedByPolicy => "denied_by_policy",
            Self::Empty => "empty",
            Self::FileOrUrl => "file_or_url",
            Self::Filter => "filter",
            Self::FilterArgument => "filter_argument",
            Self::FilterOrder => "filter_order",
            Self::ForbiddenCharacter => "forbidden_character",
            Self::OffByDefault => "off_by_default",
            Self::Pattern => "pattern",
            Self::PrintableAscii => "printable_ascii",
            Self::Quotes => "quotes",
            Self::ReadVerb => "read_verb",
            Self::TooLong => "too_long",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::ArgumentWrites => {
                "this argument writes, clears or changes something on the device"
            }
            Self::DeniedByPolicy => "the operator's settings do not allow this command",
            Self::Empty => "nothing to send",
            Self::FileOrUrl => "this argument names a file or an address to write to or fetch from",
            Self::Filter => "not a filter that only drops lines",
            Self::FilterArgument => "this filter takes something else",
            Self::FilterOrder => {
                "a filter of the device cannot stand behind one that the service applies"
            }
            Self::ForbiddenCharacter => "this character is never sent to a device",
            Self::OffByDefault => {
                "off by default: heavy, full of secrets, and on some platforms it writes a file"
            }
            Self::Pattern => "the service cannot run this pattern",
            Self::PrintableAscii => "only printable ASCII characters are sent to a device",
            Self::Quotes => "a quote does not end",
            Self::ReadVerb => "Only read commands are allowed",
            Self::TooLong => "too long to be sent",
        }
    }
}

/// Why a command is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    rule: Rule,
    position: usize,
    of_pipe_value: bool,
    hint: Option<String>,
}

impl Refusal {
    pub(super) fn new(rule: Rule, position: usize) -> Self {
        Self { rule, position, of_pipe_value: false, hint: None }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub(super) fn of_pipe_value(self) -> Self {
        Self { of_pipe_value: true, ..self }
    }

    /// The rule that refused it.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// Where in the trimmed text, in bytes from 0.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// True if it is the separate filter value that is refused.
    #[must_use]
    pub fn is_of_pipe_value(&self) -> bool {
        self.of_pipe_value
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule.sentence())?;
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        write!(f, " (rule {}, position {})", self.rule.name(), self.position)
    }
}
