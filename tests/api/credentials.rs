//! Credential sets: the operator's secrets, for the devices and callers that he says, and for nobody else.

use std::{fs, path::Path};

use rustix::process::Signal;
use serde_json::{Value, json};
use showrunner::simulator::{AuthKind, DeviceOptions, FakeDevice, Fault};
use tempfile::TempDir;

use crate::{
    access::new_key,
    host_keys::visit,
    support::{Service, device, entry, faulty, with},
    vtysh::{Peer, sshd_is_here},
};

const SECRET: &str = "mArKeR-of-the-operator";

/// A file of sets beside their secrets, and what a service needs to use it.
pub(crate) struct Kept {
    pub folder: TempDir,
}

impl Kept {
    pub(crate) fn new(sets: &str) -> Self {
        let kept = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(kept.path("password"), format!("{SECRET}\n")).unwrap();
        fs::write(kept.path("enable"), format!("{SECRET}-enable\n")).unwrap();
        fs::write(kept.path("known_hosts"), "").unwrap();
        kept.write(sets);
        kept
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, sets: &str) {
        fs::write(self.path("credentials.toml"), sets).unwrap();
    }

    /// A service with these sets, and with more settings.
    pub(crate) fn service(&self, more: &[(&str, &str)]) -> Service {
        let file = self.path("credentials.toml");
        let known_hosts = self.path("known_hosts");
        let settings = [
            ("SHOWRUNNER_CREDENTIALS_FILE", file.to_str().unwrap()),
            ("SHOWRUNNER_KNOWN_HOSTS", known_hosts.to_str().unwrap()),
            ("SHOWRUNNER_HOST_KEY_POLICY", "accept_any"),
            ("SHOWRUNNER_LOG_LEVEL", "trace"),
        ];
        Service::start_with(&[&settings, more].concat())
    }
}

fn set(name: &str, device: &FakeDevice, more: &str) -> String {
    let port = device.addr().port();
    format!(
        "[[credential]]\nname = \"{name}\"\nusername = \"demo\"\npassword_file = \"password\"\n\
         targets = [\"127.0.0.0/8\"]\nports = [{port}]\n{more}\n"
    )
}

async fn ios() -> FakeDevice {
    let options = DeviceOptions { password: SECRET.to_owned(), ..DeviceOptions::default() };
    device("cisco_ios", options).await
}

fn named(device: &FakeDevice, set: &str) -> Value {
    json!({"hostname": "127.0.0.1", "port": device.addr().port(), "os": "ios", "credential": set})
}

fn body(device: &Value) -> Value {
    json!({"devices": [device], "commands": ["show version"]})
}

