//! How the service ends: not ready, then no new connections, then no new sessions, then no sessions.
//!
//! Every request that was taken is answered; one that is cut off is answered with what had come.

use std::time::Duration;

use actix_web::{
    dev::ServerHandle,
    rt::{
        signal::unix::{Signal, SignalKind, signal},
        time::sleep,
    },
};

use super::StartError;
use crate::{
    executor::Executor,
    http::{App, Draining},
    metrics::Metrics,
};

/// How long sessions get to log out when the requests' time is over.
const LOGOUT: Duration = Duration::from_secs(3);
/// How long answers get to leave when everything has been cut off.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// How often it is looked whether all requests have been answered.
const LOOK: Duration = Duration::from_millis(20);
/// How long connections without a request are waited for.
const IDLE_CONNECTIONS: Duration = Duration::from_millis(500);

/// What the end of the service needs.
pub(super) struct Stop {
    draining: Draining,
    executor: Executor,
    metrics: Metrics,
    /// Between being not ready and taking no new connections.
    delay: Duration,
    /// How long running requests get.
    limit: Duration,
}

impl Stop {
    pub(super) fn of(app: &App) -> Self {
        Self {
            draining: app.draining.clone(),
            executor: app.executor.clone(),
            metrics: app.metrics.clone(),
            delay: Duration::from_secs(app.settings.shutdown_delay),
            limit: Duration::from_secs(app.settings.shutdown_timeout),
        }
    }

    /// Waits for SIGTERM or SIGINT and ends the service; a second signal makes it hurry.
    pub(super) async fn run(self, mut signals: Signals, server: ServerHandle) {
        signals.received().await;
        tracing::info!("stopping: not ready any more");
        self.draining.begin();
        tokio::select! {
            () = self.drain(&server) => {}
            () = signals.received() => {
                tracing::warn!("stopping at once: a second signal came");
                self.executor.cut_off();
                drop(server.stop(true));
                let _ = actix_web::rt::time::timeout(LAST_ANSWERS, self.answered()).await;
            }
        }
    }

    async fn drain(&self, server: &ServerHandle) {
        sleep(self.delay).await;
        let requests = self.metrics.requests_in_flight();
        tracing::info!(n_requests = requests, "stopping: no new connections");
        let stopped = server.stop(true);
        tokio::pin!(stopped);
        tokio::select! {
            () = &mut stopped => {}
            () = self.answered() => {
                // Bytes may still be on their way.
                tokio::select! { () = stopped => {}, () = sleep(IDLE_CONNECTIONS) => {} }
            }
            () = self.cut_off() => {}
        }
    }

    /// Over when no request is in flight.
    async fn answered(&self) {
        while self.metrics.requests_in_flight() > 0 {
            sleep(LOOK).await;
        }
    }

    /// The end of patience, step by step; over when even the last answers had their time.
    async fn cut_off(&self) {
        sleep(self.limit).await;
        tracing::warn!("stopping: sessions log out at their next prompt");
        self.executor.wind_down();
        sleep(LOGOUT).await;
        tracing::warn!("stopping: sessions are cut off");
        self.executor.cut_off();
        sleep(LAST_ANSWERS).await;
    }
}

/// What tells the service to stop; a signal that comes before anybody waits for it is not lost.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// SIGTERM and SIGINT are told from now on, and end the process no more.
    pub(super) fn listen() -> Result<Self, StartError> {
        let of = |kind| signal(kind).map_err(StartError::Signals);
        Ok(Self {
            terminate: of(SignalKind::terminate())?,
            interrupt: of(SignalKind::interrupt())?,
        })
    }

    async fn received(&mut self) {
        tokio::select! { _ = self.terminate.recv() => {}, _ = self.interrupt.recv() => {} }
    }
}
