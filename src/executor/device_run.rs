//! One device of a plan, from its place in the queue to its outcome.

use std::{
    net::{SocketAddr, ToSocketAddrs as _},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::time::{sleep, sleep_until, timeout, timeout_at};
use tracing::{Instrument as _, Span, info_span};

use super::{
    Reader, RequestBounds, Shared,
    admission::{Place, TooLate},
    queue::Waits,
    retry::chance,
    stopping::Stage,
};
use crate::{
    allowance::Allowance,
    catalog::Os,
    deadline::Deadline,
    device::{Device, Host, PeerAddr},
    jump::Hop,
    metrics::Metrics,
    outcome::{CommandFailure, CommandOutcome, DeviceOutcome, Timing, millis},
    plan::{DevicePlan, Jump, PlannedCommand},
    platform::Platform,
    ssh::{
        error::SessionError,
        lifeline::{Cut, Lifeline},
        session::{
            self, Clock, CommandSink, DEADLINE_SLACK, Finish, Leg, SessionJob, SessionReport,
        },
    },
    target::TargetPolicy,
};

/// How long a session may take to say that it goes, when the service stops.
const PARTING: Duration = Duration::from_millis(500);

/// A device's turn: its clock, and what it has come to so far.
struct Turn<'r> {
    place: Option<Place>,
    request: &'r RequestBounds,
    device: String,
    waited: Duration,
    attempts: u32,
}

impl Shared {
    pub(super) fn run_device(
        &self,
        plan: DevicePlan,
        place: Place,
        request: &RequestBounds,
        sink: Option<CommandSink>,
    ) -> impl Future<Output = DeviceOutcome> {
        let span = info_span!(
            "device.session",
            device.host = %plan.device.host,
            device.port = plan.device.port,
            device.os = plan.device.platform.name(),
            n_commands = plan.commands.len(),
        );
        self.run_in_span(Box::new(plan), place, request, sink).instrument(span)
    }

    /// The plan comes boxed: a future has room for each of its arguments twice, and a thousand of them wait at a time.
    async fn run_in_span(
        &self,
        plan: Box<DevicePlan>,
        place: Place,
        request: &RequestBounds,
        sink: Option<CommandSink>,
    ) -> DeviceOutcome {
        let (hostname, os, port) =
            (plan.device.host.to_string(), plan.device.os.clone(), plan.device.port);
        let counted = self.metrics.device(plan.device.platform.name());
        let device = format!("{hostname}:{port}");
        let mut turn =
            Turn { place: Some(place), request, device, waited: Duration::ZERO, attempts: 0 };
        let mut timing = Timing::default();
        let queued = Instant::now();
        let result = self.attempts(plan, &mut turn, &mut timing, sink).await;
        let report = result.unwrap_or_else(failed);
        let failure = report
            .error
            .map(|error| CommandFailure { code: error.code(), message: error.to_string() });
        let outcome = DeviceOutcome {
            hostname,
            os,
            port,
            commands: report.commands,
            failure,
            duration: queued.elapsed().saturating_sub(turn.waited),
            ended: SystemTime::now(),
            timing: Timing { queue: Some(turn.waited), resolve: timing.resolve, ..report.timing },
            attempts: turn.attempts,
            host_key: report.host_key,
            algorithms: report.algorithms,
            warnings: report.warnings,
        };
        counted.ended(&outcome);
        log(&outcome, report.output_bytes);
        outcome
    }

