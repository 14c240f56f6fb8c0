//! Files that the configuration names: where they are for a service, which has no home.

use std::path::{Path, PathBuf};

/// A file that the configuration names.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum FilePath {
    /// From the root.
    Absolute(PathBuf),
    /// From the folder of the configuration, which stands for `~/.ssh` too.
    Beside(PathBuf),
}

impl FilePath {
    /// # Errors
    /// The path depends on who the user is or on the host, which a service does not know when it reads the file.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let home = ["~/.ssh/", "%d/.ssh/"];
        let beside = home.into_iter().find_map(|home| text.strip_prefix(home));
        let path = beside.unwrap_or(text).replace("%%", "\0");
        if path.is_empty() {
            return Err("a path is missing".to_owned());
        }
        if path.starts_with('~') || path.contains('%') || path.contains("${") {
            return Err(format!(
                "`{}`: of what depends on the user or the host only `~/.ssh/` and `%d/.ssh/` are known, for the folder of this file",
                text.escape_debug()
            ));
        }
        let path = PathBuf::from(path.replace('\0', "%"));
        let is_beside = beside.is_some() || path.is_relative();
        Ok(if is_beside { Self::Beside(path) } else { Self::Absolute(path) })
    }

    /// The path, where the configuration is in `folder`.
    #[must_use]
    pub fn from(&self, folder: &Path) -> PathBuf {
        match self {
            Self::Absolute(path) => path.clone(),
            Self::Beside(path) => folder.join(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_absolute_or_from_the_folder_of_the_file() {
        for (text, want) in [
            ("/etc/ssh/key", Some("/etc/ssh/key")),
            ("keys/a", Some("/config/keys/a")),
            ("~/.ssh/id_rsa", Some("/config/id_rsa")),
            ("%d/.ssh/id_rsa", Some("/config/id_rsa")),
            ("/a/100%%/b", Some("/a/100%/b")),
            ("~/keys/a", None),
            ("~admin/.ssh/a", None),
            ("%d/keys", None),
            ("/keys/%h", None),
            ("${HOME}/a", None),
            ("~/.ssh/", None),
            ("", None),
        ] {
            let path = FilePath::parse(text).ok().map(|path| path.from(Path::new("/config")));
            assert_eq!(path, want.map(PathBuf::from), "{text}");
        }
    }
}
