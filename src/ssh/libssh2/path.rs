//! The way to a peer: its socket, or a channel of the jump host before it, and what may come on it.

use std::{
    io::{self, Read, Write},
    sync::Arc,
};

use rustix::{
    buffer::Buffer,
    event::{PollFd, PollFlags, Timespec, poll},
    net::RecvFlags,
};
use ssh2::{BlockDirections, Session};

use super::{Fault, connection::Connection};
use crate::{
    deadline::Deadline,
    device::PeerAddr,
    ssh::{
        brake::{self, Brake},
        pump::{Carrier, Over, Pump},
        socket::{self, Socket},
    },
};

/// The peer refused to open a channel.
const CHANNEL_FAILURE: i32 = -21;
/// Waits behind the key exchange that are not counted: more than most sessions have, and each brings what a socket holds at the most.
const UNCOUNTED_WAITS: u32 = 28;
/// Text of which nothing is left in the socket, but for packets of a few letters.
const MOST_AT_ONCE_BYTES: usize = 16 << 10;
/// What libssh2 takes at a time of a stream whose packets it opens only when they are whole: where a buffer ends within one, it
/// reads no more. Others it reads until nothing is left.
const PART_BYTES: u64 = 35_000;

/// The way to a peer: a socket, and what moves the bytes behind it if there are jump hosts on the way.
pub struct Path {
    pub(super) socket: Socket,
    pub(super) tunnel: Option<Box<Tunnel>>,
    /// Stops the peer; behind a tunnel that is done on the socket before it.
    brake: Option<Arc<Brake>>,
    /// Bytes that came for libssh2, at the least.
    arrived: u64,
    /// Bytes that it gave of these.
    delivered: u64,
    /// libssh2 leaves some of what is there to be read.
    is_read_in_parts: bool,
    /// What it leaves at the next read, at the least; `None` if that was not counted.
    left: Option<u64>,
    /// Waits that need not be counted.
    uncounted: u32,
}

impl Path {
    /// The way over a connected socket, and what it is stopped by should its peer flood.
    ///
    /// # Errors
    /// The socket is gone.
    pub(in crate::ssh) fn direct(socket: Socket) -> io::Result<(Self, Arc<Brake>)> {
        rustix::net::sockopt::set_tcp_nodelay(&socket, true)?;
        let brake = Brake::watched(Arc::clone(&socket));
        Ok((Self { brake: Some(Arc::clone(&brake)), ..Self::new(socket, None) }, brake))
    }

    fn new(socket: Socket, tunnel: Option<Box<Tunnel>>) -> Self {
        Self {
            socket,
            tunnel,
            brake: None,
            arrived: 0,
            delivered: 0,
            is_read_in_parts: false,
            left: Some(0),
            uncounted: 0,
        }
    }

    /// Waits until the socket is ready for what libssh2 wants of it.
    pub(super) fn wait(&mut self, session: &Session, until: Deadline) -> Result<(), Fault> {
        let interest = interest(session);
        match &mut self.tunnel {
            None => self.wait_for(interest, until)?,
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

    /// Waits until the network is ready.
    pub(super) fn wait_for(&self, interest: PollFlags, until: Deadline) -> Result<(), Fault> {
        let turn = || {
            if let Some(brake) = &self.brake {
                brake.turn();
            }
        };
        turn();
        let waited = socket::wait_for(&self.socket, interest, until);
        turn();
        waited.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => Fault::Late,
            _ => Fault::Failed {
                code: error.raw_os_error().unwrap_or_default(),
                reason: error.to_string(),
            },
        })
    }

    /// Packets are sealed by `cipher` from here on.
    pub(super) fn seal(&mut self, cipher: &str) {
        self.is_read_in_parts = cipher.starts_with("chacha20-");
        self.uncounted = UNCOUNTED_WAITS;
    }

    /// Counts what has come for libssh2. A peer that floods is waited for without being read.
    pub(super) fn note_arrived(&mut self, until: Deadline) -> Result<(), Fault> {
        if self.is_stopped() {
            return Err(self.wait_unread(until));
        }
        if self.uncounted > 0 {
            self.uncounted -= 1;
            self.left = None;
            return Ok(());
        }
        let there = rustix::io::ioctl_fionread(&self.socket).unwrap_or_default();
        // What is left is there the next time too.
        let taken = if self.is_read_in_parts { there.min(PART_BYTES) } else { there };
        self.arrived += taken;
        self.left = Some(there - taken);
        if self.is_flooded() { Err(self.wait_unread(until)) } else { Ok(()) }
    }

