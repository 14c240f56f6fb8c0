//! One device of a plan, from its place in the queue to its outcome.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::time::{sleep_until, timeout};
use tracing::{Instrument as _, Span, field::Empty, info_span};

use super::{OutputFormat, Shared};
use crate::{
    outcome::{CommandFailure, DeviceOutcome, Timing},
    plan::DevicePlan,
    ssh::{
        error::SessionError,
        lifeline::{Cut, Lifeline},
        session::{self, DEADLINE_SLACK, SessionJob, SessionReport},
    },
};

/// What `output_format: parsed` gets beside the raw text.
const NO_PARSER: &str =
    "Parser not available: this build has no parser library; the raw text is in `output`";

impl Shared {
    pub(super) async fn run_device(&self, plan: DevicePlan, output: OutputFormat) -> DeviceOutcome {
        let span = info_span!(
            "device.session",
            device.host = %plan.device.host,
            device.port = plan.device.port,
            device.os = plan.device.platform.name(),
            n_commands = plan.commands.len(),
            error_code = Empty,
            output_bytes = Empty,
            duration_ms = Empty,
        );
        self.run_in_span(plan, output).instrument(span).await
    }

    async fn run_in_span(&self, plan: DevicePlan, output: OutputFormat) -> DeviceOutcome {
        let mut timing = Timing::default();
        let (hostname, os, port) =
            (plan.device.host.to_string(), plan.device.os.clone(), plan.device.port);
        let mut counted = self.metrics.device(plan.device.platform.name());
        let queued = Instant::now();
        // Dropped with the future: a caller who goes away frees his permits. Never closed, so never an error.
        let permit = tokio::select! {
            biased;
            () = self.stopping.winding_down() => None,
            permit = self.sessions.acquire() => permit.ok(),
        };
        timing.queue = Some(queued.elapsed());
        let started = Instant::now();
        let report = match permit {
            None => failed(SessionError::Cancelled),
            Some(_permit) => {
                counted.started();
                match self.resolve(&plan, &mut timing).await {
                    Ok(addresses) => self.talk(plan, addresses).await,
                    Err(error) => failed(error),
                }
            }
        };
        let mut commands = report.commands;
        if output == OutputFormat::Parsed {
            for command in commands.iter_mut().filter(|command| command.failure.is_none()) {
                command.parse_error = Some(NO_PARSER.to_owned());
            }
        }
        let failure = report
            .error
            .map(|error| CommandFailure { code: error.code(), message: error.to_string() });
        let outcome = DeviceOutcome {
            hostname,
            os,
            port,
            commands,
            failure,
            duration: started.elapsed(),
            ended: SystemTime::now(),
            timing: Timing { queue: timing.queue, resolve: timing.resolve, ..report.timing },
            host_key: report.host_key,
            warnings: report.warnings,
        };
        counted.ended(&outcome);
        log(&outcome);
        outcome
    }

    /// The device's addresses, each allowed. An address that is not allowed refuses the device, so that a name
    /// cannot be pointed at two places.
    async fn resolve(
        &self,
        plan: &DevicePlan,
        timing: &mut Timing,
    ) -> Result<Vec<SocketAddr>, SessionError> {
        let DevicePlan { device, targets, .. } = plan;
        let limit = self.limits.resolve;
        let host = device.host.to_string();
        let started = Instant::now();
        let addresses: Vec<SocketAddr> = match device.host.address() {
            Some(address) => vec![SocketAddr::new(address, device.port)],
            None => timeout(limit, tokio::net::lookup_host((host.as_str(), device.port)))
                .await
                .map_err(|_late| SessionError::ResolveTimeout { host: host.clone(), limit })?
                .map_err(|error| SessionError::ResolveFailed {
                    host: host.clone(),
                    reason: reason(&error),
                })?
                .collect(),
        };
        timing.resolve = Some(started.elapsed());
        if addresses.is_empty() {
            return Err(SessionError::ResolveFailed { host, reason: "no address".to_owned() });
        }
        for address in &addresses {
            targets
                .check(*address)
                .map_err(|rule| SessionError::TargetRefused { addr: host.clone(), rule })?;
        }
        Ok(addresses)
    }

    /// Runs the session on a thread of the pool and watches its deadlines from here.
    async fn talk(&self, plan: DevicePlan, addresses: Vec<SocketAddr>) -> SessionReport {
        let Some(first) = addresses.first() else { return SessionReport::default() };
        // One session a device: its VTY lines are few. Two of one request run one after the other.
        let permits = self.permits_of(*first);
        let _permit = tokio::select! {
            biased;
            () = self.stopping.winding_down() => return failed(SessionError::Cancelled),
            permit = permits.acquire() => permit,
        };
        let DevicePlan { device, commands, profile, .. } = plan;
        let job = SessionJob { device, commands, limits: self.limits.session, profile };
        let lifeline = Arc::new(Lifeline::default());
        let _cut_on_drop = CutOnDrop(Arc::clone(&lifeline));
        let span = Span::current();
        let running = {
            let lifeline = Arc::clone(&lifeline);
            self.pool.run(move || span.in_scope(|| session::run(&job, &addresses, &lifeline)))
        };
        tokio::pin!(running);
        let mut is_told = false;
        let report = loop {
            // Between steps nothing is due: look again soon.
            let due = lifeline.deadline().map_or_else(
                || Instant::now() + Duration::from_millis(500),
                |deadline| deadline.at() + DEADLINE_SLACK,
            );
            tokio::select! {
                report = &mut running => break report,
                () = self.stopping.winding_down(), if !is_told => {
                    lifeline.wind_down();
                    is_told = true;
                }
                () = self.stopping.is_cut_off() => {
                    lifeline.cut(Cut::Cancelled);
                    break running.await;
                }
                () = sleep_until(due.into()) => {
                    let late = lifeline.deadline().is_some_and(|deadline| {
                        deadline.at() + DEADLINE_SLACK <= Instant::now()
                    });
                    if late {
                        lifeline.cut(Cut::Deadline);
                        break running.await;
                    }
                }
            }
        };
        report.unwrap_or_else(|| failed(SessionError::Internal))
    }
}

fn failed(error: SessionError) -> SessionReport {
    SessionReport { error: Some(error), ..SessionReport::default() }
}

/// Ends the session when nobody waits for it any more; a session that has ended by itself has let its socket go.
struct CutOnDrop(Arc<Lifeline>);

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        self.0.cut(Cut::Cancelled);
    }
}

/// The resolver's word without its prefix.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.rsplit(": ").next().unwrap_or_default().to_ascii_lowercase()
}

fn log(outcome: &DeviceOutcome) {
    let span = Span::current();
    let output_bytes: usize = outcome.commands.iter().map(|command| command.output.len()).sum();
    span.record("output_bytes", output_bytes);
    span.record("duration_ms", u64::try_from(outcome.duration.as_millis()).unwrap_or(u64::MAX));
    if let Some(failure) = &outcome.failure {
        span.record("error_code", failure.code);
        tracing::warn!(error = failure.message, "device session failed");
    } else {
        tracing::info!("device session done");
    }
}
