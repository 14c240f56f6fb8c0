//! The bounds of a run, and why it gave no records: the template and the text do not fit, or a bound was hit.

use super::matcher::Unanswered;

/// The bounds of one run.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The text, in bytes.
    pub most_bytes: usize,
    /// One line, in bytes.
    pub most_line_bytes: usize,
    /// Finished rows.
    pub most_rows: usize,
    /// Cells of all rows.
    pub most_cells: usize,
    /// Text of all cells and items of lists, in bytes, and the names of the cells, as JSON has them: names, and values that are
    /// filled down or up, are in every row.
    pub most_row_bytes: usize,
    /// Steps of the backtracking engine for one rule and line.
    pub most_backtracks: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            most_bytes: 16 << 20,
            most_line_bytes: 256 << 10,
            most_rows: 1_000_000,
            most_cells: 2_000_000,
            most_row_bytes: 64 << 20,
            most_backtracks: 1_000_000,
        }
    }
}

/// Why a text gave no records.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParseError {
    /// An expression that looks around tried too many ways.
    #[error("limit: the rule in line {rule} of the template gave up on line {line} of the output")]
    Backtracks {
        /// The template's line.
        rule: usize,
        /// The text's line, from 1.
        line: usize,
    },
    /// The text is too long.
    #[error("limit: the output has more than {most} bytes")]
    InputSize {
        /// The bound.
        most: usize,
    },
    /// A line is too long.
    #[error("limit: line {line} of the output has more than {most} bytes")]
    LineLength {
        /// From 1.
        line: usize,
        /// The bound.
        most: usize,
    },
    /// A list with groups inside was matched without taking part: Python's library fails here too.
    #[error(
        "the rule in line {rule} of the template matched line {line} of the output without its list `{value}`"
    )]
    ListWithoutGroup {
        /// The template's line.
        rule: usize,
        /// The text's line, from 1.
        line: usize,
        /// The value's name.
        value: String,
    },
    /// An expression is too large to be compiled.
    #[error("limit: an expression of state `{state}` is too large")]
    PatternSize {
        /// The state's name.
        state: String,
    },
    /// A line is too long for an expression as large as the rule's.
    #[error(
        "limit: line {line} of the output is too long for the rule in line {rule} of the template"
    )]
    LineForRule {
        /// The template's line.
        rule: usize,
        /// The text's line, from 1.
        line: usize,
    },
    /// The template says that it does not know such a line.
    #[error("the template does not know line {line} of the output: `{text}` (rule in line {rule}{})", said(message.as_deref()))]
    Refused {
        /// The template's line.
        rule: usize,
        /// The text's line, from 1.
        line: usize,
        /// That line, cut to 200 characters.
        text: String,
        /// The template's own word.
        message: Option<String>,
    },
    /// The rows have too much text.
    #[error("limit: records of more than {most} bytes")]
    RowBytes {
        /// The bound.
        most: usize,
    },
    /// Too many rows.
    #[error("limit: more than {most} records")]
    Rows {
        /// The bound.
        most: usize,
    },
    /// It took too long.
    #[error("limit: not done in time, at line {line} of the output")]
    Time {
        /// From 1.
        line: usize,
    },
}

impl ParseError {
    /// True if a bound of ours was hit, false if the template and the text do not fit.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        !matches!(self, Self::ListWithoutGroup { .. } | Self::Refused { .. })
    }
}

fn said(message: Option<&str>) -> String {
    message.map(|message| format!(", which says {message}")).unwrap_or_default()
}

/// The error of a search that gave no answer: in which state or list, by the rule in which line of the template, in
/// which line of the text.
pub(super) fn unanswered(why: Unanswered, name: &str, rule: usize, line: usize) -> ParseError {
    match why {
        Unanswered::Backtracks => ParseError::Backtracks { rule, line },
        Unanswered::Late => ParseError::Time { line },
        Unanswered::TooLong => ParseError::LineForRule { rule, line },
        Unanswered::TooLarge => ParseError::PatternSize { state: name.to_owned() },
    }
}
