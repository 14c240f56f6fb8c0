//! SSH certificates of users, against a real OpenSSH server that trusts an authority and knows no key.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};
use showrunner::simulator::{DeviceOptions, FakeDevice};

use crate::{
    credentials::Kept,
    support::{Service, device, entry, with},
    vtysh::{Peer, run, sshd_is_here},
};

/// A key, and what an authority says of it.
struct Signed {
    key: String,
    certificate: String,
}

pub(crate) fn new_key(path: &Path, kind: &str, extra: &[&str], passphrase: &str) {
    let _ = fs::remove_file(path);
    let mut command = Command::new("ssh-keygen");
    run(command.args(["-q", "-t", kind]).args(extra).args(["-N", passphrase, "-f"]).arg(path));
}

/// A server that lets in whom the authority beside it vouches for.
fn trusting(user: &str) -> Peer {
    Peer::start_with(user, Path::new("/bin/sh"), |folder| {
        new_key(&folder.join("ca"), "ed25519", &[], "");
        format!("TrustedUserCAKeys {}\n", folder.join("ca.pub").display())
    })
}

/// Has the authority `ca` of the peer's folder sign a new key.
fn sign(
    peer: &Peer,
    ca: &str,
    (kind, extra, passphrase): (&str, &[&str], &str),
    more: &[&str],
) -> Signed {
    let folder = peer.folder.path();
    let path = folder.join("signed");
    new_key(&path, kind, extra, passphrase);
    let mut command = Command::new("ssh-keygen");
    run(command
        .args(["-q", "-I", "laptop-7", "-s"])
        .arg(folder.join(ca))
        .args(more)
        .arg(path.with_extension("pub")));
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    Signed { key: read("signed"), certificate: read("signed-cert.pub") }
}

fn shell(peer: &Peer, signed: &Signed) -> Value {
    json!({
        "hostname": "127.0.0.1", "port": peer.port, "username": peer.user, "os": "generic",
        "private_key": signed.key, "certificate": signed.certificate
    })
}

async fn read(service: &Service, device: Value) -> Value {
    service.read(device, &["show version"]).await
}

async fn ios() -> FakeDevice {
    device("cisco_ios", DeviceOptions::default()).await
}