    /// Waits for the turn, finds the device, and talks to it: again, if it could not be connected to.
    async fn attempts(
        &self,
        plan: Box<DevicePlan>,
        turn: &mut Turn<'_>,
        timing: &mut Timing,
        sink: Option<CommandSink>,
    ) -> Result<SessionReport, SessionError> {
        self.wait(turn).await?;
        let clock = self.clock(turn);
        let found = async {
            let started = Instant::now();
            let found = self.find(&plan, &clock).await;
            timing.resolve = Some(started.elapsed());
            let (addresses, hops) = found?;
            let jump = self.resolve_jump(&plan, hops, &clock).await?;
            let Device { host, port, login, .. } = &plan.device;
            let credentials = self.credentials(login, host, *port, &addresses, &clock).await?;
            Ok((addresses, jump, credentials))
        };
        let (addresses, jump, credentials) = tokio::select! {
            biased;
            found = found => found?,
            () = self.stopping.winding_down() => return Err(SessionError::Cancelled),
        };
        let first = PeerAddr::of_device(&addresses).ok_or(SessionError::Internal)?;
        let DevicePlan { device, commands, profile, host_key, connect_timeout, .. } = *plan;
        let records = Arc::new(Records {
            reader: self.reader.clone(),
            metrics: self.metrics.clone(),
            os: device.os.clone(),
            platform: Arc::clone(&device.platform),
            commands: Arc::clone(&commands),
            allowance: Arc::clone(&turn.request.allowance),
            until: turn.request.until,
            finish: turn.request.finish,
        });
        let sink = sink.map(|sink| Arc::clone(&records).before(sink));
        let job = Arc::new(SessionJob {
            device,
            credentials,
            commands,
            limits: self.limits.session,
            profile,
            host_key,
            connect_timeout,
            jump,
            gates: Arc::clone(&self.gates),
            acquaintances: Arc::clone(&self.acquaintances),
            clock,
            allowance: Arc::clone(&turn.request.allowance),
            sink,
            finish: turn.request.finish,
        });
        let addresses: Arc<[PeerAddr]> = addresses.into();
        loop {
            // One session a device: its VTY lines are few. Two of one request run one after the other.
            while turn.place.as_mut().is_some_and(|place| !place.claim(first.clone())) {
                self.wait(turn).await?;
            }
            turn.attempts += 1;
            let (report, pause) = self.talk(&job, &addresses, &records, turn).await;
            let is_paused = matches!(report.error, Some(SessionError::AuthPaused { .. }));
            if is_paused && report.timing.connect.is_none() {
                turn.attempts -= 1;
            }
            let Some(pause) = pause else { return Ok(report) };
            tracing::info!(
                attempt = turn.attempts,
                pause_ms = millis(pause),
                error_code = report.error.as_ref().map(SessionError::code),
                "connection failed, trying again"
            );
            // Others may run meanwhile.
            turn.each_place(Place::step_back);
            tokio::select! {
                () = self.stopping.winding_down() => return Err(SessionError::Cancelled),
                () = sleep(pause) => {}
            }
            turn.each_place(Place::rejoin);
            self.wait(turn).await?;
        }
    }

    /// Waits until it is the device's turn.
    async fn wait(&self, turn: &mut Turn<'_>) -> Result<(), SessionError> {
        let Some(place) = &mut turn.place else { return Err(SessionError::Internal) };
        let queued = Instant::now();
        let until = Deadline::after(queued, self.limits.queue);
        let called = tokio::select! {
            biased;
            () = self.stopping.winding_down() => None,
            called = place.turn(until, turn.request.until) => Some(called),
        };
        turn.waited += queued.elapsed();
        let Some(called) = called else { return Err(SessionError::Cancelled) };
        called.map_err(|TooLate(waits)| {
            let device = turn.device.clone();
            if turn.request.until.left(Instant::now()).is_none() {
                SessionError::RequestTimeout { device, limit: self.limits.request }
            } else {
                let (limit, cause) = (self.limits.queue, cause_of_wait(waits));
                SessionError::QueueTimeout { device, limit, cause }
            }
        })
    }

    /// By when all of the device must be over, and what to say then: its own limit or the request's.
    fn clock(&self, turn: &Turn<'_>) -> Clock {
        let own = Deadline::after(Instant::now(), self.limits.device);
        let device = turn.device.clone();
        if turn.request.until < own {
            let error = SessionError::RequestTimeout { device, limit: self.limits.request };
            Clock { until: turn.request.until, error }
        } else {
            Clock {
                until: own,
                error: SessionError::DeviceTimeout { device, limit: self.limits.device },
            }
        }
    }

    /// Where the device is, and the hosts on the way to it. A name that the last of them looks up has no address here.
    async fn find(
        &self,
        plan: &DevicePlan,
        clock: &Clock,
    ) -> Result<(Vec<PeerAddr>, Vec<Hop>), SessionError> {
        let DevicePlan { device, targets, jump, .. } = plan;
        let no_way = |reason| SessionError::NoWay { host: device.host.to_string(), reason };
        if let Jump::ByRule(ssh) = jump
            && let Some(way) = ssh.way_beyond(&device.host, &device.at, targets).map_err(no_way)?
        {
            targets.check_name(device.at.as_str(), device.port).map_err(|rule| {
                SessionError::TargetRefused { device: target(&device.at, device.port), rule }
            })?;
            return Ok((vec![PeerAddr::Name(device.at.clone(), device.port)], way));
        }
        let addresses = self.resolve(&device.at, device.port, Some(targets), clock).await?;
        let way = match jump {
            Jump::Said(hops) => hops.clone(),
            Jump::ByRule(ssh) => ssh.way_to(&device.host, &addresses).map_err(no_way)?,
        };
        Ok((addresses.into_iter().map(PeerAddr::from).collect(), way))
    }

