//! How many log in to one jump host at a time.
//!
//! A server drops connections when too many have not logged in yet (OpenSSH: from ten on, `MaxStartups`), and a request
//! with many devices behind one host would bring them all at once. Each user of a host has a gate of his own, so that
//! nobody waits for another's logins. Devices are not counted here: the queue does that.

use std::{
    collections::HashMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{acquaintance::Who, error::SessionError};
use crate::deadline::Deadline;

/// How often a waiting session looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// The logins under way. One for the whole process.
#[derive(Debug)]
pub struct Gates {
    most: usize,
    doors: Mutex<HashMap<Who, Logins>>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Logins {
    inside: usize,
    waiting: usize,
    /// How often the host was late, and how it was the last time.
    n_late: u64,
    late: Option<SessionError>,
}

/// A login under way; over when it is dropped.
#[derive(Debug)]
pub struct Pass<'a> {
    gates: &'a Gates,
    door: Who,
}

/// Why nobody was let in.
#[derive(Debug, Eq, PartialEq)]
pub enum Turned {
    /// The host was late for one who was inside, and would be for everybody who waited.
    Late(SessionError),
    /// There was no time left, or nobody waits for the session any more.
    Over,
}

impl Gates {
    /// Lets `most` log in to one host as one user at a time.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, doors: Mutex::default(), changed: Condvar::new() }
    }

    /// Waits until one more may log in. Only one may as long as `is_believed` says no: what the host refuses is tried by those
    /// who come first, and the others hear of it.
    ///
    /// # Errors
    /// That was not by `until`, `is_over` said so, or the host was late meanwhile: a host that is gone costs those who
    /// wait as much as those who were first, and not one after the other.
    pub fn enter(
        &self,
        who: &Who,
        until: Deadline,
        is_believed: impl Fn() -> bool,
        is_over: impl Fn() -> bool,
    ) -> Result<Pass<'_>, Turned> {
        let mut doors = self.lock();
        let logins = doors.entry(who.clone()).or_default();
        let seen = logins.n_late;
        logins.waiting += 1;
        let turned = loop {
            let logins = doors.entry(who.clone()).or_default();
            if logins.n_late != seen
                && let Some(error) = &logins.late
            {
                break Some(Turned::Late(error.clone()));
            }
            if logins.inside == 0 || (logins.inside < self.most && is_believed()) {
                logins.inside += 1;
                break None;
            }
            let Some(left) = until.left(Instant::now()).filter(|_| !is_over()) else {
                break Some(Turned::Over);
            };
            let waited = self.changed.wait_timeout(doors, left.min(LOOK));
            doors = waited.unwrap_or_else(PoisonError::into_inner).0;
        };
        leave(&mut doors, who, |logins| logins.waiting -= 1);
        match turned {
            Some(turned) => Err(turned),
            None => Ok(Pass { gates: self, door: who.clone() }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Who, Logins>> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Says that the host was late: to those who wait.
    pub fn was_late(&self, error: &SessionError) {
        if let Some(logins) = self.gates.lock().get_mut(&self.door) {
            logins.n_late += 1;
            logins.late = Some(error.clone());
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        leave(&mut self.gates.lock(), &self.door, |logins| logins.inside -= 1);
        self.gates.changed.notify_all();
    }
}

/// Counts one less, and forgets a door that nobody is at.
fn leave(doors: &mut HashMap<Who, Logins>, door: &Who, less: impl FnOnce(&mut Logins)) {
    if let Some(logins) = doors.get_mut(door) {
        less(logins);
        if logins.inside == 0 && logins.waiting == 0 {
            doors.remove(door);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::SocketAddr,
        sync::atomic::{AtomicUsize, Ordering},
        thread,
    };

    use super::*;
    use crate::device::PeerAddr;

    fn host(port: u16) -> PeerAddr {
        SocketAddr::from(([192, 0, 2, 1], port)).into()
    }

    fn at(port: u16, user: &str) -> Who {
        Who::new(None, &host(port), user)
    }

    fn later(limit: Duration) -> Deadline {
        Deadline::after(Instant::now(), limit)
    }

    #[test]
    fn never_more_than_that_many_are_inside_and_everybody_comes_in() {
        let gates = Gates::new(3);
        let (inside, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    let until = later(Duration::from_secs(60));
                    let pass = gates.enter(&at(22, "u"), until, || true, || false);
                    assert!(pass.is_ok());
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    done.fetch_add(1, Ordering::SeqCst);
                    drop(pass);
                });
            }
        });
        assert_eq!(done.load(Ordering::SeqCst), 20);
        assert!(most.load(Ordering::SeqCst) <= 3);
        assert!(gates.lock().is_empty());
    }

    #[test]
    fn whoever_has_no_time_or_is_not_wanted_any_more_gives_up() {
        let gates = Gates::new(1);
        let until = later(Duration::from_secs(60));
        let enter = |port, user: &str, until, over: bool| {
            gates.enter(&at(port, user), until, || true, move || over)
        };
        let first = enter(22, "u", until, false).unwrap();
        for (until, over) in [
            (later(Duration::ZERO), false),
            (later(Duration::from_millis(20)), false),
            (until, true),
        ] {
            assert_eq!(enter(22, "u", until, over).unwrap_err(), Turned::Over);
        }
        // Another host, another user and another way have gates of their own.
        assert!(enter(23, "u", until, true).is_ok() && enter(22, "v", until, true).is_ok());
        let beyond = Who::new(Some(&host(9)), &host(22), "u");
        assert!(gates.enter(&beyond, until, || true, || true).is_ok());
        drop(first);
        assert!(enter(22, "u", until, true).is_ok());
        assert!(gates.lock().is_empty());
    }

    #[test]
    fn a_host_that_is_late_is_late_for_all_who_wait_and_for_nobody_after() {
        let gates = Gates::new(1);
        let error = || SessionError::ConnectTimeout { addr: host(22), limit: Duration::ZERO };
        let until = later(Duration::from_secs(60));
        let first = gates.enter(&at(22, "u"), until, || true, || false).unwrap();
        thread::scope(|scope| {
            let waiting: Vec<_> = (0..5)
                .map(|_| {
                    scope.spawn(|| gates.enter(&at(22, "u"), until, || true, || false).map(drop))
                })
                .collect();
            let all_wait = || gates.lock().values().any(|logins| logins.waiting == 5);
            while !all_wait() {
                thread::yield_now();
            }
            first.was_late(&error());
            drop(first);
            for one in waiting {
                assert_eq!(one.join().unwrap(), Err(Turned::Late(error())));
            }
        });
        assert!(gates.enter(&at(22, "u"), until, || true, || false).is_ok());
        assert!(gates.lock().is_empty());
    }
}
