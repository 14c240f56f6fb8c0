//! Secrets for the command line: from a file, the environment, or a prompt that shows nothing; never an argument, which
//! every user of the machine could read.

use std::{
    fs::{File, OpenOptions},
    io::{BufReader, ErrorKind, Read, Write as _},
    path::Path,
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::read_text;
use crate::secret::without_line_end;

/// Says that a text is Unicode, for those who do not see it.
const MARK: char = '\u{feff}';

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
    ask(what).map_err(|error| match error.kind() {
        ErrorKind::Interrupted => "given up".to_owned(),
        _ => format!("the terminal cannot be read: {error}"),
    })
}

/// The file's text without the line end behind it, and without the mark that some editors put before it.
fn of_file(path: &Path) -> Result<String, String> {
    let mut text = read_text(path)?;
    if text.starts_with(MARK) {
        text.remove(0);
    }
    text.truncate(without_line_end(&text).len());
    Ok(text)
}

/// Asks at the terminal that the program runs in, also where its input or output is a file.
fn ask(what: &str) -> std::io::Result<Option<String>> {
    let Ok(mut terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else {
        return Ok(None);
    };
    write!(terminal, "{what}: ")?;
    let silence = Silence::begin(terminal.try_clone()?)?;
    let line = read_line(&terminal);
    drop(silence);
    writeln!(terminal)?;
    line.map(Some)
}

/// Reads key by key: the terminal does nothing by itself while it is silent, so that Ctrl-C cannot leave it so.
fn read_line(terminal: impl Read) -> std::io::Result<String> {
    const CTRL_C: u8 = 3;
    const CTRL_D: u8 = 4;
    let mut line = Zeroizing::new(Vec::new());
    for key in BufReader::new(terminal).bytes() {
        match key? {
            b'\r' | b'\n' | CTRL_D => break,
            CTRL_C => return Err(ErrorKind::Interrupted.into()),
            8 | 127 => erase(&mut line),
            key => line.push(key),
        }
    }
    let text = std::str::from_utf8(&line).map_err(|_raw| ErrorKind::InvalidData)?;
    Ok(text.to_owned())
}

/// Takes the last character away, all bytes of it.
fn erase(line: &mut Vec<u8>) {
    while line.pop().is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {}
}

/// A terminal that shows nothing of what is typed and makes no signals of it, until this goes.
struct Silence {
    terminal: File,
    before: Termios,
}

impl Silence {
    fn begin(terminal: File) -> std::io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_a_line() {
        for (keys, want) in [
            ("pass\rmore", "pass"),
            ("pasx\u{7f}s\n", "pass"),
            ("pä\u{8}ass\u{4}", "pass"),
            ("\u{7f}\u{7f}p", "p"),
            ("", ""),
        ] {
            assert_eq!(read_line(keys.as_bytes()).unwrap(), want, "{keys:?}");
        }
        let given_up = read_line("pass\u{3}".as_bytes()).unwrap_err();
        assert_eq!(given_up.kind(), ErrorKind::Interrupted);
        assert!(read_line(&b"\xff\n"[..]).is_err());
    }
}
