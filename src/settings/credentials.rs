//! The file of credential sets: TOML with `[[credential]]` for each, and `[[vault]]` for each Vault that has secrets of them.
//!
//! The file says where secrets are and whom they are for; it holds none.

use std::{fs, path::Path, sync::Arc};

use serde::Deserialize;

use super::vaults::VaultEntry;
use crate::{
    credential::{CredentialSet, CredentialSets, Scope},
    host_key::Proof,
    secret::Secret,
    secret_store::{Origin, Store, Vault, VaultPath},
    target::network,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialsFile {
    #[serde(default)]
    vault: Vec<VaultEntry>,
    #[serde(default)]
    credential: Vec<SetEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetEntry {
    name: String,
    username: String,
    password_file: Option<String>,
    password_env: Option<String>,
    password_field: Option<String>,
    private_key_file: Option<String>,
    private_key_env: Option<String>,
    private_key_field: Option<String>,
    private_key_passphrase_file: Option<String>,
    private_key_passphrase_env: Option<String>,
    private_key_passphrase_field: Option<String>,
    certificate_file: Option<String>,
    certificate_env: Option<String>,
    certificate_field: Option<String>,
    enable_password_file: Option<String>,
    enable_password_env: Option<String>,
    enable_password_field: Option<String>,
    vault: Option<String>,
    vault_mount: Option<String>,
    vault_path: Option<String>,
    #[serde(default)]
    targets: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default = "ssh_port")]
    ports: Vec<u16>,
    keys: Option<Vec<String>>,
    #[serde(default)]
    host_keys: HostKeys,
}

/// Who must have named a device's key.
#[derive(Clone, Copy, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
enum HostKeys {
    #[default]
    Verified,
    Pinned,
    Any,
}

fn ssh_port() -> Vec<u16> {
    vec![22]
}

/// Reads the file; paths in it are from its own folder. Files of secrets need not be there yet.
///
/// # Errors
/// What is wrong and at which entry; never a secret.
pub(super) fn read(path: &Path, has_known_hosts: bool) -> Result<CredentialSets, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    // Without the line itself, which the parser would show.
    let file: CredentialsFile =
        toml::from_str(&text).map_err(|error| error.message().to_owned())?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut vaults: Vec<Arc<Vault>> = Vec::new();
    for entry in file.vault {
        let name = entry.name.clone();
        let failed = |why: String| format!("vault `{}`: {why}", name.escape_debug());
        if vaults.iter().any(|vault| vault.name() == name) {
            return Err(failed("the name is taken".to_owned()));
        }
        vaults.push(entry.vault(folder).map_err(failed)?);
    }
    let mut sets: Vec<CredentialSet> = Vec::new();
    for entry in file.credential {
        let name = entry.name.clone();
        let failed = |why: String| format!("credential `{}`: {why}", name.escape_debug());
        if sets.iter().any(|set| set.name == name) {
            return Err(failed("the name is taken".to_owned()));
        }
        sets.push(entry.set(folder, &vaults, has_known_hosts).map_err(failed)?);
    }
    Ok(CredentialSets::new(sets))
}

impl SetEntry {
    fn set(
        self,
        folder: &Path,
        vaults: &[Arc<Vault>],
        has_known_hosts: bool,
    ) -> Result<CredentialSet, String> {
        let is_name = (1..=64).contains(&self.name.len())
            && self.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if !is_name {
            return Err("a name is 1 to 64 letters, digits, dots, dashes or underlines".to_owned());
        }
        let username = &self.username;
        if !(1..=255).contains(&username.len()) || username.chars().any(char::is_control) {
            return Err("`username` is none".to_owned());
        }
        let proof = self.proof(has_known_hosts)?;
        let scope = self.scope()?;
        let vault = self.vault(vaults)?;
        let origin = |what, file, variable, field| origin(folder, what, [file, variable, field]);
        let store = Store {
            password: origin(
                "password",
                self.password_file,
                self.password_env,
                self.password_field,
            )?,
            private_key: origin(
                "private_key",
                self.private_key_file,
                self.private_key_env,
                self.private_key_field,
            )?,
            private_key_passphrase: origin(
                "private_key_passphrase",
                self.private_key_passphrase_file,
                self.private_key_passphrase_env,
                self.private_key_passphrase_field,
            )?,
            certificate: origin(
                "certificate",
                self.certificate_file,
                self.certificate_env,
                self.certificate_field,
            )?,
            enable_password: origin(
                "enable_password",
                self.enable_password_file,
                self.enable_password_env,
                self.enable_password_field,
            )?,
            vault,
        };
        if store.vault.is_some() != store.has_fields() {
            return Err("`…_field` and `vault_path` go together".to_owned());
        }
        if store.password.is_none() && store.private_key.is_none() {
            return Err(
                "give `password_file` or `private_key_file`, or the same with `_env` or `_field`"
                    .to_owned(),
            );
        }
        if store.certificate.is_some() && store.private_key.is_none() {
            return Err("a certificate goes with its private key".to_owned());
        }
        for missing in store.missing_files() {
            tracing::warn!(credential = self.name, reason = missing, "a secret is not there yet");
        }
        let (name, username) = (self.name, self.username);
        Ok(CredentialSet { name, username, scope, proof, source: Box::new(store) })
    }

