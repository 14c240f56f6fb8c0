//! How long a verdict of the gate takes: `cargo bench --bench gate`.
#![expect(missing_docs, clippy::unwrap_used, reason = "a benchmark that fails may panic")]

use criterion::{Criterion, criterion_group, criterion_main};
use showrunner::{
    command::{CommandInput, CommandPolicy, FilterWhere, check},
    platform::Registry,
};

fn verdicts(criterion: &mut Criterion) {
    let registry = Registry::embedded().unwrap();
    let policy = CommandPolicy::default();
    let cases = [
        (
            "gate/accept_60_bytes",
            "ios",
            "show interfaces GigabitEthernet1/0/1 | include (rate|CRC|up)",
        ),
        ("gate/accept_plain", "ios", "show version"),
        (
            "gate/accept_chain",
            "nxos",
            "show ip access-lists | include \"permit tcp any any\" | count",
        ),
        (
            "gate/refuse_writing_filter",
            "ios",
            "show running-config | include hostname | redirect flash:x",
        ),
        (
            "gate/refuse_verb",
            "junos",
            "request system reboot in 5 message \"good bye everybody out\"",
        ),
    ];
    for (name, os, text) in cases {
        let platform = registry.find(os).unwrap();
        let input = CommandInput {
            text,
            pipe_option: None,
            pipe_value: None,
            filter_where: FilterWhere::Device,
        };
        criterion.bench_function(name, |bench| bench.iter(|| check(platform, &policy, &input)));
    }
}

criterion_group!(benches, verdicts);
criterion_main!(benches);
