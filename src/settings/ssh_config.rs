//! Reads an OpenSSH client configuration with the files that it includes and names.
//!
//! A key that cannot be read costs those who need it; host keys that cannot be read cost the start, because nobody
//! would notice that they are not compared.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::SshFileError;
use crate::{
    host_key::KnownHosts,
    host_pattern::covers_as_written,
    secret::Secret,
    ssh_config::{FilePath, SshConfig},
    ssh_policy::Configured,
};

/// Files of one folder that an `Include` may mean.
const MOST_INCLUDED: usize = 1000;

/// Reads the file; relative paths and `~/.ssh/` are from its own folder.
pub(super) fn read(path: &Path) -> Result<Configured, SshFileError> {
    let failed = |path: &Path, reason: String| SshFileError {
        setting: "SSH_CONFIG",
        path: path.to_owned(),
        reason,
    };
    let text = fs::read_to_string(path).map_err(|error| failed(path, error.to_string()))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut include = |pattern: &FilePath| included(&pattern.from(folder));
    let config = SshConfig::parse(path, &text, &mut include)
        .map_err(|error| failed(&error.file, error.to_string()))?;
    let mut known_hosts = HashMap::new();
    for named in config.known_hosts_files() {
        let path = named.from(folder);
        let text = fs::read_to_string(&path).map_err(|error| failed(&path, error.to_string()))?;
        let read = KnownHosts::parse(&text).map_err(|error| failed(&path, error.to_string()))?;
        known_hosts.insert(named.clone(), Arc::new(read));
    }
    let key = |named: &FilePath| {
        let path = named.from(folder);
        let text = fs::read_to_string(&path).map(Secret::new);
        (named.clone(), text.map_err(|error| format!("{}: {error}", path.display())))
    };
    let keys = config.identity_files().map(key).collect();
    Ok(Configured {
        config: Arc::new(config),
        keys: Arc::new(keys),
        known_hosts: Arc::new(known_hosts),
        ..Configured::default()
    })
}

/// The files that a path means, whose last part may have `*` and `?`, in the order of their names.
fn included(pattern: &Path) -> Result<Vec<(PathBuf, String)>, String> {
    let name = pattern.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let folder = pattern.parent().unwrap_or(Path::new("."));
    if folder.to_string_lossy().contains(['*', '?', '[']) || name.contains('[') {
        return Err("Include: `*` and `?` are known in a file's name, and nothing else".to_owned());
    }
    let files = if name.contains(['*', '?']) {
        in_folder(folder, name).map_err(|error| format!("{}: {error}", folder.display()))?
    } else {
        vec![pattern.to_owned()]
    };
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path);
        let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok((path, text))
    };
    files.into_iter().map(read).collect()
}

fn in_folder(folder: &Path, pattern: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_hidden = name.starts_with('.') && !pattern.starts_with('.');
        if covers_as_written(pattern, name) && !is_hidden && entry.path().is_file() {
            found.push(entry.path());
        }
        if found.len() > MOST_INCLUDED {
            return Err(std::io::Error::other(format!("more than {MOST_INCLUDED} files")));
        }
    }
    found.sort();
    Ok(found)
}
