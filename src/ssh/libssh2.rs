//! The only file that names libssh2: a connected, authenticated terminal with deadlines it keeps.
//!
//! libssh2 runs non-blocking here and this file waits on the socket, so that a deadline is a deadline of the
//! whole step and not of one call. What even that cannot end (a peer that never stops sending before its SSH
//! banner) ends by the [`Lifeline`].

use std::{
    cell::Cell,
    io::{self, Read, Write},
    mem::MaybeUninit,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use regex::Regex;
use rustix::{
    buffer::Buffer,
    event::{PollFd, PollFlags, Timespec, poll},
    net::{RecvFlags, Shutdown},
};
use ssh2::{
    BlockDirections, ErrorCode, ExtendedData, KeyboardInteractivePrompt, MethodType, Session,
};

use super::{
    acquaintance::{Methods, Paused, Shown},
    key_form,
    offer::{self, Offer, Reading},
    pump::{Carrier, Over, Pump},
    socket::{self, Socket},
    transport::{Arrived, Broken, Transport},
};
use crate::{
    certificate::Certificate,
    deadline::Deadline,
    device::{Credentials, PeerAddr, PrivateKey},
    host_key::PublicKey,
    outcome::Algorithms,
    output::terminal,
    profile::SshProfile,
    secret::Secret,
};

const WOULD_BLOCK: i32 = -37;
/// libssh2's code for every fault before both sides have agreed on algorithms.
const KEY_EXCHANGE: i32 = -5;
/// A list of algorithms is longer, a version line is shorter.
const LEAST_KEXINIT_BYTES: u64 = 200;
/// More than any offer has.
const OFFER_BYTES: usize = 16 * 1024;
/// What is kept of a peer's first bytes.
const GREETING_BYTES: usize = 64;
/// An answer that libssh2 did not expect, or none.
const PROTOCOL: i32 = -14;
/// The peer refused to open a channel.
const CHANNEL_FAILURE: i32 = -21;
/// No algorithm that both the peer and a key know.
const NO_SIGNATURE: i32 = -17;
/// libssh2's word for a key that it cannot use.
const KEY_UNUSABLE: i32 = -16;
/// More than all that a peer sends without anything to be delivered: libssh2 keeps every message that it does not expect.
const MOST_UNDELIVERED_BYTES: u64 = 8 << 20;
/// Bytes on the wire for each that is delivered: there are devices that write small packets, and some that begin with packets of one byte.
const WIRE_BYTES: u64 = 8;
const FIRST_WIRE_BYTES: u64 = 64;
/// How many delivered bytes may be single ones.
const MOST_FIRST_BYTES: u64 = 256 << 10;
/// What libssh2 takes at a time of a stream whose packets are sealed: where a buffer ends within one, it reads no more. Others
/// it reads until nothing is left.
const SEALED_READ_BYTES: u64 = 35_000;
/// Waited for the socket before libssh2 is asked whether it has something itself.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const TERMINAL_ROWS: u32 = 1000;

thread_local! {
    static NEXT: Cell<Option<Session>> = const { Cell::new(None) };
}

/// Makes the state of this thread's next session: 84 KB in one piece, that find their place where the last session's
/// were. Later other things would lie in the middle of it, and new memory would have to be asked for.
pub fn prepare_next() {
    NEXT.set(Session::new().ok());
}

/// Why a step on the connection did not get done.
#[derive(Debug)]
pub enum Fault {
    /// The step's deadline passed.
    Late,
    /// The peer closed the connection.
    Closed,
    /// libssh2's code and its word for it; no device text.
    Failed {
        /// `LIBSSH2_ERROR_…`
        code: i32,
        /// libssh2's message.
        reason: String,
    },
}

impl Fault {
    fn from_library(error: &ssh2::Error) -> Self {
        match error.code() {
            ErrorCode::Session(-9 | -30) => Self::Late,
            // Disconnect, receive and send failures, closed sockets: the peer is gone.
            ErrorCode::Session(-13 | -43 | -7 | -45) => Self::Closed,
            ErrorCode::Session(code) | ErrorCode::SFTP(code) => {
                Self::Failed { code, reason: error.message().to_owned() }
            }
        }
    }
}

/// How a login ended that did not fail on the wire.
#[derive(Debug)]
pub enum Login {
    /// Logged in.
    Done,
    /// The device said no to this method.
    Rejected(&'static str),
    /// The device lists none of the methods that the credentials could serve.
    NotOffered(String),
    /// The device wants a new password.
    PasswordExpired,
    /// The key could not be read.
    KeyUnusable(String),
    /// What the device would have to be shown may not be sent now.
    NotSent(Paused),
}

/// How to log in, with what of the credentials.
#[derive(Clone, Copy, Debug)]
enum Method<'c> {
    PublicKey(&'c PrivateKey),
    Password(&'c Secret),
    KeyboardInteractive(&'c Secret),
}

impl<'c> Method<'c> {
    /// The best that both sides know.
    fn choose(credentials: &'c Credentials, listed: Methods) -> Option<Self> {
        match (&credentials.private_key, &credentials.password) {
            (Some(key), _) if listed.public_key => Some(Self::PublicKey(key)),
            (_, Some(password)) if listed.password => Some(Self::Password(password)),
            (_, Some(password)) if listed.keyboard_interactive => {
                Some(Self::KeyboardInteractive(password))
            }
            _ => None,
        }
    }

    fn shown(self) -> Shown {
        match self {
            Self::PublicKey(_) => Shown::Keys,
            Self::Password(_) | Self::KeyboardInteractive(_) => Shown::Password,
        }
    }

    fn is(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

/// A TCP connection with SSH on it, not yet logged in or without a terminal.
pub struct Connection {
    session: Session,
    path: Path,
    /// The first bytes the peer sent, as far as they were there at once.
    greeting: Vec<u8>,
    /// What the peer offers, if that was seen.
    offer: Option<Offer>,
    /// Bytes that were there to be read during the handshake, at the least.
    arrived: u64,
    sent: Option<Shown>,
}

impl Connection {
    /// Takes over the way to a peer; `host_keys` are the host key algorithms to offer, preferred first.
    ///
    /// # Errors
    /// The system has no memory or descriptors left.
    pub fn new(path: Path, profile: SshProfile, host_keys: &str) -> io::Result<Self> {
        let mut session = NEXT.take().map_or_else(Session::new, Ok)?;
        session.set_blocking(false);
        for (kind, names) in [
            (MethodType::Kex, profile.key_exchange()),
            (MethodType::HostKey, host_keys),
            (MethodType::CryptCs, profile.ciphers()),
            (MethodType::CryptSc, profile.ciphers()),
            (MethodType::MacCs, profile.macs()),
            (MethodType::MacSc, profile.macs()),
        ] {
            session.method_pref(kind, names)?;
        }
        session.set_tcp_stream(Arc::clone(&path.socket));
        Ok(Self { session, path, greeting: Vec::new(), offer: None, arrived: 0, sent: None })
    }

    /// Exchanges versions and keys.
    ///
    /// # Errors
    /// [`Connection::is_silent`] and [`Connection::speaks_ssh`] tell what kind of peer it was.
    pub fn handshake(&mut self, until: Deadline) -> Result<(), Fault> {
        self.arrived = rustix::io::ioctl_fionread(&self.path.socket).unwrap_or_default();
        loop {
            let result = self.session.handshake();
            socket::hold_back(&self.path.socket, false);
            match result {
                Ok(()) => {
                    let cipher = self.session.methods(MethodType::CryptSc);
                    self.path.is_sealed = cipher.is_some_and(offer::is_authenticating);
                    return Ok(());
                }
                Err(error) if error.code() == ErrorCode::Session(WOULD_BLOCK) => {
                    // A quick peer's version line has been taken already.
                    refuse_version_1(self.session.banner_bytes().unwrap_or_default())?;
                    self.path.wait(&self.session, until)?;
                    self.look_ahead()?;
                    // The version line has left by itself: there are servers that read nothing behind it.
                    socket::hold_back(&self.path.socket, true);
                }
                Err(error) => {
                    // One code for "it hung up" and "nothing in common": without its list it hung up.
                    let agreeing = error.code() == ErrorCode::Session(KEY_EXCHANGE);
                    if agreeing && self.has_ended() && self.arrived < LEAST_KEXINIT_BYTES {
                        return Err(Fault::Closed);
                    }
                    return Err(Fault::from_library(&error));
                }
            }
        }
    }

    /// Looks at what libssh2 is about to read: the peer's first bytes, and its offer, which libssh2 does not repeat.
    fn look_ahead(&mut self) -> Result<(), Fault> {
        if self.offer.is_some() {
            return Ok(());
        }
        let mut room = [MaybeUninit::uninit(); OFFER_BYTES];
        let bytes: &[u8] = self.path.peek(&mut room).map_or(&[], |(bytes, _)| bytes);
        self.arrived += bytes.len() as u64;
        if self.greeting.is_empty() {
            // Bytes that libssh2 has taken already are no longer to be seen; then it goes by them.
            self.greeting.extend_from_slice(bytes.get(..GREETING_BYTES).unwrap_or(bytes));
            refuse_version_1(&self.greeting)?;
        }
        let is_behind_version = self.session.banner_bytes().is_some();
        let reading =
            if is_behind_version { offer::read_packet(bytes) } else { offer::read(bytes) };
        if let Reading::Done(offer) = reading {
            self.offer = Some(offer);
        }
        Ok(())
    }

    /// What the peer offers; `None` if it went by unseen.
    #[must_use]
    pub fn offer(&self) -> Option<&Offer> {
        self.offer.as_ref()
    }

    /// The algorithms that were agreed on.
    #[must_use]
    pub fn algorithms(&self, profile: SshProfile) -> Option<Algorithms> {
        let method = |kind| self.session.methods(kind).map(str::to_owned);
        let cipher = method(MethodType::CryptCs)?;
        Some(Algorithms {
            profile: profile.name(),
            key_exchange: method(MethodType::Kex)?,
            host_key: method(MethodType::HostKey)?,
            mac: method(MethodType::MacCs).filter(|_| !offer::is_authenticating(&cipher)),
            cipher,
        })
    }

    /// True if the peer has sent nothing at all.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.greeting.is_empty() && self.session.banner_bytes().is_none()
    }

    /// True if the peer is an OpenSSH server that has as many logins under way as it may.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.greeting.starts_with(b"Exceeded MaxStartups")
    }

    /// True if the peer has sent an SSH version line, or began with what may become one.
    #[must_use]
    pub fn speaks_ssh(&self) -> bool {
        let version = self.session.banner_bytes();
        let began = self.greeting.get(..4).unwrap_or(&self.greeting);
        let may_become = !began.is_empty() && b"SSH-".starts_with(began);
        may_become || version.is_some_and(|line| line.starts_with(b"SSH-"))
    }

    /// True if the peer has closed the connection, and all that it sent has been read.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.path.has_ended()
    }

    /// The key the device showed in the handshake, and the algorithm it was used with.
    #[must_use]
    pub fn host_key(&self) -> Option<(String, PublicKey)> {
        let algorithm = self.session.methods(MethodType::HostKey)?.to_owned();
        let (blob, _) = self.session.host_key()?;
        Some((algorithm, PublicKey::from_wire(blob)?))
    }

    /// Logs in once, by the first method that the device lists and the credentials can serve. It is not asked for its
    /// list if it is `known` from an earlier login and serves; should the device refuse, it is asked then, and only a
    /// method that it does not list any more makes way for another. So it is with a key that has a password beside it, and the
    /// other way round: the device may want both. The list is the one that it began with.
    ///
    /// # Errors
    /// The connection broke or the device did not answer in time.
    pub fn login(
        &mut self,
        credentials: &Credentials,
        known: Option<Methods>,
        may_send: impl Fn(Shown) -> Result<(), Paused>,
        until: Deadline,
    ) -> Result<(Login, Option<Methods>), Fault> {
        let mut refused = None;
        if let Some(method) = known.and_then(|known| Method::choose(credentials, known)) {
            match self.try_method(method, credentials, &may_send, until)? {
                Login::Rejected(name) => refused = Some((method, name)),
                login => return Ok((login, known)),
            }
        }
        let has_both = credentials.private_key.is_some() && credentials.password.is_some();
        let user = credentials.username.as_str();
        let mut listed = None;
        loop {
            let offered =
                self.drive(until, |session| session.auth_methods(user).map(str::to_owned))?;
            if self.session.authenticated() {
                return Ok((Login::Done, None));
            }
            let methods = Methods::listed(&offered);
            let is_first = listed.is_none();
            let began_with = *listed.get_or_insert(methods);
            let end = |login| Ok((login, Some(began_with)));
            let Some(method) = Method::choose(credentials, methods) else {
                return end(Login::NotOffered(offered));
            };
            if let Some((before, name)) = refused {
                // Behind a list of today the same password is not tried in another way.
                let is_same = before.is(method) || !is_first && before.shown() == method.shown();
                if is_same {
                    return end(Login::Rejected(name));
                }
            }
            match self.try_method(method, credentials, &may_send, until)? {
                Login::Rejected(name) if has_both && is_first => refused = Some((method, name)),
                login => return end(login),
            }
        }
    }

    fn try_method(
        &mut self,
        method: Method<'_>,
        credentials: &Credentials,
        may_send: impl Fn(Shown) -> Result<(), Paused>,
        until: Deadline,
    ) -> Result<Login, Fault> {
        match may_send(method.shown()) {
            Ok(()) => self.login_by(method, credentials, until),
            Err(paused) => Ok(Login::NotSent(paused)),
        }
    }

    fn login_by(
        &mut self,
        method: Method<'_>,
        credentials: &Credentials,
        until: Deadline,
    ) -> Result<Login, Fault> {
        self.sent = Some(method.shown());
        let user = credentials.username.as_str();
        let (name, result) = match method {
            Method::PublicKey(key) => {
                let name = if key.certificate.is_some() { "certificate" } else { "private key" };
                (name, self.login_with_keys(user, key, &credentials.more_keys, until))
            }
            Method::Password(password) => (
                "password",
                self.drive(until, |session| session.userauth_password(user, password.expose())),
            ),
            Method::KeyboardInteractive(password) => {
                let hang_up = Arc::clone(&self.path.socket);
                let mut answers = Answers::new(user, password.expose(), hang_up);
                let result = self.drive(until, |session| {
                    session.userauth_keyboard_interactive(user, &mut answers)
                });
                match answers.left_open {
                    Some(LeftOpen::NewPassword) => return Ok(Login::PasswordExpired),
                    Some(LeftOpen::Other) => {
                        return Ok(Login::Rejected("keyboard-interactive password"));
                    }
                    None => ("keyboard-interactive password", result),
                }
            }
        };
        match result {
            Ok(()) if self.session.authenticated() => Ok(Login::Done),
            // A device that wants a second proof after the first has not let anybody in.
            Ok(()) | Err(Fault::Failed { code: -18 | -19, .. }) => Ok(Login::Rejected(name)),
            Err(Fault::Failed { code: -15, .. }) => Ok(Login::PasswordExpired),
            Err(Fault::Failed { code: -16 | -48 | -51, reason }) => Ok(Login::KeyUnusable(reason)),
            Err(Fault::Failed { code: NO_SIGNATURE, .. }) => Ok(Login::KeyUnusable(
                "the device takes no signature that it can make; an Ed25519 or ECDSA key may do"
                    .to_owned(),
            )),
            Err(fault) => Err(fault),
        }
    }

    /// What the peer was shown last, if anything.
    #[must_use]
    pub fn sent(&self) -> Option<Shown> {
        self.sent
    }

    /// Tries keys in turn until one is let in.
    fn login_with_keys(
        &mut self,
        user: &str,
        first: &PrivateKey,
        more: &[PrivateKey],
        until: Deadline,
    ) -> Result<(), Fault> {
        let mut result = self.login_with_key(user, first, until);
        for key in more {
            // Refused, or none that can be used.
            let Err(Fault::Failed { code: -16 | NO_SIGNATURE | -18 | -19 | -48 | -51, .. }) =
                result
            else {
                break;
            };
            result = self.login_with_key(user, key, until);
        }
        result
    }

    fn login_with_key(
        &mut self,
        user: &str,
        key: &PrivateKey,
        until: Deadline,
    ) -> Result<(), Fault> {
        if let Some(reason) = key_form::not_to_be_tried(key) {
            return Err(Fault::Failed { code: KEY_UNUSABLE, reason: reason.to_owned() });
        }
        let passphrase = key.passphrase.as_ref().map(Secret::expose);
        let certificate = key.certificate.as_ref().map(Certificate::line);
        self.drive(until, |session| {
            session.userauth_pubkey_memory(user, certificate, key.text.expose(), passphrase)
        })
    }

    /// Asks for a terminal and a shell on it.
    ///
    /// Both requests leave before the first is answered, as OpenSSH does it: a round trip less. libssh2 may take one
    /// answer for the other; that does not matter, because a single no ends the session.
    ///
    /// # Errors
    /// The device refused, was late or is gone.
    pub fn open_terminal(mut self, until: Deadline) -> Result<Terminal, Fault> {
        match self.ask_for_terminal(until) {
            Ok(channel) => Ok(Terminal { channel, connection: self, is_emptied: false }),
            // libssh2 does not tell a hang-up from an answer that it cannot read.
            Err(Fault::Failed { code: PROTOCOL, .. }) if self.has_ended() => Err(Fault::Closed),
            Err(fault) => Err(fault),
        }
    }

    fn ask_for_terminal(&mut self, until: Deadline) -> Result<ssh2::Channel, Fault> {
        let mut channel = self.drive(until, Session::channel_session)?;
        // Some say it on a second stream that their sessions are taken, and nobody else would make room in its window.
        channel
            .handle_extended_data(ExtendedData::Merge)
            .map_err(|error| Fault::from_library(&error))?;
        let size = (terminal::COLUMNS.into(), TERMINAL_ROWS, 0, 0);
        let (mut has_terminal, mut has_shell) = (false, false);
        socket::hold_back(&self.path.socket, true);
        loop {
            has_terminal = has_terminal || done(channel.request_pty("vt100", None, Some(size)))?;
            // A request that has left only in part must be ended before another one is begun.
            let may_send =
                has_terminal || matches!(self.session.block_directions(), BlockDirections::Inbound);
            let before = has_shell;
            has_shell = has_shell || (may_send && done(channel.shell())?);
            socket::hold_back(&self.path.socket, false);
            match (has_terminal, has_shell) {
                (true, true) => return Ok(channel),
                // The call may have read the other answer too: the socket would not tell.
                (false, true) if !before => {}
                _ => self.path.wait(&self.session, until)?,
            }
        }
    }

    /// Has this peer connect to the first of `targets` that it can reach: the way to the next peer.
    ///
    /// # Errors
    /// What the last target that was tried failed by.
    pub fn open_tunnel(
        mut self,
        targets: &[PeerAddr],
        until: Deadline,
    ) -> Result<(Path, PeerAddr), NoTunnel> {
        let mut failed = NoTunnel::Unreachable;
        for target in targets {
            let (host, port) = target.parts();
            let opened = self.drive(until, |session| {
                session.channel_direct_tcpip(&host, port, Some(("127.0.0.1", 0)))
            });
            match opened {
                Ok(channel) => {
                    let (pump, socket) = Pump::new().map_err(|_error| NoTunnel::Unreachable)?;
                    let tunnel = Tunnel { pump, channel, carrier: self };
                    let socket = Arc::new(socket.into());
                    let tunnel = Some(Box::new(tunnel));
                    return Ok((Path::new(socket, tunnel), target.clone()));
                }
                // The channel was refused; what for, the library says in words only.
                Err(Fault::Failed { code: CHANNEL_FAILURE, reason }) => {
                    failed = if reason.contains("prohibited") || reason.contains("unknown") {
                        NoTunnel::Refused
                    } else {
                        NoTunnel::Unreachable
                    };
                }
                Err(fault) => return Err(NoTunnel::Fault(fault)),
            }
        }
        Err(failed)
    }

    /// The number of the jump host, from 1, whose connection is gone, if one is.
    #[must_use]
    pub fn lost_hop(&self) -> Option<usize> {
        self.path.lost_hop()
    }

    /// Repeats a libssh2 call until it does not want to wait any more.
    fn drive<T>(
        &mut self,
        until: Deadline,
        mut call: impl FnMut(&Session) -> Result<T, ssh2::Error>,
    ) -> Result<T, Fault> {
        loop {
            match call(&self.session) {
                Ok(value) => return Ok(value),
                Err(error) if error.code() == ErrorCode::Session(WOULD_BLOCK) => {
                    self.path.wait(&self.session, until)?;
                }
                Err(error) => return Err(Fault::from_library(&error)),
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // A peer that is still there is told; one that is frozen is not waited for. With the socket shut
        // libssh2 frees its state at once, which it would not do while it thinks that it may block.
        let _ = self.session.disconnect(None, "done", None);
        if let Some(tunnel) = &mut self.path.tunnel {
            tunnel.turn();
        }
        let _ = rustix::net::shutdown(&self.path.socket, Shutdown::Both);
        self.session.set_timeout(200);
        self.session.set_blocking(true);
    }
}

/// A shell on a device's terminal.
pub struct Terminal {
    // Dropped before the connection that carries it.
    channel: ssh2::Channel,
    connection: Connection,
    /// The last read left nothing, neither with libssh2 nor in the socket.
    is_emptied: bool,
}

impl Terminal {
    /// Waits for the socket before libssh2 is asked, which would have nothing yet and says so at some cost. Not for
    /// long, so that nothing hangs on what libssh2 may have taken in meanwhile.
    fn wait_first(&mut self, until: Deadline) -> Result<(), Fault> {
        let has_nothing = self.connection.path.tunnel.is_none()
            && !self.channel.eof()
            && self.channel.read_window().available == 0;
        if !has_nothing {
            return Ok(());
        }
        let soon = Deadline::after(Instant::now(), FIRST_WAIT).or_earlier(until);
        let Connection { session, path, .. } = &mut self.connection;
        match wait_for(&path.socket, interest(session), soon) {
            Err(Fault::Late) => Ok(()),
            Ok(()) => path.note_arrived(until),
            waited => waited,
        }
    }

    /// As [`Connection::lost_hop`].
    #[must_use]
    pub fn lost_hop(&self) -> Option<usize> {
        self.connection.lost_hop()
    }

    /// True once the peer was shown a password or a key.
    #[must_use]
    pub fn has_sent_proof(&self) -> bool {
        self.connection.sent().is_some()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The end of the channel, the goodbye and the end of the connection leave together.
        socket::hold_back(&self.connection.path.socket, true);
    }
}

impl Transport for Terminal {
    fn read(&mut self, buffer: &mut [u8], until: Option<Deadline>) -> Result<Arrived, Broken> {
        if std::mem::take(&mut self.is_emptied)
            && let Some(until) = until
            && let Err(fault) = self.wait_first(until)
        {
            return without(fault);
        }
        if self.connection.path.is_flooded() {
            let Some(until) = until else { return Ok(Arrived::Nothing) };
            return without(self.connection.path.wait_unread(until));
        }
        loop {
            match self.channel.read(buffer) {
                Ok(0) => return Ok(Arrived::End),
                Ok(length) => {
                    self.connection.path.delivered += length as u64;
                    // libssh2 has read what there was, and gives what there is room for.
                    self.is_emptied = length < buffer.len()
                        && !self.connection.path.has_more()
                        && self.connection.path.tunnel.is_none()
                        && !self.channel.eof();
                    return Ok(if self.is_emptied {
                        Arrived::All(length)
                    } else {
                        Arrived::Bytes(length)
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let Connection { session, path, .. } = &mut self.connection;
                    let Some(until) = until else {
                        // What a jump host has for us is looked at too.
                        if path.tunnel.as_mut().is_some_and(|tunnel| tunnel.turn()) {
                            continue;
                        }
                        self.is_emptied = true;
                        return Ok(Arrived::Nothing);
                    };
                    if let Err(fault) = path.wait(session, until) {
                        return without(fault);
                    }
                }
                Err(error) => return Err(Broken::Gone(error.to_string())),
            }
        }
    }

    fn write_all(&mut self, bytes: &[u8], until: Deadline) -> Result<(), Broken> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.channel.write(rest) {
                Ok(length) => rest = rest.get(length..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let Connection { session, path, .. } = &mut self.connection;
                    path.wait(session, until).map_err(|fault| match fault {
                        Fault::Late => Broken::Late,
                        Fault::Closed => Broken::Gone("the connection is closed".to_owned()),
                        Fault::Failed { reason, .. } => Broken::Gone(reason),
                    })?;
                }
                Err(error) => return Err(Broken::Gone(error.to_string())),
            }
        }
        Ok(())
    }
}

/// What a read comes to whose wait ended so.
fn without(fault: Fault) -> Result<Arrived, Broken> {
    match fault {
        Fault::Late => Ok(Arrived::Nothing),
        Fault::Closed => Ok(Arrived::End),
        Fault::Failed { reason, .. } => Err(Broken::Gone(reason)),
    }
}

/// True if a call got done, false if it has to be repeated.
fn done(result: Result<(), ssh2::Error>) -> Result<bool, Fault> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.code() == ErrorCode::Session(WOULD_BLOCK) => Ok(false),
        Err(error) => Err(Fault::from_library(&error)),
    }
}

/// The way to a peer: a socket, and what moves the bytes behind it if there are jump hosts on the way.
pub struct Path {
    socket: Socket,
    tunnel: Option<Box<Tunnel>>,
    /// Bytes that came for libssh2, at the least.
    arrived: u64,
    /// Bytes that it gave of these.
    delivered: u64,
    /// The peer's packets are sealed: libssh2 leaves some of what is there to be read.
    is_sealed: bool,
    /// What it leaves at the next read, at the least.
    left: u64,
}

impl Path {
    /// The way over a connected socket.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn direct(socket: Socket) -> io::Result<Self> {
        rustix::net::sockopt::set_tcp_nodelay(&socket, true)?;
        Ok(Self::new(socket, None))
    }

    fn new(socket: Socket, tunnel: Option<Box<Tunnel>>) -> Self {
        Self { socket, tunnel, arrived: 0, delivered: 0, is_sealed: false, left: 0 }
    }

    /// Waits until the socket is ready for what libssh2 wants of it.
    fn wait(&mut self, session: &Session, until: Deadline) -> Result<(), Fault> {
        let interest = interest(session);
        match &mut self.tunnel {
            None => wait_for(&self.socket, interest, until)?,
            Some(tunnel) => loop {
                tunnel.turn();
                let mut socket = [PollFd::new(&self.socket, interest)];
                if poll(&mut socket, Some(&Timespec::default())).is_ok_and(|ready| ready > 0) {
                    break;
                }
                tunnel.wait(until)?;
            },
        }
        self.note_arrived(until)
    }

    /// Counts what has come for libssh2. A peer that floods is waited for without being read.
    fn note_arrived(&mut self, until: Deadline) -> Result<(), Fault> {
        let there = rustix::io::ioctl_fionread(&self.socket).unwrap_or_default();
        // What is left is there the next time too.
        let taken = if self.is_sealed { there.min(SEALED_READ_BYTES) } else { there };
        self.arrived += taken;
        self.left = there - taken;
        if self.is_flooded() { Err(self.wait_unread(until)) } else { Ok(()) }
    }

    /// True if something was left in the socket, of which the next read takes its part.
    fn has_more(&mut self) -> bool {
        let left = self.left;
        self.left = left.saturating_sub(SEALED_READ_BYTES);
        left > 0
    }

    /// True if far more has come than belongs to what was delivered.
    fn is_flooded(&self) -> bool {
        let first = self.delivered.min(MOST_FIRST_BYTES);
        let fair = self.delivered * WIRE_BYTES + first * FIRST_WIRE_BYTES;
        self.arrived > MOST_UNDELIVERED_BYTES + fair
    }

    /// Waits without reading: who sends on so fills his own memory. What he was waited for does not come.
    fn wait_unread(&self, until: Deadline) -> Fault {
        wait_for(&self.socket, PollFlags::empty(), until).err().unwrap_or(Fault::Closed)
    }

    fn has_ended(&self) -> bool {
        match self.peek(&mut [0]) {
            Ok(length) => length == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    fn peek<B: Buffer<u8>>(&self, buffer: B) -> io::Result<B::Output> {
        let (read, _) = rustix::net::recv(&self.socket, buffer, RecvFlags::PEEK)?;
        Ok(read)
    }

    fn lost_hop(&self) -> Option<usize> {
        let tunnel = self.tunnel.as_deref()?;
        let before = tunnel.carrier.path.lost_hop();
        before.or_else(|| (tunnel.pump.over() == Some(Over::Lost)).then(|| tunnel.depth()))
    }
}

/// Why a peer does not lead on.
#[derive(Debug)]
pub enum NoTunnel {
    /// It does not forward connections.
    Refused,
    /// It cannot connect to where it was asked to.
    Unreachable,
    /// The connection to it broke, or it did not answer.
    Fault(Fault),
}

/// A channel on a jump host, and the pump behind the next session's socket.
struct Tunnel {
    pump: Pump,
    // Dropped before the connection that carries it.
    channel: ssh2::Channel,
    carrier: Connection,
}

impl Tunnel {
    /// Moves all that can be moved at once on all the way; true if that was anything.
    fn turn(&mut self) -> bool {
        let mut moved = false;
        loop {
            let lower = self.carrier.path.tunnel.as_mut().is_some_and(|tunnel| tunnel.turn());
            let Connection { session, path, .. } = &mut self.carrier;
            let mut channel = TunnelChannel { channel: &mut self.channel, session, path };
            let here = self.pump.turn(&mut channel);
            if !lower && !here {
                return moved;
            }
            moved = true;
        }
    }

    /// Waits for the network: everything nearer has been moved.
    fn wait(&mut self, until: Deadline) -> Result<(), Fault> {
        let Connection { session, path, .. } = &mut self.carrier;
        match &mut path.tunnel {
            Some(lower) => lower.wait(until),
            None => path.wait(session, until),
        }
    }

    fn depth(&self) -> usize {
        1 + self.carrier.path.tunnel.as_ref().map_or(0, |lower| lower.depth())
    }
}

struct TunnelChannel<'a> {
    channel: &'a mut ssh2::Channel,
    session: &'a Session,
    path: &'a mut Path,
}

impl Read for TunnelChannel<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.path.is_flooded() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let length = self.channel.read(buffer)?;
        self.path.delivered += length as u64;
        Ok(length)
    }
}

impl Write for TunnelChannel<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.channel.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Carrier for TunnelChannel<'_> {
    fn must_flush(&self) -> bool {
        matches!(self.session.block_directions(), BlockDirections::Outbound | BlockDirections::Both)
    }
}

