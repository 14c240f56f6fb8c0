//! The rules that span more than one setting.

use std::net::IpAddr;

use super::{PREFIX, table::Settings, value::Auth};

/// Settings that do not go together, each right by itself.
#[derive(Debug, thiserror::Error)]
pub(super) enum Conflict {
    /// Keys, and nobody is asked for one.
    #[error(
        "{PREFIX}API_KEYS_FILE names keys, but {PREFIX}AUTH is none; set {PREFIX}AUTH=api_key, or leave the file out"
    )]
    KeysUnused,
    /// TLS needs both.
    #[error(
        "{PREFIX}TLS_CERT_FILE and {PREFIX}TLS_KEY_FILE go together, and {PREFIX}TLS_CLIENT_CA_FILE with them"
    )]
    HalfTls,
    /// Logins with the keys of a file that is not named.
    #[error(
        "{PREFIX}SSH_CONFIG_LOGINS is true, but no {PREFIX}SSH_CONFIG says which file the keys are in"
    )]
    LoginsWithoutFile,
    /// A stream that is required and goes nowhere.
    #[error("{PREFIX}AUDIT_REQUIRED is true, but no {PREFIX}AUDIT_FILE says where the stream goes")]
    NoAuditFile,
    /// Keys are asked for, and there are none.
    #[error(
        "{PREFIX}AUTH is api_key, but no {PREFIX}API_KEYS_FILE names the keys; `showrunner new-key` makes one"
    )]
    NoKeys,
    /// Two listeners, one port.
    #[error("{PREFIX}METRICS_PORT is {port}, but {PREFIX}PORT is too; give each its own")]
    OnePort {
        /// TCP port.
        port: u16,
    },
    /// Everybody on the network could use the service.
    #[error(
        "{PREFIX}HOST is {host}, which others can reach, and nobody is asked who he is; set {PREFIX}API_KEYS_FILE, or {PREFIX}AUTH=none to say that this is meant, or {PREFIX}HOST=127.0.0.1"
    )]
    Open {
        /// The address.
        host: IpAddr,
    },
    /// A queue that the largest request does not fit into.
    #[error(
        "{PREFIX}MAX_QUEUED_DEVICES is {queued}, but must be {least} or more: MAX_DEVICES_PER_REQUEST less MAX_CONCURRENT_DEVICES"
    )]
    QueueTooShort {
        /// Devices.
        queued: usize,
        /// Devices.
        least: usize,
    },
    /// A default above its maximum.
    #[error(
        "{PREFIX}DEVICE_TIMEOUT_DEFAULT is {default}, but must be 1 second to DEVICE_TIMEOUT_MAX, which is {max}"
    )]
    TimeoutOrder {
        /// Seconds.
        default: u64,
        /// Seconds.
        max: u64,
    },
}

impl Conflict {
    /// The settings that it is between.
    pub(super) fn between(&self) -> &'static [&'static str] {
        match self {
            Self::KeysUnused | Self::NoKeys => &["auth", "api_keys_file"],
            Self::HalfTls => &["tls_cert_file", "tls_key_file", "tls_client_ca_file"],
            Self::LoginsWithoutFile => &["ssh_config_logins", "ssh_config"],
            Self::NoAuditFile => &["audit_required", "audit_file"],
            Self::OnePort { .. } => &["port", "host", "metrics_port", "metrics_host"],
            Self::Open { .. } => &["host", "auth", "api_keys_file"],
            Self::QueueTooShort { .. } => {
                &["max_queued_devices", "max_devices_per_request", "max_concurrent_devices"]
            }
            Self::TimeoutOrder { .. } => &["device_timeout_default", "device_timeout_max"],
        }
    }
}

impl Settings {
    /// Everything that does not go together.
    pub(super) fn conflicts(&self) -> Vec<Conflict> {
        let mut found = Vec::new();
        let (default, max) = (self.device_timeout_default, self.device_timeout_max);
        if default > max {
            found.push(Conflict::TimeoutOrder { default, max });
        }
        // Otherwise the largest request that is allowed would always be refused.
        let least = self.max_devices_per_request.saturating_sub(self.max_concurrent_devices);
        if self.max_queued_devices < least {
            found.push(Conflict::QueueTooShort { queued: self.max_queued_devices, least });
        }
        if self.audit_required && self.audit_file.is_none() {
            found.push(Conflict::NoAuditFile);
        }
        if self.ssh_config_logins && self.ssh_config.is_none() {
            found.push(Conflict::LoginsWithoutFile);
        }
        let tls = (self.tls_cert_file.is_some(), self.tls_key_file.is_some());
        if tls.0 != tls.1 || (self.tls_client_ca_file.is_some() && !tls.0) {
            found.push(Conflict::HalfTls);
        }
        match (self.auth, &self.api_keys_file) {
            (Some(Auth::ApiKey), None) => found.push(Conflict::NoKeys),
            (Some(Auth::None), Some(_)) => found.push(Conflict::KeysUnused),
            _ => {}
        }
        if !self.host.to_canonical().is_loopback()
            && self.auth.is_none()
            && self.api_keys_file.is_none()
        {
            found.push(Conflict::Open { host: self.host });
        }
        found.extend(self.shared_port().map(|port| Conflict::OnePort { port }));
        found
    }

    /// The port that the service and its metrics would both listen on.
    fn shared_port(&self) -> Option<u16> {
        let beside = self.metrics_host.unwrap_or(self.host);
        let is_one = beside == self.host || beside.is_unspecified() || self.host.is_unspecified();
        self.metrics_port
            .filter(|port| self.enable_metrics && is_one && *port == self.port && *port != 0)
    }
}
