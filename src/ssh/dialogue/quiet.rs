//! What the screen calls for if it stays as it is: how long the device must be silent for it, and what is to be done then.
//!
//! Not here: doing it (`act`).

use std::{rc::Rc, sync::LazyLock, time::Duration};

use regex::Regex;

use super::{Dialogue, Echo, Why, again, step::Step};
use crate::{
    platform::{Dialog, Mode, Tail, is_same_name},
    ssh::{log_lines, transport::Transport},
};

/// How long a device that echoed nothing yet must be silent at another prompt before it counts as one that never does: a slow
/// one may show its prompt twice before its first echo.
const QUIET_WITHOUT_ECHO: Duration = Duration::from_millis(1500);
/// The same where a line end was given to it, which brings a prompt of its own.
const QUIET_BEHIND_A_NUDGE: Duration = Duration::from_secs(3);
/// How long a device that never echoes, or that pages, must be silent at its prompt before its output counts as over.
const QUIET_WHEN_CAREFUL: Duration = Duration::from_millis(100);
/// How long a prompt that has no business there, or a question, must stand before it is believed.
const QUIET_AT_A_QUESTION: Duration = Duration::from_millis(700);
/// How long a device must be silent at its prompt before a line that was typed ahead counts as lost.
const QUIET_WHEN_LOST: Duration = Duration::from_millis(1500);
/// How long an in-band login question must stand where SSH itself asked for nothing: `Last login:` is none.
const QUIET_AT_A_LOGIN: Duration = Duration::from_millis(30);
/// How long a device may show nothing at all before it is given a line end to show its prompt.
const QUIET_BEFORE_A_NUDGE: Duration = Duration::from_secs(3);
/// How long a log message must be the last that came before a line end asks for the prompt that it came behind.
const QUIET_BEHIND_A_LOG: Duration = Duration::from_millis(700);
/// Line ends given to a device that shows nothing.
const MOST_NUDGES: usize = 2;
/// Logout lines behind the first, for devices that leave one level at a time.
const MORE_LOGOUTS: usize = 1;
/// What is drawn below a question, and the question itself.
const MOST_BYTES_BELOW: usize = 4096;
/// In-band questions answered in one login.
const MOST_ANSWERS: usize = 8;
/// Questions that no command of ours is to be answered with, at the end of a line.
pub(super) static QUESTION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?ix) (?:
            \[confirm\]
            | [\[(] \s* y(?:es)? \s* (?:/|\||,|or) \s* no? \b [^\])]* [\])] \s* (?:[\[(] \w* [\])])?
            | \[ (?:y|n|yes|no) \]
            | press \s+ (?:any \s+ key|enter|return) .{0,40}
            | (?:password|passphrase|passcode|user\ ?name) (?:\s for \s \S+)? \s* :
        ) \s* [?:.]* \s* $",
    )
    .expect("the expression is a constant that a test compiles")
});

