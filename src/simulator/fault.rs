//! The ways in which a simulated device misbehaves: one table of name, variant and sentence.
//!
//! A fault says what a client sees. Where it is acted out: `raw` (below SSH), `packets` (SSH of our own), `wire` (the
//! bytes of the connection), `login` (SSH messages), `cli` (the terminal).

macro_rules! faults {
    ($($variant:ident $name:literal $says:literal)*) => {
        /// A misbehaviour. Several may be combined where that makes sense.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Fault {
            $(#[doc = $says] $variant,)*
        }

        const TABLE: &[(&str, Fault, &str)] = &[$(($name, Fault::$variant, $says)),*];
    };
}

faults! {
    AnsiPrompt "ansi_prompt" "The prompt is coloured, and the title of a terminal window is set."
    AuthAcknowledge "auth_acknowledge" "Keyboard-interactive only; before the password it wants its banner to be acknowledged."
    AuthDenied "auth_denied" "No login works, whatever the password."
    AuthPartial "auth_partial" "The password is right, and a key is wanted on top of it, or the other way round."
    AuthSilent "auth_silent" "Login never gets an answer."
    AuthSlow "auth_slow" "Login takes three seconds, as with a slow AAA server."
    AuthThreeSteps "auth_three_steps" "Keyboard-interactive only, with a second round that asks nothing and only informs."
    AuthToken "auth_token" "Keyboard-interactive only; behind the password it wants a token code that nobody has."
    ChangingPrompt "changing_prompt" "The host name in the prompt changes after the first command."
    ChannelRefused "channel_refused" "The device refuses a session channel."
    CloseAfterAuth "close_after_auth" "The connection closes when the login has worked."
    CloseAfterBanner "close_after_banner" "The connection closes behind the SSH version line."
    CloseAfterPrompt "close_after_prompt" "The session closes behind its first prompt."
    CloseAfterPty "close_after_pty" "The connection closes when a terminal is asked for."
    CloseAfterShell "close_after_shell" "The connection closes when a shell is asked for."
    CloseAtAccept "close_at_accept" "The connection closes as soon as it is accepted."
    CloseAtChannel "close_at_channel" "The connection closes when a session channel is asked for."
    CloseAtLogout "close_at_logout" "The connection breaks at the logout line, without a word of SSH."
    CloseBeforeAuth "close_before_auth" "The connection closes behind the key exchange."
    CloseBeforePrompt "close_before_prompt" "The session closes before the first prompt."
    CloseInAuth "close_in_auth" "The connection closes when it is given a password."
    CloseInKex "close_in_kex" "The connection closes in the middle of the key exchange."
    CloseInMotd "close_in_motd" "The session closes in the middle of the message of the day."
    CloseInOutput "close_in_output" "The connection closes in the middle of a command's output."
    CommandAuthorization "command_authorization" "An AAA server refuses every line but the logout."
    ConfigPrompt "config_prompt" "A command leaves the session at a configuration prompt."
    ConfirmQuestion "confirm_question" "A command ends with `[confirm]` instead of a prompt."
    CrCrLf "cr_cr_lf" "Lines end in CR CR LF."
    DebugBurst "debug_burst" "A thousand SSH debug messages come before the first prompt."
    Drip "drip" "One byte of the SSH handshake comes every half second."
    DroppedTypeAhead "dropped_type_ahead" "What is typed behind a line, before its prompt, is thrown away."
    EchoAtOnce "echo_at_once" "What is typed while a command prints is echoed into its output, and again at the prompt."
    EchoTwice "echo_twice" "Every line is echoed twice."
    EndlessOutput "endless_output" "Every command prints without end."
    FakeEcho "fake_echo" "The device's own prompt stands with the command behind it as a line within every output."
    FakePrompt "fake_prompt" "The device's own prompt stands as a line in the middle of every output."
    FakePromptPause "fake_prompt_pause" "The same, and the device pauses behind it before the line ends."
    FloodBeforeBanner "flood_before_banner" "Data without end instead of an SSH version line."
    FrozenCommand "frozen_command" "A command never ends."
    FrozenPager "frozen_pager" "The pager takes no key."
    FrozenShell "frozen_shell" "The first prompt comes, and nothing that is typed has any effect."
    GarbageInKex "garbage_in_kex" "Random bytes follow the SSH version line."
    HalfCloseInOutput "half_close_in_output" "In the middle of an output the device closes its side of the connection only."
    HugeOutput "huge_output" "Every command prints 100 MiB."
    HugePacket "huge_packet" "The first SSH packet says that it is 4 GiB long."
    IgnoreClose "ignore_close" "The device ends its output at the logout line and never closes anything."
    IgnoreFlood "ignore_flood" "SSH IGNORE messages without end instead of a key exchange."
    IgnoreFloodAfterLogin "ignore_flood_after_login" "SSH IGNORE messages without end once the login has worked."
    IgnoreLogout "ignore_logout" "The device does not hang up after the logout line."
    InvalidUtf8 "invalid_utf8" "The output holds bytes that are not UTF-8."
    KeyboardInteractiveOnly "keyboard_interactive_only" "The device offers keyboard-interactive only."
    LateTypeAhead "late_type_ahead" "What is typed behind a line, before its prompt, is read four seconds later."
    LfOnly "lf_only" "Lines end in LF alone."
    LinesBeforeVersion "lines_before_version" "Lines of text come before the SSH version line, as the protocol allows."
    LoginDialog "login_dialog" "The terminal asks something before the first prompt: a password change, a disclaimer."
    LogoutTwice "logout_twice" "The first logout line only leaves a level, the second ends the session."
    NoCommonCipher "no_common_cipher" "The device knows only a cipher that nobody speaks."
    NoCommonCompression "no_common_compression" "The device knows only a compression that nobody speaks."
    NoCommonHostKey "no_common_host_key" "The device has only a host key that nobody takes."
    NoCommonKeyExchange "no_common_key_exchange" "The device knows only key exchange that nobody should speak."
    NoCommonMac "no_common_mac" "The device knows only message authentication that nobody should speak."
    NoEcho "no_echo" "Nothing that is typed is echoed."
    NoPrompt "no_prompt" "The shell opens and shows nothing."
    NotSsh "not_ssh" "The port speaks HTTP."
    NulBytes "nul_bytes" "NUL bytes come before every prompt."
    OneBytePackets "one_byte_packets" "Everything on the terminal comes one byte a packet."
    PagingOffRefused "paging_off_refused" "The line that switches the pager off is refused."
    PasswordChange "password_change" "Keyboard-interactive only; behind the password it demands a new one."
    PasswordExpired "password_expired" "The password is right and has expired: SSH demands a new one before it lets anybody in."
    PasswordQuestion "password_question" "A command asks for a password."
    PromptArt "prompt_art" "The message of the day has lines that look like prompts."
    PtyRefused "pty_refused" "The device refuses a terminal."
    RedrawnEcho "redrawn_echo" "The device redraws prompt and line after everything that is typed."
    RekeyInOutput "rekey_in_output" "The device exchanges keys anew every 4 KiB."
    RequestFlood "request_flood" "A command prints nothing, and channel requests come without end."
    ResetInOutput "reset_in_output" "The connection is reset in the middle of a command's output."
    ScrolledEcho "scrolled_echo" "The terminal is 80 columns wide, and longer lines scroll to the left behind a `$`."
    SessionLimit "session_limit" "Says that all sessions are taken, and closes."
    ShellPrompt "shell_prompt" "A command leaves the session at a shell."
    ShellRefused "shell_refused" "The device refuses a shell."
    SilentPort "silent_port" "The port is open and says nothing."
    SlowOutput "slow_output" "Every output comes in four parts, a third of a second apart."
    SlowPrompt "slow_prompt" "The first prompt comes two seconds behind the message of the day."
    StrayMessages "stray_messages" "Behind the login come messages that nobody asked for, without end, with single bytes of output between them."
    SyslogAtPrompt "syslog_at_prompt" "A log message comes behind every prompt, and the prompt is shown again."
    SyslogBehindEcho "syslog_behind_echo" "A log message comes right behind the echo of every command."
    SyslogEatsPrompt "syslog_eats_prompt" "A log message comes behind the prompt of the first command, and no prompt is shown again."
    SyslogInOutput "syslog_in_output" "A log message comes in the middle of every output."
    UnprintedPrompt "unprinted_prompt" "Commands print, and no prompt ever follows the first."
    WidthRefused "width_refused" "The terminal is 80 columns wide and stays so; longer lines are broken."
    WrappedEcho "wrapped_echo" "Lines are echoed in pieces of 40 columns."
    WrongVersion "wrong_version" "The SSH version line is of another protocol version."
    YesNoQuestion "yes_no_question" "A command ends with `(y/n)` instead of a prompt."
}

impl Fault {
    /// The fault of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|(known, ..)| *known == name).map(|(_, fault, _)| *fault)
    }

    /// All names, in the order of the alphabet.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|(name, ..)| *name)
    }

    /// The name that [`Self::by_name`] takes.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().map_or("", |(name, ..)| name)
    }

    /// What a client sees, in a sentence.
    #[must_use]
    pub fn says(self) -> &'static str {
        self.row().map_or("", |(.., says)| says)
    }

    fn row(self) -> Option<&'static (&'static str, Self, &'static str)> {
        TABLE.iter().find(|(_, fault, _)| *fault == self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_find_their_faults_and_stand_in_order() {
        let names: Vec<_> = Fault::names().collect();
        assert!(names.is_sorted(), "the table is out of order");
        for name in names {
            let fault = Fault::by_name(name).unwrap();
            assert_eq!(fault.name(), name);
            assert!(fault.says().ends_with('.'), "{name}");
        }
        assert_eq!(Fault::by_name("nonsense"), None);
    }
}
