//! Much of everything: one large output, many devices with one that hangs among them, records larger than their text.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use showrunner::simulator::{FakeDevice, Fault};

use crate::support::{Service, entry, faulty, with};

const MIB: u64 = 1 << 20;

/// The most memory that the service ever held.
pub(crate) fn peak_bytes(service: &Service) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", service.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}

async fn fleet(devices: usize) -> Vec<FakeDevice> {
    let mut fleet = Vec::new();
    for _ in 0..devices {
        fleet.push(faulty("cisco_ios", &[]).await);
    }
    fleet
}

#[tokio::test]
async fn an_output_of_64_mib_is_read_to_its_end_within_bounds_of_memory() {
    // Cut at the default bound of one output, and kept whole.
    let cases = [
        ("8388608", json!({"command": "show simulator bytes 67108864"}), 8 * MIB, 64 * MIB),
        ("67108864", json!({"command": "show simulator bytes 67108864"}), 64 * MIB, 360 * MIB),
    ];
    for (most, command, kept, memory) in cases {
        let service = Service::start_with(&[("SHOWRUNNER_MAX_OUTPUT_BYTES", most)]);
        let device = faulty("cisco_ios", &[]).await;
        let body = json!({
            "devices": [entry(&device, "ios")], "commands": [command, "show clock"], "timeout": 90
        });
        let (_, answer) = service.execute(&body).await;
        let commands = &answer["results"][0]["commands"];
        let bytes = commands[0]["output"].as_str().unwrap().len() as u64;
        assert_eq!(
            (bytes, &commands[0]["success"]),
            (kept, &json!(true)),
            "{}",
            commands[0]["error"]
        );
        assert_eq!(commands[0]["truncated"], kept < 64 * MIB);
        assert!(commands[1]["output"].as_str().unwrap().contains("UTC"), "{}", commands[1]);
        let peak = peak_bytes(&service);
        assert!(peak < memory, "{most}: {} MiB", peak / MIB);
    }
}

#[tokio::test]
async fn one_that_hangs_among_five_hundred_holds_nobody_up_in_a_stream() {
    let service = Service::start_with(&[
        ("SHOWRUNNER_HANDSHAKE_TIMEOUT", "60"),
        ("SHOWRUNNER_MAX_CONCURRENT_DEVICES", "100"),
    ]);
    let (fleet, silent) = (fleet(499).await, faulty("cisco_ios", &[Fault::SilentPort]).await);
    let mut entries: Vec<Value> = fleet.iter().map(|device| entry(device, "ios")).collect();
    entries.insert(0, entry(&silent, "ios"));
    let body = json!({"devices": entries, "commands": ["show version"]});
    let url = format!("{}/api/v1/execute", service.url);
    let request = service.client.post(url).header("Accept", "application/x-ndjson").json(&body);
    let mut response = request.send().await.unwrap();
    let mut text = String::new();
    while text.lines().count() < 499 || !text.ends_with('\n') {
        let chunk = response.chunk().await.unwrap().expect("the stream goes on");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    // All the others are here, and the one that hangs still hangs.
    assert_eq!(service.health().await["sessions_running"], 1);
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&line["type"], &line["success"]), (&json!("device"), &json!(true)), "{line}");
    }
    drop(response);
    service.wait_for("sessions_running", 0).await;
}

#[tokio::test]
async fn one_that_hangs_among_five_hundred_is_answered_with_the_others_at_its_limit() {
    let service = Service::start_with(&[
        ("SHOWRUNNER_HANDSHAKE_TIMEOUT", "15"),
        ("SHOWRUNNER_MAX_CONCURRENT_DEVICES", "100"),
    ]);
    let (fleet, silent) = (fleet(499).await, faulty("cisco_ios", &[Fault::SilentPort]).await);
    let mut entries: Vec<Value> = fleet.iter().map(|device| entry(device, "ios")).collect();
    entries.insert(250, entry(&silent, "ios"));
    let begun = Instant::now();
    let (_, answer) =
        service.execute(&json!({"devices": entries, "commands": ["show version"]})).await;
    let took = begun.elapsed();
    assert_eq!(answer["successful_devices"], 499, "{}", answer["results"][0]);
    let late = &answer["results"][250];
    assert_eq!(late["error_code"], "banner_timeout", "{late}");
    assert!(late["duration_ms"].as_u64().unwrap() < 15_000 + 1000, "{late}");
    // The others are done long before; a busy machine may take some more.
    assert!(took < Duration::from_secs(15 + 1 + 20), "{took:?}");
}

