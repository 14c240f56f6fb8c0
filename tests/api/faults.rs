//! Devices that misbehave: each fault has its own code and sentence, and harms nobody else.

use std::time::Duration;

use serde_json::{Value, json};
use showrunner::simulator::Fault;

use crate::support::{Service, entry, faulty, with};

/// Short limits, so that waiting for them is bearable.
const SHORT: [(&str, &str); 5] = [
    ("SHOWRUNNER_CONNECT_TIMEOUT", "1"),
    ("SHOWRUNNER_HANDSHAKE_TIMEOUT", "2"),
    ("SHOWRUNNER_AUTHENTICATE_TIMEOUT", "5"),
    ("SHOWRUNNER_PROMPT_TIMEOUT", "3"),
    ("SHOWRUNNER_RESOLVE_TIMEOUT", "2"),
];

#[tokio::test]
async fn each_fault_has_its_code_and_the_healthy_device_beside_it_is_unharmed() {
    let service = Service::start_with(&SHORT);
    let healthy = faulty("cisco_ios", &[]).await;
    let cases = [
        (Fault::SilentPort, "banner_timeout", "no SSH banner"),
        (Fault::NotSsh, "not_ssh", "does not speak SSH"),
        (Fault::FloodBeforeBanner, "not_ssh", "does not speak SSH"),
        (Fault::WrongVersion, "handshake_failed", "handshake"),
        (Fault::CloseAtAccept, "disconnected", "before its SSH banner"),
        (Fault::CloseAfterBanner, "disconnected", "handshake"),
        (Fault::NoCommonKeyExchange, "no_common_algorithm", "legacy"),
        (Fault::AuthSilent, "auth_timeout", "AAA"),
        (Fault::CloseAfterAuth, "disconnected", "closed the connection"),
        (Fault::PtyRefused, "shell_refused", "no terminal"),
        (Fault::ShellRefused, "shell_refused", "no terminal"),
        (Fault::NoPrompt, "prompt_timeout", "no Cisco IOS prompt"),
        (Fault::SessionLimit, "session_limit", "session limit"),
        (Fault::CloseBeforePrompt, "disconnected", "before its first prompt"),
    ];
    for (fault, code, words) in cases {
        let device = faulty("cisco_ios", &[fault]).await;
        let body = json!({
            "devices": [entry(&device, "ios"), entry(&healthy, "ios")],
            "commands": ["show version"]
        });
        let (status, answer) = service.execute(&body).await;
        assert_eq!(status, 200, "{answer}");
        let (bad, good) = (&answer["results"][0], &answer["results"][1]);
        assert_eq!(bad["error_code"], code, "{fault:?}: {bad}");
        assert_eq!((&bad["success"], &bad["commands"]), (&json!(false), &json!([])), "{fault:?}");
        let error = bad["error"].as_str().unwrap();
        assert!(error.contains(words), "{fault:?}: {error}");
        assert!(error.contains(": "), "{fault:?} names no phase: {error}");
        assert_eq!(good["success"], true, "{fault:?}: {good}");
        assert_eq!(
            (&answer["successful_devices"], &answer["failed_devices"]),
            (&json!(1), &json!(1))
        );
    }
}

#[tokio::test]
async fn a_session_that_breaks_in_a_command_keeps_what_had_come() {
    let service = Service::start_with(&SHORT);
    let cases = [
        (Fault::CloseInOutput, "disconnected", false),
        (Fault::ConfigPrompt, "configuration_prompt", false),
        (Fault::ShellPrompt, "shell_prompt", false),
        (Fault::ConfirmQuestion, "unexpected_question", false),
        (Fault::PasswordQuestion, "unexpected_question", false),
        (Fault::FrozenCommand, "command_timeout", true),
    ];
    for (fault, code, success) in cases {
        let device = faulty("cisco_ios", &[fault]).await;
        let body = json!({
            "devices": [entry(&device, "ios")], "commands": ["show version", "show inventory"], "timeout": 2
        });
        let (_, answer) = service.execute(&body).await;
        let result = &answer["results"][0];
        assert_eq!(result["success"], success, "{fault:?}: {result}");
        let (first, second) = (&result["commands"][0], &result["commands"][1]);
        assert_eq!(first["error_code"], code, "{fault:?}: {result}");
        assert!(
            first["output"].as_str().unwrap().starts_with("Cisco IOS Software"),
            "{fault:?}: {first}"
        );
        assert_eq!(first["truncated"], true, "{fault:?}");
        assert_eq!(second["error_code"], "not_run", "{fault:?}: {second}");
        let received = device.received_lines();
        assert!(!received.contains(&"show inventory".to_owned()), "{fault:?}: {received:?}");
        for answered in ["y", "yes", "demo"] {
            assert!(!received.contains(&answered.to_owned()), "{fault:?}: {received:?}");
        }
    }
}

#[tokio::test]
async fn a_port_where_nobody_listens_and_a_name_that_nobody_has_are_told_apart() {
    let service = Service::start_with(&SHORT);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let device = json!({"hostname": "127.0.0.1", "port": port, "username": "a", "password": "b", "os": "ios"});
    let result = service.read(device.clone(), &["show version"]).await;
    assert_eq!(result["error_code"], "connection_refused", "{result}");
    let result =
        service.read(with(device, "hostname", "no-such-host.invalid"), &["show version"]).await;
    let code = result["error_code"].as_str().unwrap();
    assert!(["resolve_failed", "resolve_timeout"].contains(&code), "{result}");
}

#[tokio::test]
async fn targets_that_are_no_devices_are_refused_without_a_connection() {
    let service = Service::start_with(&[("SHOWRUNNER_TARGETS_ALLOW_LOOPBACK", "false")]);
    let device = faulty("cisco_ios", &[]).await;
    for host in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "0.0.0.0", "localhost"]
    {
        let result =
            service.read(with(entry(&device, "ios"), "hostname", host), &["show version"]).await;
        assert_eq!(result["error_code"], "target_refused", "{host}: {result}");
    }
    assert_eq!(device.most_open_sessions(), 0);
}

#[tokio::test]
async fn a_slow_login_and_a_device_that_does_not_hang_up_only_take_their_time() {
    let service = Service::start_with(&SHORT);
    for fault in [Fault::AuthSlow, Fault::IgnoreLogout, Fault::LogoutTwice] {
        let device = faulty("cisco_ios", &[fault]).await;
        let result = service.read(entry(&device, "ios"), &["show version"]).await;
        assert_eq!(result["success"], true, "{fault:?}: {result}");
        assert_eq!(device.clean_logouts(), usize::from(fault != Fault::IgnoreLogout), "{fault:?}");
    }
}

#[tokio::test]
async fn no_session_is_left_open_behind_a_fault() {
    let service = Service::start_with(&SHORT);
    let mut devices = Vec::new();
    for name in Fault::names() {
        devices.push((name, faulty("cisco_ios", &[Fault::by_name(name).unwrap()]).await));
    }
    let entries: Vec<Value> = devices.iter().map(|(_, device)| entry(device, "ios")).collect();
    let body = json!({"devices": entries, "commands": ["show version"], "timeout": 2});
    let (status, answer) = service.execute(&body).await;
    assert_eq!((status, &answer["total_devices"]), (200, &json!(devices.len())), "{answer}");
    for (name, device) in &devices {
        wait_until(|| device.open_sessions() == 0, name).await;
    }
    let health: Value = service
        .client
        .get(format!("{}/health", service.url))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(health["sessions_running"], 0);
}

async fn wait_until(done: impl Fn() -> bool, what: &str) {
    for _ in 0..100 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}: still not so after 5 s");
}
