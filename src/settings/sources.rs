//! Where settings come from, each later source winning: the TOML file, `.env`, variables, the command line.
//!
//! Values stay as they were written until their setting reads them, so that a fault can name its source and say
//! what would be right. All faults are listed at once.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format as _, Toml},
    value::{Dict, Map, Value},
};

use super::{
    PREFIX, SettingsError,
    conflicts::Conflict,
    env_file::{self, setting_of},
    row::Bounds,
    table::Settings,
    value::{SettingValue, looks_secret},
};

/// The setting that names the TOML file; it is not one of the file's.
const CONFIG_FILE: &str = "config_file";
/// Read from the working directory if it is there.
const ENV_FILE: &str = ".env";
/// Longest value that a fault repeats, in characters.
const MOST_SHOWN: usize = 100;

/// Where a value comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// An argument of the command line.
    Argument,
    /// Nobody said anything.
    Default,
    /// A line of `.env` in the working directory.
    EnvFile,
    /// The TOML file.
    File(PathBuf),
    /// An environment variable.
    Variable,
}

impl Origin {
    /// The setting's name as this source writes it.
    fn name_of(&self, setting: &str) -> String {
        match self {
            Self::Argument => format!("--{}", setting.replace('_', "-")),
            Self::Default | Self::Variable => variable(setting),
            Self::EnvFile => format!("{} in {ENV_FILE}", variable(setting)),
            Self::File(path) => format!("{setting} in {}", path.display()),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument => f.write_str("command line"),
            Self::Default => f.write_str("default"),
            Self::EnvFile => f.write_str(ENV_FILE),
            Self::File(path) => path.display().fmt(f),
            Self::Variable => f.write_str("environment"),
        }
    }
}

/// The variable's name of a setting.
#[must_use]
pub fn variable(setting: &str) -> String {
    format!("{PREFIX}{}", setting.to_ascii_uppercase())
}

/// Where the settings of this process come from; read at the start, and again on SIGHUP.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Settings of the command line: name and value.
    pub arguments: Vec<(String, String)>,
}

/// Settings, and where each comes from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The values.
    pub settings: Settings,
    /// Where each comes from; what is not here is a default.
    pub origins: BTreeMap<String, Origin>,
}

impl Loaded {
    /// Where a setting's value comes from.
    #[must_use]
    pub fn origin(&self, setting: &str) -> Origin {
        self.origins.get(setting).cloned().unwrap_or(Origin::Default)
    }
}

impl Sources {
    /// Reads all sources.
    ///
    /// # Errors
    /// Every fault: the name as its source writes it, the value, and what would be right.
    pub fn load(&self) -> Result<Loaded, SettingsError> {
        let Gathered { loaded, faults, .. } = self.gather(&mut Err)?;
        if faults.is_empty() { Ok(loaded) } else { Err(SettingsError::Wrong(faults)) }
    }

    /// What can be read of them, for who asks about a service that goes on with the settings that it had, and what is wrong
    /// with the rest.
    ///
    /// # Errors
    /// What is wrong, if one of the settings in `needed` may be among it.
    pub fn as_far_as_readable(&self, needed: &[&str]) -> Result<(Settings, Vec<String>), String> {
        let mut unreadable = Vec::new();
        let gathered = self.gather(&mut |error: SettingsError| {
            unreadable.push(error.to_string());
            Ok(())
        });
        let Gathered { loaded: Loaded { settings, origins }, faults, wrong } =
            gathered.map_err(|error| error.to_string())?;
        // What a file would have said of the port, a variable or an argument has said already.
        let is_known = unreadable.is_empty() || origins.contains_key("port");
        let faults = [unreadable, faults].concat();
        if !is_known || needed.iter().any(|name| wrong.contains(name)) {
            return Err(faults.join("\n"));
        }
        Ok((settings, faults))
    }

    /// Everything there is; `unreadable` says what becomes of a file that cannot be read.
    fn gather(
        &self,
        unreadable: &mut dyn FnMut(SettingsError) -> Result<(), SettingsError>,
    ) -> Result<Gathered, SettingsError> {
        let (of_env_file, faults) = match env_file::read(Path::new(ENV_FILE)) {
            Ok(read) => read,
            Err(error) => {
                unreadable(error)?;
                Default::default()
            }
        };
        let texts = [
            Texts { origin: Origin::EnvFile, pairs: of_env_file },
            Texts { origin: Origin::Variable, pairs: variables() },
            Texts { origin: Origin::Argument, pairs: self.arguments.iter().cloned().collect() },
        ];
        let file = texts.iter().rev().find_map(|texts| texts.pairs.get(CONFIG_FILE));
        let file = file.filter(|path| !path.is_empty()).map(PathBuf::from);
        let mut sources = Figment::new();
        let mut layers = Vec::new();
        if let Some(path) = file {
            let toml = Toml::file_exact(&path);
            match toml.data() {
                Ok(mut known) => {
                    let dict = known.remove(&Profile::Default).unwrap_or_default();
                    layers.push((Origin::File(path), dict.keys().cloned().collect::<Vec<_>>()));
                    sources = sources.merge(toml);
                }
                Err(error) => {
                    let reason = without_excerpt(&error.kind.to_string());
                    unreadable(SettingsError::File { path, reason })?;
                }
            }
        }
        for texts in texts {
            let names = texts.pairs.keys().filter(|name| *name != CONFIG_FILE).cloned().collect();
            layers.push((texts.origin.clone(), names));
            sources = sources.merge(texts);
        }
        let mut reader =
            Reader { sources: &sources, origins: BTreeMap::new(), faults, wrong: Vec::new() };
        reader.refuse_unknown(&layers);
        let settings = Settings::read(&mut reader);
        let Reader { origins, mut faults, wrong, .. } = reader;
        // A default that stands in for a wrong value would be blamed for what nobody said.
        let is_said =
            |conflict: &Conflict| !conflict.between().iter().any(|name| wrong.contains(name));
        faults.extend(
            settings.conflicts().iter().filter(|one| is_said(one)).map(Conflict::to_string),
        );
        Ok(Gathered { loaded: Loaded { settings, origins }, faults, wrong })
    }
}