#[tokio::test]
async fn a_thousand_devices_are_taken_and_one_more_is_not() {
    let service = Service::start_with(&[("SHOWRUNNER_TARGETS_ALLOW_LOOPBACK", "false")]);
    let device = |n: usize| json!({"hostname": format!("127.0.{}.{}", n / 250, 1 + n % 250), "username": "a", "password": "b", "os": "ios"});
    let body = |devices: usize| {
        let devices: Vec<Value> = (0..devices).map(device).collect();
        json!({"devices": devices, "commands": ["show version"]})
    };
    let (status, answer) = service.execute(&body(1000)).await;
    assert_eq!((status, &answer["total_devices"]), (200, &json!(1000)));
    assert_eq!(answer["results"][999]["error_code"], "target_refused");
    let (status, answer) = service.execute(&body(1001)).await;
    assert_eq!(
        (status, &answer["detail"][0]["loc"]),
        (422, &json!(["body", "devices"])),
        "{answer}"
    );
    assert!(answer["detail"][0]["msg"].as_str().unwrap().contains("1000"), "{answer}");
}

#[tokio::test]
async fn a_timeout_is_one_to_three_hundred_seconds() {
    let service = Service::start();
    let device = faulty("cisco_ios", &[]).await;
    let body = json!({"devices": [entry(&device, "ios")], "commands": ["show clock"]});
    for (seconds, wanted) in [(0, 422), (1, 200), (300, 200), (301, 422)] {
        let (status, answer) = service.execute(&with(body.clone(), "timeout", seconds)).await;
        assert_eq!(status, wanted, "{seconds}: {answer}");
    }
    let own = json!([{"command": "show clock", "timeout": 301}]);
    let (status, answer) = service.execute(&with(body, "commands", own)).await;
    assert_eq!((status, &answer["code"]), (422, &json!("invalid_request")), "{answer}");
    assert_eq!(device.sessions_seen(), 2);
}

/// What the first line says is in every record.
const REPEATING: &str = "Value Filldown A (.*)
Value Filldown B (.*)
Value Filldown C (.*)
Value Required NUMBER (\\d{8})

Start
 ^${A}$$ -> Continue
 ^${B}$$ -> Continue
 ^${C}$$ -> Continue
 ^${NUMBER} -> Record Lines

Lines
 ^${NUMBER} -> Record
";

#[tokio::test]
async fn records_count_against_what_a_request_may_hold() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cisco_ios_show_simulator_lines_2000.textfsm");
    fs::write(file, REPEATING).unwrap();
    let folder = folder.path().to_str().unwrap();
    let fleet = fleet(6).await;
    let entries: Vec<Value> = fleet.iter().map(|device| entry(device, "ios")).collect();
    let body = json!({
        "devices": entries, "commands": ["show simulator lines 2000"], "output_format": "both"
    });
    // 140 kB of text a device, and more than half a megabyte of records.
    let records = async |most: &str, accept: &str| -> Vec<Value> {
        let service = Service::start_with(&[
            ("SHOWRUNNER_TEMPLATES_DIR", folder),
            ("SHOWRUNNER_MAX_REQUEST_OUTPUT_BYTES", most),
            ("SHOWRUNNER_MAX_CONCURRENT_DEVICES", "1"),
        ]);
        let url = format!("{}/api/v1/execute", service.url);
        let request = service.client.post(url).header("Accept", accept).json(&body);
        let text = request.send().await.unwrap().text().await.unwrap();
        if accept == "application/json" {
            let answer: Value = serde_json::from_str(&text).unwrap();
            return answer["results"].as_array().unwrap().clone();
        }
        text.lines().take(6).map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let count = |results: &[Value]| {
        results.iter().filter(|result| result["commands"][0]["parsed"].is_array()).count()
    };
    let whole = records("100000000", "application/json").await;
    assert_eq!(count(&whole), 6, "{}", whole[0]);
    let record = &whole[5]["commands"][0]["parsed"][1999];
    assert!(record["a"].as_str().unwrap().starts_with("00000001 "), "{record}");

    let few = records("3000000", "application/json").await;
    assert!((1..6).contains(&count(&few)), "{}", count(&few));
    for result in &few {
        let command = &result["commands"][0];
        let said = command["parse_error"].as_str().unwrap_or_default();
        let is_said = said.contains("SHOWRUNNER_MAX_REQUEST_OUTPUT_BYTES");
        assert_eq!(command["parsed"].is_null(), is_said, "{said}");
        assert_eq!((&result["success"], &command["truncated"]), (&json!(true), &json!(false)));
    }
    // What was sent is held no more.
    assert_eq!(count(&records("1000000", "application/x-ndjson").await), 6);
}
