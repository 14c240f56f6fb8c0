//! Quotes and backslashes: what a device takes out of a word must not hide the word from the gate.
//!
//! Which of them a CLI knows is not known of every one: what two readings would part in two ways is refused.

use std::borrow::Cow;

use super::refusal::{Refusal, Rule};
use crate::platform::{Platform, Shape};

const QUOTES: [char; 2] = ['"', '\''];
const WHOLE: &str = "quotes stand round a whole value";

/// Quotes that the device may read in another way than the gate, which then would part the line elsewhere.
///
/// A shell knows both kinds, but what it runs for a command may put the value into another shell's line: a command's
/// quotes hide nothing from that one either. Of other CLIs only double quotes are taken for granted: single ones hide
/// no bar of the command, and in them double ones come in pairs; where no filter is known, no quotes hide a bar. A
/// backslash before a quote may keep it from being one.
pub(super) fn check_line(text: &str, platform: &Platform) -> Result<(), Refusal> {
    let reads = platform.reads();
    if !reads.quotes {
        return Ok(());
    }
    let no_filters = !reads.shell && reads.shape != Shape::Path && platform.filters().is_empty();
    let mut open: Option<(char, usize)> = None;
    let (mut n_double, mut behind_bar, mut before) = (0_usize, false, ' ');
    for (at, c) in text.char_indices() {
        let single = !reads.shell && open.is_some_and(|(quote, _)| quote == '\'');
        if QUOTES.contains(&c) && before == '\\' {
            return Err(never(at - 1, "write no backslash before a quote"));
        }
        match (c, open) {
            // A shell makes a function of `show () (…)`.
            ('(' | ')' | '[' | ']', _) if reads.shell && !behind_bar => {
                return Err(never(at, "a shell acts on it"));
            }
            ('|' | '"' | '\'', Some((quote, _))) if reads.shell && !behind_bar && c != quote => {
                return Err(never(at, "a script behind the command may read it as a shell's"));
            }
            ('-' | '/' | '.', Some(_)) if reads.shell && !behind_bar && before == ' ' => {
                let hint = "a script behind the command may read it as an option or a file";
                return Err(never(at, hint));
            }
            (' ', Some((_, from))) if reads.shell && !behind_bar && is_of_option(text, from) => {
                return Err(never(at, "a script behind the command may read two words"));
            }
            (_, Some((quote, from))) if c == quote => {
                if single && n_double % 2 == 1 {
                    return Err(never(from, "put the value into double quotes"));
                }
                open = None;
            }
            ('"', Some(_)) => n_double += 1,
            ('|', Some(_)) if !behind_bar && no_filters => {
                return Err(never(at, "the device may read it as one without quotes"));
            }
            ('|', Some(_)) if !behind_bar && single => {
                return Err(never(at, "put a value with bars into double quotes"));
            }
            ('|', None) => behind_bar = true,
            ('"' | '\'', None) => {
                open = Some((c, at));
                n_double = 0;
            }
            _ => {}
        }
        before = c;
    }
    Ok(())
}

/// True if the quote at `from` is the value of an option.
fn is_of_option(text: &str, from: usize) -> bool {
    let head = text.get(..from).unwrap_or_default();
    let word = head.trim_end_matches(' ').rsplit(' ').next().unwrap_or_default();
    word.trim_start_matches(QUOTES).starts_with('-')
}

/// Quotes stand round whole values, or round all that follows a `=` or `~`; no backslash stands before what is a letter
/// without it.
pub(super) fn check_words(base: &str) -> Result<(), Refusal> {
    let mut open: Option<(char, usize)> = None;
    let mut before = ' ';
    let mut chars = base.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        match open {
            Some((quote, from)) if c == quote => {
                let inside = base.get(from + 1..at).unwrap_or_default();
                let ends = matches!(next, None | Some(' '));
                if !ends || inside.trim_matches(' ').is_empty() {
                    return Err(never(from, WHOLE));
                }
                open = None;
            }
            None if QUOTES.contains(&c) => {
                if !matches!(before, ' ' | '=' | '~') {
                    return Err(never(at, WHOLE));
                }
                open = Some((c, at));
            }
            None if c == '\\' && next.is_some_and(is_letter) => {
                return Err(never(at, "put a value with a backslash into quotes"));
            }
            _ => {}
        }
        before = c;
    }
    match open {
        Some((_, at)) => Err(Refusal::new(Rule::Quotes, at)),
        None => Ok(()),
    }
}

/// A word as the device may read it.
pub(super) fn taken_out(word: &str) -> Cow<'_, str> {
    let is_out = |c: char| c == '\\' || QUOTES.contains(&c);
    if word.contains(is_out) { word.replace(is_out, "").into() } else { word.into() }
}

fn never(at: usize, hint: &str) -> Refusal {
    Refusal::new(Rule::ForbiddenCharacter, at).hint(hint)
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || ['-', '_', '"', '\''].contains(&c)
}