/// The settings, what is wrong with them, and the names of those that are.
struct Gathered {
    loaded: Loaded,
    faults: Vec<String>,
    wrong: Vec<&'static str>,
}

/// Reads settings out of the merged sources and collects what is wrong with them.
pub(super) struct Reader<'a> {
    sources: &'a Figment,
    origins: BTreeMap<String, Origin>,
    faults: Vec<String>,
    /// The settings whose values are wrong.
    wrong: Vec<&'static str>,
}

impl Reader<'_> {
    /// The value of a setting; `None` if nobody gives one, or a wrong one.
    pub(super) fn read<T: SettingValue>(
        &mut self,
        name: &'static str,
        bounds: &Bounds,
    ) -> Option<T> {
        let value = self.sources.find_value(name).ok()?;
        let origin = self.sources.get_metadata(value.tag()).map_or(Origin::Default, origin_of);
        let read = T::read(&value).filter(|read| {
            let number = read.number();
            bounds.range.as_ref().zip(number).is_none_or(|(range, number)| range.contains(&number))
        });
        if read.is_none() {
            let want = bounds.describe(&T::want());
            self.faults.push(format!(
                "{} is {}, but must be {want}",
                origin.name_of(name),
                shown(&value)
            ));
            self.wrong.push(name);
        }
        self.origins.insert(name.to_owned(), origin);
        read
    }

    fn refuse_unknown(&mut self, layers: &[(Origin, Vec<String>)]) {
        let rows = Settings::rows();
        for (origin, names) in layers {
            for name in names.iter().filter(|name| rows.iter().all(|row| row.name != **name)) {
                let near = nearest(rows.iter().map(|row| row.name), name);
                let near = near.map(|near| format!("; did you mean {}?", origin.name_of(near)));
                let near = near.unwrap_or_default();
                // Its value may be a secret that was put in the wrong place: it is not repeated.
                self.faults.push(format!("{} is no setting{near}", origin.name_of(name)));
            }
        }
    }
}

/// Names and texts of a source that knows no types.
struct Texts {
    origin: Origin,
    pairs: BTreeMap<String, String>,
}

impl Provider for Texts {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.to_string())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let pairs =
            self.pairs.iter().map(|(name, text)| (name.clone(), Value::from(text.as_str())));
        Ok(Profile::Default.collect(pairs.collect()))
    }
}

fn origin_of(metadata: &Metadata) -> Origin {
    match &metadata.source {
        Some(figment::Source::File(path)) => Origin::File(path.clone()),
        _ => [Origin::Argument, Origin::EnvFile]
            .into_iter()
            .find(|origin| metadata.name == origin.to_string())
            .unwrap_or(Origin::Variable),
    }
}

/// The known name that somebody may have meant: the shortest that holds what he wrote, or else the most alike.
fn nearest<'a>(known: impl Iterator<Item = &'a str> + Clone, written: &str) -> Option<&'a str> {
    let holding = known.clone().filter(|name| written.len() > 3 && name.contains(written));
    let alike = |one: &&str, other: &&str| {
        let alike = |name: &str| strsim::jaro_winkler(name, written);
        alike(one).total_cmp(&alike(other))
    };
    holding.min_by_key(|name| name.len()).or_else(|| known.max_by(alike))
}

/// What is wrong with a TOML file, without the line of it that its reader shows: there may be a secret in it.
fn without_excerpt(reason: &str) -> String {
    let is_said = |line: &&str| !line.trim().is_empty() && !line.contains('|');
    reason.lines().filter(is_said).map(str::trim).collect::<Vec<_>>().join(": ")
}

/// A value as its source has it, short and harmless to a terminal; nothing of one that looks like a secret.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(_, text) => text.clone(),
        Value::Dict(..) => return "a table".to_owned(),
        other => serde_json::to_string(other).unwrap_or_default(),
    };
    if looks_secret(&text) {
        return "a text that may hold a secret".to_owned();
    }
    let short: String = text.chars().take(MOST_SHOWN).flat_map(char::escape_debug).collect();
    let more = if text.chars().count() > MOST_SHOWN { "…" } else { "" };
    format!("`{short}{more}`")
}

/// The process's own variables that begin with the prefix.
fn variables() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| {
            let name = setting_of(name.to_str()?)?;
            Some((name, value.to_string_lossy().into_owned()))
        })
        .collect()
}
