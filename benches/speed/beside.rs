//! What else the service does meanwhile: health checks beside many sessions, and requests that the gate refuses.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use showrunner::simulator::Fault;

use crate::{
    fleet::{Fleet, commands},
    measure::{MEASURED, OTHERS, Program, find, median, median_ratio, on_core},
    service::{Service, body, post},
};

pub(crate) fn run() {
    println!("\n## Beside it");
    hanging();
    running();
    refusing();
}

fn hanging() {
    let fleet = Fleet::start(1000, Duration::ZERO, Some(Fault::SilentPort));
    let service = Service::start(1000, &[]);
    let (port, body) = (service.port, body(&fleet.ports, &commands(1)));
    let request = std::thread::spawn(move || post(port, &body));
    while !String::from_utf8_lossy(&health(port)).contains(r#""sessions_running":1000"#) {}
    let (p50, p99, worst) = percentiles(port, 2000);
    let used = service.used();
    println!(
        "`/health` beside 1,000 hanging sessions: median {p50:.2} ms, p99 {p99:.2} ms, worst {worst:.2} ms; {:.0} MB of memory, {} threads",
        used.peak_rss_bytes as f64 / 1e6,
        used.threads
    );
    drop(service);
    let _ = request.join();
}

fn running() {
    let fleet = Fleet::start(500, Duration::from_millis(20), None);
    let service = Service::start(500, &[]);
    let (port, body) = (service.port, body(&fleet.ports, &commands(10)));
    let request = std::thread::spawn(move || post(port, &body));
    let mut times = Vec::new();
    while !request.is_finished() {
        let started = Instant::now();
        health(port);
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    let (p50, p99, worst) = ranks(times);
    println!(
        "`/health` while 500 sessions run: median {p50:.2} ms, p99 {p99:.2} ms, worst {worst:.2} ms"
    );
    let _ = request.join();
}

fn refusing() {
    let Some(wrk) = find("wrk") else {
        return println!("refused requests: not measured, no wrk here");
    };
    let body = body(&[22], &["reload".to_owned()]);
    let script = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("refused.lua");
    let text = format!(
        "wrk.method = \"POST\"\nwrk.headers[\"Content-Type\"] = \"application/json\"\nwrk.body = [[{body}]]\n"
    );
    std::fs::write(&script, text).unwrap();
    let service = Service::start(1, &[("SHOWRUNNER_WORKERS", "1")]);
    let quiet = Service::start(
        1,
        &[("SHOWRUNNER_WORKERS", "1"), ("SHOWRUNNER_LOG_LEVEL", "warn,showrunner::startup=info")],
    );
    let mut echo = Program::role(MEASURED, &["role-echo".to_owned()]);
    let echo_port: u16 = echo.line().parse().unwrap();
    let refused = String::from_utf8_lossy(&post(service.port, &body)).into_owned();
    assert!(refused.starts_with("HTTP/1.1 422"), "{refused}");
    let ports = [service.port, quiet.port, echo_port];
    let mut rates = ports.map(|_| Vec::new());
    for _ in 0..11 {
        for (rates, port) in rates.iter_mut().zip(ports) {
            rates.push(rate(&wrk, &script, port));
        }
    }
    let [of_service, of_quiet, of_echo] = &rates;
    let ratios = [of_service, of_quiet].map(|ours| median_ratio(ours, of_echo));
    let [service, quiet, echo] = rates.map(median);
    println!(
        "Refused requests a second: {service:.0}, {quiet:.0} without a log line for each; the framework's own echo {echo:.0} (ratios {:.2} and {:.2})",
        ratios[0], ratios[1]
    );
}

fn rate(wrk: &Path, script: &Path, port: u16) -> f64 {
    let mut command = on_core(OTHERS, wrk);
    command.args(["-t1", "-c32", "-d1s", "-s"]).arg(script);
    let output = command.arg(format!("http://127.0.0.1:{port}/api/v1/execute")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    line.unwrap_or_else(|| panic!("{text}")).trim().parse().unwrap()
}

fn percentiles(port: u16, times: usize) -> (f64, f64, f64) {
    let measured = (0..times).map(|_| {
        let started = Instant::now();
        health(port);
        started.elapsed().as_secs_f64() * 1000.0
    });
    ranks(measured.collect())
}

/// Median, 99th of 100, worst.
fn ranks(mut times: Vec<f64>) -> (f64, f64, f64) {
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    (at(50), at(99), at(100))
}

/// One health check on a connection of its own, as a load balancer makes it.
fn health(port: u16) -> Vec<u8> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.write_all(b"GET /health HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    answer
}