#[tokio::test]
async fn a_device_is_read_with_the_operators_secrets_and_nobody_sees_them() {
    let options = DeviceOptions {
        password: SECRET.to_owned(),
        enable_password: Some(format!("{SECRET}-enable")),
        ..DeviceOptions::default()
    };
    let ios = device("cisco_ios", options).await;
    let kept =
        Kept::new(&set("lab", &ios, "enable_password_file = \"enable\"\nhost_keys = \"any\""));
    let audit = kept.path("audit.log");
    let mut service = kept.service(&[("SHOWRUNNER_AUDIT_FILE", audit.to_str().unwrap())]);
    let (status, checked) = service.post("/api/v1/validate", &body(&named(&ios, "lab"))).await;
    assert_eq!(status, 200, "{checked}");
    let result = service.read(named(&ios, "lab"), &["show version", "show users"]).await;
    assert_eq!(result["success"], true, "{result}");
    // A secret that is changed is the next device's.
    fs::write(kept.path("password"), "wrong-now").unwrap();
    let late = service.read(named(&ios, "lab"), &["show version"]).await;
    assert_eq!(late["error_code"], "auth_rejected", "{late}");
    fs::remove_file(kept.path("password")).unwrap();
    // What is valid is said without reading a secret.
    let (status, _) = service.post("/api/v1/validate", &body(&named(&ios, "lab"))).await;
    assert_eq!(status, 200);
    let attempts = ios.login_attempts();
    let gone = service.read(named(&ios, "lab"), &["show version"]).await;
    assert_eq!(gone["error_code"], "credential_unavailable", "{gone}");
    let said = gone["error"].as_str().unwrap();
    assert!(said.contains("a file of it cannot be read: entity not found"), "{said}");
    // Where the operator keeps his secrets is for his log.
    let folder = kept.folder.path().to_str().unwrap();
    assert!(!said.contains(folder), "{said}");
    assert_eq!(ios.login_attempts(), attempts);
    service.signal(Signal::TERM);
    assert_eq!(service.exit_code().await, Some(0));
    let audit = fs::read_to_string(audit).unwrap();
    let asked: Value = serde_json::from_str(audit.lines().next().unwrap()).unwrap();
    let device = &asked["devices"][0];
    assert_eq!((&device["credential"], &device["username"]), (&json!("lab"), &json!("demo")));
    let log = service.log();
    assert!(log.contains(folder), "{log}");
    for text in [&audit, &log, &result.to_string(), &late.to_string(), &gone.to_string()] {
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[tokio::test]
async fn a_set_goes_to_the_devices_it_is_for_and_to_no_machine_of_the_callers() {
    let (ios, other) = (ios().await, ios().await);
    let kept = Kept::new(
        &[
            set("here", &ios, "host_keys = \"any\""),
            set("elsewhere", &ios, "host_keys = \"any\"").replace("127.0.0.0/8", "192.0.2.0/24"),
            set("one", &ios, "host_keys = \"any\"\nnames = [\"r1.lab.example\", \"local*\"]"),
            set("known", &ios, ""),
            set("pinned", &ios, "host_keys = \"pinned\""),
        ]
        .concat(),
    );
    let service = kept.service(&[]);
    let pin = ios.fingerprint();
    let local = |set: &str| with(named(&ios, set), "hostname", "localhost");
    for (device, code, words) in [
        (named(&ios, "here"), Value::Null, ""),
        (named(&other, "here"), json!("credential_refused"), "its port"),
        (named(&ios, "elsewhere"), json!("credential_refused"), "its address"),
        (named(&ios, "one"), json!("credential_refused"), "its name"),
        (local("one"), Value::Null, ""),
        // A key that only the caller names is no proof, unless the operator has said so.
        (named(&ios, "known"), json!("host_key_unproven"), "known_hosts names"),
        (
            with(named(&ios, "known"), "host_key", pin),
            json!("host_key_unproven"),
            "known_hosts names",
        ),
        (named(&ios, "pinned"), json!("host_key_unproven"), "known_hosts or the request"),
        (with(named(&ios, "pinned"), "host_key", pin), Value::Null, ""),
    ] {
        let before = (ios.login_attempts(), other.login_attempts());
        let result = service.read(device.clone(), &["show version"]).await;
        assert_eq!(result["error_code"], code, "{device}: {result}");
        if !code.is_null() {
            assert!(result["error"].as_str().unwrap().contains(words), "{words}: {result}");
            assert_eq!((ios.login_attempts(), other.login_attempts()), before, "{device}");
        }
    }
}

#[tokio::test]
async fn the_key_in_known_hosts_is_proof_and_must_fit_what_the_caller_says_too() {
    let ios = ios().await;
    let kept = Kept::new(&set("lab", &ios, ""));
    fs::write(kept.path("known_hosts"), visit(ios.addr().port(), &[]).await).unwrap();
    let service = kept.service(&[]);
    let good = service.read(named(&ios, "lab"), &["show version"]).await;
    assert_eq!((&good["success"], &good["host_key"]["verified"]), (&json!(true), &json!(true)));
    let stranger = "SHA256:asg/xZ452L6G/hFZ0PppVISqUWAw+bRyZZDKa3jkr10";
    for (pin, code) in [(ios.fingerprint(), Value::Null), (stranger, json!("host_key_changed"))] {
        let device = with(named(&ios, "lab"), "host_key", pin);
        let result = service.read(device, &["show version"]).await;
        assert_eq!(result["error_code"], code, "{result}");
    }
}

#[tokio::test]
async fn names_of_sets_cannot_be_probed_and_secrets_are_not_mixed() {
    let ios = ios().await;
    let kept = Kept::new(
        &(set("lab", &ios, "host_keys = \"any\"\nkeys = [\"ops\", \"opz\"]")
            + &set("all", &ios, "host_keys = \"any\"")),
    );
    let ((ops, ops_entry), (desk, desk_entry)) = (new_key("ops"), new_key("desk"));
    let keys = kept.path("keys.toml");
    fs::write(&keys, ops_entry + &desk_entry).unwrap();
    let service = kept.service(&[("SHOWRUNNER_API_KEYS_FILE", keys.to_str().unwrap())]);
    // A slip in the file of sets lets nobody in, and is told.
    let told =
        |name: &str| service.log().contains(&format!("is not there credential=lab key={name}"));
    assert!(told("opz") && !told("ops"), "{}", service.log());
    let ask = async |key: &str, device: &Value| {
        let request = service.client.post(format!("{}/api/v1/execute", service.url));
        let answer = request.header("X-API-Key", key).json(&body(device)).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    for (key, set, status) in
        [(&ops, "lab", 200), (&ops, "all", 200), (&desk, "all", 200), (&desk, "lab", 422)]
    {
        assert_eq!(ask(key, &named(&ios, set)).await.0, status, "{set}");
    }
    let (_, not_his) = ask(&desk, &named(&ios, "lab")).await;
    let (_, not_there) = ask(&desk, &named(&ios, "lob")).await;
    assert_eq!(not_his["detail"], not_there["detail"]);
    assert_eq!(
        not_his["detail"],
        json!([{
            "loc": ["body", "devices", 0, "credential"], "type": "value_error",
            "msg": "Value error, There is no credential set of this name for this caller; the service's operator says which there are"
        }])
    );
    for name in ["username", "password", "enable_password", "private_key", "private_key_passphrase"]
    {
        let (status, answer) = ask(&desk, &with(named(&ios, "all"), name, SECRET)).await;
        assert_eq!(status, 422, "{answer}");
        let detail = &answer["detail"];
        assert_eq!((detail.as_array().unwrap().len(), &detail[0]["loc"][3]), (1, &json!(name)));
        assert!(!answer.to_string().contains(SECRET), "{answer}");
    }
    for wrong in [json!(7), json!([]), json!("")] {
        let (status, answer) = ask(&desk, &with(named(&ios, "all"), "credential", wrong)).await;
        assert_eq!((status, answer["detail"].as_array().unwrap().len()), (422, 1), "{answer}");
    }
    // No set, no name, no password: as ever.
    let bare = with(named(&ios, "all"), "credential", Value::Null);
    let (_, answer) = ask(&desk, &bare).await;
    let faults: Vec<_> = answer["detail"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| format!("{} {}", fault["loc"][3], fault["msg"]).replace('"', ""))
        .collect();
    assert_eq!(faults, ["username Field required", "password Field required"]);
}

#[tokio::test]
async fn a_set_never_goes_through_a_host_that_the_caller_brings() {
    let ios = ios().await;
    let kept = Kept::new(&set("lab", &ios, "host_keys = \"any\""));
    let jumps = kept.path("jumps.toml");
    let text = format!(
        "[[jump]]\nname = \"b1\"\nhostname = \"127.0.0.1\"\nport = {}\nusername = \"demo\"\npassword_file = \"password\"\n",
        ios.addr().port()
    );
    fs::write(&jumps, text).unwrap();
    let service = kept.service(&[("SHOWRUNNER_JUMPS_FILE", jumps.to_str().unwrap())]);
    let own = json!({"hostname": "127.0.0.1", "port": 1, "username": "u", "password": "p"});
    let with_set = json!({
        "hostname": "127.0.0.1", "port": ios.addr().port(), "credential": "lab"
    });
    let plain = entry(&ios, "ios");
    let place = |answer: &Value| -> Vec<String> {
        let faults = answer["detail"].as_array().into_iter().flatten();
        faults.map(|fault| fault["loc"].to_string()).collect()
    };
    let of_device = r#"["body","devices",0,"credential"]"#;
    let of_way = r#"["body","devices",0,"jump",1]"#;
    let of_hop = r#"["body","devices",0,"jump",1,"credential"]"#;
    for (device, jump, faults) in [
        (named(&ios, "lab"), json!([own]), vec![of_device]),
        (named(&ios, "lab"), json!(["b1", own]), vec![of_device]),
        // The operator's own hosts are logged in to with his secrets too.
        (named(&ios, "lab"), json!([own, "b1"]), vec![of_way]),
        (plain.clone(), json!([own, "b1"]), vec![of_way]),
        (plain.clone(), json!([own, own, "b1"]), vec![r#"["body","devices",0,"jump",2]"#]),
        (named(&ios, "lab"), json!([with_set]), vec![of_device]),
        (plain.clone(), json!([own, with_set]), vec![of_hop]),
        (named(&ios, "lab"), json!(["b1"]), vec![]),
        (plain.clone(), json!(["b1", with_set]), vec![]),
        (plain, json!([with_set, own]), vec![]),
    ] {
        let device = with(device, "jump", jump);
        let (status, answer) = service.post("/api/v1/validate", &body(&device)).await;
        assert_eq!(place(&answer), faults, "{device}: {answer}");
        assert_eq!(status, if faults.is_empty() { 200 } else { 422 });
    }
    assert_eq!(ios.login_attempts(), 0);
}

#[tokio::test]
async fn a_jump_host_is_logged_in_to_with_a_set_that_is_for_it() {
    if !sshd_is_here() {
        eprintln!(
            "SKIPPED a_jump_host_is_logged_in_to_with_a_set_that_is_for_it: needs sshd and root"
        );
        return;
    }
    let ios = faulty("cisco_ios", &[]).await;
    let peer = Peer::start("set-hop", Path::new("/bin/sh"));
    let kept = Kept::new(&format!(
        "[[credential]]\nname = \"hop\"\nusername = \"{}\"\nprivate_key_file = \"key\"\n\
         private_key_passphrase_file = \"password\"\ntargets = [\"127.0.0.1\"]\nports = [{}]\n",
        peer.user, peer.port
    ));
    fs::write(kept.path("key"), peer.new_key("ed25519", &[], SECRET)).unwrap();
    let public = fs::read_to_string(peer.folder.path().join("host.pub")).unwrap();
    let known = format!("[127.0.0.1]:{} {public}", peer.port);
    fs::write(kept.path("known_hosts"), known).unwrap();
    let service = kept.service(&[]);
    let hop = json!({"hostname": "127.0.0.1", "port": peer.port, "credential": "hop"});
    let result =
        service.read(with(entry(&ios, "ios"), "jump", json!([hop])), &["show version"]).await;
    assert_eq!(result["success"], true, "{result}");
    let wrong = with(hop, "port", ios.addr().port());
    let result =
        service.read(with(entry(&ios, "ios"), "jump", json!([wrong])), &["show version"]).await;
    assert_eq!(result["error_code"], "jump_failed", "{result}");
    let said = result["error"].as_str().unwrap();
    assert!(said.contains("hop 1 of 1 failed: credential: the set `hop` is not for"), "{said}");
}

#[tokio::test]
async fn a_reload_brings_new_sets_and_a_broken_file_keeps_the_old_ones() {
    let ios = ios().await;
    let kept = Kept::new(&set("lab", &ios, "host_keys = \"any\""));
    let service = kept.service(&[]);
    let status =
        async |name: &str| service.post("/api/v1/validate", &body(&named(&ios, name))).await.0;
    let reload = async |word: &str| {
        let before = service.log().matches("reloaded").count();
        service.signal(Signal::HUP);
        for _ in 0..1000 {
            let log = service.log();
            if log.matches("reloaded").count() > before {
                assert!(
                    log.lines().rfind(|line| line.contains("reloaded")).unwrap().contains(word)
                );
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("nothing was reloaded: {}", service.log());
    };
    assert_eq!((status("lab").await, status("new").await), (200, 422));
    kept.write(&set("new", &ios, "host_keys = \"any\""));
    reload("settings were reloaded").await;
    assert_eq!((status("lab").await, status("new").await), (422, 200));
    kept.write("[[credential]]\nname = \"lab\"\n");
    reload("the old ones stay").await;
    assert_eq!((status("lab").await, status("new").await), (422, 200));
}

#[tokio::test]
async fn devices_that_ask_in_their_terminal_and_devices_that_hang_get_no_more_than_they_should() {
    let options =
        |auth| DeviceOptions { password: SECRET.to_owned(), auth, ..DeviceOptions::default() };
    let in_band = device("cisco_ios", options(AuthKind::None)).await;
    let silent = faulty("cisco_ios", &[Fault::SilentPort]).await;
    let kept = Kept::new(
        &(set("band", &in_band, "host_keys = \"any\"")
            + &set("silent", &silent, "host_keys = \"any\"")),
    );
    let service = kept.service(&[("SHOWRUNNER_HANDSHAKE_TIMEOUT", "1")]);
    let devices = [named(&in_band, "band"), named(&silent, "silent")];
    let body = json!({"devices": devices, "commands": ["show version"]});
    let (_, answer) = service.execute(&body).await;
    assert_eq!(answer["results"][0]["success"], true, "{answer}");
    assert_eq!(answer["results"][1]["error_code"], "banner_timeout", "{answer}");
    assert!(!answer.to_string().contains(SECRET) && !service.log().contains(SECRET));
}
