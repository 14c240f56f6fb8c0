//! Sends lines to a device's terminal and says which output belongs to which line.
//!
//! A router's CLI has no framing: output is over when the prompt shows again, but output may hold the prompt too.
//! So the end of an output is *confirmed*: when the prompt seems to be back the next line is sent, and the place
//! where the device echoes that line behind its prompt is where the output ended. That costs no extra round trip
//! and makes the result independent of how the bytes were cut into packets. A device that does not echo is
//! believed when it stays silent at its prompt. To a device that is known to read ahead more lines are typed behind the
//! next one; each is still confirmed by its own echo, and where one does not come the session is over.
//!
//! Not here: which lines are sent in which order (`session`), terminal controls (`output::terminal`).

use std::{
    collections::VecDeque,
    rc::Rc,
    sync::LazyLock,
    time::{Duration, Instant},
};

use regex::Regex;

use super::{
    log_lines,
    transport::{Arrived, Broken, Transport},
};
use crate::{
    command::ShowCommand,
    deadline::Deadline,
    output::terminal::Terminal,
    platform::{Dialog, Forbidden, KnownPrompts, Mode, Platform, PreparedLine, Tail},
    secret::Secret,
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
/// In-band questions answered in one login.
const MOST_ANSWERS: usize = 8;
/// Lines whose echo is still looked for after the device has seemed not to echo.
const MOST_UNECHOED: usize = 4;
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
/// A wrapped echo fills its line; shorter lines are output.
const LEAST_WRAPPED_BYTES: usize = 30;
const MOST_READ_BYTES: usize = 32 * 1024;
/// A session of short outputs needs no more, and need not fill the rest with zeros.
const LEAST_READ_BYTES: usize = 4 * 1024;
/// Most prompts, banners and short outputs.
const USUAL_BYTES: usize = 1024;
/// The room of larger outputs is not kept for the next one.
const MOST_ROOM_BYTES: usize = 32 * 1024;

/// A line that may be written to a device: nothing else can.
#[derive(Clone, Copy, Debug)]
pub enum Line<'a> {
    /// A show command that passed the gate.
    Show(&'a ShowCommand),
    /// A line of the platform's definition.
    Prepared(&'a PreparedLine),
}

impl Line<'_> {
    /// The text, without the end of the line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Show(command) => command.as_str(),
            Self::Prepared(line) => line.as_str(),
        }
    }
}

/// What a login in the terminal itself may be answered with.
#[derive(Clone, Copy, Debug)]
pub struct InBandLogin<'a> {
    /// The request's user name.
    pub username: &'a str,
    /// The request's password.
    pub password: Option<&'a Secret>,
    /// SSH has asked for nothing, so that the terminal may.
    pub is_expected: bool,
}

/// What `enable` may be answered with.
#[derive(Clone, Copy, Debug)]
pub struct EnableLogin<'a> {
    /// The request's user name, where a device asks for one here too.
    pub username: &'a str,
    /// The request's enable password.
    pub secret: &'a Secret,
}

/// What the device printed between two prompts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Printed {
    /// Lines with LF, invalid UTF-8 replaced; echo, prompt, pager and terminal controls are not in it.
    pub text: String,
    /// The text was longer than the limit and has lost its end.
    pub truncated: bool,
    /// Log messages that came behind the prompt; they are not in the text.
    pub logged: String,
}

/// How a step ended that did not end at a prompt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stopped {
    /// Why.
    pub why: Why,
    /// What had come by then.
    pub printed: Printed,
    /// The last, unfinished line on the screen; may hold what a device asks, never what was typed hidden.
    pub last_line: String,
}

/// Why a step did not end at a prompt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Why {
    /// The device closed the session.
    Closed,
    /// The device refused the enable password.
    EnableRejected,
    /// A prompt of the wrong kind stands there.
    ForbiddenPrompt(Forbidden),
    /// The step's deadline passed.
    Late,
    /// The device did not take the lines that were typed ahead, or not yet.
    LinesLost,
    /// The echo of a line came after the device had counted as one that does not echo.
    LateEcho,
    /// The login in the terminal asks again, after the password.
    LoginRejected,
    /// The login in the terminal asks for a password, and there is none.
    NoPassword,
    /// A question stands there that is not answered.
    Question,
}