fn interest(session: &Session) -> PollFlags {
    match session.block_directions() {
        BlockDirections::Outbound => PollFlags::OUT,
        BlockDirections::Both => PollFlags::IN | PollFlags::OUT,
        BlockDirections::Inbound | BlockDirections::None => PollFlags::IN,
    }
}

fn wait_for(socket: &Socket, interest: PollFlags, until: Deadline) -> Result<(), Fault> {
    socket::wait_for(socket, interest, until).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => Fault::Late,
        _ => Fault::Failed {
            code: error.raw_os_error().unwrap_or_default(),
            reason: error.to_string(),
        },
    })
}

/// libssh2 would wait for the key exchange until its time is up.
fn refuse_version_1(line: &[u8]) -> Result<(), Fault> {
    if line.starts_with(b"SSH-1.") && !line.starts_with(b"SSH-1.99") {
        let reason = "it speaks SSH version 1 only; enable version 2 on it".to_owned();
        return Err(Fault::Failed { code: 0, reason });
    }
    Ok(())
}

/// The algorithms of the profiles that the library was built without.
#[must_use]
pub fn missing_algorithms() -> Vec<&'static str> {
    let Ok(session) = Session::new() else { return Vec::new() };
    let profile = SshProfile::Legacy;
    let mut missing = Vec::new();
    for (kind, names) in [
        (MethodType::Kex, profile.key_exchange()),
        (MethodType::HostKey, profile.host_keys()),
        (MethodType::CryptCs, profile.ciphers()),
        (MethodType::MacCs, profile.macs()),
    ] {
        let known = session.supported_algs(kind).unwrap_or_default();
        missing.extend(names.split(',').filter(|name| !known.contains(name)));
    }
    missing
}

