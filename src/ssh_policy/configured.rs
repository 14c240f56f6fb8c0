//! What the operator's OpenSSH client configuration comes to: for devices, and for the hosts on the way to them.
//!
//! Its keys open jump hosts that it names itself. A device is another matter: callers choose it, so that a login there
//! with the operator's keys takes a setting of its own.

use std::{collections::HashMap, sync::Arc, time::Duration};

use crate::{
    device::{Credentials, Host, Login, PrivateKey},
    host_key::{HostKeyCheck, HostKeyPolicy, HostKeyRules, KnownHosts, Pin, Proof},
    jump::{Hop, MOST_HOPS},
    profile::SshProfile,
    secret::Secret,
    ssh_config::{FilePath, HostValues, JumpHost, SshConfig},
};

/// Keys that are tried at one host: servers hang up after a few more.
const MOST_KEYS: usize = 5;
/// Longest wait for a connection that the file may ask for, in seconds.
const MOST_CONNECT_SECS: u64 = 300;

/// A configuration with the files that it names.
#[derive(Clone, Debug, Default)]
pub struct Configured {
    /// What the files say.
    pub config: Arc<SshConfig>,
    /// The keys that they name, or why one cannot be read.
    pub keys: Arc<HashMap<FilePath, Result<Secret, String>>>,
    /// The files of host keys that they name.
    pub known_hosts: Arc<HashMap<FilePath, Arc<KnownHosts>>>,
    /// The settings' word on host keys; no file takes anything away from it.
    pub host_keys: Arc<HostKeyRules>,
    /// Nothing but the settings says what becomes of unknown keys.
    pub is_policy_said: bool,
    /// Profile where the file asks for nothing old.
    pub profile: SshProfile,
    /// Its keys may log in to devices too.
    pub opens_devices: bool,
}

/// What is said of a device.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// Where it is, if that is not its name.
    pub at: Option<Host>,
    /// TCP port.
    pub port: Option<u16>,
    /// The `legacy` profile, if an algorithm of it is asked for.
    pub profile: Option<SshProfile>,
    /// How long its TCP connection may take.
    pub connect_timeout: Option<Duration>,
    /// Who logs in where the request does not say.
    pub login: Option<OwnLogin>,
    values: HostValues,
}

/// A login of the operator's.
#[derive(Clone, Debug)]
pub struct OwnLogin {
    /// Login name, if the file has one.
    pub user: Option<String>,
    /// The key that is tried first.
    pub key: PrivateKey,
    /// Those behind it.
    pub more_keys: Vec<PrivateKey>,
}

impl Configured {
    /// What is said of a device.
    ///
    /// # Errors
    /// `HostName` makes no host of this name.
    pub fn of(&self, host: &Host) -> Result<Said, String> {
        let values = self.config.look_up(host.as_str());
        let at = values.host_name.as_deref().map(Host::parse).transpose().map_err(|_error| {
            "The service's SSH configuration makes no hostname of this one".to_owned()
        })?;
        let login = self.opens_devices.then(|| self.login(&values)).and_then(Result::ok);
        Ok(Said {
            at,
            port: values.port,
            profile: values.wants_legacy.then_some(SshProfile::Legacy),
            connect_timeout: connect_timeout(&values),
            login,
            values,
        })
    }

    /// Which key a device must show.
    #[must_use]
    pub fn host_key(
        &self,
        said: &Said,
        pin: Option<Pin>,
        rules: &Arc<HostKeyRules>,
    ) -> HostKeyCheck {
        let (rules, alias) = (self.rules_for(&said.values, rules), said.values.key_alias.clone());
        HostKeyCheck { pin, proof: Proof::Policy, rules, alias }
    }

    /// The hosts on the way to a device.
    ///
    /// # Errors
    /// Why that way cannot be gone, with file and line.
    pub fn way_to(&self, host: &Host) -> Result<Vec<Hop>, String> {
        let way = self.config.way_to(host.as_str(), MOST_HOPS);
        let way = way.map_err(|error| error.to_string())?;
        way.iter().map(|hop| self.hop(hop)).collect()
    }

