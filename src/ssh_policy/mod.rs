//! The operator's word on SSH: what goes for every device of every request, where the request may say nothing else.

mod configured;

use std::{net::SocketAddr, sync::Arc};

pub use self::configured::{Configured, Login, Said};
use crate::{
    device::Host,
    host_key::HostKeyRules,
    jump::{Hop, JumpRules},
    profile::SshProfile,
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
    /// What an OpenSSH client configuration says.
    pub configured: Configured,
}

impl SshPolicy {
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
