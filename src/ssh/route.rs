//! The way to a device: connect, shake hands, compare keys, log in; first with every jump host, then with the device.
//!
//! One peer after the other is reached in the same steps; a failure says at which of them. Not here: what is done at
//! the device's terminal (`session`).

use std::{
    io::ErrorKind,
    net::SocketAddr,
    time::{Duration, Instant, SystemTime},
};

use super::{
    acquaintance::{Paused, Who},
    error::{Phase, SessionError},
    gate::{Pass, Turned},
    key_form,
    libssh2::{Connection, Fault, Login, NoTunnel, Path, Terminal},
    lifeline::Lifeline,
    offer::Reading,
    session::{Leg, Session, SessionJob},
    socket,
};
use crate::{
    deadline::Deadline,
    device::{Credentials, PeerAddr},
    host_key::{Distrust, Expected, HostKeyCheck},
    outcome::{HostKey, Timing},
    profile::SshProfile,
};

/// Whom an answer speaks of whose login is not tried.
const THIS_USER: &str = "this user";

/// Whom to log in to, with what.
struct Peer<'a> {
    who: Who,
    host: &'a str,
    port: u16,
    addresses: &'a [PeerAddr],
    credentials: &'a Credentials,
    profile: SshProfile,
    host_key: &'a HostKeyCheck,
    connect_timeout: Option<Duration>,
}

/// A peer that was logged in to, and its address.
type Reached = (Connection, PeerAddr);

