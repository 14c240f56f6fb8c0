//! No text makes the template reader panic, and what it takes can be run.
#![no_main]

use libfuzzer_sys::fuzz_target;
use showrunner::textfsm::{Limits, Template};

fuzz_target!(|text: &str| {
    if let Ok(template) = Template::parse(text) {
        let limits = Limits { most_backtracks: 1000, ..Limits::default() };
        let _ = template.read("one two 3\n\n  four: 5/6\n", &limits, &|| false, None);
    }
});
