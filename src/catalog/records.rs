//! Tables and trees as JSON.
//!
//! Records are kept as the text that answers have: as values a record of a few letters would take hundreds of bytes, for its
//! map and for the names in it.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use serde::{Serialize, Serializer};
use serde_json::{Value, value::RawValue};

use crate::{
    config_tree::Section,
    textfsm::{Cell, Item, Limits, ParseError, Table, Template},
};

/// Most bytes that records have as JSON.
const MOST_BYTES: usize = 64 << 20;

/// Records, a configuration's tree or a device's own JSON, as JSON without line ends.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Records(Box<RawValue>);

impl Records {
    /// Writes what was read as JSON.
    ///
    /// # Errors
    /// It would have more than 64 MiB.
    pub fn write(read: &impl Serialize) -> Result<Self, TooLarge> {
        // Whatever fails here is the counter: values of ours always serialise.
        serde_json::to_writer(Counter { left: MOST_BYTES }, read)
            .and_then(|()| serde_json::value::to_raw_value(read))
            .map(Self)
            .map_err(|_counted| TooLarge)
    }

    /// What they take, in memory and in an answer.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.get().len()
    }

    /// The same as a value, which takes many times as much memory. Null if it is nested deeper than serde reads.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::from_str(self.0.get()).unwrap_or_default()
    }
}

impl PartialEq for Records {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

/// What was read has too many bytes as JSON.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("limit: records of more than {MOST_BYTES} bytes")]
pub struct TooLarge;

/// Takes so many bytes and keeps none.
struct Counter {
    left: usize,
}

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The rows of a table; they serialise as objects with keys in lower case.
pub(super) struct Rows {
    /// Each name once, with the column that it is of.
    fields: Vec<(String, usize)>,
    rows: Vec<Vec<Cell>>,
}

impl Rows {
    fn new(header: &[String], rows: Vec<Vec<Cell>>) -> Self {
        let mut fields: Vec<(String, usize)> = Vec::new();
        for (column, name) in header.iter().enumerate() {
            let name = name.to_lowercase();
            // Of names that differ in case only the last has the value.
            match fields.iter_mut().find(|(known, _)| *known == name) {
                Some((_, last)) => *last = column,
                None => fields.push((name, column)),
            }
        }
        Self { fields, rows }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl Serialize for Rows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(|row| Row { fields: &self.fields, row }))
    }
}

struct Row<'r> {
    fields: &'r [(String, usize)],
    row: &'r [Cell],
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.fields.iter();
        serializer
            .collect_map(fields.filter_map(|(name, column)| Some((name, self.row.get(*column)?))))
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
        }
    }
}

/// As ntc-templates gives it, but for groups inside: they are an object here, not Python's text of one.
impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Groups(groups) => {
                serializer.collect_map(groups.iter().map(|(name, text)| (name, text)))
            }
            Self::Text(text) => serializer.serialize_str(text),
            Self::None => serializer.serialize_str("None"),
        }
    }
}

/// The rows of a table. Further tables add their columns to the rows of the first that have the same keys, as ntc-templates
/// does.
///
/// # Errors
/// The key column that a table does not have; rows that take more than one table's may.
pub(super) fn merge(tables: Vec<(&Template, Table)>, limits: &Limits) -> Result<Rows, String> {
    let mut tables = tables.into_iter();
    let Some((template, first)) = tables.next() else { return Ok(Rows::new(&[], Vec::new())) };
    let mut added_bytes = 0;
    let mut keys = keys_of(template);
    let mut header = first.header.clone();
    let mut rows = first.rows;
    for (template, table) in tables {
        if keys.is_empty() {
            keys = keys_of(template);
        }
        let column = |header: &[String], name: &str| header.iter().position(|known| known == name);
        let mut mine = Vec::new();
        for key in &keys {
            mine.push(column(&header, key).ok_or_else(|| no_key(key))?);
        }
        let new: Vec<usize> = (0..table.header.len())
            .filter(|at| !table.header.get(*at).is_some_and(|name| header.contains(name)))
            .collect();
        let mut theirs = Vec::new();
        // Python looks for the keys only where there are rows to compare.
        if !new.is_empty() && !rows.is_empty() && !table.rows.is_empty() {
            for key in &keys {
                theirs.push(column(&table.header, key).ok_or_else(|| no_key(key))?);
            }
        }
        let cells_of = |row: Option<&Vec<Cell>>| -> Vec<Cell> {
            new.iter()
                .map(|at| {
                    row.and_then(|row| row.get(*at)).cloned().unwrap_or(Cell::Text(String::new()))
                })
                .collect()
        };
        let key_of = |row: &[Cell], columns: &[usize]| -> Vec<Cell> {
            columns.iter().filter_map(|at| row.get(*at)).cloned().collect()
        };
        // Of several rows with the same keys the first counts.
        let mut first: HashMap<Vec<Cell>, &Vec<Cell>> = HashMap::new();
        for row in &table.rows {
            first.entry(key_of(row, &theirs)).or_insert(row);
        }
        for (index, row) in rows.iter_mut().enumerate() {
            let partner = if mine.is_empty() {
                table.rows.get(index)
            } else {
                first.get(&key_of(row, &mine)).copied()
            };
            let cells = cells_of(partner);
            // One row of this table may be the partner of many, and none adds cells too.
            added_bytes +=
                cells.iter().map(|cell| size_of::<Cell>() + cell.text_bytes()).sum::<usize>();
            if added_bytes > limits.most_row_bytes {
                return Err(ParseError::RowBytes { most: limits.most_row_bytes }.to_string());
            }
            row.extend(cells);
        }
        header.extend(new.iter().filter_map(|at| table.header.get(*at).cloned()));
    }
    Ok(Rows::new(&header, rows))
}

fn no_key(key: &str) -> String {
    format!("there is no key column `{key}`")
}

fn keys_of(template: &Template) -> Vec<String> {
    template.fields().filter(|field| field.is_key).map(|field| field.name.to_owned()).collect()
}

/// Sections as objects: the line, and those beneath it.
pub(super) struct Tree<'t>(pub(super) &'t [Section<'t>]);

impl Serialize for Tree<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Object<'t> {
            line: &'t str,
            children: Tree<'t>,
        }
        let mut rest = self.0;
        let objects = std::iter::from_fn(|| {
            let (first, behind) = rest.split_first()?;
            let end = behind.iter().position(|section| section.depth <= first.depth);
            let (beneath, next) = behind.split_at_checked(end.unwrap_or(behind.len()))?;
            rest = next;
            Some(Object { line: first.line, children: Tree(beneath) })
        });
        serializer.collect_seq(objects)
    }
}
