//! What the settings say of SSH, with the files that they name.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use figment::value::Value;

use super::{PREFIX, Settings, credentials, jumps, ssh_config, value::SettingValue};
use crate::{
    host_key::{HostKeyPolicy, HostKeyRules, KnownHosts},
    profile::SshProfile,
    ssh_policy::{Configured, SshPolicy},
};

/// A file of SSH settings that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{PREFIX}{setting}: {}: {reason}", .path.display())]
pub struct SshFileError {
    /// The setting that names it, or a file that leads to it.
    pub(super) setting: &'static str,
    /// The file.
    pub(super) path: PathBuf,
    /// What is wrong with it.
    pub(super) reason: String,
}

impl Settings {
    /// The operator's word on SSH.
    ///
    /// # Errors
    /// A file cannot be read, or a line of it.
    pub fn ssh_policy(&self) -> Result<SshPolicy, SshFileError> {
        let known_hosts = self.known_hosts.as_ref().map(|path| {
            let failed = failed("KNOWN_HOSTS", path);
            let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
            KnownHosts::parse(&text).map(Arc::new).map_err(|error| failed(error.to_string()))
        });
        // Whoever mounts a file means it.
        let meant =
            if known_hosts.is_some() { HostKeyPolicy::Strict } else { HostKeyPolicy::AcceptAny };
        let host_keys = HostKeyRules {
            policy: self.host_key_policy.unwrap_or(meant),
            known_hosts: known_hosts.transpose()?.into_iter().collect(),
        };
        let host_keys = Arc::new(host_keys);
        let jumps = self
            .jumps_file
            .as_ref()
            .map(|path| jumps::read(path, &host_keys).map_err(failed("JUMPS_FILE", path)));
        let jumps = jumps.transpose()?.unwrap_or_default();
        let credentials = self.credentials_file.as_ref().map(|path| {
            credentials::read(path, self.known_hosts.is_some())
                .map_err(failed("CREDENTIALS_FILE", path))
        });
        let credentials = credentials.transpose()?.unwrap_or_default();
        let configured = match &self.ssh_config {
            Some(path) => Configured {
                host_keys: Arc::clone(&host_keys),
                is_policy_said: self.host_key_policy.is_some(),
                profile: self.ssh_profile,
                opens_devices: self.ssh_config_logins,
                ..ssh_config::read(path)?
            },
            None => Configured::default(),
        };
        Ok(SshPolicy { profile: self.ssh_profile, host_keys, jumps, configured, credentials })
    }
}

/// What is wrong with the file that a setting names.
fn failed(setting: &'static str, path: &Path) -> impl Fn(String) -> SshFileError {
    move |reason| SshFileError { setting, path: path.to_owned(), reason }
}

impl SettingValue for HostKeyPolicy {
    fn want() -> String {
        "`strict` or `accept_any`".to_owned()
    }

    fn read(value: &Value) -> Option<Self> {
        match value.as_str()?.trim() {
            "strict" => Some(Self::Strict),
            "accept_any" => Some(Self::AcceptAny),
            _ => None,
        }
    }

    fn written(&self) -> Option<toml::Value> {
        let word = match self {
            Self::Strict => "strict",
            Self::AcceptAny => "accept_any",
        };
        Some(toml::Value::String(word.to_owned()))
    }
}

impl SettingValue for SshProfile {
    fn want() -> String {
        "`modern` or `legacy`".to_owned()
    }

    fn read(value: &Value) -> Option<Self> {
        Self::by_name(value.as_str()?.trim())
    }

    fn written(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.name().to_owned()))
    }
}
