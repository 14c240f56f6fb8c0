//! Host keys: what was named is compared before a password is sent; what was not is taken or refused by the settings.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use rustix::process::Signal;
use serde_json::{Value, json};
use showrunner::simulator::{DeviceOptions, FakeDevice};

use crate::{
    support::{Service, device, entry, with},
    vtysh::{Peer, run, sshd_is_here},
};

const OTHER: &str = "SHA256:asg/xZ452L6G/hFZ0PppVISqUWAw+bRyZZDKa3jkr10";

async fn ios() -> FakeDevice {
    device("cisco_ios", DeviceOptions::default()).await
}

async fn read(service: &Service, device: Value) -> Value {
    service.read(device, &["show version"]).await
}

/// The line of a `known_hosts` file for a device, as OpenSSH's own client writes it on its first visit.
pub(crate) async fn visit(port: u16, options: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known_hosts");
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "none", "-p", &port.to_string(), "-o", "BatchMode=yes"])
        .args(["-o", "StrictHostKeyChecking=accept-new", "-o"])
        .arg(format!("UserKnownHostsFile={}", file.display()))
        .args(options.iter().flat_map(|option| ["-o", option]))
        .args(["nobody@127.0.0.1", "true"]);
    // The simulated devices live on this thread.
    let (done, visit) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || done.send(ssh.output()));
    let visit = visit.await.unwrap();
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}: {visit:?}"))
}

#[tokio::test]
async fn a_pinned_key_is_compared_before_a_password_is_sent() {
    let (service, ios) = (Service::start(), ios().await);
    let unpinned = read(&service, entry(&ios, "ios")).await;
    assert_eq!(unpinned["host_key"]["verified"], false, "{unpinned}");
    assert_eq!(unpinned["host_key"]["fingerprint"], ios.fingerprint());

    let pinned = read(&service, with(entry(&ios, "ios"), "host_key", ios.fingerprint())).await;
    assert_eq!(pinned["success"], true, "{pinned}");
    assert_eq!(pinned["host_key"]["verified"], true, "{pinned}");

    let sent = ios.auth_requests();
    assert_eq!(sent, ["none demo", "password demo", "password demo"]);
    let changed = read(&service, with(entry(&ios, "ios"), "host_key", OTHER)).await;
    assert_eq!(changed["error_code"], "host_key_changed", "{changed}");
    assert_eq!(changed["host_key"]["verified"], false, "{changed}");
    let error = changed["error"].as_str().unwrap();
    assert!(error.contains(OTHER) && error.contains(ios.fingerprint()), "{error}");
    // Not even the user's name.
    assert_eq!(ios.auth_requests(), sent);
}

#[tokio::test]
async fn a_pin_that_is_none_is_refused_with_what_would_be_right() {
    let service = Service::start();
    let device = json!({
        "hostname": "192.0.2.1", "username": "u", "password": "p", "os": "ios", "host_key": "SHA256:short"
    });
    let body = json!({"devices": [device], "commands": ["show version"]});
    let (status, answer) = service.execute(&body).await;
    assert_eq!(status, 422, "{answer}");
    assert_eq!(answer["detail"][0]["loc"], json!(["body", "devices", 0, "host_key"]));
    assert!(answer["detail"][0]["msg"].as_str().unwrap().contains("43 characters"), "{answer}");
}

