//! An OpenSSH client configuration at work: where devices are, who stands on the way, and whose keys open what.

use std::{fs, path::Path, process::Command};

use rustix::process::Signal;
use serde_json::{Value, json};
use showrunner::simulator::{DeviceOptions, FakeDevice};
use tempfile::TempDir;

use crate::{
    host_keys::visit,
    support::{Service, device, entry, with},
    vtysh::{Peer, sshd_is_here},
};

/// A device by its name alone: where it is, the configuration says.
fn named(name: &str) -> Value {
    json!({"hostname": name, "username": "demo", "password": "demo", "os": "ios"})
}

async fn ios() -> FakeDevice {
    device("cisco_ios", DeviceOptions::default()).await
}

async fn read(service: &Service, device: Value) -> Value {
    service.read(device, &["show version"]).await
}

fn went(result: &Value) -> bool {
    result["timing"]["jump_ms"].is_u64()
}

fn public_key(peer: &Peer) -> String {
    fs::read_to_string(peer.folder.path().join("host.pub")).unwrap()
}

/// A folder with a configuration and what it names.
struct Config(TempDir);

impl Config {
    fn new(text: &str) -> Self {
        let config = Self(tempfile::tempdir().unwrap());
        config.write("config", text);
        config
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn path(&self) -> String {
        self.0.path().join("config").display().to_string()
    }

    fn service(&self, settings: &[(&str, &str)]) -> Service {
        Service::start_with(
            &[&[("SHOWRUNNER_SSH_CONFIG", self.path().as_str())], settings].concat(),
        )
    }
}

/// Has the settings read again and waits for the service's word on it.
async fn reload(service: &Service, word: &str) {
    let before = service.log().matches(word).count();
    service.signal(Signal::HUP);
    for _ in 0..3000 {
        if service.log().matches(word).count() > before {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("no {word:?}: {}", service.log());
}

#[tokio::test]
async fn a_device_is_found_and_reached_as_the_configuration_says() {
    if !sshd_is_here() {
        eprintln!(
            "SKIPPED a_device_is_found_and_reached_as_the_configuration_says: needs sshd and root"
        );
        return;
    }
    let ios = ios().await;
    let one = Peer::start("config-one", Path::new("/bin/sh"));
    let two = Peer::start("config-two", Path::new("/bin/sh"));
    let port = ios.addr().port();
    let config = Config::new(&format!(
        "ForwardAgent yes\n\
         Host core1\n HostName 127.0.0.1\n Port {port}\n ProxyJump two\n HostKeyAlias the-core\n\
         Host one\n HostName 127.0.0.1\n Port {}\n User {}\n IdentityFile other-key\n IdentityFile one-key\n\
         Host two\n HostName localhost\n Port {}\n HostKeyAlias second\n ProxyJump one\n IdentityFile ~/.ssh/two-key\n\
         Match host localhost\n User {}\n\
         Host *\n UserKnownHostsFile known_hosts\n",
        one.port, one.user, two.port, two.user,
    ));
    // A key that the first host refuses, before the one that it takes.
    config.write("other-key", &two.new_key("ed25519", &[], ""));
    config.write("one-key", &one.new_key("ed25519", &[], ""));
    config.write("two-key", &two.new_key("rsa", &["-b", "2048"], ""));
    let shown = read(&Service::start(), entry(&ios, "ios")).await;
    assert_eq!(shown["success"], true, "{shown}");
    let known =
        |second: &str| format!("[127.0.0.1]:{} {}second {second}", one.port, public_key(&one));
    config.write("known_hosts", &known(&public_key(&two)));
    let service = config.service(&[("SHOWRUNNER_HOST_KEY_POLICY", "accept_any")]);
    assert!(service.log().contains("passed over: forwardagent"), "{}", service.log());
    let result = read(&service, named("core1")).await;
    assert!(result["success"] == true && went(&result), "{result}");
    // The answer names the device as the request did.
    assert_eq!((&result["hostname"], &result["port"]), (&json!("core1"), &json!(port)));
    assert_eq!(result["commands"][0]["output"], shown["commands"][0]["output"]);

    // What the request says goes before the file.
    let result = read(&service, with(named("core1"), "jump", json!([]))).await;
    assert!(result["success"] == true && !went(&result), "{result}");
    let result = read(&service, with(named("core1"), "port", 1)).await;
    assert_eq!(result["error_code"], "connection_failed", "{result}");
    let pinned = with(named("core1"), "host_key", public_key(&one).trim());
    assert_eq!(read(&service, pinned).await["error_code"], "host_key_changed");

    // The second host has another key than its alias has in the file, and learns nothing.
    config.write("known_hosts", &known(&public_key(&one)));
    reload(&service, "settings were reloaded").await;
    let result = read(&service, named("core1")).await;
    assert_eq!(result["error_code"], "jump_failed", "{result}");
    let error = result["error"].as_str().unwrap();
    assert!(error.contains("hop 2 of 2 failed: host key"), "{error}");
    // Without a policy in the settings, a file that is named is meant: the device's own key is in none.
    config.write("known_hosts", &known(&public_key(&two)));
    let strict = config.service(&[]);
    let result = read(&strict, named("core1")).await;
    assert_eq!(result["error_code"], "host_key_unknown", "{result}");
    let of_device = visit(port, &[]).await;
    let of_device = of_device.split_once(' ').unwrap().1;
    let line = format!("{}the-core {of_device}", known(&public_key(&two)));
    config.write("known_hosts", &line);
    reload(&strict, "settings were reloaded").await;
    let result = read(&strict, named("core1")).await;
    assert_eq!(result["host_key"]["verified"], true, "{result}");
}

#[tokio::test]
async fn the_jumps_file_goes_before_the_configuration_and_targets_hold_for_both() {
    let (ios, folder) = (ios().await, tempfile::tempdir().unwrap());
    let config = Config::new(&format!(
        "Host core*\n HostName 127.0.0.1\n Port {}\nHost core1 core3\n ProxyCommand nc %h %p\nHost loop\n HostName 127.0.0.1\n ProxyJump loop\n\
         Host meta\n HostName 169.254.169.254\n",
        ios.addr().port()
    ));
    let jumps = folder.path().join("jumps.toml");
    fs::write(&jumps, "[[rule]]\nnames = [\"core3\"]\nvia = []\n").unwrap();
    let jumps = ("SHOWRUNNER_JUMPS_FILE", jumps.to_str().unwrap());
    let service = config.service(&[jumps]);
    let result = read(&service, named("core2")).await;
    assert!(result["success"] == true && !went(&result), "{result}");
    // No program is run, and nothing goes directly that should not.
    for (name, why) in
        [("core1", "config line 5: ProxyCommand"), ("loop", "config line 8: the way leads over")]
    {
        let result = read(&service, named(name)).await;
        assert_eq!(result["error_code"], "jump_unusable", "{result}");
        assert!(result["error"].as_str().unwrap().contains(why), "{result}");
    }
    let direct = with(named("core1"), "jump", json!([]));
    assert_eq!(read(&service, direct).await["success"], true);
    assert_eq!(read(&service, named("core3")).await["success"], true);
    let result = read(&service, named("meta")).await;
    assert_eq!(result["error_code"], "target_refused", "{result}");
    let denying = config.service(&[jumps, ("SHOWRUNNER_TARGETS_DENY", "127.0.0.1")]);
    let result = read(&denying, named("core3")).await;
    assert_eq!(result["error_code"], "target_refused", "{result}");
    assert!(service.log().contains("config line 5: ProxyCommand is not run"), "{}", service.log());
    assert!(
        service.log().contains("jump host `loop`: it has no `IdentityFile`"),
        "{}",
        service.log()
    );
}

#[tokio::test]
async fn the_operators_keys_open_devices_only_where_a_setting_says_so() {
    if !sshd_is_here() {
        eprintln!(
            "SKIPPED the_operators_keys_open_devices_only_where_a_setting_says_so: needs sshd and root"
        );
        return;
    }
    let peer = Peer::start("config-own", Path::new("/bin/sh"));
    let config = Config::new(&format!(
        "Host box\n HostName 127.0.0.1\n Port {}\n User {}\nIdentityFile key\n",
        peer.port, peer.user
    ));
    config.write("key", &peer.new_key("ed25519", &[], ""));
    let own = json!({"hostname": "box", "os": "generic"});
    let body = |device: &Value| json!({"devices": [device], "commands": ["show version"]});
    let closed = config.service(&[]);
    let (status, answer) = closed.execute(&body(&own)).await;
    assert_eq!(status, 422, "{answer}");
    let places: Vec<_> =
        answer["detail"].as_array().unwrap().iter().map(|f| &f["loc"][3]).collect();
    assert_eq!(places, ["username", "password"], "{answer}");

    let open = config.service(&[("SHOWRUNNER_SSH_CONFIG_LOGINS", "true")]);
    let result = read(&open, own.clone()).await;
    assert_eq!(result["success"], true, "{result}");
    let same = with(own.clone(), "username", peer.user.as_str());
    assert_eq!(read(&open, same).await["success"], true);
    // A caller chooses neither another user for the operator's key nor, with a password of his own, the key.
    let (status, answer) = open.execute(&body(&with(own.clone(), "username", "root"))).await;
    assert_eq!((status, &answer["detail"][0]["loc"][3]), (422, &json!("username")), "{answer}");
    let wrong = with(with(own.clone(), "username", peer.user.as_str()), "password", "wrong");
    assert_eq!(read(&open, wrong).await["error_code"], "auth_rejected");
    // Nor do the hosts that a request spells out get it.
    let hop = json!({"hostname": "box", "username": peer.user});
    let (status, answer) = open.execute(&body(&with(own, "jump", json!([hop])))).await;
    assert_eq!((status, &answer["detail"][0]["loc"][5]), (422, &json!("password")), "{answer}");
}

#[tokio::test]
async fn a_bad_configuration_is_named_by_file_and_line_and_the_old_one_stays() {
    let ios = ios().await;
    let good = format!("Include more/*.conf\nHost core1\n Port {}\n", ios.addr().port());
    let config = Config::new(&good);
    fs::create_dir(config.0.path().join("more")).unwrap();
    config.write("more/a.conf", "Host core1\n HostName 127.0.0.1\n");
    config.write("more/.hidden.conf", "Bogus\n");
    let service = config.service(&[]);
    assert_eq!(read(&service, named("core1")).await["success"], true);
    let check = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_showrunner"));
        command.arg("check-config").env("SHOWRUNNER_SSH_CONFIG", config.path()).output().unwrap()
    };
    let right = check();
    assert!(right.status.success(), "{right:?}");
    for (file, text, want) in [
        ("config", "Host core1\n Port none\n", "config: line 2: `none` is no port"),
        ("config", "Include gone\n", "gone: No such file"),
        ("config", "UserKnownHostsFile gone\n", "gone: No such file"),
        ("more/a.conf", "\nMatch exec id\n", "more/a.conf: line 2: `Match exec`"),
    ] {
        let before = fs::read_to_string(config.0.path().join(file)).unwrap();
        config.write(file, text);
        reload(&service, "the old ones stay").await;
        assert!(service.log().contains(want), "{want}: {}", service.log());
        assert_eq!(read(&service, named("core1")).await["success"], true);
        let wrong = check();
        let said = String::from_utf8(wrong.stderr).unwrap();
        assert!(wrong.status.code() == Some(2) && said.contains(want), "{want}: {said}");
        config.write(file, &before);
    }
    config.write("config", "Host core1\n HostName 127.0.0.1\n Port 1\nProxyJump gone\n");
    reload(&service, "settings were reloaded").await;
    let result = read(&service, named("core1")).await;
    assert_eq!(result["error_code"], "jump_unusable", "{result}");
    let remarks = String::from_utf8(check().stderr).unwrap();
    assert!(remarks.contains("config line 4: devices behind it"), "{remarks}");
}
