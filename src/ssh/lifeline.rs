//! The hand outside on a session's socket: what libssh2 cannot be talked out of, a closed socket ends.
//!
//! A flood before the SSH banner keeps libssh2 reading for ever, a caller who hangs up wants his slot back.
//! The session's thread says by when its present step must be over; whoever watches closes the socket after that.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::net::{Shutdown, shutdown};

use super::socket::Socket;
use crate::deadline::Deadline;

/// Shared between the session's thread and whoever may end it from outside.
#[derive(Debug, Default)]
pub struct Lifeline(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    sockets: Vec<Socket>,
    deadline: Option<Deadline>,
    cut: Option<Cut>,
    winding_down: bool,
}

/// Why a session was ended from outside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cut {
    /// Nobody waits for the answer any more, or the service is stopping.
    Cancelled,
    /// The step's deadline had passed and the session's thread had not noticed.
    Deadline,
}

impl Lifeline {
    /// Puts a socket under the lifeline, connected or about to be. False if the line was cut before: the caller gives up.
    pub fn hold(&self, socket: Socket) -> bool {
        let mut state = self.lock();
        if state.cut.is_some() {
            return false;
        }
        state.sockets.push(socket);
        true
    }

    /// Of all the sockets that were tried, this one is used: the others are let go.
    pub fn hold_only(&self, socket: &Socket) {
        self.lock().sockets.retain(|held| Arc::ptr_eq(held, socket));
    }

    /// Says by when the present step must be over.
    pub fn expect_by(&self, deadline: Deadline) {
        self.lock().deadline = Some(deadline);
    }

    /// By when the present step must be over, if one is running.
    pub fn deadline(&self) -> Option<Deadline> {
        self.lock().deadline
    }

    /// Asks the session to log out at its next prompt instead of going on.
    pub fn wind_down(&self) {
        self.lock().winding_down = true;
    }

    /// True if the session should log out at its next prompt.
    pub fn is_winding_down(&self) -> bool {
        self.lock().winding_down
    }

    /// Ends the session as politely as may be: it hears nothing more, and still tells the peer that it goes. Whoever
    /// calls this cuts the line soon after: a peer that never stops sending is heard all the same.
    pub fn part(&self) {
        let mut state = self.lock();
        state.cut.get_or_insert(Cut::Cancelled);
        for socket in &state.sockets {
            // An error means that the peer was faster.
            let _ = shutdown(socket, Shutdown::Read);
        }
    }

    /// Ends the session: both directions of its socket are shut, blocked calls return at once.
    pub fn cut(&self, why: Cut) {
        let mut state = self.lock();
        state.cut.get_or_insert(why);
        for socket in state.sockets.drain(..) {
            // Closed without a farewell: a peer that floods or sleeps would keep it half open for minutes.
            let _ = rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO));
            // An error means that the peer was faster.
            let _ = shutdown(&socket, Shutdown::Both);
        }
    }

    /// Lets the socket go: the session has ended by itself, and a later [`cut`](Self::cut) finds nothing to cut.
    pub fn release(&self) {
        let mut state = self.lock();
        state.sockets.clear();
        state.deadline = None;
    }

    /// Why the session was ended from outside, if it was.
    pub fn was_cut(&self) -> Option<Cut> {
        self.lock().cut
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
