//! Jump hosts: real OpenSSH servers on the way to simulated devices, and what goes wrong on the way.

use std::{fs, path::Path};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use showrunner::simulator::{DeviceOptions, FakeDevice, Fault};

use crate::{
    support::{Service, device, entry, faulty, with},
    vtysh::{Peer, sshd_is_here},
};

async fn ios() -> FakeDevice {
    device("cisco_ios", DeviceOptions::default()).await
}

fn hop(peer: &Peer) -> Value {
    json!({
        "hostname": "127.0.0.1", "port": peer.port, "username": peer.user, "password": peer.password
    })
}

fn behind(device: &FakeDevice, hops: &[Value]) -> Value {
    with(entry(device, "ios"), "jump", hops.to_vec())
}

/// Ends what serves this peer's connections, as when the machine goes.
fn cut_off(peer: &Peer) {
    fn end(process: i32) {
        let children = format!("/proc/{process}/task/{process}/children");
        let children = fs::read_to_string(children).unwrap_or_default();
        children.split_whitespace().for_each(|child| end(child.parse().unwrap()));
        let _ = kill_process(Pid::from_raw(process).unwrap(), Signal::KILL);
    }
    end(i32::try_from(peer.pid()).unwrap());
}

#[tokio::test]
async fn a_device_is_read_through_one_host_and_through_two() {
    if !sshd_is_here() {
        eprintln!("SKIPPED a_device_is_read_through_one_host_and_through_two: needs sshd and root");
        return;
    }
    let (service, ios) = (Service::start(), ios().await);
    let (one, two) = (
        Peer::start("jump-one", Path::new("/bin/sh")),
        Peer::start("jump-two", Path::new("/bin/sh")),
    );
    let commands = ["show version", "show running-config", "show ip interface brief"];
    let direct = service.read(entry(&ios, "ios"), &commands).await;
    let key = two.new_key("ed25519", &[], "");
    let mut with_key = hop(&two);
    with_key["private_key"] = json!(key);
    with_key.as_object_mut().unwrap().remove("password");
    let pinned = fs::read_to_string(one.folder.path().join("host.pub")).unwrap();
    let first = with(hop(&one), "host_key", pinned.trim());
    for hops in [vec![first.clone()], vec![first, with_key]] {
        let pin = ios.fingerprint();
        let result = service.read(with(behind(&ios, &hops), "host_key", pin), &commands).await;
        assert_eq!(result["success"], true, "{result}");
        assert_eq!(result["host_key"]["verified"], true, "{result}");
        assert!(result["timing"]["jump_ms"].is_u64(), "{result}");
        for index in 0..commands.len() {
            let output = &result["commands"][index]["output"];
            assert_eq!(*output, direct["commands"][index]["output"], "{result}");
        }
    }
    assert_eq!(ios.clean_logouts(), 3);
}

#[tokio::test]
async fn much_output_comes_through_whole() {
    if !sshd_is_here() {
        eprintln!("SKIPPED much_output_comes_through_whole: needs sshd and root");
        return;
    }
    let service = Service::start();
    let huge = faulty("cisco_ios", &[Fault::HugeOutput]).await;
    let peer = Peer::start("jump-much", Path::new("/bin/sh"));
    let result = service.read(behind(&huge, &[hop(&peer), hop(&peer)]), &["show version"]).await;
    let direct = service.read(entry(&huge, "ios"), &["show version"]).await;
    for result in [&result, &direct] {
        assert_eq!(result["commands"][0]["truncated"], true, "{}", result["error"]);
    }
    // How much of its last line has come is for the clock to say.
    let output = |result: &Value| {
        let text = result["commands"][0]["output"].as_str().unwrap().as_bytes();
        text[..8_000_000].to_vec()
    };
    assert!(output(&result) == output(&direct), "the way has changed the text");
}

