//! Who runs when: fair between requests, gentle to devices, bounded, and free again at once.

use serde_json::{Value, json};
use showrunner::simulator::Fault;

use crate::support::{Service, entry, faulty};

async fn several(number: usize, fault: Fault) -> Vec<showrunner::simulator::FakeDevice> {
    let mut devices = Vec::new();
    for _ in 0..number {
        devices.push(faulty("cisco_ios", &[fault]).await);
    }
    devices
}

fn request(devices: &[showrunner::simulator::FakeDevice]) -> Value {
    let entries: Vec<Value> = devices.iter().map(|device| entry(device, "ios")).collect();
    json!({"devices": entries, "commands": ["show version"], "timeout": 30})
}

#[tokio::test]
async fn a_request_of_one_device_does_not_wait_for_the_rest_of_a_large_one() {
    let service = Service::start_with(&[("SHOWRUNNER_MAX_CONCURRENT_DEVICES", "2")]);
    let (large, one) = (several(12, Fault::SlowOutput).await, several(1, Fault::SlowOutput).await);
    let large_request = service.begin(&request(&large));
    service.wait_for("devices_waiting", 10).await;
    let (_, answer) = service.execute(&request(&one)).await;
    assert_eq!(answer["successful_devices"], 1, "{answer}");
    let begun: usize = large.iter().map(showrunner::simulator::FakeDevice::logins).sum();
    // Two ran when it came, one more got its permit in between, and two when it was done.
    assert!(begun <= 6, "{begun} of 12 were begun first");
    assert_eq!(large_request.await.unwrap()["successful_devices"], 12);
}

#[tokio::test]
async fn a_busy_device_costs_nobody_elses_permit() {
    let service = Service::start_with(&[("SHOWRUNNER_MAX_CONCURRENT_DEVICES", "2")]);
    let busy = faulty("cisco_ios", &[Fault::SlowOutput]).await;
    let entries = vec![entry(&busy, "ios"); 5];
    let running = service.begin(&json!({"devices": entries, "commands": ["show version"]}));
    service.wait_for("devices_waiting", 4).await;
    assert_eq!(service.health().await["sessions_running"], 1);
    let other = faulty("cisco_ios", &[]).await;
    let result = service.read(entry(&other, "ios"), &["show version"]).await;
    assert_eq!(result["success"], true, "{result}");
    assert!(busy.sessions_seen() < 5, "the other device waited for the busy one");
    assert_eq!(running.await.unwrap()["successful_devices"], 5);
    assert_eq!(busy.most_open_sessions(), 1);
}

#[tokio::test]
async fn a_request_takes_no_more_permits_than_one_may() {
    let service = Service::start_with(&[
        ("SHOWRUNNER_MAX_CONCURRENT_DEVICES", "3"),
        ("SHOWRUNNER_MAX_CONCURRENT_PER_REQUEST", "1"),
    ]);
    let devices = several(3, Fault::SilentPort).await;
    let first = service.begin(&request(&devices));
    service.wait_for("devices_waiting", 2).await;
    assert_eq!(service.health().await["sessions_running"], 1);
    first.abort();
    service.wait_for("devices_waiting", 0).await;
    service.wait_for("sessions_running", 0).await;
}

#[tokio::test]
async fn a_request_that_does_not_fit_is_refused_whole_and_hears_how_full_it_is() {
    let service = Service::start_with(&[
        ("SHOWRUNNER_MAX_CONCURRENT_DEVICES", "1"),
        ("SHOWRUNNER_MAX_QUEUED_DEVICES", "2"),
        ("SHOWRUNNER_MAX_DEVICES_PER_REQUEST", "3"),
    ]);
    let hanging = several(2, Fault::SilentPort).await;
    let first = service.begin(&request(&hanging));
    service.wait_for("devices_waiting", 1).await;
    let two = several(2, Fault::SlowOutput).await;
    let answer = service
        .client
        .post(format!("{}/api/v1/execute", service.url))
        .json(&request(&two))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 503);
    let seconds: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["code"], "service_full", "{body}");
    let detail = body["detail"].as_str().unwrap();
    let said = "1 of 1 sessions run and 1 of 2 devices wait, and this request has 2";
    assert!(detail.contains(said), "{detail}");
    assert!(two.iter().all(|device| device.most_open_sessions() == 0), "part of it was run");
    // The places are free again as soon as the first caller goes away.
    first.abort();
    service.wait_for("sessions_running", 0).await;
    let (status, answer) = service.execute(&request(&two)).await;
    assert_eq!((status, &answer["successful_devices"]), (200, &json!(2)), "{answer}");
}

#[tokio::test]
async fn a_device_that_is_busy_for_too_long_is_said_to_be() {
    let service = Service::start_with(&[("SHOWRUNNER_QUEUE_TIMEOUT", "1")]);
    let device = faulty("cisco_ios", &[Fault::FrozenCommand]).await;
    let body = json!({
        "devices": [entry(&device, "ios"), entry(&device, "ios")], "commands": ["show version"], "timeout": 3
    });
    let (_, answer) = service.execute(&body).await;
    let second = &answer["results"][1];
    assert_eq!(second["error_code"], "queue_timeout", "{answer}");
    let error = second["error"].as_str().unwrap();
    assert!(error.contains("because other sessions with this device went on"), "{error}");
}

#[tokio::test]
async fn a_device_that_gets_no_turn_in_time_says_so_and_was_not_touched() {
    let service = Service::start_with(&[
        ("SHOWRUNNER_MAX_CONCURRENT_DEVICES", "1"),
        ("SHOWRUNNER_QUEUE_TIMEOUT", "1"),
        ("SHOWRUNNER_HANDSHAKE_TIMEOUT", "4"),
    ]);
    let (hanging, late) =
        (faulty("cisco_ios", &[Fault::SilentPort]).await, faulty("cisco_ios", &[]).await);
    let body = json!({"devices": [entry(&hanging, "ios"), entry(&late, "ios")], "commands": ["show version"]});
    let (_, answer) = service.execute(&body).await;
    let codes = [&answer["results"][0]["error_code"], &answer["results"][1]["error_code"]];
    assert_eq!(codes, ["banner_timeout", "queue_timeout"], "{answer}");
    assert_eq!(answer["results"][1]["attempts"], 0);
    assert_eq!(late.most_open_sessions(), 0);
    let result = service.read(entry(&late, "ios"), &["show version"]).await;
    assert_eq!(result["success"], true, "{result}");
}

#[tokio::test]
async fn a_name_and_an_address_of_one_device_share_its_permit() {
    let service = Service::start();
    let device = faulty("cisco_ios", &[]).await;
    let mut entries = vec![entry(&device, "ios"); 6];
    for entry in entries.iter_mut().skip(1).step_by(2) {
        entry["hostname"] = json!("localhost");
    }
    // Where the name means `::1` first, nobody listens there and the next address is taken.
    let (_, answer) =
        service.execute(&json!({"devices": entries, "commands": ["show version"]})).await;
    assert_eq!(answer["successful_devices"], 6, "{answer}");
    assert!(device.most_open_sessions() <= 2);
}
