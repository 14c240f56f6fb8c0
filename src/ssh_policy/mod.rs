//! The operator's word on SSH: what goes for every device of every request, where the request may say nothing else.

mod configured;

use std::{net::SocketAddr, sync::Arc};

pub use self::configured::{Configured, OwnLogin, Said};
use crate::{
    credential::CredentialSets,
    device::Host,
    host_key::HostKeyRules,
    jump::{Hop, JumpRules},
    profile::SshProfile,
    target::TargetPolicy,
};

/// Settled once from the settings, shared by all requests.
#[derive(Clone, Debug, Default)]
pub struct SshPolicy {
    /// Algorithms to offer where a request does not say.
    pub profile: SshProfile,
    /// Which host keys are taken.
    pub host_keys: Arc<HostKeyRules>,
    /// Which devices are behind which hosts.
    pub jumps: JumpRules,
    /// Credentials that requests may name.
    pub credentials: CredentialSets,
    /// What an OpenSSH client configuration says.
    pub configured: Configured,
}

impl SshPolicy {
    /// The hosts on the way to a device whose name the last of them looks up, if that is how it is gone to: a rule says
    /// so, or the SSH configuration has a way and the settings leave the name to others. `at` is the name to look up.
    ///
    /// # Errors
    /// As [`way_to`](Self::way_to).
    pub fn way_beyond(
        &self,
        host: &Host,
        at: &Host,
        targets: &TargetPolicy,
    ) -> Result<Option<Vec<Hop>>, String> {
        if !at.is_name() {
            return Ok(None);
        }
        if let Some(rule) = self.jumps.rule_beyond(host) {
            return Ok(rule.names(at).then(|| rule.via.clone()));
        }
        let is_ruled = self.jumps.rules.iter().any(|rule| rule.names(host));
        if is_ruled || !targets.leaves_to_others(at.as_str()) {
            return Ok(None);
        }
        let way = self.configured.way_to(host)?;
        Ok(Some(way).filter(|way| !way.is_empty()))
    }

    /// The hosts on the way to a device: by the first rule that covers it, else by the SSH configuration.
    ///
    /// # Errors
    /// The configuration's way cannot be gone; says why.
    pub fn way_to(&self, host: &Host, addresses: &[SocketAddr]) -> Result<Vec<Hop>, String> {
        match self.jumps.rule_for(host, addresses) {
            Some(rule) => Ok(rule.via.clone()),
            None => self.configured.way_to(host),
        }
    }
}
