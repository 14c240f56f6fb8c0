//! The operator's settings: defaults, then a TOML file, then `SHOWRUNNER_*` variables, each later one winning.
//!
//! One typed value for each; a wrong one stops the start and names the variable and what would be right.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use figment::{
    Figment, Provider,
    providers::{Env, Format as _, Serialized, Toml},
};
use serde::{Deserialize, Serialize};

use crate::{
    executor::{ExecutorLimits, RetryPolicy, TargetPolicy},
    ssh::session::SessionLimits,
};

const PREFIX: &str = "SHOWRUNNER_";
/// The variable that names the TOML file.
const CONFIG_FILE: &str = "SHOWRUNNER_CONFIG_FILE";

/// The settings as they are written: flat names, the same in TOML and, with the prefix, in the environment.
/// Times are in seconds.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Address to listen on.
    pub host: IpAddr,
    /// TCP port to listen on; 0 takes any free one.
    pub port: u16,
    /// HTTP worker threads; 0 takes one per core.
    pub workers: usize,
    /// Who may send requests: `none` lets everybody. Must be written out to listen on other than loopback.
    pub auth: Option<Auth>,
    /// `timeout` of a request that has none.
    pub device_timeout_default: u64,
    /// Longest `timeout` of a request.
    pub device_timeout_max: u64,
    /// Longest wait for a name to resolve.
    pub resolve_timeout: u64,
    /// Longest wait for a TCP connection.
    pub connect_timeout: u64,
    /// Longest SSH handshake.
    pub handshake_timeout: u64,
    /// Longest login; AAA servers can be slow.
    pub authenticate_timeout: u64,
    /// Longest wait from the open terminal to a prompt that is ready for the first command.
    pub prompt_timeout: u64,
    /// Longest wait of a device for a free session.
    pub queue_timeout: u64,
    /// Longest that one device may take, all its commands and attempts together.
    pub device_total_timeout: u64,
    /// Longest that one request may take.
    pub request_total_timeout: u64,
    /// Further attempts to connect to a device that could not be connected to; a login is never tried again.
    pub connection_retry_attempts: u32,
    /// Pause before the first of them; each later one is twice as long.
    pub connection_retry_delay: u64,
    /// Seconds without a result after which a stream of events says that it is still there.
    pub stream_heartbeat: u64,
    /// Device sessions at one time, over all requests.
    pub max_concurrent_devices: usize,
    /// Device sessions of one request at one time; 0 takes as many as there are.
    pub max_concurrent_per_request: usize,
    /// Devices that may wait for a session, over all requests; a request that would make it more is refused.
    pub max_queued_devices: usize,
    /// Sessions at one time with one host and port.
    pub max_sessions_per_device: usize,
    /// Devices in one request.
    pub max_devices_per_request: usize,
    /// Commands for one device in one request.
    pub max_commands_per_device: usize,
    /// Bytes of output kept of one command.
    pub max_output_bytes: usize,
    /// Bytes of output that one request may hold; what was streamed is not held any more.
    pub max_request_output_bytes: usize,
    /// Bytes of a request's body.
    pub max_body_bytes: usize,
    /// Lets requests go to loopback addresses: for demos and tests.
    pub targets_allow_loopback: bool,
    /// Folder with platform definitions of your own.
    pub platforms_dir: Option<PathBuf>,
    /// Commands to refuse besides those that the gate refuses anyway, `platform: text` or `text`; `*` at the end
    /// makes it a prefix.
    pub commands_deny: Vec<String>,
    /// Commands to allow by their exact text that are off by default, `platform: text` or `text`.
    pub commands_allow: Vec<String>,
    /// `error`, `warn`, `info`, `debug`, `trace`, or a list per module such as `info,showrunner=debug`.
    pub log_level: String,
    /// `text` or `json`.
    pub log_format: LogFormat,
    /// Seconds that running requests get when the service is stopped.
    pub shutdown_timeout: u64,
}

