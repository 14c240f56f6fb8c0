//! The index of a folder of templates: template, host name, platform, command, in ntc-templates' form.
//!
//! Commas part the columns, the first line names them, `#` begins a comment, `sh[[ow]]` stands for every
//! beginning from `sh` to `show`. Rows with another number of columns are passed over, as Python's library does.

use std::sync::{Arc, OnceLock};

use crate::textfsm::{matcher::Expression, pattern};

/// Rows in their order; the first that fits wins.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) rows: Vec<Arc<Row>>,
    /// Tells indexes apart, for what is remembered of them.
    pub(super) id: u64,
}

#[derive(Debug)]
pub(super) struct Row {
    /// Template files that fill one record together.
    pub(super) templates: Vec<String>,
    pub(super) platform: String,
    platform_expression: Expression,
    /// The command as the index has it.
    pub(super) command: String,
    command_expression: Expression,
    begins: OnceLock<Option<Expression>>,
}

impl Index {
    /// Reads an index. Rows that cannot be read are named, by line, and left out.
    pub(super) fn parse(text: &str, id: u64) -> (Self, Vec<(usize, String)>) {
        let mut faults = Vec::new();
        let mut rows = Vec::new();
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
            match Row::new(templates, cell("Platform").unwrap_or(".*"), command) {
                Ok(row) => rows.push(Arc::new(row)),
                Err(reason) => faults.push((number, reason)),
            }
        }
        (Self { rows, id }, faults)
    }

    /// True if the name stands in the index as it is.
    pub(super) fn has_platform(&self, name: &str) -> bool {
        self.rows.iter().any(|row| row.is_for(name))
    }

    /// Platforms by their plain names, with how many rows each has.
    pub(super) fn platforms(&self) -> Vec<(String, usize)> {
        let mut platforms: Vec<(String, usize)> = Vec::new();
        for row in &self.rows {
            match platforms.iter_mut().find(|(name, _)| *name == row.platform) {
                Some((_, count)) => *count += 1,
                None => platforms.push((row.platform.clone(), 1)),
            }
        }
        platforms
    }
}

impl Row {
    pub(super) fn new(templates: &str, platform: &str, command: &str) -> Result<Self, String> {
        let expression = |text: String| {
            Expression::new(&text).map(|(expression, _)| expression).map_err(|e| e.to_string())
        };
        Ok(Self {
            templates: templates.split(':').map(str::to_owned).collect(),
            platform: platform.to_owned(),
            platform_expression: expression(format!("(?i:{platform})$"))?,
            command: command.to_owned(),
            command_expression: expression(format!("(?i:{})$", complete(command)))?,
            begins: OnceLock::new(),
        })
    }

    pub(super) fn is_for(&self, platform: &str) -> bool {
        self.platform_expression.is_match(platform)
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
        let row = Row::new("a.textfsm", "cisco_(asa|ftd)", "sh[[ow]] ver[[sion]]").unwrap();
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
