//! The only file that names libssh2: a connected, authenticated terminal with deadlines it keeps.
//!
//! libssh2 runs non-blocking here and this file waits on the socket, so that a deadline is a deadline of the
//! whole step and not of one call. What even that cannot end (a peer that never stops sending before its SSH
//! banner) ends by the [`Lifeline`].

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, FdFlags},
    net::{AddressFamily, SocketType},
};
use ssh2::{BlockDirections, ErrorCode, KeyboardInteractivePrompt, MethodType, Session};

use super::transport::{Arrived, Broken, Transport};
use crate::{
    deadline::Deadline,
    device::{Credentials, PrivateKey},
    host_key::PublicKey,
    profile::SshProfile,
};

const WOULD_BLOCK: i32 = -37;
/// libssh2's code for every fault before both sides have agreed on algorithms.
const KEY_EXCHANGE: i32 = -5;
/// A list of algorithms is longer, a version line is shorter.
const LEAST_KEXINIT_BYTES: u64 = 200;
const TERMINAL_COLUMNS: u32 = 511;
const TERMINAL_ROWS: u32 = 1000;

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
}

/// A TCP connection with SSH on it, not yet logged in or without a terminal.
pub struct Connection {
    session: Session,
    socket: TcpStream,
    /// The first bytes the peer sent, as far as they were there at once.
    greeting: Vec<u8>,
    /// Bytes that were there to be read during the handshake, at the least.
    arrived: u64,
}

