//! A configuration as a tree: each line with those that belong beneath it.
//!
//! Two kinds of writing: by indentation (IOS, NX-OS, EOS, VRP, `FortiOS` …) and by braces (Junos, `VyOS`). Which one it
//! is shows in the text. Separators and comments are left out; every other line is there once, in its place.

#[cfg(test)]
mod tests;

use std::str::Lines;

/// Lines nested deeper than this stay at this depth.
const DEEPEST: usize = 64;
/// A text of more lines ends elsewhere than it seems.
const MOST_TEXT_LINES: usize = 400;

/// The same of banners.
const MOST_BANNER_LINES: usize = 1000;
/// Lines that are looked through for the ends of all banners: of more, whoever begins one in every line would make each of them be
/// looked through for every other.
const MOST_LOOKED_THROUGH: usize = 1 << 20;

/// A configuration of more lines is none that anybody would want as a tree.
const MOST_SECTIONS: usize = 1_000_000;
/// Lines between two looks at the clock.
const LINES_BETWEEN_LOOKS: usize = 1024;

/// A line of a configuration. Those that follow and stand deeper are beneath it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Section<'t> {
    /// Without indentation and without brace or semicolon.
    pub line: &'t str,
    /// How many lines it stands beneath.
    pub depth: usize,
}

/// Why a text is no configuration.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TreeError {
    /// There is nothing in it.
    #[error("the output holds no configuration")]
    Empty,
    /// It took too long.
    #[error("limit: not done in time, at line {line} of the output")]
    Late {
        /// From 1.
        line: usize,
    },
    /// A closing brace too many.
    #[error("line {line} of the output closes a section that was not opened")]
    NotOpened {
        /// From 1.
        line: usize,
    },
    /// The text ends inside a section.
    #[error("the output ends inside the section `{section}`")]
    NotClosed {
        /// The line that opened it.
        section: String,
    },
    /// It has too many lines.
    #[error("limit: the configuration has more than {most} lines")]
    TooLong {
        /// The bound.
        most: usize,
    },
}

/// True if the command shows a configuration: `show running-config`, `display current-configuration`, shortened too.
#[must_use]
pub fn is_configuration(command: &str) -> bool {
    const SHOWN: [(&str, usize); 8] = [
        ("running-config", 3),
        ("startup-config", 4),
        ("configuration", 4),
        ("current-configuration", 3),
        ("saved-configuration", 4),
        ("full-configuration", 4),
        ("candidate-config", 4),
        ("run-config", 5),
    ];
    /// About configurations, but none: tables and differences.
    const ABOUT: [&str; 8] =
        ["sessions", "history", "list", "locks", "diffs", "differences", "status", "summary"];
    let words: Vec<String> = command.split_whitespace().map(str::to_ascii_lowercase).collect();
    let is_about = |word: &String| {
        word.len() >= 3 && ABOUT.iter().any(|about| about.starts_with(word.as_str()))
    };
    if words.iter().skip(2).any(is_about) {
        return false;
    }
    match words.as_slice() {
        // All of FortiOS' configuration.
        [verb] => verb == "show",
        [admin, what] if admin == "admin" => what == "display-config",
        [verb, what, ..] => {
            let reads = ["show", "display"]
                .iter()
                .any(|full| verb.len() >= 2 && full.starts_with(verb.as_str()));
            reads
                && SHOWN
                    .iter()
                    .any(|(full, least)| what.len() >= *least && full.starts_with(what.as_str()))
        }
        [] => false,
    }
}

/// True if the output is a configuration: the command says so, or it is what `FortiOS` shows of a part of its configuration.
#[must_use]
pub fn is_shown(command: &str, output: &str) -> bool {
    let lines = || output.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let is_show =
        command.split_whitespace().next().is_some_and(|verb| verb.eq_ignore_ascii_case("show"));
    is_configuration(command)
        || (is_show
            && lines().next().is_some_and(|line| line.starts_with("config "))
            && lines().next_back() == Some("end"))
}

