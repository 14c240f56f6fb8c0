//! One step: takes the lines that the device finishes, and finds where an output ends and the next one begins.

use std::{collections::VecDeque, rc::Rc};

use super::{EnableLogin, InBandLogin, Line, rooms::Ahead};
use crate::{
    output::places::{is, places},
    platform::{EchoForm, KnownPrompts, Mode, Tail, is_same_name},
    ssh::log_lines,
};

/// A wrapped echo fills its line; shorter lines are output.
const LEAST_WRAPPED_BYTES: usize = 30;
/// No screen is narrower.
const LEAST_COLUMNS: usize = 20;
/// Blanks at the end of a row.
const MOST_BLANKS: usize = 4;
/// Room for a prompt and blank lines round it.
const MOST_PROMPT_BYTES: usize = 4096;

/// One step: from a line's echo to the echo of the next.
pub(super) struct Step<'s> {
    pub(super) lines: String,
    pub(super) n_lines: usize,
    pub(super) truncated: bool,
    pub(super) preamble: Preamble,
    pub(super) next: Option<Line<'s>>,
    pub(super) next_if_user: Option<Line<'s>>,
    /// What is typed in one go with `next`.
    pub(super) behind_next: &'s [Line<'s>],
    /// `next` was typed in an earlier step.
    pub(super) is_typed_ahead: bool,
    pub(super) nudges: usize,
    /// Set once `next` was sent: where in `lines` the prompt's line will stand, and the prompt.
    pub(super) sent: Option<Sent>,
    /// The echo of one of the lines that seemed not to be echoed has come: true if it is this step's own.
    pub(super) late_echo: Option<bool>,
    /// The prompt and the step's own line behind it stand in the output once more: one of both was no echo.
    pub(super) echoed_again: bool,
    /// So much of `lines` is known to be log messages and nothing else.
    pub(super) logged_bytes: usize,
    /// What the device told everybody behind its prompt.
    pub(super) aside: String,
    /// Where the output ended and in which mode, once that is known.
    pub(super) end: Option<End>,
    pub(super) login: Option<InBandLogin<'s>>,
    pub(super) enable: Option<EnableLogin<'s>>,
}

pub(super) struct Sent {
    pub(super) at: usize,
    pub(super) n_lines: usize,
    pub(super) prompt: Rc<str>,
    /// The end of the output at the beginning of the prompt's line.
    pub(super) text_bytes: usize,
    pub(super) mode: Mode,
    pub(super) name: Rc<str>,
    /// How much of the echo the lines before have shown, blanks left out, and where they began.
    pub(super) wrapped: Option<(usize, usize)>,
    /// Where in `lines` the echo stands on a line of its own, with more than a log message between the prompt and it.
    pub(super) bare_echo: Option<usize>,
    /// Where in `lines` the line before this one is the prompt and the beginning of the echo.
    pub(super) cut_echo: Option<usize>,
}

#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) at: usize,
    pub(super) mode: Mode,
}

/// What may stand before an output without belonging to it.
#[derive(Debug, Default)]
pub(super) struct Preamble {
    /// The line whose echo has not shown yet, although its step has begun.
    pub(super) owed_echo: Option<String>,
    /// An echo that the device may print again, and how often that is overlooked.
    pub(super) repeated_echo: Option<(String, usize)>,
    /// The line end behind a line that was not echoed.
    pub(super) blank: bool,
    /// The last lines that were typed and not echoed, this step's own at the end.
    pub(super) unechoed: VecDeque<String>,
}

impl<'s> Step<'s> {
    pub(super) fn new(next: Option<Line<'s>>) -> Self {
        Self {
            lines: String::new(),
            n_lines: 0,
            truncated: false,
            preamble: Preamble::default(),
            next,
            next_if_user: None,
            behind_next: &[],
            is_typed_ahead: false,
            nudges: 0,
            sent: None,
            late_echo: None,
            echoed_again: false,
            logged_bytes: 0,
            aside: String::new(),
            end: None,
            login: None,
            enable: None,
        }
    }

