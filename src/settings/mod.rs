//! The operator's settings: defaults, a TOML file, `.env`, `SHOWRUNNER_*` variables, the command line; later ones win.
//!
//! One typed value for each, one row in one table (`table`). A wrong one stops the start and names the variable, the
//! value and what would be right.

mod conflicts;
mod credentials;
pub mod document;
mod endpoint;
mod env_file;
mod jumps;
pub mod rate;
mod rotation;
mod row;
mod sources;
mod ssh;
mod ssh_config;
mod table;
mod value;
mod vaults;

use std::{path::PathBuf, time::Duration};

pub use self::{
    endpoint::Endpoint,
    rotation::Rotation,
    row::Row,
    sources::{Loaded, Origin, Sources, variable},
    ssh::SshFileError,
    table::Settings,
    value::{Auth, LogFormat, LogLevel, SettingValue},
};
use crate::{
    executor::{ExecutorLimits, RetryPolicy},
    plan::RequestLimits,
    ssh::{acquaintance::RefusalLimits, session::SessionLimits},
    target::{TargetLists, TargetPolicy},
};

const PREFIX: &str = "SHOWRUNNER_";

/// What is wrong with the settings, for the operator who starts the service.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file of settings cannot be read.
    #[error("{}: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Wrong values, unknown names and settings that do not go together, a sentence each.
    #[error("{}", .0.join("\n"))]
    Wrong(Vec<String>),
}

impl Settings {
    /// True if requests need an API key: it is said, or a file of keys is named.
    #[must_use]
    pub fn wants_api_keys(&self) -> bool {
        match self.auth {
            Some(Auth::ApiKey) => true,
            Some(Auth::None) => false,
            Some(Auth::ApiKeyOrNone) | None => self.api_keys_file.is_some(),
        }
    }

    /// What may be connected to.
    #[must_use]
    pub fn targets(&self) -> TargetPolicy {
        let lists = TargetLists {
            allow: self.targets_allow.clone(),
            deny: self.targets_deny.clone(),
            ports: self.targets_ports.clone(),
            names: self.targets_names.clone(),
        };
        TargetPolicy::new(self.targets_allow_loopback, lists)
    }

    /// How much a request may ask for.
    #[must_use]
    pub fn request_limits(&self) -> RequestLimits {
        RequestLimits {
            max_devices: self.max_devices_per_request,
            max_commands: self.max_commands_per_device,
            timeout_default: Duration::from_secs(self.device_timeout_default),
            timeout_max: Duration::from_secs(self.device_timeout_max),
        }
    }

    /// The executor's part.
    #[must_use]
    pub fn executor_limits(&self) -> ExecutorLimits {
        ExecutorLimits {
            max_concurrent_devices: self.max_concurrent_devices,
            max_concurrent_per_request: match self.max_concurrent_per_request {
                0 => self.max_concurrent_devices,
                most => most,
            },
            max_sessions_per_device: self.max_sessions_per_device,
            max_queued_devices: self.max_queued_devices,
            max_logins_per_jump: self.max_logins_per_jump,
            refusals: RefusalLimits {
                most: self.login_refusals,
                pause: Duration::from_secs(self.login_pause),
            },
            queue: Duration::from_secs(self.queue_timeout),
            device: Duration::from_secs(self.device_total_timeout),
            request: Duration::from_secs(self.request_total_timeout),
            most_request_output_bytes: self.max_request_output_bytes,
            retry: RetryPolicy {
                attempts: self.connection_retry_attempts,
                delay: Duration::from_secs(self.connection_retry_delay),
            },
            resolve: Duration::from_secs(self.resolve_timeout),
            session: SessionLimits {
                connect: Duration::from_secs(self.connect_timeout),
                handshake: Duration::from_secs(self.handshake_timeout),
                authenticate: Duration::from_secs(self.authenticate_timeout),
                prompt: Duration::from_secs(self.prompt_timeout),
                most_output_bytes: self.max_output_bytes,
            },
        }
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
