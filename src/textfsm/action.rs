//! What a rule does when it matches: `-> Continue.Record State`.

use std::sync::LazyLock;

use regex::Regex;

/// What becomes of the line.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) enum LineAction {
    /// The next line, from the top of the state or of another.
    #[default]
    Next,
    /// The same line, from the next rule.
    Continue,
    /// The output cannot be read; with the template's word for it.
    Error(Option<String>),
}

/// What becomes of the row.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum RecordAction {
    #[default]
    Keep,
    Clear,
    ClearAll,
    Record,
}

/// An action as it is written.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Action {
    pub(super) line: LineAction,
    pub(super) record: RecordAction,
    /// The state to go to.
    pub(super) state: Option<String>,
}

impl Action {
    /// Reads what stands behind the arrow. The reason why not is one clause.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        const BAD: &str = "badly formatted action";
        if text.is_empty() {
            return Ok(Self::default());
        }
        if !text.starts_with(is_space) {
            return Err(BAD);
        }
        let text = text.trim_start_matches(is_space);
        let (word, rest) = text.split_once(is_space).unwrap_or((text, ""));
        let operators = match word.split_once('.') {
            Some((line, record)) => line_action(line).zip(record_action(record)),
            None => match (line_action(word), record_action(word)) {
                (Some(line), _) => Some((line, RecordAction::Keep)),
                (None, Some(record)) => Some((LineAction::Next, record)),
                (None, None) => None,
            },
        };
        let target = if operators.is_some() { rest.trim_start_matches(is_space) } else { text };
        let (line, record) = operators.unwrap_or_default();
        let quoted = target.len() >= 2 && target.starts_with('"') && target.ends_with('"');
        if !target.is_empty() && !quoted && !is_word(target) {
            return Err(BAD);
        }
        let target = Some(target).filter(|target| !target.is_empty()).map(str::to_owned);
        match line {
            LineAction::Error(_) => {
                Ok(Self { line: LineAction::Error(target), record, state: None })
            }
            LineAction::Continue if target.is_some() => Err("Continue with a new state"),
            _ if quoted => Err("a message without Error"),
            line => Ok(Self { line, record, state: target }),
        }
    }
}

fn line_action(word: &str) -> Option<LineAction> {
    Some(match word {
        "Next" => LineAction::Next,
        "Continue" => LineAction::Continue,
        "Error" => LineAction::Error(None),
        _ => return None,
    })
}

fn record_action(word: &str) -> Option<RecordAction> {
    Some(match word {
        "Clear" => RecordAction::Clear,
        "Clearall" => RecordAction::ClearAll,
        "NoRecord" => RecordAction::Keep,
        "Record" => RecordAction::Record,
        _ => return None,
    })
}

/// True for what Python takes for a blank: four control characters more than Rust does.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// True if a state can have this name, but for the words of actions.
pub(super) fn is_word(text: &str) -> bool {
    #[expect(clippy::unwrap_used, reason = "a constant expression")]
    static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\A[\p{L}\p{N}_]+\z").unwrap());
    WORD.is_match(text)
}

/// True if the word means an action and names no state.
pub(super) fn is_reserved(word: &str) -> bool {
    line_action(word).is_some() || record_action(word).is_some()
}