/// Who may send requests.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// Everybody who can reach the port.
    None,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// What is wrong with the settings, for the operator who starts the service.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A value of the wrong type or an unknown name.
    #[error("{0}")]
    Figment(String),
    /// A value outside its range.
    #[error("{PREFIX}{name} is {value}, but must be {want}")]
    Range {
        /// The setting, in capitals.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it must be.
        want: &'static str,
    },
    /// Everybody on the network could use the service.
    #[error(
        "{PREFIX}HOST is {host}, which others can reach, and nobody is asked who he is; set {PREFIX}AUTH=none to say that this is meant, or {PREFIX}HOST=127.0.0.1"
    )]
    Open {
        /// The address.
        host: IpAddr,
    },
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            host: IpAddr::from([127, 0, 0, 1]),
            port: 8000,
            workers: 0,
            auth: None,
            device_timeout_default: 30,
            device_timeout_max: 300,
            resolve_timeout: 5,
            connect_timeout: 10,
            handshake_timeout: 15,
            authenticate_timeout: 30,
            prompt_timeout: 30,
            queue_timeout: 300,
            device_total_timeout: 900,
            request_total_timeout: 3600,
            connection_retry_attempts: 1,
            connection_retry_delay: 1,
            stream_heartbeat: 15,
            max_concurrent_devices: 200,
            max_concurrent_per_request: 0,
            max_queued_devices: 5000,
            max_sessions_per_device: 1,
            max_devices_per_request: 1000,
            max_commands_per_device: 100,
            max_output_bytes: 8 * 1024 * 1024,
            max_request_output_bytes: 128 * 1024 * 1024,
            max_body_bytes: 2 * 1024 * 1024,
            targets_allow_loopback: false,
            platforms_dir: None,
            commands_deny: Vec::new(),
            commands_allow: Vec::new(),
            log_level: "info".to_owned(),
            log_format: LogFormat::Text,
            shutdown_timeout: 30,
        }
    }
}

impl Settings {
    /// Reads the sources of a running service.
    ///
    /// # Errors
    /// Names the variable or the line, and what would be right.
    pub fn load() -> Result<Self, SettingsError> {
        let mut sources = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = std::env::var_os(CONFIG_FILE) {
            sources = sources.merge(Toml::file_exact(file));
        }
        let env = Env::prefixed(PREFIX).ignore(&["config_file"]);
        Self::from_sources(sources, env)
    }

    fn from_sources(sources: Figment, env: impl Provider) -> Result<Self, SettingsError> {
        let settings: Self = sources.merge(env).extract().map_err(|error| describe(&error))?;
        settings.checked()
    }

    /// The rules that types do not carry.
    fn checked(self) -> Result<Self, SettingsError> {
        let range = |name, value: u64, allowed: std::ops::RangeInclusive<u64>, want| {
            if allowed.contains(&value) {
                return Ok(());
            }
            Err(SettingsError::Range { name, value: value.to_string(), want })
        };
        let max = self.device_timeout_max;
        range("DEVICE_TIMEOUT_MAX", max, 1..=3600, "1 to 3600 seconds")?;
        let default = self.device_timeout_default;
        range("DEVICE_TIMEOUT_DEFAULT", default, 1..=max, "1 second to DEVICE_TIMEOUT_MAX")?;
        for (name, value) in [
            ("RESOLVE_TIMEOUT", self.resolve_timeout),
            ("CONNECT_TIMEOUT", self.connect_timeout),
            ("HANDSHAKE_TIMEOUT", self.handshake_timeout),
            ("AUTHENTICATE_TIMEOUT", self.authenticate_timeout),
            ("PROMPT_TIMEOUT", self.prompt_timeout),
            ("SHUTDOWN_TIMEOUT", self.shutdown_timeout),
            ("STREAM_HEARTBEAT", self.stream_heartbeat),
        ] {
            range(name, value, 1..=300, "1 to 300 seconds")?;
        }
        for (name, value, most, want) in [
            ("QUEUE_TIMEOUT", self.queue_timeout, 3600, "1 to 3600 seconds"),
            ("DEVICE_TOTAL_TIMEOUT", self.device_total_timeout, 86_400, "1 to 86400 seconds"),
            ("REQUEST_TOTAL_TIMEOUT", self.request_total_timeout, 86_400, "1 to 86400 seconds"),
        ] {
            range(name, value, 1..=most, want)?;
        }
        let attempts = u64::from(self.connection_retry_attempts);
        range("CONNECTION_RETRY_ATTEMPTS", attempts, 0..=10, "0 to 10")?;
        range("CONNECTION_RETRY_DELAY", self.connection_retry_delay, 0..=60, "0 to 60 seconds")?;
        for (name, value, most, want) in [
            ("MAX_CONCURRENT_DEVICES", self.max_concurrent_devices, 10_000, "1 to 10000"),
            ("MAX_SESSIONS_PER_DEVICE", self.max_sessions_per_device, 16, "1 to 16"),
            ("MAX_DEVICES_PER_REQUEST", self.max_devices_per_request, 10_000, "1 to 10000"),
            ("MAX_COMMANDS_PER_DEVICE", self.max_commands_per_device, 1000, "1 to 1000"),
            ("MAX_OUTPUT_BYTES", self.max_output_bytes, 1 << 30, "1 to 1073741824 bytes"),
            (
                "MAX_REQUEST_OUTPUT_BYTES",
                self.max_request_output_bytes,
                1 << 33,
                "1 to 8589934592 bytes",
            ),
            ("MAX_BODY_BYTES", self.max_body_bytes, 1 << 26, "1 to 67108864 bytes"),
        ] {
            range(name, u64::try_from(value).unwrap_or(u64::MAX), 1..=most, want)?;
        }
        // Otherwise the largest request that is allowed would always be refused.
        let least = self.max_devices_per_request.saturating_sub(self.max_concurrent_devices);
        range(
            "MAX_QUEUED_DEVICES",
            u64::try_from(self.max_queued_devices).unwrap_or(u64::MAX),
            u64::try_from(least).unwrap_or(u64::MAX)..=1_000_000,
            "MAX_DEVICES_PER_REQUEST less MAX_CONCURRENT_DEVICES or more, and 1000000 at the most",
        )?;
        if tracing_subscriber::EnvFilter::try_new(&self.log_level).is_err() {
            return Err(SettingsError::Range {
                name: "LOG_LEVEL",
                value: self.log_level,
                want: "error, warn, info, debug, trace or a list such as `info,showrunner=debug`",
            });
        }
        if !self.host.is_loopback() && self.auth.is_none() {
            return Err(SettingsError::Open { host: self.host });
        }
        Ok(self)
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
            targets: TargetPolicy { allow_loopback: self.targets_allow_loopback },
        }
    }
}

