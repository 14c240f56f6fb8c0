//! Host certificates of real OpenSSH servers: an authority of `known_hosts` vouches for hosts that no line names.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::{
    support::{Service, with},
    vtysh::{Peer, run, sshd_is_here},
};

fn keygen(path: &Path, kind: &[&str]) {
    run(Command::new("ssh-keygen").args(["-q", "-N", "", "-t"]).args(kind).arg("-f").arg(path));
}

/// Has an authority sign a host's public key.
fn sign(authority: &Path, public: &Path, more: &[&str]) {
    run(Command::new("ssh-keygen")
        .args(["-q", "-h", "-I", "test", "-s"])
        .arg(authority)
        .args(more)
        .arg(public));
}

fn public(key: &Path) -> String {
    fs::read_to_string(key.with_extension("pub")).unwrap()
}

/// A server with a key of this kind, and a certificate for it.
fn start(user: &str, kind: &[&str], authority: &Path, more: &[&str]) -> Peer {
    Peer::start_with(user, Path::new("/bin/sh"), |folder| {
        let mut lines = String::new();
        let key = folder.join("signed");
        keygen(&key, kind);
        sign(authority, &key.with_extension("pub"), more);
        writeln!(lines, "HostKey {}", key.display()).unwrap();
        writeln!(lines, "HostCertificate {}-cert.pub", key.display()).unwrap();
        lines
    })
}

fn device(peer: &Peer) -> Value {
    json!({
        "hostname": "127.0.0.1", "port": peer.port, "username": peer.user, "password": peer.password, "os": "generic"
    })
}

/// What comes of a visit with these lines of `known_hosts`.
async fn visit(peer: &Peer, lines: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known_hosts");
    fs::write(&file, lines).unwrap();
    let service = Service::start_with(&[("SHOWRUNNER_KNOWN_HOSTS", file.to_str().unwrap())]);
    service.read(device(peer), &["show version"]).await
}

const GOOD: &[&str] = &["-n", "r1.example,127.0.0.1", "-V", "-1d:+1d"];

#[tokio::test]
async fn a_certificate_of_a_known_authority_is_as_good_as_a_known_key() {
    if !sshd_is_here() {
        eprintln!(
            "SKIPPED a_certificate_of_a_known_authority_is_as_good_as_a_known_key: needs sshd and root"
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (index, (of_authority, of_host, algorithm)) in [
        (&["ed25519"][..], &["ed25519"][..], "ssh-ed25519-cert-v01@openssh.com"),
        (&["ecdsa", "-b", "256"], &["rsa", "-b", "2048"], "rsa-sha2-512-cert-v01@openssh.com"),
        (
            &["ecdsa", "-b", "384"],
            &["ecdsa", "-b", "256"],
            "ecdsa-sha2-nistp256-cert-v01@openssh.com",
        ),
        (
            &["rsa", "-b", "3072"],
            &["ecdsa", "-b", "521"],
            "ecdsa-sha2-nistp521-cert-v01@openssh.com",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let authority = folder.path().join(format!("authority-{index}"));
        keygen(&authority, of_authority);
        let peer = start("cert-good", of_host, &authority, GOOD);
        let line = format!("@cert-authority [127.0.0.1]:* {}", public(&authority));
        let result = visit(&peer, &line).await;
        assert_eq!(result["success"], true, "{of_authority:?} {of_host:?}: {result}");
        assert_eq!(result["host_key"]["verified"], true, "{result}");
        assert_eq!(result["host_key"]["algorithm"], algorithm, "{result}");
        // The fingerprint is that of the key, as `ssh-keygen -lf` prints it.
        let key = peer.folder.path().join("signed");
        let shown = Command::new("ssh-keygen").arg("-lf").arg(&key).output().unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        assert!(shown.contains(result["host_key"]["fingerprint"].as_str().unwrap()), "{shown}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_good_says_why_and_no_password_is_sent() {
    if !sshd_is_here() {
        eprintln!(
            "SKIPPED a_certificate_that_is_not_good_says_why_and_no_password_is_sent: needs sshd and root"
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (folder.path().join("ours"), folder.path().join("other"));
    keygen(&ours, &["ed25519"]);
    keygen(&other, &["ed25519"]);
    let line = format!("@cert-authority * {}", public(&ours));
    for (authority, more, why) in [
        (&other, GOOD, "it is of another authority"),
        (&ours, &["-n", "r1.example", "-V", "-1d:+1d"][..], "it is for other host names"),
        (&ours, &["-n", "127.0.0.1", "-V", "20200101:20200102"], "it is not valid at this time"),
        (&ours, &["-n", "127.0.0.1", "-V", "+1d:+2d"], "it is not valid at this time"),
        (&ours, &[], "it is for other host names"),
    ] {
        let peer = start("cert-bad", &["ed25519"], authority, more);
        let result = visit(&peer, &line).await;
        assert_eq!(result["error_code"], "host_key_unknown", "{why}: {result}");
        assert!(result["error"].as_str().unwrap().contains(why), "{why}: {result}");
        // A line for the key itself is good without what is said of it.
        let key = public(&peer.folder.path().join("signed"));
        let both = format!("{line}[127.0.0.1]:{} {key}", peer.port);
        let result = visit(&peer, &both).await;
        assert_eq!(result["host_key"]["verified"], true, "{why}: {result}");
    }
    let peer = start("cert-bad", &["ed25519"], &ours, GOOD);
    assert_eq!(visit(&peer, &line).await["success"], true);
    for revoked in [public(&ours), public(&peer.folder.path().join("signed"))] {
        let result = visit(&peer, &format!("{line}@revoked * {revoked}")).await;
        assert_eq!(result["error_code"], "host_key_revoked", "{result}");
    }
    let elsewhere = format!("@cert-authority *.example {}", public(&ours));
    let result = visit(&peer, &elsewhere).await;
    assert_eq!(result["error_code"], "host_key_unknown", "{result}");
    // Another key than the one that is named is a changed one, whoever has signed it.
    let changed = format!("[127.0.0.1]:{} {}", peer.port, public(&other));
    let result = visit(&peer, &changed).await;
    assert_eq!(result["error_code"], "host_key_changed", "{result}");
    // A pin of the request is compared with the key; no certificate is asked for then.
    let key = public(&peer.folder.path().join("host"));
    let pinned = with(device(&peer), "host_key", key.trim());
    let result = Service::start().read(pinned, &["show version"]).await;
    assert_eq!(result["host_key"]["algorithm"], "ssh-ed25519", "{result}");
    assert_eq!(result["host_key"]["verified"], true, "{result}");
}