    fn scope(&self) -> Result<Scope, String> {
        if self.targets.is_empty() && self.names.is_empty() {
            return Err("give `targets` or `names`: which devices it is for".to_owned());
        }
        if self.targets.is_empty() && self.host_keys != HostKeys::Verified {
            // Whoever has a say in DNS could lead such a name anywhere.
            return Err("`names` without `targets` need `host_keys = \"verified\"`".to_owned());
        }
        if self.ports.is_empty() {
            return Err("`ports` is empty: it would be for no device".to_owned());
        }
        let target = |text: &String| {
            network(text).ok_or_else(|| format!("`{}` is no network", text.escape_debug()))
        };
        Ok(Scope {
            targets: self.targets.iter().map(target).collect::<Result<_, _>>()?,
            names: self.names.clone(),
            ports: self.ports.clone(),
            keys: self.keys.clone(),
        })
    }

    /// The secret in Vault that is meant; the only Vault there is need not be named.
    fn vault(&self, vaults: &[Arc<Vault>]) -> Result<Option<(Arc<Vault>, VaultPath)>, String> {
        let Some(path) = &self.vault_path else {
            return match self.vault.as_ref().or(self.vault_mount.as_ref()) {
                Some(_) => Err("give `vault_path` too".to_owned()),
                None => Ok(None),
            };
        };
        let vault = match (&self.vault, vaults) {
            (Some(name), _) => vaults.iter().find(|vault| vault.name() == name),
            (None, [only]) => Some(only),
            (None, _) => return Err("say which `vault`".to_owned()),
        };
        let vault = vault.ok_or_else(|| "there is no [[vault]] of this name".to_owned())?;
        let mount = self.vault_mount.as_deref().unwrap_or("secret");
        let path = VaultPath::new(mount, path);
        let path = path.ok_or_else(|| "`vault_mount` or `vault_path` is no path".to_owned())?;
        Ok(Some((Arc::clone(vault), path)))
    }

    fn proof(&self, has_known_hosts: bool) -> Result<Proof, String> {
        match self.host_keys {
            HostKeys::Verified if !has_known_hosts => Err(
                "it goes only to devices whose key is known, but SHOWRUNNER_KNOWN_HOSTS names no file; set that, or say `host_keys = \"any\"` if every machine in `targets` may be trusted"
                    .to_owned(),
            ),
            HostKeys::Verified => Ok(Proof::Verified),
            HostKeys::Pinned => Ok(Proof::Pinned),
            HostKeys::Any => Ok(Proof::Any),
        }
    }
}

/// Where one secret is, if it is said, and only once.
fn origin(folder: &Path, what: &str, said: [Option<String>; 3]) -> Result<Option<Origin>, String> {
    match said {
        [None, None, None] => Ok(None),
        [Some(file), None, None] => Ok(Some(Origin::File(folder.join(file)))),
        [None, Some(variable), None] => Ok(Some(Origin::Variable(of_variable(&variable)?))),
        [None, None, Some(field)] => Ok(Some(Origin::Field(field))),
        _ => Err(format!("`{what}` is said twice")),
    }
}

