//! The file `.env`: lines `NAME=value`, as shells and container tools write them, and nothing of a shell's beyond that.
//!
//! What stands between quotes is taken as it is; nothing is put in for `$`. A line that could be read in two ways is a
//! fault, which names its number and never its text: names without the prefix are other programs' business.

use std::{collections::BTreeMap, path::Path};

use super::{PREFIX, SettingsError};

/// Names of settings with their texts.
pub(super) type Pairs = BTreeMap<String, String>;

/// Reads the file, if it is there: the pairs, and what is wrong with lines of it.
///
/// # Errors
/// It is there and cannot be read.
pub(super) fn read(path: &Path) -> Result<(Pairs, Vec<String>), SettingsError> {
    let fault = |reason: String| SettingsError::File { path: path.to_owned(), reason };
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Default::default()),
        Err(error) => return Err(fault(error.to_string())),
    };
    let text = String::from_utf8(bytes).map_err(|_other| fault("it is not UTF-8".to_owned()))?;
    let (mut pairs, mut faults) = (BTreeMap::new(), Vec::new());
    // Editors on Windows put this mark in front.
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        match pair(line) {
            Ok(pair) => pairs.extend(pair),
            Err(reason) => faults.push(format!("{}: line {} {reason}", path.display(), index + 1)),
        }
    }
    Ok((pairs, faults))
}

/// The setting's name that a variable's name is for.
pub(super) fn setting_of(variable: &str) -> Option<String> {
    variable.strip_prefix(PREFIX).map(str::to_ascii_lowercase)
}

/// Name and value of a line; `None` for a comment, an empty line and other programs' names.
fn pair(line: &str) -> Result<Option<(String, String)>, &'static str> {
    let line = line.trim();
    let exported = line.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t']));
    let line = exported.unwrap_or(line).trim_start();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (name, value) = line.split_once('=').ok_or("is not NAME=value")?;
    let Some(name) = setting_of(name.trim_end()) else { return Ok(None) };
    Ok(Some((name, plain(value.trim_start())?.to_owned())))
}

/// A value without the quotes round it and the comment behind it.
fn plain(value: &str) -> Result<&str, &'static str> {
    if let Some(quote) = value.chars().next().filter(|first| ['"', '\''].contains(first)) {
        let (inner, behind) = value
            .get(1..)
            .and_then(|rest| rest.split_once(quote))
            .ok_or("has a quote that does not end")?;
        let behind = behind.trim_start();
        let is_over = behind.is_empty() || behind.starts_with('#');
        return if is_over { Ok(inner) } else { Err("has something behind the quotes") };
    }
    let is_comment = |(at, _): &(usize, &str)| {
        value.get(..*at).is_some_and(|before| before.is_empty() || before.ends_with([' ', '\t']))
    };
    let end = value.match_indices('#').find(is_comment).map_or(value.len(), |(at, _)| at);
    Ok(value.get(..end).unwrap_or_default().trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title(value: &str) -> Result<String, &'static str> {
        pair(&format!("SHOWRUNNER_TITLE={value}")).map(|pair| pair.unwrap().1)
    }

    #[test]
    fn a_value_is_what_stands_between_quotes_or_before_a_comment() {
        for (value, want) in [
            ("x", "x"),
            ("  a b  ", "a b"),
            ("a#b", "a#b"),
            ("a #b", "a"),
            ("a\t# b", "a"),
            ("# b", ""),
            ("", ""),
            ("\"\"", ""),
            ("\"a # b\" # c", "a # b"),
            ("\t'a \"b\"'", "a \"b\""),
            ("'$HOME\\n'", "$HOME\\n"),
        ] {
            assert_eq!(title(value).as_deref(), Ok(want), "{value:?}");
        }
        for value in ["\"a", "'a\"", "\"a\\\"b\"", "\"a\" b"] {
            assert!(title(value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn marks_line_ends_and_exports_of_other_systems_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        let text = "\u{feff}SHOWRUNNER_PORT=1\r\nexport\tSHOWRUNNER_HOST = ::1\r\nexporter=\"2\nhunter2\nSHOWRUNNER_TITLE='x\n";
        std::fs::write(&path, text).unwrap();
        let (pairs, faults) = read(&path).unwrap();
        let pairs: Vec<_> =
            pairs.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(pairs, [("host", "::1"), ("port", "1")]);
        let faults = faults.join("\n");
        assert!(
            faults.contains("line 4 is not NAME=value") && faults.contains("line 5 has a quote")
        );
        assert!(!faults.contains("hunter2"), "{faults}");
        std::fs::write(&path, b"SHOWRUNNER_TITLE=\xfc\n").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("it is not UTF-8"));
    }
}
