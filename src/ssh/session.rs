//! One device session from connect to logout: the order of things and their deadlines.
//!
//! Every phase ends by its own deadline with its own error; what was read before is kept. Runs on a thread that
//! may block. Not here: bytes and prompts (`dialogue`), libssh2 (`libssh2`).

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use regex::Regex;

use super::{
    acquaintance::{Acquaintances, Shown, Who},
    brake::Brake,
    dialogue::{Dialogue, EnableLogin, InBandLogin, Line, Printed, Stopped, TypedAhead, Why},
    error::{Phase, SessionError},
    gate::Gates,
    libssh2::{self, Fault, Terminal},
    lifeline::{Cut, Lifeline},
    route::given,
};
use crate::{
    allowance::Allowance,
    command::CheckedCommand,
    deadline::Deadline,
    device::{Credentials, Device, PeerAddr},
    host_key::HostKeyCheck,
    jump::Hop,
    outcome::{Algorithms, CommandFailure, CommandOutcome, HostKey, Timing},
    plan::PlannedCommand,
    platform::{Forbidden, Mode},
    profile::SshProfile,
    secret::Secret,
};

/// How much later than its deadline a step may notice that it is late before its socket is closed from outside.
pub const DEADLINE_SLACK: Duration = Duration::from_millis(300);
/// How long a device may take to hang up after its logout line.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long the service's own filters may take for one output.
const FILTERS: Duration = Duration::from_secs(2);
/// What the smallest terminal takes without having read it.
const MOST_TYPED_AHEAD_BYTES: usize = 200;

const FLOODED: &str = "more than 8 MiB came that nobody had asked for, and nothing more was read; the device, or a host on the way to it, is broken or hostile";

/// The longest each phase may take.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// TCP connection, over all addresses of the device.
    pub connect: Duration,
    /// SSH banner and key exchange.
    pub handshake: Duration,
    /// Login.
    pub authenticate: Duration,
    /// Terminal, banners, first prompt, `enable`, preparation lines.
    pub prompt: Duration,
    /// Output kept of one command, in bytes.
    pub most_output_bytes: usize,
}

/// Takes a finished command and its index, on the session's thread.
pub type CommandSink = Arc<dyn Fn(usize, CommandOutcome) + Send + Sync>;

/// Takes a last step with a command that is complete, on the session's thread, and gives its output if nobody else
/// needs it any more.
pub type Finish = fn(&mut CommandOutcome) -> String;

/// By when a session must be over, whatever its phases may take.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Every step ends by this.
    pub until: Deadline,
    /// What is said of a session that was ended by it.
    pub error: SessionError,
}

impl Clock {
    /// What a session failed by: `error`, or this clock if that was a lateness and the clock had run out.
    #[must_use]
    pub fn judge(&self, error: SessionError) -> SessionError {
        if error.is_lateness() && self.has_run_out() { self.error.clone() } else { error }
    }

    fn has_run_out(&self) -> bool {
        self.until.left(Instant::now()).is_none()
    }
}

/// All a session needs to know.
pub struct SessionJob {
    /// Where, and what it runs.
    pub device: Device,
    /// Who logs in.
    pub credentials: Credentials,
    /// What to run, in order.
    pub commands: Arc<[PlannedCommand]>,
    /// How long.
    pub limits: SessionLimits,
    /// With which algorithms.
    pub profile: SshProfile,
    /// Which key the device must show.
    pub host_key: HostKeyCheck,
    /// How long its TCP connection may take, if not as long as every other.
    pub connect_timeout: Option<Duration>,
    /// The hosts to go through, the first one first.
    pub jump: Vec<Leg>,
    /// How many log in to one of them at a time.
    pub gates: Arc<Gates>,
    /// What earlier sessions showed.
    pub acquaintances: Arc<Acquaintances>,
    /// How long in all.
    pub clock: Clock,
    /// Output that may be kept, shared with other sessions.
    pub allowance: Arc<Allowance>,
    /// Takes each command when it is done; without it they are in the report.
    pub sink: Option<CommandSink>,
    /// Taken with each command whose output is not parsed, before the next one is read.
    pub finish: Option<Finish>,
}

