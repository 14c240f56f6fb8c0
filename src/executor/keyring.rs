//! The secrets of credential sets while devices need them: read once for all who wait, and forgotten soon.
//!
//! Whoever had asked before a reading was over takes what it came to, good or bad: a thousand devices are one
//! question to a secret store, also to one that does not answer.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use tokio::{
    sync::Mutex as Turns,
    time::{sleep_until, timeout_at},
};

use super::{Pool, Shared};
use crate::{
    credential::{CredentialSet, Secrets, Unavailable},
    deadline::Deadline,
    device::{Credentials, Host, Login, PeerAddr},
    ssh::{error::SessionError, session::Clock},
};

/// How much longer than its limit a reading is waited for.
const SLACK: Duration = Duration::from_secs(1);
/// A failure that took longer than this is kept for as long as it took: whoever comes meanwhile does not wait for the same.
const SLOW: Duration = Duration::from_secs(1);
/// Readings at one time: one a set, and stores that hang hold theirs.
const MOST_READINGS: usize = 64;

/// What sets came to, by set.
pub(super) struct Keyring {
    sets: Mutex<Vec<Entry>>,
    readings: Pool,
}

struct Entry {
    // It keeps the address of the set from being that of another one.
    set: Weak<CredentialSet>,
    last: Arc<Turns<Option<Reading>>>,
}

struct Reading {
    result: Result<Arc<Secrets>, Unavailable>,
    ended: Instant,
    good_until: Instant,
}

/// Why a device has no secrets.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum NoSecrets {
    /// They are not to be had.
    Unavailable(Unavailable),
    /// The device's own time was over first.
    Late,
}

impl Shared {
    /// What a peer at these addresses is logged in to with. A set of the operator's must be for it.
    pub(super) async fn credentials(
        &self,
        login: &Login,
        host: &Host,
        port: u16,
        addresses: &[PeerAddr],
        clock: &Clock,
    ) -> Result<Credentials, SessionError> {
        let set = match login {
            Login::Given(credentials) => return Ok(Credentials::clone(credentials)),
            Login::Set(set) => set,
        };
        let known: Option<Vec<_>> = addresses.iter().map(PeerAddr::address).collect();
        let checked = match known {
            Some(addresses) => set.scope.check(host.as_str(), port, &addresses),
            None => set.scope.check_name(host.as_str(), port),
        };
        checked.map_err(|rule| {
            let device = format!("{host}:{port}");
            SessionError::CredentialRefused { set: set.name.clone(), device, rule }
        })?;
        match self.keyring.secrets(set, clock.until).await {
            Ok(secrets) => Ok(set.with(&secrets)),
            Err(NoSecrets::Late) => Err(clock.error.clone()),
            Err(NoSecrets::Unavailable(Unavailable { reason, .. })) => {
                Err(SessionError::CredentialUnavailable { set: set.name.clone(), reason })
            }
        }
    }
}

impl Default for Keyring {
    fn default() -> Self {
        Self { sets: Mutex::default(), readings: Pool::new(MOST_READINGS) }
    }
}

