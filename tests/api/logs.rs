//! What is logged of a request: every line has its id, none has a secret, and the file is kept in bounds.

use rustix::process::Signal;
use serde_json::{Value, json};
use showrunner::simulator::Fault;

use crate::support::{Service, entry, faulty, with};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test]
async fn every_line_of_a_request_has_its_id_also_those_of_other_threads() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("service.log");
    let mut service = Service::start_with(&[
        ("SHOWRUNNER_LOG_FORMAT", "json"),
        ("SHOWRUNNER_LOG_LEVEL", "debug"),
    ]);
    let good = faulty("cisco_ios", &[]).await;
    let bad = faulty("cisco_ios", &[Fault::CloseInOutput]).await;
    let devices = [entry(&good, "ios"), with(entry(&bad, "ios"), "password", "demo")];
    let body = json!({"devices": devices, "commands": ["show version"]});
    let answer = service
        .client
        .post(format!("{}/api/v1/execute", service.url))
        .header("X-Request-ID", "ticket-4711")
        .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["x-request-id"], "ticket-4711");
    assert_eq!(answer.json::<Value>().await.unwrap()["request_id"], "ticket-4711");
    service.signal(Signal::TERM);
    assert_eq!(service.exit_code().await, Some(0));
    let log = service.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |message: &str| -> Vec<&Value> {
        lines.iter().filter(|line| line["message"] == message).collect()
    };
    for (message, count) in
        [("request answered", 1), ("device session done", 1), ("device session failed", 1)]
    {
        let found = of(message);
        assert_eq!(found.len(), count, "{message}: {log}");
        for line in found {
            assert_eq!(
                (&line["request_id"], &line["trace_id"]),
                (&json!("ticket-4711"), &json!(TRACE)),
                "{line}"
            );
        }
    }
    let failed = of("device session failed")[0];
    assert_eq!(
        (&failed["error_code"], &failed["device.os"]),
        (&json!("disconnected"), &json!("cisco_ios"))
    );
    assert_eq!(of("request answered")[0]["http.status"], 200);
    // Lines without an id are those of the service itself.
    for line in lines.iter().filter(|line| line["request_id"].is_null()) {
        assert!(!line.to_string().contains("device"), "{line}");
    }
    assert!(!file.exists());
}

#[tokio::test]
async fn a_log_file_takes_everything_and_is_kept_in_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("service.log");
    let mut service = Service::start_where(
        &[
            ("SHOWRUNNER_LOG_FILE", file.to_str().unwrap()),
            ("SHOWRUNNER_LOG_ROTATION", "10KiB"),
            ("SHOWRUNNER_LOG_RETENTION", "2"),
        ],
        &file,
    );
    for _ in 0..300 {
        service.client.get(format!("{}/health", service.url)).send().await.unwrap();
    }
    service.signal(Signal::TERM);
    assert_eq!(service.exit_code().await, Some(0));
    let mut sizes: Vec<(String, u64)> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len())
        })
        .collect();
    sizes.sort();
    let names: Vec<&str> = sizes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["service.log", "service.log.1", "service.log.2"]);
    assert!(sizes.iter().all(|(_, bytes)| *bytes <= 10 * 1024), "{sizes:?}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.lines().any(|line| line.ends_with("stopped")), "{text}");
}
