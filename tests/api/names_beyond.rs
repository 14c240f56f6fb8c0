//! Names that only a jump host knows: it looks them up, for those that the operator has left to it and for no others.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::Path, process::Command};

use serde_json::{Value, json};
use showrunner::simulator::{AuthKind, DeviceOptions, FakeDevice};
use tempfile::TempDir;

use crate::{
    support::{Service, device, with},
    vtysh::{Peer, run, sshd_is_here},
};

/// A jump host that knows these names.
async fn bastion(names: &[(&str, SocketAddr)], authorized_key: Option<&str>) -> FakeDevice {
    let leads_to: BTreeMap<_, _> =
        names.iter().map(|(name, addr)| ((*name).to_owned(), *addr)).collect();
    let auth = if authorized_key.is_some() { AuthKind::PublicKey } else { AuthKind::default() };
    let authorized_keys = authorized_key.into_iter().map(str::to_owned).collect();
    device("frr", DeviceOptions { leads_to, auth, authorized_keys, ..DeviceOptions::default() })
        .await
}

async fn ios() -> FakeDevice {
    device("cisco_ios", DeviceOptions::default()).await
}

fn named(name: &str) -> Value {
    json!({"hostname": name, "username": "demo", "password": "demo", "os": "ios"})
}

async fn read(service: &Service, device: Value) -> Value {
    service.read(device, &["show version"]).await
}

/// A jumps file with one host and one rule for names that are looked up there.
fn jumps_file(port: u16, user: &str, password: &str, names: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("password"), password).unwrap();
    let file = folder.path().join("jumps.toml");
    let text = format!(
        "[[jump]]\nname = \"b1\"\nhostname = \"127.0.0.1\"\nport = {port}\nusername = \"{user}\"\npassword_file = \"password\"\n\
         [[rule]]\nnames = [{names}]\nvia = [\"b1\"]\nresolve = \"there\"\n"
    );
    fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    (folder, file)
}

#[tokio::test]
async fn a_name_that_a_rule_leaves_to_the_jump_host_is_looked_up_there_and_no_other_is() {
    let ios = ios().await;
    let names = ["core1.lab.example", "secret.lab.example"].map(|name| (name, ios.addr()));
    let bastion = bastion(&names, None).await;
    let (_folder, file) = jumps_file(bastion.addr().port(), "demo", "demo", "\"*.lab.example\"");
    let jumps = ("SHOWRUNNER_JUMPS_FILE", file.as_str());
    let service = Service::start_with(&[jumps]);
    let core = named("core1.lab.example");
    let result = read(&service, with(core.clone(), "host_key", ios.fingerprint())).await;
    assert_eq!(result["success"], true, "{result}");
    assert_eq!(result["host_key"]["verified"], true, "{result}");
    assert_eq!(bastion.asked_to_reach(), ["core1.lab.example:22"]);
    // What is said of the device is said by its name.
    let result = read(&service, with(core.clone(), "password", "wrong")).await;
    assert_eq!(result["error_code"], "auth_rejected", "{result}");
    assert!(result["error"].as_str().unwrap().contains("core1.lab.example:22 refused"), "{result}");
    let result = read(&service, named("gone.lab.example")).await;
    assert_eq!(result["error_code"], "connection_failed", "{result}");
    assert!(result["error"].as_str().unwrap().contains("gone.lab.example:22"), "{result}");

    // Other names, addresses, and devices whose way the request says are looked up here.
    let before = bastion.asked_to_reach().len();
    for device in [
        named("core1.invalid"),
        with(core.clone(), "jump", json!(["b1"])),
        with(core.clone(), "jump", json!([])),
    ] {
        let result = read(&service, device).await;
        let said = result["error_code"].as_str().unwrap_or_default();
        assert!(said.starts_with("resolve_"), "{result}");
    }
    // The lists of targets still refuse, and then nobody is asked for anything.
    let names = ("SHOWRUNNER_TARGETS_NAMES", "*.lab.example,!secret.*");
    let networks = ("SHOWRUNNER_TARGETS_ALLOW", "10.0.0.0/8");
    for (settings, name, allowed) in [
        (&[jumps, names][..], "core1.lab.example", true),
        (&[jumps, names], "SECRET.lab.example.", false),
        (&[jumps, networks], "core1.lab.example", false),
        (&[jumps, networks, names], "core1.lab.example", true),
        (&[jumps, ("SHOWRUNNER_TARGETS_PORTS", "830")], "core1.lab.example", false),
    ] {
        let service = Service::start_with(settings);
        let result = read(&service, named(name)).await;
        if allowed {
            assert_eq!(result["success"], true, "{settings:?}: {result}");
        } else {
            assert_eq!(result["error_code"], "target_refused", "{settings:?}: {result}");
        }
    }
    assert_eq!(bastion.asked_to_reach().len(), before + 2);
}