    /// What the prompt that the next step's output stands behind begins with.
    fn next_prompt_byte(&self) -> Option<u8> {
        let sent = self.sent.as_ref()?;
        sent.prompt.as_bytes().get(sent.text_bytes).copied()
    }
}

/// Takes the finished lines of one read.
pub(super) struct Fed<'f, 's> {
    pub(super) step: &'f mut Step<'s>,
    pub(super) prompts: &'f KnownPrompts<'f>,
    pub(super) name: Option<&'f str>,
    /// The prompt, and the line that was echoed behind it, whose output the step reads; empty if none was.
    pub(super) own_echo: (&'f str, &'f str),
    pub(super) echo_form: EchoForm,
    pub(super) most_bytes: usize,
    pub(super) ahead: &'f mut Ahead,
}

impl Fed<'_, '_> {
    pub(super) fn line(&mut self, line: &str) {
        if self.step.end.is_some() {
            // No more than one read brings; the next step counts it.
            self.keep_ahead(line);
            return;
        }
        if self.is_preamble(line) {
            return;
        }
        self.step.n_lines += 1;
        self.note_own_echo(line);
        if self.step.sent.is_some()
            && let Some(end) = self.ends_here(line)
        {
            self.step.end = Some(end);
            return;
        }
        if self.step.truncated || !keep(&mut self.step.lines, line, self.most_bytes) {
            self.step.truncated = true;
        }
    }

    /// Keeps a line for the next step.
    fn keep_ahead(&mut self, line: &str) {
        let byte = self.step.next_prompt_byte();
        self.ahead.has_prompt |= byte.is_none() || line.as_bytes().first().copied() == byte;
        self.ahead.lines.push_str(line);
        self.ahead.lines.push('\n');
    }

    /// True in the middle of an output: nothing is looked for in the next so many bytes but the step's own echo.
    fn is_within(&self, n_bytes: usize) -> bool {
        let Step { lines, preamble, sent, end, n_lines, truncated, .. } = &*self.step;
        let looks = sent.is_some() || end.is_some() || preamble.owed_echo.is_some();
        let room = self.most_bytes.saturating_sub(lines.len());
        !looks && *n_lines > 0 && !*truncated && n_bytes < room
    }

    /// True if so many bytes of whole lines may be taken by [`Fed::plain_lines`].
    pub(super) fn takes_lines(&self, n_bytes: usize) -> bool {
        self.step.end.is_some() || self.is_within(n_bytes)
    }

    /// Takes plain lines that end in CR LF, as [`Fed::line`] would one by one.
    pub(super) fn plain_lines(&mut self, lines: &str) {
        let is_over = self.step.end.is_some();
        let looks_for = if is_over {
            self.step.next_prompt_byte()
        } else {
            self.own_echo.0.as_bytes().first().copied()
        };
        self.ahead.has_prompt |= is_over && looks_for.is_none();
        let mut from = 0;
        for at in places(lines.as_bytes(), is(b'\r')) {
            let line = lines.get(from..at).unwrap_or_default();
            if looks_for.is_some() && line.as_bytes().first().copied() == looks_for {
                if is_over {
                    self.ahead.has_prompt = true;
                } else {
                    self.note_own_echo(line);
                }
            }
            let kept = if is_over { &mut self.ahead.lines } else { &mut self.step.lines };
            kept.push_str(line);
            kept.push('\n');
            self.step.n_lines += usize::from(!is_over);
            from = at + 2;
        }
    }

    /// Where the last text begins that may be the step's own echo.
    pub(super) fn last_echo(&self, lines: &str) -> Option<usize> {
        let own = Some(self.own_echo.1).filter(|own| !own.is_empty())?;
        // There is seldom one at all, and forwards that is found out faster.
        let first = memchr::memmem::find(lines.as_bytes(), own.as_bytes())?;
        let behind = lines.as_bytes().get(first..)?;
        memchr::memmem::rfind(behind, own.as_bytes()).map(|last| first + last)
    }

