//! A file that begins anew when it is too large or too old: `name`, `name.1`, `name.2` … the older, the higher.
//!
//! Somebody else may rename or delete it at any time: lines go to the file that has the name now. What does not fit on
//! the disk leaves no half of a line behind.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::Errno,
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
    /// It cannot be opened for writing, or is a pipe that nobody reads.
    pub fn open(path: &Path, rotation: Rotation, retention: usize) -> io::Result<Self> {
        let file = open(path)?;
        let metadata = file.metadata()?;
        // Pipes and devices have neither a size nor a successor.
        let rotation = if metadata.is_file() { rotation } else { Rotation::Off };
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
        // More of them were kept under another setting.
        let surplus = (self.retention + 1..).map(|age| self.elder(age));
        surplus.take_while(|elder| std::fs::remove_file(elder).is_ok()).for_each(drop);
        self.begin(now)
    }

    /// Goes on in the file that has the name, which may be a new one.
    fn begin(&mut self, now: SystemTime) -> io::Result<()> {
        self.file = open(&self.path)?;
        self.bytes = self.file.metadata()?.len();
        self.period = period(self.rotation, now);
        Ok(())
    }

    /// True if the file still has its name.
    fn has_its_name(&self) -> io::Result<bool> {
        let own = self.file.metadata()?;
        let is_own =
            |named: std::fs::Metadata| (named.dev(), named.ino()) == (own.dev(), own.ino());
        Ok(std::fs::metadata(&self.path).is_ok_and(is_own))
    }

    /// Writes whole lines, or nothing of the last one.
    fn put(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut rest = lines;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => rest = rest.get(length..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.take_back((lines.len() - rest.len()) as u64);
                    return Err(error);
                }
            }
        }
        self.bytes += lines.len() as u64;
        Ok(())
    }

    /// Cuts off what was written of lines that did not fit, unless somebody else has written behind it.
    fn take_back(&mut self, written: u64) {
        let is_last =
            |file: &File| file.metadata().is_ok_and(|now| now.len() == self.bytes + written);
        if written > 0 && is_last(&self.file) {
            let _ = self.file.set_len(self.bytes);
        }
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
        if !self.has_its_name()? {
            self.begin(now)?;
        }
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
        self.put(lines.get(..length).unwrap_or_default())?;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn open(path: &Path) -> io::Result<File> {
    let named = |error: io::Error| {
        let nobody_reads = error.raw_os_error() == Some(Errno::NXIO.raw_os_error());
        let reason = if nobody_reads { "nobody reads it".to_owned() } else { error.to_string() };
        io::Error::new(error.kind(), format!("{}: {reason}", path.display()))
    };
    // A pipe that nobody reads would otherwise hold the program up here, without a word.
    let at_once = OFlags::NONBLOCK.bits().cast_signed();
    let mut options = OpenOptions::new();
    let file = options.create(true).append(true).mode(0o640).custom_flags(at_once).open(path);
    let file = file.map_err(named)?;
    let flags = fcntl_getfl(&file)?;
    fcntl_setfl(&file, flags.difference(OFlags::NONBLOCK))?;
    Ok(file)
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
    fn a_file_that_was_deleted_or_renamed_is_there_again_with_the_next_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let mut file = RollingFile::open(&path, Rotation::Bytes(20), 2).unwrap();
        file.write_all(b"first 123456789\n").unwrap();
        std::fs::remove_file(&path).unwrap();
        // In the new file there is room for it.
        file.write_all(b"second 12345\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "second 12345\n");
        std::fs::rename(&path, folder.path().join("by-another")).unwrap();
        file.write_all(b"third 1234567\n").unwrap();
        assert_eq!(names(folder.path()), ["a.log", "by-another"]);
        file.write_all(b"fourth 123456\n").unwrap();
        assert_eq!(names(folder.path()), ["a.log", "a.log.1", "by-another"]);
        drop(folder);
        let gone = file.write_all(b"lost\n").unwrap_err();
        assert!(gone.to_string().contains("a.log"), "{gone}");
    }

    #[test]
    fn files_beyond_the_number_that_is_kept_now_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        for age in 1..=5 {
            std::fs::write(folder.path().join(format!("a.log.{age}")), "elder\n").unwrap();
        }
        let mut file = RollingFile::open(&path, Rotation::Bytes(10), 2).unwrap();
        file.write_all(b"12345678\n12345678\n").unwrap();
        assert_eq!(names(folder.path()), ["a.log", "a.log.1", "a.log.2"]);
    }

    #[test]
    fn half_a_line_is_taken_back_unless_somebody_has_written_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let mut file = RollingFile::open(&path, Rotation::Off, 1).unwrap();
        file.write_all(b"first\n").unwrap();
        // As far as a full disk lets it come.
        file.file.write_all(b"seco").unwrap();
        file.take_back(4);
        file.write_all(b"third\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first\nthird\n");
        file.file.write_all(b"four").unwrap();
        open(&path).unwrap().write_all(b"another's\n").unwrap();
        file.take_back(4);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "first\nthird\nfouranother's\n");
    }

    #[test]
    fn a_pipe_that_nobody_reads_is_named_and_one_that_is_read_gets_its_lines() {
        use std::io::Read as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let open = || RollingFile::open(&path, Rotation::Bytes(100), 1);
        let refused = open().map(drop).unwrap_err();
        assert!(refused.to_string().ends_with("pipe: nobody reads it"), "{refused}");
        let text = vec![b'x'; 200_000];
        let reader = std::thread::spawn({
            let path = path.clone();
            move || {
                let mut read = Vec::new();
                File::open(path).unwrap().read_to_end(&mut read).unwrap();
                read.len()
            }
        });
        // The reader may not be there yet.
        let mut opened = open();
        for _ in 0..1000 {
            if opened.is_ok() {
                break;
            }
            std::thread::park_timeout(Duration::from_millis(10));
            opened = open();
        }
        let mut file = opened.unwrap();
        // More than a pipe holds: it is waited for.
        file.write_all(&text).unwrap();
        drop(file);
        assert_eq!(reader.join().unwrap(), text.len());
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
