//! A one-line terminal: turns the bytes of a device's screen into plain lines of text.
//!
//! Devices redraw the line they are on (prompts, pagers, long commands); they never rewrite a line that is
//! finished. So one editable line is enough: line feeds finish it, everything else edits it in place.
//!
//! Not here: what a prompt is (`platform`) and which lines belong to which command (`ssh::dialogue`).

use std::{borrow::Cow, mem::take};

use super::places::are_plain_lines;

/// The terminal's width, as devices are told it. No sequence of theirs moves further to the right.
pub const COLUMNS: u16 = 511;
/// A cell that a device blanked out after writing it. NUL never comes in as text, so it is free to mean this.
const BLANKED: u8 = 0;
/// Longest escape sequence that is believed; a longer one is given up on, so that no text is swallowed.
const MAX_ESCAPE_BYTES: usize = 64;
/// Bytes looked at together.
const BLOCK_BYTES: usize = 16;
/// Longer lines are neither prompts nor questions, and are not edited.
const MAX_PROMPT_BYTES: usize = 4096;

/// The terminal's state between two reads. Feeding the same bytes in any chunks gives the same lines.
#[derive(Debug)]
pub struct Terminal {
    most_line_bytes: usize,
    line: Vec<u8>,
    cursor: usize,
    escape: Escape,
    pager: Option<Pager>,
    /// The device has asked where the cursor is.
    is_asked: bool,
}

#[derive(Debug, Default)]
enum Escape {
    #[default]
    None,
    /// ESC was seen.
    Started,
    /// ESC and an intermediate byte such as `(`: one more byte follows.
    Charset,
    /// ESC [ and its parameters so far.
    Csi(Vec<u8>),
    /// ESC ] … until BEL or ESC \; counts its bytes, remembers an ESC.
    Osc { seen: usize, escaped: bool },
}

/// An answered pager marker on the current line: what stood there, and whether the device has wiped it.
#[derive(Debug)]
struct Pager {
    start: usize,
    marker: Vec<u8>,
    /// What the key shows if it is echoed.
    key: Vec<u8>,
    /// Blanks and the key's echo that came right behind the marker.
    behind: Vec<u8>,
    /// How many bytes of the key are among them.
    echoed: usize,
    /// A line end right behind the marker is the device's answer to the key.
    ends_line: bool,
    /// The cursor has been back at the marker's first cell.
    returned: bool,
    /// Blanks were written over the marker, or it was erased.
    wiped: bool,
}

impl Terminal {
    /// An empty screen. Lines over `most_line_bytes` lose their end.
    #[must_use]
    pub fn new(most_line_bytes: usize) -> Self {
        Self {
            most_line_bytes,
            line: Vec::new(),
            cursor: 0,
            escape: Escape::None,
            pager: None,
            is_asked: false,
        }
    }

    /// Takes bytes as the device sent them and hands every finished line, without its line end, to `finished`.
    pub fn feed(&mut self, bytes: &[u8], mut finished: impl FnMut(&[u8])) {
        let mut rest = bytes;
        let mut is_new_line = true;
        while let Some((&byte, after)) = rest.split_first() {
            self.is_asked = false;
            if take(&mut is_new_line)
                && let Some((line, after)) = self.whole_line(rest)
            {
                finished(line);
                rest = after;
                is_new_line = true;
                continue;
            }
            if matches!(self.escape, Escape::None) {
                let plain = plain_length(rest);
                if plain > 0 {
                    let (text, after) = rest.split_at(plain);
                    self.print(text);
                    rest = after;
                    continue;
                }
            }
            rest = after;
            if self.control(byte) {
                if self.close_line() {
                    finished(&self.line);
                }
                self.line.clear();
                self.cursor = 0;
                self.pager = None;
                is_new_line = true;
            }
        }
    }