#[tokio::test]
async fn openssh_looks_a_name_up_for_us() {
    if !sshd_is_here() {
        eprintln!("SKIPPED openssh_looks_a_name_up_for_us: needs sshd and root");
        return;
    }
    let ios = ios().await;
    let port = ios.addr().port();
    // It forwards to the name and not to its address.
    let peer = Peer::start_with("names-there", Path::new("/bin/sh"), |_folder| {
        format!("PermitOpen localhost:{port}\n")
    });
    let (_folder, file) = jumps_file(peer.port, &peer.user, &peer.password, "\"localhost\"");
    let service = Service::start_with(&[("SHOWRUNNER_JUMPS_FILE", &file)]);
    let result = read(&service, with(named("localhost"), "port", port)).await;
    assert_eq!(result["success"], true, "{result}");
    let result = read(&service, with(named("localhost"), "port", 1)).await;
    assert_eq!(result["error_code"], "jump_forwarding_refused", "{result}");
    assert!(result["error"].as_str().unwrap().contains("to localhost:1;"), "{result}");
    // A name of the machine itself takes the same setting here and there.
    let closed =
        [("SHOWRUNNER_JUMPS_FILE", file.as_str()), ("SHOWRUNNER_TARGETS_ALLOW_LOOPBACK", "false")];
    let result = read(&Service::start_with(&closed), named("localhost")).await;
    assert_eq!(result["error_code"], "target_refused", "{result}");
}

#[tokio::test]
async fn hosts_of_an_ssh_configuration_know_each_other_by_name() {
    if Command::new("ssh-keygen").arg("-?").output().is_err() {
        eprintln!(
            "SKIPPED hosts_of_an_ssh_configuration_know_each_other_by_name: needs ssh-keygen"
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key));
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    let ios = ios().await;
    let inner = bastion(&[("core1.lab.example", ios.addr())], Some(public.as_str())).await;
    let outer = bastion(&[("inner.lab.example", inner.addr())], Some(public.as_str())).await;
    let config = folder.path().join("config");
    fs::write(
        &config,
        format!(
            "Host outer\n HostName 127.0.0.1\n Port {}\n ProxyJump none\nHost inner\n HostName %h.lab.example\n ProxyJump outer\n\
             Host core*\n HostName %h.lab.example\nHost *\n User demo\n IdentityFile key\n ProxyJump inner\n",
            outer.addr().port()
        ),
    )
    .unwrap();
    let config = ("SHOWRUNNER_SSH_CONFIG", config.to_str().unwrap());
    let service = Service::start_with(&[config, ("SHOWRUNNER_TARGETS_NAMES", "*.lab.example")]);
    let result = read(&service, named("core1")).await;
    assert_eq!(result["success"], true, "{result}");
    assert_eq!(outer.asked_to_reach(), ["inner.lab.example:22"]);
    assert_eq!(inner.asked_to_reach(), ["core1.lab.example:22"]);
    // Without the operator's word the device's own name is looked up here.
    let result = read(&Service::start_with(&[config]), named("core1")).await;
    assert!(result["error_code"].as_str().unwrap().starts_with("resolve_"), "{result}");
    assert_eq!(inner.asked_to_reach().len(), 1);
}