/// Answers a device's questions in keyboard-interactive authentication: the first hidden one, or the one for a password, with
/// the password, one for the name before that with the name, and one whether the banner is accepted with yes.
///
/// Any other wants something else: a token, or a new password, which would change the device. It gets no answer;
/// libssh2 would send an empty one, so the connection is ended instead.
struct Answers<'a> {
    user: &'a str,
    password: Option<&'a str>,
    hang_up: Socket,
    has_accepted: bool,
    left_open: Option<LeftOpen>,
}

/// A question that got no answer.
enum LeftOpen {
    NewPassword,
    Other,
}

impl<'a> Answers<'a> {
    fn new(user: &'a str, password: &'a str, hang_up: Socket) -> Self {
        Self { user, password: Some(password), hang_up, has_accepted: false, left_open: None }
    }

    fn leave_open(&mut self, question: LeftOpen) -> Vec<String> {
        self.left_open = Some(question);
        // An error means that the device was faster.
        let _ = rustix::net::shutdown(&self.hang_up, Shutdown::Both);
        Vec::new()
    }
}

impl KeyboardInteractivePrompt for Answers<'_> {
    fn prompt(
        &mut self,
        _user: &str,
        instructions: &str,
        prompts: &[ssh2::Prompt<'_>],
    ) -> Vec<String> {
        if prompts.iter().any(|prompt| NEW_PASSWORD.is_match(&prompt.text)) {
            return self.leave_open(LeftOpen::NewPassword);
        }
        let mut answers = Vec::new();
        for prompt in prompts {
            let accepts = ACCEPTS.is_match(&prompt.text);
            let wants_password = !accepts && (!prompt.echo || PASSWORD.is_match(&prompt.text));
            if wants_password && let Some(password) = self.password.take() {
                answers.push(password.to_owned());
            } else if prompt.echo && self.password.is_some() && NAME.is_match(&prompt.text) {
                answers.push(self.user.to_owned());
            } else if NEW_PASSWORD.is_match(instructions) || EXPIRED.is_match(instructions) {
                return self.leave_open(LeftOpen::NewPassword);
            } else if accepts && !std::mem::replace(&mut self.has_accepted, true) {
                answers.push("yes".to_owned());
            } else {
                return self.leave_open(LeftOpen::Other);
            }
        }
        answers
    }
}

