//! `HashiCorp` Vault and those that speak its API: secrets of a KV store of version 2.
//!
//! A token is read from a file that its owner keeps fresh, or had for the service account's token of Kubernetes. Which
//! path is read is the operator's word alone. Not here: how long secrets are kept, and who waits for whom (`executor`).

use std::{
    collections::HashMap,
    fmt, fs,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    file::read,
    http::{Answered, Client},
};
use crate::{credential::Unavailable, secret::Secret};

/// A lease is given up when this part of it is left, so that nothing runs out on its way.
const LAST_PART_OF_LEASE: u32 = 10;
/// Longest word of Vault that is logged, in characters.
const MOST_SAID: usize = 200;

/// How the service shows who it is.
#[derive(Clone, Debug)]
pub enum Identity {
    /// A token in a file, read anew each time.
    TokenFile(PathBuf),
    /// A token of the environment.
    Token(Secret),
    /// Login with the token of a Kubernetes service account.
    Kubernetes {
        /// The role to log in as.
        role: String,
        /// The file with the service account's token.
        token_file: PathBuf,
        /// Where the method is mounted: `kubernetes`.
        login: String,
    },
}

/// One Vault.
pub struct Vault {
    name: String,
    client: Client,
    identity: Identity,
    timeout: Duration,
    cache: Duration,
    /// The token of the last login.
    login: Mutex<Option<LoggedIn>>,
}

/// A token that Vault gave.
struct LoggedIn {
    token: Secret,
    // None for ever.
    until: Option<Instant>,
}

/// A secret in a Vault: the operator's word, no caller's.
#[derive(Clone, Debug)]
pub struct VaultPath {
    mount: String,
    path: String,
}

#[derive(Deserialize)]
struct ReadAnswer {
    data: Versioned,
}

#[derive(Deserialize)]
struct Versioned {
    /// None for a version that was deleted.
    data: Option<HashMap<String, Value>>,
}

#[derive(Deserialize)]
struct LoginAnswer {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    client_token: String,
    #[serde(default)]
    lease_duration: u64,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    #[serde(default)]
    errors: Vec<String>,
}

impl VaultPath {
    /// The secret at `path` of the store that is mounted at `mount`; `None` if one of them is no path.
    #[must_use]
    pub fn new(mount: &str, path: &str) -> Option<Self> {
        let clean = |text: &str| {
            let text = text.trim_matches('/');
            let harmless = |c: char| c.is_ascii_alphanumeric() || "-_.~@:+=,/".contains(c);
            let whole = |part: &str| !matches!(part, "" | "." | "..");
            (text.chars().all(harmless) && text.split('/').all(whole)).then(|| text.to_owned())
        };
        Some(Self { mount: clean(mount)?, path: clean(path)? })
    }

    fn of_data(&self) -> String {
        format!("{}/data/{}", self.mount, self.path)
    }
}

/// A path under which nothing else than a mount is meant.
#[must_use]
pub fn is_mount(text: &str) -> bool {
    VaultPath::new(text, "any").is_some()
}

impl Vault {
    /// `timeout` is for the reading of one secret, logins included; `cache` is how long it may be used again.
    #[must_use]
    pub fn new(
        name: String,
        client: Client,
        identity: Identity,
        timeout: Duration,
        cache: Duration,
    ) -> Self {
        Self { name, client, identity, timeout, cache, login: Mutex::default() }
    }

    /// Its name in the operator's file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Longest that reading a secret takes.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// How long a secret may be used again.
    #[must_use]
    pub fn cache(&self) -> Duration {
        self.cache
    }

    /// The fields of a secret that are texts.
    ///
    /// # Errors
    /// It is not to be had, within the timeout.
    pub fn fields(&self, at: &VaultPath) -> Result<HashMap<String, Secret>, Unavailable> {
        let until = Instant::now() + self.timeout;
        let path = at.of_data();
        let token = self.token(None, until)?;
        let mut answered = self.client.get(&path, &token, until)?;
        // A login may have been taken back before its end; a token that is not ours to renew may not.
        if answered.status == 403 && matches!(self.identity, Identity::Kubernetes { .. }) {
            let token = self.token(Some(&token), until)?;
            answered = self.client.get(&path, &token, until)?;
        }
        if answered.status != 200 {
            return Err(refused(&answered, "reading", &path));
        }
        let read: ReadAnswer = parsed(&answered, &path)?;
        let Some(fields) = read.data.data else { return Err(absent(&path)) };
        let texts = fields.into_iter().filter_map(|(name, value)| match value {
            Value::String(text) => Some((name, Secret::new(text))),
            _ => None,
        });
        Ok(texts.collect())
    }