impl Keyring {
    /// The secrets of a set: read now, unless somebody has just done that.
    pub(super) async fn secrets(
        &self,
        set: &Arc<CredentialSet>,
        until: Deadline,
    ) -> Result<Arc<Secrets>, NoSecrets> {
        let asked = Instant::now();
        let last = self.entry(set);
        let turn = timeout_at(until.at().into(), Arc::clone(&last).lock_owned()).await;
        let mut turn = turn.map_err(|_late| NoSecrets::Late)?;
        let usable = |one: &&Reading| one.ended >= asked || one.good_until > Instant::now();
        if let Some(known) = turn.as_ref().filter(usable) {
            return known.result.clone().map_err(NoSecrets::Unavailable);
        }
        // A reading goes on when its first device has gone: others wait for it.
        let (reader, pool) = (Arc::clone(set), self.readings.clone());
        let (limit, keep, name) = (set.source.limit(), set.source.keep(), set.name.clone());
        let reading = tokio::spawn(async move {
            let running = pool.run(move || reader.source.read());
            let began = Instant::now();
            let late = began + limit + SLACK;
            let result = match timeout_at(late.into(), running).await {
                Ok(Some(read)) => read.map(Arc::new),
                Ok(None) => Err(Unavailable::new("a fault of Showrunner itself", "it is above")),
                Err(_late) => {
                    let reason = format!("no answer within {} s", limit.as_secs_f32());
                    Err(Unavailable::new(reason, "is its file on a network that hangs?"))
                }
            };
            if let Err(Unavailable { reason, detail }) = &result {
                tracing::warn!(
                    credential = name,
                    reason,
                    detail,
                    "a credential set cannot be read"
                );
            }
            let took = began.elapsed();
            let keep = match &result {
                Ok(_) => keep,
                Err(_) if took > SLOW => took,
                Err(_) => Duration::ZERO,
            };
            *turn = Some(Reading::new(result.clone(), &last, keep));
            result
        });
        match timeout_at(until.at().into(), reading).await {
            Ok(Ok(result)) => result.map_err(NoSecrets::Unavailable),
            Ok(Err(_gone)) => Err(NoSecrets::Unavailable(Unavailable::new("cut off", ""))),
            Err(_late) => Err(NoSecrets::Late),
        }
    }

    fn entry(&self, set: &Arc<CredentialSet>) -> Arc<Turns<Option<Reading>>> {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        // Sets of settings that were replaced go with their last device.
        sets.retain(|entry| entry.set.strong_count() > 0);
        let same = |entry: &&Entry| std::ptr::eq(entry.set.as_ptr(), Arc::as_ptr(set));
        if let Some(entry) = sets.iter().find(same) {
            return Arc::clone(&entry.last);
        }
        let last = Arc::new(Turns::new(None));
        sets.push(Entry { set: Arc::downgrade(set), last: Arc::clone(&last) });
        last
    }
}