/// A question for a password: the word stands at its end or before names (`Password for ops@newyork-rtr1:`).
static PASSWORD: LazyLock<Regex> = LazyLock::new(|| expression(r"(?i)\bpassword\b"));
/// A question for the user's name.
static NAME: LazyLock<Regex> =
    LazyLock::new(|| expression(r"(?i)\b(?:user ?-?name|user|login|account)\b[^\n]*[:>?]\s*$"));
/// A question whether a banner is accepted, which must be answered before the password is asked for. Others may want to
/// end somebody's session, or a new password.
static ACCEPTS: LazyLock<Regex> = LazyLock::new(|| {
    expression(
        r"(?i)^[^\n]*\b(?:accept|acknowledge|agree)\b[^\n]*\b(?:statement|banner|terms|notice|conditions|policy)\b[^\n]*\(yes/no\)\s*[:?]?\s*$",
    )
});
/// Words that a password is changed with. `new` in the name of a host is none of them.
static NEW_PASSWORD: LazyLock<Regex> = LazyLock::new(|| {
    expression(
        r"(?i)(?:^|\s)(?:new\s+(?:\w+\s+)?pass|(?:re-?type|re-?enter|repeat|confirm|verify)\s|must\s+(?:\w+\s+)?change|change\s+(?:\w+\s+)?password)",
    )
});
/// What is said of a password that must be changed.
static EXPIRED: LazyLock<Regex> = LazyLock::new(|| expression(r"(?i)\bexpired\b"));

