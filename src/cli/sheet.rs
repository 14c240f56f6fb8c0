//! Rows and columns: as an aligned table for people, as CSV for programs.

use serde_json::Value;

/// Cells under names; a row has as many cells as there are names.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub(super) names: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Sheet {
    pub(super) fn new<const N: usize>(names: [&str; N]) -> Self {
        Self { names: names.map(str::to_owned).to_vec(), rows: Vec::new() }
    }

    /// Adds records, each behind the same first cells.
    pub(super) fn add_records(&mut self, first: &[String], records: &[Value]) {
        for record in records {
            self.add_record(first.to_vec(), record);
        }
    }

    /// Adds a record: fields that were not known before become columns, one with a first column's name as `record_…`.
    fn add_record(&mut self, first: Vec<String>, record: &Value) {
        let n_first = first.len();
        let mut row = first;
        row.resize(self.names.len().max(row.len()), String::new());
        let fields = record.as_object().into_iter().flatten();
        for (name, value) in fields {
            // Whose row it is stays to be seen.
            let is_taken = self.names.iter().take(n_first).any(|first| first == name);
            let name = if is_taken { format!("record_{name}") } else { name.clone() };
            let at = self.names.iter().position(|known| *known == name).unwrap_or_else(|| {
                self.names.push(name);
                self.names.len() - 1
            });
            row.resize(self.names.len().max(row.len()), String::new());
            if let Some(cell) = row.get_mut(at) {
                *cell = plain(value);
            }
        }
        self.rows.push(row);
    }

    /// Aligned columns, two blanks between them; a cell of several lines shows as one.
    pub(super) fn table(&self) -> String {
        let shown = |cell: &str| cell.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut rows = vec![self.names.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>()];
        rows.extend(self.rows.iter().map(|row| row.iter().map(|cell| shown(cell)).collect()));
        let width = |at: usize| {
            let cells = rows.iter().filter_map(|row| row.get(at));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.names.len()).map(width).collect();
        let mut text = String::new();
        for row in &rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text
    }

    /// CSV with a line of names.
    pub(super) fn csv(&self) -> String {
        // A row of no cells would be written as one that is empty.
        if self.names.is_empty() {
            return String::new();
        }
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        let width = self.names.len();
        let padded = |row: &[String]| {
            let mut row = row.to_vec();
            row.resize(width, String::new());
            row
        };
        // Writing to memory does not fail.
        let _ = writer.write_record(&self.names);
        for row in &self.rows {
            let _ = writer.write_record(padded(row));
        }
        let bytes = writer.into_inner().unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_default()
    }
}

/// A value as a cell: texts as they are, lists with `; ` between.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn records_with_different_fields_share_a_sheet() {
        let mut sheet = Sheet::new(["hostname"]);
        sheet.add_record(vec!["r1".into()], &json!({"a": "1", "b": ["x", "y"]}));
        sheet.add_record(vec!["r2".into()], &json!({"c": "say \"hi\",\nthen go", "a": null}));
        assert_eq!(sheet.csv(), "hostname,a,b,c\nr1,1,x; y,\nr2,,,\"say \"\"hi\"\",\nthen go\"\n");
        let table =
            "HOSTNAME  A  B     C\nr1        1  x; y\nr2                 say \"hi\", then go\n";
        assert_eq!(sheet.table(), table);
    }

    #[test]
    fn a_field_with_a_first_columns_name_does_not_overwrite_whose_row_it_is() {
        let mut sheet = Sheet::new(["hostname", "port"]);
        for (device, port) in [("10.0.0.1", "eth0"), ("10.0.0.2", "eth1")] {
            let record = json!({"port": port, "hostname": "edge", "status": "up"});
            sheet.add_records(&[device.to_owned(), "22".to_owned()], &[record]);
        }
        let want = "hostname,port,record_port,record_hostname,status\n\
                    10.0.0.1,22,eth0,edge,up\n10.0.0.2,22,eth1,edge,up\n";
        assert_eq!(sheet.csv(), want);
        let mut alone = Sheet::default();
        alone.add_records(&[], &[json!({"hostname": "edge"})]);
        assert_eq!(alone.csv(), "hostname\nedge\n");
    }
}
