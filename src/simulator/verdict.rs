//! What Showrunner says of a device with one of the faults: one table for the tests, the soak and the documents.
//!
//! It is what a caller may rely on, written down by hand and held by running every fault; no code is made of it.

use std::fmt::Write as _;

use super::fault::Fault;

/// What comes of a session with a device that has one fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// Where the answer says what.
    pub outcome: Outcome,
    /// What ends the session if the device does not.
    pub limit: Limit,
}

/// What is in the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Everything was read; there is no error.
    Read,
    /// Everything was read, and outputs are cut at the bound of one output.
    Cut,
    /// The session is in order, and every command has this code with the device's words as its output.
    Refused(&'static str),
    /// The session was in order until the first command was late: it has this code and what had come.
    Late(&'static str),
    /// The session broke in the first command: device and command have this code, the command what had come.
    Broken(&'static str),
    /// There was no session to type a command in: the device has this code and no commands.
    NoSession(&'static str),
}

/// The limit that a device which never goes on runs into.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    /// None: the device answers or breaks by itself.
    None,
    /// `SHOWRUNNER_HANDSHAKE_TIMEOUT`.
    Handshake,
    /// `SHOWRUNNER_AUTHENTICATE_TIMEOUT`.
    Authentication,
    /// `SHOWRUNNER_PROMPT_TIMEOUT`.
    Prompt,
    /// The request's `timeout`.
    Command,
}

impl Outcome {
    /// The `error_code` of the device, or of its command; `None` if all went well.
    #[must_use]
    pub fn error_code(self) -> Option<&'static str> {
        match self {
            Self::Read | Self::Cut => None,
            Self::Refused(code) | Self::Late(code) | Self::Broken(code) | Self::NoSession(code) => {
                Some(code)
            }
        }
    }

    /// What the caller has in his hands.
    #[must_use]
    pub fn says(self) -> &'static str {
        match self {
            Self::Read => "all outputs, whole",
            Self::Cut => {
                "the outputs up to `SHOWRUNNER_MAX_OUTPUT_BYTES`, `truncated: true`; `command_timeout` if the rest does not come in time"
            }
            Self::Refused(_) => "the device's words as each command's output; the session goes on",
            Self::Late(_) => {
                "what had come of the command, `truncated: true`; the others `not_run`"
            }
            Self::Broken(_) => {
                "what had come of the command, `truncated: true`; the others `not_run`; the device failed"
            }
            Self::NoSession(_) => "no outputs; the device failed",
        }
    }
}

impl Limit {
    /// Its setting or field.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Handshake => "`SHOWRUNNER_HANDSHAKE_TIMEOUT`",
            Self::Authentication => "`SHOWRUNNER_AUTHENTICATE_TIMEOUT`",
            Self::Prompt => "`SHOWRUNNER_PROMPT_TIMEOUT`",
            Self::Command => "`timeout`",
        }
    }
}

