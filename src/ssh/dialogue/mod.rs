//! Sends lines to a device's terminal and says which output belongs to which line.
//!
//! A router's CLI has no framing: output is over when the prompt shows again, but output may hold the prompt too.
//! So the end of an output is *confirmed*: when the prompt seems to be back the next line is sent, and the place
//! where the device echoes that line behind its prompt is where the output ended. That costs no extra round trip
//! and makes the result independent of how the bytes were cut into packets. A device that does not echo is
//! believed when it stays silent at its prompt. To a device that is known to read ahead more lines are typed behind the
//! next one; each is still confirmed by its own echo, and where one does not come the session is over.
//!
//! A step runs from a line's echo to the echo of the next (`step`); what a silent screen calls for is in `quiet`, and doing it
//! in `act`.
//!
//! Not here: which lines are sent in which order (`session`), terminal controls (`output::terminal`).

mod act;
mod quiet;
mod rooms;
mod step;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, rc::Rc, time::Instant};

use self::{
    quiet::OnQuiet,
    rooms::{Ahead, MOST_ROOM_BYTES, Rooms},
    step::{End, Fed, Preamble, Sent, Step, keep},
};
use super::{
    log_lines,
    transport::{Arrived, Broken, ReadBuffer, Transport},
};
use crate::{
    command::ShowCommand,
    deadline::Deadline,
    output::terminal::Terminal,
    platform::{Forbidden, KnownPrompts, Mode, Platform, PreparedLine, Tail},
    secret::Secret,
};

/// What a terminal says of a cursor that stands in its first cell.
const CURSOR: &[u8] = b"\x1b[1;1R";

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
    /// The prompt with this step's own line behind it stands in the text: that may be the true echo, and the text before it
    /// what the step before had still to print.
    pub echoed_again: bool,
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
    rooms: Rooms,
    /// What stays the same in this device's prompts.
    name: Option<Rc<str>>,
    /// The last prompt that was confirmed.
    prompt: Rc<str>,
    /// The line that was echoed behind it; empty if none was.
    echoed: String,
    mode: Mode,
    echo: Echo,
    /// A pager may be waiting in an output: what is typed ahead would be a key for it.
    may_page: bool,
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

impl<'p, T: Transport> Dialogue<'p, T> {
    /// A conversation on a terminal that has just been opened. Outputs over `most_bytes` lose their end.
    pub fn new(transport: T, platform: &'p Platform, most_bytes: usize) -> Self {
        Self {
            transport,
            platform,
            prompts: KnownPrompts::new(platform.prompts()),
            terminal: Terminal::new(most_bytes),
            most_bytes,
            rooms: Rooms::new(),
            name: None,
            prompt: Rc::default(),
            echoed: String::new(),
            mode: Mode::Privileged,
            echo: Echo::Unknown,
            may_page: platform.pager().is_some() && platform.session().prepare.is_empty(),
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
        let before = self.run(step, until)?;
        self.reuse(before.text);
        Ok(())
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
            self.rooms.lines = text;
            self.rooms.lines.clear();
        }
    }

