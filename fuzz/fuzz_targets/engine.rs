//! No rule on no text makes the engine panic, and rows have a cell for each value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use showrunner::textfsm::{Limits, Template};

fuzz_target!(|input: (Vec<&str>, &str)| {
    let (rules, text) = input;
    let mut template = String::from("Value Filldown A (\\w+)\nValue List B (\\S*)\nValue Required,Fillup C (.)\n\nStart\n");
    for (rule, action) in rules.iter().take(8).zip(["Record", "Continue", "Next", "Clear"].iter().cycle()) {
        template.push_str(&format!(" ^{} -> {action}\n", rule.replace(['\n', '\r'], "")));
    }
    let Ok(template) = Template::parse(&template) else { return };
    let limits = Limits { most_backtracks: 1000, ..Limits::default() };
    if let Ok(table) = template.read(text, &limits, &|| false, None) {
        assert!(table.rows.iter().all(|row| row.len() == table.header.len()));
    }
});
