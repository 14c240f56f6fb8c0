//! Reads and checks a template: values, states, rules.
//!
//! Whatever Python's library refuses is refused here too, with the line and the reason. Nothing is compiled yet.

use std::collections::HashMap;

use super::{
    action::{self, Action, LineAction, RecordAction, is_space},
    matcher::{Expression, Matchers},
    register::ValueOption,
    watch::Memory,
};

/// The longest name of a value or a state, in characters.
const LONGEST_NAME: usize = 48;

/// The text of all expressions, in bytes, with the values' put in for their names.
const MOST_EXPRESSION_BYTES: usize = 4 << 20;

/// What is wrong with a template.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct TemplateError {
    /// From 1.
    pub line: usize,
    /// One clause.
    pub reason: String,
}

impl TemplateError {
    fn new(line: usize, reason: impl Into<String>) -> Self {
        Self { line, reason: reason.into() }
    }
}

/// A template that was read and checked; compiled as it is used, shared between threads.
#[derive(Debug)]
pub struct Template {
    pub(super) values: Vec<Value>,
    pub(super) states: Vec<State>,
    pub(super) start: usize,
    /// An `EOF` state is declared: no row of its own accord at the end.
    pub(super) silent_end: bool,
    pub(super) memory: Memory,
}

/// A value as a record's field.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Field<'t> {
    /// The name as the template spells it.
    pub name: &'t str,
    /// Lists of strings instead of strings.
    pub is_list: bool,
    /// Part of what tells rows apart.
    pub is_key: bool,
}

#[derive(Debug)]
pub(super) struct Value {
    pub(super) name: String,
    pub(super) options: Vec<ValueOption>,
    /// Of a list with groups inside: the expression and its named groups.
    pub(super) nested: Option<Nested>,
}

#[derive(Debug)]
pub(super) struct Nested {
    pub(super) expression: Expression,
    pub(super) names: Vec<String>,
    pub(super) numbers: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) name: String,
    pub(super) rules: Vec<Rule>,
    pub(super) matchers: Matchers,
}

#[derive(Debug)]
pub(super) struct Rule {
    /// From 1, in the template.
    pub(super) line: usize,
    pub(super) expression: Expression,
    /// The groups that fill values, and which.
    pub(super) groups: Vec<usize>,
    pub(super) fills: Vec<usize>,
    pub(super) action: LineAction,
    pub(super) record: RecordAction,
    pub(super) target: Option<Target>,
}

/// Where a rule leads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Target {
    State(usize),
    /// Reading is over, nothing more is recorded.
    End,
    /// Reading is over as if the text were.
    Eof,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// The first fault, its line and the reason.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        // As Python's text files: all line ends are one.
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let mut lines = text
            .lines()
            .map(|line| line.trim_end_matches(is_space))
            .zip(1..)
            .map(|(line, number)| (number, line));
        let mut draft = Draft::default();
        draft.read_values(&mut lines)?;
        while draft.read_state(&mut lines)? {}
        draft.finish(text.lines().count())
    }

    /// The values, in their order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.values.iter().map(|value| Field {
            name: &value.name,
            is_list: value.options.contains(&ValueOption::List),
            is_key: value.options.contains(&ValueOption::Key),
        })
    }
}

/// A rule and the name of the state it leads to.
type Leading = (Rule, Option<String>);

#[derive(Default)]
struct Draft {
    values: Vec<Value>,
    /// The expression of each value, with its name in it.
    expressions: HashMap<String, String>,
    states: Vec<(String, Vec<Leading>)>,
    expression_bytes: usize,
}

impl Draft {
    fn read_values<'t>(
        &mut self,
        lines: &mut impl Iterator<Item = (usize, &'t str)>,
    ) -> Result<(), TemplateError> {
        for (number, line) in lines {
            if line.is_empty() {
                return Ok(());
            }
            if is_comment(line) {
                continue;
            }
            let Some(declaration) = line.strip_prefix("Value ") else {
                return Err(TemplateError::new(
                    number,
                    if self.values.is_empty() {
                        "no Value definitions found"
                    } else {
                        "expected a blank line after the last Value"
                    },
                ));
            };
            self.read_value(declaration).map_err(|reason| TemplateError::new(number, reason))?;
        }
        Ok(())
    }

    fn read_value(&mut self, declaration: &str) -> Result<(), String> {
        let (first, rest) =
            declaration.split_once(' ').ok_or("expected a name and an expression")?;
        let (options, name, expression) = if rest.starts_with('(') {
            (None, first, rest)
        } else {
            let (name, expression) = rest.split_once(' ').unwrap_or((rest, ""));
            (Some(first), name, expression)
        };
        let mut known = Vec::new();
        for word in options.into_iter().flat_map(|options| options.split(',')) {
            let option =
                ValueOption::parse(word).ok_or_else(|| format!("unknown option `{word}`"))?;
            if known.contains(&option) {
                return Err(format!("duplicate option `{word}`"));
            }
            known.push(option);
        }
        if name.chars().count() > LONGEST_NAME {
            return Err(format!("the name `{name}` is longer than {LONGEST_NAME} characters"));
        }
        if self.values.iter().any(|value| value.name == name) {
            return Err(format!("duplicate declaration of `{name}`"));
        }
        let inside = expression.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
        let inside = inside.filter(|text| !text.ends_with('\\'));
        let inside =
            inside.ok_or_else(|| format!("the expression of `{name}` must stand in ( )"))?;
        let (compiled, read) = Expression::new(expression)
            .map_err(|error| format!("the expression of `{name}`: {error}"))?;
        let nested = (known.contains(&ValueOption::List) && read.groups > 1).then(|| Nested {
            expression: compiled,
            numbers: read.names.iter().map(|group| group.number).collect(),
            names: read.names.into_iter().map(|group| group.name).collect(),
        });
        self.expressions.insert(name.to_owned(), format!("(?P<{name}>{inside})"));
        self.values.push(Value { name: name.to_owned(), options: known, nested });
        Ok(())
    }

