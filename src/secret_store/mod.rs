//! Where the secrets of credential sets lie: files, variables, Vault.
//!
//! Files are read anew for every device that needs them, so that a secret store may change them at any time. Not here:
//! who may use a set (`credential`), and how long its secrets are kept (`executor`).

mod file;
mod http;
mod vault;

use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

use self::file::Snapshot;
pub use self::{
    http::Client,
    vault::{Identity, Vault, VaultPath, is_mount},
};
use crate::{
    certificate::Certificate,
    credential::{PrivateKey, SecretSource, Secrets, Unavailable},
    secret::{Secret, without_line_end},
};

/// Longest password, in bytes.
const MOST_WORD_BYTES: usize = 1024;
/// Longest private key, in bytes.
const MOST_KEY_BYTES: usize = 32 * 1024;
/// Files are read in no time; a network file system may hang.
const FILE_LIMIT: Duration = Duration::from_secs(5);

/// Where one secret is.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A file that holds nothing else.
    File(PathBuf),
    /// A variable of the environment, which does not change.
    Variable(Secret),
    /// A field of the set's secret in Vault.
    Field(String),
}

/// Where the secrets of one set are.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// The secret in Vault whose fields are meant, if any are.
    pub vault: Option<(Arc<Vault>, VaultPath)>,
    /// Login password.
    pub password: Option<Origin>,
    /// Private key.
    pub private_key: Option<Origin>,
    /// What the private key is encrypted with.
    pub private_key_passphrase: Option<Origin>,
    /// OpenSSH certificate of the private key.
    pub certificate: Option<Origin>,
    /// Secret for `enable`.
    pub enable_password: Option<Origin>,
}

impl Store {
    /// The files that are not there, or may not be read, as it is now.
    pub fn missing_files(&self) -> impl Iterator<Item = String> {
        self.files().filter_map(|path| {
            let error = std::fs::File::open(path).err()?;
            Some(format!("{}: {error}", path.display()))
        })
    }

    /// True if some secret is a field of Vault's.
    #[must_use]
    pub fn has_fields(&self) -> bool {
        self.origins().any(|origin| matches!(origin, Origin::Field(_)))
    }

    fn origins(&self) -> impl Iterator<Item = &Origin> {
        let all = [
            &self.password,
            &self.private_key,
            &self.private_key_passphrase,
            &self.certificate,
            &self.enable_password,
        ];
        all.into_iter().flatten()
    }

    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.origins().filter_map(|origin| match origin {
            Origin::File(path) => Some(path),
            Origin::Variable(_) | Origin::Field(_) => None,
        })
    }
}

impl SecretSource for Store {
    fn read(&self) -> Result<Secrets, Unavailable> {
        let fields = self.vault.as_ref().map(|(vault, path)| vault.fields(path));
        let fields = fields.transpose()?.unwrap_or_default();
        let files = Snapshot::of(self.files())?;
        let find = |origin: &Option<Origin>| found(origin.as_ref(), &files, &fields);
        let word = |origin| find(origin)?.map(word).transpose();
        let passphrase = word(&self.private_key_passphrase)?;
        let key = find(&self.private_key)?.map(whole).transpose()?;
        let certificate = find(&self.certificate)?.map(certificate).transpose()?;
        Ok(Secrets {
            password: word(&self.password)?,
            private_key: key.map(|text| PrivateKey { text, passphrase, certificate }),
            enable_password: word(&self.enable_password)?,
        })
    }

    fn limit(&self) -> Duration {
        self.vault.as_ref().map_or(FILE_LIMIT, |(vault, _)| vault.timeout())
    }

    fn keep(&self) -> Duration {
        self.vault.as_ref().map_or(Duration::ZERO, |(vault, _)| vault.cache())
    }
}

/// A text, and its place for people.
type Found = (String, Secret);

