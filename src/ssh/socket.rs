//! TCP connections without waiting longer than allowed, and the waiting itself.
//!
//! A device with several addresses is tried at all of them, a quarter of a second apart and by turns of the families,
//! so that an address family that leads nowhere costs that and not a timeout.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, FdFlags},
    net::{AddressFamily, SocketType},
};

use super::offer::{self, Reading};
use crate::deadline::Deadline;

/// A socket that the session, its library and whoever may end it from outside have in common: one descriptor.
pub type Socket = Arc<OwnedFd>;

/// How long an address may keep silent before the next one is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);
/// What a peer may send before it has made its offer.
const MOST_OFFER_BYTES: usize = 64 * 1024;

/// An attempt that has not been decided.
struct Attempt {
    socket: Socket,
    addr: SocketAddr,
}

/// Connects to the first of `addresses` that answers; the socket does not block. `hold` gets every socket before it connects and says whether to
/// go on.
///
/// # Errors
/// The address whose attempt ended last, and what the system said of it.
pub fn connect(
    addresses: &[SocketAddr],
    until: Deadline,
    hold: impl Fn(Socket) -> bool,
) -> Result<(Socket, SocketAddr), (Option<SocketAddr>, io::Error)> {
    let mut waiting = by_turns(addresses).into_iter().peekable();
    let mut last = (None, io::Error::from(ErrorKind::AddrNotAvailable));
    let mut running: Vec<Attempt> = Vec::new();
    let mut next_start = Instant::now();
    loop {
        let now = Instant::now();
        if until.left(now).is_none() {
            let addr = running.last().map(|attempt| attempt.addr).or(last.0);
            return Err((addr, ErrorKind::TimedOut.into()));
        }
        if (now >= next_start || running.is_empty())
            && let Some(addr) = waiting.next()
        {
            match begin(addr, &hold) {
                Ok((socket, true)) => return Ok((socket, addr)),
                Ok((socket, false)) => {
                    running.push(Attempt { socket, addr });
                    next_start = now + HEAD_START;
                }
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {
                    return Err((Some(addr), error));
                }
                Err(error) => last = (Some(addr), error),
            }
            continue;
        }
        if running.is_empty() {
            return Err(last);
        }
        let more = waiting.peek().map(|_| Deadline::after(now, next_start - now));
        let until_next = more.map_or(until, |more| more.or_earlier(until));
        let Some(index) = any_ready(&running, until_next) else { continue };
        let Attempt { socket, addr } = running.swap_remove(index);
        match outcome(&socket) {
            Ok(()) => return Ok((socket, addr)),
            Err(error) => {
                last = (Some(addr), error);
                next_start = Instant::now();
            }
        }
    }
}

/// The families by turns, the resolver's first choice first, each in its own order.
fn by_turns(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let is_first = |addr: &&SocketAddr| {
        addresses.first().is_some_and(|first| first.is_ipv4() == addr.is_ipv4())
    };
    let mut first = addresses.iter().filter(is_first);
    let mut second = addresses.iter().filter(|addr| !is_first(addr));
    let mut ordered = Vec::with_capacity(addresses.len());
    while ordered.len() < addresses.len() {
        ordered.extend(first.next());
        ordered.extend(second.next());
    }
    ordered
}

/// Begins to connect; true if that was done at once.
fn begin(addr: SocketAddr, hold: impl Fn(Socket) -> bool) -> io::Result<(Socket, bool)> {
    let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    let socket = Arc::new(socket);
    if !hold(Arc::clone(&socket)) {
        return Err(ErrorKind::ConnectionAborted.into());
    }
    match rustix::net::connect(&socket, &addr) {
        Ok(()) => Ok((socket, true)),
        Err(Errno::INPROGRESS | Errno::INTR) => Ok((socket, false)),
        Err(error) => Err(error.into()),
    }
}

/// How an attempt was decided.
fn outcome(socket: &Socket) -> io::Result<()> {
    rustix::net::sockopt::socket_error(socket)??;
    // A socket that was shut from outside has no error and no peer either.
    rustix::net::getpeername(socket)?;
    Ok(())
}

/// The index of an attempt that was decided; `None` if none was in time.
fn any_ready(running: &[Attempt], until: Deadline) -> Option<usize> {
    let mut polled: Vec<_> =
        running.iter().map(|one| PollFd::new(&one.socket, PollFlags::OUT)).collect();
    let left = until.left(Instant::now())?.max(Duration::from_millis(1));
    poll(&mut polled, Timespec::try_from(left).ok().as_ref()).ok().filter(|ready| *ready > 0)?;
    polled.iter().position(|one| !one.revents().is_empty())
}

