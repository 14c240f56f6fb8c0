//! The only room that names libssh2: a connected, authenticated terminal with deadlines it keeps.
//!
//! libssh2 runs non-blocking here and this room waits on the socket, so that a deadline is a deadline of the
//! whole step and not of one call. What even that cannot end (a peer that never stops sending before its SSH
//! banner) ends by the [`Lifeline`](super::lifeline::Lifeline).
//!
//! - `connection`: versions, keys and what was agreed on; `login`: who is let in; `terminal`: the shell and its bytes;
//! - `path`: the socket, or the way through jump hosts, and how much may come on it.

mod connection;
mod login;
mod path;
mod terminal;

use std::cell::Cell;

use ssh2::{ErrorCode, MethodType, Session};

pub use connection::Connection;
pub use login::Login;
pub use path::{NoTunnel, Path};
pub use terminal::Terminal;

use crate::profile::SshProfile;

const WOULD_BLOCK: i32 = -37;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_of_the_profiles_is_compiled_in() {
        assert_eq!(missing_algorithms(), [""; 0]);
        // The legacy profile has all of the modern one.
        assert!(SshProfile::Legacy.ciphers().starts_with(SshProfile::Modern.ciphers()));
    }
}