    /// Takes the whole lines of `bytes`, up to the last line end, if they are plain text with CR LF behind each, as in most
    /// outputs; otherwise none. To feed them would come to the same and take longer. On a line that is begun there are none.
    pub fn plain_lines<'b>(&mut self, bytes: &'b [u8]) -> &'b str {
        let end = memchr::memrchr(b'\n', bytes).map_or(0, |last| last + 1);
        let lines = bytes.get(..end).unwrap_or_default();
        if !self.is_blank() || !are_plain_lines(lines) {
            return "";
        }
        let Ok(lines) = str::from_utf8(lines) else { return "" };
        self.is_asked = false;
        lines
    }

    /// True if nothing stands on the line, and nothing is known of it.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        let is_empty = self.line.is_empty() && self.cursor == 0 && self.pager.is_none();
        is_empty && matches!(self.escape, Escape::None)
    }

    /// Most lines: plain text from the first cell to the line end, and what comes behind it.
    fn whole_line<'b>(&self, bytes: &'b [u8]) -> Option<(&'b [u8], &'b [u8])> {
        if !self.is_blank() {
            return None;
        }
        let (line, after) = bytes.split_at_checked(memchr::memchr(b'\n', bytes)?)?;
        let returns = line.iter().rev().take_while(|byte| **byte == b'\r').count();
        let text = line.get(..line.len() - returns)?;
        let is_plain = text.len() <= self.most_line_bytes && !has_control(text);
        is_plain.then_some((text, after.get(1..)?))
    }

    /// The line that is not finished yet, as it would stand on the screen.
    #[must_use]
    pub fn tail(&self) -> Cow<'_, str> {
        let text = String::from_utf8_lossy(visible(&self.line));
        if text.contains('\0') { text.replace('\0', " ").into() } else { text }
    }

    /// True if the last thing that came is a question where the cursor is, on an empty line: what draws a prompt asks there. In
    /// an output it would be somebody's text.
    #[must_use]
    pub fn asks_for_cursor(&self) -> bool {
        self.is_asked && self.line.is_empty()
    }

    /// The tail if it is short enough to be a prompt, a pager or a question.
    #[must_use]
    pub fn short_tail(&self) -> Option<Cow<'_, str>> {
        (self.line.len() <= MAX_PROMPT_BYTES).then(|| self.tail())
    }

    /// True if the current line holds nothing.
    #[must_use]
    pub fn tail_is_empty(&self) -> bool {
        visible(&self.line).is_empty()
    }

    /// Says that the text from byte `start` of the tail is a pager marker that is being answered with `key`: it is no
    /// output.
    ///
    /// The device wipes a marker before it goes on. If the line ends without that, the text was output after all and
    /// is kept, unless the key was echoed behind it, or `ends_line` says that this is how the device answers: such a
    /// line is none of the output.
    pub fn pager_answered(&mut self, start: usize, key: &str, ends_line: bool) {
        let start = start.min(self.line.len());
        // Blanks before a marker are part of it (` --More-- `), unless text stands before them.
        let start = match self.line.get(..start) {
            Some(before) if before.iter().all(|b| matches!(*b, b' ' | BLANKED)) => 0,
            _ => start,
        };
        let marker = self.line.get(start..).unwrap_or_default().to_vec();
        for cell in self.line.iter_mut().skip(start) {
            *cell = BLANKED;
        }
        self.pager = Some(Pager {
            start,
            marker,
            key: key.trim().into(),
            behind: Vec::new(),
            echoed: 0,
            ends_line,
            returned: false,
            wiped: false,
        });
    }

    /// Forgets the current line, as when a new step begins on the same screen line.
    pub fn clear_line(&mut self) {
        self.line.clear();
        self.cursor = 0;
        self.pager = None;
    }

    fn print(&mut self, text: &[u8]) {
        if self.pager.is_none() && self.cursor == self.line.len() {
            let room = self.most_line_bytes.saturating_sub(self.line.len());
            self.line.extend_from_slice(text.get(..room).unwrap_or(text));
            self.cursor = self.line.len();
            return;
        }
        for &byte in text {
            self.print_byte(byte);
        }
    }

    fn print_byte(&mut self, byte: u8) {
        let mut cell = byte;
        if let Some(pager) = &mut self.pager {
            let at_end = self.line.len()..self.most_line_bytes;
            let is_behind = at_end.contains(&self.cursor) && !pager.returned && !pager.wiped;
            if is_behind && pager.takes(byte) {
                cell = BLANKED;
            } else if byte == b' ' && self.cursor >= pager.start {
                pager.wiped = true;
                cell = BLANKED;
            } else {
                if !pager.wiped && !pager.returned {
                    // A device that goes on behind its marker: the marker's cells are not output.
                    self.line.truncate(pager.start);
                    self.line.extend_from_slice(&pager.behind);
                    self.cursor = self.line.len();
                }
                self.pager = None;
            }
        } else if byte == b' ' && self.cursor < self.line.len() {
            cell = BLANKED;
        }
        // The bytes after the first of a character belong to its cell.
        let continues = byte & 0xc0 == 0x80;
        if self.cursor >= self.line.len() || continues {
            if self.line.len() >= self.most_line_bytes {
                return;
            }
            let at = self.cursor.min(self.line.len());
            self.line.insert(at, cell);
        } else {
            let end = self.next_cell(self.cursor);
            self.line.splice(self.cursor..end, [cell]);
        }
        self.cursor += 1;
    }

    /// True if the byte finishes the line.
    fn control(&mut self, byte: u8) -> bool {
        match take(&mut self.escape) {
            Escape::None => return self.plain_control(byte),
            Escape::Started => match byte {
                b'[' => self.escape = Escape::Csi(Vec::new()),
                b']' | b'P' | b'X' | b'^' | b'_' => {
                    self.escape = Escape::Osc { seen: 0, escaped: false };
                }
                b'(' | b')' | b'*' | b'+' | b'#' | b'%' => self.escape = Escape::Charset,
                b'E' | b'\n' => return true,
                b'\r' => self.move_to(0),
                0x1b => self.escape = Escape::Started,
                _ => {}
            },
            Escape::Charset => {}
            Escape::Csi(mut parameters) => match byte {
                0x40..=0x7e => self.csi(byte, &parameters),
                b'\n' => return true,
                0x1b => self.escape = Escape::Started,
                _ if parameters.len() < MAX_ESCAPE_BYTES => {
                    parameters.push(byte);
                    self.escape = Escape::Csi(parameters);
                }
                _ => {}
            },
            Escape::Osc { seen, escaped } => {
                let over = byte == 0x07 || (escaped && byte == b'\\');
                if !over && seen < 4 * MAX_ESCAPE_BYTES {
                    self.escape = Escape::Osc { seen: seen + 1, escaped: byte == 0x1b };
                }
            }
        }
        false
    }

    fn plain_control(&mut self, byte: u8) -> bool {
        match byte {
            b'\n' => return true,
            b'\r' => self.move_to(0),
            0x08 => self.move_left(1),
            b'\t' => self.print_byte(b'\t'),
            0x1b => self.escape = Escape::Started,
            // BEL, NUL, shifts, DEL and the like draw nothing.
            _ => {}
        }
        false
    }

    fn csi(&mut self, action: u8, parameters: &[u8]) {
        let number = |index: usize| -> Option<usize> {
            let text = parameters.split(|b| *b == b';').nth(index)?;
            std::str::from_utf8(text).ok()?.parse().ok()
        };
        let count = number(0).unwrap_or(1).max(1);
        if self.is_too_long_to_edit() && action != b'C' {
            return;
        }
        match action {
            b'D' => self.move_left(count),
            b'C' => self.move_right(count),
            b'G' | b'`' => self.move_to_column(count - 1),
            b'H' | b'f' => self.move_to_column(number(1).unwrap_or(1).max(1) - 1),
            b'K' | b'J' => match number(0).unwrap_or(0) {
                0 => self.line.truncate(self.cursor),
                1 => {
                    let end = self.cursor.min(self.line.len());
                    for cell in self.line.iter_mut().take(end) {
                        *cell = BLANKED;
                    }
                }
                _ => {
                    self.line.clear();
                    self.cursor = 0;
                }
            },
            b'P' => {
                let mut end = self.cursor;
                for _ in 0..count.min(self.line.len()) {
                    end = self.next_cell(end);
                }
                self.line.drain(self.cursor.min(end)..end);
            }
            b'n' => self.is_asked = parameters == b"6",
            // Colours, modes, scrolling, cursor up and down: nothing that stays on the line.
            _ => {}
        }
        if matches!(action, b'K' | b'J' | b'P')
            && let Some(pager) = &mut self.pager
        {
            pager.wiped |= self.line.len() <= pager.start;
        }
    }

    fn move_to_column(&mut self, column: usize) {
        let mut at = 0;
        for _ in 0..column.min(usize::from(COLUMNS)) {
            if at >= self.line.len() {
                self.line.push(BLANKED);
            }
            at = self.next_cell(at);
        }
        self.move_to(at);
    }

    /// Writes blanks where nothing stands yet.
    fn move_right(&mut self, cells: usize) {
        let mut left = cells.min(usize::from(COLUMNS));
        while left > 0 && self.cursor < self.line.len() {
            self.cursor = self.next_cell(self.cursor);
            left -= 1;
        }
        if self.line.len() >= self.most_line_bytes {
            // The first may still wipe a marker; the others find no room either.
            left = left.min(1);
        }
        self.print(&b" ".repeat(left));
    }

    fn move_left(&mut self, cells: usize) {
        let mut at = self.cursor;
        for _ in 0..cells {
            if at == 0 {
                break;
            }
            at -= 1;
            while at > 0 && self.line.get(at).is_some_and(|b| b & 0xc0 == 0x80) {
                at -= 1;
            }
        }
        self.move_to(at);
    }

    fn move_to(&mut self, at: usize) {
        if self.is_too_long_to_edit() {
            return;
        }
        self.cursor = at.min(self.line.len());
        if let Some(pager) = &mut self.pager
            && self.cursor <= pager.start
        {
            pager.returned = true;
            // Everything behind is blanks over the marker: what comes now is output.
            if pager.wiped {
                self.line.truncate(pager.start);
            }
        }
    }

    /// No device edits such a line, and each edit in the middle of it would cost all of it.
    fn is_too_long_to_edit(&self) -> bool {
        self.line.len() > MAX_PROMPT_BYTES
    }

    fn next_cell(&self, at: usize) -> usize {
        let mut end = at + 1;
        while self.line.get(end).is_some_and(|b| b & 0xc0 == 0x80) {
            end += 1;
        }
        end.min(self.line.len())
    }

    /// Makes `line` what a reader of the screen would copy. False if all of it was the pager's.
    fn close_line(&mut self) -> bool {
        if let Some(pager) = self.pager.take().filter(|pager| !pager.wiped)
            && visible(&self.line).len() <= pager.start
        {
            self.line.truncate(pager.start);
            if !pager.ends_line && !pager.is_echoed() {
                self.line.extend_from_slice(&pager.marker);
                self.line.extend_from_slice(&pager.behind);
            } else if pager.start == 0 {
                return false;
            }
        }
        let end = visible(&self.line).len();
        self.line.truncate(end);
        if memchr::memchr(BLANKED, &self.line).is_some() {
            for cell in &mut self.line {
                if *cell == BLANKED {
                    *cell = b' ';
                }
            }
        }
        true
    }
}