fn expression(text: &str) -> Regex {
    Regex::new(text).expect("the expression is a constant that a test compiles")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_for_names_passwords_and_new_passwords_are_told_apart() {
        for text in [
            "Password: ",
            "Password for ops@newyork-rtr1:",
            "newton@10.0.0.1's password: ",
            "(ops@renewal-gw) Password: ",
            "Password for ops@exchange-sw1: ",
            "ops@expired's Password:",
        ] {
            assert!(PASSWORD.is_match(text) && !NEW_PASSWORD.is_match(text), "{text}");
            assert!(!NAME.is_match(text), "{text}");
        }
        for text in [
            "New password: ",
            "Enter new UNIX password:",
            "New Password for ops:",
            "Retype new password:",
            "Re-enter password: ",
            "Confirm password:",
            "You must change your password now",
        ] {
            assert!(NEW_PASSWORD.is_match(text), "{text}");
        }
        for (text, is_name) in [
            ("Username: ", true),
            ("login: ", true),
            ("User Name:", true),
            ("Passcode or option (1-1): ", false),
            ("Your user token, or 1 for a call: press", false),
        ] {
            assert_eq!(NAME.is_match(text), is_name, "{text}");
        }
        assert!(EXPIRED.is_match("Your password has expired."));
        let accepts = "Do you accept and acknowledge the statement above ? (yes/no) : ";
        assert!(
            ACCEPTS.is_match(accepts) && !PASSWORD.is_match(accepts) && !NAME.is_match(accepts)
        );
        for text in [
            "Do you want to unlock the account? (yes/no)",
            "Session limit reached. Do you agree to disconnect alice? (yes/no) ",
            "Do you agree to set another one now? (yes/no) ",
            "Do you accept that your password is logged? (yes/no) ",
        ] {
            assert!(!ACCEPTS.is_match(text), "{text}");
        }
    }

    #[test]
    fn every_algorithm_of_the_profiles_is_compiled_in() {
        assert_eq!(missing_algorithms(), [""; 0]);
        // The legacy profile has all of the modern one.
        assert!(SshProfile::Legacy.ciphers().starts_with(SshProfile::Modern.ciphers()));
    }

    #[test]
    fn what_waits_to_be_read_is_counted_once_however_often_it_is_waited_for() {
        let (mut peer, socket) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut path = Path::new(Arc::new(socket.try_clone().unwrap().into()), None);
        path.is_sealed = true;
        let until = Deadline::after(Instant::now(), Duration::from_secs(20));
        let (mut buffer, mut total) = (vec![0; 33_056], 0_u64);
        let many = vec![0; 140_000];
        while total < 100 << 20 {
            peer.write_all(&many).unwrap();
            let mut waiting = many.len();
            while waiting > 0 {
                assert!(path.note_arrived(until).is_ok(), "{total} bytes are a flood");
                loop {
                    let taken = (&socket).read(&mut buffer).unwrap();
                    waiting -= taken;
                    total += taken as u64;
                    path.delivered += taken as u64;
                    if !path.has_more() {
                        break;
                    }
                }
            }
        }
        assert!(path.arrived <= 2 * total, "{} of {total}", path.arrived);
    }
}