    /// The device's addresses, each allowed. An address that is not allowed refuses the device, so that a name
    /// cannot be pointed at two places.
    async fn resolve(
        &self,
        host: &Host,
        port: u16,
        targets: Option<&TargetPolicy>,
        clock: &Clock,
    ) -> Result<Vec<SocketAddr>, SessionError> {
        let limit = self.limits.resolve;
        let address = host.address();
        let target = target(host, port);
        let host = host.to_string();
        let until = Deadline::after(Instant::now(), limit).or_earlier(clock.until);
        let addresses = match address {
            Some(address) => Ok(vec![SocketAddr::new(address, port)]),
            None => timeout_at(until.at().into(), self.look_up(host.clone(), port)).await.map_err(
                |_late| clock.judge(SessionError::ResolveTimeout { host: host.clone(), limit }),
            )?,
        };
        let addresses = match addresses {
            Ok(addresses) if addresses.is_empty() => Err("no address".to_owned()),
            Ok(addresses) => Ok(addresses),
            Err(error) => Err(reason(&error)),
        };
        let mut addresses = addresses
            .map_err(|reason| SessionError::ResolveFailed { host: host.clone(), reason })?;
        // A device is one, whatever clothes its address comes in.
        for address in &mut addresses {
            address.set_ip(address.ip().to_canonical());
        }
        // What the operator has named himself is not asked about.
        if let Some(targets) = targets {
            for address in &addresses {
                targets
                    .check(*address)
                    .map_err(|rule| SessionError::TargetRefused { device: target.clone(), rule })?;
            }
        }
        Ok(addresses)
    }

    /// The hosts on the way and their addresses: those that a caller names are targets as the device is.
    async fn resolve_jump(
        &self,
        plan: &DevicePlan,
        hops: Vec<Hop>,
        clock: &Clock,
    ) -> Result<Vec<Leg>, SessionError> {
        let n_hops = hops.len();
        let mut legs = Vec::new();
        for (index, hop) in hops.into_iter().enumerate() {
            let goes_by_name = index > 0 && hop.is_own && hop.resolves_there && hop.host.is_name();
            let targets = (!hop.is_own).then_some(&*plan.targets);
            let failed = |cause| SessionError::JumpFailed {
                hop: index + 1,
                of: n_hops,
                cause: Box::new(cause),
            };
            let addresses: Vec<_> = if goes_by_name {
                vec![PeerAddr::Name(hop.host.clone(), hop.port)]
            } else {
                let found = self.resolve(&hop.host, hop.port, targets, clock).await;
                found.map_err(failed)?.into_iter().map(PeerAddr::from).collect()
            };
            let Hop { host, port, login, .. } = &hop;
            let credentials = self.credentials(login, host, *port, &addresses, clock).await;
            let credentials = credentials.map_err(failed)?;
            legs.push(Leg { hop, credentials, addresses });
        }
        Ok(legs)
    }

    /// Asks the system, on a thread of its own: it may take its time.
    async fn look_up(&self, host: String, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        let found = self
            .resolvers
            .run(move || (host.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>));
        found.await.unwrap_or_else(|| Err(std::io::Error::other("no thread to be had")))
    }

    /// Runs the session on a thread of the pool and watches its deadlines from here. Gives a pause if it is to be
    /// tried again; the place is still the turn's then, and was given up with the session's end otherwise.
    async fn talk(
        &self,
        job: &Arc<SessionJob>,
        addresses: &Arc<[PeerAddr]>,
        records: &Arc<Records>,
        turn: &mut Turn<'_>,
    ) -> (SessionReport, Option<Duration>) {
        let lifeline = Arc::new(Lifeline::default());
        let _cut_on_drop = CutOnDrop(Arc::clone(&lifeline));
        let span = Span::current();
        let (place, retry, made) = (turn.place.take(), self.limits.retry, turn.attempts);
        let running = {
            let (job, addresses, lifeline) =
                (Arc::clone(job), Arc::clone(addresses), Arc::clone(&lifeline));
            let records = Arc::clone(records);
            self.sessions.run(move || {
                let mut report = span.in_scope(|| session::run(&job, &addresses, &lifeline));
                let pause = report
                    .error
                    .as_ref()
                    .and_then(|error| retry.pause(made, error, chance()))
                    .filter(|pause| job.clock.until.left(Instant::now() + *pause).is_some());
                let mut has_unread = false;
                for (index, outcome) in report.commands.iter_mut().enumerate() {
                    if records.takes_time(index, outcome) {
                        has_unread = true;
                    } else {
                        records.read(index, outcome);
                    }
                }
                // The permit is free now, and not when the result has been taken; of outputs that are still to be parsed then,
                // so that they are no more than sessions.
                let place = place.filter(|_| pause.is_some() || has_unread);
                (report, pause, place)
            })
        };
        let Some((mut report, pause, place)) = self.watch(running, &lifeline).await else {
            return (failed(SessionError::Internal), None);
        };
        turn.place = place;
        for (index, outcome) in report.commands.iter_mut().enumerate() {
            if records.takes_time(index, outcome) {
                let (records, mut unread) = (Arc::clone(records), std::mem::take(outcome));
                let read = self.reader.on_thread(move || {
                    records.read(index, &mut unread);
                    unread
                });
                let Some(read) = read.await else {
                    return (failed(SessionError::Internal), None);
                };
                *outcome = read;
            }
        }
        if pause.is_none() {
            turn.place = None;
        }
        (report, pause)
    }

