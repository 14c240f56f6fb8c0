//! What the gate lets through is one short line of printable ASCII that it lets through again.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use showrunner::{
    command::{CommandInput, CommandPolicy, FilterWhere, check},
    platform::Registry,
};

fuzz_target!(|input: (u8, &str)| {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    let registry = REGISTRY.get_or_init(|| Registry::embedded().expect("definitions are tested"));
    let (number, text) = input;
    let Some(platform) = registry.iter().nth(usize::from(number) % 55) else { return };
    let policy = CommandPolicy::default();
    let ask = |text: &str| {
        let filter_where = FilterWhere::Device;
        check(platform, &policy, &CommandInput { text, pipe_option: None, pipe_value: None, filter_where })
    };
    if let Ok(checked) = ask(text) {
        let line = checked.line().as_str();
        assert!(line.len() <= 512 && line.bytes().all(|b| (0x20..=0x7e).contains(&b)));
        assert!(!line.contains([';', '`', '<', '>', '&', '?']));
        assert_eq!(ask(line).expect("accepted again").line(), checked.line());
    }
});