#[tokio::test]
async fn known_hosts_is_believed_and_read_again_on_sighup() {
    let (known, changed, unknown) = (ios().await, ios().await, ios().await);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known_hosts");
    let of_known = visit(known.addr().port(), &[]).await;
    let of_unknown = visit(unknown.addr().port(), &[]).await;
    let foreign =
        of_known.replace(&known.addr().port().to_string(), &changed.addr().port().to_string());
    fs::write(&file, format!("# ours\n{of_known}{foreign}")).unwrap();
    let service = Service::start_with(&[("SHOWRUNNER_KNOWN_HOSTS", file.to_str().unwrap())]);
    let result = read(&service, entry(&known, "ios")).await;
    assert_eq!(result["host_key"]["verified"], true, "{result}");
    let result = read(&service, entry(&changed, "ios")).await;
    assert_eq!(result["error_code"], "host_key_changed", "{result}");
    let result = read(&service, entry(&unknown, "ios")).await;
    assert_eq!(result["error_code"], "host_key_unknown", "{result}");
    let error = result["error"].as_str().unwrap();
    assert!(error.contains(unknown.fingerprint()), "{error}");
    // Nobody was named to either: OpenSSH's own visit was.
    assert!(changed.auth_requests().is_empty(), "{:?}", changed.auth_requests());
    assert_eq!(unknown.auth_requests(), ["none nobody"]);
    // What the request says goes before the file.
    let result = read(&service, with(entry(&unknown, "ios"), "host_key", unknown.fingerprint()));
    assert_eq!(result.await["host_key"]["verified"], true);

    let sent = known.auth_requests();
    fs::write(&file, format!("{of_unknown}@revoked * {}", bare(&of_known))).unwrap();
    service.signal(Signal::HUP);
    for _ in 0..500 {
        if service.log().contains("settings were reloaded") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let result = read(&service, entry(&unknown, "ios")).await;
    assert_eq!(result["host_key"]["verified"], true, "{result}");
    let result = read(&service, entry(&known, "ios")).await;
    assert_eq!(result["error_code"], "host_key_revoked", "{result}");
    assert_eq!(known.auth_requests(), sent);
}

/// A line without its host.
fn bare(line: &str) -> &str {
    line.split_once(' ').unwrap().1
}

#[tokio::test]
async fn the_policy_decides_about_keys_that_nobody_named_and_about_no_others() {
    let (known, unknown) = (ios().await, ios().await);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known_hosts");
    // With hashed names, as many distributions write the file.
    fs::write(&file, visit(known.addr().port(), &["HashKnownHosts=yes"]).await).unwrap();
    let file = ("SHOWRUNNER_KNOWN_HOSTS", file.to_str().unwrap());
    let lenient = Service::start_with(&[file, ("SHOWRUNNER_HOST_KEY_POLICY", "accept_any")]);
    let result = read(&lenient, entry(&known, "ios")).await;
    assert_eq!(result["host_key"]["verified"], true, "{result}");
    let result = read(&lenient, entry(&unknown, "ios")).await;
    assert_eq!(
        (&result["success"], &result["host_key"]["verified"]),
        (&json!(true), &json!(false))
    );
    let result = read(&lenient, with(entry(&known, "ios"), "host_key", OTHER)).await;
    assert_eq!(result["error_code"], "host_key_changed", "{result}");

    let strict = Service::start_with(&[("SHOWRUNNER_HOST_KEY_POLICY", "strict")]);
    let result = read(&strict, entry(&known, "ios")).await;
    assert_eq!(result["error_code"], "host_key_unknown", "{result}");
    let result = read(&strict, with(entry(&known, "ios"), "host_key", known.fingerprint())).await;
    assert_eq!(result["success"], true, "{result}");
}

#[tokio::test]
async fn openssh_shows_the_type_of_key_that_was_named() {
    if !sshd_is_here() {
        eprintln!("SKIPPED openssh_shows_the_type_of_key_that_was_named: needs sshd and root");
        return;
    }
    let peer = Peer::start_with("show-keys", Path::new("/bin/sh"), |folder| {
        let mut lines = String::new();
        for kind in ["rsa", "ecdsa"] {
            let path = folder.join(kind);
            run(Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", "", "-f"]).arg(&path));
            writeln!(lines, "HostKey {}", path.display()).unwrap();
        }
        lines
    });
    let service = Service::start();
    let entry = json!({
        "hostname": "127.0.0.1", "port": peer.port, "username": peer.user, "password": peer.password, "os": "generic"
    });
    for (file, kind, algorithm) in [
        ("host", "ssh-ed25519", "ssh-ed25519"),
        ("rsa", "ssh-rsa", "rsa-sha2-512"),
        ("ecdsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"),
    ] {
        let public = fs::read_to_string(peer.folder.path().join(format!("{file}.pub"))).unwrap();
        let result = read(&service, with(entry.clone(), "host_key", public.trim())).await;
        assert_eq!(result["host_key"]["verified"], true, "{result}");
        assert_eq!(result["host_key"]["algorithm"], algorithm, "{result}");
        // The same by its fingerprint.
        let fingerprint = result["host_key"]["fingerprint"].as_str().unwrap();
        let pin = format!("{kind} {fingerprint}");
        let result = read(&service, with(entry.clone(), "host_key", pin)).await;
        assert_eq!(result["host_key"]["verified"], true, "{result}");
    }
    // Any of the keys of a host is good, whichever the two agree on.
    let folder = tempfile::tempdir().unwrap();
    let known = folder.path().join("known_hosts");
    fs::write(&known, visit(peer.port, &["HostKeyAlgorithms=rsa-sha2-256"]).await).unwrap();
    let strict = Service::start_with(&[("SHOWRUNNER_KNOWN_HOSTS", known.to_str().unwrap())]);
    let result = read(&strict, entry).await;
    assert_eq!(result["host_key"]["verified"], true, "{result}");
    assert_eq!(result["host_key"]["algorithm"], "rsa-sha2-512", "{result}");
}