/// The text of a variable of this process.
pub(super) fn of_variable(name: &str) -> Result<Secret, String> {
    let shown = name.escape_debug();
    match std::env::var(name) {
        Ok(secret) => Ok(Secret::new(secret)),
        Err(std::env::VarError::NotPresent) => Err(format!("the variable {shown} is not set")),
        Err(std::env::VarError::NotUnicode(_)) => Err(format!("the variable {shown} is no text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::Asking;

    fn load(text: &str) -> Result<CredentialSets, String> {
        load_with(text, true)
    }

    fn load_with(text: &str, has_known_hosts: bool) -> Result<CredentialSets, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("password"), "hunter2\n").unwrap();
        let path = folder.path().join("credentials.toml");
        fs::write(&path, text).unwrap();
        let sets = read(&path, has_known_hosts)?;
        // As long as the folder is there.
        for set in sets.iter() {
            let secrets = set.source.read();
            assert!(!format!("{set:?} {secrets:?}").contains("hunter2"));
        }
        Ok(sets)
    }

    const SET: &str = "[[credential]]\nname = \"lab\"\nusername = \"u\"\npassword_file = \"password\"\ntargets = [\"10.0.0.0/8\"]\n";

    const VAULT: &str =
        "[[vault]]\nname = \"v\"\naddress = \"http://127.0.0.1:8200\"\ntoken_file = \"token\"\n";
    const IN_VAULT: &str = "[[credential]]\nname = \"lab\"\nusername = \"u\"\npassword_field = \"password\"\ntargets = [\"10.0.0.0/8\"]\n";

    #[test]
    fn a_set_is_read_with_its_rules_and_sane_defaults() {
        let sets =
            load(&format!("{SET}keys = [\"ops\"]\nenable_password_env = \"PATH\"\n")).unwrap();
        assert!(sets.named("lab", Asking::Caller(None)).is_none());
        let set = sets.named("lab", Asking::Caller(Some("ops"))).unwrap();
        assert_eq!(
            (&*set.username, set.proof, &*set.scope.ports),
            ("u", Proof::Verified, &[22][..])
        );
        for (word, want) in [("any", Proof::Any), ("pinned", Proof::Pinned)] {
            let sets = load_with(&format!("{SET}host_keys = \"{word}\"\n"), false).unwrap();
            assert_eq!(sets.iter().next().unwrap().proof, want);
        }
        let kubernetes = VAULT.replace("token_file = \"token\"", "kubernetes_role = \"r\"");
        for vault in [VAULT, &kubernetes] {
            let sets = format!("{vault}cache = 0\n{IN_VAULT}vault_path = \"/network/lab/\"\n");
            assert_eq!(load(&sets).unwrap().iter().count(), 1);
        }
        // The secret may come later than the service.
        assert!(load(&SET.replace("\"password\"", "\"later\"")).is_ok());
    }

    #[test]
    fn a_broken_file_names_the_entry_and_no_secret() {
        for (text, want) in [
            (
                SET.replace("password_file = \"password\"", "password = \"hunter2\""),
                "unknown field `password`",
            ),
            (
                SET.replace("password_file = \"password\"\n", ""),
                "credential `lab`: give `password_file`",
            ),
            (
                SET.replace("targets = [\"10.0.0.0/8\"]\n", ""),
                "credential `lab`: give `targets` or `names`",
            ),
            (
                SET.replace("10.0.0.0/8", "10.0.0.0/99"),
                "credential `lab`: `10.0.0.0/99` is no network",
            ),
            (
                SET.replace(
                    "targets = [\"10.0.0.0/8\"]\n",
                    "names = [\"r*\"]\nhost_keys = \"any\"\n",
                ),
                "`names` without `targets`",
            ),
            (SET.replace("\"lab\"", "\"l b\""), "a name is 1 to 64"),
            (SET.replace("\"u\"", "\"\""), "`username` is none"),
            (format!("{SET}{SET}"), "credential `lab`: the name is taken"),
            (format!("{SET}ports = []\n"), "`ports` is empty"),
            (format!("{SET}host_keys = \"none\"\n"), "unknown variant"),
            (format!("{SET}password_env = \"PATH\"\n"), "`password` is said twice"),
            (format!("{SET}enable_password_field = \"en\"\n"), "go together"),
            (format!("{SET}certificate_file = \"c\"\n"), "goes with its private key"),
            (format!("{SET}vault_path = \"a\"\n"), "say which `vault`"),
            (format!("{SET}vault = \"v\"\n"), "give `vault_path` too"),
            (format!("{VAULT}{SET}vault_path = \"a\"\n"), "go together"),
            (format!("{VAULT}{IN_VAULT}vault_path = \"../sys/x\"\n"), "is no path"),
            (format!("{VAULT}{IN_VAULT}vault_path = \"a?b\"\n"), "is no path"),
            (format!("{VAULT}{IN_VAULT}vault = \"w\"\nvault_path = \"a\"\n"), "no [[vault]]"),
            (format!("{VAULT}{VAULT}"), "vault `v`: the name is taken"),
            (VAULT.replace("127.0.0.1", "u@h"), "vault `v`: `address` is none"),
            (VAULT.replace("token_file = \"token\"\n", ""), "vault `v`: give one of `token_file`"),
            (format!("{VAULT}kubernetes_role = \"r\"\n"), "vault `v`: give one of `token_file`"),
            (format!("{VAULT}kubernetes_login = \"k\"\n"), "vault `v`: give `kubernetes_role` too"),
            (format!("{VAULT}timeout = 0\n"), "vault `v`: `timeout` is 1 to 300"),
            (format!("{VAULT}token = \"hunter2\"\n"), "unknown field `token`"),
            (
                format!("{SET}enable_password_env = \"SHOWRUNNER_NO_SUCH\"\n"),
                "the variable SHOWRUNNER_NO_SUCH is not set",
            ),
        ] {
            let error = load(&text).map(drop).unwrap_err();
            assert!(error.contains(want) && !error.contains("hunter2"), "{want}: {error}");
        }
        let error = load_with(SET, false).map(drop).unwrap_err();
        assert!(error.contains("SHOWRUNNER_KNOWN_HOSTS names no file"), "{error}");
    }
}