impl Pager {
    /// Keeps `byte`, right behind the marker, if it may be the marker's own blank or the echo of the key.
    fn takes(&mut self, byte: u8) -> bool {
        let is_echo = self.key.get(self.echoed) == Some(&byte);
        self.echoed += usize::from(is_echo);
        let takes = is_echo || byte == b' ';
        if takes {
            self.behind.push(byte);
        }
        takes
    }

    fn is_echoed(&self) -> bool {
        !self.key.is_empty() && self.echoed == self.key.len()
    }
}

/// How many bytes come before the first control byte.
fn plain_length(bytes: &[u8]) -> usize {
    let blocks = bytes.chunks_exact(BLOCK_BYTES).take_while(|block| !has_control(block)).count();
    let plain = blocks * BLOCK_BYTES;
    let rest = bytes.get(plain..).unwrap_or_default();
    plain + rest.iter().position(|byte| is_control(*byte)).unwrap_or(rest.len())
}

/// Without a branch for each byte: the compiler looks at many at once.
fn has_control(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |any, byte| any | is_control(*byte))
}

fn is_control(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7f
}

/// The line without blanked cells at its end.
fn visible(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|cell| *cell != BLANKED).map_or(0, |last| last + 1);
    line.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn screen(bytes: &[u8]) -> (Vec<String>, String) {
        let mut terminal = Terminal::new(1 << 20);
        let mut lines = Vec::new();
        terminal.feed(bytes, |line| lines.push(String::from_utf8_lossy(line).into_owned()));
        (lines, terminal.tail().into_owned())
    }

    #[test]
    fn lines_come_out_as_a_reader_of_the_screen_would_copy_them() {
        let cases: [(&str, &[u8], &[&str], &str); 19] = [
            ("CRLF", b"one\r\ntwo\r\nR1#", &["one", "two"], "R1#"),
            ("CR CR LF", b"one\r\r\ntwo\r\r\n", &["one", "two"], ""),
            ("LF only", b"one\ntwo\n", &["one", "two"], ""),
            ("blanks at the end stay", b"one  \r\n", &["one  "], ""),
            ("blanks at the start stay", b"   one\r\n", &["   one"], ""),
            ("a tab stays", b"a\tb\r\n", &["a\tb"], ""),
            ("colours go", b"\x1b[01;32mR1\x1b[0m#", &[], "R1#"),
            ("a title goes", b"\x1b]0;R1\x07R1#", &[], "R1#"),
            ("a title ends with ST too", b"\x1b]0;R1\x1b\\R1#", &[], "R1#"),
            ("backspace and overwrite", b"shoq\x08w\r\n", &["show"], ""),
            ("backspace erases", b"show x\x08 \x08\r\n", &["show "], ""),
            ("a line is redrawn", b"10%\r20%\r\n", &["20%"], ""),
            ("erase to the end", b"R1#old\r\x1b[KR1#", &[], "R1#"),
            ("erase the line", b"old\x1b[2KR1#", &[], "R1#"),
            ("cursor left", b"abcd\x1b[3DX\r\n", &["aXcd"], ""),
            ("cursor to a column", b"\x1b[24;1HR1# \x1b[24;5H\x1b[?25h", &[], "R1# "),
            ("NUL and BEL draw nothing", b"a\x00b\x07c\r\n", &["abc"], ""),
            ("an escape sequence with no end", b"\x1b[1;2\nnext", &[""], "next"),
            ("a wide character is one cell", "é\x08x\r\n".as_bytes(), &["x"], ""),
        ];
        for (name, bytes, lines, tail) in cases {
            let (found_lines, found_tail) = screen(bytes);
            assert_eq!(found_lines, lines, "{name}");
            assert_eq!(found_tail, tail, "{name}");
        }
    }

    #[test]
    fn an_answered_pager_leaves_no_trace_and_takes_nothing_with_it() {
        let cases: [(&str, &str, &[u8], &str); 8] = [
            (
                "IOS wipes with backspaces",
                " --More-- ",
                b"\x08\x08\x08\x08\x08\x08\x08\x08\x08        \x08\x08\x08\x08\x08\x08\x08\x08\x08  ip\r\n",
                "  ip",
            ),
            ("NX-OS wipes with returns", "--More--", b"\r                \r  x  \r\n", "  x  "),
            ("VRP moves left", "  ---- More ----", b"\x1b[42D            \x1b[42D x\r\n", " x"),
            ("less erases the line", "lines 1-22", b"\r\x1b[Knext\r\n", "next"),
            ("a blank line follows", "--More--", b"\r        \r\r\n", ""),
            ("text without wiping overwrites nothing", "--More--", b"\r\x1b[K\r\n", ""),
            ("not wiped: it was output after all", "--More--", b"\r\n", "--More--"),
            ("screen cleared", "--More--", b"\x1b[2Jnext\r\n", "next"),
        ];
        for (name, marker, after, want) in cases {
            let mut terminal = Terminal::new(1 << 20);
            let mut lines = Vec::new();
            terminal.feed(b"first\r\n", |_| {});
            terminal.feed(marker.as_bytes(), |_| {});
            terminal.pager_answered(marker.find(|c: char| !c.is_whitespace()).unwrap(), " ", false);
            assert!(terminal.tail_is_empty(), "{name}");
            terminal.feed(after, |line| lines.push(String::from_utf8_lossy(line).into_owned()));
            assert_eq!(lines, [want], "{name}");
        }
    }

    /// The key, and whether the device ends the marker's line.
    type How = (&'static str, bool);
    /// Name, marker, how, what comes behind, and the lines of it.
    type Answered<'a> = (&'a str, &'a str, How, &'a [u8], &'a [&'a str]);

    /// A marker that is answered, then more bytes in pieces of `cut`.
    fn answered(marker: &str, (key, ends_line): How, after: &[u8], cut: usize) -> Vec<String> {
        let mut terminal = Terminal::new(1 << 20);
        let mut lines = Vec::new();
        terminal.feed(marker.as_bytes(), |_| {});
        terminal.pager_answered(marker.find(['-', 'P', 'W']).unwrap(), key, ends_line);
        for piece in after.chunks(cut) {
            terminal.feed(piece, |line| lines.push(String::from_utf8_lossy(line).into_owned()));
        }
        lines
    }

    #[test]
    fn a_marker_whose_line_the_device_ends_is_no_line_of_the_output() {
        let (enter, yes) = ("Press Enter to continue...", "Would you like it? (y/n)");
        let cases: [Answered<'_>; 14] = [
            ("Enter is echoed", enter, ("\n", true), b"\r\nnext\r\n", &["next"]),
            ("a blank line behind it stays", enter, ("\n", true), b"\r\n\r\nx\r\n", &["", "x"]),
            ("with the marker's blank", enter, ("\n", true), b" \r\nnext\r\n", &["next"]),
            ("text before it stays", "up Press Enter", ("\n", true), b"\r\nx\n", &["up ", "x"]),
            (
                "a device that wipes all the same",
                "--More--",
                (" ", true),
                b"\r        \r x\r\n",
                &[" x"],
            ),
            (
                "wiped, and a blank line",
                "--More--",
                (" ", true),
                b"\r        \r\r\nx\n",
                &["", "x"],
            ),
            ("a page", "--More-- or (q)uit", (" ", true), b"\r\nnext\r\n", &["next"]),
            ("a page, and the blank echoed", "--More--", (" ", true), b"  \r\nnext\r\n", &["next"]),
            ("the key echoed", yes, ("y", false), b" y\r\nnext\r\n", &["next"]),
            ("the key echoed and wiped", yes, ("y", false), b"y\r\x1b[Knext\r\n", &["next"]),
            ("text that begins like the key", yes, ("y", false), b"yes\r\n", &["yes"]),
            ("a line end is no echo", yes, ("y", false), b"\r\nnext\r\n", &[yes, "next"]),
            ("its blank came late", "--More--", (" ", false), b" \r\nx\r\n", &["--More-- ", "x"]),
            ("indented text without wiping", "--More--", (" ", false), b"  ip\r\n", &["  ip"]),
        ];
        for (name, marker, how, after, want) in cases {
            for cut in [1, 2, 3, 100] {
                assert_eq!(answered(marker, how, after, cut), want, "{name}, {cut}");
            }
        }
    }

    #[test]
    fn where_the_cursor_is_is_asked_at_the_end_and_on_an_empty_line() {
        let mut terminal = Terminal::new(1 << 20);
        let mut asks = |bytes: &[u8]| {
            terminal.feed(bytes, |_| {});
            terminal.asks_for_cursor()
        };
        for (bytes, want) in [
            (&b"one\r\n"[..], false),
            (b"\x1b[6", false),
            (b"n", true),
            (b"\x1b[6n\x1b[?25h", false),
            (b"\x1b[5n\x1b[16n", false),
            (b"neighbour \x1b[6n", false),
            (b"\r\n\x1b[6n", true),
            (b"\r\n\x1b[6n\r\n", false),
        ] {
            assert_eq!(asks(bytes), want, "{bytes:?}");
        }
    }

    #[test]
    fn edits_of_endless_lines_cost_no_more_than_their_bytes() {
        let line = "x".repeat(4 << 20);
        for edit in [
            "\x1b[9999999P",
            "\x1b[9999999D",
            "\x1b[9999999C",
            "\x1b[1K",
            "\x1b[9999G\u{e9}",
            "\r\u{e9}",
        ] {
            // Each of them would take minutes if it cost the line.
            let (lines, tail) = screen(format!("{line}\r{}", edit.repeat(100_000)).as_bytes());
            assert!(lines.is_empty() && tail.len() > 1 << 19, "{edit:?}");
        }
        let (lines, _) = screen(b"abcdefgh\r\x1b[3P\x1b[99C\r\x1b[1P\n\xc3\xa9bc\r\x1b[2P\n");
        assert_eq!(lines[0].trim_end(), "efgh");
        assert_eq!(lines[1], "c");
    }

    #[test]
    fn no_sequence_moves_further_than_the_terminal_is_wide() {
        let width = usize::from(COLUMNS);
        for (moves, want) in [
            ("\x1b[9999999C", width),
            ("\x1b[9999999C\x1b[2C", width + 2),
            ("ab\r\x1b[9999999C", width),
            ("\x1b[9999999G", width),
            ("\x1b[9999999G\x1b[1;9999999H", width),
        ] {
            let (lines, _) = screen(format!("{moves}x\n").as_bytes());
            assert_eq!(lines[0].trim_start_matches("ab").trim_start(), "x", "{moves:?}");
            assert_eq!(lines[0].len(), want + 1, "{moves:?}");
        }
    }

    proptest! {
        #[test]
        fn plain_lines_are_what_feeding_them_would_give(parts in proptest::collection::vec("[a-zé]{0,20}|\r\n|\n|\r|\t|\x1b\\[K|\x08", 0..40), begun: bool) {
            let bytes = parts.concat();
            let mut terminal = Terminal::new(1 << 20);
            terminal.feed(if begun { b"x" } else { b"" }, |_| {});
            let plain = terminal.plain_lines(bytes.as_bytes());
            let (lines, tail) = screen(plain.as_bytes());
            prop_assert!(plain.is_empty() || !begun && !bytes.get(plain.len()..).unwrap().contains('\n'));
            prop_assert_eq!(lines, plain.split_terminator("\r\n").map(str::to_owned).collect::<Vec<_>>());
            prop_assert_eq!(tail, "");
        }

        #[test]
        fn any_split_of_the_bytes_gives_the_same_screen(
            bytes in prop::collection::vec(
                prop_oneof![Just(b'\r'), Just(b'\n'), Just(8), Just(0x1b), Just(b'['), Just(b'K'),
                    Just(b'2'), Just(b' '), b'a'..b'e', any::<u8>()], 0..200),
            cut in 1_usize..7,
            most in prop_oneof![Just(5_usize), Just(1 << 20)],
        ) {
            let screen = |cut| {
                let mut terminal = Terminal::new(most);
                let mut lines = Vec::new();
                for chunk in bytes.chunks(cut) {
                    terminal.feed(chunk, |line| lines.push(String::from_utf8_lossy(line).into_owned()));
                }
                (lines, terminal.tail().into_owned())
            };
            prop_assert_eq!(screen(cut), screen(200));
        }

        #[test]
        fn any_split_of_the_bytes_behind_a_marker_gives_the_same_lines(
            after in prop::collection::vec(
                prop_oneof![Just(b'\r'), Just(b'\n'), Just(8), Just(0x1b), Just(b'['), Just(b'K'),
                    Just(b' '), Just(b'y'), b'a'..b'c'], 0..80),
            how in prop_oneof![Just((" ", false)), Just((" ", true)), Just(("\n", true)), Just(("y", false))],
            cut in 1_usize..7,
            marker in prop_oneof![Just("--More--"), Just("  --More-- "), Just("up --More--")],
        ) {
            prop_assert_eq!(answered(marker, how, &after, cut), answered(marker, how, &after, 80));
        }

        #[test]
        fn no_bytes_make_a_line_much_longer_than_it_may_be(
            bytes in prop::collection::vec(
                prop_oneof![Just(b'\t'), Just(b'\r'), Just(8), Just(0x1b), Just(b'['), Just(b'C'),
                    Just(b'9'), Just(0xa0), b'a'..b'c'], 0..400),
        ) {
            let mut terminal = Terminal::new(8);
            terminal.feed(b"-More-", |_| {});
            terminal.pager_answered(0, "a", false);
            terminal.feed(&bytes, |line| assert!(line.len() <= 8, "{line:?}"));
            prop_assert!(terminal.tail().len() <= 8 * 3);
        }
    }
}
