//! What grows with the number of devices and with the size of an output, and how.

use std::time::Duration;

use crate::{bare::Bare, fleet::Fleet, measure::median, service::Service};

const SIZES: [usize; 5] = [1 << 10, 1 << 14, 1 << 18, 1 << 22, 1 << 26];

pub(crate) fn run() {
    devices();
    outputs();
}

fn devices() {
    println!("\n## Growth: devices, one command, 20 ms round trip, 1,000 at once");
    println!(
        "| devices | wall s | CPU s | CPU ms per device | peak memory MB | above idle, KB per session |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    let fleet = Fleet::start(1000, Duration::from_millis(20), None);
    for devices in [1, 10, 100, 200, 500, 1000] {
        let service = Service::start(1000, &[]);
        let idle = service.used();
        let wall = service.round(&fleet.ports[..devices], 1);
        let used = service.used();
        let cpu = used.cpu - idle.cpu;
        println!(
            "| {devices} | {wall:.2} | {cpu:.2} | {:.2} | {:.0} | {:.0} |",
            cpu * 1000.0 / devices as f64,
            used.peak_rss_bytes as f64 / 1e6,
            (used.peak_rss_bytes - idle.peak_rss_bytes) as f64 / 1e3 / devices as f64,
        );
    }
}

fn outputs() {
    println!("\n## Growth: size of one output, no round trip");
    println!("| size | wall s | CPU s | bare CPU s | MB per CPU second | the same without SSH |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let fleet = Fleet::start(1, Duration::ZERO, None);
    for size in SIZES {
        // Small ones are asked for many times over, so that there is something to measure.
        let times = ((1 << 25) / size).clamp(1, 100);
        let command = format!("show simulator bytes {size}");
        let service = Service::start(
            1,
            &[
                ("SHOWRUNNER_MAX_OUTPUT_BYTES", "134217728"),
                ("SHOWRUNNER_MAX_REQUEST_OUTPUT_BYTES", "1073741824"),
            ],
        );
        let mut bare = Bare::with_command(&fleet.ports, 1, &command, times);
        let commands = vec![command; times];
        bare.round();
        service.run(&fleet.ports, &commands);
        let (bare_before, before) = (bare.used().cpu, service.used().cpu);
        let mut walls = Vec::new();
        for _ in 0..3 {
            walls.push(service.run(&fleet.ports, &commands));
            bare.round();
        }
        let cpu = (service.used().cpu - before) / 3.0;
        let bare_cpu = (bare.used().cpu - bare_before) / 3.0;
        let megabytes = (size * times) as f64 / 1e6;
        println!(
            "| {times} × {} KiB | {:.3} | {cpu:.3} | {bare_cpu:.3} | {:.0} | {:.0} |",
            size / 1024,
            median(walls),
            megabytes / cpu.max(0.01),
            megabytes / (cpu - bare_cpu).max(0.01)
        );
    }
}
