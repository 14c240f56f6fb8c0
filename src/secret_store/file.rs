//! Files of one moment: what a secret store has changed in the middle of a reading is read again.
//!
//! Kubernetes changes all files of a secret at once, by turning a link (`..data`) to another folder; a key must not
//! meet the passphrase of the one before.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Read as _,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::{credential::Unavailable, secret::Secret};

/// More than any password or key has.
const MOST_BYTES: u64 = 64 * 1024;
/// How often files that change while they are read are read again.
const MOST_READINGS: usize = 5;

/// The texts of files, all of one moment.
pub(super) struct Snapshot(HashMap<PathBuf, Secret>);

/// What tells one state of a file from another.
#[derive(Eq, PartialEq)]
struct Stamp {
    // Links resolved.
    place: PathBuf,
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl Snapshot {
    /// Reads files.
    ///
    /// # Errors
    /// A file cannot be read, is too long, or does not come to rest.
    pub(super) fn of<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> Result<Self, Unavailable> {
        let paths: Vec<&PathBuf> = paths.collect();
        for _ in 0..MOST_READINGS {
            let before = stamps(&paths)?;
            let texts = paths.iter().map(|path| Ok(((*path).clone(), read(path)?)));
            let texts = texts.collect::<Result<_, Unavailable>>();
            if stamps(&paths)? == before {
                return Ok(Self(texts?));
            }
        }
        let place = paths.first().map(|path| path.display().to_string()).unwrap_or_default();
        Err(Unavailable::new("its files change while they are read", place))
    }

    /// The text of a file.
    pub(super) fn text(&self, path: &Path) -> Option<&Secret> {
        self.0.get(path)
    }
}

fn stamps(paths: &[&PathBuf]) -> Result<Vec<Stamp>, Unavailable> {
    let stamp = |path: &&PathBuf| {
        let place = fs::canonicalize(path)?;
        let of = fs::metadata(&place)?;
        let changed = (of.ctime(), of.ctime_nsec());
        Ok(Stamp { place, inode: of.ino(), length: of.len(), changed })
    };
    let stamp = |path: &&PathBuf| stamp(path).map_err(|error| fault(path, &error));
    paths.iter().map(stamp).collect()
}

pub(super) fn read(path: &Path) -> Result<Secret, Unavailable> {
    let mut bytes = Zeroizing::new(Vec::new());
    let file = File::open(path).map_err(|error| fault(path, &error))?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| fault(path, &error))?;
    let said = |what: &str| Unavailable::new(format!("a file of it {what}"), path.display());
    if bytes.len() as u64 > MOST_BYTES {
        return Err(said("is too long for a secret"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_raw| said("is no text"))?;
    Ok(Secret::new(text.to_owned()))
}

fn fault(path: &Path, error: &std::io::Error) -> Unavailable {
    let reason = format!("a file of it cannot be read: {}", error.kind());
    Unavailable::new(reason, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::fs::symlink,
        sync::atomic::{AtomicBool, Ordering},
    };

    use super::*;

    /// Turns `..data` to another folder, as Kubernetes does.
    fn turn(folder: &Path, to: &str) {
        fs::create_dir_all(folder.join(to)).unwrap();
        for name in ["key", "passphrase"] {
            fs::write(folder.join(to).join(name), to).unwrap();
        }
        let next = folder.join("..data_tmp");
        symlink(to, &next).unwrap();
        fs::rename(next, folder.join("..data")).unwrap();
    }

    #[test]
    fn a_folder_that_is_turned_is_read_anew_and_never_half() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        turn(folder, "..old");
        let paths = ["key", "passphrase"].map(|name| {
            symlink(format!("..data/{name}"), folder.join(name)).unwrap();
            folder.join(name)
        });
        let texts = || {
            let read = Snapshot::of(paths.iter()).ok()?;
            Some([0, 1].map(|index| read.text(&paths[index]).unwrap().expose().to_owned()))
        };
        assert_eq!(texts().unwrap(), ["..old", "..old"]);
        turn(folder, "..new");
        assert_eq!(texts().unwrap(), ["..new", "..new"]);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 0..1000 {
                    turn(folder, &format!("..{round}"));
                    let _ = fs::remove_dir_all(folder.join(format!("..{}", round - 2)));
                }
                is_over.store(true, Ordering::SeqCst);
            });
            while !is_over.load(Ordering::SeqCst) {
                // One that never came to rest says so.
                if let Some([key, passphrase]) = texts() {
                    assert_eq!(key, passphrase);
                }
            }
        });
        assert!(texts().is_some());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let paths = [PathBuf::from("/nowhere/password")];
        let said = Snapshot::of(paths.iter()).err().unwrap().to_string();
        assert_eq!(
            said,
            "a file of it cannot be read: entity not found: /nowhere/password: No such file or directory (os error 2)"
        );
    }
}
