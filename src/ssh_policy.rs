//! The operator's word on SSH: what goes for every device of every request, where the request may say nothing else.

use std::sync::Arc;

use crate::{
    credential::CredentialSets, host_key::HostKeyRules, jump::JumpRules, profile::SshProfile,
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
}