/// What is to be done if nothing more comes within a time.
pub(super) enum OnQuiet<'r> {
    Answer(&'r str),
    AnswerPager { start: usize, key: &'r str },
    AnswerPassword,
    AnswerUsername,
    BelievePrompt { mode: Mode, name: Rc<str>, text_bytes: usize },
    EndWithoutEcho { mode: Mode, name: Rc<str> },
    LogOutAgain,
    Nudge,
    NudgeBehindLog,
    SendSecret,
    Stop(Why),
}

impl<'p, T: Transport> Dialogue<'p, T> {
    /// What the screen calls for if it stays as it is; `None` if it only calls for waiting.
    pub(super) fn next_move<'s>(&self, step: &Step<'s>) -> Option<(Duration, OnQuiet<'p>)> {
        if self.terminal.tail_is_empty() {
            if let Some(dialog) = self.asked_above(step) {
                return Some((QUIET_AT_A_QUESTION, OnQuiet::Answer(&dialog.answer)));
            }
            let silent = step.login.is_some() && step.sent.is_none() && self.nudges < MOST_NUDGES;
            if step.login.is_none() && step.next.is_some() && self.is_behind_log(step) {
                return Some((QUIET_BEHIND_A_LOG, OnQuiet::NudgeBehindLog));
            }
            return silent.then_some((QUIET_BEFORE_A_NUDGE, OnQuiet::Nudge));
        }
        let tail = self.terminal.short_tail()?;
        let line = tail.trim_end();
        // The prompt that was confirmed last is no pager and asks for no password.
        let is_known = *line == *self.prompt;
        if !is_known
            && let Some(pager) = self.platform.pager()
            && let Some(hit) = pager.matches(line)
        {
            // A blank does no harm at a prompt that looks like a pager.
            let quiet = if hit.key == " " { Duration::ZERO } else { QUIET_AT_A_LOGIN };
            return Some((quiet, OnQuiet::AnswerPager { start: hit.start, key: hit.key }));
        }
        if step.next.is_none() {
            return self.logout_move(line);
        }
        let rules = self.platform.enable().filter(|_| !is_known);
        let asks_name = rules
            .and_then(|rules| rules.username_prompt.as_ref())
            .is_some_and(|prompt| prompt.is_match(line));
        if asks_name || rules.is_some_and(|rules| rules.password_prompt.is_match(line)) {
            match &step.sent {
                None if step.enable.is_some() && self.secret_typed => {
                    return Some((QUIET_AT_A_LOGIN, OnQuiet::Stop(Why::EnableRejected)));
                }
                None if step.enable.is_some() && asks_name => {
                    return (self.answers < MOST_ANSWERS)
                        .then_some((QUIET_AT_A_LOGIN, OnQuiet::AnswerUsername));
                }
                None if step.enable.is_some() => {
                    return Some((Duration::ZERO, OnQuiet::SendSecret));
                }
                // The line that asks for it was sent and not echoed.
                Some(sent) if step.next_if_user.is_some() && step.n_lines > sent.n_lines => {
                    let (mode, name) = (sent.mode, Rc::clone(&sent.name));
                    return Some((QUIET_AT_A_QUESTION, OnQuiet::EndWithoutEcho { mode, name }));
                }
                _ => {}
            }
        }
        if let Some(dialog) = self.asked(step, |dialog| dialog.expect.is_match(line)) {
            return Some((QUIET_AT_A_LOGIN, OnQuiet::Answer(&dialog.answer)));
        }
        match self.prompts.classify(line) {
            Tail::Operational { mode, name } => self.at_a_prompt(step, mode, name),
            Tail::Forbidden(what) => {
                Some((QUIET_AT_A_QUESTION, OnQuiet::Stop(Why::ForbiddenPrompt(what))))
            }
            Tail::Text => self.behind_a_text(step, line).or_else(|| self.at_a_text(step, line)),
        }
    }

    /// A question on the way to the first prompt.
    fn asked(&self, step: &Step<'_>, is: impl Fn(&&'p Dialog) -> bool) -> Option<&'p Dialog> {
        let dialogs: &'p [Dialog] = &self.platform.login().dialogs;
        dialogs.iter().filter(|_| self.may_be_asked(step)).find(is)
    }

    /// True on the way to the first prompt, as long as the device has not asked too often.
    fn may_be_asked(&self, step: &Step<'_>) -> bool {
        step.login.is_some() && step.sent.is_none() && self.answers < MOST_ANSWERS
    }

    /// The same with something drawn below it; only once, and before anything else was answered.
    fn asked_above(&self, step: &Step<'_>) -> Option<&'p Dialog> {
        let from = step.lines.len().saturating_sub(MOST_BYTES_BELOW);
        let lines = step.lines.as_bytes().get(from..).filter(|_| self.answers == 0)?;
        // It may begin within a letter.
        let lines = String::from_utf8_lossy(lines);
        self.asked(step, |dialog| {
            let is_one = |line: &str| dialog.expect.is_match(line.trim_end());
            dialog.anywhere && lines.split('\n').any(is_one)
        })
    }

    /// True if the prompt came and a log message behind it, and the device waits at an empty line.
    fn is_behind_log(&self, step: &Step<'_>) -> bool {
        step.sent.is_none()
            && step.nudges < MOST_NUDGES
            && log_lines::begin(step.lines.as_bytes(), &self.prompt).is_some()
    }

    fn at_a_prompt(
        &self,
        step: &Step<'_>,
        mode: Mode,
        name: &str,
    ) -> Option<(Duration, OnQuiet<'p>)> {
        let known = self.name.as_deref().is_none_or(|known| is_same_name(known, name));
        let name = again(self.name.as_ref(), name);
        match &step.sent {
            // Still the prompt that this step's own line was typed at.
            None if step.preamble.owed_echo.is_some() && step.n_lines == 0 => None,
            None if !known => {
                // Another host name: output that looks like a prompt, unless it stays.
                Some((QUIET_AT_A_QUESTION, OnQuiet::BelievePrompt { mode, name, text_bytes: 0 }))
            }
            None => {
                let careful = self.echo == Echo::Missing || self.may_page;
                // Nothing yet behind the first line that was not echoed: its echo may still come.
                let quiet = if step.preamble.unechoed.len() == 1 && step.n_lines == 0 {
                    QUIET_WITHOUT_ECHO
                } else if careful {
                    QUIET_WHEN_CAREFUL
                } else {
                    Duration::ZERO
                };
                Some((quiet, OnQuiet::BelievePrompt { mode, name, text_bytes: 0 }))
            }
            // What was not lost may still come: no output would be certain any more.
            Some(sent)
                if step.is_typed_ahead
                    || (!self.ahead_of_echo.is_empty() && step.n_lines > sent.n_lines) =>
            {
                Some((QUIET_WHEN_LOST, OnQuiet::Stop(Why::LinesLost)))
            }
            // The prompt is back and the line that was sent is nowhere: the device may not echo, unless it has before.
            Some(sent)
                if known
                    && step.n_lines > sent.n_lines
                    && (self.echo == Echo::Unknown || sent.bare_echo.is_some()) =>
            {
                let quiet = if self.nudges > 0 { QUIET_BEHIND_A_NUDGE } else { QUIET_WITHOUT_ECHO };
                Some((quiet, OnQuiet::EndWithoutEcho { mode, name }))
            }
            Some(_) => None,
        }
    }

    /// The known prompt at the end of an output that has no line end; its echo will show whether it is one.
    fn behind_a_text(&self, step: &Step<'_>, line: &str) -> Option<(Duration, OnQuiet<'p>)> {
        // Two prompts in a row, with the echo of what was typed ahead before both.
        if step.is_typed_ahead && !self.prompt.is_empty() && line.ends_with(&*self.prompt) {
            return Some((QUIET_WHEN_LOST, OnQuiet::Stop(Why::LinesLost)));
        }
        let certain = step.sent.is_none() && step.login.is_none() && self.echo == Echo::Seen;
        let text = line.strip_suffix(&*self.prompt).filter(|_| certain && !self.prompt.is_empty());
        let (text_bytes, name) = (text?.len(), self.name.clone()?);
        let believe = OnQuiet::BelievePrompt { mode: self.mode, name, text_bytes };
        Some((QUIET_AT_A_QUESTION, believe))
    }

    fn at_a_text(&self, step: &Step<'_>, line: &str) -> Option<(Duration, OnQuiet<'p>)> {
        if self.may_be_asked(step) {
            let rules = self.platform.login();
            let asks = |prompt: &Option<Regex>| {
                prompt.as_ref().is_some_and(|prompt| prompt.is_match(line))
            };
            let (asks_name, asks_password) =
                (asks(&rules.username_prompt), asks(&rules.password_prompt));
            if (asks_name || asks_password) && self.hidden_typed {
                // Once more might lock the account.
                return Some((QUIET_AT_A_QUESTION, OnQuiet::Stop(Why::LoginRejected)));
            }
            let is_expected = step.login.is_some_and(|login| login.is_expected);
            let quiet = if is_expected { QUIET_AT_A_LOGIN } else { QUIET_AT_A_QUESTION };
            if asks_name {
                return Some((quiet, OnQuiet::AnswerUsername));
            }
            if asks_password {
                let has_one = step.login.is_some_and(|login| login.password.is_some());
                return Some(if has_one {
                    (quiet, OnQuiet::AnswerPassword)
                } else {
                    (QUIET_AT_A_QUESTION, OnQuiet::Stop(Why::NoPassword))
                });
            }
        }
        let asks = QUESTION.is_match(line);
        (asks && step.sent.is_none()).then_some((QUIET_AT_A_QUESTION, OnQuiet::Stop(Why::Question)))
    }

    /// What the screen calls for once the logout line was sent.
    fn logout_move(&self, line: &str) -> Option<(Duration, OnQuiet<'p>)> {
        let mut dialogs: std::slice::Iter<'p, Dialog> =
            self.platform.session().logout_dialogs.iter();
        if let Some(dialog) = dialogs.find(|dialog| dialog.expect.is_match(line)) {
            return (self.answers < MOST_ANSWERS)
                .then_some((QUIET_AT_A_LOGIN, OnQuiet::Answer(&dialog.answer)));
        }
        let Tail::Operational { .. } = self.prompts.classify(line) else { return None };
        // The prompt is back: the device has left a level, or does not know its logout line.
        Some(if self.logouts < MORE_LOGOUTS {
            (QUIET_AT_A_LOGIN, OnQuiet::LogOutAgain)
        } else {
            (QUIET_AT_A_LOGIN, OnQuiet::Stop(Why::Late))
        })
    }
}