impl Connection {
    /// Takes over a connected socket; `host_keys` are the host key algorithms to offer, preferred first.
    ///
    /// # Errors
    /// The system has no memory or descriptors left.
    pub fn new(socket: TcpStream, profile: SshProfile, host_keys: &str) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let mut session = Session::new()?;
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
        session.set_tcp_stream(socket.try_clone()?);
        Ok(Self { session, socket, greeting: Vec::new(), arrived: 0 })
    }

    /// Exchanges versions and keys.
    ///
    /// # Errors
    /// [`Connection::is_silent`] and [`Connection::speaks_ssh`] tell what kind of peer it was.
    pub fn handshake(&mut self, until: Deadline) -> Result<(), Fault> {
        loop {
            self.arrived += rustix::io::ioctl_fionread(&self.socket).unwrap_or_default();
            match self.session.handshake() {
                Ok(()) => return Ok(()),
                Err(error) if error.code() == ErrorCode::Session(WOULD_BLOCK) => {
                    wait(&self.session, &self.socket, until)?;
                    self.greet()?;
                }
                Err(error) => {
                    // One code for "it hung up" and "nothing in common": without its list it hung up.
                    let agreeing = error.code() == ErrorCode::Session(KEY_EXCHANGE);
                    let ended = self.socket.peek(&mut [0]).is_ok_and(|length| length == 0);
                    if agreeing && ended && self.arrived < LEAST_KEXINIT_BYTES {
                        return Err(Fault::Closed);
                    }
                    return Err(Fault::from_library(&error));
                }
            }
        }
    }

    /// Looks at the peer's first bytes once they are there.
    fn greet(&mut self) -> Result<(), Fault> {
        if !self.greeting.is_empty() {
            return Ok(());
        }
        let mut first = [0; 64];
        // Bytes that libssh2 has taken already are no longer to be seen; then it goes by them.
        let length = self.socket.peek(&mut first).unwrap_or_default();
        let first = first.get(..length).unwrap_or_default();
        self.greeting.extend_from_slice(first);
        // libssh2 would wait for the key exchange until its time is up.
        if first.starts_with(b"SSH-1.") && !first.starts_with(b"SSH-1.99") {
            let reason = "it speaks SSH version 1 only; enable version 2 on it".to_owned();
            return Err(Fault::Failed { code: 0, reason });
        }
        Ok(())
    }

    /// True if the peer has sent nothing at all.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.greeting.is_empty() && self.session.banner_bytes().is_none()
    }

    /// True if the peer has sent an SSH version line.
    #[must_use]
    pub fn speaks_ssh(&self) -> bool {
        let version = self.session.banner_bytes();
        self.greeting.starts_with(b"SSH-") || version.is_some_and(|line| line.starts_with(b"SSH-"))
    }

    /// The key the device showed in the handshake, and the algorithm it was used with.
    #[must_use]
    pub fn host_key(&self) -> Option<(String, PublicKey)> {
        let algorithm = self.session.methods(MethodType::HostKey)?.to_owned();
        let (blob, _) = self.session.host_key()?;
        Some((algorithm, PublicKey::from_wire(blob)?))
    }

    /// Logs in once, by the first method that the device lists and the credentials can serve.
    ///
    /// # Errors
    /// The connection broke or the device did not answer in time.
    pub fn login(&mut self, credentials: &Credentials, until: Deadline) -> Result<Login, Fault> {
        let user = credentials.username.as_str();
        let offered = self.drive(until, |session| session.auth_methods(user).map(str::to_owned))?;
        if self.session.authenticated() {
            return Ok(Login::Done);
        }
        let offers = |method: &str| offered.split(',').any(|one| one == method);
        let (method, result) = match (&credentials.private_key, &credentials.password) {
            (Some(key), _) if offers("publickey") => {
                ("private key", self.login_with_key(user, key, until))
            }
            (_, Some(password)) if offers("password") => (
                "password",
                self.drive(until, |session| session.userauth_password(user, password.expose())),
            ),
            (_, Some(password)) if offers("keyboard-interactive") => {
                let mut answers = Answers { user, password: password.expose() };
                let result = self.drive(until, |session| {
                    session.userauth_keyboard_interactive(user, &mut answers)
                });
                ("keyboard-interactive password", result)
            }
            _ => return Ok(Login::NotOffered(offered)),
        };
        match result {
            Ok(()) if self.session.authenticated() => Ok(Login::Done),
            // A device that wants a second proof after the first has not let anybody in.
            Ok(()) | Err(Fault::Failed { code: -18 | -19, .. }) => Ok(Login::Rejected(method)),
            Err(Fault::Failed { code: -15, .. }) => Ok(Login::PasswordExpired),
            Err(Fault::Failed { code: -16 | -48 | -51, reason }) => Ok(Login::KeyUnusable(reason)),
            Err(fault) => Err(fault),
        }
    }

    fn login_with_key(&self, user: &str, key: &PrivateKey, until: Deadline) -> Result<(), Fault> {
        let passphrase = key.passphrase.as_ref().map(crate::secret::Secret::expose);
        self.drive(until, |session| {
            session.userauth_pubkey_memory(user, None, key.text.expose(), passphrase)
        })
    }

    /// Asks for a terminal and a shell on it.
    ///
    /// # Errors
    /// The device refused, was late or is gone.
    pub fn open_terminal(self, until: Deadline) -> Result<Terminal, Fault> {
        let mut channel = self.drive(until, Session::channel_session)?;
        let size = (TERMINAL_COLUMNS, TERMINAL_ROWS, 0, 0);
        self.drive(until, |_| channel.request_pty("vt100", None, Some(size)))?;
        self.drive(until, |_| channel.shell())?;
        Ok(Terminal { channel, connection: self })
    }

    /// Repeats a libssh2 call until it does not want to wait any more.
    fn drive<T>(
        &self,
        until: Deadline,
        mut call: impl FnMut(&Session) -> Result<T, ssh2::Error>,
    ) -> Result<T, Fault> {
        loop {
            match call(&self.session) {
                Ok(value) => return Ok(value),
                Err(error) if error.code() == ErrorCode::Session(WOULD_BLOCK) => {
                    wait(&self.session, &self.socket, until)?;
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
        let _ = self.socket.shutdown(Shutdown::Both);
        self.session.set_timeout(200);
        self.session.set_blocking(true);
    }
}

/// A shell on a device's terminal.
pub struct Terminal {
    // Dropped before the connection that carries it.
    channel: ssh2::Channel,
    connection: Connection,
}

impl Transport for Terminal {
    fn read(&mut self, buffer: &mut [u8], until: Option<Deadline>) -> Result<Arrived, Broken> {
        loop {
            match self.channel.read(buffer) {
                Ok(0) => return Ok(Arrived::End),
                Ok(length) => return Ok(Arrived::Bytes(length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let Some(until) = until else { return Ok(Arrived::Nothing) };
                    match wait(&self.connection.session, &self.connection.socket, until) {
                        Ok(()) => {}
                        Err(Fault::Late) => return Ok(Arrived::Nothing),
                        Err(Fault::Closed) => return Ok(Arrived::End),
                        Err(Fault::Failed { reason, .. }) => return Err(Broken { reason }),
                    }
                }
                Err(error) => return Err(Broken { reason: error.to_string() }),
            }
        }
    }

    fn write_all(&mut self, bytes: &[u8], until: Deadline) -> Result<(), Broken> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.channel.write(rest) {
                Ok(length) => rest = rest.get(length..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait(&self.connection.session, &self.connection.socket, until).map_err(
                        |fault| Broken {
                            reason: match fault {
                                Fault::Late => "the device took no input in time".to_owned(),
                                Fault::Closed => "the connection is closed".to_owned(),
                                Fault::Failed { reason, .. } => reason,
                            },
                        },
                    )?;
                }
                Err(error) => return Err(Broken { reason: error.to_string() }),
            }
        }
        Ok(())
    }
}

/// Connects to the first address that answers, each within its share of the time left. `hold` gets a hand on each
/// socket before it is connected, to end the attempt from outside; false from it gives up.
///
/// # Errors
/// The last address tried, and what the system said of it.
pub fn connect(
    addresses: &[SocketAddr],
    until: Deadline,
    hold: impl Fn(TcpStream) -> bool,
) -> Result<(TcpStream, SocketAddr), (Option<SocketAddr>, io::Error)> {
    let mut last = (None, io::Error::from(io::ErrorKind::AddrNotAvailable));
    for (tried, addr) in addresses.iter().enumerate() {
        let now = Instant::now();
        let Some(left) = until.left(now) else {
            return Err((Some(*addr), io::ErrorKind::TimedOut.into()));
        };
        let shares = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX).max(1);
        match connect_one(*addr, Deadline::after(now, left / shares), &hold) {
            Ok(socket) => return Ok((socket, *addr)),
            Err(error) => last = (Some(*addr), error),
        }
    }
    Err(last)
}

