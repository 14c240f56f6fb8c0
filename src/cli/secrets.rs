//! Secrets for the command line: from a file, the environment, or a prompt that shows nothing; never an argument, which
//! every user of the machine could read.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::read_text;

/// Looks in `file`, then in the variable, then asks at the terminal; `None` if there is no terminal to ask at.
///
/// # Errors
/// The file or the terminal cannot be read.
pub(super) fn find(
    what: &str,
    file: Option<&Path>,
    variable: &str,
) -> Result<Option<String>, String> {
    if let Some(path) = file {
        return of_file(path).map(Some);
    }
    if let Some(value) = std::env::var_os(variable) {
        return value.into_string().map(Some).map_err(|_raw| format!("{variable} is no text"));
    }
    ask(what).map_err(|error| format!("the terminal cannot be read: {error}"))
}

/// The file's text without the line end behind it.
fn of_file(path: &Path) -> Result<String, String> {
    let mut text = read_text(path)?;
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    Ok(text)
}

/// Asks at the terminal that the program runs in, also where its input or output is a file.
fn ask(what: &str) -> std::io::Result<Option<String>> {
    let Ok(mut terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else {
        return Ok(None);
    };
    write!(terminal, "{what}: ")?;
    let silence = Silence::begin(terminal.try_clone()?)?;
    let mut line = String::new();
    BufReader::new(&terminal).read_line(&mut line)?;
    drop(silence);
    writeln!(terminal)?;
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(Some(line))
}

/// A terminal that does not show what is typed, until this goes.
struct Silence {
    terminal: File,
    before: Termios,
}

impl Silence {
    fn begin(terminal: File) -> std::io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // The terminal is gone if this fails.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}
