//! Thirty secrets in every field of valid, invalid and failing requests: none is ever seen again.

use std::{fmt::Write as _, time::Duration};

use rustix::process::Signal;
use serde_json::{Value, json};
use showrunner::simulator::{AuthKind, DeviceOptions, Fault};

use crate::{
    access::new_key,
    support::{Service, device, entry, faulty, with},
};

/// Makes marker secrets, each a word of its own.
#[derive(Default)]
struct Markers(Vec<String>);

impl Markers {
    fn next(&mut self) -> String {
        let marker = format!("mArKeR{:02}sEcReT", self.0.len());
        self.0.push(marker.clone());
        marker
    }
}

#[tokio::test]
async fn no_secret_of_any_request_appears_in_log_answer_metric_audit_or_process_list() {
    let folder = tempfile::tempdir().unwrap();
    let (audit, keys) = (folder.path().join("audit.log"), folder.path().join("keys.toml"));
    let (api_key, entry_of) = new_key("caller");
    std::fs::write(&keys, entry_of).unwrap();
    let mut service = Service::start_with(&[
        ("SHOWRUNNER_LOG_LEVEL", "trace"),
        ("SHOWRUNNER_LOG_FORMAT", "json"),
        ("SHOWRUNNER_AUDIT_FILE", audit.to_str().unwrap()),
        ("SHOWRUNNER_API_KEYS_FILE", keys.to_str().unwrap()),
        ("SHOWRUNNER_AUTHENTICATE_TIMEOUT", "1"),
        ("SHOWRUNNER_PROMPT_TIMEOUT", "2"),
        ("SHOWRUNNER_MAX_BODY_BYTES", "100000"),
    ]);
    let mut markers = Markers::default();
    let right = markers.next();
    let enable = markers.next();
    let options = || DeviceOptions {
        password: right.clone(),
        enable_password: Some(enable.clone()),
        ..DeviceOptions::default()
    };
    let ios = device("cisco_ios", options()).await;
    let interactive =
        device("cisco_ios", DeviceOptions { auth: AuthKind::KeyboardInteractive, ..options() })
            .await;
    let asks = device("cisco_ios", DeviceOptions { auth: AuthKind::None, ..options() }).await;
    let silent = faulty("cisco_ios", &[Fault::AuthSilent]).await;
    let breaks = faulty("cisco_ios", &[Fault::CloseInAuth]).await;
    let login = |device, password: &str| with(entry(device, "ios"), "password", password);
    let gone = json!({"hostname": "127.0.0.1", "port": 1, "username": "u", "os": "ios"});

    // Devices that work, and devices that fail at every step of a login.
    let mut devices = vec![
        with(login(&ios, &right), "enable_password", enable.as_str()),
        login(&interactive, &right),
        login(&asks, &right),
        login(&ios, &markers.next()),
        login(&interactive, &markers.next()),
        login(&asks, &markers.next()),
        with(login(&ios, &right), "enable_password", markers.next()),
        login(&silent, &markers.next()),
        login(&breaks, &markers.next()),
        with(gone.clone(), "password", markers.next()),
    ];
    let key = format!(
        "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n",
        markers.next()
    );
    let by_key =
        device("cisco_ios", DeviceOptions { auth: AuthKind::PublicKey, ..options() }).await;
    let keyed = with(with(gone.clone(), "port", by_key.addr().port()), "private_key", key);
    devices.push(with(keyed, "private_key_passphrase", markers.next()));
    let hop = |password: String| {
        json!([{
            "hostname": "127.0.0.1", "port": ios.addr().port(), "username": "demo", "password": password
        }])
    };
    let behind = with(gone.clone(), "password", markers.next());
    devices.push(with(behind, "jump", hop(markers.next())));
    let valid = json!({"devices": devices, "commands": ["show version"], "timeout": 5});

    // Bodies that are wrong in a field that holds or stands beside a secret.
    let mut bodies = vec![valid.to_string()];
    for wrong in ["password", "enable_password", "private_key", "private_key_passphrase"] {
        for value in [
            json!([markers.next()]),
            json!({"a": markers.next()}),
            json!(format!("{}\u{0}", markers.next())),
            json!(markers.next().repeat(100)),
        ] {
            let device = with(with(gone.clone(), "password", markers.next()), wrong, value);
            bodies.push(json!({"devices": [device], "commands": ["show version"]}).to_string());
        }
    }
    for value in [json!([markers.next()]), hop(format!("{}\n", markers.next())), hop(String::new())]
    {
        let device = with(with(gone.clone(), "password", markers.next()), "jump", value);
        bodies.push(json!({"devices": [device], "commands": ["show version"]}).to_string());
    }
    let in_place = |text: &str, marker: String| text.replace('@', &marker);
    for text in [
        r#"{"devices": [{"password": "@"#,
        r#"{"devices": [{"password": @}]}"#,
        r#"{"devices": [{"password": "a", "password": "@"}]}"#,
        r#"{"devices": "@", "commands": []}"#,
        r#"{"devices": [{"passwort": "@", "hostname": "r1"}], "commands": []}"#,
        r#"{"devices": [], "commands": [], "timeout": "@"}"#,
        r#""@""#,
    ] {
        bodies.push(in_place(text, markers.next()));
    }
    bodies.push(format!("{{\"devices\": \"{}{}\"}}", markers.next(), " ".repeat(100_000)));

    let post = |key: String, kind: &'static str, path: &str, body: String| {
        let request = service.client.post(format!("{}{path}", service.url));
        request.header("X-API-Key", key).header("Content-Type", kind).body(body).send()
    };
    let mut answers = String::new();
    let json_type = "application/json";
    for body in &bodies {
        for path in ["/api/v1/execute", "/api/v1/validate"] {
            let answer = post(api_key.clone(), json_type, path, body.clone()).await.unwrap();
            writeln!(answers, "{:?}", answer.headers()).unwrap();
            answers += &(answer.text().await.unwrap() + "\n");
        }
    }
    assert!(answers.contains("\"successful_devices\":3"), "{answers}");
    for code in [
        "auth_rejected",
        "enable_rejected",
        "auth_timeout",
        "key_unusable",
        "disconnected",
        "jump_failed",
    ] {
        assert!(answers.contains(&format!("\"{code}\"")), "{code} is not in the answers");
    }
    for (key, kind) in [(markers.next(), json_type), (api_key.clone(), "text/plain")] {
        let answer = post(key, kind, "/api/v1/execute", bodies[0].clone()).await.unwrap();
        answers += &answer.text().await.unwrap();
    }
    // A caller who goes away in the middle of it.
    let slow = json!({"devices": [login(&silent, &markers.next())], "commands": ["show version"]});
    let request = post(api_key.clone(), json_type, "/api/v1/execute", slow.to_string());
    assert!(tokio::time::timeout(Duration::from_millis(300), request).await.is_err());
    let request =
        service.client.get(format!("{}/metrics", service.url)).header("X-API-Key", &api_key);
    let metrics = request.send().await.unwrap().text().await.unwrap();
    let process = ["cmdline", "environ", "comm"].map(|name| {
        let path = format!("/proc/{}/{name}", service.pid());
        String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
    });
    service.signal(Signal::TERM);
    assert_eq!(service.exit_code().await, Some(0));
    assert!(markers.0.len() >= 30, "{}", markers.0.len());
    markers.0.push(api_key);
    let audit = std::fs::read_to_string(&audit).unwrap();
    assert!(audit.lines().count() > 10 && metrics.contains("showrunner_"), "{audit}");
    let log = service.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["level"] == "TRACE"), "{log}");
    for (place, text) in [
        ("an answer", &answers),
        ("the log", &log),
        ("the metrics", &metrics),
        ("the audit stream", &audit),
        ("the process list", &process.concat()),
    ] {
        for marker in &markers.0 {
            if let Some(line) = text.lines().find(|line| line.contains(marker.as_str())) {
                panic!("{marker} is in {place}: {line:.500}");
            }
        }
    }
}
