//! The line editor of a simulated device: takes keys, keeps the line, and echoes what was typed.
//!
//! How a line is echoed that is longer than the terminal is wide differs most between devices.

use super::persona::LongLines;

/// How far a line moves to the left when it reaches the right edge.
const SCROLL_STEP: usize = 10;

/// What a key did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Key {
    /// The line is done.
    Enter(Vec<u8>),
    /// The line was given up.
    Abort,
    /// Help was asked for; the line stays.
    Help,
    Other,
}

/// How typed bytes are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Echo {
    Hidden,
    /// Byte by byte as they come.
    Plain,
    /// Prompt and line anew behind everything that was typed.
    Redrawn,
    /// As plain, with a line end every so many bytes, wherever the terminal ends.
    Pieces(usize),
}

#[derive(Debug)]
pub(super) struct Editor {
    pub(super) echo: Echo,
    pub(super) long_lines: LongLines,
    /// 0: nothing is ever broken.
    pub(super) columns: usize,
    /// A question mark asks for help.
    pub(super) help_key: bool,
    line: Vec<u8>,
    prompt: String,
    column: usize,
    /// The first byte of the line that is shown, where long lines scroll.
    left: usize,
    last_was_cr: bool,
    dirty: bool,
}

impl Editor {
    pub(super) fn new() -> Self {
        Self {
            echo: Echo::Plain,
            long_lines: LongLines::Break,
            columns: 0,
            help_key: false,
            line: Vec::new(),
            prompt: String::new(),
            column: 0,
            left: 0,
            last_was_cr: false,
            dirty: false,
        }
    }

    /// A new line begins behind `prompt`.
    pub(super) fn begin(&mut self, prompt: &str) {
        prompt.clone_into(&mut self.prompt);
        self.restart();
    }

    /// The line so far.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    /// Bytes that nobody reads as a line, such as a key for the pager: only their line ends are noted.
    ///
    /// False for the second byte of a line end, which is no key of its own.
    pub(super) fn is_key(&mut self, byte: u8) -> bool {
        let second = byte == b'\n' && self.last_was_cr;
        self.last_was_cr = byte == b'\r';
        !second
    }

    /// Takes a byte and shows its echo.
    pub(super) fn key(&mut self, byte: u8, shown: &mut Vec<u8>) -> Key {
        match byte {
            b'\r' | b'\n' => {
                self.redraw_if_dirty(shown);
                let line = std::mem::take(&mut self.line);
                self.restart();
                Key::Enter(line)
            }
            // Ctrl-C and Ctrl-Z.
            0x03 | 0x1a => {
                self.line.clear();
                self.restart();
                Key::Abort
            }
            0x08 | 0x7f => {
                if self.line.pop().is_some() && self.echo != Echo::Hidden {
                    shown.extend_from_slice(b"\x08 \x08");
                    self.column = self.column.saturating_sub(1);
                }
                Key::Other
            }
            // Ctrl-U.
            0x15 => {
                if self.echo != Echo::Hidden {
                    shown.extend(std::iter::repeat_n(*b"\x08 \x08", self.line.len()).flatten());
                }
                self.line.clear();
                Key::Other
            }
            b'?' if self.help_key => Key::Help,
            0x20..=0x7e | 0x80.. => {
                self.line.push(byte);
                self.show(byte, shown);
                Key::Other
            }
            _ => Key::Other,
        }
    }

    /// Everything that had come was taken: a device that redraws its line does so now.
    pub(super) fn redraw_if_dirty(&mut self, shown: &mut Vec<u8>) {
        if std::mem::take(&mut self.dirty) {
            shown.extend_from_slice(b"\r\x1b[K");
            shown.extend_from_slice(self.prompt.as_bytes());
            shown.extend_from_slice(&self.line);
        }
    }

    fn restart(&mut self) {
        self.column = self.prompt.chars().count();
        self.left = 0;
        self.dirty = false;
        self.line.clear();
    }

