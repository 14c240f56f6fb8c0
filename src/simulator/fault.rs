//! The ways in which a simulated device misbehaves, each with a name for tests and for trying by hand.

/// A misbehaviour. Several may be combined where that makes sense.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The prompt is coloured, and the title of a terminal window is set.
    AnsiPrompt,
    /// Login takes three seconds, as with a slow AAA server.
    AuthSlow,
    /// Login never gets an answer.
    AuthSilent,
    /// The connection closes as soon as it is accepted.
    CloseAtAccept,
    /// The connection closes behind the SSH version line.
    CloseAfterBanner,
    /// The connection closes when the login has worked.
    CloseAfterAuth,
    /// The session closes before the first prompt.
    CloseBeforePrompt,
    /// The connection closes in the middle of a command's output.
    CloseInOutput,
    /// A command leaves the session at a configuration prompt.
    ConfigPrompt,
    /// A command ends with `[confirm]` instead of a prompt.
    ConfirmQuestion,
    /// Every line is echoed twice.
    EchoTwice,
    /// The device's own prompt stands as a line in the middle of every output.
    FakePrompt,
    /// Data without end instead of an SSH version line.
    FloodBeforeBanner,
    /// A command never ends.
    FrozenCommand,
    /// The device does not hang up after the logout line.
    IgnoreLogout,
    /// The output holds bytes that are not UTF-8.
    InvalidUtf8,
    /// The first logout line only leaves a level, the second ends the session.
    LogoutTwice,
    /// Nothing that is typed is echoed.
    NoEcho,
    /// The device knows only key exchange that nobody should speak.
    NoCommonKeyExchange,
    /// The shell opens and shows nothing.
    NoPrompt,
    /// The port speaks HTTP.
    NotSsh,
    /// The line that switches the pager off is refused.
    PagingOffRefused,
    /// A command asks for a password.
    PasswordQuestion,
    /// The message of the day has lines that look like prompts.
    PromptArt,
    /// The device refuses a terminal.
    PtyRefused,
    /// Says that all sessions are taken, and closes.
    SessionLimit,
    /// A command leaves the session at a shell.
    ShellPrompt,
    /// The device refuses a shell.
    ShellRefused,
    /// The port is open and says nothing.
    SilentPort,
    /// A log message comes in the middle of every output.
    SyslogInOutput,
    /// A log message comes right behind the echo of every command.
    SyslogBehindEcho,
    /// Lines are echoed in pieces of 40 columns.
    WrappedEcho,
    /// The SSH version line is of another protocol version.
    WrongVersion,
}

const NAMES: [(&str, Fault); 33] = [
    ("ansi_prompt", Fault::AnsiPrompt),
    ("auth_slow", Fault::AuthSlow),
    ("auth_silent", Fault::AuthSilent),
    ("close_at_accept", Fault::CloseAtAccept),
    ("close_after_banner", Fault::CloseAfterBanner),
    ("close_after_auth", Fault::CloseAfterAuth),
    ("close_before_prompt", Fault::CloseBeforePrompt),
    ("close_in_output", Fault::CloseInOutput),
    ("config_prompt", Fault::ConfigPrompt),
    ("confirm_question", Fault::ConfirmQuestion),
    ("echo_twice", Fault::EchoTwice),
    ("fake_prompt", Fault::FakePrompt),
    ("flood_before_banner", Fault::FloodBeforeBanner),
    ("frozen_command", Fault::FrozenCommand),
    ("ignore_logout", Fault::IgnoreLogout),
    ("invalid_utf8", Fault::InvalidUtf8),
    ("logout_twice", Fault::LogoutTwice),
    ("no_echo", Fault::NoEcho),
    ("no_common_key_exchange", Fault::NoCommonKeyExchange),
    ("no_prompt", Fault::NoPrompt),
    ("not_ssh", Fault::NotSsh),
    ("paging_off_refused", Fault::PagingOffRefused),
    ("password_question", Fault::PasswordQuestion),
    ("prompt_art", Fault::PromptArt),
    ("pty_refused", Fault::PtyRefused),
    ("session_limit", Fault::SessionLimit),
    ("shell_prompt", Fault::ShellPrompt),
    ("shell_refused", Fault::ShellRefused),
    ("silent_port", Fault::SilentPort),
    ("syslog_in_output", Fault::SyslogInOutput),
    ("syslog_behind_echo", Fault::SyslogBehindEcho),
    ("wrapped_echo", Fault::WrappedEcho),
    ("wrong_version", Fault::WrongVersion),
];

impl Fault {
    /// The fault of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, fault)| *fault)
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }
}