/// Names the variable as the operator wrote it, and for an unknown one the nearest known.
fn describe(error: &figment::Error) -> SettingsError {
    let mut sentences = Vec::new();
    for error in error.clone() {
        let from_env =
            error.metadata.as_ref().is_some_and(|metadata| metadata.name.contains("environment"));
        let written = |name: &str| {
            if from_env {
                format!("{PREFIX}{}", name.to_ascii_uppercase())
            } else {
                name.to_owned()
            }
        };
        let place = written(&error.path.join("."));
        sentences.push(match &error.kind {
            figment::error::Kind::UnknownField(name, known) => {
                let near =
                    known.iter().min_by_key(|known| strsim::damerau_levenshtein(known, name));
                let near =
                    near.map_or(String::new(), |near| format!("; did you mean {}?", written(near)));
                format!("{} is no setting{near}", written(name))
            }
            kind if place.is_empty() => format!("settings: {kind}"),
            kind => format!("{place}: {kind}"),
        });
    }
    SettingsError::Figment(sentences.join("\n"))
}

#[cfg(test)]
#[expect(clippy::result_large_err, reason = "figment's own error type")]
mod tests {
    use super::*;

    fn load(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let mut found = None;
        figment::Jail::expect_with(|jail| {
            jail.clear_env();
            for (name, value) in variables {
                jail.set_env(name, value);
            }
            found = Some(Settings::load().map_err(|error| error.to_string()));
            Ok(())
        });
        found.unwrap()
    }

    #[test]
    fn variables_win_over_the_file_and_the_file_over_the_defaults() {
        figment::Jail::expect_with(|jail| {
            jail.clear_env();
            jail.create_file("s.toml", "port = 9000\nconnect_timeout = 3\n")?;
            jail.set_env("SHOWRUNNER_CONFIG_FILE", "s.toml");
            jail.set_env("SHOWRUNNER_PORT", "9001");
            let settings = Settings::load().unwrap();
            assert_eq!((settings.port, settings.connect_timeout), (9001, 3));
            assert_eq!(settings.device_timeout_default, 30);
            Ok(())
        });
    }

    #[test]
    fn a_wrong_setting_stops_the_start_with_its_name_and_what_would_be_right() {
        for (name, value, want) in [
            (
                "SHOWRUNNER_PROT",
                "1",
                "SHOWRUNNER_PROT is no setting; did you mean SHOWRUNNER_PORT?",
            ),
            ("SHOWRUNNER_PORT", "http", "SHOWRUNNER_PORT: "),
            ("SHOWRUNNER_MAX_CONCURRENT_DEVICES", "0", "but must be 1 to 10000"),
            ("SHOWRUNNER_DEVICE_TIMEOUT_DEFAULT", "301", "1 second to DEVICE_TIMEOUT_MAX"),
            ("SHOWRUNNER_HOST", "0.0.0.0", "SHOWRUNNER_AUTH=none"),
            ("SHOWRUNNER_LOG_LEVEL", "a=b=c", "SHOWRUNNER_LOG_LEVEL"),
            ("SHOWRUNNER_MAX_QUEUED_DEVICES", "799", "MAX_CONCURRENT_DEVICES or more"),
            ("SHOWRUNNER_CONNECTION_RETRY_ATTEMPTS", "11", "but must be 0 to 10"),
        ] {
            let message = load(&[(name, value)]).unwrap_err();
            assert!(message.contains(want), "{name}={value}: {message}");
        }
        let open = load(&[("SHOWRUNNER_HOST", "0.0.0.0"), ("SHOWRUNNER_AUTH", "none")]);
        assert!(open.is_ok(), "{open:?}");
    }
}
