//! The HTTP door: routes, handlers of a few lines, errors in one shape, Swagger UI from the binary itself.

mod access_log;
mod authorize;
mod body;
mod client;
mod error;
mod errors;
mod examples;
mod health;
mod json;
mod openapi;
mod parsers;
mod rate_limit;
mod refusals;
mod request_id;
mod routes;
mod stream;

use actix_web::{HttpRequest, web::Payload};

use self::error::ApiError;
pub use self::{
    access_log::middleware as access_log_middleware,
    authorize::middleware as authorize_middleware,
    body::BodyBudget,
    examples::FIRST_EXAMPLE_PORT,
    health::Draining,
    openapi::document,
    rate_limit::{Limits, middleware as rate_limit_middleware},
    request_id::middleware as request_id_middleware,
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
        caller: &Grant,
    ) -> Result<Plan, ApiError> {
        let body = body::read_json(request, body, self).await?;
        let registry = self.registry.now();
        request::plan(body, &self.rules(&registry, caller)).map_err(|faults| self.invalid(faults))
    }

    /// What the body of a caller with this grant is checked against.
    fn rules<'a>(&'a self, registry: &'a Registry, grant: &'a Grant) -> RequestRules<'a> {
        RequestRules {
            registry,
            policy: &grant.commands,
            targets: &grant.targets,
            ssh: self.ssh.now(),
            asking: Asking::Caller(grant.key.as_deref()),
            limits: self.settings.request_limits(),
        }
    }
}