    /// True if something was left in the socket, of which the next read takes its part; where nobody has counted, if so much
    /// came as to be likely.
    pub(super) fn has_more(&mut self, came: usize) -> bool {
        let Some(left) = self.left else {
            return self.is_read_in_parts && came > MOST_AT_ONCE_BYTES;
        };
        let taken = left.min(PART_BYTES);
        self.arrived += taken;
        self.left = Some(left - taken);
        taken > 0
    }

    /// Counts what libssh2 gave.
    pub(super) fn note_delivered(&mut self, bytes: usize) {
        self.delivered += bytes as u64;
        if let Some(brake) = &self.brake {
            brake.note_delivered(self.delivered);
        }
    }

    /// True if far more has come than belongs to what was delivered.
    pub(super) fn is_flooded(&self) -> bool {
        self.is_stopped() || self.arrived > brake::most_arrived(self.delivered)
    }

    fn is_stopped(&self) -> bool {
        self.brake.as_deref().is_some_and(Brake::is_pulled)
    }

    /// Waits without reading: who sends on so fills his own memory. What he was waited for does not come.
    pub(super) fn wait_unread(&self, until: Deadline) -> Fault {
        if let Some(tunnel) = &self.tunnel {
            return tunnel.carrier.path.wait_unread(until);
        }
        if let Some(brake) = &self.brake {
            brake.pull();
        }
        self.wait_for(PollFlags::empty(), until).err().unwrap_or(Fault::Closed)
    }

    pub(super) fn has_ended(&self) -> bool {
        match self.peek(&mut [0]) {
            Ok(length) => length == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    pub(super) fn peek<B: Buffer<u8>>(&self, buffer: B) -> io::Result<B::Output> {
        let (read, _) = rustix::net::recv(&self.socket, buffer, RecvFlags::PEEK)?;
        Ok(read)
    }

    pub(super) fn lost_hop(&self) -> Option<usize> {
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

impl Connection {
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
}

/// A channel on a jump host, and the pump behind the next session's socket.
pub(super) struct Tunnel {
    pump: Pump,
    // Dropped before the connection that carries it.
    channel: ssh2::Channel,
    carrier: Connection,
}

impl Tunnel {
    /// Moves all that can be moved at once on all the way; true if that was anything.
    pub(super) fn turn(&mut self) -> bool {
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
    pub(super) fn wait(&mut self, until: Deadline) -> Result<(), Fault> {
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
        self.path.note_delivered(length);
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

pub(super) fn interest(session: &Session) -> PollFlags {
    match session.block_directions() {
        BlockDirections::Outbound => PollFlags::OUT,
        BlockDirections::Both => PollFlags::IN | PollFlags::OUT,
        BlockDirections::Inbound | BlockDirections::None => PollFlags::IN,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn what_waits_to_be_read_is_counted_once_however_often_it_is_waited_for() {
        let (mut peer, socket) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut path = Path::new(Arc::new(socket.try_clone().unwrap().into()), None);
        path.is_read_in_parts = true;
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
                    if !path.has_more(taken) {
                        break;
                    }
                }
            }
        }
        assert!(path.arrived <= 2 * total, "{} of {total}", path.arrived);
    }

    #[test]
    fn of_packets_that_are_opened_in_part_all_that_waits_is_counted() {
        let (mut peer, socket) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut path = Path::new(Arc::new(socket.try_clone().unwrap().into()), None);
        let at_once = Deadline::after(Instant::now(), Duration::ZERO);
        let (many, mut total, most) = (vec![0; 140_000], 0_u64, brake::most_arrived(0));
        let mut buffer = vec![0; many.len()];
        while path.note_arrived(at_once).is_ok() {
            assert!(total <= most, "{total} bytes are no flood");
            peer.write_all(&many).unwrap();
            let _ = path.note_arrived(at_once);
            // libssh2 takes all, and one byte of it is delivered.
            (&socket).read_exact(&mut buffer).unwrap();
            total += many.len() as u64;
            path.delivered += 1;
            assert!(!path.has_more(1));
        }
        assert!(total > most, "{total} bytes are a flood");
    }
}
