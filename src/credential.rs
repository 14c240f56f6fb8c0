//! How a login proves who it is: what a request brings, or a set of credentials that the operator keeps.
//!
//! A set names devices and callers that it is for; its secrets are read when a device of it has its turn, and not
//! before. Not here: where secrets lie (`secret_store`).

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use ipnet::IpNet;

use crate::{
    certificate::Certificate,
    host_key::Proof,
    secret::Secret,
    target::{is_in, is_named},
};

/// How a login proves who it is. At least one of password and key is there.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Login name: 1 to 255 characters, no control characters.
    pub username: String,
    /// Password, also for keyboard-interactive authentication.
    pub password: Option<Secret>,
    /// Private key, tried before the password where the device offers both.
    pub private_key: Option<PrivateKey>,
    /// Further keys, tried in turn when that one was refused.
    pub more_keys: Vec<PrivateKey>,
    /// Secret for the platform's `enable`; without it the session stays at its login level.
    pub enable_password: Option<Secret>,
}

impl Credentials {
    /// What the same user asks for more rights with.
    #[must_use]
    pub fn enabling(&self, secret: &Secret) -> Self {
        Self {
            username: self.username.clone(),
            password: Some(secret.clone()),
            private_key: None,
            more_keys: Vec::new(),
            enable_password: None,
        }
    }
}

/// A private key in OpenSSH or PEM form.
#[derive(Clone, Debug)]
pub struct PrivateKey {
    /// The key's text.
    pub text: Secret,
    /// What it is encrypted with, if it is.
    pub passphrase: Option<Secret>,
    /// Who says whose key it is, where the key alone is not enough.
    pub certificate: Option<Certificate>,
}

/// Who logs in.
#[derive(Clone, Debug)]
pub enum Login {
    /// What the request, or the operator's file of jump hosts, brings.
    Given(Box<Credentials>),
    /// A set of the operator's, whose secrets have not been read.
    Set(Arc<CredentialSet>),
}

impl Login {
    /// The login name.
    #[must_use]
    pub fn username(&self) -> &str {
        match self {
            Self::Given(credentials) => &credentials.username,
            Self::Set(set) => &set.username,
        }
    }

    /// The operator's set, if it is one.
    #[must_use]
    pub fn set(&self) -> Option<&Arc<CredentialSet>> {
        match self {
            Self::Given(_) => None,
            Self::Set(set) => Some(set),
        }
    }
}

/// Credentials that the operator keeps, under a name.
#[derive(Debug)]
pub struct CredentialSet {
    /// Its name.
    pub name: String,
    /// Login name.
    pub username: String,
    /// Which devices and callers it is for.
    pub scope: Scope,
    /// Who must have named a device's key before it is told a secret of this set.
    pub proof: Proof,
    /// Where its secrets are.
    pub source: Box<dyn SecretSource>,
}

/// Which devices and callers a set is for. Every list that is there must let a device pass.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Only devices with all their addresses in these networks; all, if there are none.
    pub targets: Vec<IpNet>,
    /// Only devices whose name, as the request has it, is one of these; all, if there are none.
    pub names: Vec<String>,
    /// Only these TCP ports.
    pub ports: Vec<u16>,
    /// Only callers with an API key of these names; all, if it is not said.
    pub keys: Option<Vec<String>>,
}

/// Who asks for a set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asking<'a> {
    /// A caller, with the name of his API key if he has one.
    Caller(Option<&'a str>),
    /// Whoever sits at the machine, with its files.
    Operator,
}

impl Scope {
    /// # Errors
    /// The list that the device is not on. A device without addresses is on none.
    pub fn check(
        &self,
        host: &str,
        port: u16,
        addresses: &[SocketAddr],
    ) -> Result<(), &'static str> {
        let is_in = |addr: &SocketAddr| is_in(&self.targets, addr.ip().to_canonical());
        self.check_name_and_port(host, port)?;
        if addresses.is_empty() || !(self.targets.is_empty() || addresses.iter().all(is_in)) {
            return Err("its address is not one of the set's");
        }
        Ok(())
    }

    /// As [`check`](Self::check), for a name that a jump host of the operator's looks up: its addresses stay unknown.
    ///
    /// # Errors
    /// The list that the device is not on; a set with networks is for nothing without an address.
    pub fn check_name(&self, host: &str, port: u16) -> Result<(), &'static str> {
        self.check_name_and_port(host, port)?;
        if !self.targets.is_empty() {
            return Err("the set is for networks, and only a jump host knows the device's address");
        }
        Ok(())
    }

    fn check_name_and_port(&self, host: &str, port: u16) -> Result<(), &'static str> {
        if !self.ports.contains(&port) {
            Err("its port is not one of the set's")
        } else if !self.names.is_empty() && !is_named(&self.names, host) {
            Err("its name is not one of the set's")
        } else {
            Ok(())
        }
    }

    fn is_for(&self, asking: Asking<'_>) -> bool {
        match (&self.keys, asking) {
            (None, _) | (_, Asking::Operator) => true,
            (Some(keys), Asking::Caller(Some(name))) => keys.iter().any(|key| key == name),
            (Some(_), Asking::Caller(None)) => false,
        }
    }
}

