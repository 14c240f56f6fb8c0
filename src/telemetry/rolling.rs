//! A file that begins anew when it is too large or too old: `name`, `name.1`, `name.2` … the older, the higher.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::settings::Rotation;

/// A file that is being written, with its elder ones beside it.
pub struct RollingFile {
    path: PathBuf,
    rotation: Rotation,
    /// Elder files that are kept.
    retention: usize,
    file: File,
    bytes: u64,
    period: Option<u64>,
}

impl RollingFile {
    /// Opens the file and goes on behind what is in it.
    ///
    /// # Errors
    /// It cannot be opened for writing.
    pub fn open(path: &Path, rotation: Rotation, retention: usize) -> io::Result<Self> {
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let file = open(path).map_err(named)?;
        let metadata = file.metadata().map_err(named)?;
        let begun = if metadata.len() == 0 { SystemTime::now() } else { metadata.modified()? };
        Ok(Self {
            path: path.to_owned(),
            rotation,
            retention,
            file,
            bytes: metadata.len(),
            period: period(rotation, begun),
        })
    }

    fn is_due(&self, next_bytes: usize, now: SystemTime) -> bool {
        match self.rotation {
            Rotation::Off => false,
            Rotation::Bytes(most) => {
                self.bytes > 0 && self.bytes.saturating_add(next_bytes as u64) > most
            }
            Rotation::Hourly | Rotation::Daily => {
                self.bytes > 0 && self.period != period(self.rotation, now)
            }
        }
    }

    /// How many bytes more the file may have.
    fn room(&self) -> usize {
        match self.rotation {
            Rotation::Bytes(most) => {
                usize::try_from(most.saturating_sub(self.bytes)).unwrap_or(usize::MAX)
            }
            Rotation::Off | Rotation::Hourly | Rotation::Daily => usize::MAX,
        }
    }

    fn roll(&mut self, now: SystemTime) -> io::Result<()> {
        self.file.flush()?;
        for age in (1..self.retention).rev() {
            let (from, to) = (self.elder(age), self.elder(age + 1));
            if from.exists() {
                std::fs::rename(from, to)?;
            }
        }
        std::fs::rename(&self.path, self.elder(1))?;
        self.file = open(&self.path)?;
        self.bytes = 0;
        self.period = period(self.rotation, now);
        Ok(())
    }

    fn elder(&self, age: usize) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{age}"));
        name.into()
    }
}

impl Write for RollingFile {
    /// Takes as many whole lines as the file has room for, one at the least.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let now = SystemTime::now();
        let first = memchr::memchr(b'\n', lines).map_or(lines.len(), |end| end + 1);
        if self.is_due(first, now) {
            // A folder that cannot be renamed in is no reason to lose lines: the file grows on.
            let _ = self.roll(now);
        }
        let fitting = lines.get(..self.room()).unwrap_or(lines);
        let length = match memchr::memrchr(b'\n', fitting) {
            _ if fitting.len() == lines.len() => lines.len(),
            Some(end) => end + 1,
            None => first,
        };
        self.file.write_all(lines.get(..length).unwrap_or_default())?;
        self.bytes += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o640).open(path)
}

/// Which hour or day since 1970 (UTC) a moment is in.
fn period(rotation: Rotation, at: SystemTime) -> Option<u64> {
    let seconds = match rotation {
        Rotation::Hourly => 60 * 60,
        Rotation::Daily => 24 * 60 * 60,
        Rotation::Off | Rotation::Bytes(_) => return None,
    };
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Some(since.as_secs() / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_that_is_full_begins_anew_and_the_oldest_go() {
        // One line at a time, and all that were waiting.
        for at_once in [1, 7, 50] {
            fill_and_look(at_once);
        }
    }

    fn fill_and_look(at_once: usize) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let mut file = RollingFile::open(&path, Rotation::Bytes(100), 3).unwrap();
        let lines: Vec<_> = (0..50).map(|number| format!("line {number:02} 123456789\n")).collect();
        for lines in lines.chunks(at_once) {
            file.write_all(lines.concat().as_bytes()).unwrap();
        }
        assert_eq!(names(folder.path()), ["a.log", "a.log.1", "a.log.2", "a.log.3"]);
        let text = ["a.log.3", "a.log.2", "a.log.1", "a.log"]
            .map(|name| std::fs::read_to_string(folder.path().join(name)).unwrap())
            .concat();
        let lines: Vec<_> = text.lines().collect();
        assert!(text.len() <= 400 && lines.last().unwrap().starts_with("line 49"), "{text}");
        // Nothing is missing between the oldest that is kept and the newest.
        let first: usize = lines[0].split(' ').nth(1).unwrap().parse().unwrap();
        assert_eq!(lines.len(), 50 - first);
    }

    #[test]
    fn a_file_goes_on_after_a_restart_and_begins_anew_in_another_hour() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        std::fs::write(&path, "before\n").unwrap();
        let mut file = RollingFile::open(&path, Rotation::Hourly, 2).unwrap();
        file.write_all(b"same hour\n").unwrap();
        assert_eq!(names(folder.path()), ["a.log"]);
        file.period = file.period.map(|hour| hour - 1);
        file.write_all(b"next hour\n").unwrap();
        assert_eq!(names(folder.path()), ["a.log", "a.log.1"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "next hour\n");
        let elder = std::fs::read_to_string(folder.path().join("a.log.1")).unwrap();
        assert_eq!(elder, "before\nsame hour\n");
    }
}
