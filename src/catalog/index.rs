//! The index of a folder of templates: template, host name, platform, command, in ntc-templates' form.
//!
//! Commas part the columns, the first line names them, `#` begins a comment, `sh[[ow]]` stands for every
//! beginning from `sh` to `show`. Rows with another number of columns are passed over, as Python's library does.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock},
};

use super::forms::{self, Form, Word};
use crate::textfsm::{matcher::Expression, pattern};

/// Rows in their order; the first that fits wins.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) rows: Vec<Arc<Row>>,
    /// Tells indexes apart, for what is remembered of them.
    pub(super) id: u64,
    /// The operator has written it.
    pub(super) is_own: bool,
}

#[derive(Debug)]
pub(super) struct Row {
    /// Template files that fill one record together.
    pub(super) templates: Vec<String>,
    pub(super) platform: Arc<PlatformName>,
    /// The command as the index has it.
    pub(super) command: String,
    command_expression: Expression,
    begins: OnceLock<Option<Expression>>,
}

/// The expression for a platform's name; one for all rows that have it.
#[derive(Debug)]
pub(super) struct PlatformName {
    pub(super) text: String,
    expression: Expression,
}

impl PlatformName {
    pub(super) fn new(text: &str) -> Result<Arc<Self>, String> {
        let expression = whole(text)?;
        Ok(Arc::new(Self { text: text.to_owned(), expression }))
    }

    fn is(&self, name: &str) -> bool {
        self.expression.is_match(name)
    }

    /// The names it stands for, as one may ask for them: `cisco_asa` and `cisco_ftd` for `cisco_(asa|ftd)`, `vyos` for
    /// `.*vyos.*`.
    fn names(&self) -> Vec<String> {
        let forms = pattern::read(&self.text).map(|read| forms::forms(&read.node));
        let plain = |form: &Form| match form.as_slice() {
            [Word::Keyword(name)] => Some(name.clone()),
            _ => None,
        };
        let names: Option<Vec<String>> = forms.unwrap_or_default().iter().map(plain).collect();
        names.filter(|names| !names.is_empty()).unwrap_or_else(|| vec![self.text.replace(".*", "")])
    }
}

impl Index {
    /// Reads an index. Rows that cannot be read are named, by line, and left out.
    pub(super) fn parse(text: &str, id: u64) -> (Self, Vec<(usize, String)>) {
        let mut faults = Vec::new();
        let mut rows = Vec::new();
        let mut platforms: HashMap<String, Result<Arc<PlatformName>, String>> = HashMap::new();
        let mut header: Option<Vec<String>> = None;
        for (line, number) in text.lines().zip(1..) {
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            let Some(names) = &header else {
                let line = line.split('#').next().unwrap_or_default();
                if !line.trim().is_empty() {
                    header = Some(line.split(',').map(|name| name.trim().to_owned()).collect());
                }
                continue;
            };
            if line.starts_with('#') || cells.len() != names.len() {
                continue;
            }
            let cell = |wanted: &str| {
                names.iter().position(|name| name == wanted).and_then(|at| cells.get(at)).copied()
            };
            let (Some(templates), Some(command)) = (cell("Template"), cell("Command")) else {
                let reason = "the index has no Template or no Command column";
                faults.push((number, reason.to_owned()));
                break;
            };
            let platform = cell("Platform").filter(|name| !name.is_empty()).unwrap_or(".*");
            let platform = platform.to_owned();
            let platform = platforms
                .entry(platform)
                .or_insert_with_key(|text| PlatformName::new(text))
                .clone();
            match platform.and_then(|platform| Row::new(templates, platform, command)) {
                Ok(row) => rows.push(Arc::new(row)),
                Err(reason) => faults.push((number, reason)),
            }
        }
        (Self { rows, id, is_own: false }, faults)
    }

    /// Platforms by their plain names, with how many rows each has.
    pub(super) fn platforms(&self) -> Vec<(String, usize)> {
        let mut written: Vec<(&Arc<PlatformName>, usize)> = Vec::new();
        for row in &self.rows {
            match written.iter_mut().find(|(known, _)| known.text == row.platform.text) {
                Some((_, count)) => *count += 1,
                None => written.push((&row.platform, 1)),
            }
        }
        let mut names: Vec<String> = written.iter().flat_map(|(known, _)| known.names()).collect();
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        let rows_for = |name: &str| {
            written.iter().filter(|(known, _)| known.is(name)).map(|(_, count)| count).sum()
        };
        names
            .into_iter()
            .map(|name| {
                let rows = rows_for(&name);
                (name, rows)
            })
            .collect()
    }
}

