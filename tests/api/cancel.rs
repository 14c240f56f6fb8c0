//! A caller who hangs up ends his sessions, wherever they are.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use rustix::net::{AddressFamily, SocketType};
use serde_json::{Value, json};
use showrunner::simulator::Fault;

use crate::support::{Service, entry, faulty, with};

/// Far below every limit of a session, far above what an end from outside takes.
const SOON: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_caller_who_hangs_up_ends_his_sessions_in_every_phase() {
    let service = Service::start();
    let mut phases = Vec::new();
    for fault in [
        Fault::SilentPort,
        Fault::Drip,
        Fault::AuthSilent,
        Fault::NoPrompt,
        Fault::FrozenCommand,
        Fault::EndlessOutput,
        Fault::FloodBeforeBanner,
    ] {
        phases.push(faulty("cisco_ios", &[fault]).await);
    }
    let entries: Vec<Value> = phases.iter().map(|device| entry(device, "ios")).collect();
    let all = entries.len();
    let body = json!({"devices": entries, "commands": ["show version"], "timeout": 60});
    let request = service.begin(&body);
    service.wait_for("sessions_running", all).await;
    for device in &phases {
        while device.open_sessions() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    request.abort();
    let gone = Instant::now();
    service.wait_for("sessions_running", 0).await;
    assert!(gone.elapsed() < SOON, "{:?}", gone.elapsed());
    for device in &phases {
        while device.open_sessions() > 0 {
            assert!(gone.elapsed() < SOON, "a session is still open");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn a_connection_that_is_being_made_is_given_up_when_the_caller_has_gone() {
    let service = Service::start_with(&[("SHOWRUNNER_CONNECT_TIMEOUT", "60")]);
    let full = FullHouse::new();
    let device = faulty("cisco_ios", &[]).await;
    let body = json!({
        "devices": [with(entry(&device, "ios"), "port", full.addr.port())],
        "commands": ["show version"]
    });
    let request = service.begin(&body);
    service.wait_for("sessions_running", 1).await;
    // Nothing ever answers: the session is in its connection, now and a while later.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(service.health().await["sessions_running"], 1);
    request.abort();
    let gone = Instant::now();
    service.wait_for("sessions_running", 0).await;
    assert!(gone.elapsed() < SOON, "{:?}", gone.elapsed());
}

/// A port that takes no more connections: the system drops whoever knocks.
struct FullHouse {
    addr: SocketAddr,
    _listener: std::os::fd::OwnedFd,
    _guests: Vec<std::os::fd::OwnedFd>,
}

impl FullHouse {
    fn new() -> Self {
        let listener = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let addr = rustix::net::getsockname(&listener).unwrap().try_into().unwrap();
        let guests = (0..8).map(|_| {
            let guest = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
            rustix::io::ioctl_fionbio(&guest, true).unwrap();
            let _ = rustix::net::connect(&guest, &addr);
            guest
        });
        let guests = guests.collect();
        Self { addr, _listener: listener, _guests: guests }
    }
}
