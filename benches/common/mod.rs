//! What the benchmarks of the service have in common: the machine that they run on, and the service's start.

use std::{
    io::{BufRead as _, BufReader},
    process::Child,
};

/// What the numbers were measured on.
pub(crate) fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let model = model.trim_start_matches([' ', '\t', ':']);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = info.lines().filter(|line| line.starts_with("processor")).count();
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    format!("machine: {cores} × {model}; load before: {load}")
}

/// Waits until a service listens, and gives its port.
pub(crate) fn listening(child: &mut Child) -> u16 {
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("http.port=") {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "the service did not start");
    }
    // Its log is read like that of any service, so that it never waits for us.
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    line.rsplit("http.port=").next().unwrap().trim().parse().unwrap()
}
