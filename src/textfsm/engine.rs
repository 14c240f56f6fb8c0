//! Runs a template over a text, line by line.

use super::{
    action::{LineAction, RecordAction},
    bounds::{Limits, ParseError, unanswered},
    matcher::Unanswered,
    register::{Cell, Groups, Item, Register, Table},
    template::{Nested, Rule, State, Target, Template},
    watch::{Late, Watch},
};

/// An explanation longer than this is cut: it would be larger than the text.
const MOST_STEPS: usize = 20_000;
/// How much of a line an error shows, in characters.
const MOST_SHOWN: usize = 200;
/// What a cell has in JSON beside name and text: `"":"",`.
const CELL_BYTES: usize = 6;

/// A rule that matched a line, for an explanation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    /// The text's line, from 1.
    pub line: usize,
    /// The state in which it matched.
    pub state: String,
    /// The template's line.
    pub rule: usize,
}

impl Template {
    /// Reads the records of a text. `is_late` is asked now and then and ends it; `steps` gets the rules that matched, up to
    /// 20,000 of them.
    ///
    /// # Errors
    /// The template's own refusal, or the bound that was hit. What was read before is given up, as Python does.
    pub fn read(
        &self,
        text: &str,
        limits: &Limits,
        is_late: &dyn Fn() -> bool,
        steps: Option<&mut Vec<Step>>,
    ) -> Result<Table, ParseError> {
        if text.len() > limits.most_bytes {
            return Err(ParseError::InputSize { most: limits.most_bytes });
        }
        let registers = self.values.iter().map(|value| Register::new(&value.options)).collect();
        let mut run = Run {
            template: self,
            limits,
            watch: Watch::new(is_late, &self.memory),
            registers,
            rows: Vec::new(),
            name_bytes: self.values.iter().map(|value| value.name.len() + CELL_BYTES).sum(),
            row_bytes: 0,
            steps,
        };
        let mut at = Target::State(self.start);
        let mut last = 0;
        for (line, number) in lines(text).zip(1..) {
            let Target::State(index) = at else { break };
            let Some(state) = self.states.get(index) else { break };
            last = number;
            if line.len() > limits.most_line_bytes {
                return Err(ParseError::LineLength { line: number, most: limits.most_line_bytes });
            }
            if let Some(target) = run.line(state, line, number)? {
                at = target;
            }
        }
        if at != Target::End && !self.silent_end {
            run.record(last)?;
        }
        let header = self.values.iter().map(|value| value.name.clone()).collect();
        Ok(Table { header, rows: run.rows })
    }
}

struct Run<'t, 's> {
    template: &'t Template,
    limits: &'t Limits,
    watch: Watch<'s>,
    registers: Vec<Register<'t>>,
    rows: Vec<Vec<Cell>>,
    /// What a row has in JSON beside its text.
    name_bytes: usize,
    /// Names and text of all rows, and text of the lists being filled.
    row_bytes: usize,
    steps: Option<&'s mut Vec<Step>>,
}

impl Run<'_, '_> {
    /// Gives a line to the rules of a state; says where to go if one leads elsewhere.
    fn line(
        &mut self,
        state: &State,
        line: &str,
        number: usize,
    ) -> Result<Option<Target>, ParseError> {
        let expressions = state.rules.iter().map(|rule| &rule.expression);
        let verdict = state.matchers.ask(line, expressions, &self.watch);
        let verdict = verdict.map_err(|why| unanswered(why, &state.name, 0, number))?;
        for (index, rule) in state.rules.iter().enumerate() {
            let found = match verdict.of(index) {
                Some(false) => continue,
                // Nothing to look for in the line: that it matches is all.
                Some(true) if rule.groups.is_empty() => Ok(Some(Vec::new())),
                _ => {
                    let most = self.limits.most_backtracks;
                    rule.expression.spans(line, &rule.groups, most, &self.watch)
                }
            };
            let found = found.map_err(|why| unanswered(why, &state.name, rule.line, number))?;
            let Some(spans) = found else { continue };
            if let Some(steps) = self.steps.as_mut().filter(|steps| steps.len() < MOST_STEPS) {
                steps.push(Step { line: number, state: state.name.clone(), rule: rule.line });
            }
            for (value, span) in rule.fills.iter().zip(spans) {
                let text = span.and_then(|(start, end)| line.get(start..end));
                self.assign(*value, text, rule, number)?;
            }
            match rule.record {
                RecordAction::Keep => {}
                RecordAction::Clear => self.clear(),
                RecordAction::ClearAll => {
                    self.registers.iter_mut().for_each(Register::clear_all);
                }
                RecordAction::Record => self.record(number)?,
            }
            match &rule.action {
                LineAction::Continue => {}
                LineAction::Next => return Ok(rule.target),
                LineAction::Error(message) => {
                    return Err(ParseError::Refused {
                        rule: rule.line,
                        line: number,
                        text: line.chars().take(MOST_SHOWN).collect(),
                        message: message.clone(),
                    });
                }
            }
        }
        Ok(None)
    }