    /// Takes the lines of `ahead` from byte `from` on as they are, if nothing is to be looked for in them: they are in
    /// the middle of an output, and behind the `last_echo`.
    pub(super) fn take_all(
        &mut self,
        ahead: &mut String,
        from: usize,
        last_echo: Option<usize>,
    ) -> bool {
        let rest = ahead.get(from..).unwrap_or_default();
        if !self.is_within(rest.len()) || last_echo.is_some_and(|at| at >= from) {
            return false;
        }
        let Step { lines, n_lines, .. } = &mut *self.step;
        // How many is not asked, only whether there were more.
        *n_lines += usize::from(!rest.is_empty());
        if lines.len() == from {
            // Those before were all taken too.
            std::mem::swap(lines, ahead);
        } else {
            lines.push_str(rest);
        }
        true
    }

    /// Behind the echo that the output stands behind, and more than log messages, there is none: one of both was output.
    fn note_own_echo(&mut self, line: &str) {
        if self.step.echoed_again || !self.is_own_echo(line) {
            return;
        }
        // There may be many of them behind megabytes of log: each line is looked at once.
        let Step { lines, logged_bytes, echoed_again, .. } = &mut *self.step;
        *echoed_again =
            !log_lines::is_all(lines.as_bytes().get(*logged_bytes..).unwrap_or_default());
        *logged_bytes = lines.len();
    }

    /// True if the line is the echo that the output stands behind, and cannot be that of the next line.
    fn is_own_echo(&self, line: &str) -> bool {
        let (prompt, own) = self.own_echo;
        if self.step.next.is_some_and(|next| next.as_str().trim() == own) {
            return false;
        }
        !own.is_empty() && line.strip_prefix(prompt).map(str::trim_ascii) == Some(own)
    }

    /// True if the line stands before the output without belonging to it.
    fn is_preamble(&mut self, line: &str) -> bool {
        let Step { preamble, lines, logged_bytes, n_lines, late_echo, sent, .. } = &mut *self.step;
        // The echo alone or behind a prompt; output may well end with the command's text.
        let is_echo = |echo: &str| {
            let head = line.trim_end().strip_suffix(echo.trim()).map(str::trim);
            head.is_some_and(|head| {
                head.is_empty() || matches!(self.prompts.classify(head), Tail::Operational { .. })
            })
        };
        if preamble.owed_echo.take_if(|echo| is_echo(echo)).is_some() {
            let prompt = self.own_echo.0;
            let before = lines.as_bytes();
            if !log_lines::is_all(before) && log_lines::begin(before, prompt) != Some(0) {
                // The output before went on after all.
                *late_echo = Some(false);
            }
            lines.clear();
            *logged_bytes = 0;
            *n_lines = 0;
            if let Some(sent) = sent {
                // The prompt that the next line was typed at stood before the echo; where it stands behind the output that
                // comes now is not known.
                sent.at = 0;
                sent.n_lines = usize::MAX;
            }
            return true;
        }
        if *n_lines > 0 {
            return false;
        }
        if std::mem::take(&mut preamble.blank) && line.is_empty() {
            return true;
        }
        if let Some(at) = preamble.unechoed.iter().rposition(|line| is_echo(line)) {
            *late_echo = Some(at + 1 == preamble.unechoed.len());
            preamble.unechoed.clear();
            return true;
        }
        match &mut preamble.repeated_echo {
            Some((echo, times)) if *times > 0 && is_echo(echo) => {
                *times -= 1;
                true
            }
            _ => false,
        }
    }