/// Reads a configuration: its lines in their order. `is_late` is asked now and then and ends it.
///
/// # Errors
/// The text is empty, its braces do not match, it has more than a million lines that count, or it is late.
pub fn read<'t>(text: &'t str, is_late: &dyn Fn() -> bool) -> Result<Vec<Section<'t>>, TreeError> {
    let tree = Tree { sections: Vec::new(), lines: 0, is_late };
    let sections = if is_braced(text) { braced(text, tree)? } else { indented(text, tree)? };
    if sections.is_empty() { Err(TreeError::Empty) } else { Ok(sections) }
}

/// True if the first line that says something opens a section or ends a statement, and sections are closed. Texts of either
/// kind of writing, banners and scripts and messages, may have braces and separators of the other.
fn is_braced(text: &str) -> bool {
    let mut in_comment = false;
    let first = text.lines().map(|line| without_remark(line.trim())).find(|line| {
        in_comment |= line.starts_with("/*");
        let says = !in_comment
            && !line.is_empty()
            && !line.starts_with(['#', '!'])
            && !line.starts_with("//");
        in_comment &= !line.ends_with("*/");
        says
    });
    first.is_some_and(|line| line.ends_with(['{', ';']))
        && text.lines().any(|line| ["}", "};"].contains(&line.trim()))
}

/// What has been read so far, within its bounds.
struct Tree<'t, 'c> {
    sections: Vec<Section<'t>>,
    /// Looked at, comments too.
    lines: usize,
    is_late: &'c dyn Fn() -> bool,
}

impl<'t> Tree<'t, '_> {
    /// Counts a line that is looked at, and looks at the clock if it is time to.
    fn count_line(&mut self) -> Result<(), TreeError> {
        self.lines += 1;
        if self.lines.is_multiple_of(LINES_BETWEEN_LOOKS) && (self.is_late)() {
            return Err(TreeError::Late { line: self.lines });
        }
        Ok(())
    }

    fn add(&mut self, line: &'t str, depth: usize) -> Result<(), TreeError> {
        if self.sections.len() >= MOST_SECTIONS {
            return Err(TreeError::TooLong { most: MOST_SECTIONS });
        }
        self.sections.push(Section { line, depth });
        Ok(())
    }
}

fn indented<'t>(text: &'t str, mut tree: Tree<'t, '_>) -> Result<Vec<Section<'t>>, TreeError> {
    // Lines that are still open, the outermost first, each with how far it stands in.
    let mut open: Vec<(usize, &str)> = Vec::new();
    // FortiOS goes on in the next lines with a text that is not ended: certificates, scripts, messages.
    let has_long_texts = text.lines().any(|line| line == "end")
        && text.lines().any(|line| line.starts_with("config "));
    let mut rest = text.lines();
    let mut left = MOST_LOOKED_THROUGH;
    while let Some(line) = rest.next() {
        tree.count_line()?;
        let words = line.trim();
        if words.is_empty() || words.starts_with(['!', '#']) {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        // The line that ends a certificate stands in further than the certificate.
        let certificate = (words == "quit")
            .then(|| open.iter().rposition(|(_, above)| above.starts_with("certificate ")))
            .flatten();
        while open.last().is_some_and(|(above, _)| *above >= indent)
            || open.len() >= DEEPEST
            || certificate.is_some_and(|at| open.len() > at + 1)
        {
            open.pop();
        }
        tree.add(words, open.len())?;
        open.push((indent, words));
        // What a banner or a long text says is no configuration.
        let long = || (has_long_texts && is_text_open(words)).then(|| text_lines(&rest)).flatten();
        let said = banner_lines(words, &rest, &mut left).or_else(long);
        for line in rest.by_ref().take(said.unwrap_or(0)) {
            tree.count_line()?;
            tree.add(line, open.len())?;
        }
    }
    Ok(tree.sections)
}

/// How many lines of the `rest` a banner goes on for that begins in this line, its end included; none if it ends in it.
/// `left`: lines that may still be looked through.
fn banner_lines(line: &str, rest: &Lines, left: &mut usize) -> Option<usize> {
    let mut words = line.splitn(3, char::is_whitespace);
    let first = words.next().filter(|first| ["banner", "header"].contains(first))?;
    let near = rest.clone().take(MOST_BANNER_LINES.min(*left));
    let end = banner_end(first, words.next()?, words.next(), near.clone());
    *left -= end.map_or_else(|| near.count(), |at| at + 1);
    end.map(|at| at + 1)
}