    /// Reads one state with its rules. False if there is none any more.
    fn read_state<'t>(
        &mut self,
        lines: &mut impl Iterator<Item = (usize, &'t str)>,
    ) -> Result<bool, TemplateError> {
        let Some((number, name)) = lines.find(|(_, line)| !line.is_empty() && !is_comment(line))
        else {
            return Ok(false);
        };
        if !action::is_word(name)
            || name.chars().count() > LONGEST_NAME
            || action::is_reserved(name)
        {
            return Err(TemplateError::new(number, format!("invalid state name `{name}`")));
        }
        if self.states.iter().any(|(known, _)| known == name) {
            return Err(TemplateError::new(number, format!("duplicate state name `{name}`")));
        }
        let mut rules = Vec::new();
        for (number, line) in lines {
            if line.is_empty() {
                break;
            }
            if is_comment(line) {
                continue;
            }
            if ![" ^", "  ^", "\t^"].iter().any(|start| line.starts_with(start)) {
                return Err(TemplateError::new(
                    number,
                    "a rule begins with one or two blanks (or a tab) and `^`",
                ));
            }
            let rule = self.read_rule(number, line.trim_matches(is_space));
            rules.push(rule.map_err(|reason| TemplateError::new(number, reason))?);
        }
        self.states.push((name.to_owned(), rules));
        Ok(true)
    }

    fn read_rule(&mut self, number: usize, line: &str) -> Result<Leading, String> {
        let (matches, action) = match last_arrow(line) {
            Some((matches, action)) => (matches, Action::parse(action)?),
            None => (line, Action::default()),
        };
        let source = self.substitute(matches)?;
        self.expression_bytes += source.len();
        if self.expression_bytes > MOST_EXPRESSION_BYTES {
            return Err(format!(
                "all expressions together have more than {MOST_EXPRESSION_BYTES} bytes"
            ));
        }
        let (expression, read) =
            Expression::new(&source).map_err(|error| format!("the expression: {error}"))?;
        let mut groups = Vec::new();
        let mut fills = Vec::new();
        for group in read.names {
            if let Some(value) = self.values.iter().position(|value| value.name == group.name) {
                groups.push(group.number);
                fills.push(value);
            }
        }
        let Action { line: action, record, state } = action;
        let rule = Rule { line: number, expression, groups, fills, action, record, target: None };
        Ok((rule, state))
    }

    /// Puts the values' expressions in for `${NAME}` and `$NAME`; `$$` is a dollar.
    fn substitute(&self, text: &str) -> Result<String, String> {
        // Python leaves dollars alone in a template without values.
        if self.values.is_empty() {
            return Ok(text.to_owned());
        }
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('$') {
            result.push_str(before);
            if let Some(behind) = behind.strip_prefix('$') {
                result.push('$');
                rest = behind;
                continue;
            }
            let braced = behind.strip_prefix('{');
            let start = braced.unwrap_or(behind);
            let end = start.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let (name, behind) = start.split_at(end.unwrap_or(start.len()));
            let behind = if braced.is_some() { behind.strip_prefix('}') } else { Some(behind) };
            let well = !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit());
            let Some(behind) = behind.filter(|_| well) else {
                return Err("a dollar that begins no ${NAME}; the end of a line is $$".to_owned());
            };
            let expression =
                self.expressions.get(name).ok_or_else(|| format!("there is no value `{name}`"))?;
            result.push_str(expression);
            rest = behind;
        }
        result.push_str(rest);
        Ok(result)
    }

    /// Checks where rules lead.
    fn finish(self, last_line: usize) -> Result<Template, TemplateError> {
        let state = |name: &str| self.states.iter().find(|(known, _)| known == name);
        if state("Start").is_none() {
            return Err(TemplateError::new(last_line, "there is no state `Start`"));
        }
        for reserved in ["End", "EOF"] {
            if let Some((rule, _)) = state(reserved).and_then(|(_, rules)| rules.first()) {
                return Err(TemplateError::new(
                    rule.line,
                    format!("state `{reserved}` must be empty"),
                ));
            }
        }
        let silent_end = state("EOF").is_some();
        let names: Vec<String> = self.states.iter().map(|(name, _)| name.clone()).collect();
        let mut states = Vec::new();
        for (name, rules) in self.states {
            let mut resolved = Vec::new();
            for (mut rule, target) in rules {
                rule.target = match target.as_deref() {
                    None => None,
                    Some("End") => Some(Target::End),
                    Some("EOF") => Some(Target::Eof),
                    Some(target) => {
                        let index = names.iter().position(|name| name == target);
                        Some(Target::State(index.ok_or_else(|| {
                            TemplateError::new(rule.line, format!("there is no state `{target}`"))
                        })?))
                    }
                };
                resolved.push(rule);
            }
            let matchers = Matchers::new(resolved.iter().map(|rule| &rule.expression));
            states.push(State { name, rules: resolved, matchers });
        }
        let start = names.iter().position(|name| name == "Start").unwrap_or(0);
        let memory = Memory::default();
        Ok(Template { values: self.values, states, start, silent_end, memory })
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start_matches(is_space).starts_with('#')
}

/// The line before and behind its last ` ->`.
fn last_arrow(line: &str) -> Option<(&str, &str)> {
    line.rmatch_indices("->").find_map(|(at, _)| {
        let (before, behind) = (line.get(..at)?, line.get(at + 2..)?);
        let blank = before.chars().next_back().filter(|c| is_space(*c))?;
        Some((before.strip_suffix(blank)?, behind))
    })
}