fn connect_one(
    addr: SocketAddr,
    until: Deadline,
    hold: impl Fn(TcpStream) -> bool,
) -> io::Result<TcpStream> {
    let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    let socket = TcpStream::from(socket);
    socket.set_nonblocking(true)?;
    if !hold(socket.try_clone()?) {
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    match rustix::net::connect(&socket, &addr) {
        Ok(()) => return Ok(socket),
        Err(Errno::INPROGRESS | Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    wait_for(&socket, PollFlags::OUT, until).map_err(|fault| match fault {
        Fault::Late => io::Error::from(io::ErrorKind::TimedOut),
        Fault::Closed => io::ErrorKind::ConnectionAborted.into(),
        Fault::Failed { reason, .. } => io::Error::other(reason),
    })?;
    rustix::net::sockopt::socket_error(&socket)??;
    // A socket that was shut from outside has no error and no peer either.
    socket.peer_addr()?;
    Ok(socket)
}

/// Waits until the socket is ready for what libssh2 wants of it.
fn wait(session: &Session, socket: &TcpStream, until: Deadline) -> Result<(), Fault> {
    let interest = match session.block_directions() {
        BlockDirections::Outbound => PollFlags::OUT,
        BlockDirections::Both => PollFlags::IN | PollFlags::OUT,
        BlockDirections::Inbound | BlockDirections::None => PollFlags::IN,
    };
    wait_for(socket, interest, until)
}

fn wait_for(socket: &TcpStream, interest: PollFlags, until: Deadline) -> Result<(), Fault> {
    loop {
        let left = until.left(Instant::now()).ok_or(Fault::Late)?;
        let left = Timespec::try_from(left.max(Duration::from_millis(1))).ok();
        match poll(&mut [PollFd::new(socket, interest)], left.as_ref()) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => {
                return Err(Fault::Failed {
                    code: error.raw_os_error(),
                    reason: error.to_string(),
                });
            }
        }
    }
}

/// Answers a device's questions in keyboard-interactive authentication: hidden ones with the password.
struct Answers<'a> {
    user: &'a str,
    password: &'a str,
}

impl KeyboardInteractivePrompt for Answers<'_> {
    fn prompt<'b>(
        &mut self,
        _user: &str,
        _instructions: &str,
        prompts: &[ssh2::Prompt<'b>],
    ) -> Vec<String> {
        let answer =
            |prompt: &ssh2::Prompt<'b>| if prompt.echo { self.user } else { self.password };
        prompts.iter().map(|prompt| answer(prompt).to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_of_the_profiles_is_compiled_in() {
        let session = Session::new().unwrap();
        for profile in [SshProfile::Modern, SshProfile::Legacy] {
            for (kind, names) in [
                (MethodType::Kex, profile.key_exchange()),
                (MethodType::HostKey, profile.host_keys()),
                (MethodType::CryptCs, profile.ciphers()),
                (MethodType::MacCs, profile.macs()),
            ] {
                let known = session.supported_algs(kind).unwrap();
                for name in names.split(',') {
                    assert!(known.contains(&name), "{profile:?} {name}: {known:?}");
                }
            }
        }
    }
}