/// Which of the lines ends the banner that begins with these words.
fn banner_end<'t>(
    first: &str,
    which: &str,
    text: Option<&str>,
    mut lines: impl Iterator<Item = &'t str> + Clone,
) -> Option<usize> {
    let text = match (first, text) {
        ("header", Some(text)) => text.strip_prefix("information ").unwrap_or(text),
        (_, Some(text)) => text,
        // EOS: the banner's text follows, ended by a word of its own.
        ("banner", None) => return lines.position(|line| line.trim() == "EOF"),
        _ => return None,
    };
    // IOS writes the control character that ends it as two letters. A word is no mark: `banner message-of-the-day enabled`.
    let marks: &[usize] = if text.starts_with('^') { &[2, 1] } else { &[1] };
    marks.iter().find_map(|letters| {
        let mark: String = text.chars().take(*letters).collect();
        let mark = Some(mark.as_str()).filter(|mark| !mark.starts_with(char::is_alphanumeric))?;
        text.strip_prefix(mark).filter(|behind| !behind.contains(mark))?;
        let ends = |line: &str| line.trim_end().ends_with(mark);
        // ASA's banners are one line each, and have no mark.
        let again = format!("{first} {which} ");
        let mut last = lines.clone().enumerate();
        let last = last.find(|(_, line)| ends(line) || line.starts_with(&again));
        let at = last.filter(|(_, line)| ends(line)).map(|(at, _)| at);
        // Behind the mark stands more.
        at.or_else(|| (mark == "^C").then(|| lines.clone().position(|line| line.contains(mark)))?)
    })
}

/// True for `set comment "first line`: a text that goes on in the next line.
fn is_text_open(line: &str) -> bool {
    line.starts_with("set ") && has_odd_quotes(line)
}

/// How many lines a text that is open goes on for, if it ends soon.
fn text_lines(rest: &Lines) -> Option<usize> {
    rest.clone().take(MOST_TEXT_LINES).position(has_odd_quotes).map(|at| at + 1)
}

fn has_odd_quotes(line: &str) -> bool {
    let mut is_escaped = false;
    let quotes = line.bytes().filter(|byte| {
        let is_quote = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_quote
    });
    quotes.count() % 2 == 1
}

fn braced<'t>(text: &'t str, mut tree: Tree<'t, '_>) -> Result<Vec<Section<'t>>, TreeError> {
    let mut open: Vec<&str> = Vec::new();
    let mut in_comment = false;
    // Sections beyond the deepest are closed by as many braces.
    let mut beyond = 0;
    for line in text.lines().map(str::trim) {
        tree.count_line()?;
        let mut line = line;
        if in_comment || line.starts_with("/*") {
            let Some((_, behind)) = line.split_once("*/") else {
                in_comment = true;
                continue;
            };
            in_comment = false;
            line = behind.trim();
        }
        let line = without_remark(line);
        if line.is_empty() || line.starts_with('#') || line.starts_with("//") {
            continue;
        }
        if let Some(name) = line.strip_suffix('{').map(str::trim_end) {
            tree.add(name, open.len())?;
            if open.len() >= DEEPEST {
                beyond += 1;
            } else {
                open.push(name);
            }
        } else if line == "}" || line == "};" {
            if beyond > 0 {
                beyond -= 1;
            } else if open.pop().is_none() {
                return Err(TreeError::NotOpened { line: tree.lines });
            }
        } else {
            tree.add(line.strip_suffix(';').unwrap_or(line), open.len())?;
        }
    }
    match open.last() {
        Some(section) => Err(TreeError::NotClosed { section: (*section).to_owned() }),
        None => Ok(tree.sections),
    }
}

/// The line without what Junos remarks behind it: `"$9$…"; ## SECRET-DATA`. Inside quotes it is text.
fn without_remark(line: &str) -> &str {
    let mut start = 0;
    for (quotes, part) in line.split('"').enumerate() {
        if quotes % 2 == 0
            && let Some(at) = part.find(" ## ")
        {
            return line.get(..start + at).unwrap_or(line).trim_end();
        }
        start += part.len() + 1;
    }
    line
}
