//! Limits over a whole device and a whole request, and connections that are tried again.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};
use showrunner::simulator::{FakeDevice, Fault};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Service, entry, faulty, with};

const TWO_RETRIES: [(&str, &str); 3] = [
    ("SHOWRUNNER_CONNECTION_RETRY_ATTEMPTS", "2"),
    ("SHOWRUNNER_CONNECTION_RETRY_DELAY", "0"),
    ("SHOWRUNNER_HANDSHAKE_TIMEOUT", "1"),
];

#[tokio::test]
async fn a_device_is_given_up_when_its_time_is_over_and_keeps_what_had_come() {
    let service = Service::start_with(&[("SHOWRUNNER_DEVICE_TOTAL_TIMEOUT", "2")]);
    let frozen = faulty("cisco_ios", &[Fault::FrozenCommand]).await;
    let silent = faulty("cisco_ios", &[Fault::SilentPort]).await;
    let healthy = faulty("cisco_ios", &[]).await;
    let entries = [&frozen, &silent, &healthy].map(|device| entry(device, "ios"));
    let body =
        json!({"devices": entries, "commands": ["show version", "show clock"], "timeout": 60});
    let (_, answer) = service.execute(&body).await;
    let results = answer["results"].as_array().unwrap();
    for result in &results[..2] {
        assert_eq!(result["error_code"], "device_timeout", "{result}");
        assert!(result["error"].as_str().unwrap().contains("within the 2 s"), "{result}");
    }
    let commands = &results[0]["commands"];
    assert_eq!(commands[0]["error_code"], "device_timeout", "{commands}");
    assert!(commands[0]["output"].as_str().unwrap().starts_with("Cisco IOS"), "{commands}");
    assert_eq!(
        (&commands[0]["truncated"], &commands[1]["error_code"]),
        (&json!(true), &json!("not_run"))
    );
    assert_eq!(results[2]["success"], true, "{answer}");
}

#[tokio::test]
async fn when_the_time_of_a_request_is_over_every_device_has_an_answer() {
    let service = Service::start_with(&[
        ("SHOWRUNNER_REQUEST_TOTAL_TIMEOUT", "2"),
        ("SHOWRUNNER_MAX_CONCURRENT_DEVICES", "2"),
    ]);
    let frozen = faulty("cisco_ios", &[Fault::FrozenCommand]).await;
    let healthy = faulty("cisco_ios", &[]).await;
    let waiting = vec![entry(&frozen, "ios"); 3];
    let entries: Vec<Value> = waiting.into_iter().chain([entry(&healthy, "ios")]).collect();
    let body = json!({"devices": entries, "commands": ["show version"], "timeout": 60});
    let (status, answer) = service.execute(&body).await;
    assert_eq!((status, &answer["successful_devices"]), (200, &json!(1)), "{answer}");
    for result in &answer["results"].as_array().unwrap()[..3] {
        assert_eq!(result["error_code"], "request_timeout", "{answer}");
    }
}

#[tokio::test]
async fn a_connection_that_fails_is_tried_again_and_the_answer_counts_the_attempts() {
    let service = Service::start_with(&TWO_RETRIES);
    let device = faulty("cisco_ios", &[]).await;
    for (failures, success, attempts) in [(0, true, 1), (2, true, 3), (5, false, 3)] {
        let (port, seen) = in_front_of(&device, failures).await;
        let result =
            service.read(with(entry(&device, "ios"), "port", port), &["show version"]).await;
        assert_eq!(
            (&result["success"], &result["attempts"]),
            (&json!(success), &json!(attempts)),
            "{failures}: {result}"
        );
        assert_eq!(seen.load(Ordering::Relaxed), attempts, "{failures}");
    }
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let result = service.read(with(entry(&device, "ios"), "port", port), &["show version"]).await;
    assert_eq!(
        (&result["error_code"], &result["attempts"]),
        (&json!("connection_refused"), &json!(3)),
        "{result}"
    );
    let silent = faulty("cisco_ios", &[Fault::SilentPort]).await;
    let result = service.read(entry(&silent, "ios"), &["show version"]).await;
    assert_eq!(
        (&result["error_code"], &result["attempts"]),
        (&json!("banner_timeout"), &json!(3)),
        "{result}"
    );
}

#[tokio::test]
async fn nothing_is_tried_again_once_a_login_has_begun() {
    let service = Service::start_with(&TWO_RETRIES);
    for fault in
        [Fault::AuthDenied, Fault::CloseInAuth, Fault::CloseAfterAuth, Fault::CloseBeforePrompt]
    {
        let device = faulty("cisco_ios", &[fault]).await;
        let result = service.read(entry(&device, "ios"), &["show version"]).await;
        assert_eq!(
            (&result["success"], &result["attempts"]),
            (&json!(false), &json!(1)),
            "{fault:?}"
        );
        assert_eq!(device.login_attempts(), 1, "{fault:?}: {result}");
    }
}

#[tokio::test]
async fn a_request_holds_no_more_output_than_it_may_and_says_what_was_cut() {
    let service = Service::start_with(&[("SHOWRUNNER_MAX_REQUEST_OUTPUT_BYTES", "100000")]);
    let mut devices = Vec::new();
    for _ in 0..3 {
        devices.push(faulty("cisco_ios", &[]).await);
    }
    let entries: Vec<Value> = devices.iter().map(|device| entry(device, "ios")).collect();
    let body = json!({"devices": entries, "commands": ["show simulator bytes 60000"]});
    let (_, answer) = service.execute(&body).await;
    assert_eq!(answer["successful_devices"], 3, "{answer}");
    let commands: Vec<&Value> =
        answer["results"].as_array().unwrap().iter().map(|result| &result["commands"][0]).collect();
    let bytes: usize =
        commands.iter().map(|command| command["output"].as_str().unwrap().len()).sum();
    assert!((60_000..=100_000).contains(&bytes), "{bytes}");
    let cut = commands.iter().filter(|command| command["truncated"] == true).count();
    assert_eq!(cut, 2);
}

/// A port whose first connections are closed at once and whose later ones lead to the device; and how many came.
async fn in_front_of(device: &FakeDevice, failures: usize) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (addr, seen) = (device.addr(), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            if counter.fetch_add(1, Ordering::Relaxed) < failures {
                continue;
            }
            let mut far = TcpStream::connect(addr).await.unwrap();
            tokio::spawn(async move {
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    (port, seen)
}
