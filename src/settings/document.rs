//! What is said of the settings, made of the table: `docs/configuration.md`, `.env.example`, `showrunner config`.

use std::fmt::Write as _;

use super::{
    row::Row,
    sources::{Loaded, Origin, variable},
    table::Settings,
};

/// `docs/configuration.md`.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(MARKDOWN_HEAD);
    for (section, rows) in sections() {
        let _ = write!(
            text,
            "\n## {section}\n\n| setting | default | value | what for |\n| --- | --- | --- | --- |\n"
        );
        for row in rows {
            let default = row.default.as_ref().map_or("not set".to_owned(), |value| {
                let value = plain(value);
                if value.is_empty() { "empty".to_owned() } else { format!("`{value}`") }
            });
            let reloads = if row.reloads { " *Reloads.*" } else { "" };
            let _ = writeln!(
                text,
                "| `{}` | {default} | {} | {}{reloads} |",
                variable(row.name),
                row.want.replace('|', "\\|"),
                row.sentence.replace('|', "\\|"),
            );
        }
    }
    text
}

/// `.env.example`: every variable with its default, commented out: a copy changes nothing, in this version and the next.
#[must_use]
pub fn env_example() -> String {
    let mut text = String::from(ENV_HEAD);
    for (section, rows) in sections() {
        let _ = write!(text, "\n# {section}\n");
        for row in rows {
            for line in wrapped(&format!("{} Value: {}.", row.sentence, row.want)) {
                let _ = writeln!(text, "# {line}");
            }
            let value = row.default.as_ref().map(plain).unwrap_or_default();
            let _ = writeln!(text, "#{}={value}", variable(row.name));
        }
    }
    text
}

/// The settings as they are, as a TOML file, each with where it comes from.
#[must_use]
pub fn effective(loaded: &Loaded) -> String {
    let values = loaded.settings.values();
    let mut lines = Vec::new();
    for (name, value) in values {
        let origin = loaded.origin(name);
        lines.push(match value {
            Some(value) => (format!("{name} = {value}"), origin),
            None if origin == Origin::Default => (format!("# {name} is not set"), origin),
            None => (format!("# {name} is set to nothing"), origin),
        });
    }
    let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0).min(50);
    lines.iter().fold(String::new(), |mut text, (line, origin)| {
        let _ = writeln!(text, "{line:width$}  # {origin}");
        text
    })
}

const MARKDOWN_HEAD: &str = "\
# Configuration

Made from the table in `src/settings/table.rs`; `UPDATE_DOCS=1 cargo test documents` writes it again.

Settings come from five places, each later one winning: the defaults, a TOML file, a file `.env` in the working directory,
`SHOWRUNNER_*` variables, the command line. The names are the same everywhere: `SHOWRUNNER_CONNECT_TIMEOUT` is `connect_timeout` in
the TOML file and `--connect-timeout` on the command line. `SHOWRUNNER_CONFIG_FILE` or `--config-file` names the TOML file.
Lists are arrays, `[\"a\", \"b\"]`; in variables and arguments also `a, b`. In `.env` a value ends with its quotes or before a `#` that has a blank
before it; nothing is put in for `$` or `\\`.

A wrong value or an unknown name stops the start; all of them are named at once, with what would be right. A text that looks like a secret is
not repeated.
`showrunner config` prints every value with the place it comes from, `showrunner check-config` checks them and exits.
No setting holds a secret: keys and certificates are files that a setting names.
";

const ENV_HEAD: &str = "\
# Every setting with its default, made from the table in src/settings/table.rs; take the `#` before those that you change away. The
# program reads a file `.env` in its working directory; SHOWRUNNER_* variables of its environment win over it.
# docs/configuration.md has more.
";

fn sections() -> Vec<(&'static str, Vec<Row>)> {
    let mut sections: Vec<(&str, Vec<Row>)> = Vec::new();
    for row in Settings::rows() {
        match sections.last_mut() {
            Some((section, rows)) if *section == row.section => rows.push(row),
            _ => sections.push((row.section, vec![row])),
        }
    }
    sections
}

/// A value as a variable has it.
fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(items) if items.is_empty() => String::new(),
        other => other.to_string(),
    }
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => word.clone_into(line),
            Some(line) if line.chars().count() + word.chars().count() < 120 => {
                let _ = write!(line, " {word}");
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_say_what_the_table_says() {
        for (path, text) in [("docs/configuration.md", markdown()), (".env.example", env_example())]
        {
            if std::env::var_os("UPDATE_DOCS").is_some() {
                std::fs::write(path, &text).unwrap();
            }
            let kept = std::fs::read_to_string(path).unwrap_or_default();
            assert!(kept == text, "{path} is not what the table says: run with UPDATE_DOCS=1");
        }
    }
}