impl Session<'_> {
    /// Logs in to the device, over the hosts on the way.
    pub(super) fn reach(&mut self, addresses: &[PeerAddr]) -> Result<Reached, SessionError> {
        let job = self.job;
        let started = Instant::now();
        let (mut way, mut via) = (None, None);
        for (index, leg) in job.jump.iter().enumerate() {
            let peer = Peer::of_leg(leg, via);
            let pass = pass(job, self.lifeline, leg, &peer.who);
            let reached = match &pass {
                Ok(pass) => {
                    let reached = self.reach_peer(&peer, way.take(), index);
                    // Late by its own limits, and not because this device's time is over.
                    if let Err(error) = &reached
                        && error.is_lateness()
                        && job.clock.until.left(Instant::now()).is_some()
                    {
                        pass.was_late(error);
                    }
                    reached
                }
                Err(Turned::Late(error)) => Err(error.clone()),
                Err(Turned::Over) => {
                    let error = if self.lifeline.is_winding_down() {
                        SessionError::Cancelled
                    } else {
                        job.clock.error.clone()
                    };
                    return Err(error);
                }
            };
            drop(pass);
            // What is said of keys and phases is said of the device.
            self.report.host_key = None;
            self.report.algorithms = None;
            self.report.timing = Timing { jump: Some(started.elapsed()), ..Timing::default() };
            way = Some(reached.map_err(|cause| match cause {
                SessionError::JumpRefused { .. } | SessionError::JumpLost { .. } => cause,
                cause => SessionError::JumpFailed {
                    hop: index + 1,
                    of: job.jump.len(),
                    cause: Box::new(cause),
                },
            })?);
            via = leg.addresses.first();
        }
        let device = Peer {
            who: job.who(addresses),
            host: job.device.at.as_str(),
            port: job.device.port,
            addresses,
            credentials: &job.credentials,
            profile: job.profile,
            host_key: &job.host_key,
            connect_timeout: job.connect_timeout,
        };
        self.reach_peer(&device, way, job.jump.len())
    }

    /// Logs in to a peer, over `way` if there are `n_hops` hosts before it.
    fn reach_peer(
        &mut self,
        peer: &Peer<'_>,
        way: Option<Reached>,
        n_hops: usize,
    ) -> Result<Reached, SessionError> {
        self.check_refusals(&peer.who, peer.credentials, THIS_USER, peer.first_address())?;
        let (path, addr) = match way {
            None => self.connect(peer)?,
            Some(way) => self.connect_through(peer, way, n_hops)?,
        };
        let connection = self.handshake(peer, path, &addr)?;
        let connection = self.authenticate(peer, connection, &addr)?;
        Ok((connection, addr))
    }

    /// Nothing is sent that the peer has refused too often of late.
    pub(super) fn check_refusals(
        &self,
        who: &Who,
        credentials: &Credentials,
        what: &'static str,
        addr: PeerAddr,
    ) -> Result<(), SessionError> {
        let known = self.job.acquaintances.check(who, credentials, Instant::now());
        known.map_err(|paused| not_tried(paused, what, addr))
    }

    fn connect(&mut self, peer: &Peer<'_>) -> Result<(Path, PeerAddr), SessionError> {
        let limit = peer.connect_timeout.unwrap_or(self.job.limits.connect);
        let started = Instant::now();
        let lifeline = self.lifeline;
        let until = self.step(limit);
        // Only a host on the way could look a name up.
        let addresses: Vec<_> = peer.addresses.iter().filter_map(PeerAddr::address).collect();
        let result = socket::connect(&addresses, until, |socket| lifeline.hold(socket));
        self.report.timing.connect = Some(started.elapsed());
        // A session nobody waits for any more ends as cancelled, whatever the socket says.
        let (socket, addr) = result.map_err(|(addr, error)| {
            let addr = addr.map_or_else(|| peer.first_address(), PeerAddr::from);
            match error.kind() {
                ErrorKind::ConnectionRefused => SessionError::ConnectRefused { addr },
                ErrorKind::TimedOut | ErrorKind::WouldBlock => {
                    SessionError::ConnectTimeout { addr, limit }
                }
                kind => SessionError::ConnectFailed { addr, reason: kind.to_string() },
            }
        })?;
        lifeline.hold_only(&socket);
        let (path, brake) = Path::direct(socket).map_err(|error| SessionError::ConnectFailed {
            addr: addr.into(),
            reason: error.kind().to_string(),
        })?;
        self.brake = Some(brake);
        Ok((path, addr.into()))
    }

    /// Has the last host on the way connect to `peer`.
    fn connect_through(
        &mut self,
        peer: &Peer<'_>,
        (carrier, hop_addr): Reached,
        hop: usize,
    ) -> Result<(Path, PeerAddr), SessionError> {
        let limit = peer.connect_timeout.unwrap_or(self.job.limits.connect);
        let started = Instant::now();
        let until = self.step(limit);
        let result = carrier.open_tunnel(peer.addresses, until);
        self.report.timing.connect = Some(started.elapsed());
        let addr = peer.first_address();
        result.map_err(|failure| match failure {
            NoTunnel::Refused => SessionError::JumpRefused { hop, addr: hop_addr, target: addr },
            NoTunnel::Unreachable => SessionError::ConnectFailed {
                addr: addr.clone(),
                reason: format!("hop {hop} could not connect to it"),
            },
            NoTunnel::Fault(fault) => match self.fault(fault) {
                Fault::Late => SessionError::ConnectTimeout { addr: addr.clone(), limit },
                _ => SessionError::JumpLost { hop, phase: Phase::Connect },
            },
        })
    }

    fn handshake(
        &mut self,
        peer: &Peer<'_>,
        path: Path,
        addr: &PeerAddr,
    ) -> Result<Connection, SessionError> {
        let limit = self.job.limits.handshake;
        let profile = peer.profile;
        let expected = peer.host_key.expected(peer.host, addr.address(), peer.port);
        let started = Instant::now();
        let until = self.step(limit);
        let mut connection =
            Connection::new(path, profile, &expected.algorithms(profile)).map_err(|error| {
                SessionError::HandshakeFailed { addr: addr.clone(), reason: error.to_string() }
            })?;
        let result = connection.handshake(until);
        self.report.timing.handshake = Some(started.elapsed());
        let Err(fault) = result else {
            self.report.algorithms = connection.algorithms(profile);
            self.trust(&connection, &expected, addr)?;
            return Ok(connection);
        };
        let silent = connection.is_silent();
        let fault = self.fault(fault);
        if let (Fault::Closed, Some(hop)) = (&fault, connection.lost_hop()) {
            return Err(SessionError::JumpLost { hop, phase: Phase::Handshake });
        }
        let is_disagreement = match &fault {
            // Key exchange and method errors: nothing in common, or a signature that does not fit.
            Fault::Failed { code, .. } => [-5, -8, -33, -51].contains(code),
            Fault::Closed => !silent && connection.speaks_ssh(),
            Fault::Late => false,
        };
        if is_disagreement {
            return Err(self.disagreement(peer, &connection, fault, addr, until));
        }
        Err(match fault {
            Fault::Late if silent => SessionError::BannerTimeout { addr: addr.clone(), limit },
            Fault::Closed if silent => SessionError::Disconnected {
                addr: addr.clone(),
                phase: Phase::Handshake,
                hint: " before its SSH banner; an access list or a full set of VTY lines does that",
            },
            _ if connection.is_full() => SessionError::Disconnected {
                addr: addr.clone(),
                phase: Phase::Handshake,
                hint: " because too many log in to it at this time (in OpenSSH MaxStartups)",
            },
            _ if !silent && !connection.speaks_ssh() => SessionError::NotSsh { addr: addr.clone() },
            Fault::Late => SessionError::HandshakeTimeout { addr: addr.clone(), limit },
            Fault::Closed => {
                SessionError::Disconnected { addr: addr.clone(), phase: Phase::Handshake, hint: "" }
            }
            Fault::Failed { reason, .. } => {
                SessionError::HandshakeFailed { addr: addr.clone(), reason }
            }
        })
    }

    /// Why a peer that speaks SSH and we could not agree: by its offer, if that was seen.
    fn disagreement(
        &self,
        peer: &Peer<'_>,
        connection: &Connection,
        fault: Fault,
        addr: &PeerAddr,
        until: Deadline,
    ) -> SessionError {
        let profile = peer.profile;
        let mut asked = Reading::More;
        // It may have gone by too fast. A peer behind jump hosts is not asked again.
        if connection.offer().is_none()
            && self.job.jump.is_empty()
            && let Some(addr) = addr.address()
        {
            asked = socket::ask_offer(addr, until, |socket| self.lifeline.hold(socket));
        }
        let seen = match &asked {
            Reading::Done(offer) => Some(offer),
            _ => connection.offer(),
        };
        let said = seen.and_then(|offer| offer.explain(profile));
        match (said, fault) {
            (Some(hint), _) => SessionError::NoCommonAlgorithm {
                addr: addr.clone(),
                profile: profile.name(),
                hint,
            },
            (None, Fault::Closed) => SessionError::Disconnected {
                addr: addr.clone(),
                phase: Phase::Handshake,
                hint: match profile {
                    SshProfile::Modern if seen.is_none() => {
                        "; it may know only algorithms of the `legacy` SSH profile"
                    }
                    _ => "",
                },
            },
            (None, Fault::Failed { .. }) if seen.is_some() && connection.has_ended() => {
                let hint = " in the middle of the key exchange";
                SessionError::Disconnected { addr: addr.clone(), phase: Phase::Handshake, hint }
            }
            (None, Fault::Failed { reason, .. }) if seen.is_some() => {
                SessionError::HandshakeFailed { addr: addr.clone(), reason }
            }
            (None, Fault::Failed { .. }) if asked == Reading::Nothing => {
                let reason = "behind its version line comes no key exchange".to_owned();
                SessionError::HandshakeFailed { addr: addr.clone(), reason }
            }
            (None, _) => SessionError::NoCommonAlgorithm {
                addr: addr.clone(),
                profile: profile.name(),
                hint: match profile {
                    SshProfile::Modern => {
                        "; if the device is old, ask for \"ssh_profile\": \"legacy\"".to_owned()
                    }
                    SshProfile::Legacy => "; update the device's SSH settings".to_owned(),
                },
            },
        }
    }

    /// Compares the key that the peer showed with those that were named. Nothing secret has been sent yet.
    fn trust(
        &mut self,
        connection: &Connection,
        expected: &Expected,
        addr: &PeerAddr,
    ) -> Result<(), SessionError> {
        let (algorithm, key) =
            connection.host_key().ok_or_else(|| SessionError::HandshakeFailed {
                addr: addr.clone(),
                reason: "it showed no host key that can be read".to_owned(),
            })?;
        let judged = expected.judge(&key, SystemTime::now());
        let (fingerprint, verified) = (key.fingerprint(), judged == Ok(true));
        self.report.host_key = Some(HostKey { algorithm, fingerprint, verified });
        let Err(distrust) = judged else { return Ok(()) };
        let (addr, shown) = (addr.clone(), key.to_string());
        Err(match distrust {
            Distrust::Changed { expected, named_by } => {
                SessionError::HostKeyChanged { addr, shown, expected, named_by }
            }
            Distrust::Unproven { by } => SessionError::HostKeyUnproven { addr, shown, by },
            Distrust::Revoked => SessionError::HostKeyRevoked { addr, shown },
            Distrust::Unknown { authority } => SessionError::HostKeyUnknown {
                addr,
                shown,
                hint: authority.map_or_else(String::new, |why| {
                    format!("; known_hosts names an authority, but as to its certificate: {why}")
                }),
            },
        })
    }

    fn authenticate(
        &mut self,
        peer: &Peer<'_>,
        mut connection: Connection,
        addr: &PeerAddr,
    ) -> Result<Connection, SessionError> {
        let limit = self.job.limits.authenticate;
        let started = Instant::now();
        let credentials = peer.credentials;
        let (known, who) = (&self.job.acquaintances, &peer.who);
        let host_key = self.report.host_key.as_ref().map_or("", |key| key.fingerprint.as_str());
        let methods = known.methods(who, host_key);
        let may_send = |shown| known.check_shown(who, credentials, shown, Instant::now());
        let result = connection.login(credentials, methods, may_send, self.step(limit));
        self.report.timing.authenticate = Some(started.elapsed());
        match &result {
            Ok((Login::Done, methods)) => {
                known.let_in(who, host_key, *methods);
                if let Some(shown) = connection.sent() {
                    known.believed(who, credentials, shown);
                }
            }
            // Many devices say no by hanging up.
            Ok((Login::Rejected(_), _)) | Err(Fault::Closed)
                if connection.lost_hop().is_none() && self.lifeline.was_cut().is_none() =>
            {
                if let Some(shown) = connection.sent() {
                    known.refused(who, credentials, shown, Instant::now());
                }
            }
            Ok((Login::NotSent(_), _)) => {}
            _ => known.forget_methods(who),
        }
        match result.map(|(login, _)| login) {
            Ok(Login::Done) => Ok(connection),
            Ok(Login::Rejected(method)) => {
                let key = credentials.private_key.as_ref().filter(|_| method == "certificate");
                let hint = key.and_then(|key| key.certificate.as_ref()).map(|certificate| {
                    let said = certificate.describe(&credentials.username, SystemTime::now());
                    format!(" ({said})")
                });
                let hint = hint.unwrap_or_default();
                Err(SessionError::AuthRejected { addr: addr.clone(), method, hint })
            }
            Ok(Login::NotOffered(offered)) => {
                let given = given(credentials);
                Err(SessionError::AuthMethod {
                    addr: addr.clone(),
                    offered: known_methods(&offered),
                    given,
                })
            }
            Ok(Login::NotSent(paused)) => Err(not_tried(paused, THIS_USER, addr.clone())),
            Ok(Login::PasswordExpired) => Err(SessionError::PasswordExpired { addr: addr.clone() }),
            Ok(Login::KeyUnusable(reason)) => {
                let told = credentials.private_key.as_ref().and_then(|key| {
                    key_form::not_to_be_tried(key).or_else(|| key_form::fault(key))
                });
                Err(SessionError::KeyUnusable { reason: told.map_or(reason, str::to_owned) })
            }
            Err(fault) => Err(match (self.fault(fault), connection.lost_hop()) {
                (Fault::Closed, Some(hop)) => {
                    SessionError::JumpLost { hop, phase: Phase::Authentication }
                }
                (Fault::Late, _) => SessionError::AuthTimeout { addr: addr.clone(), limit },
                (Fault::Closed, None) => SessionError::Disconnected {
                    addr: addr.clone(),
                    phase: Phase::Authentication,
                    hint: "; it may count too many failed logins from this address",
                },
                (Fault::Failed { reason, .. }, _) => {
                    SessionError::HandshakeFailed { addr: addr.clone(), reason }
                }
            }),
        }
    }

    pub(super) fn open_terminal(
        &self,
        connection: Connection,
        addr: &PeerAddr,
        until: Deadline,
    ) -> Result<Terminal, SessionError> {
        connection.open_terminal(until).map_err(|fault| match self.fault(fault) {
            Fault::Late => {
                SessionError::TerminalTimeout { addr: addr.clone(), limit: self.job.limits.prompt }
            }
            Fault::Closed => SessionError::Disconnected {
                addr: addr.clone(),
                phase: Phase::Login,
                hint: " before it gave a terminal",
            },
            Fault::Failed { reason, .. } if reason.contains("resource") => {
                SessionError::SessionLimit { addr: addr.clone(), said: reason }
            }
            Fault::Failed { reason, .. } => {
                SessionError::ShellRefused { addr: addr.clone(), reason }
            }
        })
    }
}

