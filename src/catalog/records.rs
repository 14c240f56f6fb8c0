//! Tables and trees as JSON.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::{
    config_tree::Section,
    textfsm::{Cell, Item, Table, Template},
};

/// The rows of a table as objects with keys in lower case. Further tables add their columns to the rows of the first
/// that have the same keys, as ntc-templates does.
///
/// # Errors
/// The key column that a table does not have.
pub(super) fn merge(tables: Vec<(&Template, Table)>) -> Result<Vec<Value>, String> {
    let mut tables = tables.into_iter();
    let Some((template, first)) = tables.next() else { return Ok(Vec::new()) };
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
            mine.push(column(&header, key).ok_or_else(|| key.clone())?);
        }
        let new: Vec<usize> = (0..table.header.len())
            .filter(|at| !table.header.get(*at).is_some_and(|name| header.contains(name)))
            .collect();
        let mut theirs = Vec::new();
        // Python looks for the keys only where there are rows to compare.
        if !new.is_empty() && !rows.is_empty() && !table.rows.is_empty() {
            for key in &keys {
                theirs.push(column(&table.header, key).ok_or_else(|| key.clone())?);
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
            row.extend(cells_of(partner));
        }
        header.extend(new.iter().filter_map(|at| table.header.get(*at).cloned()));
    }
    let names: Vec<String> = header.iter().map(|name| name.to_lowercase()).collect();
    Ok(rows
        .into_iter()
        .map(|row| Value::Object(names.iter().cloned().zip(row.into_iter().map(cell)).collect()))
        .collect())
}

fn keys_of(template: &Template) -> Vec<String> {
    template.fields().filter(|field| field.is_key).map(|field| field.name.to_owned()).collect()
}

fn cell(cell: Cell) -> Value {
    match cell {
        Cell::Text(text) => Value::String(text),
        Cell::List(items) => Value::Array(items.into_iter().map(item).collect()),
    }
}

/// An item as ntc-templates gives it, but for groups inside: they are an object here, not Python's text of one.
fn item(item: Item) -> Value {
    match item {
        Item::Groups(groups) => Value::Object(
            groups
                .into_iter()
                .map(|(name, text)| (name, text.map_or(Value::Null, Value::String)))
                .collect(),
        ),
        Item::Text(text) => Value::String(text),
        Item::None => Value::String("None".to_owned()),
    }
}

/// Sections as objects: the line, and those beneath it.
pub(super) fn tree(sections: &[Section]) -> Value {
    let object = |section: &Section| {
        let mut object = Map::new();
        object.insert("line".to_owned(), Value::String(section.line.clone()));
        object.insert("children".to_owned(), tree(&section.children));
        Value::Object(object)
    };
    Value::Array(sections.iter().map(object).collect())
}