    /// Waits until the device has hung up after its logout line, answering what it asks on the way out. True if that line's
    /// echo came once more, behind something else: the output before it may have ended at a text, as in
    /// [`Printed::echoed_again`].
    pub fn farewell(&mut self, until: Deadline) -> bool {
        if self.wire == Wire::Closed {
            return false;
        }
        let lines = std::mem::take(&mut self.rooms.lines);
        let came = self.run(Step::new(None), until);
        self.rooms.lines = lines;
        let printed = came.unwrap_or_else(|stopped| stopped.printed);
        printed.echoed_again
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
        step.lines = std::mem::take(&mut self.rooms.lines);
        self.take_typed_ahead(&mut step);
        let spare = Ahead { lines: std::mem::take(&mut self.rooms.spare), has_prompt: false };
        let Ahead { lines: mut ahead, has_prompt } =
            std::mem::replace(&mut self.rooms.ahead, spare);
        let mut fed = self.fed(&mut step);
        let mut from = 0;
        let last_echo = if has_prompt { fed.last_echo(&ahead) } else { None };
        while let Some(rest) = ahead.get(from..)
            && let Some(length) = memchr::memchr(b'\n', rest.as_bytes())
            && !fed.take_all(&mut ahead, from, last_echo)
        {
            fed.line(ahead.get(from..from + length).unwrap_or_default());
            from += length + 1;
        }
        if ahead.capacity() <= MOST_ROOM_BYTES {
            ahead.clear();
            self.rooms.spare = ahead;
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
            let mut buffer = ReadBuffer::default();
            let arrived = if has_looked {
                Ok(Arrived::Nothing)
            } else {
                self.transport.read(&mut buffer, wait)
            };
            if arrived == Ok(Arrived::Nothing) {
                // What is written now may wait for the device.
                buffer.release();
            }
            self.wire = match arrived {
                Ok(Arrived::All(_)) => Wire::Emptied,
                Ok(Arrived::Bytes(_) | Arrived::Nothing) => Wire::Open,
                Ok(Arrived::End) | Err(_) => Wire::Closed,
            };
            match arrived {
                Ok(Arrived::All(length) | Arrived::Bytes(length)) => {
                    self.take_in(&mut step, buffer.first(length));
                    // Its bytes are not needed while the next line is typed and waited for.
                    drop(buffer);
                    self.tell_cursor(until);
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
            cut_echo: None,
        });
    }

    /// Feeds what came to the terminal and its lines to the step.
    fn take_in(&mut self, step: &mut Step<'_>, bytes: &[u8]) {
        let Self { terminal, platform, prompts, rooms, name, most_bytes, .. } = self;
        let ahead = &mut rooms.ahead;
        // Behind a line that was sent comes what that line prints.
        let lines = if step.sent.is_some() { &mut ahead.lines } else { &mut step.lines };
        lines.reserve(bytes.len());
        let (name, most_bytes) = (name.as_deref(), *most_bytes);
        let echo_form = platform.session().echo;
        let own_echo = (&*self.prompt, &*self.echoed);
        let mut fed = Fed { step, prompts, name, own_echo, echo_form, most_bytes, ahead };
        let mut rest = bytes;
        // Line by line up to where nothing is looked for any more, and then all that are plain at once.
        while let Some(end) = memchr::memchr(b'\n', rest) {
            if fed.takes_lines(rest.len()) && terminal.is_blank() {
                let lines = terminal.plain_lines(rest);
                fed.plain_lines(lines);
                rest = rest.get(lines.len()..).unwrap_or_default();
                break;
            }
            let (line, behind) = rest.split_at_checked(end + 1).unwrap_or((rest, &[]));
            terminal.feed(line, |line| fed.line(&String::from_utf8_lossy(line)));
            rest = behind;
        }
        terminal.feed(rest, |line| fed.line(&String::from_utf8_lossy(line)));
    }

    /// A program that draws its prompt waits for the answer, a second or more.
    fn tell_cursor(&mut self, until: Deadline) {
        if self.terminal.asks_for_cursor() && self.platform.session().tells_cursor {
            // A device that has gone is noticed by the next read.
            let _ = self.transport.write_all(CURSOR, until);
        }
    }

    fn fed<'f, 's>(&'f mut self, step: &'f mut Step<'s>) -> Fed<'f, 's> {
        let Self { platform, prompts, rooms, name, most_bytes, .. } = self;
        let ahead = &mut rooms.ahead;
        let (name, most_bytes) = (name.as_deref(), *most_bytes);
        let echo_form = platform.session().echo;
        let own_echo = (&*self.prompt, &*self.echoed);
        Fed { step, prompts, name, own_echo, echo_form, most_bytes, ahead }
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
                step.truncated |= !keep(&mut step.lines, text, self.most_bytes);
            }
            self.prompt = again(Some(&sent.prompt), prompt);
        }
        self.echoed.clear();
        let is_once = self.echo == Echo::Seen && !self.platform.session().repeats_echo;
        if let Some(next) = step.next.filter(|_| is_once) {
            self.echoed.push_str(next.as_str().trim());
        }
        let logged = match log_lines::begin(step.lines.as_bytes(), &self.prompt) {
            Some(at) => step.lines.split_off(at),
            None => step.aside,
        };
        self.preamble.blank = self.echo == Echo::Missing;
        self.preamble.unechoed = step.preamble.unechoed;
        self.preamble.repeated_echo = step
            .next
            .filter(|_| self.platform.session().repeats_echo)
            .map(|next| (next.as_str().to_owned(), 2));
        let echoed_again = step.echoed_again;
        Printed { logged, echoed_again, ..self.printed(step.lines, step.truncated) }
    }

    fn printed(&self, lines: String, truncated: bool) -> Printed {
        let text = self.platform.output().strip(lines);
        Printed { text, truncated, ..Printed::default() }
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
            let behind = step.lines.get(sent.at..).unwrap_or_default();
            let behind = format!("{behind}{}", self.terminal.tail());
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
        // It may be what was typed hidden.
        let is_hidden = self.hidden_typed && (step.login.is_some() || step.enable.is_some());
        let last_line = if is_hidden { String::new() } else { self.terminal.tail().into_owned() };
        let mut lines = std::mem::take(&mut step.lines);
        // What stands on the unfinished line was printed too, unless it is what the session stopped for.
        if matches!(why, Why::Late | Why::Closed) && step.next.is_some() && !is_hidden {
            let tail = self.terminal.tail();
            if self.prompts.classify(&tail) == Tail::Text {
                lines.push_str(&tail);
            }
        }
        let echoed_again = step.echoed_again;
        let printed = Printed { echoed_again, ..self.printed(lines, step.truncated) };
        Stopped { why, printed, last_line }
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

/// A text that was mostly seen before, and lies in memory once then.
fn again(known: Option<&Rc<str>>, text: &str) -> Rc<str> {
    known.filter(|known| known.as_ref() == text).map_or_else(|| text.into(), Rc::clone)
}
