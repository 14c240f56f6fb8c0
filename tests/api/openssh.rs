//! Against a real OpenSSH server: authentication and host keys as they are, on a shell that is no network device.

use std::{path::Path, process::Command};

use serde_json::json;

use crate::{
    support::Service,
    vtysh::{Peer, sshd_is_here},
};

#[tokio::test]
async fn a_linux_host_with_bash_is_read_by_its_listed_commands() {
    if !sshd_is_here() || !Path::new("/bin/bash").exists() {
        eprintln!(
            "SKIPPED a_linux_host_with_bash_is_read_by_its_listed_commands: needs sshd and root"
        );
        return;
    }
    let service = Service::start();
    let peer = Peer::start("show-bash", Path::new("/bin/bash"));
    let device = json!({
        "hostname": "127.0.0.1", "port": peer.port, "username": peer.user, "password": peer.password, "os": "linux"
    });
    let result = service
        .read(device, &["uname -a", "cat /etc/os-release", "uname -a | include Linux"])
        .await;
    assert_eq!(result["success"], true, "{result}");
    let uname = Command::new("uname").arg("-a").output().unwrap();
    let uname = String::from_utf8(uname.stdout).unwrap();
    let release = std::fs::read_to_string("/etc/os-release").unwrap();
    for (index, want) in [&uname, &release, &uname].into_iter().enumerate() {
        assert_eq!(result["commands"][index]["output"], *want, "{result}");
    }
}

#[tokio::test]
async fn openssh_lets_in_by_password_and_by_every_kind_of_key() {
    if !sshd_is_here() {
        eprintln!(
            "SKIPPED openssh_lets_in_by_password_and_by_every_kind_of_key: needs sshd and root"
        );
        return;
    }
    let service = Service::start();
    let peer = Peer::start("show-ssh", Path::new("/bin/sh"));
    let device = json!({
        "hostname": "127.0.0.1", "port": peer.port, "username": peer.user, "os": "generic"
    });
    let run = async |credentials: serde_json::Value| {
        let mut device = device.clone();
        for (name, value) in credentials.as_object().unwrap() {
            device[name] = value.clone();
        }
        service.read(device, &["show version"]).await
    };
    // The shell knows no `show`: that it says so is the proof that the line arrived.
    let good = run(json!({"password": peer.password})).await;
    assert_eq!(good["success"], true, "{good}");
    assert!(good["commands"][0]["output"].as_str().unwrap().contains("not found"), "{good}");
    let bad = run(json!({"password": "wrong"})).await;
    assert_eq!(bad["error_code"], "auth_rejected", "{bad}");

    for (kind, extra, passphrase) in [
        ("ed25519", vec![], ""),
        ("ed25519", vec![], "opensesame"),
        ("rsa", vec!["-b", "2048"], ""),
        ("rsa", vec!["-b", "2048", "-m", "PEM"], ""),
        ("ecdsa", vec!["-b", "256"], ""),
        ("ecdsa", vec!["-b", "384", "-m", "PEM"], ""),
    ] {
        let key = peer.new_key(kind, &extra, passphrase);
        let mut credentials = json!({"private_key": key});
        if !passphrase.is_empty() {
            credentials["private_key_passphrase"] = json!(passphrase);
        }
        let result = run(credentials).await;
        assert_eq!(result["success"], true, "{kind} {extra:?} {passphrase:?}: {result}");
    }
    let broken = run(json!({"private_key": "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"})).await;
    assert_eq!(broken["error_code"], "key_unusable", "{broken}");
    let sealed = run(json!({"private_key": peer.new_key("ed25519", &[], "opensesame")})).await;
    assert_eq!(sealed["error_code"], "key_unusable", "{sealed}");
    assert!(sealed["error"].as_str().unwrap().contains("there is no passphrase"), "{sealed}");
    let shown = Command::new("ssh-keygen")
        .args(["-lf"])
        .arg(peer.folder.path().join("host.pub"))
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains(good["host_key"]["fingerprint"].as_str().unwrap()), "{shown} {good}");
}
