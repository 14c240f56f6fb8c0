//! What the service takes while it runs: memory, threads, descriptors, and what `/health` says.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::load::Tally;

const EVERY: Duration = Duration::from_millis(500);
const IDLE: Duration = Duration::from_secs(20);

/// One look at the process.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sample {
    /// Sessions that were done by then.
    pub(crate) done: usize,
    pub(crate) rss_kib: u64,
    pub(crate) threads: u64,
    pub(crate) descriptors: usize,
    pub(crate) running: u64,
    pub(crate) waiting: u64,
    /// How long `/health` took.
    pub(crate) health: Duration,
}

/// What was seen.
pub(crate) struct Watched {
    pub(crate) before: Sample,
    pub(crate) during: Vec<Sample>,
    pub(crate) after_idle: Sample,
}

pub(crate) struct Watch {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Sample>>,
    before: Sample,
    pid: u32,
    port: u16,
}

impl Watch {
    pub(crate) fn start(pid: u32, port: u16, tally: Arc<Tally>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let before = look(pid, port, 0);
        let is_over = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let mut samples = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                samples.push(look(pid, port, tally.done()));
                std::thread::park_timeout(EVERY);
            }
            samples
        });
        Self { over, thread, before, pid, port }
    }

    pub(crate) fn finish_after_idle(self) -> Watched {
        self.over.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        let during = self.thread.join().expect("the watcher does not panic");
        let done = during.last().map_or(0, |sample| sample.done);
        let begun = Instant::now();
        while begun.elapsed() < IDLE {
            std::thread::park_timeout(EVERY);
        }
        Watched { before: self.before, during, after_idle: look(self.pid, self.port, done) }
    }
}

fn look(pid: u32, port: u16, done: usize) -> Sample {
    let begun = Instant::now();
    let health = ask(port).unwrap_or_default();
    let took = begun.elapsed();
    let health: serde_json::Value = serde_json::from_str(&health).unwrap_or_default();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0");
        line.split_whitespace().next().unwrap_or("0").parse().unwrap_or_default()
    };
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    Sample {
        done,
        rss_kib: number("VmRSS:"),
        threads: number("Threads:"),
        descriptors,
        running: health["sessions_running"].as_u64().unwrap_or(u64::MAX),
        waiting: health["devices_waiting"].as_u64().unwrap_or(u64::MAX),
        health: took,
    }
}

/// The body of `/health`, on a connection of its own.
fn ask(port: u16) -> std::io::Result<String> {
    use std::io::{Read as _, Write as _};
    let mut socket = std::net::TcpStream::connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    socket.write_all(b"GET /health HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    Ok(answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}