/// A conversation with one device, from its first byte to its last.
pub struct Dialogue<'p, T> {
    transport: T,
    platform: &'p Platform,
    prompts: KnownPrompts<'p>,
    terminal: Terminal,
    most_bytes: usize,
    buffer: Vec<u8>,
    /// What stays the same in this device's prompts.
    name: Option<Rc<str>>,
    /// The last prompt that was confirmed.
    prompt: Rc<str>,
    mode: Mode,
    echo: Echo,
    /// A pager may be waiting in an output: what is typed ahead would be a key for it.
    may_page: bool,
    /// Where the next step's lines gather; empty.
    room: Vec<u8>,
    /// Lines that came behind the end of the last step.
    ahead: Vec<u8>,
    /// Lines that were typed behind the next one, in the order of the steps that they are for.
    ahead_of_echo: VecDeque<String>,
    typed_ahead: TypedAhead,
    /// What the next step's first lines may hold that is no output.
    preamble: Preamble,
    nudges: usize,
    logouts: usize,
    answers: usize,
    hidden_typed: bool,
    secret_typed: bool,
    wire: Wire,
}

/// What the last read showed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wire {
    /// There may be more.
    Open,
    /// There was nothing behind what it gave.
    Emptied,
    /// The device has closed the session.
    Closed,
}

/// What became of lines that were typed ahead.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TypedAhead {
    /// There were none.
    No,
    /// Nothing is known against it.
    Yes,
    /// The device did not take them, or not yet.
    Lost,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Echo {
    Unknown,
    Seen,
    Missing,
}

/// What may stand before an output without belonging to it.
#[derive(Debug, Default)]
struct Preamble {
    /// The line whose echo has not shown yet, although its step has begun.
    owed_echo: Option<String>,
    /// An echo that the device may print again, and how often that is overlooked.
    repeated_echo: Option<(String, usize)>,
    /// The line end behind a line that was not echoed.
    blank: bool,
    /// The last lines that were typed and not echoed, this step's own at the end.
    unechoed: VecDeque<String>,
}

/// What is to be done if nothing more comes within a time.
enum OnQuiet<'r> {
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

/// One step: from a line's echo to the echo of the next.
struct Step<'s> {
    lines: Vec<u8>,
    n_lines: usize,
    truncated: bool,
    preamble: Preamble,
    next: Option<Line<'s>>,
    next_if_user: Option<Line<'s>>,
    /// What is typed in one go with `next`.
    behind_next: &'s [Line<'s>],
    /// `next` was typed in an earlier step.
    is_typed_ahead: bool,
    nudges: usize,
    /// Set once `next` was sent: where in `lines` the prompt's line will stand, and the prompt.
    sent: Option<Sent>,
    /// The echo of one of the lines that seemed not to be echoed has come: true if it is this step's own.
    late_echo: Option<bool>,
    /// What the device told everybody behind its prompt.
    aside: Vec<u8>,
    /// Where the output ended and in which mode, once that is known.
    end: Option<End>,
    login: Option<InBandLogin<'s>>,
    enable: Option<EnableLogin<'s>>,
}

struct Sent {
    at: usize,
    n_lines: usize,
    prompt: Rc<str>,
    /// The end of the output at the beginning of the prompt's line.
    text_bytes: usize,
    mode: Mode,
    name: Rc<str>,
    /// How much of the echo the lines before have shown, blanks left out, and where they began.
    wrapped: Option<(usize, usize)>,
    /// Where in `lines` the echo stands on a line of its own, with more than a log message between the prompt and it.
    bare_echo: Option<usize>,
}

#[derive(Clone, Copy)]
struct End {
    at: usize,
    mode: Mode,
}

impl<'p, T: Transport> Dialogue<'p, T> {
    /// A conversation on a terminal that has just been opened. Outputs over `most_bytes` lose their end.
    pub fn new(transport: T, platform: &'p Platform, most_bytes: usize) -> Self {
        Self {
            transport,
            platform,
            prompts: KnownPrompts::new(platform.prompts()),
            terminal: Terminal::new(most_bytes),
            most_bytes,
            buffer: vec![0; LEAST_READ_BYTES],
            name: None,
            prompt: Rc::default(),
            mode: Mode::Privileged,
            echo: Echo::Unknown,
            may_page: platform.pager().is_some() && platform.session().prepare.is_empty(),
            room: Vec::with_capacity(USUAL_BYTES),
            ahead: Vec::new(),
            ahead_of_echo: VecDeque::new(),
            typed_ahead: TypedAhead::No,
            preamble: Preamble::default(),
            nudges: 0,
            logouts: 0,
            answers: 0,
            hidden_typed: false,
            secret_typed: false,
            wire: Wire::Open,
        }
    }

