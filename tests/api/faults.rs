//! Devices that misbehave: each fault has its own code and sentence, and harms nobody else.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use showrunner::simulator::{FakeDevice, Fault, Limit, Outcome};

use crate::{
    judge,
    support::{Service, entry, faulty, with},
};

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

/// Limits of the phases in seconds: long enough for healthy devices on a machine that is busy.
const HANDSHAKE: u64 = 5;
const AUTHENTICATION: u64 = 8;
const PROMPT: u64 = 8;
const COMMAND: u64 = 5;
/// The slowest device that is late for nothing: four seconds of pauses, and whatever the machine takes.
const UNLIMITED: u64 = 5;
/// An answer comes a second behind its limit; a busy machine may take some more.
const GRACE: Duration = Duration::from_secs(1 + 10);
const HEALTHY: usize = 20;

/// Every fourth fault from this one on, each in a request with twenty healthy devices; several requests at a time.
async fn run_every_fourth(first: usize) {
    let service = Service::start_with(&[
        ("SHOWRUNNER_HANDSHAKE_TIMEOUT", &HANDSHAKE.to_string()),
        ("SHOWRUNNER_AUTHENTICATE_TIMEOUT", &AUTHENTICATION.to_string()),
        ("SHOWRUNNER_PROMPT_TIMEOUT", &PROMPT.to_string()),
        ("SHOWRUNNER_MAX_SESSIONS_PER_DEVICE", "16"),
    ]);
    let mut healthy = Vec::new();
    for _ in 0..HEALTHY {
        healthy.push(faulty("cisco_ios", &[]).await);
    }
    // Whatever the first session of a process makes and keeps is there.
    service.read(entry(&healthy[0], "ios"), &["show version"]).await;
    let before = counts(&service);
    let mut devices = Vec::new();
    for fault in Fault::names().filter_map(Fault::by_name).skip(first).step_by(4) {
        devices.push((fault, faulty("cisco_ios", &[fault]).await));
    }
    let wrong: Vec<String> = stream::iter(&devices)
        .map(async |(fault, device)| {
            let first = verdict_on(*fault, device, &healthy, &service).await;
            // What was learned of a device that was read changes nothing in what comes of it.
            let is_read = !matches!(fault.verdict().outcome, Outcome::NoSession(_));
            match first {
                None if is_read => verdict_on(*fault, device, &healthy, &service).await,
                wrong => wrong,
            }
        })
        .buffer_unordered(4)
        .filter_map(async |wrong| wrong)
        .collect()
        .await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (fault, device) in &devices {
        wait_until(|| device.open_sessions() == 0, fault.name()).await;
    }
    let health = service.health().await;
    assert_eq!((&health["sessions_running"], &health["devices_waiting"]), (&json!(0), &json!(0)));
    // Threads without work end after ten seconds, idle connections of this client are closed by then too.
    let begun = Instant::now();
    while counts(&service).0 > before.0 || counts(&service).1 > before.1 {
        let now = counts(&service);
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "threads and descriptors: {now:?}, before {before:?}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What is wrong with the answer to a request for a device with this fault and twenty without one.
async fn verdict_on(
    fault: Fault,
    device: &FakeDevice,
    healthy: &[FakeDevice],
    service: &Service,
) -> Option<String> {
    let mut entries: Vec<Value> = healthy.iter().map(|device| entry(device, "ios")).collect();
    entries.insert(HEALTHY / 2, entry(device, "ios"));
    let body = json!({
        "devices": entries, "commands": ["show version", "show clock"], "timeout": COMMAND
    });
    let begun = Instant::now();
    let (status, answer) = service.execute(&body).await;
    let took = begun.elapsed();
    let mut results = answer["results"].as_array().cloned().unwrap_or_default();
    if status != 200 || results.len() != HEALTHY + 1 {
        return Some(format!("{fault:?}: {status} {answer}"));
    }
    let limit = Duration::from_secs(match fault.verdict().limit {
        Limit::None => UNLIMITED,
        Limit::Handshake => HANDSHAKE,
        Limit::Authentication => AUTHENTICATION,
        Limit::Prompt => PROMPT,
        // Two commands; the second one is not sent if the first was late.
        Limit::Command if fault == Fault::HugeOutput => 2 * COMMAND,
        Limit::Command => COMMAND,
    });
    if took > limit + GRACE {
        return Some(format!("{fault:?}: answered after {took:?}, the limit is {limit:?}"));
    }
    let faulty = results.remove(HEALTHY / 2);
    if let Some(wrong) = judge::wrong(fault, &faulty) {
        return Some(format!("{fault:?}: {wrong}"));
    }
    let harmed = results.into_iter().find(|result| {
        let whole = |command: &Value| command["success"] == true && command["truncated"] == false;
        !(result["success"] == true && result["commands"].as_array().unwrap().iter().all(whole))
    });
    harmed.map(|harmed| format!("{fault:?}: a healthy device beside it: {harmed}"))
}

#[tokio::test]
async fn faults_have_their_verdicts_and_leave_nothing_behind_1_of_4() {
    run_every_fourth(0).await;
}

#[tokio::test]
async fn faults_have_their_verdicts_and_leave_nothing_behind_2_of_4() {
    run_every_fourth(1).await;
}

#[tokio::test]
async fn faults_have_their_verdicts_and_leave_nothing_behind_3_of_4() {
    run_every_fourth(2).await;
}

#[tokio::test]
async fn faults_have_their_verdicts_and_leave_nothing_behind_4_of_4() {
    run_every_fourth(3).await;
}

#[tokio::test]
async fn a_pager_is_answered_and_one_that_takes_no_key_is_late() {
    let service = Service::start_with(&SHORT);
    let cases: [(&[Fault], Option<&str>); 4] = [
        (&[Fault::PagingOffRefused], None),
        (&[Fault::PagingOffRefused, Fault::OneBytePackets], None),
        (&[Fault::PagingOffRefused, Fault::WidthRefused], None),
        (&[Fault::PagingOffRefused, Fault::FrozenPager], Some("command_timeout")),
    ];
    for (faults, code) in cases {
        let device = faulty("cisco_ios", faults).await;
        let body = json!({
            "devices": [entry(&device, "ios")], "commands": ["show running-config"], "timeout": 4
        });
        let (_, answer) = service.execute(&body).await;
        let command = &answer["results"][0]["commands"][0];
        assert_eq!(command["error_code"], json!(code), "{faults:?}: {command}");
        let output = command["output"].as_str().unwrap();
        assert!(output.starts_with("Building configuration"), "{faults:?}: {output}");
        assert_eq!(output.trim_end().ends_with("end"), code.is_none(), "{faults:?}: {output}");
        assert!(!output.contains("--More--"), "{faults:?}: {output}");
    }
}

#[tokio::test]
async fn a_demand_for_a_new_password_gets_no_answer() {
    let service = Service::start_with(&SHORT);
    for (fault, code) in
        [(Fault::PasswordChange, "password_expired"), (Fault::AuthToken, "auth_rejected")]
    {
        let device = faulty("cisco_ios", &[fault]).await;
        let result = service.read(entry(&device, "ios"), &["show version"]).await;
        assert_eq!(result["error_code"], code, "{fault:?}: {result}");
        // The device counts an attempt when its last question was answered.
        assert_eq!((device.login_attempts(), device.logins()), (0, 0), "{fault:?}");
    }
    let device = faulty("cisco_ios", &[Fault::PasswordExpired]).await;
    let result = service.read(entry(&device, "ios"), &["show version"]).await;
    assert_eq!(result["error_code"], "auth_rejected", "{result}");
    assert_eq!((device.login_attempts(), device.logins()), (1, 0));
}

/// Threads and descriptors of the service.
fn counts(service: &Service) -> (usize, usize) {
    let count = |what: &str| {
        std::fs::read_dir(format!("/proc/{}/{what}", service.pid())).map_or(0, Iterator::count)
    };
    (count("task"), count("fd"))
}

async fn wait_until(done: impl Fn() -> bool, what: &str) {
    for _ in 0..200 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}: still not so after 10 s");
}