impl Fault {
    /// What comes of a session with a device that has this fault and no other.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        use Limit::{Authentication, Command, Handshake, Prompt};
        use Outcome::{Broken, Cut, Late, NoSession, Read, Refused};
        let (outcome, limit) = match self {
            Self::AnsiPrompt
            | Self::AuthAcknowledge
            | Self::AuthSlow
            | Self::AuthThreeSteps
            | Self::ChangingPrompt
            | Self::CloseAtLogout
            | Self::CrCrLf
            | Self::DebugBurst
            | Self::DroppedTypeAhead
            | Self::EchoAtOnce
            | Self::EchoTwice
            | Self::FakePrompt
            | Self::FakePromptPause
            | Self::FrozenPager
            | Self::IgnoreClose
            | Self::IgnoreLogout
            | Self::InvalidUtf8
            | Self::KeyboardInteractiveOnly
            | Self::LateTypeAhead
            | Self::LfOnly
            | Self::LinesBeforeVersion
            | Self::LogoutTwice
            | Self::NoEcho
            | Self::NulBytes
            | Self::OneBytePackets
            | Self::PagingOffRefused
            | Self::PromptArt
            | Self::RedrawnEcho
            | Self::RekeyInOutput
            | Self::ScrolledEcho
            | Self::SlowOutput
            | Self::SlowPrompt
            | Self::SyslogAtPrompt
            | Self::SyslogBehindEcho
            | Self::SyslogEatsPrompt
            | Self::SyslogInOutput
            | Self::WidthRefused
            | Self::WrappedEcho => (Read, Limit::None),
            Self::HugeOutput => (Cut, Command),
            Self::CommandAuthorization => (Refused("cli_error"), Limit::None),
            Self::FakeEcho => (Refused("uncertain_output"), Limit::None),
            Self::EndlessOutput | Self::FrozenCommand | Self::RequestFlood => {
                (Late("command_timeout"), Command)
            }
            Self::CloseInOutput | Self::HalfCloseInOutput | Self::ResetInOutput => {
                (Broken("disconnected"), Limit::None)
            }
            Self::ConfigPrompt => (Broken("configuration_prompt"), Limit::None),
            Self::ShellPrompt => (Broken("shell_prompt"), Limit::None),
            Self::ConfirmQuestion | Self::PasswordQuestion | Self::YesNoQuestion => {
                (Broken("unexpected_question"), Limit::None)
            }
            Self::SilentPort => (NoSession("banner_timeout"), Handshake),
            Self::NotSsh => (NoSession("not_ssh"), Limit::None),
            Self::FloodBeforeBanner => (NoSession("not_ssh"), Handshake),
            Self::Drip | Self::IgnoreFlood => (NoSession("handshake_timeout"), Handshake),
            Self::GarbageInKex | Self::HugePacket | Self::WrongVersion => {
                (NoSession("handshake_failed"), Limit::None)
            }
            Self::NoCommonCipher
            | Self::NoCommonCompression
            | Self::NoCommonHostKey
            | Self::NoCommonKeyExchange
            | Self::NoCommonMac => (NoSession("no_common_algorithm"), Limit::None),
            Self::CloseAfterAuth
            | Self::CloseAfterBanner
            | Self::CloseAfterPrompt
            | Self::CloseAfterPty
            | Self::CloseAfterShell
            | Self::CloseAtAccept
            | Self::CloseAtChannel
            | Self::CloseBeforeAuth
            | Self::CloseBeforePrompt
            | Self::CloseInAuth
            | Self::CloseInKex
            | Self::CloseInMotd => (NoSession("disconnected"), Limit::None),
            // libssh2 reports the demand for a new password as a refusal of the old one.
            Self::AuthDenied | Self::AuthPartial | Self::AuthToken | Self::PasswordExpired => {
                (NoSession("auth_rejected"), Limit::None)
            }
            Self::AuthSilent => (NoSession("auth_timeout"), Authentication),
            Self::PasswordChange => (NoSession("password_expired"), Limit::None),
            Self::ChannelRefused | Self::PtyRefused | Self::ShellRefused => {
                (NoSession("shell_refused"), Limit::None)
            }
            Self::IgnoreFloodAfterLogin => (NoSession("terminal_timeout"), Prompt),
            Self::StrayMessages => (NoSession("prompt_timeout"), Prompt),
            Self::SessionLimit => (NoSession("session_limit"), Limit::None),
            Self::LoginDialog => (NoSession("unexpected_question"), Limit::None),
            Self::FrozenShell | Self::NoPrompt | Self::UnprintedPrompt => {
                (NoSession("prompt_timeout"), Prompt)
            }
        };
        Verdict { outcome, limit }
    }

    /// All faults and their verdicts as a table in Markdown.
    #[must_use]
    pub fn markdown() -> String {
        let mut text = String::from(
            "| fault | what the device does | `error_code` | ended by | what the caller gets |\n| --- | --- | --- | --- | --- |\n",
        );
        for fault in Self::names().filter_map(Self::by_name) {
            let Verdict { outcome, limit } = fault.verdict();
            let code = outcome.error_code().map_or(String::new(), |code| format!("`{code}`"));
            let _ = writeln!(
                text,
                "| `{}` | {} | {code} | {} | {} |",
                fault.name(),
                fault.says(),
                limit.name(),
                outcome.says(),
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reliability.md");
    const BEGIN: &str = "<!-- made of src/simulator/fault.rs and verdict.rs -->\n";
    const END: &str = "<!-- up to here -->\n";

    #[test]
    fn the_table_in_the_document_is_this_one() {
        let kept = std::fs::read_to_string(FILE).unwrap_or_default();
        let (before, rest) = kept.split_once(BEGIN).expect("the document has a place for it");
        let (table, after) = rest.split_once(END).expect("the place has an end");
        let made = Fault::markdown();
        if std::env::var_os("UPDATE_DOCS").is_some() && table != made {
            std::fs::write(FILE, [before, BEGIN, &made, END, after].concat()).unwrap();
            return;
        }
        assert!(table == made, "docs/reliability.md has another table: run with UPDATE_DOCS=1");
    }

    #[test]
    fn every_code_of_a_verdict_is_one_that_callers_are_told_of() {
        for fault in Fault::names().filter_map(Fault::by_name) {
            if let Some(code) = fault.verdict().outcome.error_code() {
                assert!(crate::codes::find(code).is_some(), "{}: {code}", fault.name());
            }
        }
    }
}