    /// The mode of the last prompt.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Waits for the first prompt, past banners, messages of the day and in-band logins, and sends `next` there with
    /// the lines `behind` it, which the steps after this one will ask for; or `if_user` alone, where that is given and
    /// the prompt is one of user mode.
    ///
    /// # Errors
    /// No prompt came; see [`Why`].
    pub fn first_prompt<'s>(
        &mut self,
        login: InBandLogin<'s>,
        next: Line<'s>,
        behind: &'s [Line<'s>],
        if_user: Option<Line<'s>>,
        until: Deadline,
    ) -> Result<(), Stopped> {
        let mut step = Step::new(Some(next));
        step.behind_next = behind;
        step.next_if_user = if_user;
        step.login = Some(login);
        self.run(step, until).map(|_| ())
    }

    /// Waits for the end of the present output, sends `next`, and gives the output.
    ///
    /// # Errors
    /// The prompt did not come back; what was printed until then is in [`Stopped`].
    pub fn output(&mut self, next: Line<'_>, until: Deadline) -> Result<Printed, Stopped> {
        self.run(Step::new(Some(next)), until)
    }

    /// As [`Dialogue::output`], and types the enable password once if the device asks for it; with `next` the lines
    /// `behind` it are sent, as at the first prompt.
    ///
    /// # Errors
    /// As there, and [`Why::EnableRejected`] when the device asks again.
    pub fn enable<'s>(
        &mut self,
        login: EnableLogin<'s>,
        next: Line<'s>,
        behind: &'s [Line<'s>],
        until: Deadline,
    ) -> Result<Printed, Stopped> {
        let mut step = Step::new(Some(next));
        step.behind_next = behind;
        step.enable = Some(login);
        self.run(step, until)
    }

    /// Takes the room of a text that is not needed any more, for the next one.
    pub fn reuse(&mut self, text: String) {
        if text.capacity() <= MOST_ROOM_BYTES {
            self.room = text.into_bytes();
            self.room.clear();
        }
    }

    /// Waits until the device has hung up after its logout line, answering what it asks on the way out.
    pub fn farewell(&mut self, until: Deadline) {
        if self.wire != Wire::Closed {
            let _ = self.run(Step::new(None), until);
        }
    }

    /// Says that the pager was not switched off: lines are typed only at a prompt that stays.
    pub fn expect_pages(&mut self) {
        self.may_page = true;
    }

    /// True once the device has echoed what was typed.
    pub fn has_echoed(&self) -> bool {
        self.echo == Echo::Seen
    }

    /// True once a password was typed, for a login or for `enable`.
    pub fn has_typed_password(&self) -> bool {
        self.hidden_typed
    }

    /// True once the enable password was typed.
    pub fn has_typed_secret(&self) -> bool {
        self.secret_typed
    }

    /// What became of the lines that were typed ahead.
    pub fn typed_ahead(&self) -> TypedAhead {
        self.typed_ahead
    }

    /// What the bytes come through.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    /// Gives the transport back.
    pub fn into_transport(self) -> T {
        self.transport
    }

    fn run(&mut self, mut step: Step<'_>, until: Deadline) -> Result<Printed, Stopped> {
        step.preamble = std::mem::take(&mut self.preamble);
        step.lines = std::mem::take(&mut self.room);
        self.take_typed_ahead(&mut step);
        let mut ahead = std::mem::take(&mut self.ahead);
        let mut fed = self.fed(&mut step);
        let mut from = 0;
        while let Some(rest) = ahead.get(from..)
            && let Some(length) = memchr::memchr(b'\n', rest)
            && !fed.take_all(&mut ahead, from)
        {
            fed.line(ahead.get(from..from + length).unwrap_or_default());
            from += length + 1;
        }
        if self.ahead.is_empty() && ahead.capacity() <= MOST_ROOM_BYTES {
            ahead.clear();
            self.ahead = ahead;
        }
        loop {
            match step.late_echo.take() {
                Some(true) => self.echo = Echo::Unknown,
                // What came since may be the output of another line.
                Some(false) => return Err(self.stop(&mut step, Why::LateEcho)),
                None => {}
            }
            if let Some(end) = step.end {
                return Ok(self.finish(step, end));
            }
            let now = Instant::now();
            let (wait, on_quiet) = match self.next_move(&step) {
                // A look at the socket may show that the output goes on; the read before may have been one.
                Some((quiet, action)) if quiet.is_zero() => (None, Some(action)),
                Some((quiet, action)) => (Some(Deadline::after(now, quiet)), Some(action)),
                None => (Some(until), None),
            };
            if until.left(now).is_none() {
                return self.late(step);
            }
            let wait = wait.map(|wait| wait.or_earlier(until));
            // A prompt that is believed too early does no harm: the echo behind it confirms it.
            let has_looked = self.wire == Wire::Emptied
                && wait.is_none()
                && matches!(on_quiet, Some(OnQuiet::BelievePrompt { .. }));
            let arrived = if has_looked {
                Ok(Arrived::Nothing)
            } else {
                self.transport.read(&mut self.buffer, wait)
            };
            self.wire = match arrived {
                Ok(Arrived::All(_)) => Wire::Emptied,
                Ok(Arrived::Bytes(_) | Arrived::Nothing) => Wire::Open,
                Ok(Arrived::End) | Err(_) => Wire::Closed,
            };
            match arrived {
                Ok(Arrived::All(length) | Arrived::Bytes(length)) => {
                    self.take_in(&mut step, length);
                }
                Ok(Arrived::Nothing) => match on_quiet {
                    Some(action) if until.left(Instant::now()).is_some() => {
                        self.act(&mut step, action, until)?;
                    }
                    _ => return self.late(step),
                },
                Ok(Arrived::End) | Err(_) => return self.hung_up(step),
            }
        }
    }

    /// Begins a step whose next line was typed in an earlier one.
    fn take_typed_ahead(&mut self, step: &mut Step<'_>) {
        let typed = self.ahead_of_echo.pop_front();
        if typed.is_none() || typed.as_deref() != step.next.as_ref().map(Line::as_str) {
            self.ahead_of_echo.clear();
            return;
        }
        step.is_typed_ahead = true;
        step.sent = Some(Sent {
            at: 0,
            n_lines: 0,
            prompt: Rc::clone(&self.prompt),
            text_bytes: 0,
            mode: self.mode,
            name: self.name.clone().unwrap_or_default(),
            wrapped: None,
            bare_echo: None,
        });
    }

    /// Feeds `length` bytes of the buffer to the terminal and its lines to the step.
    fn take_in(&mut self, step: &mut Step<'_>, length: usize) {
        let Self { terminal, prompts, buffer, ahead, name, most_bytes, .. } = self;
        let Some(bytes) = buffer.get(..length) else { return };
        // Behind a line that was sent comes what that line prints.
        let lines = if step.sent.is_some() { &mut *ahead } else { &mut step.lines };
        lines.reserve(length);
        let mut fed = Fed { step, prompts, name: name.as_deref(), most_bytes: *most_bytes, ahead };
        terminal.feed(bytes, |line| fed.line(line));
        if length == buffer.len() {
            buffer.resize(MOST_READ_BYTES, 0);
        }
    }

    fn fed<'f, 's>(&'f mut self, step: &'f mut Step<'s>) -> Fed<'f, 's> {
        let Self { prompts, ahead, name, most_bytes, .. } = self;
        Fed { step, prompts, name: name.as_deref(), most_bytes: *most_bytes, ahead }
    }

    /// What the screen calls for if it stays as it is; `None` if it only calls for waiting.
    fn next_move<'s>(&self, step: &Step<'s>) -> Option<(Duration, OnQuiet<'p>)> {
        if self.terminal.tail_is_empty() {
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
            return Some((Duration::ZERO, OnQuiet::AnswerPager { start: hit.start, key: hit.key }));
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
        match self.prompts.classify(line) {
            Tail::Operational { mode, name } => self.at_a_prompt(step, mode, name),
            Tail::Forbidden(what) => {
                Some((QUIET_AT_A_QUESTION, OnQuiet::Stop(Why::ForbiddenPrompt(what))))
            }
            Tail::Text => self.behind_a_text(step, line).or_else(|| self.at_a_text(step, line)),
        }
    }

    /// True if the prompt came and a log message behind it, and the device waits at an empty line.
    fn is_behind_log(&self, step: &Step<'_>) -> bool {
        step.sent.is_none()
            && step.nudges < MOST_NUDGES
            && log_lines::begin(&step.lines, &self.prompt).is_some()
    }

    fn at_a_prompt(
        &self,
        step: &Step<'_>,
        mode: Mode,
        name: &str,
    ) -> Option<(Duration, OnQuiet<'p>)> {
        let known = self.name.as_deref().is_none_or(|known| known == name);
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
        let certain = step.sent.is_none() && step.login.is_none() && self.echo == Echo::Seen;
        let text = line.strip_suffix(&*self.prompt).filter(|_| certain && !self.prompt.is_empty());
        let (text_bytes, name) = (text?.len(), self.name.clone()?);
        let believe = OnQuiet::BelievePrompt { mode: self.mode, name, text_bytes };
        Some((QUIET_AT_A_QUESTION, believe))
    }

    fn at_a_text(&self, step: &Step<'_>, line: &str) -> Option<(Duration, OnQuiet<'p>)> {
        if step.login.is_some() && step.sent.is_none() && self.answers < MOST_ANSWERS {
            let rules = self.platform.login();
            let asks = |prompt: &Option<Regex>| {
                prompt.as_ref().is_some_and(|prompt| prompt.is_match(line))
            };
            if let Some(dialog) = rules.dialogs.iter().find(|dialog| dialog.expect.is_match(line)) {
                return Some((QUIET_AT_A_LOGIN, OnQuiet::Answer(&dialog.answer)));
            }
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

    fn act(
        &mut self,
        step: &mut Step<'_>,
        action: OnQuiet<'_>,
        until: Deadline,
    ) -> Result<(), Stopped> {
        match action {
            OnQuiet::Answer(answer) => {
                self.answers += 1;
                self.terminal.clear_line();
                self.write(step, answer, until)
            }
            OnQuiet::AnswerPager { start, key } => {
                self.may_page = true;
                let ends_line = self.platform.pager().is_some_and(|pager| pager.ends_line(key));
                self.terminal.pager_answered(start, key, ends_line);
                self.write(step, key, until)
            }
            OnQuiet::AnswerPassword => {
                let password = step.login.and_then(|login| login.password);
                self.answers += 1;
                self.hidden_typed = true;
                self.terminal.clear_line();
                self.write_line(step, password.map_or("", Secret::expose), until)
            }
            OnQuiet::AnswerUsername => {
                let of_enable = step.enable.map(|login| login.username);
                let username =
                    step.login.map(|login| login.username).or(of_enable).unwrap_or_default();
                self.answers += 1;
                self.terminal.clear_line();
                self.write_line(step, username, until)
            }
            OnQuiet::BelievePrompt { mode, name, text_bytes } => {
                self.send_next(step, mode, name, text_bytes, until)
            }
            OnQuiet::EndWithoutEcho { mode, name } => {
                self.end_without_echo(step, mode, name);
                Ok(())
            }
            OnQuiet::LogOutAgain => {
                self.logouts += 1;
                self.terminal.clear_line();
                let platform = self.platform;
                self.write_line(step, platform.session().logout.as_str(), until)
            }
            OnQuiet::Nudge => {
                self.nudges += 1;
                self.write_line(step, "", until)
            }
            OnQuiet::NudgeBehindLog => {
                step.nudges += 1;
                self.write_line(step, "", until)
            }
            OnQuiet::SendSecret => {
                self.hidden_typed = true;
                self.secret_typed = true;
                self.terminal.clear_line();
                let secret = step.enable.map_or("", |login| login.secret.expose());
                self.write_line(step, secret, until)
            }
            OnQuiet::Stop(why) => {
                if why == Why::LinesLost {
                    self.typed_ahead = TypedAhead::Lost;
                }
                Err(self.stop(step, why))
            }
        }
    }

    /// The prompt is there: sends the next line behind it.
    fn send_next(
        &mut self,
        step: &mut Step<'_>,
        mode: Mode,
        name: Rc<str>,
        text_bytes: usize,
        until: Deadline,
    ) -> Result<(), Stopped> {
        if mode == Mode::User && step.next_if_user.is_some() {
            step.next = step.next_if_user;
            step.behind_next = &[];
        }
        let Some(next) = step.next else { return Ok(()) };
        let prompt = again(Some(&self.prompt), self.terminal.tail().trim_end());
        let at = step.lines.len();
        let n_lines = step.n_lines;
        step.sent = Some(Sent {
            at,
            n_lines,
            prompt,
            text_bytes,
            mode,
            name: Rc::clone(&name),
            wrapped: None,
            bare_echo: None,
        });
        let behind = std::mem::take(&mut step.behind_next);
        if behind.is_empty() {
            self.write_line(step, next.as_str(), until)?;
        } else {
            // Several lines leave in one packet.
            let mut text = next.as_str().to_owned();
            for line in behind {
                self.ahead_of_echo.push_back(line.as_str().to_owned());
                text.push_str(self.platform.session().line_end);
                text.push_str(line.as_str());
            }
            self.typed_ahead = TypedAhead::Yes;
            self.write_line(step, &text, until)?;
        }
        if self.echo == Echo::Missing {
            self.note_unechoed(step, next.as_str());
            // Nothing will confirm the end, and the silence at the prompt has.
            self.name = Some(name);
            self.terminal.clear_line();
            step.end = Some(End { at, mode });
        }
        Ok(())
    }

    /// The device has run the next line without echoing it at its prompt: parts its output from this step's.
    fn end_without_echo(&mut self, step: &mut Step<'_>, mode: Mode, name: Rc<str>) {
        let Some(sent) = &step.sent else { return };
        let mut behind = step.lines.split_off(sent.at);
        if let Some(echo) = sent.bare_echo.and_then(|at| at.checked_sub(sent.at)) {
            // A message to all who are logged in stands between prompt and echo.
            let output = behind.split_off(echo);
            let echo_line = output.iter().position(|b| *b == b'\n').map_or(output.len(), |n| n + 1);
            self.ahead = output.get(echo_line..).unwrap_or_default().to_vec();
            step.aside = behind.split_off(sent.prompt.len().min(behind.len()));
            step.end = Some(End { at: sent.at, mode });
            return;
        }
        // The first line behind is the prompt's own, with what the device printed on it.
        let prompt = sent.prompt.as_bytes();
        if behind.starts_with(prompt) {
            behind.drain(..prompt.len());
        }
        let blanks = behind.iter().take_while(|b| **b == b' ').count();
        behind.drain(..blanks);
        if behind.first() == Some(&b'\n') {
            behind.remove(0);
        }
        self.ahead = behind;
        if self.echo == Echo::Unknown {
            self.echo = Echo::Missing;
        }
        self.name.get_or_insert(name);
        step.end = Some(End { at: sent.at, mode });
        if let Some(next) = step.next {
            self.note_unechoed(step, next.as_str());
        }
    }

    /// Remembers a line whose echo would show that the device is only slow.
    fn note_unechoed(&self, step: &mut Step<'_>, line: &str) {
        let unechoed = &mut step.preamble.unechoed;
        if self.platform.session().repeats_echo || line.is_empty() {
            return;
        }
        if unechoed.len() == MOST_UNECHOED {
            unechoed.pop_front();
        }
        unechoed.push_back(line.to_owned());
    }

    fn finish(&mut self, mut step: Step<'_>, end: End) -> Printed {
        self.mode = end.mode;
        step.lines.truncate(end.at);
        if let Some(sent) = step.sent.take() {
            if self.echo == Echo::Unknown {
                self.echo = Echo::Seen;
            }
            self.name.get_or_insert(sent.name);
            let (text, prompt) = sent.prompt.split_at(sent.text_bytes);
            if !text.is_empty() && end.at == sent.at {
                step.truncated |= !keep(&mut step.lines, text.as_bytes(), self.most_bytes);
            }
            self.prompt = again(Some(&sent.prompt), prompt);
        }
        let logged = match log_lines::begin(&step.lines, &self.prompt) {
            Some(at) => step.lines.split_off(at),
            None => step.aside,
        };
        self.preamble.blank = self.echo == Echo::Missing;
        self.preamble.unechoed = step.preamble.unechoed;
        self.preamble.repeated_echo = step
            .next
            .filter(|_| self.platform.session().repeats_echo)
            .map(|next| (next.as_str().to_owned(), 2));
        let logged = String::from_utf8_lossy(&logged).into_owned();
        Printed { logged, ..self.printed(step.lines, step.truncated) }
    }

    fn printed(&self, lines: Vec<u8>, truncated: bool) -> Printed {
        let text = String::from_utf8(lines)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        let text = self.platform.output().strip(text);
        Printed { text, truncated, logged: String::new() }
    }

    /// The step's deadline has passed.
    fn late(&mut self, step: Step<'_>) -> Result<Printed, Stopped> {
        let sent = step.sent.as_ref().filter(|sent| step.n_lines == sent.n_lines);
        if let Some(sent) = sent.filter(|_| step.login.is_none() && !step.is_typed_ahead) {
            // The output was over; it is the next line that the device does not even echo.
            let end = End { at: sent.at, mode: sent.mode };
            self.preamble.owed_echo = step.next.map(|next| next.as_str().to_owned());
            return Ok(self.finish(step, end));
        }
        let mut step = step;
        Err(self.stop(&mut step, Why::Late))
    }

    /// The device closed the session.
    fn hung_up(&mut self, mut step: Step<'_>) -> Result<Printed, Stopped> {
        if let Some(sent) = &step.sent {
            let next = step.next.map(|next| next.as_str().to_owned()).unwrap_or_default();
            let behind = String::from_utf8_lossy(step.lines.get(sent.at..).unwrap_or_default())
                .into_owned()
                + &self.terminal.tail();
            let first = behind.lines().next().unwrap_or_default().trim();
            let echoed = first.strip_prefix(sent.prompt.trim()).map(str::trim);
            // Nothing but the prompt, a part of the echo and a farewell: the output was over.
            let over =
                echoed.is_some_and(|echo| next.starts_with(echo)) && behind.lines().count() <= 4;
            if over {
                let end = End { at: sent.at, mode: sent.mode };
                return Ok(self.finish(step, end));
            }
        }
        Err(self.stop(&mut step, Why::Closed))
    }

    fn stop(&mut self, step: &mut Step<'_>, why: Why) -> Stopped {
        let last_line =
            if self.hidden_typed { String::new() } else { self.terminal.tail().into_owned() };
        let mut lines = std::mem::take(&mut step.lines);
        // What stands on the unfinished line was printed too, unless it is what the session stopped for.
        if matches!(why, Why::Late | Why::Closed) && step.next.is_some() && !self.hidden_typed {
            let tail = self.terminal.tail();
            if self.prompts.classify(&tail) == Tail::Text {
                lines.extend_from_slice(tail.as_bytes());
            }
        }
        Stopped { why, printed: self.printed(lines, step.truncated), last_line }
    }

    fn write_line(
        &mut self,
        step: &mut Step<'_>,
        line: &str,
        until: Deadline,
    ) -> Result<(), Stopped> {
        // One buffer, so that the line leaves in one packet; wiped, because it may be a password.
        let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(line.len() + 2));
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(self.platform.session().line_end.as_bytes());
        self.write_bytes(step, &bytes, until)
    }

    fn write(&mut self, step: &mut Step<'_>, text: &str, until: Deadline) -> Result<(), Stopped> {
        self.write_bytes(step, text.as_bytes(), until)
    }

    fn write_bytes(
        &mut self,
        step: &mut Step<'_>,
        bytes: &[u8],
        until: Deadline,
    ) -> Result<(), Stopped> {
        self.transport.write_all(bytes, until).map_err(|broken| {
            let why = if broken == Broken::Late { Why::Late } else { Why::Closed };
            self.stop(step, why)
        })
    }
}

impl<'s> Step<'s> {
    fn new(next: Option<Line<'s>>) -> Self {
        Self {
            lines: Vec::new(),
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
            aside: Vec::new(),
            end: None,
            login: None,
            enable: None,
        }
    }
}

/// Takes the finished lines of one read.
struct Fed<'f, 's> {
    step: &'f mut Step<'s>,
    prompts: &'f KnownPrompts<'f>,
    name: Option<&'f str>,
    most_bytes: usize,
    ahead: &'f mut Vec<u8>,
}

impl Fed<'_, '_> {
    fn line(&mut self, line: &[u8]) {
        if self.step.end.is_some() {
            // No more than one read brings; the next step counts it.
            self.ahead.extend_from_slice(line);
            self.ahead.push(b'\n');
            return;
        }
        if self.is_preamble(line) {
            return;
        }
        self.step.n_lines += 1;
        if self.step.sent.is_some() {
            let text = String::from_utf8_lossy(line);
            if let Some(end) = self.ends_here(&text) {
                self.step.end = Some(end);
                return;
            }
        }
        if self.step.truncated || !keep(&mut self.step.lines, line, self.most_bytes) {
            self.step.truncated = true;
        }
    }

    /// Takes the lines of `ahead` from byte `from` on as they are, if nothing is to be looked for in them: they are in
    /// the middle of an output.
    fn take_all(&mut self, ahead: &mut Vec<u8>, from: usize) -> bool {
        let Step { lines, preamble, sent, end, n_lines, truncated, .. } = &mut *self.step;
        let looks = sent.is_some() || end.is_some() || preamble.owed_echo.is_some();
        let rest = ahead.get(from..).unwrap_or_default();
        let room = self.most_bytes.saturating_sub(lines.len());
        if looks || *n_lines == 0 || *truncated || rest.len() >= room {
            return false;
        }
        *n_lines += memchr::memchr_iter(b'\n', rest).count();
        if lines.len() == from {
            // Those before were all taken too.
            std::mem::swap(lines, ahead);
        } else {
            lines.extend_from_slice(rest);
        }
        true
    }

    /// True if the line stands before the output without belonging to it.
    fn is_preamble(&mut self, line: &[u8]) -> bool {
        let Step { preamble, lines, n_lines, late_echo, .. } = &mut *self.step;
        // The echo alone or behind a prompt; output may well end with the command's text.
        let is_echo = |echo: &str| {
            let line = String::from_utf8_lossy(line);
            let head = line.trim_end().strip_suffix(echo.trim()).map(str::trim);
            head.is_some_and(|head| {
                head.is_empty() || matches!(self.prompts.classify(head), Tail::Operational { .. })
            })
        };
        if preamble.owed_echo.take_if(|echo| is_echo(echo)).is_some() {
            lines.clear();
            *n_lines = 0;
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
        let mode_of = |head: &str| match self.prompts.classify(head.trim()) {
            Tail::Operational { mode, name } if self.name.unwrap_or(&sent.name) == name => {
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
                let before = String::from_utf8_lossy(before);
                let is_logged = log_lines::begin(before.as_bytes(), &sent.prompt) == Some(0);
                if before.trim() == &*sent.prompt || is_logged {
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
        let echo = line.strip_prefix(&*sent.prompt)?.trim();
        if let Some(shown) = echo.strip_prefix('$') {
            // A device that scrolls long lines shows their end behind a `$`.
            let shown = shown.trim();
            return (shown.len() > 4 && next.ends_with(shown))
                .then_some(End { at: here, mode: sent.mode });
        }
        let (shown, wanted) = (solid(echo), solid(next));
        if shown == wanted {
            return Some(End { at: here, mode: sent.mode });
        }
        if line.len() >= LEAST_WRAPPED_BYTES && !shown.is_empty() && wanted.starts_with(&shown) {
            sent.wrapped = Some((here, shown.len()));
        }
        None
    }
}

/// A text that was mostly seen before, and lies in memory once then.
fn again(known: Option<&Rc<str>>, text: &str) -> Rc<str> {
    known.filter(|known| known.as_ref() == text).map_or_else(|| text.into(), Rc::clone)
}

/// Adds a line; false if there is no room for it.
fn keep(lines: &mut Vec<u8>, line: &[u8], most_bytes: usize) -> bool {
    if lines.len() + line.len() >= most_bytes {
        return false;
    }
    lines.extend_from_slice(line);
    lines.push(b'\n');
    true
}
