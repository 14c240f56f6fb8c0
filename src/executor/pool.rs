//! Threads for blocking work, made when they are needed and given back when they are not.
//!
//! Neither actix's nor tokio's blocking pool carries device sessions: a thousand hanging devices must not keep
//! a health check waiting.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// libssh2 and OpenSSL need about 40 KiB; parsing on the same thread takes the rest.
const STACK_BYTES: usize = 512 * 1024;
/// How long a thread without work is kept.
const IDLE: Duration = Duration::from_secs(10);
/// How many steps of niceness these threads stand behind those that answer callers, where processors are full: hundreds
/// that log in at once would else keep a health check waiting.
const STEPS_BEHIND: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// A pool of at most `most` threads; jobs beyond wait in order.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    most: usize,
    niceness: i32,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

impl Pool {
    /// An empty pool: no thread exists before the first job.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let niceness = niceness() + STEPS_BEHIND;
        let (state, work) = (Mutex::default(), Condvar::new());
        Self { shared: Arc::new(Shared { state, work, most: most.max(1), niceness }) }
    }

    /// Runs `job` on a thread of the pool and gives what it returns; `None` if it panicked or no thread could be made.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, result) = tokio::sync::oneshot::channel();
        self.submit(Box::new(move || {
            // Nobody waits any more: what the job holds is let go.
            if answer.is_closed() {
                return;
            }
            // A panic ends this job, not the thread; its message has gone to the log.
            if let Ok(value) = catch_unwind(AssertUnwindSafe(job)) {
                // Nobody waits any more if this fails.
                let _ = answer.send(value);
            }
        }));
        result.await.ok()
    }

    /// Threads that exist now.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.shared.lock().threads
    }

    fn submit(&self, job: Job) {
        let mut state = self.shared.lock();
        state.jobs.push_back(job);
        if state.idle >= state.jobs.len() || state.threads >= self.shared.most {
            // Who is woken before would go back to sleep at the lock.
            drop(state);
            self.shared.work.notify_one();
            return;
        }
        state.threads += 1;
        drop(state);
        let shared = Arc::clone(&self.shared);
        let made = thread::Builder::new()
            .name("device".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || shared.work());
        if made.is_err() {
            let mut state = self.shared.lock();
            state.threads -= 1;
            // With no thread at all nobody would ever take the job: dropping it tells its caller.
            if state.threads == 0 {
                state.jobs.clear();
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        // Of this thread alone on Linux, of the whole process elsewhere.
        if cfg!(target_os = "linux") {
            let _ = rustix::process::setpriority_process(None, self.niceness);
        }
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                job();
                state = self.lock();
                continue;
            }
            state.idle += 1;
            let (woken, waited) =
                self.work.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if waited.timed_out() && state.jobs.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }
}

/// Of this thread.
fn niceness() -> i32 {
    rustix::process::getpriority_process(None).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn jobs_run_side_by_side_up_to_the_limit_and_threads_are_reused() {
        let pool = Pool::new(2);
        let barrier = Arc::new(std::sync::Barrier::new(2));
        let meet = || {
            let barrier = Arc::clone(&barrier);
            pool.run(move || barrier.wait().is_leader())
        };
        let (one, two) = tokio::join!(meet(), meet());
        assert_ne!(one.unwrap(), two.unwrap());
        assert_eq!(pool.run(|| 3).await, Some(3));
        assert!(pool.threads() <= 2);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn its_threads_stand_behind_the_callers_own() {
        let own = niceness();
        assert_eq!(Pool::new(1).run(niceness).await, Some((own + STEPS_BEHIND).min(19)));
        assert_eq!(niceness(), own);
    }

    #[tokio::test]
    async fn a_panic_ends_its_job_and_nothing_else() {
        let pool = Pool::new(1);
        assert_eq!(pool.run(|| -> i32 { panic!("on purpose") }).await, None);
        assert_eq!(pool.run(|| 4).await, Some(4));
    }
}
