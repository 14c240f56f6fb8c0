//! The HTTP door: routes, handlers of a few lines, errors in one shape, Swagger UI from the binary itself.

mod error;
mod openapi;
mod request_id;
mod routes;
mod stream;

use std::sync::Arc;

pub use self::{
    openapi::document, request_id::middleware as request_id_middleware, routes::configure,
};
use crate::{
    command::CommandPolicy, executor::Executor, platform::Registry, settings::Settings,
    wire::request::RequestRules,
};

/// What every handler works with.
pub struct App {
    /// The platforms known.
    pub registry: Arc<Registry>,
    /// The operator's word on commands.
    pub policy: CommandPolicy,
    /// Runs device sessions.
    pub executor: Executor,
    /// The settings the service started with.
    pub settings: Settings,
}

impl App {
    fn rules(&self) -> RequestRules<'_> {
        RequestRules {
            registry: &self.registry,
            policy: &self.policy,
            max_devices: self.settings.max_devices_per_request,
            max_commands: self.settings.max_commands_per_device,
            timeout_default: std::time::Duration::from_secs(self.settings.device_timeout_default),
            timeout_max: std::time::Duration::from_secs(self.settings.device_timeout_max),
        }
    }
}
