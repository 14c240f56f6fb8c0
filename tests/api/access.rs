//! API keys and target lists through the front door: who may send what to which device.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    process::Command,
};

use serde_json::{Value, json};

use crate::support::{Service, entry, faulty, with};

/// Makes a key as an operator does: the key, and its entry for the file.
pub(crate) fn new_key(name: &str) -> (String, String) {
    let answer = Command::new(env!("CARGO_BIN_EXE_showrunner")).args(["new-key", name]).output();
    let answer = answer.unwrap();
    let said = String::from_utf8(answer.stderr).unwrap();
    let secret = said.lines().find(|line| line.starts_with("sr_")).unwrap().to_owned();
    (secret, String::from_utf8(answer.stdout).unwrap())
}

struct Keyed {
    service: Service,
    _folder: tempfile::TempDir,
}

impl Keyed {
    fn start(entries: &[String], settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        std::fs::write(&file, entries.concat()).unwrap();
        let named = ("SHOWRUNNER_API_KEYS_FILE", file.to_str().unwrap());
        let service = Service::start_with(&[settings, &[named]].concat());
        Self { service, _folder: folder }
    }

    async fn execute(&self, header: (&str, &str), body: &Value) -> (u16, Value) {
        let url = format!("{}/api/v1/execute", self.service.url);
        let request = self.service.client.post(url).header(header.0, header.1).json(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

/// Who has a name may point it at this machine: a page of his would then call the service from its visitor's browser.
#[tokio::test]
async fn without_keys_a_page_of_another_site_is_turned_away_and_programs_are_not() {
    let service = Service::start();
    let device = faulty("cisco_ios", &[]).await;
    let body = json!({"devices": [entry(&device, "ios")], "commands": ["show version"]});
    let port = service.url.rsplit(':').next().unwrap();
    let (local, foreign) = (format!("localhost:{port}"), "evil.example:80".to_owned());
    for (host, has_origin, status) in
        [(&local, true, 200), (&local, false, 200), (&foreign, false, 200), (&foreign, true, 403)]
    {
        let mut request = service.client.post(format!("{}/api/v1/execute", service.url));
        request = request.header("Host", host).json(&body);
        if has_origin {
            request = request.header("Origin", format!("http://{host}"));
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{host} {has_origin}");
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["code"] == "foreign_page", status == 403, "{answer}");
    }
    assert_eq!(device.logins(), 3);
    let behind = Service::start_with(&[("SHOWRUNNER_TRUSTED_PROXIES", "127.0.0.0/8")]);
    let request = behind.client.get(format!("{}/api/v1/platforms", behind.url));
    let request = request.header("Host", &foreign).header("Origin", "https://netops.example");
    assert_eq!(request.send().await.unwrap().status().as_u16(), 200);
}

#[tokio::test]
async fn only_a_known_key_gets_in_and_no_key_is_ever_logged() {
    let (secret, entry_of) = new_key("backup-job");
    let keyed = Keyed::start(&[entry_of], &[("SHOWRUNNER_LOG_LEVEL", "debug")]);
    let device = faulty("cisco_ios", &[]).await;
    let body = json!({"devices": [entry(&device, "ios")], "commands": ["show version"]});
    let bearer = format!("Bearer {secret}");
    for header in [("X-API-Key", secret.as_str()), ("Authorization", &bearer)] {
        let (status, answer) = keyed.execute(header, &body).await;
        assert_eq!((status, &answer["successful_devices"]), (200, &json!(1)), "{answer}");
    }
    let close = format!("{secret}x");
    for (header, code) in [
        (("X-API-Key", close.as_str()), "api_key_unknown"),
        (("X-API-Key", ""), "api_key_unknown"),
        (("Cookie", secret.as_str()), "api_key_missing"),
        (("Authorization", "Basic YTpi"), "api_key_missing"),
    ] {
        let (status, answer) = keyed.execute(header, &body).await;
        assert_eq!((status, &answer["code"]), (401, &json!(code)), "{answer}");
        assert!(answer["request_id"].is_string() && !answer.to_string().contains(&secret));
    }
    assert_eq!(device.logins(), 2);
    let get = async |path: &str| {
        let url = format!("{}{path}", keyed.service.url);
        keyed.service.client.get(url).send().await.unwrap().status().as_u16()
    };
    for (path, status) in [
        ("/health", 200),
        ("/health/ready", 200),
        ("/docs/", 200),
        ("/openapi.json", 200),
        ("/metrics", 401),
        ("/api/v1/platforms", 401),
        ("/nowhere", 401),
        (&format!("/api/v1/platforms?api_key={close}"), 401),
    ] {
        assert_eq!(get(path).await, status, "{path}");
    }
    // The log has a thread of its own.
    let name = "client.key=backup-job";
    for _ in 0..1000 {
        if keyed.service.log().contains(name) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let log = keyed.service.log();
    assert!(log.contains(name), "{log}");
    assert!(!log.contains(&secret), "a key is in the log");
}

#[tokio::test]
async fn a_key_is_held_to_its_own_commands_and_targets() {
    let (narrow, narrow_entry) = new_key("helpdesk");
    let (wide, wide_entry) = new_key("engineers");
    let limits = "commands_only = [\"show version\", \"ios: show ip *\"]\ncommands_deny = [\"show ip route*\"]\n\
                  targets_allow = [\"127.0.0.1\"]\ntargets_ports = [1]\n";
    let keyed = Keyed::start(&[narrow_entry, limits.to_owned(), wide_entry], &[]);
    let device = faulty("cisco_ios", &[]).await;
    let ask = async |key: &str, command: &str| {
        let body = json!({"devices": [entry(&device, "ios")], "commands": [command]});
        keyed.execute(("X-API-Key", key), &body).await
    };
    for (command, allowed) in [
        ("show version", true),
        ("show version | include uptime", true),
        ("show ip interface brief", true),
        ("show ipv6 route", false),
        ("show ipc ports", false),
        ("show \"version\"", false),
        ("show running-config", false),
        ("show ip route", false),
        ("sh ip ro", false),
        ("show ip \"route\"", false),
        ("show versionx", false),
        ("show", false),
    ] {
        let (status, answer) = ask(&narrow, command).await;
        assert_eq!(status, if allowed { 200 } else { 422 }, "{command}: {answer}");
        if allowed {
            // The command may be sent, but not to this port.
            assert_eq!(answer["results"][0]["error_code"], "target_refused", "{answer}");
        } else {
            let said = answer["detail"][0]["msg"].as_str().unwrap();
            assert!(said.contains("denied_by_policy") || command == "show", "{said}");
        }
    }
    assert_eq!(device.login_attempts(), 0);
    let (status, answer) = ask(&wide, "show running-config").await;
    assert_eq!((status, &answer["successful_devices"]), (200, &json!(1)), "{answer}");
}

#[tokio::test]
async fn a_denied_command_is_refused_in_every_spelling_and_others_are_not() {
    let deny =
        ["show configuration*", "show running-config*", "show router*", "/ip address print*"];
    let deny = serde_json::to_string(&deny).unwrap();
    let service = Service::start_with(&[("SHOWRUNNER_COMMANDS_DENY", deny.as_str())]);
    for (os, command, refused) in [
        ("vyos", "show 'configuration'", true),
        ("vyos", "show con''figuration commands", true),
        ("vyos", "show interfaces", false),
        ("junos", "show \"configuration\"", true),
        ("junos", "show log \"messages\"", false),
        ("iosxr", "show \"running-config\"", true),
        ("nxos", "show \"running-config\"", true),
        ("netscaler", "show \"running-config\"", true),
        ("sros", "/show router interface", true),
        ("sros", "/show port", false),
        ("routeros", "ip address print", true),
        ("routeros", "/ip/address print detail", true),
        ("routeros", "ip route print", false),
    ] {
        let device = json!({"hostname": "192.0.2.1", "os": os, "username": "u", "password": "p"});
        let body = json!({"devices": [device], "commands": [command]});
        let (status, answer) = service.post("/api/v1/validate", &body).await;
        assert_eq!(status, if refused { 422 } else { 200 }, "{os} {command}: {answer}");
        assert_eq!(answer.to_string().contains("denied_by_policy"), refused, "{answer}");
    }
}

const OWN_PLATFORM: &str = r#"
name = "acme_os"
title = "Acme OS"
aliases = ["acme"]
[[prompt.operational]]
mode = "privileged"
pattern = '(?P<name>\w[\w.\-]*)#'
[session]
prepare = []
logout = "exit"
[errors]
markers = ['%']
"#;

#[test]
fn entries_that_no_command_can_fit_are_faults_of_the_settings() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, own) = (folder.path().join("keys.toml"), folder.path().join("platforms"));
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("acme_os.toml"), OWN_PLATFORM).unwrap();
    let check = |settings: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_showrunner"));
        command.arg("check-config").current_dir(&folder).envs(settings.iter().copied());
        let answer = command.output().unwrap();
        (answer.status.code(), String::from_utf8(answer.stderr).unwrap())
    };
    let entry_of = new_key("helpdesk").1;
    let own = ("SHOWRUNNER_PLATFORMS_DIR", own.to_str().unwrap());
    let by_key = ("SHOWRUNNER_API_KEYS_FILE", keys.to_str().unwrap());
    for (entry, want) in [
        ("ios: show clock", None),
        ("ios:show clock", None),
        ("acme: show clock", None),
        ("show file disk0:x", None),
        ("ioss: show clock", Some("`ioss: show clock`: no platform is called `ioss`")),
        ("ioss:show clock", Some("no platform is called `ioss`")),
        ("show *clock", Some("a `*` stands for anything only at the end")),
    ] {
        let list = json!([entry]).to_string();
        for name in ["SHOWRUNNER_COMMANDS_DENY", "SHOWRUNNER_COMMANDS_ALLOW"] {
            let (code, said) = check(&[own, (name, &list)]);
            assert_eq!(code, Some(if want.is_some() { 2 } else { 0 }), "{entry}: {said}");
            assert!(said.contains(want.unwrap_or_default()), "{entry}: {said}");
        }
        for name in ["commands_only", "commands_deny"] {
            std::fs::write(&keys, format!("{entry_of}{name} = {list}\n")).unwrap();
            let (code, said) = check(&[own, by_key, ("SHOWRUNNER_AUTH", "api_key")]);
            assert_eq!(code, Some(if want.is_some() { 2 } else { 0 }), "{entry}: {said}");
            let place = want.map_or("", |_| "key 1: ");
            assert!(said.contains(want.unwrap_or_default()) && said.contains(place), "{said}");
        }
    }
    // Without its folder the platform is none.
    let (code, said) = check(&[("SHOWRUNNER_COMMANDS_DENY", "[\"acme: show clock\"]")]);
    assert_eq!(code, Some(2), "{said}");
    // What cannot be read hides no other fault, and names no platform that may well be there.
    let nowhere = ("SHOWRUNNER_PLATFORMS_DIR", "/nowhere/platforms");
    let (_, said) = check(&[nowhere, ("SHOWRUNNER_COMMANDS_DENY", "[\"acme: show *x\"]")]);
    assert!(said.contains("/nowhere/platforms") && said.contains("only at the end"), "{said}");
    let (_, said) = check(&[nowhere, ("SHOWRUNNER_COMMANDS_DENY", "[\"acme: show x\"]")]);
    assert!(said.contains("/nowhere/platforms") && !said.contains("is called"), "{said}");
}

