//! Why a device session ended early. Every variant names its phase, the device, the cause and the way out.

use std::time::Duration;

use crate::device::PeerAddr;

/// Why a device gave nothing, or nothing more. No variant holds a secret: all may be logged and sent.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SessionError {
    /// The account may not log in this way.
    #[error(
        "authentication: {addr} offers only {offered} and the request gives {given}; give what the device takes"
    )]
    AuthMethod {
        /// The device.
        addr: PeerAddr,
        /// The methods the device listed.
        offered: String,
        /// What the request had.
        given: &'static str,
    },
    /// The device would say no again.
    #[error(
        "authentication: not tried, because {addr} has refused {what} {refused} times of late and might lock the account; check user name and password, and try again in {} s",
        .again_in.as_secs() + 1
    )]
    AuthPaused {
        /// The device.
        addr: PeerAddr,
        /// Whom or what it refused.
        what: &'static str,
        /// How often it refused.
        refused: usize,
        /// When it may be tried again.
        again_in: Duration,
    },
    /// The device said no.
    #[error(
        "authentication: {addr} refused the {method} of this user{hint}; check user name and {method} (one attempt was made)"
    )]
    AuthRejected {
        /// The device.
        addr: PeerAddr,
        /// `password`, `keyboard-interactive password`, `private key` or `certificate`.
        method: &'static str,
        /// Where it asked, or what is known of the certificate, in brackets; or nothing.
        hint: String,
    },
    /// No answer to the login in time.
    #[error(
        "authentication: {addr} gave no answer within {} s; its AAA server may be slow or unreachable",
        .limit.as_secs_f32()
    )]
    AuthTimeout {
        /// The device.
        addr: PeerAddr,
        /// The phase's limit.
        limit: Duration,
    },
    /// The port is open and silent.
    #[error(
        "handshake: {addr} accepted the connection but sent no SSH banner within {} s; check that the port is SSH and that the device has a free VTY line",
        .limit.as_secs_f32()
    )]
    BannerTimeout {
        /// The device.
        addr: PeerAddr,
        /// The phase's limit.
        limit: Duration,
    },
    /// Ended from outside.
    #[error("the session was cancelled: the caller went away or the service is stopping")]
    Cancelled,
    /// The device stands at a configuration prompt.
    #[error(
        "session: {addr} stands at a configuration prompt; the session was ended without an answer and nothing was configured"
    )]
    ConfigurationPrompt {
        /// The device.
        addr: PeerAddr,
    },
    /// The operator's credentials are for other devices.
    #[error(
        "credential: the set `{set}` is not for {device} ({rule}); the service's operator says which devices it is for"
    )]
    CredentialRefused {
        /// The set's name.
        set: String,
        /// Host and port.
        device: String,
        /// The rule that refused it.
        rule: &'static str,
    },
    /// The operator's credentials are not to be had.
    #[error(
        "credential: the secrets of the set `{set}` cannot be had ({reason}); the service's log says where it was looked"
    )]
    CredentialUnavailable {
        /// The set's name.
        set: String,
        /// The cause, without a place.
        reason: String,
    },
    /// Nobody listens.
    #[error(
        "connect: {addr} refused the connection; check the port and that SSH is enabled on the device"
    )]
    ConnectRefused {
        /// The device.
        addr: PeerAddr,
    },
    /// No way there.
    #[error("connect: {addr} cannot be reached ({reason}); check address, route and firewall")]
    ConnectFailed {
        /// The device.
        addr: PeerAddr,
        /// The system's word for it.
        reason: String,
    },
    /// Nothing came back.
    #[error("connect: no answer from {addr} within {} s; check address, route and firewall", .limit.as_secs_f32())]
    ConnectTimeout {
        /// The device.
        addr: PeerAddr,
        /// The phase's limit.
        limit: Duration,
    },
    /// All the time that one device may have is over.
    #[error(
        "device: {device} was not done within the {} s that one device may take; what had come is in its outputs",
        .limit.as_secs_f32()
    )]
    DeviceTimeout {
        /// Host and port.
        device: String,
        /// The limit over all phases and attempts.
        limit: Duration,
    },
    /// The device hung up.
    #[error("{phase}: {addr} closed the connection{hint}")]
    Disconnected {
        /// The device.
        addr: PeerAddr,
        /// What was going on.
        phase: Phase,
        /// What may help, beginning with `; `, or nothing.
        hint: &'static str,
    },
    /// `enable` did not lead to a privileged prompt.
    #[error(
        "enable: {addr} refused the enable password; check `enable_password` and the user's rights"
    )]
    EnableRejected {
        /// The device.
        addr: PeerAddr,
    },
    /// The SSH handshake broke.
    #[error("handshake: {addr} and Showrunner could not set up SSH ({reason})")]
    HandshakeFailed {
        /// The device.
        addr: PeerAddr,
        /// The SSH library's word for it.
        reason: String,
    },
    /// The SSH handshake did not end in time.
    #[error("handshake: {addr} did not finish the SSH handshake within {} s", .limit.as_secs_f32())]
    HandshakeTimeout {
        /// The device.
        addr: PeerAddr,
        /// The phase's limit.
        limit: Duration,
    },
    /// Another key than was named.
    #[error(
        "host key: {addr} showed {shown}, but {named_by} has {expected}; no password was sent. If the device's key was changed on purpose, give the new one; if it has keys of several types, give the type too"
    )]
    HostKeyChanged {
        /// The device.
        addr: PeerAddr,
        /// Type and fingerprint of the key it showed.
        shown: String,
        /// Those of the keys that were named.
        expected: String,
        /// Who named them.
        named_by: &'static str,
    },
    /// A key that must not be taken any more.
    #[error(
        "host key: {addr} showed {shown}, which known_hosts has revoked; no password was sent. Give the device a new key"
    )]
    HostKeyRevoked {
        /// The device.
        addr: PeerAddr,
        /// Type and fingerprint of the key it showed.
        shown: String,
    },
    /// A key that nobody named, where one must be.
    #[error(
        "host key: {addr} showed {shown}, and neither the request nor known_hosts names a key for it{hint}; no password was sent. Compare it with the device's own and give it as `host_key`"
    )]
    HostKeyUnknown {
        /// The device.
        addr: PeerAddr,
        /// Type and fingerprint of the key it showed.
        shown: String,
        /// What else there is to say, beginning with `; `, or nothing.
        hint: String,
    },
    /// A key that was not named by those whose word a credential set asks for.
    #[error(
        "host key: {addr} showed {shown}, and this credential set goes only to devices whose key {by} names; no password was sent. Have the service's operator put the key into known_hosts"
    )]
    HostKeyUnproven {
        /// The device.
        addr: PeerAddr,
        /// Type and fingerprint of the key it showed.
        shown: String,
        /// Who must name it.
        by: &'static str,
    },
    /// A fault of our own.
    #[error(
        "internal: the session ended by a fault of Showrunner itself; the log has more under this request id"
    )]
    Internal,
    /// A host on the way failed.
    #[error("jump: hop {hop} of {of} failed: {cause}")]
    JumpFailed {
        /// Which, from 1.
        hop: usize,
        /// How many there are.
        of: usize,
        /// Why.
        cause: Box<SessionError>,
    },
    /// A host on the way hung up.
    #[error(
        "jump: the connection to hop {hop} broke during {phase}; what had come is in the outputs"
    )]
    JumpLost {
        /// Which, from 1.
        hop: usize,
        /// What was going on with the device.
        phase: Phase,
    },
    /// A host on the way does not lead on.
    #[error(
        "jump: hop {hop} ({addr}) does not forward connections to {target}; allow it there for this user (in OpenSSH AllowTcpForwarding and PermitOpen)"
    )]
    JumpRefused {
        /// Which, from 1.
        hop: usize,
        /// Its address.
        addr: PeerAddr,
        /// Where it was asked to connect to.
        target: PeerAddr,
    },
    /// The key in the request is no key.
    #[error(
        "authentication: the private key cannot be used ({reason}); give an OpenSSH or PEM key and its passphrase"
    )]
    KeyUnusable {
        /// What its form says, or the SSH library.
        reason: String,
    },
    /// Its outputs cannot be told apart.
    #[error(
        "session: {addr} seemed not to echo what is typed and then did, seconds late: which output belongs to which command was not certain any more, and the session was ended; the device is very slow, try again when it is less busy"
    )]
    LateEcho {
        /// The device.
        addr: PeerAddr,
    },
    /// The two sides share no algorithm.
    #[error(
        "handshake: {addr} and Showrunner have no SSH algorithm in common under the `{profile}` profile{hint}"
    )]
    NoCommonAlgorithm {
        /// The device.
        addr: PeerAddr,
        /// The profile of the request.
        profile: &'static str,
        /// Both sides' lists and what may help, beginning with `; `.
        hint: String,
    },
    /// The operator's SSH configuration has a way that cannot be gone.
    #[error(
        "jump: the service's SSH configuration has no usable way to {host} ({reason}); its operator can mend that, or give `jump`"
    )]
    NoWay {
        /// The device.
        host: String,
        /// Why, with file and line.
        reason: String,
    },
    /// Something else answers on this port.
    #[error("handshake: what listens at {addr} does not speak SSH; check the port")]
    NotSsh {
        /// The device.
        addr: PeerAddr,
    },
    /// The device wants a new password first.
    #[error(
        "authentication: {addr} demands a password change for this user; change it on the device first"
    )]
    PasswordExpired {
        /// The device.
        addr: PeerAddr,
    },
    /// No prompt came.
    #[error(
        "prompt: {addr} showed no {platform} prompt within {} s{seen}; check `os`",
        .limit.as_secs_f32()
    )]
    PromptTimeout {
        /// The device.
        addr: PeerAddr,
        /// The platform whose prompts were waited for.
        platform: String,
        /// The phase's limit.
        limit: Duration,
        /// The last line on the screen, escaped and cut, beginning with `; `, or nothing.
        seen: String,
    },
    /// No permit came in time.
    #[error(
        "queue: {device} had no turn within {} s, {cause}",
        .limit.as_secs_f32()
    )]
    QueueTimeout {
        /// Host and port.
        device: String,
        /// The longest wait.
        limit: Duration,
        /// What it waited for, and what to do.
        cause: &'static str,
    },
    /// All the time that a request may have is over.
    #[error(
        "request: {device} was not done when the {} s were over that one request may take; ask for fewer devices at once",
        .limit.as_secs_f32()
    )]
    RequestTimeout {
        /// Host and port.
        device: String,
        /// The limit of the whole request.
        limit: Duration,
    },
    /// The name did not resolve.
    #[error("resolve: {host} has no address ({reason}); check the name and the service's DNS")]
    ResolveFailed {
        /// The name.
        host: String,
        /// The resolver's word for it.
        reason: String,
    },
    /// The resolver did not answer.
    #[error("resolve: no answer for {host} within {} s; check the service's DNS", .limit.as_secs_f32())]
    ResolveTimeout {
        /// The name.
        host: String,
        /// The phase's limit.
        limit: Duration,
    },
    /// All lines of the device are taken.
    #[error("login: {addr} has no free session ({said}); log others out or ask again later")]
    SessionLimit {
        /// The device.
        addr: PeerAddr,
        /// What it said: the known words only.
        said: String,
    },
    /// No terminal to be had.
    #[error("login: {addr} gives no terminal to this user ({reason}); check the user's rights")]
    ShellRefused {
        /// The device.
        addr: PeerAddr,
        /// The SSH library's word for it.
        reason: String,
    },
    /// The device stands at a shell or another prompt that no reading session has business at.
    #[error(
        "session: {addr} stands at a prompt of another kind than {platform}'s; the session was ended without an answer; check `os` and the user's login shell"
    )]
    ShellPrompt {
        /// The device.
        addr: PeerAddr,
        /// The platform whose prompt was expected.
        platform: String,
    },
    /// The settings do not let the service go there.
    #[error(
        "target: {device} is not allowed ({rule}); the service's settings decide which targets are"
    )]
    TargetRefused {
        /// Host and port.
        device: String,
        /// The rule that refused it.
        rule: &'static str,
    },
    /// The terminal did not open in time.
    #[error("login: {addr} opened no terminal within {} s", .limit.as_secs_f32())]
    TerminalTimeout {
        /// The device.
        addr: PeerAddr,
        /// The phase's limit.
        limit: Duration,
    },
    /// The device asks something.
    #[error(
        "session: {addr} asks a question instead of showing its prompt; it got no answer and the session was ended"
    )]
    UnexpectedQuestion {
        /// The device.
        addr: PeerAddr,
    },
}

