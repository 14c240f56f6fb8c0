//! The operator's own folder of templates, read anew when it has changed.
//!
//! With an `index` in ntc-templates' form the index says what each template is for; without one the file's name does:
//! `cisco_ios_show_ip_route.textfsm`. A broken file is named and left out, and stops nothing.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use super::{
    index::{Index, PlatformName, Row},
    library::LibraryError,
};
use crate::textfsm::Template;

/// How long what was read is good without another look at the folder.
const FRESH: Duration = Duration::from_secs(1);
/// Larger files are no templates.
const MOST_BYTES: u64 = 1 << 20;

/// A file of the folder that cannot be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Broken {
    /// Its name in the folder.
    pub file: String,
    /// What is wrong, and in which line.
    pub error: String,
}

#[derive(Debug)]
pub(super) struct OwnTemplates {
    folder: PathBuf,
    state: Mutex<State>,
    /// Held while somebody looks at the folder and reads it; the others go on with what there is.
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct State {
    read: Arc<Read>,
    looked: Instant,
}

/// The folder as it was when it was looked at last.
#[derive(Debug)]
struct Seen {
    files: Fingerprint,
    can_be_read: bool,
}

/// Names of the folder's files, with size and time, or why they cannot be had.
type Fingerprint = BTreeMap<String, Result<(u64, Option<SystemTime>), String>>;

/// The folder as it was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) generation: u64,
    pub(super) index: Index,
    pub(super) texts: HashMap<String, String>,
    pub(super) broken: Vec<Broken>,
}

impl OwnTemplates {
    pub(super) fn open(folder: PathBuf) -> Result<Self, LibraryError> {
        let files = fingerprint(&folder).map_err(|source| LibraryError::Folder {
            folder: folder.display().to_string(),
            source,
        })?;
        let read = Arc::new(read(&folder, &files, 1));
        let state = Mutex::new(State { read, looked: Instant::now() });
        Ok(Self { folder, state, seen: Mutex::new(Seen { files, can_be_read: true }) })
    }

    /// The folder's templates as they were read last.
    pub(super) fn current(&self) -> Arc<Read> {
        Arc::clone(&lock(&self.state).read)
    }

    /// True if it is time to look at the folder again.
    pub(super) fn is_stale(&self) -> bool {
        lock(&self.state).looked.elapsed() >= FRESH
    }

    /// Looks at the folder if it is time to and nobody does. Takes its time if it has changed.
    pub(super) fn refresh(&self) {
        if self.is_stale()
            && let Ok(mut seen) = self.seen.try_lock()
        {
            self.look(&mut seen, false);
        }
    }

    /// Reads the folder now, changed or not.
    pub(super) fn reload(&self) {
        self.look(&mut lock(&self.seen), true);
    }

    /// A folder that cannot be read keeps what it had.
    fn look(&self, seen: &mut Seen, anyway: bool) {
        lock(&self.state).looked = Instant::now();
        let files = fingerprint(&self.folder);
        if let Err(error) = &files
            && seen.can_be_read
        {
            tracing::warn!(%error, "folder of own templates cannot be read; the old ones stay");
        }
        seen.can_be_read = files.is_ok();
        let Ok(files) = files else { return };
        if files == seen.files && !anyway {
            return;
        }
        let read = read(&self.folder, &files, self.current().generation + 1);
        for Broken { file, error } in &read.broken {
            tracing::warn!(template.file = file, error, "own template is broken");
        }
        tracing::info!(templates = read.texts.len(), "own templates read anew");
        lock(&self.state).read = Arc::new(read);
        seen.files = files;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fingerprint(folder: &Path) -> std::io::Result<Fingerprint> {
    let mut seen = Fingerprint::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "index" || name.ends_with(".textfsm") {
            // Through symbolic links: container orchestrators mount files by them.
            let about = match fs::metadata(entry.path()) {
                // Whoever opens a pipe waits for its other end.
                Ok(about) if !about.is_file() => Err("it is no file".to_owned()),
                Ok(about) => Ok((about.len(), about.modified().ok())),
                Err(error) => Err(error.to_string()),
            };
            seen.insert(name, about);
        }
    }
    Ok(seen)
}

fn read(folder: &Path, files: &Fingerprint, generation: u64) -> Read {
    let mut done = Read { generation, ..Read::default() };
    let mut index = None;
    for (name, about) in files {
        let text = match about {
            Err(error) => Err(error.clone()),
            Ok((bytes, _)) if *bytes > MOST_BYTES => {
                Err(format!("it is larger than {MOST_BYTES} bytes"))
            }
            Ok(_) => fs::read(folder.join(name)).map_err(|error| error.to_string()),
        };
        let text = text.and_then(|bytes| {
            String::from_utf8(bytes).map_err(|_other| "it is not UTF-8".to_owned())
        });
        let text = match text {
            Ok(text) if name == "index" => {
                index = Some(text);
                continue;
            }
            text => text,
        };
        let checked = text.and_then(|text| match Template::parse(&text) {
            Ok(_) => Ok(text),
            Err(error) => Err(error.to_string()),
        });
        match checked {
            Ok(text) => {
                done.texts.insert(name.clone(), text);
            }
            Err(error) => done.broken.push(Broken { file: name.clone(), error }),
        }
    }
    let mut rows_left_out = Vec::new();
    done.index = if let Some(text) = index {
        let (mut index, faults) = Index::parse(&text, generation);
        rows_left_out
            .extend(faults.into_iter().map(|(line, error)| format!("line {line}: {error}")));
        // A row whose template is missing or broken must not hide the library's.
        let is_there = |name: &String| done.texts.contains_key(name);
        for row in &index.rows {
            for name in row.templates.iter().filter(|name| !files.contains_key(*name)) {
                let why = if name.ends_with(".textfsm") {
                    "is not there"
                } else {
                    "is not read: its name must end in .textfsm"
                };
                rows_left_out.push(format!("the template {name} of `{}` {why}", row.command));
            }
        }
        index.rows.retain(|row| row.templates.iter().all(is_there));
        index.is_own = true;
        index
    } else {
        let mut names: Vec<_> = done.texts.keys().cloned().collect();
        // Longer names first: they say more.
        names.sort_by_key(|name| (std::cmp::Reverse(name.len()), name.clone()));
        let rows = names.iter().flat_map(|name| rows_of(name)).collect();
        Index { rows, id: generation, is_own: false }
    };
    let of_index = |error| Broken { file: "index".to_owned(), error };
    done.broken.extend(rows_left_out.into_iter().map(of_index));
    done
}

/// `cisco_ios_show_ip_route.textfsm`: a platform's name, then the command. Where the one ends and the other begins
/// shows when a platform is asked for: there is a row for every place.
fn rows_of(file: &str) -> Vec<Arc<Row>> {
    let escaped = |text: &str| {
        let letter =
            |c: char| if c.is_alphanumeric() || c == ' ' { vec![c] } else { vec!['\\', c] };
        text.chars().flat_map(letter).collect::<String>()
    };
    let name = file.strip_suffix(".textfsm").unwrap_or(file);
    name.match_indices('_')
        .filter_map(|(at, _)| {
            let (platform, command) = (name.get(..at)?, name.get(at + 1..)?.replace('_', " "));
            let platform = PlatformName::new(&escaped(platform)).ok()?;
            Row::new(file, platform, &escaped(&command)).ok().map(Arc::new)
        })
        .collect()
}