/// Holds back what is written next, so that it leaves as one packet: the way through the system costs more than what is
/// in a small one. It is to be let go before an answer is waited for.
pub fn hold_back(socket: &Socket, held: bool) {
    // Other sockets than those of TCP know nothing of it, nor do other systems.
    #[cfg(target_os = "linux")]
    let _ = rustix::net::sockopt::set_tcp_cork(socket, held);
    #[cfg(not(target_os = "linux"))]
    let _ = (socket, held);
}

/// Waits until the socket is ready.
///
/// # Errors
/// `TimedOut` at `until`; anything else is the system's.
pub fn wait_for(socket: impl AsFd, interest: PollFlags, until: Deadline) -> io::Result<()> {
    loop {
        let left = until.left(Instant::now()).ok_or(ErrorKind::TimedOut)?;
        let left = Timespec::try_from(left.max(Duration::from_millis(1))).ok();
        match poll(&mut [PollFd::new(&socket, interest)], left.as_ref()) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Asks a peer on a connection of its own which algorithms it offers, and hangs up.
pub fn ask_offer(addr: SocketAddr, until: Deadline, hold: impl Fn(Socket) -> bool) -> Reading {
    read_offer(addr, until, hold).unwrap_or(Reading::More)
}

fn read_offer(addr: SocketAddr, until: Deadline, hold: impl Fn(Socket) -> bool) -> Option<Reading> {
    let (socket, _) = connect(&[addr], until, hold).ok()?;
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    // The first bytes on a connection find room.
    rustix::io::write(&socket, b"SSH-2.0-Showrunner\r\n").ok()?;
    while seen.len() < MOST_OFFER_BYTES {
        wait_for(&socket, PollFlags::IN, until).ok()?;
        match rustix::io::read(&socket, &mut buffer) {
            Ok(0) => return None,
            Ok(length) => seen.extend_from_slice(buffer.get(..length)?),
            Err(Errno::AGAIN) => {}
            Err(_gone) => return None,
        }
        match offer::read(&seen) {
            Reading::More => {}
            read => return Some(read),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::*;

    fn in_seconds(seconds: u64) -> Deadline {
        Deadline::after(Instant::now(), Duration::from_secs(seconds))
    }

    /// A port that takes no connection and refuses none: its queue is full.
    fn silent() -> (OwnedFd, Vec<TcpStream>, SocketAddr) {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        rustix::net::listen(&socket, 0).unwrap();
        let addr: SocketAddr = rustix::net::getsockname(&socket).unwrap().try_into().unwrap();
        let limit = Duration::from_millis(300);
        let full: Vec<_> = std::iter::repeat_with(|| TcpStream::connect_timeout(&addr, limit))
            .take(8)
            .map_while(Result::ok)
            .collect();
        assert!(full.len() < 8, "its queue has no end");
        (socket, full, addr)
    }

    #[test]
    fn families_take_turns_and_keep_their_own_order() {
        let addresses = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "1.1.1.2:1"];
        let addresses: Vec<SocketAddr> = addresses.iter().map(|a| a.parse().unwrap()).collect();
        let want = ["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1", "[::3]:1"];
        let want: Vec<SocketAddr> = want.iter().map(|a| a.parse().unwrap()).collect();
        assert_eq!(by_turns(&addresses), want);
        assert_eq!(by_turns(&[]), []);
    }

    #[test]
    fn an_address_that_keeps_silent_costs_its_head_start_and_not_the_timeout() {
        let (_socket, _full, dead) = silent();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let alive = listener.local_addr().unwrap();
        let begun = Instant::now();
        let (_, addr) = connect(&[dead, dead, alive], in_seconds(60), |_| true).unwrap();
        assert_eq!(addr, alive);
        assert!(begun.elapsed() >= HEAD_START * 2);
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        let late = connect(&[dead], in_seconds(1), |_| true).unwrap_err();
        assert_eq!((late.0, late.1.kind()), (Some(dead), ErrorKind::TimedOut));
    }

    #[test]
    fn an_address_that_refuses_costs_nothing_and_the_last_refusal_is_told() {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let alive = listener.local_addr().unwrap();
        let (_, addr) = connect(&[gone, alive], in_seconds(60), |_| true).unwrap();
        assert_eq!(addr, alive);
        let refused = connect(&[gone], in_seconds(60), |_| true).unwrap_err();
        assert_eq!((refused.0, refused.1.kind()), (Some(gone), ErrorKind::ConnectionRefused));
        let cut = connect(&[gone, alive], in_seconds(60), |_| false).unwrap_err();
        assert_eq!(cut.1.kind(), ErrorKind::ConnectionAborted);
    }
}