#[tokio::test]
async fn a_reload_with_an_entry_that_no_command_can_fit_keeps_the_old_list() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("settings.toml");
    std::fs::write(&config, "commands_deny = [\"ios: show clock\"]\n").unwrap();
    let service = Service::start_with(&[("SHOWRUNNER_CONFIG_FILE", config.to_str().unwrap())]);
    std::fs::write(&config, "commands_deny = [\"ioss: show clock\"]\n").unwrap();
    service.signal(rustix::process::Signal::HUP);
    for _ in 0..500 {
        if service.log().contains("the old ones stay") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(service.log().contains("no platform is called `ioss`"), "{}", service.log());
    let device = json!({"hostname": "192.0.2.1", "os": "ios", "username": "u", "password": "p"});
    let body = json!({"devices": [device], "commands": ["show clock"]});
    assert_eq!(service.post("/api/v1/validate", &body).await.0, 422);
}

#[tokio::test]
async fn each_key_has_a_rate_of_its_own_wherever_it_is_used() {
    let ((one, one_entry), (two, two_entry)) = (new_key("one"), new_key("two"));
    let keyed = Keyed::start(
        &[one_entry, two_entry],
        &[
            ("SHOWRUNNER_RATE_LIMIT_EXECUTE", "1/hour"),
            ("SHOWRUNNER_TRUSTED_PROXIES", "127.0.0.0/8"),
        ],
    );
    let empty = json!({"devices": [], "commands": []});
    let mut statuses = Vec::new();
    for (key, from) in [(&one, "203.0.113.1"), (&two, "203.0.113.1"), (&one, "203.0.113.2")] {
        let url = format!("{}/api/v1/execute", keyed.service.url);
        let request = keyed.service.client.post(url).header("X-API-Key", key);
        let answer = request.header("X-Forwarded-For", from).json(&empty).send().await.unwrap();
        statuses.push(answer.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 429]);
    // Whoever tries keys is counted by his address.
    let wrong = keyed.execute(("X-API-Key", "sr_guess"), &empty).await.0;
    let again = keyed.execute(("X-API-Key", "sr_other"), &empty).await.0;
    assert_eq!((wrong, again), (401, 429));
}