/// A host on the way, with its addresses, each allowed.
pub struct Leg {
    /// The host.
    pub hop: Hop,
    /// Who logs in there.
    pub credentials: Credentials,
    /// Where it is.
    pub addresses: Vec<PeerAddr>,
}

impl fmt::Debug for SessionJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionJob").field("device", &self.device).finish_non_exhaustive()
    }
}

impl SessionJob {
    /// The line of the command with this index; the logout line behind the last.
    fn line(&self, index: usize) -> Line<'_> {
        match self.commands.get(index) {
            Some(planned) => Line::Show(planned.command.line()),
            None => Line::Prepared(&self.device.platform.session().logout),
        }
    }
}

/// What came of a session.
#[derive(Debug, Default)]
pub struct SessionReport {
    /// One for each command of the job once the session had a prompt, unless a sink took them; none before.
    pub commands: Vec<CommandOutcome>,
    /// Output kept, in bytes.
    pub output_bytes: usize,
    /// Why the session failed or broke, if it did.
    pub error: Option<SessionError>,
    /// How long the phases took.
    pub timing: Timing,
    /// The key the device showed.
    pub host_key: Option<HostKey>,
    /// What was agreed on with the device.
    pub algorithms: Option<Algorithms>,
    /// What did not go as planned without doing harm.
    pub warnings: Vec<String>,
}

/// Runs a job on the first of `addresses` that answers. Returns by the sum of the phases' deadlines, or at once
/// when `lifeline` is cut.
pub fn run(job: &SessionJob, addresses: &[PeerAddr], lifeline: &Lifeline) -> SessionReport {
    let mut report = SessionReport::default();
    let mut session =
        Session { job, lifeline, report: &mut report, types_ahead: true, brake: None };
    let error = session.run(addresses).err();
    if session.brake.is_some_and(|brake| brake.is_pulled()) {
        report.warnings.push(FLOODED.to_owned());
    }
    lifeline.release();
    libssh2::prepare_next();
    report.error = match lifeline.was_cut() {
        // What was over by then is whole.
        Some(Cut::Cancelled) if error.is_some() => Some(SessionError::Cancelled),
        // A session that was asked to log out early has said so itself.
        _ => error.map(|error| job.clock.judge(error)).or(report.error),
    };
    report
}

pub(super) struct Session<'a> {
    pub(super) job: &'a SessionJob,
    pub(super) lifeline: &'a Lifeline,
    pub(super) report: &'a mut SessionReport,
    /// Lines may be typed before their prompt.
    types_ahead: bool,
    /// Tells whether the first peer was stopped.
    pub(super) brake: Option<Arc<Brake>>,
}

