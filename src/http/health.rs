//! What load balancers and container platforms ask: is it alive, may it get requests, and if not, why.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
    web::{Data, Json},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;

/// Whether the service has been told to stop; clones say the same.
#[derive(Clone, Debug, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// From now on the service is not ready.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// True once it has been told to stop.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Says that the service is up.
#[utoipa::path(
    get,
    path = "/health",
    tag = "Operation",
    operation_id = "health",
    responses((status = 200, description = "The service is up", body = HealthResponse))
)]
pub(super) async fn health(app: Data<App>) -> Json<HealthResponse> {
    let load = app.executor.load();
    Json(HealthResponse {
        status: "healthy",
        version: env!("CARGO_PKG_VERSION"),
        sessions_running: load.running,
        sessions_max: app.settings.max_concurrent_devices,
        devices_waiting: load.waiting,
        devices_waiting_max: app.settings.max_queued_devices,
    })
}

/// Says that the process answers; if it does not, restart it.
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "Operation",
    operation_id = "live",
    responses((status = 200, description = "The process answers", body = LiveResponse))
)]
pub(super) async fn live() -> Json<LiveResponse> {
    Json(LiveResponse { status: "live" })
}

/// Says whether the service should get requests now; if not, send them elsewhere.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "Operation",
    operation_id = "ready",
    responses(
        (status = 200, description = "Send requests", body = ReadyResponse),
        (status = 503, description = "Send them elsewhere; the reasons say why", body = ReadyResponse),
    )
)]
pub(super) async fn ready(app: Data<App>) -> HttpResponse {
    let reasons = reasons(&app);
    if reasons.is_empty() {
        return HttpResponse::Ok().json(ReadyResponse { status: "ready", reasons });
    }
    HttpResponse::build(StatusCode::SERVICE_UNAVAILABLE)
        .insert_header((header::RETRY_AFTER, 1))
        .json(ReadyResponse { status: "not_ready", reasons })
}

fn reasons(app: &App) -> Vec<String> {
    let mut reasons = Vec::new();
    if app.draining.has_begun() {
        reasons.push("draining: the service is stopping".to_owned());
    }
    if app.executor.is_full() {
        let most = app.settings.max_queued_devices;
        reasons.push(format!("full: {most} devices wait for a session already"));
    }
    reasons
}

/// The service is up.
#[derive(Serialize, ToSchema)]
pub(super) struct HealthResponse {
    /// Always `healthy`.
    #[schema(example = "healthy")]
    status: &'static str,
    /// The service's version.
    version: &'static str,
    /// Device sessions that are running.
    sessions_running: usize,
    /// Device sessions that may run at one time.
    sessions_max: usize,
    /// Devices that wait for a session.
    devices_waiting: usize,
    /// Devices that may wait at one time.
    devices_waiting_max: usize,
}

/// The process answers.
#[derive(Serialize, ToSchema)]
pub(super) struct LiveResponse {
    /// Always `live`.
    #[schema(example = "live")]
    status: &'static str,
}

/// Whether the service should get requests.
#[derive(Serialize, ToSchema)]
pub(super) struct ReadyResponse {
    /// `ready` or `not_ready`.
    #[schema(example = "ready")]
    status: &'static str,
    /// Why not; empty if it is ready.
    reasons: Vec<String>,
}