    /// Waits for a session; cuts its socket if a step of it does not notice that it is late, or if the service stops.
    async fn watch<T>(
        &self,
        running: impl Future<Output = Option<T>>,
        lifeline: &Lifeline,
    ) -> Option<T> {
        tokio::pin!(running);
        let mut stage = Stage::default();
        loop {
            // Between steps nothing is due: look again soon.
            let due = lifeline.deadline().map_or_else(
                || Instant::now() + Duration::from_millis(500),
                |deadline| deadline.at() + DEADLINE_SLACK,
            );
            tokio::select! {
                report = &mut running => return report,
                entered = self.stopping.after(stage) => {
                    stage = entered;
                    lifeline.wind_down();
                    if stage == Stage::CutOff {
                        lifeline.part();
                        if let Ok(report) = timeout(PARTING, &mut running).await {
                            return report;
                        }
                        lifeline.cut(Cut::Cancelled);
                        return running.await;
                    }
                }
                () = sleep_until(due.into()) => {
                    let late = lifeline.deadline().is_some_and(|deadline| {
                        deadline.at() + DEADLINE_SLACK <= Instant::now()
                    });
                    if late {
                        lifeline.cut(Cut::Deadline);
                        return running.await;
                    }
                }
            }
        }
    }
}

fn failed(error: SessionError) -> SessionReport {
    SessionReport { error: Some(error), ..SessionReport::default() }
}

impl Turn<'_> {
    fn each_place(&mut self, step: impl FnOnce(&mut Place)) {
        if let Some(place) = &mut self.place {
            step(place);
        }
    }
}

/// What reads the records of a device's outputs, and counts its commands.
struct Records {
    reader: Reader,
    metrics: Metrics,
    /// As the request had it.
    os: String,
    platform: Arc<Platform>,
    commands: Arc<[PlannedCommand]>,
    allowance: Arc<Allowance>,
    /// When the request must be over: what a device said in its time is read behind it too.
    until: Deadline,
    finish: Option<Finish>,
}

impl Records {
    /// True if reading it is more than counting it.
    fn takes_time(&self, index: usize, outcome: &CommandOutcome) -> bool {
        outcome.failure.is_none()
            && self.commands.get(index).is_some_and(|planned| planned.parse.is_some())
    }

    fn read(&self, index: usize, outcome: &mut CommandOutcome) {
        if let Some(planned) = self.commands.get(index) {
            let os = || Os::new(&self.os, Some(&self.platform));
            self.reader.read(os, planned, outcome, &self.allowance, self.until);
        }
        self.metrics.command(self.platform.name(), outcome);
        if let Some(finish) = self.finish.filter(|_| outcome.written.is_none()) {
            finish(outcome);
        }
    }

    /// A sink that gets commands with their records.
    fn before(self: Arc<Self>, sink: CommandSink) -> CommandSink {
        Arc::new(move |index, mut outcome| {
            self.read(index, &mut outcome);
            sink(index, outcome);
        })
    }
}

/// Ends the session when nobody waits for it any more; a session that has ended by itself has let its socket go.
struct CutOnDrop(Arc<Lifeline>);

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        self.0.cut(Cut::Cancelled);
    }
}

/// What a device waited for in vain, and what to do.
fn cause_of_wait(waits: Waits) -> &'static str {
    match waits {
        Waits::Device => {
            "because other sessions with this device went on; ask again later or for it less often"
        }
        Waits::Permit => "because all sessions were in use; ask again later or for fewer devices",
        Waits::Reader => "because the answer of its request was not read; read it faster",
        Waits::Request => {
            "because as many devices of its request went on as may at one time; ask for fewer devices"
        }
    }
}

/// As the caller named it.
fn target(host: &Host, port: u16) -> String {
    match host.address() {
        Some(address) => SocketAddr::new(address, port).to_string(),
        None => format!("{host}:{port}"),
    }
}

/// The resolver's word without its prefix.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.rsplit(": ").next().unwrap_or_default().to_ascii_lowercase()
}

fn log(outcome: &DeviceOutcome, output_bytes: usize) {
    let attempts = outcome.attempts;
    let duration_ms = millis(outcome.duration);
    if let Some(CommandFailure { code, message }) = &outcome.failure {
        tracing::warn!(
            attempts,
            output_bytes,
            duration_ms,
            error_code = code,
            error = message,
            "device session failed"
        );
    } else {
        tracing::info!(attempts, output_bytes, duration_ms, "device session done");
    }
}
