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
}

#[derive(Debug)]
struct State {
    read: Arc<Read>,
    looked: Instant,
    seen: Fingerprint,
}

/// Names, sizes and times of the folder's files.
type Fingerprint = BTreeMap<String, (u64, Option<SystemTime>)>;

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
        let seen = fingerprint(&folder).map_err(|source| LibraryError::Folder {
            folder: folder.display().to_string(),
            source,
        })?;
        let read = Arc::new(read(&folder, &seen, 1));
        Ok(Self { folder, state: Mutex::new(State { read, looked: Instant::now(), seen }) })
    }

    /// The folder's templates as they are now. A folder that cannot be read keeps what it had.
    pub(super) fn current(&self) -> Arc<Read> {
        let mut state = self.lock();
        if state.looked.elapsed() >= FRESH {
            self.look(&mut state);
        }
        Arc::clone(&state.read)
    }

    /// Looks at the folder now.
    pub(super) fn reload(&self) {
        self.look(&mut self.lock());
    }

    fn look(&self, state: &mut State) {
        state.looked = Instant::now();
        let Ok(seen) = fingerprint(&self.folder) else { return };
        if seen == state.seen {
            return;
        }
        let read = read(&self.folder, &seen, state.read.generation + 1);
        for Broken { file, error } in &read.broken {
            tracing::warn!(template.file = file, error, "own template is broken");
        }
        tracing::info!(templates = read.texts.len(), "own templates read anew");
        state.read = Arc::new(read);
        state.seen = seen;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fingerprint(folder: &Path) -> std::io::Result<Fingerprint> {
    let mut seen = Fingerprint::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "index" || name.ends_with(".textfsm") {
            // Through symbolic links: container orchestrators mount files by them.
            let about = fs::metadata(entry.path())?;
            seen.insert(name, (about.len(), about.modified().ok()));
        }
    }
    Ok(seen)
}

fn read(folder: &Path, files: &Fingerprint, generation: u64) -> Read {
    let mut done = Read { generation, ..Read::default() };
    let mut index = None;
    for (name, (bytes, _)) in files {
        let text = if *bytes > MOST_BYTES {
            Err(format!("it is larger than {MOST_BYTES} bytes"))
        } else {
            fs::read(folder.join(name)).map_err(|error| error.to_string())
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
    let mut broken_row = |line: usize, error: String| {
        let error = format!("line {line}: {error}");
        done.broken.push(Broken { file: "index".to_owned(), error });
    };
    done.index = if let Some(text) = index {
        let (mut index, faults) = Index::parse(&text, generation);
        for (line, error) in faults {
            broken_row(line, error);
        }
        // A row whose template is missing or broken must not hide the library's.
        index.rows.retain(|row| row.templates.iter().all(|name| done.texts.contains_key(name)));
        index
    } else {
        let mut names: Vec<_> = done.texts.keys().cloned().collect();
        // Longer names first: they say more.
        names.sort_by_key(|name| (std::cmp::Reverse(name.len()), name.clone()));
        Index { rows: names.iter().flat_map(|name| rows_of(name)).collect(), id: generation }
    };
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