/// Waits until one more may log in to a host on the way.
fn pass<'a>(
    job: &'a SessionJob,
    lifeline: &Lifeline,
    leg: &Leg,
    who: &Who,
) -> Result<Pass<'a>, Turned> {
    let until = job.clock.until;
    lifeline.expect_by(until);
    let is_over = || lifeline.was_cut().is_some() || lifeline.is_winding_down();
    let is_believed = job.acquaintances.is_believed(who, &leg.credentials);
    job.gates.enter(who, until, is_believed, is_over)
}

impl<'a> Peer<'a> {
    fn of_leg(leg: &'a Leg, via: Option<&PeerAddr>) -> Self {
        let hop = &leg.hop;
        Self {
            who: who(via, &leg.addresses, &leg.credentials),
            host: hop.host.as_str(),
            port: hop.port,
            addresses: &leg.addresses,
            credentials: &leg.credentials,
            profile: hop.profile,
            host_key: &hop.host_key,
            connect_timeout: hop.connect_timeout,
        }
    }

    fn first_address(&self) -> PeerAddr {
        first(self.addresses)
    }
}

impl SessionJob {
    /// As whom the device knows us, which is at `addresses`.
    pub(super) fn who(&self, addresses: &[PeerAddr]) -> Who {
        let via = self.jump.last().and_then(|leg| leg.addresses.first());
        who(via, addresses, &self.credentials)
    }
}

