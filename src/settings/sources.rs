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

use super::{PREFIX, SettingsError, row::Bounds, table::Settings, value::SettingValue};

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
        let texts = [
            Texts { origin: Origin::EnvFile, pairs: env_file(Path::new(ENV_FILE))? },
            Texts { origin: Origin::Variable, pairs: variables() },
            Texts { origin: Origin::Argument, pairs: self.arguments.iter().cloned().collect() },
        ];
        let file = texts.iter().rev().find_map(|texts| texts.pairs.get(CONFIG_FILE));
        let file = file.filter(|path| !path.is_empty()).map(PathBuf::from);
        let mut sources = Figment::new();
        let mut layers = Vec::new();
        if let Some(path) = file {
            let toml = Toml::file_exact(&path);
            let unreadable = |error: figment::Error| SettingsError::File {
                path: path.clone(),
                reason: error.kind.to_string().trim().to_owned(),
            };
            let mut known = toml.data().map_err(unreadable)?;
            let dict = known.remove(&Profile::Default).unwrap_or_default();
            layers.push((Origin::File(path.clone()), dict.keys().cloned().collect::<Vec<_>>()));
            sources = sources.merge(toml);
        }
        for texts in texts {
            let names = texts.pairs.keys().filter(|name| *name != CONFIG_FILE).cloned().collect();
            layers.push((texts.origin.clone(), names));
            sources = sources.merge(texts);
        }
        let mut reader = Reader { sources: &sources, origins: BTreeMap::new(), faults: Vec::new() };
        reader.refuse_unknown(&layers);
        let settings = Settings::read(&mut reader);
        let Reader { origins, faults, .. } = reader;
        if !faults.is_empty() {
            return Err(SettingsError::Wrong(faults));
        }
        Ok(Loaded { settings: settings.checked()?, origins })
    }
}

/// Reads settings out of the merged sources and collects what is wrong with them.
pub(super) struct Reader<'a> {
    sources: &'a Figment,
    origins: BTreeMap<String, Origin>,
    faults: Vec<String>,
}

impl Reader<'_> {
    /// The value of a setting; `None` if nobody gives one, or a wrong one.
    pub(super) fn read<T: SettingValue>(&mut self, name: &str, bounds: &Bounds) -> Option<T> {
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
        }
        self.origins.insert(name.to_owned(), origin);
        read
    }

    fn refuse_unknown(&mut self, layers: &[(Origin, Vec<String>)]) {
        let rows = Settings::rows();
        for (origin, names) in layers {
            for name in names.iter().filter(|name| rows.iter().all(|row| row.name != **name)) {
                let near = rows
                    .iter()
                    .map(|row| row.name)
                    .min_by_key(|known| strsim::damerau_levenshtein(known, name));
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

/// A value as its source has it, short and harmless to a terminal.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(_, text) => text.clone(),
        other => serde_json::to_string(other).unwrap_or_default(),
    };
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

fn setting_of(variable: &str) -> Option<String> {
    variable.strip_prefix(PREFIX).map(str::to_ascii_lowercase)
}

/// Lines `NAME=value` of a file, `#` comments and `export` aside; names without the prefix are others' business.
fn env_file(path: &Path) -> Result<BTreeMap<String, String>, SettingsError> {
    let fault = |reason: String| SettingsError::File { path: path.to_owned(), reason };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(fault(error.to_string())),
    };
    let mut pairs = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            return Err(fault(format!("line {} is not NAME=value", index + 1)));
        };
        if let Some(name) = setting_of(name.trim_end()) {
            pairs.insert(name, unquoted(value.trim()).to_owned());
        }
    }
    Ok(pairs)
}

/// A value without the quotes round it, or without the comment behind it.
fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some((inner, _)) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote))
        {
            return inner;
        }
    }
    value.split_once(" #").map_or(value, |(value, _)| value.trim_end())
}
