//! Runs the devices of a plan side by side: permits, threads, deadlines, cancellation.
//!
//! A device session lives on a blocking thread of the executor's own pool; everything here is async and cheap, so
//! that a thousand hanging devices delay nobody. Not here: what a session does (`ssh`).

mod device_run;
mod pool;
mod stopping;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::sync::Semaphore;

pub use self::pool::Pool;
use self::stopping::Stopping;
use crate::{
    metrics::Metrics,
    outcome::DeviceOutcome,
    plan::{OutputFormat, Plan},
    ssh::session::SessionLimits,
};

/// The executor's bounds.
#[derive(Clone, Copy, Debug)]
pub struct ExecutorLimits {
    /// Device sessions at one time, over all requests.
    pub max_concurrent_devices: usize,
    /// Sessions at one time with one host and port, over all requests.
    pub max_sessions_per_device: usize,
    /// Name to addresses.
    pub resolve: Duration,
    /// The phases of a session.
    pub session: SessionLimits,
}

/// Runs plans. One for the whole process; clones share everything.
#[derive(Clone)]
pub struct Executor {
    shared: Arc<Shared>,
}

struct Shared {
    limits: ExecutorLimits,
    metrics: Metrics,
    stopping: Stopping,
    sessions: Arc<Semaphore>,
    pool: Pool,
    by_device: Mutex<HashMap<SocketAddr, Weak<Semaphore>>>,
}

impl Executor {
    /// An executor with no thread yet; what its sessions come to is counted in `metrics`.
    #[must_use]
    pub fn new(limits: ExecutorLimits, metrics: Metrics) -> Self {
        metrics.set_sessions_max(limits.max_concurrent_devices);
        let sessions = Arc::new(Semaphore::new(limits.max_concurrent_devices));
        let pool = Pool::new(limits.max_concurrent_devices);
        let (stopping, by_device) = (Stopping::default(), Mutex::default());
        let shared = Shared { limits, metrics, stopping, sessions, pool, by_device };
        Self { shared: Arc::new(shared) }
    }

    /// Runs all devices of the plan; results in the plan's order. Dropping the future ends its sessions.
    pub async fn run(&self, plan: Plan) -> Vec<DeviceOutcome> {
        let Plan { devices, output } = plan;
        join_all(devices.into_iter().map(|device| self.shared.run_device(device, output))).await
    }

    /// Begins no session any more; those that run log out at their next prompt. Devices that get nothing, or not
    /// all, say `cancelled`.
    pub fn wind_down(&self) {
        self.shared.stopping.wind_down();
    }

    /// Cuts off what still runs; its callers get what had come.
    pub fn cut_off(&self) {
        self.shared.stopping.cut_off();
    }

    /// True if so many devices wait that a new one would wait for longer than one session: as many as may run.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.shared.metrics.sessions_waiting() >= self.shared.limits.max_concurrent_devices
    }

    /// Device sessions that are running.
    #[must_use]
    pub fn sessions_running(&self) -> usize {
        self.shared.limits.max_concurrent_devices - self.shared.sessions.available_permits()
    }
}

impl Shared {
    /// The permits of one device; they live as long as somebody holds or waits for one.
    fn permits_of(&self, device: SocketAddr) -> Arc<Semaphore> {
        let mut by_device = self.by_device.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(permits) = by_device.get(&device).and_then(Weak::upgrade) {
            return permits;
        }
        // The table holds only devices in use: what is left of others goes before it grows.
        if by_device.len() == by_device.capacity() {
            by_device.retain(|_, permits| permits.strong_count() > 0);
        }
        let permits = Arc::new(Semaphore::new(self.limits.max_sessions_per_device));
        by_device.insert(device, Arc::downgrade(&permits));
        permits
    }
}