impl Session<'_> {
    fn run(&mut self, addresses: &[PeerAddr]) -> Result<(), SessionError> {
        if self.talk(addresses)? {
            return Ok(());
        }
        self.types_ahead = false;
        *self.report = SessionReport {
            warnings: vec![
                "the device lost lines that were typed before its prompt; it was logged in to again to type them one by one"
                    .to_owned(),
            ],
            ..SessionReport::default()
        };
        // Nothing can be lost now.
        if self.talk(addresses)? { Ok(()) } else { Err(SessionError::Internal) }
    }

    /// False if lines that were typed ahead were lost, before any command.
    fn talk(&mut self, addresses: &[PeerAddr]) -> Result<bool, SessionError> {
        let job = self.job;
        let who = job.who(addresses);
        let credentials = &job.credentials;
        if let Some((secret, addr)) = credentials.enable_password.as_ref().zip(addresses.first()) {
            let (enabling, what) = (credentials.enabling(secret), "this user's enable password");
            self.check_refusals(&who.enabled(), &enabling, what, addr.clone())?;
        }
        let (connection, addr) = self.reach(addresses)?;
        let started = Instant::now();
        let until = self.step(self.job.limits.prompt);
        let terminal = self.open_terminal(connection, &addr, until)?;
        let platform = &*self.job.device.platform;
        let mut dialogue = Dialogue::new(terminal, platform, self.job.limits.most_output_bytes);
        if let Err(error) = self.prepare(&mut dialogue, &who, &addr, until) {
            let is_cancelled = self.lifeline.was_cut() == Some(Cut::Cancelled);
            if dialogue.typed_ahead() != TypedAhead::No && !is_cancelled {
                self.job.acquaintances.has_lost_lines(&who);
            }
            return if dialogue.typed_ahead() == TypedAhead::Lost { Ok(false) } else { Err(error) };
        }
        self.report.timing.prompt = Some(started.elapsed());
        let result = self.run_commands(&mut dialogue, &addr);
        if result.as_ref().is_ok_and(|at_prompt| *at_prompt) {
            let started = Instant::now();
            if dialogue.farewell(self.step(FAREWELL)) && self.report.error.is_none() {
                self.doubt(job.commands.last());
            }
            self.report.timing.logout = Some(started.elapsed());
        }
        self.job.acquaintances.has_echoed(&who, dialogue.has_echoed());
        result.map(|_| true)
    }

    /// Begins a step: the deadline is known to whoever watches from outside.
    pub(super) fn step(&self, limit: Duration) -> Deadline {
        let until = Deadline::after(Instant::now(), limit).or_earlier(self.job.clock.until);
        self.lifeline.expect_by(until);
        until
    }

    /// From the first byte to the prompt that the first command is typed at: that command has been sent.
    fn prepare(
        &mut self,
        dialogue: &mut Dialogue<'_, Terminal>,
        who: &Who,
        addr: &PeerAddr,
        until: Deadline,
    ) -> Result<(), SessionError> {
        let job = self.job;
        let platform = &*job.device.platform;
        let credentials = &job.credentials;
        let rules = platform.session();
        let prepared = &rules.prepare;
        let lines: Vec<_> = prepared.iter().map(Line::Prepared).chain([job.line(0)]).collect();
        let Some((first, rest)) = lines.split_first() else { return Ok(()) };
        let behind = rest.get(..self.typed_ahead(&lines, who)).unwrap_or_default();
        let enable = platform.enable().zip(credentials.enable_password.as_ref());
        let login = InBandLogin {
            username: &credentials.username,
            password: credentials.password.as_ref(),
            is_expected: !dialogue.transport().has_sent_proof(),
        };
        let enable_line = enable.map(|(rules, _)| Line::Prepared(&rules.command));
        let reached = dialogue
            .first_prompt(login, *first, behind, enable_line, until)
            .map_err(|stopped| self.no_prompt(addr, &stopped, dialogue.transport().lost_hop()));
        if dialogue.has_typed_password() {
            self.learn_of_login(who, &reached);
        }
        reached?;
        if let Some((_, secret)) = enable.filter(|_| dialogue.mode() == Mode::User) {
            let login = EnableLogin { username: &credentials.username, secret };
            let enabled = dialogue
                .enable(login, *first, behind, until)
                .map_err(|stopped| self.no_prompt(addr, &stopped, dialogue.transport().lost_hop()))
                .and_then(|_| match dialogue.mode() {
                    Mode::User => Err(SessionError::EnableRejected { addr: addr.clone() }),
                    Mode::Privileged => Ok(()),
                });
            if dialogue.has_typed_secret() {
                self.learn_of_enable(who, secret, &enabled);
            }
            enabled?;
        }
        let mut refused = Vec::new();
        for (sent, next) in prepared.iter().zip(rest) {
            let printed = dialogue.output(*next, until).map_err(|stopped| {
                self.no_prompt(addr, &stopped, dialogue.transport().lost_hop())
            })?;
            if let Some(marker) = platform.errors().find(&printed.text) {
                let warning = format!(
                    "the device refused `{}` ({}); output is read page by page if it pages",
                    sent.as_str(),
                    excerpt(marker),
                );
                refused.push((sent, warning));
            }
            dialogue.reuse(printed.text);
        }
        // Lines for other releases are refused; that matters if none is left.
        let alternatives = prepared.get(..rules.alternatives).unwrap_or_default();
        let matter = refused.iter().filter(|(sent, _)| alternatives.contains(sent)).count();
        let is_told = alternatives.is_empty() || matter == alternatives.len();
        if !refused.is_empty() && is_told {
            dialogue.expect_pages();
            self.report.warnings.extend(refused.into_iter().map(|(_, warning)| warning));
        }
        Ok(())
    }

    /// Remembers what a login in the terminal came to.
    fn learn_of_login(&self, who: &Who, reached: &Result<(), SessionError>) {
        let (known, credentials) = (&self.job.acquaintances, &self.job.credentials);
        match reached {
            Ok(()) => known.believed(who, credentials, Shown::Password),
            // Some devices say no by hanging up.
            Err(SessionError::AuthRejected { .. } | SessionError::Disconnected { .. })
                if self.lifeline.was_cut().is_none() =>
            {
                known.refused(who, credentials, Shown::Password, Instant::now());
            }
            Err(_) => {}
        }
    }

    /// Remembers what an enable password came to.
    fn learn_of_enable(&self, who: &Who, secret: &Secret, enabled: &Result<(), SessionError>) {
        let known = &self.job.acquaintances;
        let enabling = self.job.credentials.enabling(secret);
        match enabled {
            Ok(()) => known.believed(&who.enabled(), &enabling, Shown::Password),
            Err(SessionError::EnableRejected { .. }) => {
                known.refused(&who.enabled(), &enabling, Shown::Password, Instant::now());
            }
            Err(_) => {}
        }
    }

    /// How many of `lines`, the preparation and the first command, are typed behind the first: to a platform that reads
    /// ahead the preparation, and the command too if this device has echoed in an earlier session.
    fn typed_ahead(&self, lines: &[Line<'_>], who: &Who) -> usize {
        let job = self.job;
        let bytes: usize = lines.iter().map(|line| line.as_str().len() + 2).sum();
        let may = self.types_ahead && job.device.platform.session().reads_ahead;
        if !may || bytes > MOST_TYPED_AHEAD_BYTES {
            return 0;
        }
        match job.acquaintances.reads_ahead(who) {
            Some(true) => lines.len().saturating_sub(1),
            None => lines.len().saturating_sub(2),
            Some(false) => 0,
        }
    }

    /// Runs the commands; true if the device stands at its prompt with the logout line typed.
    fn run_commands(
        &mut self,
        dialogue: &mut Dialogue<'_, Terminal>,
        addr: &PeerAddr,
    ) -> Result<bool, SessionError> {
        let started = Instant::now();
        let mut result = Ok(true);
        let mut sent = started;
        for (index, planned) in self.job.commands.iter().enumerate() {
            let until = self.step(planned.timeout);
            // The line behind a command is typed as soon as the prompt seems to be back: it is chosen before.
            let is_last = self.lifeline.is_winding_down();
            let next = self.job.line(if is_last { usize::MAX } else { index + 1 });
            let outcome = dialogue.output(next, until);
            let lost_hop = dialogue.transport().lost_hop();
            if let Ok(Printed { logged, .. }) = &outcome
                && let Some(line) = logged.lines().rfind(|line| !line.trim().is_empty())
            {
                self.report.warnings.push(format!(
                    "the device logged to the terminal behind `{}`; that is not in its output: {}",
                    planned.command.display(),
                    excerpt(line),
                ));
            }
            if let Err(Stopped { printed: Printed { echoed_again: true, .. }, .. }) = &outcome {
                self.doubt(index.checked_sub(1).and_then(|before| self.job.commands.get(before)));
            }
            // What is done with the output is not the device's time.
            self.lifeline.expect_by(self.job.clock.until);
            let (mut done, end) = self.command_outcome(planned, outcome, addr, lost_hop);
            let returned = Instant::now();
            done.duration = returned - sent;
            sent = returned;
            dialogue.reuse(self.finished(index, planned, done));
            if let Err(broken) = end {
                self.skip_from(index + 1);
                result = broken.map_or(Ok(false), Err);
                break;
            }
            if is_last && index + 1 < self.job.commands.len() {
                self.skip_from(index + 1);
                self.report.error = Some(SessionError::Cancelled);
                break;
            }
        }
        self.report.timing.commands = Some(started.elapsed());
        result
    }

    /// Says of a command that a text may have been taken for its output's end, where no other command's failure does.
    fn doubt(&mut self, planned: Option<&PlannedCommand>) {
        self.report.warnings.extend(planned.map(|planned| {
            format!(
                "the output of `{}` may lack its end: the prompt stood in two places with the next line behind it, and one of them is text; compare it with the device's own",
                planned.command.display()
            )
        }));
    }

    /// What the answer says of a command, and whether the session can go on: `Err(None)` after a late command.
    fn command_outcome(
        &self,
        planned: &PlannedCommand,
        outcome: Result<Printed, Stopped>,
        addr: &PeerAddr,
        lost_hop: Option<usize>,
    ) -> (CommandOutcome, Result<(), Option<SessionError>>) {
        let command = &planned.command;
        let mut done = CommandOutcome {
            command: command.display().to_owned(),
            filtered_by: command.filtered_by().map(crate::command::FilteredBy::name),
            ..CommandOutcome::default()
        };
        let stopped = match outcome {
            Ok(printed) => {
                done.truncated = printed.truncated;
                let uncertain = printed.echoed_again.then(|| CommandFailure {
                    code: "uncertain_output",
                    message: format!(
                        "command: {addr} printed its prompt with `{}` behind it in two places, and one of them is text: if it is the first, what stands before the second belongs to the command before; compare both with the device's own",
                        command.display()
                    ),
                });
                done.failure = uncertain.or_else(|| self.refusal(command, &printed.text));
                done.output = if done.failure.is_some() {
                    printed.text
                } else if command.is_filtered_here() {
                    self.filter(planned, printed.text, &mut done)
                } else {
                    printed.text
                };
                if done.failure.is_some() && command.is_filtered_here() {
                    done.filtered_by = None;
                }
                return (done, Ok(()));
            }
            Err(stopped) => stopped,
        };
        if command.is_filtered_here() {
            done.filtered_by = None;
        }
        done.output.clone_from(&stopped.printed.text);
        done.truncated = true;
        let late = *self.why(&stopped) == Why::Late;
        let error = match stopped.why {
            _ if late && self.job.clock.has_run_out() => Some(self.job.clock.error.clone()),
            _ if late => None,
            _ => Some(self.broken(addr, &stopped, lost_hop)),
        };
        done.failure = Some(match &error {
            Some(error) => CommandFailure { code: error.code(), message: error.to_string() },
            None => CommandFailure {
                code: "command_timeout",
                message: format!(
                    "command: {addr} did not finish `{}` within {} s ({} bytes came); raise `timeout` or filter the output",
                    command.display(),
                    planned.timeout.as_secs_f32(),
                    done.output.len(),
                ),
            },
        });
        (done, Err(error))
    }

    /// What is left of an output behind the service's own filters; all of it, if they take too long.
    fn filter(&self, planned: &PlannedCommand, text: String, done: &mut CommandOutcome) -> String {
        let until = Deadline::after(Instant::now(), FILTERS).or_earlier(self.job.clock.until);
        let is_late = || until.left(Instant::now()).is_none();
        let filtered = planned.command.apply_service_filters(&text, &is_late).map(Cow::into_owned);
        if let Ok(filtered) = filtered {
            done.whole = planned.parse.map(|_| text);
            return filtered;
        }
        done.failure = Some(CommandFailure {
            code: "filter_timeout",
            message: format!(
                "filter: the output of `{}` could not be filtered within {} s, and is there whole; use a simpler pattern",
                planned.command.display(),
                FILTERS.as_secs(),
            ),
        });
        text
    }

    /// The device's own refusal of a command, if its output is one.
    fn refusal(&self, command: &CheckedCommand, output: &str) -> Option<CommandFailure> {
        let errors = self.job.device.platform.errors();
        let marker = errors.find(output)?;
        // A line that lacks its end lacks it with any privilege.
        let may_lack_privilege = errors.hint_needs_enable()
            && self.job.credentials.enable_password.is_none()
            && !marker.to_ascii_lowercase().contains("incomplete");
        let hint = if may_lack_privilege {
            "; if the command is right, the user may lack the privilege: give `enable_password`, any text if `enable` asks for none"
        } else {
            ""
        };
        Some(CommandFailure {
            code: "cli_error",
            message: format!(
                "command: the device refused `{}`: {}{hint}",
                command.display(),
                excerpt(marker)
            ),
        })
    }

    /// Names the commands that were not run any more.
    fn skip_from(&mut self, first: usize) {
        for (index, planned) in self.job.commands.iter().enumerate().skip(first) {
            let outcome = CommandOutcome {
                command: planned.command.display().to_owned(),
                failure: Some(CommandFailure {
                    code: "not_run",
                    message: "command: not sent, because the session ended before its turn"
                        .to_owned(),
                }),
                ..CommandOutcome::default()
            };
            self.finished(index, planned, outcome);
        }
    }

    /// Hands a command in, with as much of its output as the request may hold. Gives the output's room if it is not
    /// needed any more.
    fn finished(
        &mut self,
        index: usize,
        planned: &PlannedCommand,
        mut outcome: CommandOutcome,
    ) -> String {
        outcome.truncated |= !self.job.allowance.keep(&mut outcome.output);
        // What is to be parsed is held too, until it has been.
        let whole_bytes = outcome.whole.as_ref().map_or(0, String::len);
        if outcome.truncated || !self.job.allowance.take(whole_bytes) {
            outcome.whole = None;
        }
        outcome.output_bytes = outcome.output.len();
        self.report.output_bytes += outcome.output_bytes;
        let mut room = String::new();
        if let Some(finish) = self.job.finish.filter(|_| planned.parse.is_none()) {
            room = finish(&mut outcome);
        } else {
            outcome.output.shrink_to_fit();
            outcome.whole.iter_mut().for_each(String::shrink_to_fit);
        }
        match &self.job.sink {
            Some(sink) => sink(index, outcome),
            None => self.report.commands.push(outcome),
        }
        room
    }

    /// Why a step stopped. At a deadline the socket may have been closed from outside.
    fn why<'s>(&self, stopped: &'s Stopped) -> &'s Why {
        match stopped.why {
            Why::Closed if self.lifeline.was_cut() == Some(Cut::Deadline) => &Why::Late,
            _ => &stopped.why,
        }
    }

    /// Why there was no prompt to type the first command at.
    fn no_prompt(
        &self,
        addr: &PeerAddr,
        stopped: &Stopped,
        lost_hop: Option<usize>,
    ) -> SessionError {
        match self.why(stopped) {
            Why::Late => SessionError::PromptTimeout {
                addr: addr.clone(),
                platform: self.job.device.platform.title().to_owned(),
                limit: self.job.limits.prompt,
                seen: match stopped.last_line.trim() {
                    "" => String::new(),
                    line => format!("; its last line was `{}`", excerpt(line)),
                },
            },
            Why::Closed => match full_house(stopped) {
                Some(said) => SessionError::SessionLimit { addr: addr.clone(), said },
                None => self.broken(addr, stopped, lost_hop),
            },
            _ => self.broken(addr, stopped, lost_hop),
        }
    }

    /// Why the session cannot go on.
    fn broken(&self, addr: &PeerAddr, stopped: &Stopped, lost_hop: Option<usize>) -> SessionError {
        if self.lifeline.was_cut() == Some(Cut::Cancelled) {
            return SessionError::Cancelled;
        }
        let platform = || self.job.device.platform.title().to_owned();
        match stopped.why {
            Why::EnableRejected => SessionError::EnableRejected { addr: addr.clone() },
            Why::ForbiddenPrompt(Forbidden::Configuration) => {
                SessionError::ConfigurationPrompt { addr: addr.clone() }
            }
            Why::ForbiddenPrompt(_) => {
                SessionError::ShellPrompt { addr: addr.clone(), platform: platform() }
            }
            Why::Question => SessionError::UnexpectedQuestion { addr: addr.clone() },
            Why::LateEcho => SessionError::LateEcho { addr: addr.clone() },
            Why::LoginRejected => SessionError::AuthRejected {
                addr: addr.clone(),
                method: "password",
                hint: " at the login in its terminal".to_owned(),
            },
            Why::NoPassword => SessionError::AuthMethod {
                addr: addr.clone(),
                offered: "a login by password in its terminal".to_owned(),
                given: given(&self.job.credentials),
            },
            Why::Closed | Why::Late if lost_hop.is_some() => {
                let is_running = self.report.timing.prompt.is_some();
                let phase = if is_running { Phase::Command } else { Phase::Login };
                SessionError::JumpLost { hop: lost_hop.unwrap_or_default(), phase }
            }
            Why::Closed | Why::Late if self.report.timing.prompt.is_some() => {
                SessionError::Disconnected {
                    addr: addr.clone(),
                    phase: Phase::Command,
                    hint: " in the middle of a command; what had come is in its output",
                }
            }
            Why::Closed | Why::Late | Why::LinesLost => SessionError::Disconnected {
                addr: addr.clone(),
                phase: Phase::Login,
                hint: " before its first prompt; check the user's rights and the device's session limits",
            },
        }
    }

    /// A socket closed from outside at a deadline looks like a hang-up to libssh2.
    pub(super) fn fault(&self, fault: Fault) -> Fault {
        match fault {
            Fault::Closed if self.lifeline.was_cut() == Some(Cut::Deadline) => Fault::Late,
            Fault::Failed { .. } if self.lifeline.was_cut().is_some() => Fault::Late,
            fault => fault,
        }
    }
}