impl Reading {
    /// Notes what came of a reading, and sees to it that it is forgotten in time.
    fn new(
        result: Result<Arc<Secrets>, Unavailable>,
        last: &Arc<Turns<Option<Self>>>,
        keep: Duration,
    ) -> Self {
        let ended = Instant::now();
        let good_until = ended + keep;
        let last = Arc::downgrade(last);
        tokio::spawn(async move {
            sleep_until(good_until.into()).await;
            if let Some(last) = last.upgrade() {
                // Those who wait now come first.
                let mut turn = last.lock().await;
                if turn.as_ref().is_some_and(|one| one.ended == ended) {
                    *turn = None;
                }
            }
        });
        Self { result, ended, good_until }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;
    use crate::{
        credential::{Scope, SecretSource},
        host_key::Proof,
        secret::Secret,
    };

    /// Counts how often it is read; fails every time if it is told to.
    #[derive(Debug)]
    struct Counted {
        n_read: Arc<AtomicUsize>,
        takes: Duration,
        fails: bool,
        keep: Duration,
    }

    impl SecretSource for Counted {
        fn read(&self) -> Result<Secrets, Unavailable> {
            let n_read = self.n_read.fetch_add(1, Ordering::SeqCst) + 1;
            // As a store that takes its time.
            std::thread::park_timeout(self.takes);
            if self.fails {
                return Err(Unavailable::new(format!("reading {n_read}"), ""));
            }
            let password = Some(Secret::new(n_read.to_string()));
            Ok(Secrets { password, ..Secrets::default() })
        }

        fn limit(&self) -> Duration {
            Duration::from_secs(20)
        }

        fn keep(&self) -> Duration {
            self.keep
        }
    }

    fn set(fails: bool, keep: Duration) -> (Arc<CredentialSet>, Arc<AtomicUsize>) {
        set_that_takes(Duration::from_millis(50), fails, keep)
    }

    fn set_that_takes(
        takes: Duration,
        fails: bool,
        keep: Duration,
    ) -> (Arc<CredentialSet>, Arc<AtomicUsize>) {
        let n_read = Arc::new(AtomicUsize::new(0));
        let set = CredentialSet {
            name: "lab".to_owned(),
            username: "u".to_owned(),
            scope: Scope::default(),
            proof: Proof::Policy,
            source: Box::new(Counted { n_read: Arc::clone(&n_read), takes, fails, keep }),
        };
        (Arc::new(set), n_read)
    }

    fn later() -> Deadline {
        Deadline::after(Instant::now(), Duration::from_secs(60))
    }

    const LONG: Duration = Duration::from_secs(600);

    #[tokio::test]
    async fn a_thousand_devices_are_one_reading_and_the_next_ones_are_none() {
        let (keyring, (set, n_read)) = (Keyring::default(), set(false, LONG));
        let all = join_all((0..1000).map(|_| keyring.secrets(&set, later()))).await;
        assert!(all.iter().all(Result::is_ok));
        assert!(keyring.secrets(&set, later()).await.is_ok());
        assert_eq!(n_read.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_failure_is_shared_by_those_who_waited_and_by_nobody_else() {
        let (keyring, (set, n_read)) = (Keyring::default(), set(true, LONG));
        let all = join_all((0..1000).map(|_| keyring.secrets(&set, later()))).await;
        let failure = NoSecrets::Unavailable(Unavailable::new("reading 1", ""));
        assert!(all.iter().all(|one| one.as_ref().err() == Some(&failure)));
        assert!(keyring.secrets(&set, later()).await.is_err());
        assert_eq!(n_read.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_store_that_hangs_is_not_waited_for_by_one_device_after_the_other() {
        let takes = Duration::from_secs(3);
        let (keyring, (set, n_read)) = (Keyring::default(), set_that_takes(takes, true, LONG));
        for _ in 0..100 {
            assert!(keyring.secrets(&set, later()).await.is_err());
        }
        assert_eq!(n_read.load(Ordering::SeqCst), 1);
        // It may be well again.
        for _ in 0..2000 {
            if n_read.load(Ordering::SeqCst) == 2 {
                return;
            }
            let _ = keyring.secrets(&set, later()).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it is never asked again");
    }

    #[tokio::test]
    async fn what_is_not_to_be_kept_is_read_each_time_and_forgotten() {
        let (keyring, (set, n_read)) = (Keyring::default(), set(false, Duration::ZERO));
        for want in ["1", "2", "3"] {
            let secrets = keyring.secrets(&set, later()).await.unwrap();
            assert_eq!(secrets.password.as_ref().unwrap().expose(), want);
        }
        assert_eq!(n_read.load(Ordering::SeqCst), 3);
        let last = keyring.entry(&set);
        for _ in 0..2000 {
            if last.lock().await.is_none() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the secrets are still there");
    }

    #[tokio::test]
    async fn who_has_no_time_left_goes_and_the_others_get_the_secrets() {
        let (keyring, (set, n_read)) = (Keyring::default(), set(false, LONG));
        let over = Deadline::after(Instant::now(), Duration::ZERO);
        let (late, patient) =
            tokio::join!(keyring.secrets(&set, over), keyring.secrets(&set, later()));
        assert_eq!((late.err(), patient.is_ok()), (Some(NoSecrets::Late), true));
        assert_eq!(n_read.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn sets_that_were_replaced_are_forgotten_and_never_taken_for_others() {
        let keyring = Keyring::default();
        for _ in 0..10 {
            let (set, n_read) = set(false, LONG);
            assert!(keyring.secrets(&set, later()).await.is_ok());
            assert_eq!(n_read.load(Ordering::SeqCst), 1);
            assert_eq!(keyring.sets.lock().unwrap().len(), 1);
        }
    }
}