    /// A token that is not `refused`.
    fn token(&self, refused: Option<&Secret>, until: Instant) -> Result<Secret, Unavailable> {
        let (role, token_file, login) = match &self.identity {
            Identity::Token(token) => return Ok(token.clone()),
            Identity::TokenFile(path) => return word(path),
            Identity::Kubernetes { role, token_file, login } => (role, token_file, login),
        };
        // One login at a time: those who wait take what it brings.
        let mut last = self.login.lock().unwrap_or_else(PoisonError::into_inner);
        let is_good = |known: &&LoggedIn| {
            known.until.is_none_or(|until| until > Instant::now())
                && refused.is_none_or(|refused| refused.expose() != known.token.expose())
        };
        if let Some(known) = last.as_ref().filter(is_good) {
            return Ok(known.token.clone());
        }
        *last = None;
        let account = word(token_file)?;
        let path = format!("auth/{login}/login");
        let body = Secret::new(json!({"role": role, "jwt": account.expose()}).to_string());
        let asked = Instant::now();
        let answered = self.client.post(&path, &body, until)?;
        if answered.status != 200 {
            return Err(self::refused(&answered, "login", &path));
        }
        let LoginAnswer { auth } = parsed(&answered, &path)?;
        let lease = Duration::from_secs(auth.lease_duration);
        let token = Secret::new(auth.client_token);
        let kept = lease.saturating_sub(lease / LAST_PART_OF_LEASE);
        let until = asked.checked_add(kept).filter(|_| !lease.is_zero());
        *last = Some(LoggedIn { token: token.clone(), until });
        Ok(token)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A token in a file: one word.
fn word(path: &PathBuf) -> Result<Secret, Unavailable> {
    let text = read(path)?;
    let word = text.expose().trim();
    if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_graphic()) {
        let place = fs::canonicalize(path).unwrap_or_else(|_gone| path.clone());
        return Err(Unavailable::new("a token's file holds no token", place.display()));
    }
    Ok(Secret::new(word.to_owned()))
}

fn parsed<T: serde::de::DeserializeOwned>(
    answered: &Answered,
    path: &str,
) -> Result<T, Unavailable> {
    // What is wrong with it could be told with its words.
    serde_json::from_slice(&answered.body).map_err(|_error| {
        let detail = format!(
            "{path} ({} bytes of another form); is it Vault, and the mount a KV store of version 2?",
            answered.body.len()
        );
        Unavailable::new("Vault gave an answer of another form", detail)
    })
}

fn absent(path: &str) -> Unavailable {
    let detail = format!(
        "{path}: nothing there, or its version was deleted; check `vault_mount` and `vault_path`, and that the store is KV version 2"
    );
    Unavailable::new("Vault has no such secret", detail)
}

/// What an answer that is no success says.
fn refused(answered: &Answered, doing: &str, path: &str) -> Unavailable {
    let errors = serde_json::from_slice::<ErrorAnswer>(&answered.body).ok();
    let said = errors.map(|answer| answer.errors.join("; ")).unwrap_or_default();
    let said: String = said.chars().take(MOST_SAID).flat_map(char::escape_debug).collect();
    let status = answered.status;
    let (reason, cure) = match status {
        404 if doing == "reading" => return absent(path),
        400 | 401 | 403 if doing == "login" => (
            "Vault refused the login",
            "check `kubernetes_role` and `kubernetes_login`, and which service accounts the role is bound to",
        ),
        401 | 403 => (
            "Vault refused the token",
            "check that the token is valid and that its policy has `read` on this path",
        ),
        300..400 => (
            "Vault leads elsewhere",
            "give the address of the active node or of a load balancer: redirections are not followed with a token",
        ),
        429 | 473 => {
            ("Vault is a standby or has too much to do", "give the address of the active node")
        }
        503 if said.to_ascii_lowercase().contains("sealed") => ("Vault is sealed", "unseal it"),
        _ => ("Vault could not answer", "look at its log"),
    };
    Unavailable::new(reason, format!("{doing} {path}: HTTP {status} {said}; {cure}"))
}
