//! What is logged of a request: every line has its id, none has a secret, and the file is kept in bounds.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
    time::Duration,
};

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
async fn an_answer_in_pieces_is_logged_and_counted_when_it_has_ended() {
    let service = Service::start_with(&[("SHOWRUNNER_LOG_FORMAT", "json")]);
    let (slow, quick) =
        (faulty("cisco_ios", &[Fault::SlowOutput]).await, faulty("cisco_ios", &[]).await);
    let frozen = faulty("cisco_ios", &[Fault::FrozenCommand]).await;
    let begin = async |id: &'static str, devices: Vec<Value>| {
        let body = json!({"devices": devices, "commands": ["show version"], "timeout": 60});
        let request = service.client.post(format!("{}/api/v1/execute", service.url));
        let request = request.header("Accept", "application/x-ndjson").header("X-Request-ID", id);
        request.json(&body).send().await.unwrap()
    };
    let logged = |id: &str| -> Vec<Value> {
        let log = service.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let is_of_it =
            |line: &Value| line["message"] == "request answered" && line["request_id"] == id;
        lines.filter(is_of_it).collect()
    };
    let line = async |id: &str| -> Value {
        for _ in 0..500 {
            if let Some(line) = logged(id).pop() {
                return line;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{}", service.log());
    };
    let taken = begin("taken", vec![entry(&slow, "ios")]).await;
    let text = taken.text().await.unwrap();
    let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let answered = line("taken").await;
    assert_eq!((&answered["http.status"], &summary["type"]), (&json!(200), &json!("summary")));
    let of = |line: &Value| line["duration_ms"].as_f64().unwrap();
    assert!(of(&answered) >= of(&summary) && of(&summary) > 0.0, "{answered} {text}");
    let mut left = begin("left", vec![entry(&quick, "ios"), entry(&frozen, "ios")]).await;
    left.chunk().await.unwrap().expect("one device is done");
    assert_eq!(logged("left"), [] as [Value; 0]);
    drop(left);
    let given_up = line("left").await;
    assert_eq!(given_up["http.status"], 499, "{given_up}");
    assert_eq!(given_up["client.address"], "127.0.0.1", "{given_up}");
    assert_eq!((logged("taken").len(), logged("left").len()), (1, 1));
    let metrics = service.client.get(format!("{}/metrics", service.url)).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for status in ["200", "499"] {
        let want = format!(
            "showrunner_http_request_duration_seconds_count{{route=\"/api/v1/execute\",status=\"{status}\"}} 1"
        );
        assert!(metrics.contains(&want), "{metrics}");
    }
}

#[tokio::test]
async fn a_line_is_short_whatever_a_caller_who_is_refused_asks_for() {
    let mut service = Service::start_with(&[("SHOWRUNNER_LOG_FORMAT", "json")]);
    let much = "A".repeat(30_000);
    for line in [format!("{much} /"), format!("GET /{much}?{much}"), "GET /health".to_owned()] {
        let mut stream = TcpStream::connect(service.url.trim_start_matches("http://")).unwrap();
        let head = format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        // Less than the whole line may be read before the answer comes.
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.read_to_end(&mut Vec::new());
    }
    service.signal(Signal::TERM);
    assert_eq!(service.exit_code().await, Some(0));
    let log = service.log();
    assert!(log.lines().all(|line| line.len() < 1000), "{} bytes", log.len());
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let asked: Vec<_> = lines
        .filter(|line| line["message"] == "request answered")
        .map(|line| (line["http.method"].clone(), line["http.path"].clone()))
        .collect();
    let (method, path) = (format!("{}…", "A".repeat(32)), format!("/{}…", "A".repeat(255)));
    for want in [(&*method, "/"), ("GET", &*path), ("GET", "/health")] {
        assert!(asked.contains(&(json!(want.0), json!(want.1))), "{asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_is_told_has_no_colours_where_nobody_sees_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials.toml");
    let device = faulty("cisco_ios", &[]).await;
    let port = device.addr().port().to_string();
    let set = "[[credential]]\nname = \"lab\"\nusername = \"demo\"\npassword_file = \"nowhere\"\n\
               targets = [\"127.0.0.0/8\"]\nports = [PORT]\nkeys = [\"nobody\"]\nhost_keys = \"any\"\n";
    std::fs::write(&file, set.replace("PORT", &port)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_showrunner"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SHOWRUNNER_")) {
        command.env_remove(name);
    }
    command.env_remove("NO_COLOR").arg("run").arg("show version");
    command.args(["--os", "ios", "--host", "127.0.0.1", "--port", &port, "--credential", "lab"]);
    let answer = command.arg("--credentials-file").arg(&file).output().unwrap();
    let said = String::from_utf8(answer.stderr).unwrap();
    assert!(said.contains("a credential set cannot be read"), "{said}");
    assert!(!said.contains('\x1b'), "{said:?}");
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
