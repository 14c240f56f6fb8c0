//! Many devices at once: side by side, in order, and nobody waits for a device that hangs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use showrunner::simulator::{DeviceOptions, Fault};

use crate::{
    bounds::peak_bytes,
    support::{Service, device, entry, faulty},
};

#[tokio::test]
async fn devices_run_side_by_side_and_answer_in_the_requests_order() {
    let service = Service::start();
    let mut devices = Vec::new();
    for number in 0..30 {
        let options = DeviceOptions {
            hostname: Some(format!("sw{number}")),
            latency: Duration::from_millis(30),
            ..DeviceOptions::default()
        };
        devices.push(device("cisco_ios", options).await);
    }
    let entries: Vec<Value> = devices.iter().map(|device| entry(device, "ios")).collect();
    let body = json!({"devices": entries, "commands": ["show version"]});
    let (status, answer) = service.execute(&body).await;
    assert_eq!((status, &answer["successful_devices"]), (200, &json!(30)), "{answer}");
    for (device, result) in devices.iter().zip(answer["results"].as_array().unwrap()) {
        assert_eq!(result["port"], device.addr().port());
    }
}

#[tokio::test]
async fn two_entries_of_one_device_run_one_after_the_other() {
    let service = Service::start();
    let device = faulty("cisco_ios", &[]).await;
    let entries = vec![entry(&device, "ios"); 4];
    let (_, answer) =
        service.execute(&json!({"devices": entries, "commands": ["show version"]})).await;
    assert_eq!(answer["successful_devices"], 4, "{answer}");
    assert_eq!(device.sessions_seen(), 4);
}

#[tokio::test]
async fn health_is_answered_while_a_thousand_sessions_hang() {
    let service = Service::start_with(&[("SHOWRUNNER_MAX_CONCURRENT_DEVICES", "1000")]);
    let mut devices = Vec::new();
    for _ in 0..1000 {
        devices.push(faulty("cisco_ios", &[Fault::SilentPort]).await);
    }
    let entries: Vec<Value> = devices.iter().map(|device| entry(device, "ios")).collect();
    let body = json!({"devices": entries, "commands": ["show version"]});
    let request = service.client.post(format!("{}/api/v1/execute", service.url)).json(&body).send();
    let hanging = tokio::spawn(request);
    let health = async || {
        let answer = service.client.get(format!("{}/health", service.url)).send().await.unwrap();
        answer.json::<Value>().await.unwrap()
    };
    let begun = Instant::now();
    while health().await["sessions_running"] != 1000 {
        assert!(begun.elapsed() < Duration::from_secs(30), "the sessions did not start");
    }
    // All hang: many questions are answered meanwhile, none of them waits for a session to end.
    for _ in 0..50 {
        assert_eq!(health().await["sessions_running"], 1000);
    }
    assert!(peak_bytes(&service) < 250_000_000, "{} bytes", peak_bytes(&service));
    // The caller goes away: the sessions end and free their places.
    hanging.abort();
    let gone = Instant::now();
    while health().await["sessions_running"] != 0 {
        assert!(
            gone.elapsed() < Duration::from_secs(10),
            "sessions of a caller who went away go on"
        );
    }
}
