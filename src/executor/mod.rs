//! Runs the devices of a plan side by side: permits, threads, deadlines, cancellation.
//!
//! A device session lives on a blocking thread of the executor's own pool; everything here is async and cheap, so
//! that a thousand hanging devices delay nobody. Not here: what a session does (`ssh`).

mod admission;
mod delivery;
mod device_run;
mod keyring;
mod native;
mod pool;
mod queue;
mod records;
mod retry;
mod stopping;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{FutureExt as _, future::join_all};

pub use self::{
    admission::Full,
    delivery::{Delivered, Granularity, Results},
    pool::Pool,
    queue::Load,
    records::{Reader, parser_of, read_line},
    retry::RetryPolicy,
};
use self::{
    admission::{Admission, Place, Throttle},
    keyring::Keyring,
    queue::QueueBounds,
    stopping::Stopping,
};
use crate::{
    allowance::Allowance,
    deadline::Deadline,
    metrics::Metrics,
    outcome::DeviceOutcome,
    plan::{DevicePlan, Plan},
    ssh::{
        acquaintance::{Acquaintances, RefusalLimits},
        gate::Gates,
        session::{Finish, SessionLimits},
    },
};

/// A look-up cannot be ended and may hang for long after its session's place was given back: so many threads stand by.
const LOOK_UPS_PER_SESSION: usize = 4;

/// The executor's bounds.
#[derive(Clone, Copy, Debug)]
pub struct ExecutorLimits {
    /// Device sessions at one time, over all requests.
    pub max_concurrent_devices: usize,
    /// Device sessions of one request at one time.
    pub max_concurrent_per_request: usize,
    /// Sessions at one time with one host and port, over all requests.
    pub max_sessions_per_device: usize,
    /// Devices that may wait for a session, over all requests.
    pub max_queued_devices: usize,
    /// Logins under way at one time at one jump host.
    pub max_logins_per_jump: usize,
    /// When credentials that a device refused are not sent to it any more.
    pub refusals: RefusalLimits,
    /// Longest wait for a session.
    pub queue: Duration,
    /// All of one device, from its turn on.
    pub device: Duration,
    /// All of one request.
    pub request: Duration,
    /// Output that one request may hold, in bytes.
    pub most_request_output_bytes: usize,
    /// Connections that fail.
    pub retry: RetryPolicy,
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
    admission: Arc<Admission>,
    sessions: Pool,
    gates: Arc<Gates>,
    acquaintances: Arc<Acquaintances>,
    /// Resolvers cannot be stopped: one that hangs must not take a session's thread.
    resolvers: Pool,
    keyring: Keyring,
    reader: Reader,
}

/// A plan whose devices have their places in the queue. Dropped, it gives them back.
pub struct Admitted {
    shared: Arc<Shared>,
    throttle: Throttle,
    request: RequestBounds,
    devices: Vec<(DevicePlan, Place)>,
}

/// What the devices of a request have in common.
struct RequestBounds {
    until: Deadline,
    allowance: Arc<Allowance>,
    finish: Option<Finish>,
}

impl Executor {
    /// An executor with no thread yet; what its sessions come to is counted in `metrics`.
    #[must_use]
    pub fn new(limits: ExecutorLimits, metrics: Metrics, reader: Reader) -> Self {
        metrics.set_sessions_max(limits.max_concurrent_devices);
        let bounds = QueueBounds {
            running: limits.max_concurrent_devices,
            running_per_request: limits.max_concurrent_per_request,
            running_per_device: limits.max_sessions_per_device,
            waiting: limits.max_queued_devices,
        };
        let shared = Shared {
            limits,
            metrics,
            stopping: Stopping::default(),
            admission: Arc::new(Admission::new(bounds)),
            sessions: Pool::new(limits.max_concurrent_devices),
            gates: Arc::new(Gates::new(limits.max_logins_per_jump)),
            acquaintances: Arc::new(Acquaintances::new(limits.refusals)),
            resolvers: Pool::new(
                limits.max_concurrent_devices.saturating_mul(LOOK_UPS_PER_SESSION),
            ),
            keyring: Keyring::default(),
            reader,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Takes all devices of a plan into the queue, or none.
    ///
    /// # Errors
    /// [`Full`]: more would wait than may; the caller asks again later.
    pub fn admit(&self, plan: Plan) -> Result<Admitted, Full> {
        let Plan { devices } = plan;
        let addresses: Vec<_> = devices
            .iter()
            .map(|DevicePlan { device, .. }| {
                device.at.address().map(|address| SocketAddr::new(address, device.port).into())
            })
            .collect();
        let (throttle, places) = self.shared.admission.enter(&addresses)?;
        let limits = &self.shared.limits;
        let request = RequestBounds {
            until: Deadline::after(Instant::now(), limits.request),
            allowance: Arc::new(Allowance::new(limits.most_request_output_bytes)),
            finish: None,
        };
        let devices = devices.into_iter().zip(places).collect();
        Ok(Admitted { shared: Arc::clone(&self.shared), throttle, request, devices })
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

    /// True if not one device more would be taken into the queue.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let (load, limits) = (self.load(), &self.shared.limits);
        load.running + load.waiting >= limits.max_concurrent_devices + limits.max_queued_devices
    }

    /// How many device sessions run and how many devices wait for one.
    #[must_use]
    pub fn load(&self) -> Load {
        self.shared.admission.load()
    }
}

impl Admitted {
    /// Runs all devices, and `finish` on each of their commands; `came` sees each result when it is there, and all are given
    /// in the plan's order. Dropping the future ends its sessions.
    pub async fn outcomes(
        self,
        finish: Finish,
        came: impl Fn(&DeviceOutcome),
    ) -> Vec<DeviceOutcome> {
        let Self { shared, mut request, devices, .. } = self;
        request.finish = Some(finish);
        let runs = devices.into_iter().map(|(plan, place)| {
            shared.run_device(plan, place, &request, None).inspect(|outcome| came(outcome))
        });
        join_all(runs).await
    }
}
