//! Stops a peer that sends faster than it is read, from outside. libssh2 does not come back while there is something to read, and
//! keeps every message that it does not expect: whoever counts between its calls counts too late.
//!
//! One thread looks at all connections fifty times a second, as long as there are any. Of one that has not waited since
//! the last look it asks the system how much was read, and if that is a flood, nothing more of it comes in. On Linux
//! only: elsewhere the phase's deadline ends it.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use super::socket::Socket;

/// More than all that a peer sends without anything to be delivered.
const MOST_UNDELIVERED_BYTES: u64 = 8 << 20;
/// Bytes on the wire for each that is delivered: there are devices that write small packets, and some that begin with packets of one byte.
const WIRE_BYTES: u64 = 8;
const FIRST_WIRE_BYTES: u64 = 64;
/// How many delivered bytes may be single ones.
const MOST_FIRST_BYTES: u64 = 256 << 10;

const LOOK: Duration = Duration::from_millis(20);
/// Looks at nothing before the thread sleeps: who reads one device after another does not wake it for each.
const LOOKS_AT_NOTHING: u32 = 50;
const STACK_BYTES: usize = 64 * 1024;

static WATCH: Watch = Watch { watched: Mutex::new(Watched::NOTHING), woken: Condvar::new() };

/// The most bytes that may come on a connection which delivered so many of them.
#[must_use]
pub(super) fn most_arrived(delivered: u64) -> u64 {
    let first = delivered.min(MOST_FIRST_BYTES);
    MOST_UNDELIVERED_BYTES + delivered * WIRE_BYTES + first * FIRST_WIRE_BYTES
}

/// What one connection's thread tells of itself, and what stops its peer.
#[derive(Debug)]
pub(super) struct Brake {
    socket: Socket,
    /// Odd while the thread runs, even while it waits.
    turns: AtomicU32,
    delivered: AtomicU64,
    is_pulled: AtomicBool,
}

impl Brake {
    /// Has a connection watched until the brake is dropped.
    #[must_use]
    pub(super) fn watched(socket: Socket) -> Arc<Self> {
        let brake = Arc::new(Self {
            socket,
            turns: AtomicU32::new(1),
            delivered: AtomicU64::new(0),
            is_pulled: AtomicBool::new(false),
        });
        if cfg!(target_os = "linux") {
            WATCH.add(&brake);
        }
        brake
    }

    /// Says that the connection's thread begins to wait for its socket, or has done so.
    pub(super) fn turn(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// Says how many bytes were delivered in all.
    pub(super) fn note_delivered(&self, bytes: u64) {
        self.delivered.store(bytes, Ordering::Relaxed);
    }

    /// Stops the peer.
    pub(super) fn pull(&self) {
        if !self.is_pulled.swap(true, Ordering::Relaxed) {
            system::close_off(&self.socket);
        }
    }

    /// True if the peer was stopped: what is still there may be read, nothing more comes.
    #[must_use]
    pub(super) fn is_pulled(&self) -> bool {
        self.is_pulled.load(Ordering::Relaxed)
    }

    fn look(&self) {
        let read = system::bytes_read(&self.socket);
        // Asked for second: what is delivered meanwhile was read before.
        let most = most_arrived(self.delivered.load(Ordering::Relaxed));
        if read.is_some_and(|read| read > most) {
            self.pull();
        }
    }
}

/// All connections, and the thread that looks at them.
struct Watch {
    watched: Mutex<Watched>,
    woken: Condvar,
}

struct Watched {
    /// With the turn that each was at when it was last looked at.
    brakes: Vec<(Weak<Brake>, u32)>,
    watcher: Watcher,
}

#[derive(Eq, PartialEq)]
enum Watcher {
    Missing,
    Asleep,
    Looking,
}

impl Watched {
    const NOTHING: Self = Self { brakes: Vec::new(), watcher: Watcher::Missing };

    /// The connections whose thread has run all the time since the last look.
    fn busy(&mut self) -> Vec<Arc<Brake>> {
        let mut busy = Vec::new();
        self.brakes.retain_mut(|(brake, seen)| {
            let Some(brake) = brake.upgrade() else { return false };
            let turn = brake.turns.load(Ordering::Relaxed);
            if turn == std::mem::replace(seen, turn) && turn % 2 == 1 && !brake.is_pulled() {
                busy.push(brake);
            }
            true
        });
        busy
    }
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&'static self, brake: &Arc<Brake>) {
        let mut watched = self.lock();
        watched.brakes.push((Arc::downgrade(brake), 0));
        let was = std::mem::replace(&mut watched.watcher, Watcher::Looking);
        drop(watched);
        match was {
            Watcher::Looking => {}
            Watcher::Asleep => self.woken.notify_one(),
            Watcher::Missing => {
                let thread = thread::Builder::new().name("brake".to_owned());
                let made = thread.stack_size(STACK_BYTES).spawn(|| self.run());
                if made.is_err() {
                    // The next connection tries again.
                    *self.lock() = Watched::NOTHING;
                }
            }
        }
    }

