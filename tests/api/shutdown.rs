//! The end of the service under load: nothing that was taken is lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};
use showrunner::simulator::{DeviceOptions, FakeDevice, Fault};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::support::{Service, device, entry, faulty, with};

async fn slow_devices(count: usize) -> Vec<FakeDevice> {
    let mut devices = Vec::new();
    for _ in 0..count {
        let latency = Duration::from_millis(250);
        devices
            .push(device("cisco_ios", DeviceOptions { latency, ..DeviceOptions::default() }).await);
    }
    devices
}

/// Waits until so many sessions run.
async fn running(service: &Service, wanted: u64) {
    for _ in 0..500 {
        let health = service.client.get(format!("{}/health", service.url)).send().await.unwrap();
        let health: Value = health.json().await.unwrap();
        if health["sessions_running"].as_u64() == Some(wanted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("there were never {wanted} sessions");
}

type Answer = tokio::task::JoinHandle<(u16, Value)>;

fn ask(service: &Service, body: &Value) -> Answer {
    let request = service.client.post(format!("{}/api/v1/execute", service.url)).json(body).send();
    tokio::spawn(async move {
        let answer = request.await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    })
}

#[tokio::test]
async fn a_stop_under_load_loses_nothing_and_logs_every_session_out() {
    let mut service = Service::start_with(&[
        ("SHOWRUNNER_SHUTDOWN_TIMEOUT", "30"),
        ("SHOWRUNNER_MAX_CONCURRENT_DEVICES", "40"),
    ]);
    let devices = slow_devices(60).await;
    let commands = ["show version", "show ip interface brief", "show running-config"];
    // Twenty requests of three devices each; a third of them still waits for a place when the signal comes.
    let requests: Vec<Answer> = devices
        .chunks(3)
        .map(|three| {
            let entries: Vec<Value> = three.iter().map(|device| entry(device, "ios")).collect();
            ask(&service, &json!({"devices": entries, "commands": commands}))
        })
        .collect();
    // Those that have not been taken would be turned away. The one that asks is one too.
    let all_taken = async || {
        let text = service.client.get(format!("{}/metrics", service.url)).send().await.unwrap();
        text.text().await.unwrap().contains("showrunner_http_requests_in_flight 21\n")
    };
    let mut looks = 0;
    while !all_taken().await {
        looks += 1;
        assert!(looks < 3000, "twenty requests were never there at one time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    running(&service, 40).await;
    service.signal(Signal::TERM);
    for request in requests {
        let (status, answer) = request.await.unwrap();
        assert_eq!((status, &answer["successful_devices"]), (200, &json!(3)), "{answer}");
        for result in answer["results"].as_array().unwrap() {
            assert_eq!(result["commands"].as_array().unwrap().len(), 3, "{result}");
        }
    }
    assert_eq!(service.exit_code().await, Some(0), "{}", service.log());
    for device in &devices {
        assert_eq!((device.sessions_seen(), device.clean_logouts()), (1, 1));
    }
}

#[tokio::test]
async fn five_hundred_sessions_some_of_them_hanging_and_some_streamed_are_all_accounted_for() {
    let mut service = Service::start_with(&[
        ("SHOWRUNNER_SHUTDOWN_TIMEOUT", "25"),
        ("SHOWRUNNER_MAX_CONCURRENT_DEVICES", "500"),
        ("SHOWRUNNER_HANDSHAKE_TIMEOUT", "300"),
        ("SHOWRUNNER_AUTHENTICATE_TIMEOUT", "300"),
        ("SHOWRUNNER_PROMPT_TIMEOUT", "300"),
    ]);
    let working = slow_devices(450).await;
    let mut hanging = Vec::new();
    for _ in 0..50 {
        hanging.push(faulty("cisco_ios", &[Fault::SilentPort]).await);
    }
    // Ten requests, each with five devices that hang; every second one is answered in pieces.
    let requests: Vec<_> = working
        .chunks(45)
        .zip(hanging.chunks(5))
        .enumerate()
        .map(|(number, (working, hanging))| {
            let entries: Vec<Value> =
                working.iter().chain(hanging).map(|device| entry(device, "ios")).collect();
            let commands = vec!["show version"; 20];
            let body = json!({"devices": entries, "commands": commands, "timeout": 300});
            let accept = ["application/json", "application/x-ndjson"][number % 2];
            let request = service.client.post(format!("{}/api/v1/execute", service.url));
            let request = request.header("Accept", accept).json(&body).send();
            tokio::spawn(async move { request.await.unwrap().text().await.unwrap() })
        })
        .collect();
    running(&service, 500).await;
    let all_at_work = || working.iter().all(|device| device.login_attempts() == 1);
    for _ in 0..1200 {
        if all_at_work() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(all_at_work(), "they were not logged in to within a minute");
    service.signal(Signal::TERM);
    let mut outcomes = Vec::new();
    for request in requests {
        let text = request.await.unwrap();
        let mut lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        if lines.len() == 1 {
            outcomes.extend(lines[0]["results"].as_array().unwrap().clone());
        } else {
            assert_eq!(lines.pop().unwrap()["type"], "summary", "a stream was broken off");
            outcomes.extend(lines);
        }
    }
    assert_eq!(service.exit_code().await, Some(0), "{}", service.log());
    assert_eq!(outcomes.len(), 500);
    let port = |outcome: &Value| outcome["port"].as_u64().unwrap();
    for device in &hanging {
        let of_it: Vec<_> =
            outcomes.iter().filter(|one| port(one) == u64::from(device.addr().port())).collect();
        assert_eq!((of_it.len(), &of_it[0]["error_code"]), (1, &json!("cancelled")));
    }
    for device in &working {
        let of_it: Vec<_> =
            outcomes.iter().filter(|one| port(one) == u64::from(device.addr().port())).collect();
        // On a slow machine it may not have come to all of them; then it says which.
        assert_eq!((of_it.len(), of_it[0]["commands"].as_array().unwrap().len()), (1, 20));
        assert_eq!(device.clean_logouts(), 1, "{}", of_it[0]);
    }
}

#[tokio::test]
async fn requests_beyond_the_deadline_are_answered_with_what_they_have() {
    let mut service = Service::start_with(&[
        ("SHOWRUNNER_SHUTDOWN_TIMEOUT", "1"),
        ("SHOWRUNNER_MAX_CONCURRENT_DEVICES", "2"),
    ]);
    let endless = slow_devices(1).await;
    let frozen = faulty("cisco_ios", &[Fault::FrozenCommand]).await;
    let waiting = faulty("cisco_ios", &[]).await;
    let many = vec!["show version"; 100];
    let long = json!({"devices": [entry(&endless[0], "ios")], "commands": many});
    let hanging =
        json!({"devices": [entry(&frozen, "ios")], "commands": ["show version"], "timeout": 60});
    let (long, hanging) = (ask(&service, &long), ask(&service, &hanging));
    running(&service, 2).await;
    let queued =
        ask(&service, &json!({"devices": [entry(&waiting, "ios")], "commands": ["show version"]}));
    // The third one has been taken when it waits.
    let waits = async || {
        let text = service.client.get(format!("{}/metrics", service.url)).send().await.unwrap();
        text.text().await.unwrap().contains("showrunner_device_sessions_waiting 1\n")
    };
    while !waits().await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    service.signal(Signal::TERM);
    let result = async |answer: Answer| {
        let (status, answer) = answer.await.unwrap();
        assert_eq!(status, 200, "{answer}");
        answer["results"][0].clone()
    };
    let long = result(long).await;
    assert_eq!(long["error_code"], "cancelled", "{long}");
    let outcomes = long["commands"].as_array().unwrap();
    assert_eq!(outcomes.len(), 100);
    assert_eq!(
        (&outcomes[0]["success"], &outcomes[99]["error_code"]),
        (&json!(true), &json!("not_run"))
    );
    assert_eq!(endless[0].clean_logouts(), 1, "it was at a prompt and did not log out");
    let hanging = result(hanging).await;
    assert_eq!(hanging["error_code"], "cancelled", "{hanging}");
    let queued = result(queued).await;
    assert_eq!((&queued["error_code"], waiting.login_attempts()), (&json!("cancelled"), 0));
    assert_eq!(service.exit_code().await, Some(0), "{}", service.log());
}

#[tokio::test]
async fn a_session_that_is_cut_off_says_that_it_goes() {
    let mut service = Service::start_with(&[("SHOWRUNNER_SHUTDOWN_TIMEOUT", "1")]);
    let frozen = faulty("cisco_ios", &[Fault::FrozenCommand]).await;
    let (port, heard, was_reset) = listening_in(&frozen).await;
    let asked = ask(
        &service,
        &json!({"devices": [with(entry(&frozen, "ios"), "port", port)], "commands": ["show version"], "timeout": 60}),
    );
    running(&service, 1).await;
    while !frozen.received_lines().contains(&"show version".to_owned()) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let before = heard.load(Ordering::Relaxed);
    service.signal(Signal::TERM);
    let (status, answer) = asked.await.unwrap();
    let result = &answer["results"][0];
    assert_eq!((status, &result["error_code"]), (200, &json!("cancelled")), "{answer}");
    assert_eq!(result["commands"][0]["error_code"], "cancelled", "{answer}");
    assert!(result["commands"][0]["output"].as_str().unwrap().starts_with("Cisco IOS"), "{answer}");
    assert_eq!(service.exit_code().await, Some(0), "{}", service.log());
    assert!(!was_reset.await.unwrap(), "the connection was reset");
    // The end of the channel and of the connection, each a packet.
    let said = heard.load(Ordering::Relaxed) - before;
    assert!(said >= 2 * 32, "only {said} bytes");
}

/// A port that leads to the device: how many bytes its caller has sent, and whether he reset the connection.
async fn listening_in(
    device: &FakeDevice,
) -> (u16, Arc<AtomicUsize>, tokio::task::JoinHandle<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, addr) = (listener.local_addr().unwrap().port(), device.addr());
    let heard = Arc::<AtomicUsize>::default();
    let counter = Arc::clone(&heard);
    let was_reset = tokio::spawn(async move {
        let (near, _) = listener.accept().await.unwrap();
        let (mut from_near, mut to_near) = near.into_split();
        let (mut from_far, mut to_far) = TcpStream::connect(addr).await.unwrap().into_split();
        tokio::spawn(async move { tokio::io::copy(&mut from_far, &mut to_near).await });
        let mut buffer = [0; 4096];
        loop {
            match from_near.read(&mut buffer).await {
                Ok(0) => return false,
                Err(_) => return true,
                Ok(length) => {
                    counter.fetch_add(length, Ordering::Relaxed);
                    let _ = to_far.write_all(&buffer[..length]).await;
                }
            }
        }
    });
    (port, heard, was_reset)
}

#[tokio::test]
async fn a_service_that_is_told_to_stop_is_not_ready_while_it_still_takes_requests() {
    let mut service = Service::start_with(&[("SHOWRUNNER_SHUTDOWN_DELAY", "2")]);
    let get = async |path: &str| {
        let answer = service.client.get(format!("{}{path}", service.url)).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    assert_eq!(get("/health/ready").await, (200, json!({"status": "ready", "reasons": []})));
    service.signal(Signal::TERM);
    let mut ready = get("/health/ready").await;
    for _ in 0..50 {
        if ready.0 == 503 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        ready = get("/health/ready").await;
    }
    assert_eq!(ready.0, 503, "{}", ready.1);
    assert!(ready.1["reasons"][0].as_str().unwrap().starts_with("draining"), "{}", ready.1);
    assert_eq!(get("/health/live").await.0, 200);
    assert_eq!(get("/api/v1/platforms").await.0, 200);
    assert_eq!(service.exit_code().await, Some(0));
}

#[tokio::test]
async fn a_full_service_is_not_ready_and_says_why() {
    let service = Service::start_with(&[
        ("SHOWRUNNER_MAX_CONCURRENT_DEVICES", "1"),
        ("SHOWRUNNER_MAX_DEVICES_PER_REQUEST", "2"),
        ("SHOWRUNNER_MAX_QUEUED_DEVICES", "1"),
    ]);
    let mut devices = Vec::new();
    for _ in 0..2 {
        devices.push(faulty("cisco_ios", &[Fault::SilentPort]).await);
    }
    let entries: Vec<Value> = devices.iter().map(|device| entry(device, "ios")).collect();
    let asked = ask(&service, &json!({"devices": entries, "commands": ["show version"]}));
    let ready = async || {
        let answer =
            service.client.get(format!("{}/health/ready", service.url)).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let mut answer = ready().await;
    for _ in 0..200 {
        if answer.0 == 503 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        answer = ready().await;
    }
    assert_eq!(answer.0, 503);
    assert_eq!(answer.1["reasons"][0], "full: 1 devices wait for a session already");
    asked.abort();
}
