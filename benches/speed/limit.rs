//! The service beside the bare loop: the same logins, the same commands, as many sessions at once.

use std::time::Duration;

use crate::{
    bare::Bare,
    fleet::Fleet,
    measure::{median, median_ratio},
    service::Service,
};

/// Rounds of a cell, at the least.
const ROUNDS: usize = 15;
/// Sessions of a cell without a round trip, at the least: one round of ten lasts a few milliseconds.
const SESSIONS: usize = 2000;
/// Devices, at once, milliseconds of a round trip.
const CELLS: [(usize, usize, u64); 6] =
    [(10, 10, 0), (100, 50, 0), (500, 50, 0), (10, 10, 20), (100, 50, 20), (500, 500, 20)];
const COMMANDS: [usize; 3] = [1, 3, 10];

pub(crate) fn run() {
    println!("\n## Against the limit");
    println!(
        "| devices | at once | round trip | commands | bare devices/s | service | ratio | bare CPU ms | service | ratio |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for round_trip in [0, 20] {
        let fleet = Fleet::start(500, Duration::from_millis(round_trip), None);
        for (devices, at_once, _) in CELLS.into_iter().filter(|cell| cell.2 == round_trip) {
            for n_commands in COMMANDS {
                cell(&fleet.ports[..devices], at_once, round_trip, n_commands);
            }
        }
        one_device(&fleet.ports[..1], round_trip);
    }
}

fn cell(ports: &[u16], at_once: usize, round_trip: u64, n_commands: usize) {
    let mut bare = Bare::start(ports, at_once, n_commands);
    let service = Service::start(at_once, &[]);
    // Once each to be warm.
    bare.round();
    service.round(ports, n_commands);
    let many = if round_trip == 0 { SESSIONS / ports.len() } else { 0 };
    let rounds = many.max(ROUNDS);
    let (bare_before, service_before) = (bare.used(), service.used());
    let (mut bare_walls, mut service_walls) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        bare_walls.push(bare.round());
        service_walls.push(service.round(ports, n_commands));
    }
    let ratio = median_ratio(&bare_walls, &service_walls);
    let per_second = |walls| ports.len() as f64 / median(walls);
    let per_device =
        |before: f64, after: f64| (after - before) * 1000.0 / (ports.len() * rounds) as f64;
    let (bare_rate, service_rate) = (per_second(bare_walls), per_second(service_walls));
    let bare_cpu = per_device(bare_before.cpu, bare.used().cpu);
    let service_cpu = per_device(service_before.cpu, service.used().cpu);
    println!(
        "| {} | {at_once} | {round_trip} ms | {n_commands} | {bare_rate:.0} | {service_rate:.0} | {:.2} | {bare_cpu:.2} | {service_cpu:.2} | {:.2} |",
        ports.len(),
        ratio,
        service_cpu / bare_cpu
    );
}

/// One device and one command.
fn one_device(port: &[u16], round_trip: u64) {
    let mut bare = Bare::start(port, 1, 1);
    let service = Service::start(1, &[]);
    let (mut bare_walls, mut service_walls) = (Vec::new(), Vec::new());
    for _ in 0..21 {
        bare_walls.push(bare.round() * 1000.0);
        service_walls.push(service.round(port, 1) * 1000.0);
    }
    let (bare, service) = (median(bare_walls), median(service_walls));
    println!(
        "\nOne device, one command, {round_trip} ms round trip: bare {bare:.1} ms, service {service:.1} ms ({:+.1} ms)\n",
        service - bare
    );
}
