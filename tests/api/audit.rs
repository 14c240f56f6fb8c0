//! The audit stream: who asked what of which device, and what came of it.

use std::{path::Path, time::Duration};

use rustix::process::Signal;
use serde_json::{Value, json};
use showrunner::simulator::{FakeDevice, Fault};

use crate::{
    access::new_key,
    support::{Service, entry, faulty, with},
};

fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn every_request_leaves_who_when_what_where_and_what_came_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (file, keys) = (folder.path().join("audit.log"), folder.path().join("keys.toml"));
    let (secret, entry_of) = new_key("backup-job");
    std::fs::write(&keys, entry_of).unwrap();
    let mut service = Service::start_with(&[
        ("SHOWRUNNER_AUDIT_FILE", file.to_str().unwrap()),
        ("SHOWRUNNER_API_KEYS_FILE", keys.to_str().unwrap()),
    ]);
    let (good, bad) =
        (faulty("cisco_ios", &[]).await, faulty("cisco_ios", &[Fault::AuthDenied]).await);
    let ask = async |key: &str, commands: &[&str]| {
        let devices =
            [entry(&good, "ios"), with(entry(&bad, "ios"), "password", "Tr0ub4dor-and-3")];
        let request = service.client.post(format!("{}/api/v1/execute", service.url));
        let request = request.header("X-API-Key", key).header("X-Request-ID", "job-1");
        let body = json!({"devices": devices, "commands": commands});
        request.json(&body).send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask(&secret, &["show version", "show nonsense"]).await, 200);
    assert_eq!(ask(&secret, &["reload"]).await, 422);
    assert_eq!(ask("sr_wrong", &["show version"]).await, 401);
    service.signal(Signal::TERM);
    assert_eq!(service.exit_code().await, Some(0));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("Tr0ub4dor") && !text.contains(&secret), "{text}");
    let lines = lines(&file);
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["asked", "device", "device", "refused", "refused"], "{text}");
    for line in &lines {
        assert_eq!(
            (&line["request_id"], &line["client_address"]),
            (&json!("job-1"), &json!("127.0.0.1"))
        );
        assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
    }
    assert_eq!(lines[0]["client_key"], "backup-job");
    assert_eq!(lines[0]["commands"], json!(["show version", "show nonsense"]));
    let asked = &lines[0]["devices"][1];
    assert_eq!(asked["port"], bad.addr().port());
    assert_eq!((&asked["platform"], &asked["username"]), (&json!("cisco_ios"), &json!("demo")));
    // Each when its session is over.
    let came = |device: &FakeDevice| {
        lines[1..3].iter().find(|line| line["port"] == device.addr().port()).unwrap()
    };
    assert_eq!(
        (&came(&good)["outcome"], &came(&good)["commands"]),
        (&json!("ok"), &json!({"ok": 1, "cli_error": 1}))
    );
    assert_eq!(came(&bad)["outcome"], "auth_rejected");
    assert_eq!((&lines[3]["status"], &lines[4]["status"]), (&json!(422), &json!(401)));
    assert_eq!(
        (&lines[3]["client_key"], &lines[4]["client_key"]),
        (&json!("backup-job"), &Value::Null)
    );
}

