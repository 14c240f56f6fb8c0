//! Who may do what: API keys with their names and limits, and what everybody may do.
//!
//! Of a key only its SHA-256 is known here. A key is looked for by comparing with all of them in constant time, so
//! that nothing can be learnt from how long a refusal takes.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use ipnet::IpNet;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};

use crate::{
    command::{CommandPolicy, PolicyError},
    platform::Registry,
    settings::Settings,
    target::{TargetLists, TargetPolicy, network},
};

/// What one caller may do.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The name of the API key; none for everybody.
    pub key: Option<Arc<str>>,
    /// Which commands.
    pub commands: CommandPolicy,
    /// Which devices.
    pub targets: Arc<TargetPolicy>,
}

/// Who may do what.
#[derive(Clone, Debug)]
pub struct Access {
    /// Without API keys, what everybody may do; with them, what no key can widen.
    everybody: Arc<Grant>,
    keys: Option<Vec<Key>>,
}

#[derive(Clone, Debug)]
struct Key {
    sha256: [u8; 32],
    grant: Arc<Grant>,
}

/// What a request shows of who sends it.
#[derive(Clone, Debug)]
pub enum Admission {
    /// It may do this.
    Granted(Arc<Grant>),
    /// It has no key, and needs one.
    Missing,
    /// It has a key that is none of ours.
    Unknown,
}

/// Why it is not known who may do what. No variant repeats a line of the keys' file.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A command of a list is no such thing.
    #[error("SHOWRUNNER_COMMANDS_DENY, SHOWRUNNER_COMMANDS_ALLOW: {0}")]
    Commands(#[from] PolicyError),
    /// The file of keys is not one.
    #[error("SHOWRUNNER_API_KEYS_FILE: {}: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Access {
    /// Reads the lists and keys of the settings, whose commands may name the platforms of `registry`. Without one, as where
    /// definitions are broken, only their other faults are found.
    ///
    /// # Errors
    /// Says what is wrong and where.
    pub fn load(settings: &Settings, registry: Option<&Registry>) -> Result<Self, AccessError> {
        let (deny, allow) = (&settings.commands_deny, &settings.commands_allow);
        let commands = CommandPolicy::parse(deny, allow, registry)?;
        let targets = Arc::new(settings.targets());
        let everybody = Arc::new(Grant { key: None, commands, targets });
        let file = settings.api_keys_file.as_deref().filter(|_| settings.wants_api_keys());
        let keys = file.map(|path| read_keys(path, settings, &everybody, registry)).transpose()?;
        Ok(Self { everybody, keys })
    }

    /// Who shows `key`.
    #[must_use]
    pub fn admit(&self, key: Option<&[u8]>) -> Admission {
        let Some(keys) = &self.keys else { return Admission::Granted(Arc::clone(&self.everybody)) };
        let Some(shown) = key else { return Admission::Missing };
        let shown: [u8; 32] = Sha256::digest(shown).into();
        // Every key is compared, whichever fits.
        let mut found = u64::MAX;
        for (index, key) in (0_u64..).zip(keys) {
            found.conditional_assign(&index, key.sha256.ct_eq(&shown));
        }
        let found = usize::try_from(found).ok().and_then(|index| keys.get(index));
        found.map_or(Admission::Unknown, |key| Admission::Granted(Arc::clone(&key.grant)))
    }

    /// What everybody may do who needs no key, and what no key can widen.
    #[must_use]
    pub fn everybody(&self) -> &Grant {
        &self.everybody
    }

    /// True if there is a key of this name.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.keys.iter().flatten().any(|key| key.grant.key.as_deref() == Some(name))
    }

    /// How many keys are known; `None` if none is asked for.
    #[must_use]
    pub fn n_keys(&self) -> Option<usize> {
        self.keys.as_ref().map(Vec::len)
    }
}

/// A new key: the secret to hand over, and the entry for the file.
pub struct NewKey {
    /// To be shown once.
    pub secret: String,
    /// What the file takes.
    pub entry: String,
}

impl NewKey {
    /// Makes a key with 244 random bits.
    ///
    /// # Errors
    /// The name is none.
    pub fn make(name: &str) -> Result<Self, String> {
        if !is_name(name) {
            return Err(NAME_RULE.to_owned());
        }
        let half = || uuid::Uuid::new_v4().simple().to_string();
        let secret = format!("sr_{}{}", half(), half());
        let hash = Hex(Sha256::digest(&secret).into());
        let entry = format!("[[key]]\nname = \"{name}\"\nsha256 = \"{hash}\"\n");
        Ok(Self { secret, entry })
    }
}

const NAME_RULE: &str = "a key's name is 1 to 64 letters, digits, dots, dashes or underlines";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeysFile {
    #[serde(default)]
    key: Vec<KeyEntry>,
}

/// One key as the file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    name: String,
    sha256: String,
    #[serde(default)]
    targets_allow: Vec<String>,
    #[serde(default)]
    targets_deny: Vec<String>,
    #[serde(default)]
    targets_ports: Vec<u16>,
    #[serde(default)]
    targets_names: Vec<String>,
    /// Only these commands, if there are any.
    #[serde(default)]
    commands_only: Vec<String>,
    #[serde(default)]
    commands_deny: Vec<String>,
}

