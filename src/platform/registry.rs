//! Every platform by every name it has.
//!
//! The definitions of `definitions/` are part of the program; a folder of the user's own replaces and adds. A name
//! leads to one platform or none: two claims are refused when the registry is made, not when a request comes.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::definition::{DefinitionError, Platform};

/// How many names a question for an unknown one is answered with.
const MOST_NEAREST: usize = 3;
/// Longer ones are like none, and comparing takes the time of both lengths.
const MOST_NAME_BYTES: usize = 64;
/// Names less like the one asked for are no help.
const LEAST_LIKENESS: f64 = 0.78;

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("definitions/", $name, ".toml")))),*]
    };
}

/// Name and text of each embedded definition.
pub(super) const EMBEDDED: &[(&str, &str)] = embedded![
    "a10",
    "alcatel_aos",
    "allied_telesis_awplus",
    "arista_eos",
    "aruba_aoscx",
    "aruba_os",
    "checkpoint_gaia",
    "ciena_saos",
    "cisco_asa",
    "cisco_ftd",
    "cisco_ios",
    "cisco_nxos",
    "cisco_s300",
    "cisco_viptela",
    "cisco_wlc",
    "cisco_xe",
    "cisco_xr",
    "cumulus_linux",
    "dell_force10",
    "dell_os10",
    "dell_os6",
    "dell_sonic",
    "eltex",
    "extreme_ers",
    "extreme_exos",
    "extreme_netiron",
    "extreme_slx",
    "extreme_vsp",
    "f5_tmsh",
    "fortinet",
    "frr",
    "generic",
    "hillstone_stoneos",
    "hp_comware",
    "hp_procurve",
    "huawei",
    "huawei_smartax",
    "ipinfusion_ocnos",
    "juniper_junos",
    "juniper_screenos",
    "linux",
    "mellanox_mlnxos",
    "mikrotik_routeros",
    "netgear_prosafe",
    "netscaler",
    "nokia_srl",
    "nokia_sros",
    "paloalto_panos",
    "ruckus_fastiron",
    "ruijie_os",
    "tplink_jetstream",
    "ubiquiti_edgerouter",
    "ubiquiti_edgeswitch",
    "vyos",
    "zte_zxros",
];

/// The platforms known to this process.
#[derive(Debug, Default)]
pub struct Registry {
    platforms: BTreeMap<String, Arc<Platform>>,
    names: HashMap<String, Arc<Platform>>,
}

impl Registry {
    /// The platforms that are part of the program.
    ///
    /// # Errors
    /// Never, as long as the embedded definitions pass their tests.
    pub fn embedded() -> Result<Self, DefinitionError> {
        let read = |(name, text): &(&str, &str)| {
            let origin = format!("definitions/{name}.toml");
            Platform::with_patterns_unchecked(text, &origin, Some(name))
        };
        let platforms = EMBEDDED.iter().map(|one| read(one).map(Arc::new));
        Self::new(platforms.collect::<Result<_, _>>()?)
    }

    /// Adds the definitions `*.toml` of a folder; hidden files are left out. One that has the name of a platform
    /// that is already there replaces it, aliases and all.
    ///
    /// # Errors
    /// The first file that cannot be read or is no definition, or that claims a name of another platform.
    pub fn with_folder(self, folder: &Path) -> Result<Self, DefinitionError> {
        let mut platforms = self.platforms;
        for path in definitions_in(folder)? {
            let unreadable = |source| DefinitionError::Unreadable { path: path.clone(), source };
            let text = fs::read_to_string(&path).map_err(unreadable)?;
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let platform = Platform::of_stem(&text, &path.display().to_string(), Some(&stem))?;
            platforms.insert(platform.name().to_owned(), Arc::new(platform));
        }
        Self::new(platforms.into_values().collect())
    }

    fn new(platforms: Vec<Arc<Platform>>) -> Result<Self, DefinitionError> {
        let mut registry = Self::default();
        for platform in platforms {
            let names = std::iter::once(platform.name())
                .chain(platform.aliases().iter().map(String::as_str));
            for name in names {
                if let Some(owner) = registry.names.insert(name.to_owned(), Arc::clone(&platform)) {
                    return Err(DefinitionError::NameTaken {
                        name: name.to_owned(),
                        first: owner.origin().to_owned(),
                        second: platform.origin().to_owned(),
                    });
                }
            }
            registry.platforms.insert(platform.name().to_owned(), platform);
        }
        Ok(registry)
    }

    /// The platform with this name or alias; capitals, `-` for `_` and netmiko's `_ssh` at the end do not matter.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Arc<Platform>> {
        // As nearly everybody writes it.
        if let Some(found) = self.names.get(name) {
            return Some(found);
        }
        let name = normal(name);
        // Some names do end so: they come first.
        self.names.get(&name).or_else(|| self.names.get(name.strip_suffix("_ssh")?))
    }

    /// Known names most like `name`, the likest first: at most three, of different platforms, or none.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Vec<&str> {
        if name.len() > MOST_NAME_BYTES {
            return Vec::new();
        }
        let wanted = normal(name);
        let mut found: Vec<(f64, &str)> = self
            .iter()
            .filter_map(|platform| {
                let names = std::iter::once(platform.name());
                let names = names.chain(platform.aliases().iter().map(String::as_str));
                names
                    .map(|known| (strsim::jaro_winkler(&wanted, known), known))
                    .max_by(|(a, _), (b, _)| a.total_cmp(b))
            })
            .filter(|(likeness, _)| *likeness >= LEAST_LIKENESS)
            .collect();
        found.sort_by(|(a, one), (b, other)| b.total_cmp(a).then_with(|| one.cmp(other)));
        found.into_iter().take(MOST_NEAREST).map(|(_, known)| known).collect()
    }

    /// Every platform, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Platform>> {
        self.platforms.values()
    }
}

fn normal(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

fn definitions_in(folder: &Path) -> Result<Vec<PathBuf>, DefinitionError> {
    let unreadable = |source| DefinitionError::Unreadable { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    // In one order everywhere, so that the same folder gives the same first fault.
    files.sort();
    Ok(files)
}