/// The words by which a device says that all its sessions are taken, if it said some.
fn full_house(stopped: &Stopped) -> Option<String> {
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?ix) (?: session | connection ) \s limit
            | no \s (?:more | free | available) \s (?: sessions? | vty | lines? | user \s interfaces? )
            | max (?:imum)? (?: \s number \s of)? (?: \s (?:concurrent | telnet | ssh | user | vty | login))* \s (?: sessions | users | logins | connections )
            | too \s many (?: \s (?:concurrent | active | open | telnet | ssh | user))* \s (?: sessions | users | logins | connections )
            | all \s (?: lines | sessions | user \s interfaces | (?:available \s)? connections ) \s (?: are \s )? (?: in \s use | used | busy | occupied )
            | all \s vty \s lines",
        )
        .expect("the expression is a constant that a test compiles")
    });
    let said = [stopped.printed.text.as_str(), &stopped.last_line];
    said.into_iter()
        .find_map(|said| WORDS.find(said))
        .map(|words| words.as_str().to_ascii_lowercase())
}

/// A device's own words, made harmless and short.
fn excerpt(text: &str) -> String {
    text.trim()
        .chars()
        .take(120)
        .flat_map(char::escape_debug)
        .collect::<String>()
        .replace("\\'", "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_says_in_many_words_that_its_sessions_are_taken() {
        let said = |text: &str| {
            full_house(&Stopped {
                why: Why::Closed,
                printed: Printed { text: text.to_owned(), ..Printed::default() },
                last_line: String::new(),
            })
        };
        for text in [
            "% All user interfaces are used, please try later!",
            "Sorry, the maximum number of telnet sessions are active. Try again later.",
            "Maximum number of users already logged in",
            "% Connection limit reached",
            "Too many users logged in",
            "Too many logins for 'ops'.",
            "All sessions are in use",
            "There were too many concurrent user sessions",
            "no more vty available",
            "% No available VTY",
            "All VTY lines are busy",
        ] {
            assert!(said(text).is_some(), "{text}");
        }
        for text in
            ["", "Authorized users only", "The session will be recorded", "All rights reserved"]
        {
            assert_eq!(said(text), None, "{text}");
        }
    }
}
