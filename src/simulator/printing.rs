//! What a command prints, piece by piece: texts of personas, and generated output of any size.

use std::sync::Arc;

/// The bytes of one line of [`Source::Bytes`], its line feed included.
const LINE_BYTES: u64 = 64;

/// Where a command's output comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Source {
    /// Lines of 64 bytes, this many bytes in all, line feeds counted.
    Bytes(u64),
    /// Numbered lines.
    Lines(u64),
    Text(Arc<str>),
}

/// One line, without its end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Piece {
    pub(super) text: Vec<u8>,
    pub(super) pause: Pause,
}

/// Where the device takes its time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Pause {
    None,
    /// Between the text and its line end.
    BeforeEnd,
    AfterEnd,
}

/// An output on its way to the screen.
pub(super) struct Printing {
    pieces: std::iter::Peekable<Box<dyn Iterator<Item = Piece> + Send + Sync>>,
    /// How many there are, where that is known.
    total: Option<usize>,
    pub(super) printed: usize,
    /// Lines that still fit on the page; none if the pager is off.
    pub(super) left_on_page: Option<usize>,
    /// The pager has stopped it once.
    pub(super) paged: bool,
    /// The connection goes when the output is over.
    pub(super) breaks_off: bool,
}

impl Source {
    /// Generated output for `show simulator lines 1000` and `show simulator bytes 1000`, whatever the verb.
    pub(super) fn of_line(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace().skip(1);
        if words.next() != Some("simulator") {
            return None;
        }
        match (words.next()?, words.next()?.parse().ok()?, words.next()) {
            ("lines", lines, None) => Some(Self::Lines(lines)),
            ("bytes", bytes, None) => Some(Self::Bytes(bytes)),
            _ => None,
        }
    }

    pub(super) fn pieces(self) -> Box<dyn Iterator<Item = Piece> + Send + Sync> {
        match self {
            Self::Lines(lines) => Box::new((1..=lines).map(|line| Piece::from(numbered(line)))),
            Self::Bytes(bytes) => {
                let whole = bytes / LINE_BYTES;
                let rest = bytes % LINE_BYTES;
                let last = (rest > 0).then(|| filled(whole + 1, rest - 1));
                let lines = (1..=whole).map(|line| filled(line, LINE_BYTES - 1));
                Box::new(lines.chain(last).map(Piece::from))
            }
            Self::Text(text) => {
                let pieces: Vec<Piece> = lines(&text).map(Piece::from).collect();
                Box::new(pieces.into_iter())
            }
        }
    }

    /// All of it, for filters.
    pub(super) fn text(self) -> Arc<str> {
        if let Self::Text(text) = self {
            return text;
        }
        let mut text = String::new();
        for piece in self.pieces() {
            text += &String::from_utf8_lossy(&piece.text);
            text.push('\n');
        }
        Arc::from(text)
    }
}

impl Printing {
    pub(super) fn new(source: Source, page: Option<usize>) -> Self {
        let total = match &source {
            Source::Text(text) => Some(lines(text).count()),
            Source::Lines(lines) => usize::try_from(*lines).ok(),
            Source::Bytes(bytes) => usize::try_from(bytes.div_ceil(LINE_BYTES)).ok(),
        };
        Self::of_pieces(source.pieces(), total, page)
    }

    pub(super) fn of_pieces(
        pieces: Box<dyn Iterator<Item = Piece> + Send + Sync>,
        total: Option<usize>,
        page: Option<usize>,
    ) -> Self {
        Self {
            pieces: pieces.peekable(),
            total,
            printed: 0,
            left_on_page: page,
            paged: false,
            breaks_off: false,
        }
    }

    pub(super) fn is_over(&mut self) -> bool {
        self.pieces.peek().is_none()
    }

    pub(super) fn next(&mut self) -> Option<Piece> {
        let piece = self.pieces.next()?;
        self.printed += 1;
        if let Some(left) = &mut self.left_on_page {
            *left = left.saturating_sub(1);
        }
        Some(piece)
    }

    /// How much of it has been shown.
    pub(super) fn percent(&self) -> usize {
        self.total.map_or(0, |total| self.printed * 100 / total.max(1))
    }
}

impl From<Vec<u8>> for Piece {
    fn from(text: Vec<u8>) -> Self {
        Self { text, pause: Pause::None }
    }
}

impl From<&str> for Piece {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes().to_vec())
    }
}

/// The lines of a text; a carriage return before the line feed belongs to the line.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.strip_suffix('\n').unwrap_or(text).split('\n').take(if text.is_empty() {
        0
    } else {
        usize::MAX
    })
}

fn numbered(line: u64) -> Vec<u8> {
    format!("{line:08} GigabitEthernet0/{line} is up, line protocol is up, 0 errors").into_bytes()
}

fn filled(line: u64, bytes: u64) -> Vec<u8> {
    let length = usize::try_from(bytes).unwrap_or_default();
    let mut text = format!("{line:012} ").into_bytes();
    text.extend((b'a'..=b'z').cycle().take(length));
    text.truncate(length);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_output_has_the_size_that_was_asked_for() {
        for bytes in [0, 1, 2, 63, 64, 65, 1000, 100_000] {
            let text = Source::of_line(&format!("show simulator bytes {bytes}")).unwrap().text();
            assert_eq!(text.len(), bytes, "{bytes}");
            assert!(text.is_empty() || text.ends_with('\n'), "{bytes}");
        }
        let text = Source::of_line("display simulator lines 3").unwrap().text();
        assert_eq!(text.lines().count(), 3);
        assert!(text.starts_with("00000001 GigabitEthernet0/1 is up"), "{text}");
        for other in
            ["show version", "show simulator", "show simulator lines x", "simulator lines 3"]
        {
            assert_eq!(Source::of_line(other), None, "{other}");
        }
    }

    #[test]
    fn a_text_comes_in_its_lines_and_knows_how_much_was_printed() {
        let mut printing = Printing::new(Source::Text(Arc::from("a\n\n  b\n")), None);
        assert_eq!(printing.next().unwrap().text, b"a");
        assert_eq!(printing.percent(), 33);
        assert_eq!(printing.next().unwrap().text, b"");
        assert!(!printing.is_over());
        assert_eq!(printing.next().unwrap().text, b"  b");
        assert!(printing.is_over());
    }
}
