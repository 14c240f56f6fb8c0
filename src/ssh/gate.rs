//! How many log in to one jump host at a time.
//!
//! A server drops connections when too many have not logged in yet (OpenSSH: from ten on, `MaxStartups`), and a request
//! with many devices behind one host would bring them all at once. Devices are not counted here: the queue does that.

use std::{
    collections::HashMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{deadline::Deadline, device::PeerAddr};

/// How often a waiting session looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// The logins under way, by host. One for the whole process.
#[derive(Debug)]
pub struct Gates {
    most: usize,
    inside: Mutex<HashMap<PeerAddr, usize>>,
    left: Condvar,
}

/// A login under way; over when it is dropped.
#[derive(Debug)]
pub struct Pass<'a> {
    gates: &'a Gates,
    host: PeerAddr,
}

impl Gates {
    /// Lets `most` log in to one host at a time.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, inside: Mutex::default(), left: Condvar::new() }
    }

    /// Waits until one more may log in to `host`. `None` if that was not by `until`, or if `is_over` by then.
    pub fn enter(
        &self,
        host: &PeerAddr,
        until: Deadline,
        is_over: impl Fn() -> bool,
    ) -> Option<Pass<'_>> {
        let host = host.key();
        let mut inside = self.lock();
        while inside.get(&host).is_some_and(|logins| *logins >= self.most) {
            let left = until.left(Instant::now()).filter(|_| !is_over())?;
            let waited = self.left.wait_timeout(inside, left.min(LOOK));
            inside = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *inside.entry(host.clone()).or_default() += 1;
        Some(Pass { gates: self, host })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PeerAddr, usize>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut inside = self.gates.lock();
        if let Some(logins) = inside.get_mut(&self.host) {
            *logins -= 1;
            if *logins == 0 {
                inside.remove(&self.host);
            }
        }
        drop(inside);
        self.gates.left.notify_all();
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

    fn host(port: u16) -> PeerAddr {
        SocketAddr::from(([192, 0, 2, 1], port)).into()
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
                    let pass = gates.enter(&host(22), until, || false);
                    assert!(pass.is_some());
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
    fn whoever_is_late_or_not_wanted_any_more_gives_up() {
        let gates = Gates::new(1);
        let until = later(Duration::from_secs(60));
        let first = gates.enter(&host(22), until, || false);
        assert!(gates.enter(&host(22), later(Duration::ZERO), || false).is_none());
        assert!(gates.enter(&host(22), later(Duration::from_millis(20)), || false).is_none());
        assert!(gates.enter(&host(22), until, || true).is_none());
        // Another host has a gate of its own.
        assert!(gates.enter(&host(23), until, || true).is_some());
        drop(first);
        assert!(gates.enter(&host(22), until, || true).is_some());
    }
}