fn who(via: Option<&PeerAddr>, addresses: &[PeerAddr], credentials: &Credentials) -> Who {
    let device = PeerAddr::of_device(addresses).unwrap_or_else(|| first(addresses));
    Who::new(via, &device, &credentials.username)
}

fn first(addresses: &[PeerAddr]) -> PeerAddr {
    let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
    addresses.first().cloned().unwrap_or(unknown.into())
}

fn not_tried(paused: Paused, what: &'static str, addr: PeerAddr) -> SessionError {
    let Paused { refused, again_in } = paused;
    SessionError::AuthPaused { addr, what, refused, again_in }
}

pub(super) fn given(credentials: &Credentials) -> &'static str {
    match (&credentials.private_key, &credentials.password) {
        (Some(_), Some(_)) => "a private key and a password",
        (Some(_), None) => "a private key",
        _ => "a password",
    }
}

/// The device's list of methods without anything that is no method's name.
fn known_methods(offered: &str) -> String {
    let known: Vec<_> =
        ["publickey", "password", "keyboard-interactive", "hostbased", "gssapi-with-mic"]
            .into_iter()
            .filter(|known| offered.split(',').any(|one| one == *known))
            .collect();
    if known.is_empty() { "methods unknown here".to_owned() } else { known.join(", ") }
}