    /// True end of the output: the line is a prompt with the echo of the next line behind it.
    fn ends_here(&mut self, line: &str) -> Option<End> {
        let here = self.step.lines.len();
        let next = self.step.next?;
        let next = next.as_str().trim();
        let sent = self.step.sent.as_mut()?;
        let line = line.trim_end();
        if let Some(at) = sent.cut_echo.take()
            && line.trim_start() == "^"
            && !next.ends_with('^')
        {
            // The echo ends at the word that is refused, and the refusal points at it.
            let mode = sent.mode;
            self.keep_ahead(line);
            return Some(End { at, mode });
        }
        let mode_of = |head: &str| match self.prompts.classify(head.trim()) {
            Tail::Operational { mode, name }
                if is_same_name(self.name.unwrap_or(&sent.name), name) =>
            {
                Some(mode)
            }
            // Before the first prompt is confirmed any name will do.
            Tail::Operational { mode, name } if self.name.is_none() => {
                sent.name = name.into();
                Some(mode)
            }
            _ => None,
        };
        if let Some(head) = line.strip_suffix(next) {
            if let Some(mode) = { mode_of }(head) {
                return Some(End { at: here, mode });
            }
            if head.trim().is_empty() && here > sent.at {
                // The echo stands on a line of its own, the prompt on the one before.
                let before = self.step.lines.get(sent.at..).unwrap_or_default();
                let is_logged = log_lines::begin(before.as_bytes(), &sent.prompt) == Some(0);
                let is_prompt = before.len() <= MOST_PROMPT_BYTES && before.trim() == &*sent.prompt;
                if is_prompt || is_logged {
                    return Some(End { at: sent.at, mode: sent.mode });
                }
                if before.starts_with(&*sent.prompt) {
                    sent.bare_echo.get_or_insert(here);
                }
            }
        }
        let solid = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        if let Some((start, shown)) = sent.wrapped.take() {
            let wanted = solid(next);
            let left = wanted.get(shown..).unwrap_or_default();
            let more = solid(line);
            if more == left {
                return Some(End { at: start, mode: sent.mode });
            }
            if !more.is_empty() && left.starts_with(&more) {
                sent.wrapped = Some((start, shown + more.len()));
            }
            return None;
        }
        let (is_here, is_typed_ahead) = (here == sent.at, self.step.is_typed_ahead);
        if is_here && !is_typed_ahead && is_folded(line, &sent.prompt, next) {
            return Some(End { at: here, mode: sent.mode });
        }
        let echo = line.strip_prefix(&*sent.prompt)?.trim();
        if let Some(shown) = echo.strip_prefix('$') {
            // A device that scrolls long lines shows their end behind a `$`.
            let shown = shown.trim();
            return (shown.len() > 4 && next.ends_with(shown))
                .then_some(End { at: here, mode: sent.mode });
        }
        let (shown, wanted) = (solid(echo), solid(next));
        // Further down it would be a text that looks like it; lines that are typed ahead stand behind the answers to our own.
        let form = if is_here || is_typed_ahead { self.echo_form } else { EchoForm::Typed };
        if shown == wanted || (form == EchoForm::Rewritten && is_rewritten(echo, next)) {
            return Some(End { at: here, mode: sent.mode });
        }
        if form == EchoForm::Cut && is_cut(echo, next) {
            sent.cut_echo = Some(here);
        }
        if line.len() >= LEAST_WRAPPED_BYTES && !shown.is_empty() && wanted.starts_with(&shown) {
            sent.wrapped = Some((here, shown.len()));
        }
        None
    }
}

/// True if the row shows what line editors of Unix leave of a line that is longer than their screen is wide: they go on
/// in the next row behind a blank and a CR, which goes back to the first cell here, or show the line's end behind a `<`.
fn is_folded(row: &str, prompt: &str, line: &str) -> bool {
    if let Some(shown) = row.strip_prefix('<') {
        return shown.len() >= LEAST_COLUMNS && line.len() > row.len() && line.ends_with(shown);
    }
    let is_at = |whole: &str, width: usize| {
        let last = whole.len() - whole.len() % width;
        let (Some(before), Some(end)) = (whole.get(last - width..last), whole.get(last..)) else {
            return false;
        };
        before.get(end.len()..).is_some_and(|left| row == format!("{end}{left}").trim_end())
    };
    // What stood at the end of the row may have been blanks.
    let widths = row.len().max(LEAST_COLUMNS)..=row.len() + MOST_BLANKS;
    ["", " "].into_iter().any(|blank| {
        let whole = format!("{prompt}{blank}{line}");
        widths.clone().any(|width| width <= whole.len() && is_at(&whole, width))
    })
}

