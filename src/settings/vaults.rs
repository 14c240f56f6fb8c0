//! `[[vault]]` of the file of credential sets: where a Vault is, and how the service shows who it is there.

use std::{path::Path, sync::Arc, time::Duration};

use serde::Deserialize;

use super::credentials::of_variable;
use crate::secret_store::{Client, Identity, Vault, is_mount};

/// Where Kubernetes puts the token of a pod's service account.
const ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/// Longest `timeout` and `cache`, in seconds.
const MOST_SECONDS: u64 = 300;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VaultEntry {
    pub(super) name: String,
    address: String,
    ca_file: Option<String>,
    namespace: Option<String>,
    token_file: Option<String>,
    token_env: Option<String>,
    kubernetes_role: Option<String>,
    kubernetes_token_file: Option<String>,
    kubernetes_login: Option<String>,
    #[serde(default = "five")]
    timeout: u64,
    #[serde(default = "five")]
    cache: u64,
}

fn five() -> u64 {
    5
}

impl VaultEntry {
    /// # Errors
    /// What is wrong; never a token.
    pub(super) fn vault(self, folder: &Path) -> Result<Arc<Vault>, String> {
        let ca_file = self.ca_file.as_ref().map(|file| folder.join(file));
        let client = Client::new(&self.address, ca_file.as_deref(), self.namespace)?;
        if client.is_readable_on_the_way() {
            tracing::warn!(
                vault = self.name,
                "its address is http: tokens and secrets can be read on their way"
            );
        }
        if self.timeout == 0 || self.timeout > MOST_SECONDS || self.cache > MOST_SECONDS {
            return Err(format!(
                "`timeout` is 1 to {MOST_SECONDS} seconds, `cache` 0 to {MOST_SECONDS}"
            ));
        }
        let is_kubernetes = self.kubernetes_role.is_some();
        if !is_kubernetes
            && (self.kubernetes_token_file.is_some() || self.kubernetes_login.is_some())
        {
            return Err("give `kubernetes_role` too".to_owned());
        }
        let identity = match (self.token_file, self.token_env, self.kubernetes_role) {
            (Some(file), None, None) => Identity::TokenFile(folder.join(file)),
            (None, Some(variable), None) => Identity::Token(of_variable(&variable)?),
            (None, None, Some(role)) => {
                let login = self.kubernetes_login.unwrap_or_else(|| "kubernetes".to_owned());
                if !is_mount(&login) {
                    return Err("`kubernetes_login` is no path".to_owned());
                }
                let token_file = self.kubernetes_token_file.as_deref().unwrap_or(ACCOUNT_TOKEN);
                let login = login.trim_matches('/').to_owned();
                Identity::Kubernetes { role, token_file: folder.join(token_file), login }
            }
            _ => {
                return Err(
                    "give one of `token_file`, `token_env` and `kubernetes_role`".to_owned()
                );
            }
        };
        let [timeout, cache] = [self.timeout, self.cache].map(Duration::from_secs);
        Ok(Arc::new(Vault::new(self.name, client, identity, timeout, cache)))
    }
}