#[tokio::test]
async fn a_caller_who_goes_away_is_in_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let service = Service::start_with(&[("SHOWRUNNER_AUDIT_FILE", file.to_str().unwrap())]);
    let (done, silent) =
        (faulty("cisco_ios", &[]).await, faulty("cisco_ios", &[Fault::SilentPort]).await);
    let body = json!({"devices": [entry(&done, "ios"), entry(&silent, "ios")], "commands": ["show version"]});
    let request = service.client.post(format!("{}/api/v1/execute", service.url)).json(&body).send();
    let asked = tokio::spawn(request);
    let event = async |wanted: &str| {
        for _ in 0..500 {
            if lines(&file).iter().any(|line| line["event"] == wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{wanted} is not in the stream: {:?}", lines(&file));
    };
    event("asked").await;
    event("device").await;
    asked.abort();
    event("cancelled").await;
    let came: Vec<_> = lines(&file).into_iter().filter(|line| line["event"] == "device").collect();
    assert_eq!((came.len(), &came[0]["port"]), (1, &json!(done.addr().port())), "{came:?}");
    // The log and the counts know whose request it was, and what for.
    let mut log = String::new();
    for _ in 0..500 {
        log = service.log();
        if log.contains("http.status=499") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let line = log.lines().find(|line| line.contains("http.status=499")).expect(&log);
    assert!(line.contains("127.0.0.1") && line.contains("/api/v1/execute"), "{line}");
    let metrics = service.client.get(format!("{}/metrics", service.url)).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let want = "showrunner_http_requests_total{route=\"/api/v1/execute\",status=\"499\"} 1";
    assert!(metrics.contains(want), "{metrics}");
}

#[tokio::test]
async fn where_the_stream_is_required_nothing_is_done_without_it() {
    // A device that takes nothing.
    let full = Service::start_with(&[
        ("SHOWRUNNER_AUDIT_FILE", "/dev/full"),
        ("SHOWRUNNER_AUDIT_REQUIRED", "true"),
        ("SHOWRUNNER_LOG_ROTATION", "off"),
    ]);
    let device = faulty("cisco_ios", &[]).await;
    let body = json!({"devices": [entry(&device, "ios")], "commands": ["show version"]});
    let (status, answer) = full.execute(&body).await;
    assert_eq!((status, &answer["code"]), (503, &json!("audit_unavailable")), "{answer}");
    assert_eq!(device.sessions_seen(), 0);
    let lenient = Service::start_with(&[
        ("SHOWRUNNER_AUDIT_FILE", "/dev/full"),
        ("SHOWRUNNER_LOG_ROTATION", "off"),
    ]);
    assert_eq!(lenient.execute(&body).await.0, 200);
}

#[tokio::test]
async fn a_stream_that_was_deleted_or_that_nobody_reads_lets_nothing_through_unseen() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let required = ("SHOWRUNNER_AUDIT_REQUIRED", "true");
    let device = faulty("cisco_ios", &[]).await;
    let body = json!({"devices": [entry(&device, "ios")], "commands": ["show version"]});
    let service =
        Service::start_with(&[("SHOWRUNNER_AUDIT_FILE", file.to_str().unwrap()), required]);
    assert_eq!(service.execute(&body).await.0, 200);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(service.execute(&body).await.0, 200);
    assert!(lines(&file).iter().any(|line| line["event"] == "asked"), "{:?}", lines(&file));
    // Without its folder there is no file to be had.
    drop(folder);
    assert_eq!(service.execute(&body).await.0, 503);

    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    // It can be read, but nobody does.
    let _reader = std::fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let service =
        Service::start_with(&[("SHOWRUNNER_AUDIT_FILE", pipe.to_str().unwrap()), required]);
    let gone = json!({"hostname": "127.0.0.1", "port": 1, "username": "u".repeat(200), "password": "p", "os": "ios"});
    let more_than_a_pipe_holds = json!({"devices": vec![gone; 500], "commands": ["show version"]});
    let (status, answer) = service.execute(&more_than_a_pipe_holds).await;
    assert_eq!((status, &answer["code"]), (503, &json!("audit_unavailable")), "{answer}");
}

#[tokio::test]
async fn a_request_that_finds_no_room_is_in_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let service = Service::start_with(&[
        ("SHOWRUNNER_AUDIT_FILE", file.to_str().unwrap()),
        ("SHOWRUNNER_MAX_CONCURRENT_DEVICES", "1"),
        ("SHOWRUNNER_MAX_DEVICES_PER_REQUEST", "1"),
        ("SHOWRUNNER_MAX_QUEUED_DEVICES", "0"),
    ]);
    let device = faulty("cisco_ios", &[Fault::SilentPort]).await;
    let body = json!({"devices": [entry(&device, "ios")], "commands": ["show version"]});
    let hanging = service.begin(&body);
    service.wait_for("sessions_running", 1).await;
    assert_eq!(service.execute(&body).await.0, 503);
    for _ in 0..500 {
        if lines(&file).iter().any(|line| line["event"] == "refused" && line["status"] == 503) {
            return hanging.abort();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nothing says what became of it: {:?}", lines(&file));
}

#[tokio::test]
async fn an_answer_sent_in_pieces_leaves_the_same_trail() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let mut service = Service::start_with(&[("SHOWRUNNER_AUDIT_FILE", file.to_str().unwrap())]);
    let device = faulty("cisco_ios", &[]).await;
    let body =
        json!({"devices": [entry(&device, "ios")], "commands": ["show version", "show nonsense"]});
    for granularity in ["device", "command"] {
        let request = service
            .client
            .post(format!("{}/api/v1/execute?granularity={granularity}", service.url))
            .header("Accept", "application/x-ndjson");
        let answer = request.json(&body).send().await.unwrap();
        assert!(answer.text().await.unwrap().contains("summary"));
    }
    service.signal(Signal::TERM);
    assert_eq!(service.exit_code().await, Some(0));
    let lines = lines(&file);
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["asked", "device", "asked", "device"]);
    for line in [&lines[1], &lines[3]] {
        assert_eq!(line["commands"], json!({"ok": 1, "cli_error": 1}), "{line}");
    }
}

#[tokio::test]
async fn devices_are_in_the_trail_of_a_stream_when_they_are_done_and_not_when_they_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let service = Service::start_with(&[("SHOWRUNNER_AUDIT_FILE", file.to_str().unwrap())]);
    let mut devices = Vec::new();
    for _ in 0..6 {
        devices.push(faulty("cisco_ios", &[]).await);
    }
    let entries: Vec<_> = devices.iter().map(|device| entry(device, "ios")).collect();
    // More than the sockets hold of an answer that nobody reads.
    let body = json!({"devices": entries, "commands": ["show simulator bytes 8000000"]});
    let request = service
        .client
        .post(format!("{}/api/v1/execute", service.url))
        .header("Accept", "application/x-ndjson");
    let unread = request.json(&body).send().await.unwrap();
    let mut n_done = 0;
    for _ in 0..1000 {
        n_done = lines(&file).iter().filter(|line| line["event"] == "device").count();
        if n_done == devices.len() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(n_done, devices.len(), "{:?}", lines(&file));
    drop(unread);
}
