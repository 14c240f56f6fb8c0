//! A configuration as a tree: each line with those that belong beneath it.
//!
//! Two kinds of writing: by indentation (IOS, NX-OS, EOS, VRP, `FortiOS` …) and by braces (Junos, `VyOS`). Which one it
//! is shows in the text. Separators and comments are left out; every other line is there once, in its place.

#[cfg(test)]
mod tests;

/// Lines nested deeper than this stay at this depth.
const DEEPEST: usize = 64;
/// A text of more lines ends elsewhere than it seems.
const MOST_TEXT_LINES: usize = 400;

/// The same of banners.
const MOST_BANNER_LINES: usize = 1000;
/// Lines that are looked through for the ends of all banners: of more, whoever begins one in every line would make each of them be
/// looked through for every other.
const MOST_LOOKED_THROUGH: usize = 1 << 20;

/// A line of a configuration and what stands beneath it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Section {
    /// Without indentation and without brace or semicolon.
    pub line: String,
    /// In the configuration's order.
    pub children: Vec<Section>,
}

/// Why a text is no configuration.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TreeError {
    /// There is nothing in it.
    #[error("the output holds no configuration")]
    Empty,
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

/// Reads a configuration.
///
/// # Errors
/// The text is empty, or its braces do not match.
pub fn read(text: &str) -> Result<Vec<Section>, TreeError> {
    let tree = if is_braced(text) { braced(text)? } else { indented(text) };
    if tree.is_empty() { Err(TreeError::Empty) } else { Ok(tree) }
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

/// Sections that are still open, the outermost first.
struct Open {
    done: Vec<Section>,
    /// Each with how far it stands in.
    stack: Vec<(usize, Section)>,
}

impl Open {
    fn close(&mut self) {
        if let Some((_, section)) = self.stack.pop() {
            self.add(section);
        }
    }

    fn add(&mut self, section: Section) {
        match self.stack.last_mut() {
            Some((_, parent)) => parent.children.push(section),
            None => self.done.push(section),
        }
    }
}

fn indented(text: &str) -> Vec<Section> {
    let mut open = Open { done: Vec::new(), stack: Vec::new() };
    let lines: Vec<&str> = text.lines().collect();
    // FortiOS goes on in the next lines with a text that is not ended: certificates, scripts, messages.
    let has_long_texts =
        lines.contains(&"end") && lines.iter().any(|line| line.starts_with("config "));
    let mut rest = lines.as_slice();
    let mut left = MOST_LOOKED_THROUGH;
    while let [line, behind @ ..] = rest {
        rest = behind;
        let words = line.trim();
        if words.is_empty() || words.starts_with(['!', '#']) {
            continue;
        }
        let depth = line.len() - line.trim_start().len();
        // The line that ends a certificate stands in further than the certificate.
        let certificate = (words == "quit")
            .then(|| {
                open.stack.iter().rposition(|(_, above)| above.line.starts_with("certificate "))
            })
            .flatten();
        while open.stack.last().is_some_and(|(above, _)| *above >= depth)
            || open.stack.len() >= DEEPEST
            || certificate.is_some_and(|at| open.stack.len() > at + 1)
        {
            open.close();
        }
        let mut section = Section { line: words.to_owned(), children: Vec::new() };
        // What a banner or a long text says is no configuration.
        let long = || (has_long_texts && is_text_open(words)).then(|| text_lines(rest)).flatten();
        if let Some(said) = banner_lines(words, rest, &mut left).or_else(long) {
            let (said, behind) = rest.split_at(said);
            let line = |line: &&str| Section { line: (*line).to_owned(), children: Vec::new() };
            section.children.extend(said.iter().map(line));
            rest = behind;
        }
        open.stack.push((depth, section));
    }
    while !open.stack.is_empty() {
        open.close();
    }
    open.done
}

/// How many lines of the `rest` a banner goes on for that begins in this line, its end included; none if it ends in it.
/// `left`: lines that may still be looked through.
fn banner_lines(line: &str, rest: &[&str], left: &mut usize) -> Option<usize> {
    let mut words = line.splitn(3, char::is_whitespace);
    let first = words.next().filter(|first| ["banner", "header"].contains(first))?;
    let near = rest.get(..MOST_BANNER_LINES.min(*left)).unwrap_or(rest);
    let end = banner_end(first, words.next()?, words.next(), near);
    *left -= end.map_or(near.len(), |at| at + 1);
    end.map(|at| at + 1)
}

/// Which of the lines ends the banner that begins with these words.
fn banner_end(first: &str, which: &str, text: Option<&str>, lines: &[&str]) -> Option<usize> {
    let text = match (first, text) {
        ("header", Some(text)) => text.strip_prefix("information ").unwrap_or(text),
        (_, Some(text)) => text,
        // EOS: the banner's text follows, ended by a word of its own.
        ("banner", None) => return lines.iter().position(|line| line.trim() == "EOF"),
        _ => return None,
    };
    // IOS writes the control character that ends it as two letters. A word is no mark: `banner message-of-the-day enabled`.
    let marks: &[usize] = if text.starts_with('^') { &[2, 1] } else { &[1] };
    marks.iter().find_map(|letters| {
        let mark: String = text.chars().take(*letters).collect();
        let mark = Some(mark.as_str()).filter(|mark| !mark.starts_with(char::is_alphanumeric))?;
        text.strip_prefix(mark).filter(|behind| !behind.contains(mark))?;
        let ends = |line: &&str| line.trim_end().ends_with(mark);
        // ASA's banners are one line each, and have no mark.
        let again = format!("{first} {which} ");
        let at = lines.iter().position(|line| ends(line) || line.starts_with(&again));
        let at = at.filter(|at| lines.get(*at).is_some_and(ends));
        // Behind the mark stands more.
        at.or_else(|| (mark == "^C").then(|| lines.iter().position(|line| line.contains(mark)))?)
    })
}

/// True for `set comment "first line`: a text that goes on in the next line.
fn is_text_open(line: &str) -> bool {
    line.starts_with("set ") && has_odd_quotes(line)
}

/// How many lines a text that is open goes on for, if it ends soon.
fn text_lines(lines: &[&str]) -> Option<usize> {
    lines.iter().take(MOST_TEXT_LINES).position(|line| has_odd_quotes(line)).map(|at| at + 1)
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

fn braced(text: &str) -> Result<Vec<Section>, TreeError> {
    let mut open = Open { done: Vec::new(), stack: Vec::new() };
    let mut in_comment = false;
    // Sections beyond the deepest are closed by as many braces.
    let mut beyond = 0;
    for (line, number) in text.lines().map(str::trim).zip(1..) {
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
        if let Some(name) = line.strip_suffix('{') {
            if open.stack.len() >= DEEPEST {
                beyond += 1;
                open.add(Section { line: name.trim_end().to_owned(), children: Vec::new() });
            } else {
                open.stack
                    .push((0, Section { line: name.trim_end().to_owned(), children: Vec::new() }));
            }
        } else if line == "}" || line == "};" {
            if beyond > 0 {
                beyond -= 1;
            } else if open.stack.is_empty() {
                return Err(TreeError::NotOpened { line: number });
            } else {
                open.close();
            }
        } else {
            let line = line.strip_suffix(';').unwrap_or(line).to_owned();
            open.add(Section { line, children: Vec::new() });
        }
    }
    match open.stack.last() {
        Some((_, section)) => Err(TreeError::NotClosed { section: section.line.clone() }),
        None => Ok(open.done),
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
