//! What the service remembers of devices: how they let users in, whether they read ahead, what they refused.

use std::{net::TcpListener, time::Duration};

use serde_json::{Value, json};
use showrunner::simulator::{AuthKind, DeviceOptions, FakeDevice, Fault};

use crate::certificates::new_key;
use crate::support::{Service, device, entry, faulty, with};

/// The same device again, at the same address and with the same key.
async fn reborn(before: FakeDevice, options: DeviceOptions) -> FakeDevice {
    let listen = before.addr();
    drop(before);
    for _ in 0..500 {
        // The port is free as soon as the old device's task has ended.
        if TcpListener::bind(listen).is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    device("cisco_ios", DeviceOptions { listen, host_key_seed: Some(7), ..options }).await
}

fn codes(answer: &Value) -> Vec<&str> {
    let results = answer["results"].as_array().unwrap();
    results.iter().map(|result| result["error_code"].as_str().unwrap_or("none")).collect()
}

#[tokio::test]
async fn a_device_is_asked_for_its_methods_of_login_once() {
    let service = Service::start();
    let ios = faulty("cisco_ios", &[]).await;
    for asked in [&["none demo", "password demo"][..], &["password demo"], &["password demo"]] {
        let before = ios.auth_requests().len();
        let result = service.read(entry(&ios, "ios"), &["show version"]).await;
        assert_eq!(result["success"], true, "{result}");
        assert_eq!(ios.auth_requests().get(before..).unwrap(), asked);
    }
}

#[tokio::test]
async fn a_device_that_lets_users_in_another_way_now_is_asked_anew_in_the_same_session() {
    let service = Service::start();
    let options = DeviceOptions { host_key_seed: Some(7), ..DeviceOptions::default() };
    let mut ios = device("cisco_ios", options.clone()).await;
    let target = entry(&ios, "ios");
    for auth in [AuthKind::Password, AuthKind::KeyboardInteractive, AuthKind::None, AuthKind::Both]
    {
        ios = reborn(ios, DeviceOptions { auth, ..options.clone() }).await;
        for _ in 0..2 {
            let result = service.read(target.clone(), &["show clock"]).await;
            assert_eq!(result["success"], true, "{auth:?}: {result}");
        }
    }
    // A wrong password is one attempt, whatever was known.
    let ios = reborn(ios, options).await;
    let result = service.read(with(target, "password", "wrong"), &["show clock"]).await;
    assert_eq!(result["error_code"], "auth_rejected", "{result}");
    assert_eq!((ios.login_attempts(), ios.logins()), (1, 0), "{:?}", ios.auth_requests());
}

#[tokio::test]
async fn lines_that_a_device_loses_cost_one_more_login_once_and_no_output() {
    let service = Service::start();
    for fault in [Fault::DroppedTypeAhead, Fault::LateTypeAhead, Fault::NoEcho] {
        let ios = faulty("cisco_ios", &[fault]).await;
        for (logins, warnings) in [(2, 1), (3, 0), (4, 0)] {
            let result = service.read(entry(&ios, "ios"), &["show clock", "show version"]).await;
            let commands = result["commands"].as_array().unwrap();
            let outputs: Vec<_> = commands.iter().map(|c| c["output"].as_str().unwrap()).collect();
            assert!(outputs[0].contains(" UTC ") && outputs[0].lines().count() == 1, "{result}");
            assert!(outputs[1].starts_with("Cisco IOS Software"), "{fault:?}: {result}");
            assert_eq!(ios.logins(), logins, "{fault:?}");
            assert_eq!(result["warnings"].as_array().unwrap().len(), warnings, "{result}");
        }
    }
}

#[tokio::test]
async fn a_device_gets_the_same_lines_in_the_same_order_whatever_is_typed_ahead() {
    let service = Service::start();
    let options =
        DeviceOptions { enable_password: Some("secret".to_owned()), ..DeviceOptions::default() };
    let ios = device("cisco_ios", options).await;
    let target = with(entry(&ios, "ios"), "enable_password", "secret");
    let mut sessions = Vec::new();
    for _ in 0..3 {
        let before = ios.received_lines().len();
        let result = service.read(target.clone(), &["show clock", "show version"]).await;
        assert_eq!((&result["success"], &result["warnings"]), (&json!(true), &json!([])));
        sessions.push(ios.received_lines().split_off(before));
    }
    let want = [
        "enable",
        "secret",
        "terminal length 0",
        "terminal width 511",
        "show clock",
        "show version",
        "exit",
    ];
    assert_eq!(sessions, [want, want, want]);
}

#[tokio::test]
async fn a_thousand_requests_with_a_wrong_password_are_two_attempts_at_the_device() {
    let service = Service::start();
    let ios = faulty("cisco_ios", &[]).await;
    let wrong = with(entry(&ios, "ios"), "password", "hunter2");
    let body = json!({"devices": vec![wrong.clone(); 1000], "commands": ["show clock"]});
    let (_, answer) = service.execute(&body).await;
    let codes = codes(&answer);
    assert_eq!(codes.iter().filter(|code| **code == "auth_rejected").count(), 2);
    assert_eq!(codes.iter().filter(|code| **code == "auth_paused").count(), 998);
    assert_eq!((ios.login_attempts(), ios.logins()), (2, 0));
    let last = &answer["results"][999];
    let error = last["error"].as_str().unwrap();
    assert!(error.starts_with("authentication: not tried, because 127.0.0.1:"), "{error}");
    assert!(error.contains("refused this user 2 times") && !error.contains("hunter2"), "{error}");
    assert_eq!(last["timing"]["connect_ms"], Value::Null, "{last}");
    // Who comes with the right one is not held up, nor is another user or another device.
    let result = service.read(entry(&ios, "ios"), &["show clock"]).await;
    assert_eq!(result["success"], true, "{result}");
    let other = service.read(with(wrong, "username", "other"), &["show clock"]).await;
    assert_eq!(other["error_code"], "auth_rejected", "{other}");
}

#[tokio::test]
async fn a_device_that_hangs_up_on_a_password_has_refused_it_and_one_that_does_so_before_has_not() {
    let service = Service::start();
    for (fault, third) in
        [(Fault::CloseInAuth, "auth_paused"), (Fault::CloseBeforeAuth, "disconnected")]
    {
        let ios = faulty("cisco_ios", &[fault]).await;
        for code in ["disconnected", "disconnected", third] {
            let result = service.read(entry(&ios, "ios"), &["show clock"]).await;
            assert_eq!(result["error_code"], code, "{fault:?}: {result}");
        }
    }
}

#[tokio::test]
async fn guesses_at_one_user_end_after_twice_as_many() {
    let service = Service::start();
    let ios = faulty("cisco_ios", &[]).await;
    let guess = |n: usize| with(entry(&ios, "ios"), "password", format!("guess {n}"));
    let body =
        json!({"devices": (0..50).map(guess).collect::<Vec<_>>(), "commands": ["show clock"]});
    let (_, answer) = service.execute(&body).await;
    let paused = codes(&answer).iter().filter(|code| **code == "auth_paused").count();
    assert_eq!((paused, ios.login_attempts()), (46, 4));
}

#[tokio::test]
async fn no_key_no_spelling_of_the_address_and_no_case_of_the_name_lets_anybody_guess_on() {
    let service = Service::start();
    let ios = faulty("cisco_ios", &[]).await;
    let guess = |n: usize| {
        let mut guess = with(entry(&ios, "ios"), "password", format!("guess {n}"));
        guess["hostname"] = ["127.0.0.1", "::ffff:127.0.0.1"][n % 2].into();
        guess["username"] = ["demo", "DEMO", "Demo"][n % 3].into();
        with(guess, "private_key", format!("key{}", "\n".repeat(n)))
    };
    let body =
        json!({"devices": (0..50).map(guess).collect::<Vec<_>>(), "commands": ["show clock"]});
    let (_, answer) = service.execute(&body).await;
    let paused = codes(&answer).iter().filter(|code| **code == "auth_paused").count();
    assert_eq!((paused, ios.login_attempts()), (46, 4), "{answer}");
    assert_eq!(answer["results"][1]["hostname"], "::ffff:127.0.0.1");
}

#[tokio::test]
async fn a_pause_ends_and_the_operator_sets_how_long_or_none() {
    for (settings, codes) in [
        (
            [("SHOWRUNNER_LOGIN_REFUSALS", "1"), ("SHOWRUNNER_LOGIN_PAUSE", "300")],
            ["auth_rejected", "auth_paused"],
        ),
        (
            [("SHOWRUNNER_LOGIN_REFUSALS", "0"), ("SHOWRUNNER_LOGIN_PAUSE", "300")],
            ["auth_rejected", "auth_rejected"],
        ),
    ] {
        let service = Service::start_with(&settings);
        let ios = faulty("cisco_ios", &[]).await;
        let wrong = with(entry(&ios, "ios"), "password", "wrong");
        for code in codes {
            let result = service.read(wrong.clone(), &["show clock"]).await;
            assert_eq!(result["error_code"], code, "{settings:?}: {result}");
        }
    }
    let service = Service::start_with(&[("SHOWRUNNER_LOGIN_PAUSE", "1")]);
    let ios = faulty("cisco_ios", &[]).await;
    let wrong = with(entry(&ios, "ios"), "password", "wrong");
    for _ in 0..3 {
        service.read(wrong.clone(), &["show clock"]).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let result = service.read(wrong, &["show clock"]).await;
    assert_eq!(result["error_code"], "auth_rejected", "{result}");
}

/// How often a line was typed at a device.
fn times(device: &FakeDevice, line: &str) -> usize {
    device.received_lines().iter().filter(|typed| *typed == line).count()
}

#[tokio::test]
async fn a_password_that_a_terminals_own_login_refuses_is_typed_once_and_counted() {
    for persona in ["cisco_ios", "cisco_wlc"] {
        let service = Service::start();
        let options = DeviceOptions { auth: AuthKind::None, ..DeviceOptions::default() };
        let asks = device(persona, options).await;
        let target = entry(&asks, persona);
        let wrong = with(target.clone(), "password", "hunter2");
        for n_typed in [1, 2] {
            let result = service.read(wrong.clone(), &["show clock"]).await;
            assert_eq!(result["error_code"], "auth_rejected", "{persona}: {result}");
            let error = result["error"].as_str().unwrap();
            assert!(error.contains("at the login in its terminal"), "{error}");
            assert_eq!(times(&asks, "hunter2"), n_typed, "{persona}");
        }
        let result = service.read(wrong, &["show clock"]).await;
        assert_eq!(result["error_code"], "auth_paused", "{persona}: {result}");
        // Who has the right one is let in, and his word stands from then on.
        let result = service.read(target, &["show clock"]).await;
        assert_eq!(result["success"], true, "{persona}: {result}");
        assert_eq!(times(&asks, "hunter2"), 2, "{persona}");
    }
}

#[tokio::test]
async fn a_terminals_own_login_is_not_answered_with_nothing_where_there_is_no_password() {
    let service = Service::start();
    let options = DeviceOptions { auth: AuthKind::None, ..DeviceOptions::default() };
    let asks = device("cisco_ios", options).await;
    let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
    let mut target = with(entry(&asks, "ios"), "private_key", key);
    target.as_object_mut().unwrap().remove("password");
    let result = service.read(target, &["show clock"]).await;
    assert_eq!(result["error_code"], "auth_method_unsupported", "{result}");
    let error = result["error"].as_str().unwrap();
    assert!(error.contains("a login by password in its terminal"), "{error}");
    assert_eq!(asks.received_lines(), ["demo"]);
}

#[tokio::test]
async fn a_device_that_wants_a_key_and_a_password_gets_both_and_no_password_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    new_key(&path, "ed25519", &[], "");
    let key = std::fs::read_to_string(&path).unwrap();
    let options = |auth, faults: &[Fault]| DeviceOptions {
        auth,
        faults: faults.to_vec(),
        authorized_keys: vec![std::fs::read_to_string(path.with_extension("pub")).unwrap()],
        ..DeviceOptions::default()
    };
    let service = Service::start();
    let partial = [Fault::AuthPartial];
    let first = device("cisco_ios", options(AuthKind::PublicKey, &partial)).await;
    let both = with(entry(&first, "ios"), "private_key", key.as_str());
    for n_asked in [2, 1, 2, 1, 2] {
        let before = first.auth_requests().len();
        let result = service.read(both.clone(), &["show clock"]).await;
        assert_eq!(result["success"], true, "{result}");
        let asked = first.auth_requests().split_off(before);
        let times = |what: &str| asked.iter().filter(|one| one.starts_with(what)).count();
        assert_eq!((times("none"), times("password")), (n_asked, 1), "{asked:?}");
        assert!(asked.last().unwrap().starts_with("password"), "{asked:?}");
    }
    // Whatever is known of the device by then.
    for n_before in 1..4 {
        let service = Service::start();
        for _ in 0..n_before {
            let result = service.read(both.clone(), &["show clock"]).await;
            assert_eq!(result["success"], true, "{result}");
        }
        let before = first.auth_requests().len();
        let wrong = with(both.clone(), "password", "hunter2");
        let result = service.read(wrong, &["show clock"]).await;
        assert_eq!(result["error_code"], "auth_rejected", "{result}");
        let asked = first.auth_requests().split_off(before);
        let n_passwords = asked.iter().filter(|one| one.starts_with("password")).count();
        assert_eq!(n_passwords, 1, "{asked:?}");
    }
    let other = device("cisco_ios", options(AuthKind::Password, &partial)).await;
    let result =
        service.read(with(both.clone(), "port", other.addr().port()), &["show clock"]).await;
    assert_eq!(result["success"], true, "{result}");

    let wrong = with(both.clone(), "password", "hunter2");
    let result = service.read(wrong, &["show clock"]).await;
    assert_eq!(result["error_code"], "auth_rejected", "{result}");
    assert!(result["error"].as_str().unwrap().contains("refused the password"), "{result}");
    // A device that takes a key and refuses this one is not shown the password.
    let keys = DeviceOptions { authorized_keys: Vec::new(), ..options(AuthKind::PublicKey, &[]) };
    let refuses = device("cisco_ios", keys).await;
    let result = service.read(with(both, "port", refuses.addr().port()), &["show clock"]).await;
    assert_eq!(result["error_code"], "auth_rejected", "{result}");
    let asked = refuses.auth_requests();
    assert!(!asked.iter().any(|one| one.starts_with("password")), "{asked:?}");
}

#[tokio::test]
async fn a_wrong_password_at_a_jump_host_is_two_attempts_however_many_devices_are_behind_it() {
    let service = Service::start();
    let round_trip = Duration::from_millis(100);
    let bastion =
        device("cisco_ios", DeviceOptions { round_trip, ..DeviceOptions::default() }).await;
    let hop = json!({
        "hostname": "127.0.0.1", "port": bastion.addr().port(), "username": "demo", "password": "hunter2"
    });
    let devices: Vec<_> = (2..42)
        .map(|n| json!({
            "hostname": format!("127.0.0.{n}"), "username": "demo", "password": "demo", "os": "ios", "jump": [hop]
        }))
        .collect();
    let (_, answer) =
        service.execute(&json!({"devices": devices, "commands": ["show clock"]})).await;
    assert_eq!(bastion.login_attempts(), 2, "{answer}");
    let results = answer["results"].as_array().unwrap();
    let said = |words: &str| {
        results.iter().filter(|one| one["error"].as_str().unwrap().contains(words)).count()
    };
    assert_eq!((said("refused the password"), said("not tried")), (2, 38), "{answer}");
}

#[tokio::test]
async fn a_wrong_enable_password_is_typed_twice_and_then_not_tried() {
    let service = Service::start();
    let options =
        DeviceOptions { enable_password: Some("secret".to_owned()), ..DeviceOptions::default() };
    let ios = device("cisco_ios", options).await;
    let right = with(entry(&ios, "ios"), "enable_password", "secret");
    let wrong = with(right.clone(), "enable_password", "hunter2");
    for code in ["enable_rejected", "enable_rejected", "auth_paused"] {
        let result = service.read(wrong.clone(), &["show clock"]).await;
        assert_eq!(result["error_code"], code, "{result}");
    }
    assert_eq!(times(&ios, "hunter2"), 2);
    // Who needs no more rights, or has the right one, is not held up.
    for target in [entry(&ios, "ios"), right] {
        let result = service.read(target, &["show clock"]).await;
        assert_eq!(result["success"], true, "{result}");
    }
}