    fn run(&self) {
        let mut idle = 0;
        let mut watched = self.lock();
        loop {
            if idle == LOOKS_AT_NOTHING {
                watched.watcher = Watcher::Asleep;
                while watched.watcher == Watcher::Asleep {
                    watched = self.woken.wait(watched).unwrap_or_else(PoisonError::into_inner);
                }
            }
            let waited = self.woken.wait_timeout(watched, LOOK);
            (watched, _) = waited.unwrap_or_else(PoisonError::into_inner);
            let busy = watched.busy();
            idle = if watched.brakes.is_empty() { idle + 1 } else { 0 };
            drop(watched);
            for brake in busy {
                brake.look();
            }
            watched = self.lock();
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::Socket;

    pub(super) fn bytes_read(_socket: &Socket) -> Option<u64> {
        None
    }

    pub(super) fn close_off(_socket: &Socket) {}
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::{
        io::{ErrorKind, Read as _, Write as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    /// A connection, its brake, and a peer that sends as long as it is let.
    fn flooded() -> (TcpStream, Arc<Brake>, thread::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        let sender = thread::spawn(move || while peer.write_all(&[0; 16_000]).is_ok() {});
        stream.set_nonblocking(true).unwrap();
        let brake = Brake::watched(Arc::new(stream.try_clone().unwrap().into()));
        (stream, brake, sender)
    }

    #[test]
    fn who_sends_while_he_is_read_without_a_pause_is_stopped_and_stays_connected() {
        let (mut stream, brake, sender) = flooded();
        let (mut buffer, mut total) = (vec![0; 64 << 10], 0_u64);
        loop {
            match stream.read(&mut buffer) {
                Ok(length) => total += length as u64,
                // The peer has his pauses too, until there is nothing but them.
                Err(error) if error.kind() == ErrorKind::WouldBlock && !brake.is_pulled() => {}
                Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            assert!(total < 64 << 30, "it was not stopped");
        }
        assert!(total > most_arrived(0), "stopped at {total} bytes");
        assert!(stream.peer_addr().is_ok() && stream.take_error().unwrap().is_none());
        drop((stream, brake));
        sender.join().unwrap();
    }

    #[test]
    fn who_sends_much_of_which_much_is_delivered_is_not_stopped() {
        let (mut stream, brake, sender) = flooded();
        let (mut buffer, mut total) = (vec![0; 64 << 10], 0_u64);
        while total < 4 << 30 {
            match stream.read(&mut buffer) {
                Ok(length) => total += length as u64,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            assert!(!brake.is_pulled(), "stopped at {total} bytes");
            brake.note_delivered(total / 8);
        }
        drop((stream, brake));
        sender.join().unwrap();
    }
}

#[cfg(target_os = "linux")]
mod system {
    //! The layouts are those of `linux/netlink.h`, `linux/inet_diag.h` and `linux/tcp.h`.

    use std::{net::SocketAddr, time::Duration};

    use rustix::{
        io::ioctl_fionread,
        net::{
            AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, getpeername,
            getsockname,
            netlink::{self, SocketAddrNetlink},
            recv, sendto, shutdown, socket_with,
            sockopt::set_socket_linger,
        },
    };
    use socket2::{SockFilter, SockRef};

    use super::Socket;

    const QUESTION_BYTES: u32 = 72;
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const NLM_F_REQUEST: u16 = 1;
    const INET_DIAG_INFO: u16 = 2;
    const IPPROTO_TCP: u8 = 6;
    /// Where an answer's attributes begin, and where in the one on TCP it says how much has come.
    const ATTRIBUTES_AT: usize = 16 + 72;
    const RECEIVED_AT: usize = 128;
    /// The filter "return 0": no packet passes.
    const BPF_RET: u16 = 6;

    /// How many bytes were read of a TCP socket, or fewer while more come; `None` if the system does not say.
    pub(super) fn bytes_read(socket: &Socket) -> Option<u64> {
        let local = getsockname(socket).ok()?.try_into().ok()?;
        let peer = getpeername(socket).ok()??.try_into().ok()?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (family, kind) = (AddressFamily::NETLINK, SocketType::RAW);
        let system = socket_with(family, kind, flags, Some(netlink::SOCK_DIAG)).ok()?;
        let kernel = SocketAddrNetlink::new(0, 0);
        sendto(&system, &question(local, peer), SendFlags::empty(), &kernel).ok()?;
        // The answer is there when the question has been sent.
        let mut room = [0; 2048];
        let (length, _) = recv(&system, &mut room, RecvFlags::empty()).ok()?;
        let received = read_answer(room.get(..length)?)?;
        // The answer says this too, from before: what was read in between would count as read twice.
        let waiting = ioctl_fionread(socket).ok()?;
        Some(received.saturating_sub(waiting))
    }

    /// Asks for one connection and what TCP knows of it.
    fn question(local: SocketAddr, peer: SocketAddr) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(QUESTION_BYTES as usize);
        bytes.extend(QUESTION_BYTES.to_ne_bytes());
        bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        bytes.extend(NLM_F_REQUEST.to_ne_bytes());
        // Number and port of the question.
        bytes.extend([0; 8]);
        let family = if local.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let [family, _] = family.as_raw().to_ne_bytes();
        bytes.extend([family, IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1), 0]);
        // In every state.
        bytes.extend(u32::MAX.to_ne_bytes());
        bytes.extend(local.port().to_be_bytes());
        bytes.extend(peer.port().to_be_bytes());
        for addr in [local, peer] {
            match addr {
                SocketAddr::V4(addr) => {
                    bytes.extend(addr.ip().octets());
                    bytes.extend([0; 12]);
                }
                SocketAddr::V6(addr) => bytes.extend(addr.ip().octets()),
            }
        }
        let interface = if let SocketAddr::V6(peer) = peer { peer.scope_id() } else { 0 };
        bytes.extend(interface.to_ne_bytes());
        // Whichever connection it is.
        bytes.extend([0xff; 8]);
        bytes
    }

    /// How much has come.
    fn read_answer(answer: &[u8]) -> Option<u64> {
        let kind = answer.get(4..)?.first_chunk()?;
        if u16::from_ne_bytes(*kind) != SOCK_DIAG_BY_FAMILY {
            return None;
        }
        let mut rest = answer.get(ATTRIBUTES_AT..)?;
        loop {
            let length = usize::from(u16::from_ne_bytes(*rest.first_chunk()?));
            let kind = u16::from_ne_bytes(*rest.get(2..)?.first_chunk()?);
            if kind == INET_DIAG_INFO {
                let received = rest.get(4..length)?.get(RECEIVED_AT..)?.first_chunk()?;
                return Some(u64::from_ne_bytes(*received));
            }
            rest = rest.get(length.max(4).next_multiple_of(4)..)?;
        }
    }

    /// Lets nothing more in. The connection stays, so that whoever waits for it does so to his end.
    pub(super) fn close_off(socket: &Socket) {
        // Nor would it hear the end of a farewell.
        let _ = set_socket_linger(socket, Some(Duration::ZERO));
        let nothing = [SockFilter::new(BPF_RET, 0, 0, 0)];
        if SockRef::from(socket).attach_filter(&nothing).is_err() {
            // An error means that the peer was faster.
            let _ = shutdown(socket, Shutdown::Both);
        }
    }

    #[cfg(test)]
    mod tests {
        use std::{
            io::{Read as _, Write as _},
            net::{TcpListener, TcpStream},
            sync::Arc,
        };

        use super::*;

        #[test]
        fn the_system_says_how_much_was_read_of_a_connection_and_not_what_waits() {
            for addr in ["127.0.0.1:0", "[::1]:0"] {
                let Ok(listener) = TcpListener::bind(addr) else { continue };
                let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
                let (mut peer, _) = listener.accept().unwrap();
                let socket: Socket = Arc::new(stream.try_clone().unwrap().into());
                assert_eq!(bytes_read(&socket), Some(0), "{addr}");
                peer.write_all(&vec![0; 50_000]).unwrap();
                (&stream).read_exact(&mut vec![0; 30_000]).unwrap();
                assert_eq!(bytes_read(&socket), Some(30_000), "{addr}");
                drop((peer, stream));
            }
        }

        #[test]
        fn an_answer_that_is_cut_or_says_something_else_says_nothing() {
            let mut answer = vec![0; ATTRIBUTES_AT];
            answer[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
            // An attribute of five bytes, one that says nothing of its length, and the one on TCP.
            answer.extend([5, 0, 9, 0, 1, 0, 0, 0, 0, 0, 0, 0, 236, 0, 2, 0]);
            answer.extend([0; RECEIVED_AT]);
            answer.extend(7_u64.to_ne_bytes());
            answer.extend([0; 96]);
            if cfg!(target_endian = "little") {
                assert_eq!(read_answer(&answer), Some(7));
            }
            for length in 0..answer.len() {
                assert_eq!(read_answer(&answer[..length]), None, "{length} bytes");
            }
            answer[4] = 2;
            assert_eq!(read_answer(&answer), None);
        }
    }
}
