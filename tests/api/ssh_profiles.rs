//! SSH profiles: what is agreed on, and what is said when nothing can be.

use std::{path::Path, process::Command};

use serde_json::{Value, json};
use showrunner::simulator::{DeviceOptions, Fault};

use crate::{
    support::{Service, device, entry, faulty, with},
    vtysh::{Peer, run, sshd_is_here},
};

#[tokio::test]
async fn an_old_device_says_what_it_offers_and_the_legacy_profile_reads_it() {
    let service = Service::start();
    let old =
        device("cisco_ios", DeviceOptions { old_algorithms: true, ..DeviceOptions::default() })
            .await;
    let refused = service.read(entry(&old, "ios"), &["show version"]).await;
    assert_eq!(refused["error_code"], "no_common_algorithm", "{refused}");
    let error = refused["error"].as_str().unwrap();
    for words in [
        "key exchange: it offers diffie-hellman-group14-sha1,diffie-hellman-group1-sha1",
        "Showrunner curve25519-sha256",
        "cipher: it offers aes128-cbc",
        "the `legacy` profile would work",
    ] {
        assert!(error.contains(words), "{words}: {error}");
    }
    assert_eq!(refused["algorithms"], Value::Null);
    let entry = with(entry(&old, "ios"), "ssh_profile", "legacy");
    let read = service.read(entry.clone(), &["show version"]).await;
    assert_eq!(read["success"], true, "{read}");
    let agreed = &read["algorithms"];
    assert_eq!(agreed["profile"], "legacy", "{agreed}");
    assert_eq!(agreed["key_exchange"], "diffie-hellman-group14-sha1", "{agreed}");
    assert_eq!((&agreed["cipher"], &agreed["mac"]), (&json!("aes128-cbc"), &json!("hmac-sha1")));

    // The same by setting.
    let service = Service::start_with(&[("SHOWRUNNER_SSH_PROFILE", "legacy")]);
    let mut unsaid = entry;
    unsaid.as_object_mut().unwrap().remove("ssh_profile");
    let read = service.read(unsaid.clone(), &["show version"]).await;
    assert_eq!(read["success"], true, "{read}");
    let modern = service.read(with(unsaid, "ssh_profile", "modern"), &["show version"]).await;
    assert_eq!(modern["error_code"], "no_common_algorithm", "{modern}");
}

#[tokio::test]
async fn a_device_that_no_profile_fits_is_told_apart_by_the_kind_of_algorithm() {
    let service = Service::start();
    for (fault, kind) in [
        (Fault::NoCommonCipher, "; cipher: it offers "),
        (Fault::NoCommonHostKey, "; host key: it offers "),
        (Fault::NoCommonCompression, "; compression: it offers "),
    ] {
        let device = faulty("cisco_ios", &[fault]).await;
        for profile in ["modern", "legacy"] {
            let entry = with(entry(&device, "ios"), "ssh_profile", profile);
            let result = service.read(entry, &["show version"]).await;
            assert_eq!(result["error_code"], "no_common_algorithm", "{fault:?}: {result}");
            let error = result["error"].as_str().unwrap();
            assert!(error.contains(kind), "{kind}: {error}");
            assert!(error.contains("no profile would work"), "{error}");
        }
    }
}

/// An OpenSSH server with an RSA key and nothing but these algorithms.
fn server(user: &str, kex: &str, host_key: &str, cipher: &str, mac: &str) -> Peer {
    Peer::start_with(user, Path::new("/bin/sh"), |folder| {
        let key = folder.join("rsa");
        run(Command::new("ssh-keygen").args(["-q", "-t", "rsa", "-N", "", "-f"]).arg(&key));
        format!(
            "HostKey {}\nKexAlgorithms {kex}\nHostKeyAlgorithms {host_key}\nCiphers {cipher}\nMACs {mac}\n",
            key.display()
        )
    })
}

#[tokio::test]
async fn openssh_with_only_old_algorithms_is_read_under_the_legacy_profile() {
    if !sshd_is_here() {
        eprintln!(
            "SKIPPED openssh_with_only_old_algorithms_is_read_under_the_legacy_profile: needs sshd and root"
        );
        return;
    }
    let service = Service::start();
    for (index, (kex, host_key, cipher, mac)) in [
        ("diffie-hellman-group1-sha1", "ssh-rsa", "3des-cbc", "hmac-sha1"),
        ("diffie-hellman-group14-sha1", "ssh-rsa", "aes128-cbc", "hmac-sha1"),
        (
            "diffie-hellman-group-exchange-sha1",
            "ssh-rsa",
            "aes256-cbc",
            "hmac-sha1-etm@openssh.com",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let peer = server(&format!("old-ssh-{index}"), kex, host_key, cipher, mac);
        let entry = json!({
            "hostname": "127.0.0.1", "port": peer.port, "username": peer.user, "password": peer.password, "os": "generic"
        });
        let refused = service.read(entry.clone(), &["show version"]).await;
        assert_eq!(refused["error_code"], "no_common_algorithm", "{refused}");
        let error = refused["error"].as_str().unwrap();
        for words in [kex, host_key, cipher, mac, "the `legacy` profile would work"] {
            assert!(error.contains(words), "{words}: {error}");
        }
        let read = service.read(with(entry, "ssh_profile", "legacy"), &["show version"]).await;
        assert_eq!(read["success"], true, "{read}");
        let want = json!({
            "profile": "legacy", "key_exchange": kex, "host_key": host_key, "cipher": cipher, "mac": mac
        });
        assert_eq!(read["algorithms"], want);
    }
}

#[tokio::test]
async fn openssh_and_the_modern_profile_agree_on_every_algorithm_of_it() {
    if !sshd_is_here() {
        eprintln!(
            "SKIPPED openssh_and_the_modern_profile_agree_on_every_algorithm_of_it: needs sshd and root"
        );
        return;
    }
    let service = Service::start();
    for (index, (kex, host_key, cipher, mac)) in [
        ("curve25519-sha256", "rsa-sha2-256", "aes128-gcm@openssh.com", None),
        ("ecdh-sha2-nistp256", "rsa-sha2-512", "aes256-gcm@openssh.com", None),
        ("ecdh-sha2-nistp384", "ssh-ed25519", "chacha20-poly1305@openssh.com", None),
        ("ecdh-sha2-nistp521", "ssh-ed25519", "aes128-ctr", Some("hmac-sha2-256")),
        ("diffie-hellman-group14-sha256", "ssh-ed25519", "aes192-ctr", Some("hmac-sha2-512")),
        (
            "diffie-hellman-group16-sha512",
            "ssh-ed25519",
            "aes256-ctr",
            Some("hmac-sha2-256-etm@openssh.com"),
        ),
        (
            "diffie-hellman-group-exchange-sha256",
            "ssh-ed25519",
            "aes256-ctr",
            Some("hmac-sha2-512-etm@openssh.com"),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let user = format!("new-ssh-{index}");
        let peer = server(&user, kex, host_key, cipher, mac.unwrap_or("hmac-sha2-256"));
        let entry = json!({
            "hostname": "127.0.0.1", "port": peer.port, "username": peer.user, "password": peer.password, "os": "generic"
        });
        let read = service.read(entry, &["show version"]).await;
        assert_eq!(read["success"], true, "{read}");
        let want = json!({
            "profile": "modern", "key_exchange": kex, "host_key": host_key, "cipher": cipher, "mac": mac
        });
        assert_eq!(read["algorithms"], want);
    }
}
