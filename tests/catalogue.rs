//! The gate against the shared catalogue of commands and against our own, row by row.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails may panic")]

use showrunner::{
    command::{CommandInput, CommandPolicy, FilterWhere, check},
    platform::Registry,
};

/// The rows whose verdict is not the expected one; `uncertain` rows are decided in `docs/security.md`.
fn wrong_rows(text: &str) -> Vec<String> {
    let registry = Registry::embedded().unwrap();
    let policy = CommandPolicy::default();
    let mut wrong = Vec::new();
    for (number, row) in text.lines().enumerate().skip(1) {
        if row.is_empty() || row.starts_with('#') {
            continue;
        }
        let mut columns = row.split('\t');
        let (name, command, expected) =
            (columns.next().unwrap(), columns.next().unwrap(), columns.next().unwrap());
        let command: String = serde_json::from_str(command).unwrap();
        let platform = registry.find(name).unwrap_or_else(|| panic!("no platform {name}"));
        let input = CommandInput {
            text: &command,
            pipe_option: None,
            pipe_value: None,
            filter_where: FilterWhere::Device,
        };
        let verdict = check(platform, &policy, &input);
        let allowed = verdict.is_ok();
        if expected != "uncertain" && allowed != (expected == "allow") {
            let found =
                verdict.map_or_else(|no| no.to_string(), |yes| yes.line().as_str().to_owned());
            wrong.push(format!(
                "line {}: {name} {command:?} must be {expected}: {found}",
                number + 1
            ));
        }
    }
    wrong
}

#[test]
fn every_row_of_the_shared_catalogue_gets_its_verdict() {
    let Some(folder) = std::env::var_os("CONFORMANCE_DATA") else {
        eprintln!(
            "SKIPPED every_row_of_the_shared_catalogue_gets_its_verdict: CONFORMANCE_DATA is not set"
        );
        return;
    };
    let path = std::path::Path::new(&folder).join("commands.tsv");
    let wrong = wrong_rows(&std::fs::read_to_string(path).unwrap());
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_row_of_our_own_catalogue_gets_its_verdict() {
    let wrong = wrong_rows(include_str!("../fixtures/commands.tsv"));
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}
