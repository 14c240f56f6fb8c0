//! How fast the service is beside what it could be and what else there is: `cargo bench --bench speed`.
//!
//! One run, side by side, medians of several rounds; the numbers and how to read them are in `docs/performance.md`.
//! Sections by name, all of them without one: `limit`, `peers`, `growth`, `beside`; `predecessor` only by its name. The simulated devices, the bare
//! loop and the service are processes of their own; what is measured has one core, everything else the other.
#![expect(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and may panic if it fails"
)]

#[path = "../common/mod.rs"]
mod common;

mod bare;
mod beside;
mod echo;
mod fleet;
mod growth;
mod limit;
mod measure;
mod peers;
mod service;

/// A section of the report.
type Section = (&'static str, fn());

const SECTIONS: [Section; 4] = [
    ("limit", limit::run),
    ("peers", peers::run),
    ("growth", growth::run),
    ("beside", beside::run),
];

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match arguments.first().map(String::as_str) {
        Some("role-fleet") => fleet::serve(&arguments[1..]),
        Some("role-bare") => bare::serve(&arguments[1..]),
        Some("role-echo") => echo::serve(),
        _ => {
            println!("{}", common::machine());
            measure::stay_with_the_others();
            for (name, run) in SECTIONS {
                if arguments.is_empty() || arguments.iter().any(|word| word == name) {
                    run();
                }
            }
            if arguments.iter().any(|word| word == "predecessor") {
                peers::run_predecessor();
            }
        }
    }
}