#[tokio::test]
async fn a_host_on_the_way_that_fails_says_which_and_why() {
    if !sshd_is_here() {
        eprintln!("SKIPPED a_host_on_the_way_that_fails_says_which_and_why: needs sshd and root");
        return;
    }
    let (service, ios) = (Service::start(), ios().await);
    let good = Peer::start("jump-good", Path::new("/bin/sh"));
    let closed = Peer::start_with("jump-closed", Path::new("/bin/sh"), |_folder| {
        "AllowTcpForwarding no\n".to_owned()
    });
    let wrong = with(hop(&good), "password", "wrong");
    let nobody = with(hop(&good), "port", 1);
    let stranger =
        with(hop(&good), "host_key", "SHA256:asg/xZ452L6G/hFZ0PppVISqUWAw+bRyZZDKa3jkr10");
    for (hops, code, words) in [
        (vec![hop(&closed)], "jump_forwarding_refused", "hop 1"),
        (vec![hop(&good), hop(&closed)], "jump_forwarding_refused", "hop 2"),
        (vec![wrong.clone(), hop(&good)], "jump_failed", "hop 1 of 2 failed: authentication"),
        (vec![hop(&good), wrong], "jump_failed", "hop 2 of 2 failed: authentication"),
        (vec![nobody.clone()], "jump_failed", "hop 1 of 1 failed: connect"),
        (vec![hop(&good), nobody], "jump_failed", "hop 2 of 2 failed: connect"),
        (vec![hop(&good), stranger], "jump_failed", "hop 2 of 2 failed: host key"),
    ] {
        let result = service.read(behind(&ios, &hops), &["show version"]).await;
        assert_eq!(result["error_code"], code, "{result}");
        assert!(result["error"].as_str().unwrap().contains(words), "{words}: {result}");
        assert_eq!(result["host_key"], Value::Null, "{result}");
    }
    assert_eq!(ios.login_attempts(), 0);
    // The device itself, as if it were near.
    let gone = with(behind(&ios, &[hop(&good)]), "port", 1);
    let result = service.read(gone, &["show version"]).await;
    assert_eq!(result["error_code"], "connection_failed", "{result}");
    let wrong = with(behind(&ios, &[hop(&good)]), "password", "wrong");
    let result = service.read(wrong, &["show version"]).await;
    assert_eq!(result["error_code"], "auth_rejected", "{result}");
}

