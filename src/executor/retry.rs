//! Trying a connection again: how often and after which pause. Only for what failed before a login was tried, so
//! that no account is ever locked by it.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

use crate::ssh::error::{Phase, SessionError};

/// The operator's word on connections that fail.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Attempts after the first; 0 for none.
    pub attempts: u32,
    /// Pause before the first of them; each later one is twice as long.
    pub delay: Duration,
}

impl RetryPolicy {
    /// The pause before another attempt after `made` attempts, the last of which ended with `error`; `None` if
    /// there is to be none. `chance` is any number: pauses vary by it between a half and the whole, so that
    /// devices that failed together do not come back together.
    #[must_use]
    pub fn pause(&self, made: u32, error: &SessionError, chance: u64) -> Option<Duration> {
        if made > self.attempts || !is_of_connection(error) {
            return None;
        }
        let doubled = 1_u32.checked_shl(made.saturating_sub(1)).unwrap_or(u32::MAX);
        let most = self.delay.saturating_mul(doubled);
        // 0 to 1023 parts of 1024.
        let part = u32::try_from(chance & 1023).unwrap_or_default();
        Some(most / 2 + (most / 2 / 1024).saturating_mul(part))
    }
}

/// Any number, another one each time.
pub(super) fn chance() -> u64 {
    RandomState::new().hash_one(0)
}

/// True if no login was tried and another attempt may go better.
fn is_of_connection(error: &SessionError) -> bool {
    if let SessionError::JumpFailed { cause, .. } = error {
        return is_of_connection(cause);
    }
    matches!(
        error,
        SessionError::BannerTimeout { .. }
            | SessionError::ConnectFailed { .. }
            | SessionError::ConnectRefused { .. }
            | SessionError::ConnectTimeout { .. }
            | SessionError::Disconnected { phase: Phase::Handshake, .. }
            | SessionError::HandshakeTimeout { .. }
    )
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::device::PeerAddr;

    const POLICY: RetryPolicy = RetryPolicy { attempts: 3, delay: Duration::from_secs(1) };

    fn addr() -> PeerAddr {
        SocketAddr::from(([192, 0, 2, 1], 22)).into()
    }

    fn refused() -> SessionError {
        SessionError::ConnectRefused { addr: addr() }
    }

    #[test]
    fn pauses_double_and_vary_by_half() {
        for (made, least, most) in [(1, 500, 1000), (2, 1000, 2000), (3, 2000, 4000)] {
            for chance in [0, 1, 511, 1023, u64::MAX] {
                let pause = POLICY.pause(made, &refused(), chance).unwrap().as_millis();
                assert!((least..=most).contains(&pause), "{made} {chance}: {pause}");
            }
        }
        assert_eq!(POLICY.pause(4, &refused(), 0), None);
        assert_eq!(RetryPolicy { attempts: 0, ..POLICY }.pause(1, &refused(), 0), None);
        let endless = RetryPolicy { attempts: u32::MAX, ..POLICY };
        assert!(endless.pause(1000, &refused(), 1023).is_some());
    }

    #[test]
    fn nothing_is_tried_again_once_a_login_was_tried_or_the_caller_has_gone() {
        let limit = Duration::from_secs(1);
        for error in [
            SessionError::AuthRejected { addr: addr(), method: "password", hint: String::new() },
            SessionError::AuthTimeout { addr: addr(), limit },
            SessionError::Disconnected { addr: addr(), phase: Phase::Authentication, hint: "" },
            SessionError::Disconnected { addr: addr(), phase: Phase::Login, hint: "" },
            SessionError::Disconnected { addr: addr(), phase: Phase::Command, hint: "" },
            SessionError::NotSsh { addr: addr() },
            SessionError::HandshakeFailed { addr: addr(), reason: String::new() },
            SessionError::TerminalTimeout { addr: addr(), limit },
            SessionError::Cancelled,
            SessionError::Internal,
        ] {
            assert_eq!(POLICY.pause(1, &error, 0), None, "{error}");
        }
    }
}