fn found(
    origin: Option<&Origin>,
    files: &Snapshot,
    fields: &HashMap<String, Secret>,
) -> Result<Option<Found>, Unavailable> {
    let Some(origin) = origin else { return Ok(None) };
    let (place, text) = match origin {
        Origin::File(path) => (path.display().to_string(), files.text(path)),
        Origin::Variable(secret) => ("its variable".to_owned(), Some(secret)),
        Origin::Field(name) => (format!("the field `{name}` in Vault"), fields.get(name)),
    };
    match text {
        Some(text) => Ok(Some((place, text.clone()))),
        None => Err(Unavailable::new(
            "Vault's secret lacks a field, or it is no text",
            format!("{place}; fields are those of the latest version"),
        )),
    }
}

/// A password.
fn word((place, text): Found) -> Result<Secret, Unavailable> {
    let word = without_line_end(text.expose());
    let fault = if word.is_empty() {
        "is empty"
    } else if word.len() > MOST_WORD_BYTES {
        "is too long for a password"
    } else if word.contains(['\0', '\r', '\n']) {
        "has more than one line"
    } else {
        return Ok(Secret::new(word.to_owned()));
    };
    Err(Unavailable::new(format!("a secret of it {fault}"), place))
}

fn certificate((place, text): Found) -> Result<Certificate, Unavailable> {
    Certificate::parse(text.expose()).map_err(|error| {
        Unavailable::new("its certificate cannot be used", format!("{place}: {error}"))
    })
}

/// A key: with all its lines.
fn whole((place, text): Found) -> Result<Secret, Unavailable> {
    let fault = if text.expose().trim().is_empty() {
        "is empty"
    } else if text.expose().len() > MOST_KEY_BYTES {
        "is too long for a key"
    } else if text.expose().contains('\0') {
        "is no text"
    } else {
        return Ok(text);
    };
    Err(Unavailable::new(format!("a secret of it {fault}"), place))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn exposed(secret: Option<&Secret>) -> Option<&str> {
        secret.map(Secret::expose)
    }

    #[test]
    fn secrets_come_from_where_each_of_them_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).unwrap();
            Some(Origin::File(folder.path().join(name)))
        };
        let store = Store {
            password: file("password", " hunter 2 \r\n"),
            private_key: file("key", "line one\nline two\n"),
            private_key_passphrase: Some(Origin::Variable(Secret::new("opensesame".to_owned()))),
            enable_password: file("enable", "en"),
            certificate: None,
            vault: None,
        };
        let secrets = store.read().unwrap();
        assert_eq!(exposed(secrets.password.as_ref()), Some(" hunter 2 "));
        let key = secrets.private_key.unwrap();
        assert_eq!(key.text.expose(), "line one\nline two\n");
        assert_eq!(exposed(key.passphrase.as_ref()), Some("opensesame"));
        assert_eq!(exposed(secrets.enable_password.as_ref()), Some("en"));
        assert!(!format!("{store:?}").contains("opensesame"));
    }

    #[test]
    fn what_is_no_secret_is_said_with_its_place_and_without_its_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let of = |key: bool| {
            let origin = Some(Origin::File(path.clone()));
            if key {
                Store { private_key: origin, ..Store::default() }
            } else {
                Store { password: origin, ..Store::default() }
            }
        };
        assert_eq!(of(false).missing_files().count(), 1);
        for (text, is_key, want) in [
            ("", false, "is empty"),
            ("\r\n", false, "is empty"),
            ("hunter\n2\n", false, "has more than one line"),
            ("hunter\0", false, "has more than one line"),
            (&"hunter2".repeat(200), false, "is too long for a password"),
            (" \n", true, "is empty"),
            ("hunter\0", true, "is no text"),
            (&"hunter2".repeat(5000), true, "is too long for a key"),
            (&"hunter2".repeat(50_000), true, "is too long for a secret"),
        ] {
            fs::write(&path, text).unwrap();
            let said = of(is_key).read().unwrap_err().to_string();
            assert!(said.contains(want) && said.ends_with(path.to_str().unwrap()), "{said}");
            assert!(!said.contains("hunter"), "{said}");
        }
        fs::write(&path, [0xff, 0xfe]).unwrap();
        let said = of(false).read().unwrap_err().to_string();
        assert!(said.contains("is no text"), "{said}");
        assert_eq!(of(false).missing_files().count(), 0);
    }
}