#[tokio::test]
async fn a_host_on_the_way_that_dies_in_a_command_is_named_and_leaves_nothing_behind() {
    if !sshd_is_here() {
        eprintln!(
            "SKIPPED a_host_on_the_way_that_dies_in_a_command_is_named_and_leaves_nothing_behind: needs sshd and root"
        );
        return;
    }
    let service = Service::start();
    for (dies, words) in [(0, "hop 1"), (1, "hop 2")] {
        let frozen = faulty("cisco_ios", &[Fault::FrozenCommand]).await;
        let peers = [
            Peer::start("jump-first", Path::new("/bin/sh")),
            Peer::start("jump-second", Path::new("/bin/sh")),
        ];
        let device = behind(&frozen, &[hop(&peers[0]), hop(&peers[1])]);
        let body = json!({"devices": [device], "commands": ["show version"], "timeout": 60});
        let running = service.begin(&body);
        for _ in 0..2000 {
            if frozen.received_lines().iter().any(|line| line == "show version") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        cut_off(&peers[dies]);
        let result = running.await.unwrap()["results"][0].clone();
        assert_eq!(result["error_code"], "jump_disconnected", "{result}");
        assert_eq!(result["commands"][0]["error_code"], "jump_disconnected", "{result}");
        assert!(result["error"].as_str().unwrap().contains(words), "{result}");
        assert!(result["duration_ms"].as_u64().unwrap() < 50_000, "{result}");
        service.wait_for("sessions_running", 0).await;
    }
}

/// Descriptors and threads of the service's process.
fn held(service: &Service) -> (usize, usize) {
    let count =
        |name: &str| fs::read_dir(format!("/proc/{}/{name}", service.pid())).unwrap().count();
    (count("fd"), count("task"))
}

#[tokio::test]
async fn sessions_through_jump_hosts_leave_no_descriptor_and_no_thread_behind() {
    if !sshd_is_here() {
        eprintln!(
            "SKIPPED sessions_through_jump_hosts_leave_no_descriptor_and_no_thread_behind: needs sshd and root"
        );
        return;
    }
    let service = Service::start();
    let peer = Peer::start("jump-leak", Path::new("/bin/sh"));
    let (good, broken) = (ios().await, faulty("cisco_ios", &[Fault::ResetInOutput]).await);
    let frozen = faulty("cisco_ios", &[Fault::FrozenCommand]).await;
    let wrong = with(hop(&peer), "password", "wrong");
    let devices = [
        behind(&good, &[hop(&peer), hop(&peer), hop(&peer)]),
        behind(&broken, &[hop(&peer), hop(&peer)]),
        behind(&frozen, &[hop(&peer), hop(&peer)]),
        behind(&good, &[hop(&peer), wrong]),
        with(behind(&good, &[hop(&peer)]), "port", 1),
    ];
    let body = json!({"devices": devices, "commands": ["show version"], "timeout": 1});
    let mut before = None;
    for round in 0..6 {
        let (_, answer) = service.execute(&body).await;
        let codes: Vec<_> =
            answer["results"].as_array().unwrap().iter().map(|r| r["error_code"].clone()).collect();
        assert_eq!(codes[0], Value::Null, "{answer}");
        assert_eq!(
            answer["results"][2]["commands"][0]["error_code"], "command_timeout",
            "{answer}"
        );
        assert_eq!(codes[1], "disconnected", "{answer}");
        assert_eq!((&codes[3], &codes[4]), (&json!("jump_failed"), &json!("connection_failed")));
        service.wait_for("sessions_running", 0).await;
        // The first rounds make the threads that stay.
        if round == 1 {
            before = Some(held(&service));
        }
    }
    let before = before.unwrap();
    // A later round may have made one thread more; those without work go after ten seconds.
    for _ in 0..3000 {
        let now = held(&service);
        if now.0 <= before.0 && now.1 <= before.1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{:?} after {before:?}", held(&service));
}

#[tokio::test]
async fn the_operators_rules_say_the_way_where_a_request_does_not() {
    if !sshd_is_here() {
        eprintln!(
            "SKIPPED the_operators_rules_say_the_way_where_a_request_does_not: needs sshd and root"
        );
        return;
    }
    let ios = ios().await;
    let peer = Peer::start("jump-rule", Path::new("/bin/sh"));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("password"), format!("{}\n", peer.password)).unwrap();
    let pin = fs::read_to_string(peer.folder.path().join("host.pub")).unwrap();
    let file = folder.path().join("jumps.toml");
    let text = format!(
        "[[jump]]\nname = \"b1\"\nhostname = \"localhost\"\nport = {}\nusername = \"{}\"\n\
         password_file = \"password\"\nhost_key = \"{}\"\n\
         [[rule]]\ntargets = [\"127.0.0.0/8\"]\nvia = [\"b1\"]\n",
        peer.port,
        peer.user,
        pin.trim()
    );
    fs::write(&file, &text).unwrap();
    // The bastion is no target for callers; the operator's own rule may go there.
    let port = ios.addr().port().to_string();
    let service = Service::start_with(&[
        ("SHOWRUNNER_JUMPS_FILE", file.to_str().unwrap()),
        ("SHOWRUNNER_TARGETS_PORTS", &port),
    ]);
    let went = |result: &Value| result["timing"]["jump_ms"].is_u64();
    let result = service.read(entry(&ios, "ios"), &["show version"]).await;
    assert!(result["success"] == true && went(&result), "{result}");
    let named = with(entry(&ios, "ios"), "jump", json!(["b1"]));
    let result = service.read(named, &["show version"]).await;
    assert!(result["success"] == true && went(&result), "{result}");
    let result = service.read(behind(&ios, &[]), &["show version"]).await;
    assert!(result["success"] == true && !went(&result), "{result}");
    let result = service.read(behind(&ios, &[hop(&peer)]), &["show version"]).await;
    assert_eq!(result["error_code"], "jump_failed", "{result}");
    assert!(result["error"].as_str().unwrap().contains("target: "), "{result}");
    let unknown = with(entry(&ios, "ios"), "jump", json!(["b2"]));
    let body = json!({"devices": [unknown], "commands": ["show version"]});
    let (status, answer) = service.execute(&body).await;
    assert_eq!((status, &answer["detail"][0]["loc"][4]), (422, &json!(0)), "{answer}");
}

#[tokio::test]
async fn what_may_be_connected_to_goes_for_every_host_on_the_way() {
    let service = Service::start_with(&[("SHOWRUNNER_TARGETS_DENY", "127.0.0.9")]);
    let ios = ios().await;
    let hop = json!({"hostname": "127.0.0.9", "username": "u", "password": "p"});
    let result = service.read(behind(&ios, &[hop]), &["show version"]).await;
    assert_eq!(result["error_code"], "jump_failed", "{result}");
    assert!(result["error"].as_str().unwrap().contains("target: 127.0.0.9"), "{result}");
    let hop = json!({"hostname": "127.0.0.1", "port": 1, "username": "u", "password": "p"});
    let denied = with(behind(&ios, &[hop]), "hostname", "127.0.0.9");
    let result = service.read(denied, &["show version"]).await;
    assert_eq!(result["error_code"], "target_refused", "{result}");
}

#[tokio::test]
async fn every_fault_of_a_jump_is_named_with_its_place() {
    let service = Service::start();
    let hop = json!({"hostname": "", "port": 0, "user": "u"});
    let device = json!({
        "hostname": "192.0.2.1", "username": "u", "password": "p", "os": "ios",
        "jump": [hop, {"hostname": "r", "username": "u", "password": ""}]
    });
    let (status, answer) =
        service.execute(&json!({"devices": [device], "commands": ["show version"]})).await;
    assert_eq!(status, 422, "{answer}");
    let places: Vec<String> = answer["detail"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| format!("{}{}", fault["loc"][4], fault["loc"][5]).replace('"', ""))
        .collect();
    assert_eq!(
        places,
        ["0hostname", "0port", "0username", "0password", "0user", "1password"],
        "{answer}"
    );
    let four = vec![json!({}); 4];
    let device = json!({
        "hostname": "192.0.2.1", "username": "u", "password": "p", "os": "ios", "jump": four
    });
    let (status, answer) =
        service.execute(&json!({"devices": [device], "commands": ["show version"]})).await;
    assert_eq!((status, answer["detail"].as_array().unwrap().len()), (422, 1), "{answer}");
}

#[tokio::test]
async fn a_jump_host_as_it_comes_serves_a_request_with_many_devices() {
    if !sshd_is_here() {
        eprintln!(
            "SKIPPED a_jump_host_as_it_comes_serves_a_request_with_many_devices: needs sshd and root"
        );
        return;
    }
    // OpenSSH's own default: with ten logins under way it drops three of ten connections, and more beyond.
    let peer = Peer::start_with("jump-many", Path::new("/bin/sh"), |_folder| {
        "MaxStartups 10:30:100\n".to_owned()
    });
    let mut devices = Vec::new();
    for _ in 0..60 {
        devices.push(ios().await);
    }
    // A server that is busy may count a login for a while after it: then the connection is tried again.
    let service = Service::start_with(&[("SHOWRUNNER_CONNECTION_RETRY_ATTEMPTS", "2")]);
    let entries: Vec<_> = devices.iter().map(|device| behind(device, &[hop(&peer)])).collect();
    let body = json!({"devices": entries, "commands": ["show version"], "timeout": 60});
    let (_, answer) = service.execute(&body).await;
    let failed: Vec<_> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|result| result["success"] != true)
        .map(|result| &result["error"])
        .collect();
    assert!(failed.is_empty(), "{} failed: {}", failed.len(), failed[0]);
}

#[tokio::test]
async fn a_jump_host_that_hangs_costs_many_devices_no_more_than_one() {
    let silent = faulty("cisco_ios", &[Fault::SilentPort]).await;
    let ios = ios().await;
    let service = Service::start_with(&[("SHOWRUNNER_HANDSHAKE_TIMEOUT", "2")]);
    let hop = json!({
        "hostname": "127.0.0.1", "port": silent.addr().port(), "username": "u", "password": "p"
    });
    let devices: Vec<_> =
        (1..=60).map(|port| with(behind(&ios, std::slice::from_ref(&hop)), "port", port)).collect();
    let begun = std::time::Instant::now();
    let (_, answer) =
        service.execute(&json!({"devices": devices, "commands": ["show version"]})).await;
    for result in answer["results"].as_array().unwrap() {
        assert_eq!(result["error_code"], "jump_failed", "{result}");
        assert!(result["error"].as_str().unwrap().contains("no SSH banner within 2 s"), "{result}");
    }
    // One after the other they would take 24 seconds.
    assert!(begun.elapsed().as_secs() < 18, "{:?}", begun.elapsed());
}