#[tokio::test]
async fn targets_are_those_of_the_operators_lists() {
    let device = faulty("cisco_ios", &[]).await;
    let port = device.addr().port().to_string();
    let body = json!({"devices": [entry(&device, "ios")], "commands": ["show version"]});
    for (settings, allowed) in [
        (&[("SHOWRUNNER_TARGETS_ALLOW", "127.0.0.0/8, 10.0.0.0/8")][..], true),
        (&[("SHOWRUNNER_TARGETS_ALLOW", "10.0.0.0/8")], false),
        (&[("SHOWRUNNER_TARGETS_DENY", "127.0.0.1")], false),
        (&[("SHOWRUNNER_TARGETS_PORTS", port.as_str())], true),
        (&[("SHOWRUNNER_TARGETS_PORTS", "22")], false),
    ] {
        let service = Service::start_with(settings);
        let (_, answer) = service.execute(&body).await;
        let result = &answer["results"][0];
        let want = if allowed { Value::Null } else { json!("target_refused") };
        assert_eq!(result["error_code"], want, "{settings:?}: {result}");
    }
    assert_eq!(device.sessions_seen(), 2);
}

/// Ways to write an IPv4 address that some program or other reads as one.
fn spellings(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets();
    let number = u32::from(address);
    let (high, low) = (number >> 16, number & 0xffff);
    let mut spellings = vec![
        address.to_string(),
        format!("{address}."),
        format!("{a}.{b}.{low}"),
        format!("{a}.{}", number & 0xff_ffff),
        format!("{number}"),
        format!("{number:#x}"),
        format!("{number:#X}"),
        format!("0{number:o}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("{a:#x}.{}", number & 0xff_ffff),
        format!("{a:03}.{b:03}.{c:03}.{d:03}"),
        format!("000000{a}.{b}.{c}.{d}"),
        format!("{}.{b}.{c}.{d}", 256 + u32::from(a)),
        format!("[{address}]"),
        format!("{address}:22"),
        format!("user@{address}"),
        format!("{address}%eth0"),
        format!("{address}/32"),
        format!(" {address}"),
        format!("{address}\u{0}"),
        format!("http://{address}"),
        format!("%{a:02x}.{b}.{c}.{d}"),
        format!("{a}\u{3002}{b}\u{3002}{c}\u{3002}{d}"),
    ];
    for prefix in ["::ffff:", "::ffff:0:", "::", "64:ff9b::"] {
        spellings.push(format!("{prefix}{address}"));
        spellings.push(format!("{prefix}{high:x}:{low:x}"));
    }
    spellings.push(format!("0:0:0:0:0:FFFF:{address}"));
    spellings.push(format!("[::ffff:{address}]"));
    spellings.push(format!("::ffff:{address}%1"));
    spellings.push(format!("2002:{high:x}:{low:x}::"));
    spellings.push(format!("2002:{high:x}:{low:x}::1"));
    let full_width = |c: char| match c.to_digit(10) {
        Some(digit) => char::from_u32(0xff10 + digit).unwrap(),
        None => c,
    };
    spellings.push(address.to_string().chars().map(full_width).collect());
    spellings
}

#[tokio::test]
async fn no_spelling_of_a_forbidden_address_is_connected_to() {
    let service = Service::start_bare(&[
        ("SHOWRUNNER_PORT", "0"),
        ("SHOWRUNNER_RATE_LIMIT_EXECUTE", "off"),
        ("SHOWRUNNER_CONNECT_TIMEOUT", "1"),
        ("SHOWRUNNER_RESOLVE_TIMEOUT", "1"),
    ]);
    let device = faulty("cisco_ios", &[]).await;
    let forbidden = [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "0.0.0.1",
        "169.254.169.254",
        "169.254.0.1",
        "224.0.0.1",
        "239.255.255.255",
        "255.255.255.255",
    ];
    let mut hosts: Vec<String> =
        forbidden.iter().flat_map(|address| spellings(address.parse().unwrap())).collect();
    for address in ["::1", "::", "fe80::1", "ff02::1", "fd00:ec2::254"] {
        let full: Ipv6Addr = address.parse().unwrap();
        let segments = full.segments().map(|segment| format!("{segment:04X}")).join(":");
        hosts.extend([
            address.to_owned(),
            segments,
            format!("[{address}]"),
            format!("{address}%lo"),
        ]);
    }
    hosts.extend(["localhost", "LOCALHOST.", "ip6-localhost"].map(str::to_owned));
    assert!(hosts.len() > 300, "{}", hosts.len());
    let mut refused = 0;
    for host in &hosts {
        let one = with(entry(&device, "ios"), "hostname", host.as_str());
        let (status, answer) =
            service.execute(&json!({"devices": [one], "commands": ["show version"]})).await;
        match status {
            422 => refused += 1,
            200 => {
                let code = answer["results"][0]["error_code"].as_str().unwrap_or("none").to_owned();
                // A name that nobody knows is no address either.
                assert!(
                    ["target_refused", "resolve_failed", "resolve_timeout"]
                        .contains(&code.as_str()),
                    "{host}: {answer}"
                );
                refused += usize::from(code == "target_refused");
            }
            _ => panic!("{host}: {status} {answer}"),
        }
    }
    assert!(refused > hosts.len() * 9 / 10, "{refused} of {}", hosts.len());
    assert_eq!((device.sessions_seen(), device.login_attempts()), (0, 0));
}