    fn assign(
        &mut self,
        value: usize,
        text: Option<&str>,
        rule: &Rule,
        line: usize,
    ) -> Result<(), ParseError> {
        let (Some(declared), Some(register)) =
            (self.template.values.get(value), self.registers.get_mut(value))
        else {
            return Ok(());
        };
        let groups = match (&declared.nested, text) {
            (None, _) => None,
            (Some(_), None) => {
                let value = declared.name.clone();
                return Err(ParseError::ListWithoutGroup { rule: rule.line, line, value });
            }
            (Some(nested), Some(text)) => nested
                .groups(text, self.limits.most_backtracks, &self.watch)
                .map_err(|why| unanswered(why, &declared.name, rule.line, line))?,
        };
        self.row_bytes += register.assign(text, groups);
        if self.row_bytes > self.limits.most_row_bytes {
            return Err(ParseError::RowBytes { most: self.limits.most_row_bytes });
        }
        if register.fills_up() {
            for row in self.rows.iter_mut().rev() {
                let Some(cell) = row.get_mut(value) else { break };
                if !cell.is_empty() {
                    break;
                }
                *cell = Cell::Text(register.text().to_owned());
                self.row_bytes += register.text().len();
                if self.row_bytes > self.limits.most_row_bytes {
                    return Err(ParseError::RowBytes { most: self.limits.most_row_bytes });
                }
            }
        }
        Ok(())
    }

    /// Puts the row into the table, unless something required is missing or there is nothing in it.
    fn record(&mut self, line: usize) -> Result<(), ParseError> {
        let items: usize = self.registers.iter().map(Register::items).sum();
        self.watch.note(1 + (items as u64 >> 4)).map_err(|Late| ParseError::Time { line })?;
        for register in &mut self.registers {
            if !register.settle() {
                self.clear();
                return Ok(());
            }
        }
        if self.registers.iter().all(Register::is_empty) {
            return Ok(());
        }
        let most = self.limits.most_rows.min(self.limits.most_cells / self.registers.len().max(1));
        if self.rows.len() >= most {
            return Err(ParseError::Rows { most });
        }
        let row: Vec<Cell> = self.registers.iter_mut().map(Register::take).collect();
        self.row_bytes += self.name_bytes + row.iter().map(Cell::text_bytes).sum::<usize>();
        if self.row_bytes > self.limits.most_row_bytes {
            return Err(ParseError::RowBytes { most: self.limits.most_row_bytes });
        }
        self.rows.push(row);
        self.clear();
        Ok(())
    }

    fn clear(&mut self) {
        self.registers.iter_mut().for_each(Register::clear);
    }
}

impl Nested {
    /// The named groups in what the list's group matched; `None` if there are none or it does not match alone.
    fn groups(
        &self,
        text: &str,
        most_backtracks: usize,
        watch: &Watch,
    ) -> Result<Option<Groups>, Unanswered> {
        if self.names.is_empty() {
            return Ok(None);
        }
        let spans = self.expression.spans(text, &self.numbers, most_backtracks, watch)?;
        Ok(spans.map(|spans| {
            let matched = spans
                .into_iter()
                .map(|span| span.and_then(|(start, end)| text.get(start..end)).map(str::to_owned));
            self.names.iter().cloned().zip(matched).collect()
        }))
    }
}

impl Item {
    /// The item as text: Python's word for nothing, and its text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::None => Some("None"),
            Self::Text(text) => Some(text),
            Self::Groups(_) => None,
        }
    }
}

/// The lines of a text as Python parts them: at ten characters and at CR LF.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let bytes = rest.as_bytes();
        let mut at = 0;
        let (end, next) = loop {
            match bytes.get(at) {
                None => break (at, at),
                Some(b'\r') if bytes.get(at + 1) == Some(&b'\n') => break (at, at + 2),
                Some(b'\n' | b'\r' | 0x0b | 0x0c | 0x1c..=0x1e) => break (at, at + 1),
                Some(0xc2) if bytes.get(at + 1) == Some(&0x85) => break (at, at + 2),
                Some(0xe2)
                    if bytes.get(at + 1) == Some(&0x80)
                        && matches!(bytes.get(at + 2), Some(0xa8 | 0xa9)) =>
                {
                    break (at, at + 3);
                }
                Some(_) => at += 1,
            }
        };
        let line = rest.get(..end)?;
        rest = rest.get(next..)?;
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn lines_end_where_pythons_lines_end() {
        let text =
            "a\nb\rc\r\nd\u{b}e\u{c}f\u{1c}g\u{1d}h\u{1e}i\u{85}j\u{2028}k\u{2029}l\u{1f}m\n";
        let parts: Vec<_> = lines(text).collect();
        assert_eq!(parts, ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l\u{1f}m"]);
        assert_eq!(lines("").count(), 0);
        assert_eq!(lines("\n\n").count(), 2);
        assert_eq!(lines("\u{2027}x").collect::<Vec<_>>(), ["\u{2027}x"]);
    }
}
