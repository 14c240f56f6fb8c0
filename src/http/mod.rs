//! The HTTP door: routes, handlers of a few lines, errors in one shape, Swagger UI from the binary itself.

mod access_log;
mod authorize;
mod body;
mod client;
mod door;
mod error;
mod errors;
mod examples;
mod health;
mod openapi;
mod parsers;
mod pieces;
mod rate_limit;
mod refusals;
mod request_id;
mod routes;
mod stream;
mod unread;

use std::sync::Arc;

use actix_web::{HttpRequest, web::Payload};

use self::error::ApiError;
pub use self::{
    body::BodyBudget,
    door::{middleware as door_middleware, monitoring_middleware},
    examples::FIRST_EXAMPLE_PORT,
    health::Draining,
    openapi::document,
    rate_limit::Limits,
    routes::{configure, configure_documents, configure_monitoring},
};
use crate::{
    access::{Access, Grant},
    audit::Audit,
    credential::Asking,
    executor::{Executor, Reader},
    live::Live,
    metrics::Metrics,
    plan::Plan,
    platform::Registry,
    settings::Settings,
    ssh_policy::SshPolicy,
    traces::Traces,
    wire::{
        field::FieldError,
        json::Json,
        request::{self, RequestRules},
    },
};

/// What every handler works with.
pub struct App {
    /// The platforms known.
    pub registry: Live<Registry>,
    /// Who may do what.
    pub access: Live<Access>,
    /// The operator's word on SSH.
    pub ssh: Live<SshPolicy>,
    /// Runs device sessions.
    pub executor: Executor,
    /// Reads outputs.
    pub reader: Reader,
    /// How many requests each client may send.
    pub limits: Live<Limits>,
    /// What bodies may hold while they are on their way.
    pub body_budget: BodyBudget,
    /// Who asked what of which device.
    pub audit: Audit,
    /// Where the spans of requests go.
    pub traces: Traces,
    /// Whether the service has been told to stop.
    pub draining: Draining,
    /// What is counted.
    pub metrics: Metrics,
    /// The port of the first simulated device in the document's examples.
    pub first_example_port: u16,
    /// The settings the service started with.
    pub settings: Settings,
}

impl App {
    /// A request with faults; commands that the gate refused are counted.
    fn invalid(&self, faults: Vec<FieldError>) -> ApiError {
        faults.iter().filter_map(|fault| fault.rule).for_each(|rule| self.metrics.refused(rule));
        ApiError::Invalid(faults)
    }

    /// The plan that a request's body asks for.
    async fn plan(
        &self,
        request: &HttpRequest,
        body: Payload,
        caller: Arc<Grant>,
    ) -> Result<Plan, ApiError> {
        let (registry, ssh) = (self.registry.now(), self.ssh.now());
        let limits = self.settings.request_limits();
        let plan = move |body: Json<'_>| {
            let rules = RequestRules {
                registry: &registry,
                policy: &caller.commands,
                targets: &caller.targets,
                ssh,
                asking: Asking::Caller(caller.key.as_deref()),
                limits,
            };
            request::plan(body, &rules)
        };
        let (plan, _room) = body::read(request, body, self, plan).await?;
        plan.map_err(|faults| self.invalid(faults))
    }
}
