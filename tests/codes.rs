//! The table of error codes and the code that answers with them say the same: no code is missing in either, and the
//! examples are sentences that the program can say.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::{collections::BTreeSet, fs};

use regex::Regex;
use showrunner::codes::{self, COMMANDS, DEVICES, ErrorCode, REQUESTS};

fn source(path: &str) -> String {
    fs::read_to_string(path).unwrap()
}

fn found(pattern: &str, text: &str) -> BTreeSet<String> {
    Regex::new(pattern).unwrap().captures_iter(text).map(|found| found[1].to_owned()).collect()
}

fn listed(codes: &[ErrorCode]) -> BTreeSet<String> {
    codes.iter().map(|known| known.code.to_owned()).collect()
}

/// The bodies of `fn code`, which map variants to codes.
fn of_variants(text: &str) -> BTreeSet<String> {
    let (_, body) = text.split_once("fn code(&self)").unwrap();
    found(r#"=> "([a-z_]+)""#, body.split_once("\n    }\n").unwrap().0)
}

const LITERAL: &str = r#"code: "([a-z_]+)""#;

#[test]
fn every_code_of_the_program_is_in_the_table_and_no_other() {
    assert_eq!(of_variants(&source("src/ssh/error.rs")), listed(DEVICES));
    let in_sessions = found(LITERAL, &source("src/ssh/session.rs"));
    let in_runs = found(LITERAL, &source("src/executor/device_run.rs"));
    assert_eq!(&in_sessions | &in_runs, listed(COMMANDS));
    let errors = source("src/http/error.rs");
    assert_eq!(&of_variants(&errors) | &found(LITERAL, &errors), listed(REQUESTS));
}

/// The words of a message that are always there, in order.
fn fixed_parts(message: &str) -> Vec<String> {
    Regex::new(r"\{[^}]*\}").unwrap().split(message).map(str::to_owned).collect()
}

#[test]
fn examples_are_sentences_that_the_program_says() {
    let errors = source("src/ssh/error.rs");
    let variant =
        Regex::new(r#"(?s)#\[error\(\s*"((?:[^"\\]|\\.)*)".*?\)\]\s+([A-Z][A-Za-z]+)"#).unwrap();
    let mut n_checked = 0;
    for found in variant.captures_iter(&errors) {
        let (message, name) = (&found[1], &found[2]);
        let code =
            Regex::new(&format!(r#"Self::{name}(?: \{{ \.\. \}})? => "([a-z_]+)""#)).unwrap();
        let code = code.captures(&errors).unwrap()[1].to_owned();
        let example = codes::find(&code).unwrap().example;
        let mut rest = example;
        for part in fixed_parts(message) {
            let at = rest.find(&part);
            assert!(at.is_some(), "{code}: the program says {message:?}, the example {example:?}");
            rest = rest.get(at.unwrap() + part.len()..).unwrap();
        }
        n_checked += 1;
    }
    assert_eq!(n_checked, DEVICES.len());
}
