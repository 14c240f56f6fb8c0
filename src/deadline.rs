//! A moment by which a step must be over.
//!
//! The clock is never read here: callers bring `now`, so that everything built on it can be tested without waiting.

use std::time::{Duration, Instant};

/// A moment in time; steps that reach it give up.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline `limit` after `now`.
    #[must_use]
    pub fn after(now: Instant, limit: Duration) -> Self {
        // An addition that overflows would need a limit of centuries; the settings stop at minutes.
        Self(now.checked_add(limit).unwrap_or(now))
    }

    /// The earlier of the two.
    #[must_use]
    pub fn or_earlier(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    /// The moment itself.
    #[must_use]
    pub fn at(self) -> Instant {
        self.0
    }

    /// Time left at `now`; `None` once it has passed.
    #[must_use]
    pub fn left(self, now: Instant) -> Option<Duration> {
        self.0.checked_duration_since(now).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_has_time_left_until_its_moment_and_none_from_then_on() {
        let now = Instant::now();
        let deadline = Deadline::after(now, Duration::from_millis(50));
        assert_eq!(deadline.left(now), Some(Duration::from_millis(50)));
        assert_eq!(deadline.left(now + Duration::from_millis(50)), None);
        assert_eq!(deadline.left(now + Duration::from_secs(9)), None);
    }
}
