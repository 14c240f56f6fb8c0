//! Lists of devices in files: CSV with a line of names, YAML, or JSON; the names are those of a request.
//!
//! Nothing is checked here: what comes out is a request's body, which goes the same way as one that came by HTTP.

use std::{fs, path::Path};

use serde_json::{Map, Value, json};

use crate::wire::field::nearest;

const HOSTNAME: &str = "hostname";

/// The body that a file is, or the devices of; its kind is told by the name's end.
pub(super) fn read(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
    let read = match kind.to_ascii_lowercase().as_str() {
        "csv" => of_csv(&text),
        "yaml" | "yml" | "json" => of_yaml(&text),
        _ => Err("name it .csv, .yaml or .json, so that its kind is known".to_owned()),
    };
    read.map_err(|reason| format!("{}: {reason}", path.display()))
}

/// YAML has all of JSON. Places of faults are named, their text is not: it may be a password.
fn of_yaml(text: &str) -> Result<Value, String> {
    let value: Value = serde_yaml_ng::from_str(text).map_err(|error| match error.location() {
        Some(at) => format!("no YAML or JSON at line {} column {}", at.line(), at.column()),
        None => "no YAML or JSON".to_owned(),
    })?;
    match value {
        Value::Array(devices) => Ok(json!({ "devices": devices })),
        body @ Value::Object(_) => Ok(body),
        _ => Err("neither a list of devices nor an object with `devices`".to_owned()),
    }
}

/// Empty cells are fields that are not given; `port` is a number, `commands` a list with `;` between. Spreadsheets of
/// some countries write `;` or a tab between cells; the line of names says which.
fn of_csv(text: &str) -> Result<Value, String> {
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().next().unwrap_or_default();
    let delimiter = [b',', b';', b'\t'].into_iter().find(|cut| first.as_bytes().contains(cut));
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::Headers)
        .delimiter(delimiter.unwrap_or(b','))
        .from_reader(text.as_bytes());
    let names = reader.headers().map_err(|error| broken(&error))?;
    let names: Vec<String> = names.iter().map(str::to_lowercase).collect();
    if !names.iter().any(|name| name == HOSTNAME) {
        let meant = names.iter().find(|name| nearest(name, &[HOSTNAME]).is_some());
        let meant = meant.map(|name| format!("; call the column `{name}` so")).unwrap_or_default();
        return Err(format!(
            "the first line has to name the columns, `{HOSTNAME}` among them{meant}"
        ));
    }
    let mut devices = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| broken(&error))?;
        let cells = names.iter().zip(&row).filter(|(_, cell)| !cell.is_empty());
        let device: Map<String, Value> =
            cells.map(|(name, cell)| (name.clone(), of_cell(name, cell))).collect();
        devices.push(Value::Object(device));
    }
    Ok(json!({ "devices": devices }))
}

fn broken(error: &csv::Error) -> String {
    let line = error.position().map(|at| format!(" at line {}", at.line())).unwrap_or_default();
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("no CSV{line}: it has {len} cells, the line of names {expected_len}")
        }
        _ => format!("no CSV{line}"),
    }
}

fn of_cell(name: &str, cell: &str) -> Value {
    match name {
        "port" => cell.trim().parse::<u16>().map_or_else(|_not_one| cell.into(), Value::from),
        "commands" => cell.split(';').map(str::trim).filter(|line| !line.is_empty()).collect(),
        // A blank may belong to a secret, but not to these.
        HOSTNAME | "username" | "os" => cell.trim().into(),
        _ => cell.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> Result<Value, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn a_list_is_the_same_in_every_kind_of_file() {
        let csv = "hostname, port,os,password,commands\n10.0.0.1,2201,ios,\"a,\"\"b\",\nr2,,eos,c,show clock; show version\n";
        let yaml = "- {hostname: 10.0.0.1, port: 2201, os: ios, password: 'a,\"b'}\n- hostname: r2\n  os: eos\n  password: c\n  commands: [show clock, show version]\n";
        let json = r#"[{"hostname":"10.0.0.1","port":2201,"os":"ios","password":"a,\"b"},
            {"hostname":"r2","os":"eos","password":"c","commands":["show clock","show version"]}]"#;
        let want = file("a.csv", csv).unwrap();
        assert_eq!(want["devices"].as_array().unwrap().len(), 2);
        assert_eq!(file("a.yaml", yaml).unwrap(), want);
        assert_eq!(file("a.JSON", json).unwrap(), want);
        assert_eq!(file("a.yml", &format!("devices: {json}")).unwrap(), want);
        let of_excel = "\u{feff}Hostname;Port;OS;Password;Commands\r\n10.0.0.1;2201; ios;\"a,\"\"b\";\r\nr2;;eos;c;\"show clock; show version\"\r\n\r\n";
        assert_eq!(file("a.csv", of_excel).unwrap(), want);
        let of_tabs = "hostname\tport\tos\tpassword\tcommands\n10.0.0.1\t2201\tios\t\"a,\"\"b\"\t\nr2\t\teos\tc\tshow clock; show version\n";
        assert_eq!(file("a.csv", of_tabs).unwrap(), want);
    }

    #[test]
    fn a_broken_file_is_named_with_its_line_and_never_repeated() {
        for (name, text, want) in [
            (
                "a.csv",
                "hostname,password\nr1,hunter2\nr2,hunter2,hunter2\n",
                "no CSV at line 3: it has 3 cells",
            ),
            ("a.csv", "10.0.0.1,hunter2\n", "has to name the columns, `hostname` among them"),
            ("a.csv", "ip,os\n10.0.0.1,ios\n", "call the column `ip` so"),
            ("a.yaml", "- hostname: r1\n  password: [hunter2\n", "no YAML or JSON at line"),
            ("a.yaml", "hunter2", "neither a list"),
            ("a.txt", "hunter2", "name it .csv"),
        ] {
            let said = file(name, text).unwrap_err();
            assert!(said.contains(want) && !said.contains("hunter2"), "{said}");
        }
        assert!(read(Path::new("/nowhere/a.csv")).is_err());
    }
}
