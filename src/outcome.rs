//! What came of a request, per device and per command. The answer's wire form is made of these.

use std::time::{Duration, SystemTime};

use crate::catalog::{Parser, Records};

/// What came of one command.
#[derive(Clone, Debug, Default)]
pub struct CommandOutcome {
    /// The command as the answer shows it.
    pub command: String,
    /// The text the device printed, cleaned and filtered; kept even if the command failed.
    pub output: String,
    /// How long that text is, also when it has been written.
    pub output_bytes: usize,
    /// The text before the service filtered it, until it has been read; none if the request may not hold so much.
    pub whole: Option<String>,
    /// Why the command failed, if it did.
    pub failure: Option<CommandFailure>,
    /// The records read from the output, if they were asked for and could be read.
    pub parsed: Option<Records>,
    /// Bytes that the records take of what the request may hold.
    pub records_bytes: usize,
    /// Why there are no records although they were asked for.
    pub parse_error: Option<String>,
    /// What read the records, or tried to.
    pub parser: Option<Parser>,
    /// How long the parse took, if there was one.
    pub parse_duration: Option<Duration>,
    /// The output was longer than the limit and has lost its end, or the device stopped in the middle of it.
    pub truncated: bool,
    /// From the command's being sent to its prompt's being back.
    pub duration: Duration,
    /// Where the filters were applied: `device` or `service`.
    pub filtered_by: Option<&'static str>,
    /// All of this as JSON for a whole answer, with a comma behind it, if that was written: output and records are in it and
    /// not here any more.
    pub written: Option<Vec<u8>>,
}

impl CommandOutcome {
    /// Bytes that it takes of what the request may hold.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.output.len() + self.records_bytes
    }
}

/// Whole milliseconds, as answers, logs and the audit stream have them.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Why a command failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CommandFailure {
    /// The wire code.
    pub code: &'static str,
    /// One sentence: phase, cause, what to do.
    pub message: String,
}

/// What came of one device.
#[derive(Clone, Debug)]
pub struct DeviceOutcome {
    /// The host as the request had it.
    pub hostname: String,
    /// The platform as the request had it.
    pub os: String,
    /// TCP port.
    pub port: u16,
    /// Commands in the request's order; those of a device that could not be logged in to are missing.
    pub commands: Vec<CommandOutcome>,
    /// Why the session failed or broke, if it did.
    pub failure: Option<CommandFailure>,
    /// From the device's turn to its end.
    pub duration: Duration,
    /// When it ended, by the wall clock.
    pub ended: SystemTime,
    /// The phases of that, of the last attempt.
    pub timing: Timing,
    /// Connections that were tried.
    pub attempts: u32,
    /// The key the device showed, if it came to that.
    pub host_key: Option<HostKey>,
    /// What was agreed on with the device, if it came to that.
    pub algorithms: Option<Algorithms>,
    /// What did not go as planned without doing harm.
    pub warnings: Vec<String>,
}

/// How long each phase of a session took; `None` for a phase that was not reached.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timing {
    /// Waiting for a permit.
    pub queue: Option<Duration>,
    /// Name to addresses.
    pub resolve: Option<Duration>,
    /// All of the hosts on the way, up to their logins.
    pub jump: Option<Duration>,
    /// TCP.
    pub connect: Option<Duration>,
    /// SSH versions and keys.
    pub handshake: Option<Duration>,
    /// Login.
    pub authenticate: Option<Duration>,
    /// Terminal, banners, first prompt, `enable`, preparation lines.
    pub prompt: Option<Duration>,
    /// All commands.
    pub commands: Option<Duration>,
    /// Logout.
    pub logout: Option<Duration>,
}

/// The algorithms of a session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Algorithms {
    /// The profile that was offered.
    pub profile: &'static str,
    /// Key exchange method.
    pub key_exchange: String,
    /// Host key algorithm.
    pub host_key: String,
    /// Cipher towards the device.
    pub cipher: String,
    /// Message authentication code towards the device; `None` if the cipher brings its own.
    pub mac: Option<String>,
}

/// The key a device showed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostKey {
    /// The algorithm it was used with.
    pub algorithm: String,
    /// `SHA256:…`, as OpenSSH prints it.
    pub fingerprint: String,
    /// True if it was compared with a key that was known before.
    pub verified: bool,
}