impl SessionError {
    /// The wire code. Codes are API: add, never rename.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::AuthMethod { .. } => "auth_method_unsupported",
            Self::AuthPaused { .. } => "auth_paused",
            Self::AuthRejected { .. } => "auth_rejected",
            Self::AuthTimeout { .. } => "auth_timeout",
            Self::BannerTimeout { .. } => "banner_timeout",
            Self::Cancelled => "cancelled",
            Self::ConfigurationPrompt { .. } => "configuration_prompt",
            Self::ConnectRefused { .. } => "connection_refused",
            Self::ConnectFailed { .. } => "connection_failed",
            Self::ConnectTimeout { .. } => "connect_timeout",
            Self::CredentialRefused { .. } => "credential_refused",
            Self::CredentialUnavailable { .. } => "credential_unavailable",
            Self::DeviceTimeout { .. } => "device_timeout",
            Self::Disconnected { .. } => "disconnected",
            Self::EnableRejected { .. } => "enable_rejected",
            Self::HandshakeFailed { .. } => "handshake_failed",
            Self::HandshakeTimeout { .. } => "handshake_timeout",
            Self::HostKeyChanged { .. } => "host_key_changed",
            Self::HostKeyRevoked { .. } => "host_key_revoked",
            Self::HostKeyUnknown { .. } => "host_key_unknown",
            Self::HostKeyUnproven { .. } => "host_key_unproven",
            Self::Internal => "internal_error",
            Self::JumpFailed { .. } => "jump_failed",
            Self::JumpLost { .. } => "jump_disconnected",
            Self::JumpRefused { .. } => "jump_forwarding_refused",
            Self::KeyUnusable { .. } => "key_unusable",
            Self::LateEcho { .. } => "late_echo",
            Self::NoCommonAlgorithm { .. } => "no_common_algorithm",
            Self::NoWay { .. } => "jump_unusable",
            Self::NotSsh { .. } => "not_ssh",
            Self::PasswordExpired { .. } => "password_expired",
            Self::PromptTimeout { .. } => "prompt_timeout",
            Self::QueueTimeout { .. } => "queue_timeout",
            Self::RequestTimeout { .. } => "request_timeout",
            Self::ResolveFailed { .. } => "resolve_failed",
            Self::ResolveTimeout { .. } => "resolve_timeout",
            Self::SessionLimit { .. } => "session_limit",
            Self::ShellPrompt { .. } => "shell_prompt",
            Self::ShellRefused { .. } => "shell_refused",
            Self::TargetRefused { .. } => "target_refused",
            Self::TerminalTimeout { .. } => "terminal_timeout",
            Self::UnexpectedQuestion { .. } => "unexpected_question",
        }
    }
}

impl SessionError {
    /// True if a phase had not enough time.
    #[must_use]
    pub fn is_lateness(&self) -> bool {
        if let Self::JumpFailed { cause, .. } = self {
            return cause.is_lateness();
        }
        matches!(
            self,
            Self::AuthTimeout { .. }
                | Self::BannerTimeout { .. }
                | Self::ConnectTimeout { .. }
                | Self::HandshakeTimeout { .. }
                | Self::PromptTimeout { .. }
                | Self::ResolveTimeout { .. }
                | Self::TerminalTimeout { .. }
        )
    }
}

/// What a session was doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// A jump host's connection to the next peer.
    Connect,
    /// SSH version and key exchange.
    Handshake,
    /// User, password, key.
    Authentication,
    /// Terminal, banners, in-band login, first prompt, preparation lines.
    Login,
    /// A show command.
    Command,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Handshake => "handshake",
            Self::Authentication => "authentication",
            Self::Login => "login",
            Self::Command => "command",
        })
    }
}