/// True if a device has written the line anew: short keywords are whole then, and names stand in quotes.
fn is_rewritten(echo: &str, line: &str) -> bool {
    let is_word = |text: &str| text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
    let is_same = |(shown, typed): (&str, &str)| {
        let (shown, typed) = (shown.trim_matches('"'), typed.trim_matches('"'));
        let begins = shown.get(..typed.len()).is_some_and(|head| head.eq_ignore_ascii_case(typed));
        begins
            && !typed.is_empty()
            && (shown.len() == typed.len() || (is_word(shown) && is_word(typed)))
    };
    let (shown, typed) = (echo.split_whitespace(), line.split_whitespace());
    shown.clone().count() == typed.clone().count() && shown.zip(typed).all(is_same)
}

/// True if the echo is the line up to the end of a word.
fn is_cut(echo: &str, line: &str) -> bool {
    !echo.is_empty() && line.strip_prefix(echo).is_some_and(|behind| behind.starts_with(' '))
}

/// Adds a line; false if there is no room for it. A first line that is too long loses its end: all of an output may be one line.
pub(super) fn keep(lines: &mut String, line: &str, most_bytes: usize) -> bool {
    if lines.len() + line.len() >= most_bytes {
        if lines.is_empty() {
            // Not in the middle of a letter.
            let whole = (0..=most_bytes.min(line.len())).rev().find_map(|end| line.get(..end));
            lines.push_str(whole.unwrap_or_default());
        }
        return false;
    }
    lines.push_str(line);
    lines.push('\n');
    true
}

#[cfg(test)]
mod tests {
    use super::{is_folded, is_rewritten, keep};

    #[test]
    fn what_a_narrow_screen_leaves_of_a_long_line_is_known() {
        let line = "show interfaces statistics 1/1-1/48,2/1-2/48";
        for (row, want) in [
            // `SW1# show interfaces statis` and `tics 1/1-1/48,2/1-2/48`
            ("tics 1/1-1/48,2/1-2/48tatis", true),
            // `SW1# show interfaces stat`, `istics 1/1-1/48,2/1-2/48`
            ("istics 1/1-1/48,2/1-2/48t", true),
            // Three rows of 20.
            (",2/1-2/48cs 1/1-1/48", true),
            (",2/1-2/48cs 1/1-1/49", false),
            ("<istics 1/1-1/48,2/1-2/48", true),
            ("<istics 1/1-1/48,2/1-2/47", false),
            ("<,2/1-2/48", false),
            ("", false),
            (line, false),
            ("tics 1/1-1/48,2/1-2/48", false),
        ] {
            assert_eq!(is_folded(row, "SW1#", line), want, "{row}");
        }
    }

    #[test]
    fn a_line_that_the_device_writes_anew_is_known_and_another_is_not() {
        for (echo, line) in [
            ("show router interface", "sh rou int"),
            ("show router \"x-ge3/1/1\" detail", "show router x-ge3/1/1 detail"),
            ("show version | match \"TiMOS\"", "show version | match TiMOS"),
            ("show version", "SH VER"),
        ] {
            assert!(is_rewritten(echo, line), "{echo}");
        }
        for (echo, line) in [
            ("", "show version"),
            ("show", "show version"),
            ("show version detail", "show version"),
            ("show interface 10", "show interface 1"),
            ("show interface ge2", "show interface ge"),
            ("clear version", "show version"),
            ("show ip \u{e9}", "show ip x"),
        ] {
            assert!(!is_rewritten(echo, line), "{echo}");
        }
    }

    #[test]
    fn of_an_output_in_one_line_the_beginning_is_kept() {
        let kept = |lines: &[&str]| {
            let mut text = String::new();
            let all = lines.iter().all(|line| keep(&mut text, line, 10));
            (text, all)
        };
        assert_eq!(kept(&["abc", "defgh"]), ("abc\ndefgh\n".to_owned(), true));
        assert_eq!(kept(&["abc", "defghi"]), ("abc\n".to_owned(), false));
        assert_eq!(kept(&["0123456789abc"]), ("0123456789".to_owned(), false));
        assert_eq!(kept(&["012345678\u{e9}bc"]), ("012345678".to_owned(), false));
    }
}
