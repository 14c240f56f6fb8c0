//! The service beside the tools that users have, installed from the Python package index for the run.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    bare::Bare,
    fleet::Fleet,
    measure::{MEASURED, Program, find, median, median_ratio, on_core},
    service::Service,
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/speed/peers.py");
const HOME: &str = env!("CARGO_TARGET_TMPDIR");
/// What is installed; other versions may be faster or slower.
const PACKAGES: [&str; 3] = ["netmiko==4.8.0", "scrapli[asyncssh]==2025.1.30", "asyncssh==2.24.1"];
/// What the predecessor reads devices with; it is not in the index itself. 800 MB.
const PREDECESSOR: [&str; 3] = ["pyats==26.9", "unicon==26.9", "genie==26.9"];
/// One after another: so many of the devices say how long all take.
const SAMPLED: usize = 5;
const ROUNDS: usize = 5;
const DEVICES: usize = 100;
const AT_ONCE: usize = 50;

pub(crate) fn run() {
    println!("\n## Against what users have: {DEVICES} devices, {AT_ONCE} at once");
    let python = match install("peers", &PACKAGES) {
        Ok(python) => python,
        Err(reason) => return println!("not measured: {reason}"),
    };
    head();
    for round_trip in [0, 20] {
        let fleet = Fleet::start(DEVICES, Duration::from_millis(round_trip), None);
        for n_commands in [1, 3] {
            for tool in ["netmiko", "scrapli"] {
                row(&python, &fleet.ports, DEVICES, AT_ONCE, tool, round_trip, n_commands);
            }
        }
    }
}

/// What the predecessor is built on. Only where it is named, because of what it installs. Each as it comes: there one
/// device after another, here all at once.
pub(crate) fn run_predecessor() {
    println!("\n## Against what the predecessor is built on: {DEVICES} devices, each as it comes");
    let python = match install("predecessor", &PREDECESSOR) {
        Ok(python) => python,
        Err(reason) => return println!("not measured: {reason}"),
    };
    head();
    let round_trip = 20;
    let fleet = Fleet::start(DEVICES, Duration::from_millis(round_trip), None);
    for n_commands in [1, 3] {
        for tool in ["unicon", "unicon, reading only"] {
            row(&python, &fleet.ports, SAMPLED, DEVICES, tool, round_trip, n_commands);
        }
    }
}

fn head() {
    println!(
        "| tool | round trip | commands | wall s | service | ratio | the limit's | CPU ms per device | service | ratio | the limit's | peak MB | service |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
}

/// The peer reads the first `sampled` of the devices, and its numbers are scaled to all. Beside the service's ratios are
/// those of the bare loop: no more could be had.
fn row(
    python: &Path,
    ports: &[u16],
    sampled: usize,
    at_once: usize,
    tool: &str,
    round_trip: u64,
    n_commands: usize,
) {
    let scale = DEVICES as f64 / sampled as f64;
    let listed: Vec<String> = ports.iter().take(sampled).map(u16::to_string).collect();
    let mut command = on_core(MEASURED, python);
    command.args([SCRIPT, tool, &at_once.to_string(), &n_commands.to_string(), &listed.join(",")]);
    let mut peer = Program::start(command);
    let service = Service::start(at_once, &[]);
    let mut bare = Bare::start(ports, at_once, n_commands);
    service.round(ports, n_commands);
    bare.round();
    let (before, bare_before) = (service.used().cpu, bare.used().cpu);
    let (mut walls, mut cpus) = (Vec::new(), Vec::new());
    let (mut own_walls, mut bare_walls) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let answer = peer.ask("go");
        let (wall, cpu) = answer.split_once(' ').expect("the peer failed");
        walls.push(wall.parse::<f64>().unwrap() * scale);
        cpus.push(cpu.parse::<f64>().unwrap() * 1000.0 / sampled as f64);
        own_walls.push(service.round(ports, n_commands));
        bare_walls.push(bare.round());
    }
    let per_device = |cpu: f64| cpu * 1000.0 / (DEVICES * ROUNDS) as f64;
    let own = service.used();
    let own_cpu = per_device(own.cpu - before);
    let bare_cpu = per_device(bare.used().cpu - bare_before);
    let ratios = [&own_walls, &bare_walls].map(|ours| median_ratio(&walls, ours));
    let [peak, own_peak] = [peer.used(), own].map(|used| used.peak_rss_bytes / 1_000_000);
    let (wall, cpu, own_wall) = (median(walls), median(cpus), median(own_walls));
    println!(
        "| {tool} | {round_trip} ms | {n_commands} | {wall:.2} | {own_wall:.2} | {:.1} | {:.1} | {cpu:.1} | {own_cpu:.2} | {:.1} | {:.1} | {peak} | {own_peak} |",
        ratios[0],
        ratios[1],
        cpu / own_cpu,
        cpu / bare_cpu
    );
}

/// A Python with these packages, made once and kept in the target folder.
fn install(name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let home = Path::new(HOME).join(name);
    let python = home.join("bin/python");
    let base = find("python3").ok_or("there is no python3")?;
    let mut steps = Vec::new();
    if !python.exists() {
        let mut make = Command::new(base);
        make.args(["-m", "venv"]).arg(&home);
        steps.push(make);
    }
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "-q", "--disable-pip-version-check"]).args(packages);
    steps.push(pip);
    for mut step in steps {
        let done = step.output().map_err(|error| error.to_string())?;
        if !done.status.success() {
            return Err(String::from_utf8_lossy(&done.stderr).trim().to_owned());
        }
    }
    Ok(python)
}