#[tokio::test]
async fn every_kind_of_key_is_let_in_by_its_certificate() {
    if !sshd_is_here() {
        eprintln!("SKIPPED every_kind_of_key_is_let_in_by_its_certificate: needs sshd and root");
        return;
    }
    let (service, peer) = (Service::start(), trusting("cert-kinds"));
    let principal = ["-n", "cert-kinds", "-V", "-5m:+1h"];
    for key in [
        ("ed25519", &[][..], ""),
        ("ed25519", &[], "opensesame"),
        ("ecdsa", &["-b", "256"], ""),
        ("ecdsa", &["-b", "384", "-m", "PEM"], ""),
        ("ecdsa", &["-b", "521"], "opensesame"),
        ("rsa", &["-b", "2048"], ""),
        ("rsa", &["-b", "3072", "-m", "PEM"], ""),
    ] {
        let signed = sign(&peer, "ca", key, &principal);
        let mut device = shell(&peer, &signed);
        if !key.2.is_empty() {
            device["private_key_passphrase"] = json!(key.2);
        }
        let result = read(&service, device.clone()).await;
        assert_eq!(result["success"], true, "{key:?}: {result}");
        // The server knows no key by itself.
        device["certificate"] = Value::Null;
        let result = read(&service, device).await;
        assert_eq!(result["error_code"], "auth_rejected", "{key:?}: {result}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_refused_is_told_with_its_validity_and_principals() {
    if !sshd_is_here() {
        eprintln!(
            "SKIPPED a_certificate_that_is_refused_is_told_with_its_validity_and_principals: needs sshd and root"
        );
        return;
    }
    let (service, peer) = (Service::start(), trusting("cert-bad"));
    new_key(&peer.folder.path().join("stranger"), "ed25519", &[], "");
    for (ca, kind, more, words) in [
        (
            "ca",
            "ed25519",
            &["-n", "cert-bad", "-V", "20200101000000Z:20200102030405Z"][..],
            "is for `cert-bad`, valid from 2020-01-01 00:00:00 UTC to 2020-01-02 03:04:05 UTC; it has expired",
        ),
        (
            "ca",
            "ecdsa",
            &["-n", "cert-bad", "-V", "20400101000000Z:20410101000000Z"],
            "valid from 2040-01-01 00:00:00 UTC to 2041-01-01 00:00:00 UTC; it is not valid yet",
        ),
        (
            "ca",
            "rsa",
            &["-n", "backup,ops", "-V", "always:forever"],
            "the certificate `laptop-7` is for `backup`, `ops`, valid for ever; this user is not among them",
        ),
        ("ca", "ed25519", &[], "is for nobody by name"),
        ("stranger", "ed25519", &["-n", "cert-bad"], "is for `cert-bad`, valid for ever);"),
    ] {
        let signed = sign(&peer, ca, (kind, &[], ""), more);
        let result = read(&service, shell(&peer, &signed)).await;
        assert_eq!(result["error_code"], "auth_rejected", "{result}");
        let said = result["error"].as_str().unwrap();
        assert!(
            said.contains("refused the certificate of this user (") && said.contains(words),
            "{said}"
        );
    }
    let (one, other) = (
        sign(&peer, "ca", ("ed25519", &[], ""), &["-n", "cert-bad"]),
        sign(&peer, "ca", ("ed25519", &[], ""), &["-n", "cert-bad"]),
    );
    let mixed = Signed { key: one.key, certificate: other.certificate };
    let result = read(&service, shell(&peer, &mixed)).await;
    assert_eq!(result["error_code"], "auth_rejected", "{result}");
}

#[tokio::test]
async fn certificates_are_for_sets_and_for_jump_hosts_too() {
    if !sshd_is_here() {
        eprintln!("SKIPPED certificates_are_for_sets_and_for_jump_hosts_too: needs sshd and root");
        return;
    }
    let (peer, ios) = (trusting("cert-sets"), ios().await);
    let signed = sign(&peer, "ca", ("ed25519", &[], ""), &["-n", "cert-sets", "-V", "-5m:+1h"]);
    let kept = Kept::new(&format!(
        "[[credential]]\nname = \"hop\"\nusername = \"{}\"\nprivate_key_file = \"key\"\n\
         certificate_file = \"key-cert.pub\"\ntargets = [\"127.0.0.1\"]\nports = [{}]\nhost_keys = \"any\"\n",
        peer.user, peer.port
    ));
    fs::write(kept.path("key"), &signed.key).unwrap();
    fs::write(kept.path("key-cert.pub"), &signed.certificate).unwrap();
    let jumps = format!(
        "[[jump]]\nname = \"b1\"\nhostname = \"127.0.0.1\"\nport = {}\nusername = \"{}\"\n\
         private_key_file = \"key\"\ncertificate_file = \"key-cert.pub\"\n",
        peer.port, peer.user
    );
    fs::write(kept.path("jumps.toml"), jumps).unwrap();
    let jumps = kept.path("jumps.toml");
    let service = kept.service(&[("SHOWRUNNER_JUMPS_FILE", jumps.to_str().unwrap())]);
    let (mut own, place) =
        (shell(&peer, &signed), json!({"hostname": "127.0.0.1", "port": peer.port}));
    own.as_object_mut().unwrap().remove("os");
    for hop in [own, json!("b1"), with(place.clone(), "credential", "hop")] {
        let device = with(entry(&ios, "ios"), "jump", json!([hop]));
        let result = read(&service, device).await;
        assert_eq!(result["success"], true, "{result}");
    }
    let by_set = with(with(place, "credential", "hop"), "os", "generic");
    assert_eq!(read(&service, by_set.clone()).await["success"], true);
    fs::write(kept.path("key-cert.pub"), "ssh-ed25519 AAAA").unwrap();
    let result = read(&service, by_set).await;
    assert_eq!(result["error_code"], "credential_unavailable", "{result}");
    let said = result["error"].as_str().unwrap();
    assert!(said.contains("its certificate cannot be used"), "{said}");
}

#[tokio::test]
async fn what_is_no_certificate_is_refused_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host");
    for path in [&path, &folder.path().join("ca")] {
        new_key(path, "ed25519", &[], "");
    }
    let mut command = Command::new("ssh-keygen");
    let public = path.with_extension("pub");
    run(command.args(["-q", "-h", "-I", "x", "-s"]).arg(folder.path().join("ca")).arg(&public));
    let of_host = fs::read_to_string(folder.path().join("host-cert.pub")).unwrap();
    let service = Service::start();
    let key = json!({
        "hostname": "192.0.2.1", "username": "u", "private_key": "k", "os": "ios"
    });
    let bare = json!({"hostname": "192.0.2.1", "username": "u", "password": "p", "os": "ios"});
    for (device, certificate, words) in [
        (&key, json!("x"), "give an OpenSSH certificate"),
        (&key, json!(""), "give an OpenSSH certificate"),
        (&key, json!(of_host), "this is a host's certificate"),
        (&key, json!(fs::read_to_string(&public).unwrap()), "a public key without a certificate"),
        (
            &key,
            json!("sk-ssh-ed25519-cert-v01@openssh.com AAAA"),
            "certificates of security keys cannot be used",
        ),
        (&key, json!(["x"]), "Input should be a valid string"),
        (&bare, json!("x"), "goes with its `private_key`"),
    ] {
        for hop in [false, true] {
            let mut device = with(device.clone(), "certificate", certificate.clone());
            if hop {
                device.as_object_mut().unwrap().remove("os");
                device = with(bare.clone(), "jump", json!([device]));
            }
            let body = json!({"devices": [device], "commands": ["show version"]});
            let (status, answer) = service.execute(&body).await;
            let faults = answer["detail"].as_array().unwrap();
            assert_eq!((status, faults.len()), (422, 1), "{answer}");
            assert!(faults[0]["msg"].as_str().unwrap().contains(words), "{words}: {answer}");
            let place = faults[0]["loc"].as_array().unwrap();
            assert_eq!(*place.last().unwrap(), "certificate", "{answer}");
        }
    }
}
