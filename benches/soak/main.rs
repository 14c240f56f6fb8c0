//! The service for a long time under devices of every kind: `make soak`.
//!
//! Sessions are drawn by a seeded generator, one of ten with a device that has a fault of the simulator's table. Every
//! answer is judged; memory, threads and descriptors of the service are watched. Fails if an answer is wrong, if a
//! healthy device was harmed, or if anything is left or grows. `docs/reliability.md` has figures and how to read them.
//!
//! `SOAK_SESSIONS` (50000), `SOAK_SEED` (20261121), `SOAK_CALLERS` (16), `SOAK_ONLY` (faults to draw from, such as
//! `drip,no_echo`; `none` for healthy devices only). A program in `SOAK_WRAPPER` runs the service,
//! such as `valgrind`.
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

mod draw;
mod fleet;
mod judge;
mod load;
mod report;
mod service;
mod watch;

use std::{process::ExitCode, sync::Arc, time::Instant};

use crate::{draw::Plan, fleet::Fleet, load::Tally, service::Service, watch::Watch};

fn main() -> ExitCode {
    let role = std::env::args().nth(1);
    if role.as_deref() == Some("role-fleet") {
        fleet::serve();
        return ExitCode::SUCCESS;
    }
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().expect("it is a number"))
    };
    let sessions = usize::try_from(number("SOAK_SESSIONS", 50_000)).unwrap();
    let seed = number("SOAK_SEED", 20_261_121);
    let callers = usize::try_from(number("SOAK_CALLERS", 16)).unwrap();
    println!("{}", common::machine());
    println!("{sessions} sessions, {callers} callers at once, SOAK_SEED={seed}");

    let only = std::env::var("SOAK_ONLY").unwrap_or_default();
    let only: Vec<&str> = only.split_terminator(',').collect();
    let plan = Arc::new(Plan::draw(sessions, seed, &only));
    let fleet = Arc::new(Fleet::start());
    let service = Service::start();
    let tally = Arc::new(Tally::default());
    let watch = Watch::start(service.pid(), service.port, Arc::clone(&tally));
    let begun = Instant::now();
    load::run(&plan, &fleet, service.port, callers, &tally);
    let seconds = begun.elapsed().as_secs_f64();
    // A thread of the pool that has nothing to do ends after ten seconds.
    let watched = watch.finish_after_idle();
    if report::print(&plan, seconds, &tally, &watched) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