    /// What an operator should know who has written the files.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let failed = |(hop, at): (JumpHost, String)| {
            let why = self.hop(&hop).err()?;
            Some(format!("{at}: devices behind it cannot be reached: {why}"))
        };
        let mut remarks: Vec<_> = self.config.jump_hosts().filter_map(failed).collect();
        remarks.extend(self.config.proxy_commands().map(|at| {
            format!("{at}: ProxyCommand is not run; its devices are answered with an error")
        }));
        let passed: Vec<_> = self.config.passed_over().collect();
        if !passed.is_empty() {
            remarks.push(format!("passed over: {}", passed.join(", ")));
        }
        remarks.dedup();
        remarks
    }

    fn hop(&self, hop: &JumpHost) -> Result<Hop, String> {
        let JumpHost { name, values } = hop;
        let host = values.host_name.as_ref().unwrap_or(name);
        let host = Host::parse(host).map_err(|_error| {
            format!(
                "`{}`, the host of jump host `{}`, is none",
                host.escape_debug(),
                name.escape_debug()
            )
        })?;
        let login = self
            .login(values)
            .map_err(|why| format!("jump host `{}`: {why}", name.escape_debug()))?;
        let username = login
            .user
            .ok_or_else(|| format!("jump host `{}` names no `User`", name.escape_debug()))?;
        Ok(Hop {
            host,
            port: values.port.unwrap_or(22),
            login: Login::Given(Box::new(Credentials {
                username,
                password: None,
                private_key: Some(login.key),
                more_keys: login.more_keys,
                enable_password: None,
            })),
            profile: if values.wants_legacy { SshProfile::Legacy } else { self.profile },
            host_key: HostKeyCheck {
                pin: None,
                proof: Proof::Policy,
                rules: self.rules_for(values, &self.host_keys),
                alias: values.key_alias.clone(),
            },
            is_own: true,
            connect_timeout: connect_timeout(values),
            // As with OpenSSH: each host connects to the next one by its name.
            resolves_there: true,
        })
    }

    /// The login of a host.
    ///
    /// # Errors
    /// There is no key for it that can be read.
    fn login(&self, values: &HostValues) -> Result<OwnLogin, String> {
        let mut unread = Vec::new();
        let found = values.identities.iter().filter_map(|path| match self.keys.get(path)? {
            Ok(text) => {
                Some(PrivateKey { text: text.clone(), passphrase: None, certificate: None })
            }
            Err(why) => {
                unread.push(why.clone());
                None
            }
        });
        let mut found = found.take(MOST_KEYS).collect::<Vec<_>>().into_iter();
        match found.next() {
            Some(key) => {
                Ok(OwnLogin { user: values.user.clone(), key, more_keys: found.collect() })
            }
            None if unread.is_empty() => Err("it has no `IdentityFile`".to_owned()),
            None => Err(unread.join("; ")),
        }
    }

    /// The service's rules with the files of a host on top. The stricter of both goes: nothing that the settings
    /// refuse is taken because a configuration file says so.
    fn rules_for(&self, values: &HostValues, rules: &Arc<HostKeyRules>) -> Arc<HostKeyRules> {
        let files =
            [&values.known_hosts, &values.global_known_hosts].into_iter().flatten().flatten();
        let files: Vec<_> = files.filter_map(|path| self.known_hosts.get(path)).collect();
        // Whoever names a file means it, unless something else is said.
        let is_strict = values.strict.unwrap_or(!files.is_empty() && !self.is_policy_said);
        if files.is_empty() && !is_strict {
            return Arc::clone(rules);
        }
        let known_hosts = rules.known_hosts.iter().chain(files).cloned().collect();
        let policy = if is_strict { HostKeyPolicy::Strict } else { rules.policy };
        Arc::new(HostKeyRules { policy, known_hosts })
    }
}

fn connect_timeout(values: &HostValues) -> Option<Duration> {
    let seconds = values.connect_timeout.filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(seconds.min(MOST_CONNECT_SECS)))
}