/// Where the secrets of a set are.
pub trait SecretSource: fmt::Debug + Send + Sync {
    /// Reads them; blocks for no longer than [`limit`](Self::limit).
    ///
    /// # Errors
    /// They are not to be had.
    fn read(&self) -> Result<Secrets, Unavailable>;

    /// The longest that reading takes.
    fn limit(&self) -> Duration;

    /// How long what was read may be used for further devices.
    fn keep(&self) -> Duration;
}

/// The secrets of a set. At least one of password and key is there.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// Login password.
    pub password: Option<Secret>,
    /// Private key.
    pub private_key: Option<PrivateKey>,
    /// Secret for `enable`.
    pub enable_password: Option<Secret>,
}

/// Why secrets are not to be had; never a secret.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Unavailable {
    /// The cause, for whoever asks.
    pub reason: String,
    /// Place and cure, for the operator: callers need not know where he keeps his secrets.
    pub detail: String,
}

impl Unavailable {
    /// From their words.
    #[must_use]
    pub fn new(reason: impl fmt::Display, detail: impl fmt::Display) -> Self {
        Self { reason: reason.to_string(), detail: detail.to_string() }
    }
}

impl CredentialSet {
    /// What a device is logged in to with.
    #[must_use]
    pub fn with(&self, secrets: &Secrets) -> Credentials {
        Credentials {
            username: self.username.clone(),
            password: secrets.password.clone(),
            private_key: secrets.private_key.clone(),
            more_keys: Vec::new(),
            enable_password: secrets.enable_password.clone(),
        }
    }
}

/// The operator's sets.
#[derive(Clone, Debug, Default)]
pub struct CredentialSets(Vec<Arc<CredentialSet>>);

impl CredentialSets {
    /// Sets of different names.
    #[must_use]
    pub fn new(sets: Vec<CredentialSet>) -> Self {
        Self(sets.into_iter().map(Arc::new).collect())
    }

    /// The set of this name, if there is one that is for whoever asks; which of both is missing stays untold.
    #[must_use]
    pub fn named(&self, name: &str, asking: Asking<'_>) -> Option<&Arc<CredentialSet>> {
        self.0.iter().find(|set| set.name == name).filter(|set| set.scope.is_for(asking))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<CredentialSet>> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_must_be_on_every_list_with_every_address() {
        let nets = |nets: &[&str]| nets.iter().map(|net| net.parse().unwrap()).collect();
        let both = Scope {
            targets: nets(&["10.1.0.0/16", "2001:db8::/32"]),
            names: vec!["*.lab.example".to_owned()],
            ports: vec![22],
            keys: None,
        };
        let by_address = Scope { names: Vec::new(), ..both.clone() };
        let by_name = Scope { targets: Vec::new(), ..both.clone() };
        for (scope, host, addresses, is_for) in [
            (&both, "r1.lab.example", &["10.1.0.1:22"][..], true),
            (&both, "r1.LAB.example", &["10.1.0.1:22", "[2001:db8::1]:22"], true),
            (&both, "r1.lab.example", &["10.1.0.1:22", "192.0.2.1:22"], false),
            (&both, "r1.lab.example", &["192.0.2.1:22"], false),
            (&both, "r1.lab.example", &[], false),
            (&both, "r1.lab.example.evil.example", &["10.1.0.1:22"], false),
            (&both, "10.1.0.1", &["10.1.0.1:22"], false),
            (&by_address, "10.1.0.1", &["10.1.0.1:22"], true),
            (&by_address, "x", &["[::ffff:10.1.0.1]:22"], true),
            // Addresses that only carry an allowed one lead elsewhere.
            (&by_address, "x", &["[64:ff9b::a01:1]:22"], false),
            (&by_address, "x", &["[2002:a01:1::]:22"], false),
            (&by_name, "r1.lab.example", &["192.0.2.1:22"], true),
            (&by_name, "r1.lab.example", &[], false),
            (&by_name, "lab.example", &["192.0.2.1:22"], false),
        ] {
            let addresses: Vec<SocketAddr> = addresses.iter().map(|a| a.parse().unwrap()).collect();
            let found = scope.check(host, 22, &addresses).is_ok();
            assert_eq!(found, is_for, "{host} {addresses:?}");
            assert!(scope.check(host, 2222, &addresses).is_err());
        }
        // Where nobody here knows the address, only names can say.
        assert!(by_name.check_name("r1.lab.example", 22).is_ok());
        assert!(by_name.check_name("r1.lab.example", 2222).is_err());
        assert!(by_name.check_name("r1.example", 22).is_err());
        assert!(both.check_name("r1.lab.example", 22).is_err());
    }

    #[test]
    fn a_set_is_for_the_keys_that_it_names() {
        let of = |keys: Option<&[&str]>| Scope {
            keys: keys.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect()),
            ..Scope::default()
        };
        for (keys, asking, want) in [
            (None, Asking::Caller(None), true),
            (None, Asking::Caller(Some("a")), true),
            (Some(&["a", "b"][..]), Asking::Caller(Some("b")), true),
            (Some(&["a"]), Asking::Caller(Some("A")), false),
            (Some(&["a"]), Asking::Caller(None), false),
            (Some(&[]), Asking::Caller(Some("a")), false),
            (Some(&["a"]), Asking::Operator, true),
        ] {
            assert_eq!(of(keys).is_for(asking), want, "{keys:?} {asking:?}");
        }
    }
}
