//! What the settings name: definitions, keys, lists, certificates and templates, read; all that is wrong with it at once.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::StartError;
use crate::{
    access::Access,
    catalog::{Broken, Catalog},
    platform::{DefinitionError, Registry},
    settings::{Settings, variable},
    ssh_policy::SshPolicy,
    tls::Tls,
};

/// Links that are followed one after another.
const MOST_LINKS: usize = 40;

/// Everything, read.
pub(super) struct Named {
    pub(super) registry: Registry,
    pub(super) access: Access,
    pub(super) ssh: SshPolicy,
    pub(super) tls: Option<Tls>,
    pub(super) catalog: Catalog,
}

impl Named {
    /// # Errors
    /// Every file, folder or list that cannot be used.
    pub(super) fn read(settings: &Settings) -> Result<Self, StartError> {
        let mut faults = Faults::default();
        let definitions = faults.note(definitions(settings));
        let tls = faults.note(Tls::load(settings));
        let catalog = faults.note(templates(settings));
        let (Some((registry, access, ssh)), Some(tls), Some(catalog)) = (definitions, tls, catalog)
        else {
            return Err(faults.into());
        };
        Ok(Self { registry, access, ssh, tls, catalog })
    }
}

/// What the settings say about platforms, callers and SSH.
///
/// # Errors
/// A definition, a list or the file of keys is broken; all that are.
pub fn definitions(settings: &Settings) -> Result<(Registry, Access, SshPolicy), StartError> {
    let mut faults = Faults::default();
    let registry = faults.note(registry(settings));
    let access = faults.note(Access::load(settings, registry.as_ref()));
    let ssh = faults.note(settings.ssh_policy());
    let (Some(registry), Some(access), Some(ssh)) = (registry, access, ssh) else {
        return Err(faults.into());
    };
    for set in ssh.credentials.iter() {
        for key in set.scope.keys.iter().flatten().filter(|key| !access.knows(key)) {
            tracing::warn!(
                credential = set.name,
                key,
                "a credential set is for an API key that is not there"
            );
        }
    }
    Ok((registry, access, ssh))
}

fn registry(settings: &Settings) -> Result<Registry, DefinitionError> {
    let registry = Registry::embedded()?;
    match &settings.platforms_dir {
        Some(folder) => registry.with_folder(folder),
        None => Ok(registry),
    }
}

/// The library and the operator's own templates; what is broken among these is named and stops nothing.
///
/// # Errors
/// The packed library or the operator's folder cannot be read.
pub fn templates(settings: &Settings) -> Result<Catalog, StartError> {
    let catalog = Catalog::open(settings.templates_dir.clone())?;
    if let Some(library) = catalog.library() {
        let (name, version, n_templates) = (&library.name, &library.version, library.templates);
        tracing::info!(
            library.name = name,
            library.version = version,
            n_templates,
            "template library"
        );
    } else {
        tracing::warn!(
            "no template library is built in: run `make templates` and build again to have records parsed"
        );
    }
    for Broken { file, error } in catalog.broken() {
        tracing::warn!(template.file = file, error, "own template is broken");
    }
    if settings.templates_dir.is_some() {
        tracing::info!(n_templates = catalog.own_templates(), "own templates");
    }
    Ok(catalog)
}

/// Whether the files that the service would write have a folder to be in.
pub(super) fn check_written(settings: &Settings) -> Result<(), StartError> {
    let mut faults = Faults::default();
    if let (Some(log), Some(audit)) = (&settings.log_file, &settings.audit_file)
        && is_one_file(log, audit)
    {
        faults.0.push(StartError::OneFile);
    }
    for (name, file) in [("log_file", &settings.log_file), ("audit_file", &settings.audit_file)] {
        if let Some(path) = file.clone().filter(|path| path.is_dir()) {
            faults.0.push(StartError::NoFile { setting: variable(name), path });
        }
        let folder =
            file.as_deref().and_then(Path::parent).filter(|folder| *folder != Path::new(""));
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            let (setting, folder) = (variable(name), folder.to_owned());
            faults.0.push(StartError::NoFolder { setting, folder });
        }
    }
    if faults.0.is_empty() { Ok(()) } else { Err(faults.into()) }
}

/// True if two spellings, links among them, are one file, which need not be there yet.
fn is_one_file(one: &Path, other: &Path) -> bool {
    if let (Ok(one), Ok(other)) = (one.metadata(), other.metadata()) {
        return (one.dev(), one.ino()) == (other.dev(), other.ino());
    }
    place(one).is_some_and(|place_of_one| Some(place_of_one) == place(other))
}

/// Where a file that is opened by this path is or would be.
fn place(file: &Path) -> Option<PathBuf> {
    let mut file = file.to_owned();
    for _link in 0..MOST_LINKS {
        let folder = file.parent().filter(|folder| *folder != Path::new(""));
        let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
        file = folder.join(file.file_name()?);
        let Ok(target) = file.read_link() else { return Some(file) };
        file = folder.join(target);
    }
    None
}

/// What was wrong so far.
#[derive(Default)]
pub(super) struct Faults(Vec<StartError>);

impl Faults {
    /// The value; a fault is kept for the end.
    pub(super) fn note<T>(&mut self, read: Result<T, impl Into<StartError>>) -> Option<T> {
        read.map_err(|fault| self.0.push(fault.into())).ok()
    }
}

impl From<Faults> for StartError {
    fn from(Faults(faults): Faults) -> Self {
        Self::Several(faults)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn one_file_is_known_by_all_its_names_before_it_is_there_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("sub")).unwrap();
        symlink("new", path("link")).unwrap();
        symlink("../link", path("sub/link")).unwrap();
        symlink("loop", path("loop")).unwrap();
        fs::write(path("old"), "").unwrap();
        fs::hard_link(path("old"), path("hard")).unwrap();
        for (one, other, want) in [
            ("new", "new", true),
            ("new", "sub/../new", true),
            ("new", "link", true),
            ("link", "sub/link", true),
            ("new", "sub/new", false),
            ("new", "old", false),
            ("old", "hard", true),
            ("old", "sub/link", false),
            ("loop", "loop", false),
        ] {
            assert_eq!(is_one_file(&path(one), &path(other)), want, "{one} {other}");
        }
    }
}