    fn show(&mut self, byte: u8, shown: &mut Vec<u8>) {
        match self.echo {
            Echo::Hidden => {}
            Echo::Redrawn => self.dirty = true,
            Echo::Pieces(length) => {
                shown.push(byte);
                if self.line.len().is_multiple_of(length) {
                    shown.extend_from_slice(b"\r\n");
                }
            }
            Echo::Plain => {
                if self.long_lines == LongLines::Scroll
                    && self.columns > 0
                    && self.column + 1 >= self.columns
                {
                    self.scroll(shown);
                    return;
                }
                shown.push(byte);
                self.column += 1;
                if self.columns > 0 && self.column >= self.columns {
                    match self.long_lines {
                        LongLines::Break => shown.extend_from_slice(b"\r\n"),
                        LongLines::BlankReturn => shown.extend_from_slice(b" \r"),
                        LongLines::Scroll => {}
                    }
                    self.column = 0;
                }
            }
        }
    }

    /// Moves the line to the left: a `$` says that its beginning is hidden.
    fn scroll(&mut self, shown: &mut Vec<u8>) {
        let on_screen = self.column - self.prompt.chars().count();
        self.left += SCROLL_STEP;
        let rest = self.line.get(self.left..).unwrap_or_default();
        let drawn = rest.len() + 1;
        let blanks = on_screen.saturating_sub(drawn);
        shown.extend(std::iter::repeat_n(0x08, on_screen));
        shown.push(b'$');
        shown.extend_from_slice(rest);
        shown.extend(std::iter::repeat_n(b' ', blanks));
        shown.extend(std::iter::repeat_n(0x08, blanks));
        self.column = self.prompt.chars().count() + drawn;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(editor: &mut Editor, text: &str) -> String {
        let mut shown = Vec::new();
        editor.begin("r1#");
        for byte in text.bytes() {
            editor.key(byte, &mut shown);
        }
        editor.redraw_if_dirty(&mut shown);
        String::from_utf8(shown).unwrap()
    }

    #[test]
    fn each_kind_of_echo_shows_what_its_devices_show() {
        let cases: [(&str, Echo, LongLines, usize, &str, &str); 8] = [
            ("plain", Echo::Plain, LongLines::Break, 0, "show version", "show version"),
            ("hidden", Echo::Hidden, LongLines::Break, 0, "secret", ""),
            ("in pieces", Echo::Pieces(4), LongLines::Break, 0, "show ver", "show\r\n ver\r\n"),
            ("broken", Echo::Plain, LongLines::Break, 8, "show version", "show \r\nversion"),
            ("blank and return", Echo::Plain, LongLines::BlankReturn, 8, "show ver", "show  \rver"),
            ("redrawn", Echo::Redrawn, LongLines::Break, 0, "show", "\r\x1b[Kr1#show"),
            (
                "corrected",
                Echo::Plain,
                LongLines::Break,
                0,
                "sgo\x7f\x7fhow",
                "sgo\x08 \x08\x08 \x08how",
            ),
            (
                "scrolled",
                Echo::Plain,
                LongLines::Scroll,
                20,
                "show interfaces st",
                "show interfaces \x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08$faces s        \x08\x08\x08\x08\x08\x08\x08\x08t",
            ),
        ];
        for (name, echo, long_lines, columns, text, want) in cases {
            let mut editor = Editor { echo, long_lines, columns, ..Editor::new() };
            let shown = typed(&mut editor, text);
            assert_eq!(shown, want, "{name}");
        }
    }

    #[test]
    fn a_line_ends_at_cr_at_lf_and_once_at_both() {
        for ends in ["show\r", "show\n", "show\r\n"] {
            let mut editor = Editor::new();
            let mut shown = Vec::new();
            let lines: Vec<Key> = ends
                .bytes()
                .filter(|byte| editor.is_key(*byte))
                .collect::<Vec<_>>()
                .into_iter()
                .map(|byte| editor.key(byte, &mut shown))
                .filter(|key| matches!(key, Key::Enter(_)))
                .collect();
            assert_eq!(lines, [Key::Enter(b"show".to_vec())], "{ends:?}");
        }
    }
}
