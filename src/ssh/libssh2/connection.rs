//! A peer that SSH is spoken with: versions, key exchange, and what came of it.

use std::{io, mem::MaybeUninit, sync::Arc};

use rustix::net::Shutdown;
use ssh2::{ErrorCode, MethodType, Session};

use super::{Fault, NEXT, WOULD_BLOCK, path::Path};
use crate::{
    deadline::Deadline,
    host_key::PublicKey,
    outcome::Algorithms,
    profile::SshProfile,
    ssh::{
        acquaintance::Shown,
        offer::{self, Offer, Reading},
        socket,
    },
};

/// libssh2's code for every fault before both sides have agreed on algorithms.
const KEY_EXCHANGE: i32 = -5;
/// A list of algorithms is longer, a version line is shorter.
const LEAST_KEXINIT_BYTES: u64 = 200;
/// More than any offer has.
const OFFER_BYTES: usize = 16 * 1024;
/// What is kept of a peer's first bytes.
const GREETING_BYTES: usize = 64;

/// A TCP connection with SSH on it, not yet logged in or without a terminal.
pub struct Connection {
    pub(super) session: Session,
    pub(super) path: Path,
    /// The first bytes the peer sent, as far as they were there at once.
    greeting: Vec<u8>,
    /// What the peer offers, if that was seen.
    offer: Option<Offer>,
    /// Bytes that were there to be read during the handshake, at the least.
    arrived: u64,
    /// What the peer was shown last, if anything.
    pub(super) sent: Option<Shown>,
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
                    self.path.seal(cipher.unwrap_or_default());
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

    /// The number of the jump host, from 1, whose connection is gone, if one is.
    #[must_use]
    pub fn lost_hop(&self) -> Option<usize> {
        self.path.lost_hop()
    }

    /// Repeats a libssh2 call until it does not want to wait any more.
    pub(super) fn drive<T>(
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

/// libssh2 would wait for the key exchange until its time is up.
fn refuse_version_1(line: &[u8]) -> Result<(), Fault> {
    if line.starts_with(b"SSH-1.") && !line.starts_with(b"SSH-1.99") {
        let reason = "it speaks SSH version 1 only; enable version 2 on it".to_owned();
        return Err(Fault::Failed { code: 0, reason });
    }
    Ok(())
}