fn read_keys(
    path: &Path,
    settings: &Settings,
    everybody: &Grant,
    registry: Option<&Registry>,
) -> Result<Vec<Key>, AccessError> {
    let fault = |reason: String| AccessError::File { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
    let file: KeysFile = toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        fault(format!("line {}: {}", before.matches('\n').count() + 1, error.message()))
    })?;
    let mut keys: Vec<Key> = Vec::new();
    for (index, entry) in file.key.into_iter().enumerate() {
        let fault = |reason: &str| fault(format!("key {}: {reason}", index + 1));
        if !is_name(&entry.name) {
            return Err(fault(NAME_RULE));
        }
        let sha256 = hash(&entry.sha256).ok_or_else(|| {
            fault("sha256 must be the 64 hexadecimal digits of the key's SHA-256")
        })?;
        let is_taken = |key: &Key| {
            key.sha256 == sha256 || key.grant.key.as_deref() == Some(entry.name.as_str())
        };
        if keys.iter().any(is_taken) {
            return Err(fault("its name or hash is that of an earlier key"));
        }
        let no_network = |text: &str| fault(&format!("`{}` is no network", text.escape_debug()));
        let deny = [settings.commands_deny.as_slice(), &entry.commands_deny].concat();
        // The settings' own lists have been read before: what is wrong now is the key's.
        let commands = CommandPolicy::parse(&deny, &settings.commands_allow, registry)
            .and_then(|commands| commands.with_only(&entry.commands_only, registry))
            .map_err(|error| fault(&error.to_string()))?;
        let targets = everybody.targets.and(TargetLists {
            allow: networks(&entry.targets_allow).map_err(|text| no_network(&text))?,
            deny: networks(&entry.targets_deny).map_err(|text| no_network(&text))?,
            ports: entry.targets_ports,
            names: entry.targets_names,
        });
        let key = Some(entry.name.into());
        keys.push(Key {
            sha256,
            grant: Arc::new(Grant { key, commands, targets: Arc::new(targets) }),
        });
    }
    if keys.is_empty() {
        return Err(fault("it has no [[key]]; `showrunner new-key` makes one".to_owned()));
    }
    Ok(keys)
}

fn networks(texts: &[String]) -> Result<Vec<IpNet>, String> {
    texts.iter().map(|text| network(text).ok_or_else(|| text.clone())).collect()
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn hash(hex: &str) -> Option<[u8; 32]> {
    let digits: Option<Vec<u8>> = hex.chars().map(|c| u8::try_from(c.to_digit(16)?).ok()).collect();
    let bytes: Option<Vec<u8>> = digits?
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(high << 4 | low),
            _ => None,
        })
        .collect();
    bytes?.try_into().ok()
}

struct Hex([u8; 32]);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str) -> Result<Access, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        std::fs::write(&path, file).unwrap();
        let settings = Settings { api_keys_file: Some(path), ..Settings::default() };
        Access::load(&settings, None).map_err(|error| error.to_string())
    }

    fn name(admission: &Admission) -> String {
        match admission {
            Admission::Granted(grant) => grant.key.as_deref().unwrap_or("everybody").to_owned(),
            Admission::Missing => "missing".to_owned(),
            Admission::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn a_key_is_known_by_its_hash_and_no_other_is() {
        let keys: Vec<NewKey> = ["a", "b", "c"].map(|name| NewKey::make(name).unwrap()).into();
        let file: String = keys.iter().map(|key| key.entry.as_str()).collect();
        let access = load(&file).unwrap();
        for (key, want) in keys.iter().zip(["a", "b", "c"]) {
            assert!(key.secret.len() >= 64 && !file.contains(&key.secret));
            assert_eq!(name(&access.admit(Some(key.secret.as_bytes()))), want);
            for wrong in [
                key.secret.trim_start_matches('s'),
                &format!("{} ", key.secret),
                &key.secret.to_uppercase(),
            ] {
                assert_eq!(name(&access.admit(Some(wrong.as_bytes()))), "unknown");
            }
        }
        assert_eq!(name(&access.admit(Some(b""))), "unknown");
        assert_eq!(name(&access.admit(None)), "missing");
        let open = Access::load(&Settings::default(), None).unwrap();
        assert_eq!(name(&open.admit(Some(b"whatever"))), "everybody");
    }

    #[test]
    fn a_broken_file_is_refused_with_the_place() {
        let good = NewKey::make("a").unwrap().entry;
        for (file, want) in [
            (String::new(), "it has no [[key]]"),
            (format!("{good}{good}"), "key 2: its name or hash is that of an earlier key"),
            (good.replace("sha256 = \"", "sha256 = \"0"), "key 1: sha256 must be"),
            (good.replace("\"a\"", "\"a b\""), "key 1: a key's name"),
            (format!("{good}target_allow = []\n"), "line 4: unknown field `target_allow`"),
            (
                format!("{good}targets_allow = [\"10.0.0.0/99\"]\n"),
                "key 1: `10.0.0.0/99` is no network",
            ),
            (format!("{good}commands_deny = [\" \"]\n"), "no command"),
            ("[[key]]\nname = 7\n".to_owned(), "line 2: "),
        ] {
            let said = load(&file).unwrap_err();
            assert!(said.contains(want), "{file}: {said}");
        }
        assert!(NewKey::make("").is_err() && NewKey::make("a\"\n[[key]]").is_err());
    }
}