impl Row {
    pub(super) fn new(
        templates: &str,
        platform: Arc<PlatformName>,
        command: &str,
    ) -> Result<Self, String> {
        Ok(Self {
            templates: templates.split(':').map(str::to_owned).collect(),
            platform,
            command: command.to_owned(),
            command_expression: whole(&complete(command))?,
            begins: OnceLock::new(),
        })
    }

    pub(super) fn is_for(&self, platform: &str) -> bool {
        self.platform.is(platform)
    }

    /// True if the row's expression takes the whole command.
    pub(super) fn consumes(&self, command: &str) -> bool {
        self.command_expression.is_match(command)
    }

    /// True if the row's expression takes a beginning of the command, as ntc-templates asks.
    pub(super) fn begins(&self, command: &str) -> bool {
        let expression = self.begins.get_or_init(|| {
            Expression::new(&format!("(?i:{})", complete(&self.command)))
                .ok()
                .map(|(expression, _)| expression)
        });
        expression.as_ref().is_some_and(|expression| expression.is_match(command))
    }

    /// The command's expression with every `[[word]]` written out.
    pub(super) fn in_full(&self) -> Result<pattern::Node, pattern::PatternError> {
        // What is no word, such as the `[[/]]` of paths, may be left out.
        let command = self.command.replace("[[/]]", "/?").replace("[[", "").replace("]]", "");
        pattern::read(&command).map(|read| read.node)
    }
}

/// An expression that takes all of a text, in any case.
fn whole(text: &str) -> Result<Expression, String> {
    let expression = Expression::new(&format!("(?i:{text})$"));
    expression.map(|(expression, _)| expression).map_err(|error| error.to_string())
}

/// `ow` in double brackets becomes `(?:o(?:w)?)?`.
fn complete(command: &str) -> String {
    let mut result = String::new();
    let mut rest = command;
    while let Some((before, behind)) = rest.split_once("[[") {
        let Some((word, behind)) = behind.split_once("]]") else { break };
        result.push_str(before);
        for c in word.chars() {
            result.push_str("(?:");
            // A word may hold a hyphen or a dot.
            if !c.is_alphanumeric() {
                result.push('\\');
            }
            result.push(c);
        }
        result.push_str(&")?".repeat(word.chars().count()));
        rest = behind;
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_completed_word_is_every_beginning_of_it() {
        let platform = PlatformName::new("cisco_(asa|ftd)").unwrap();
        let row = Row::new("a.textfsm", platform, "sh[[ow]] ver[[sion]]").unwrap();
        for command in ["sh ver", "show version", "sho vers", "SHOW VERSION"] {
            assert!(row.consumes(command), "{command}");
        }
        for command in ["s ver", "show", "show versions", "show version x"] {
            assert!(!row.consumes(command), "{command}");
        }
        assert!(row.begins("show version x"));
        assert!(row.is_for("cisco_ftd") && !row.is_for("cisco_ftd2"));
    }

    #[test]
    fn platforms_are_counted_by_names_that_one_can_ask_for() {
        let text = "Template, Hostname, Platform, Command\n\na.textfsm, .*, cisco_(asa|ftd), show a\n\
                    b.textfsm, .*, cisco_ftd, show b\nc.textfsm, .*, .*vyos.*, show c\nd.textfsm, .*, x|y, show d\n";
        let counted = |name: &str, count| (name.to_owned(), count);
        let want = [("cisco_asa", 1), ("cisco_ftd", 2), ("vyos", 1), ("x", 1), ("y", 1)];
        assert_eq!(Index::parse(text, 0).0.platforms(), want.map(|(name, n)| counted(name, n)));
    }

    #[test]
    fn an_index_is_read_as_it_is_written() {
        let text = "# note\nTemplate, Hostname, Platform, Command\n\na.textfsm:b.textfsm, .*, x, sh[[ow]] a\n\
                    # c.textfsm, .*, x, show c\nd.textfsm, .*, x, show (d\nshort, row\n";
        let (index, faults) = Index::parse(text, 0);
        assert_eq!(index.rows.len(), 1);
        assert_eq!(index.rows[0].templates, ["a.textfsm", "b.textfsm"]);
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].0, 6);
    }
}
