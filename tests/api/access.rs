//! API keys and target lists through the front door: who may send what to which device.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Service, entry, faulty};

/// Makes a key as an operator does: the key, and its entry for the file.
pub(crate) fn new_key(name: &str) -> (String, String) {
    let answer = Command::new(env!("CARGO_BIN_EXE_showrunner")).args(["new-key", name]).output();
    let answer = answer.unwrap();
    let said = String::from_utf8(answer.stderr).unwrap();
    let secret = said.lines().find(|line| line.starts_with("sr_")).unwrap().to_owned();
    (secret, String::from_utf8(answer.stdout).unwrap())
}

struct Keyed {
    service: Service,
    _folder: tempfile::TempDir,
}

impl Keyed {
    fn start(entries: &[String], settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        std::fs::write(&file, entries.concat()).unwrap();
        let named = ("SHOWRUNNER_API_KEYS_FILE", file.to_str().unwrap());
        let service = Service::start_with(&[settings, &[named]].concat());
        Self { service, _folder: folder }
    }

    async fn execute(&self, header: (&str, &str), body: &Value) -> (u16, Value) {
        let url = format!("{}/api/v1/execute", self.service.url);
        let request = self.service.client.post(url).header(header.0, header.1).json(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

#[tokio::test]
async fn only_a_known_key_gets_in_and_no_key_is_ever_logged() {
    let (secret, entry_of) = new_key("backup-job");
    let keyed = Keyed::start(&[entry_of], &[("SHOWRUNNER_LOG_LEVEL", "debug")]);
    let device = faulty("cisco_ios", &[]).await;
    let body = json!({"devices": [entry(&device, "ios")], "commands": ["show version"]});
    let bearer = format!("Bearer {secret}");
    for header in [("X-API-Key", secret.as_str()), ("Authorization", &bearer)] {
        let (status, answer) = keyed.execute(header, &body).await;
        assert_eq!((status, &answer["successful_devices"]), (200, &json!(1)), "{answer}");
    }
    let close = format!("{secret}x");
    for (header, code) in [
        (("X-API-Key", close.as_str()), "api_key_unknown"),
        (("X-API-Key", ""), "api_key_unknown"),
        (("Cookie", secret.as_str()), "api_key_missing"),
        (("Authorization", "Basic YTpi"), "api_key_missing"),
    ] {
        let (status, answer) = keyed.execute(header, &body).await;
        assert_eq!((status, &answer["code"]), (401, &json!(code)), "{answer}");
        assert!(answer["request_id"].is_string() && !answer.to_string().contains(&secret));
    }
    assert_eq!(device.logins(), 2);
    let get = async |path: &str| {
        let url = format!("{}{path}", keyed.service.url);
        keyed.service.client.get(url).send().await.unwrap().status().as_u16()
    };
    for (path, status) in [
        ("/health", 200),
        ("/health/ready", 200),
        ("/docs/", 200),
        ("/openapi.json", 200),
        ("/metrics", 401),
        ("/api/v1/platforms", 401),
        ("/nowhere", 401),
        (&format!("/api/v1/platforms?api_key={close}"), 401),
    ] {
        assert_eq!(get(path).await, status, "{path}");
    }
    // The log has a thread of its own.
    let name = "client.key=\"backup-job\"";
    for _ in 0..1000 {
        if keyed.service.log().contains(name) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let log = keyed.service.log();
    assert!(log.contains(name), "{log}");
    assert!(!log.contains(&secret), "a key is in the log");
}

#[tokio::test]
async fn a_key_is_held_to_its_own_commands_and_targets() {
    let (narrow, narrow_entry) = new_key("helpdesk");
    let (wide, wide_entry) = new_key("engineers");
    let limits = "commands_only = [\"show version\", \"ios: show ip *\"]\ncommands_deny = [\"show ip route*\"]\n\
                  targets_allow = [\"127.0.0.1\"]\ntargets_ports = [1]\n";
    let keyed = Keyed::start(&[narrow_entry, limits.to_owned(), wide_entry], &[]);
    let device = faulty("cisco_ios", &[]).await;
    let ask = async |key: &str, command: &str| {
        let body = json!({"devices": [entry(&device, "ios")], "commands": [command]});
        keyed.execute(("X-API-Key", key), &body).await
    };
    for (command, allowed) in [
        ("show version", true),
        ("show version | include uptime", true),
        ("show ip interface brief", true),
        ("show running-config", false),
        ("show ip route", false),
        ("sh ip ro", false),
        ("show versionx", false),
        ("show", false),
    ] {
        let (status, answer) = ask(&narrow, command).await;
        assert_eq!(status, if allowed { 200 } else { 422 }, "{command}: {answer}");
        if allowed {
            // The command may be sent, but not to this port.
            assert_eq!(answer["results"][0]["error_code"], "target_refused", "{answer}");
        } else {
            let said = answer["detail"][0]["msg"].as_str().unwrap();
            assert!(said.contains("denied_by_policy") || command == "show", "{said}");
        }
    }
    assert_eq!(device.login_attempts(), 0);
    let (status, answer) = ask(&wide, "show running-config").await;
    assert_eq!((status, &answer["successful_devices"]), (200, &json!(1)), "{answer}");
}

#[tokio::test]
async fn each_key_has_a_rate_of_its_own_wherever_it_is_used() {
    let ((one, one_entry), (two, two_entry)) = (new_key("one"), new_key("two"));
    let keyed = Keyed::start(
        &[one_entry, two_entry],
        &[
            ("SHOWRUNNER_RATE_LIMIT_EXECUTE", "1/hour"),
            ("SHOWRUNNER_TRUSTED_PROXIES", "127.0.0.0/8"),
        ],
    );
    let empty = json!({"devices": [], "commands": []});
    let mut statuses = Vec::new();
    for (key, from) in [(&one, "203.0.113.1"), (&two, "203.0.113.1"), (&one, "203.0.113.2")] {
        let url = format!("{}/api/v1/execute", keyed.service.url);
        let request = keyed.service.client.post(url).header("X-API-Key", key);
        let answer = request.header("X-Forwarded-For", from).json(&empty).send().await.unwrap();
        statuses.push(answer.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 429]);
    // Whoever tries keys is counted by his address.
    let wrong = keyed.execute(("X-API-Key", "sr_guess"), &empty).await.0;
    let again = keyed.execute(("X-API-Key", "sr_other"), &empty).await.0;
    assert_eq!((wrong, again), (401, 429));
}

#[tokio::test]
async fn targets_are_those_of_the_operators_lists() {
    let device = faulty("cisco_ios", &[]).await;
    let port = device.addr().port().to_string();
    let body = json!({"devices": [entry(&device, "ios")], "commands": ["show version"]});
    for (settings, allowed) in [
        (&[("SHOWRUNNER_TARGETS_ALLOW", "127.0.0.0/8, 10.0.0.0/8")][..], true),
        (&[("SHOWRUNNER_TARGETS_ALLOW", "10.0.0.0/8")], false),
        (&[("SHOWRUNNER_TARGETS_DENY", "127.0.0.1")], false),
        (&[("SHOWRUNNER_TARGETS_PORTS", port.as_str())], true),
        (&[("SHOWRUNNER_TARGETS_PORTS", "22")], false),
    ] {
        let service = Service::start_with(settings);
        let (_, answer) = service.execute(&body).await;
        let result = &answer["results"][0];
        let want = if allowed { Value::Null } else { json!("target_refused") };
        assert_eq!(result["error_code"], want, "{settings:?}: {result}");
    }
    assert_eq!(device.sessions_seen(), 2);
}
