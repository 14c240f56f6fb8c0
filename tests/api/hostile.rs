//! Ten thousand hostile requests through the front door: afterwards the devices have seen nothing but reads.

use std::collections::HashSet;

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use showrunner::simulator::{
    DeviceOptions, FakeDevice, Fault, Persona,
    raw::{Offer, VERSION, kexinit, packet},
};
use tokio::io::AsyncWriteExt as _;

use crate::{
    bounds::peak_bytes,
    support::{Service, device, entry, faulty},
};

const READS: [&str; 4] = ["show version", "show inventory", "show ip arp", "show clock"];
const HARM: [&str; 24] = [
    "reload",
    "configure terminal",
    "write erase",
    "; reload",
    "\nreload",
    "\rreload",
    "&& reload",
    "| redirect flash:x",
    "| tee flash:x",
    "|append flash:x",
    "> flash:x",
    "`reload`",
    "$(reload)",
    "\u{85}reload",
    "\u{2028}reload",
    "\u{15}reload",
    "\u{1b}[Areload",
    "\tclear",
    "| include x | redirect nvram:startup-config",
    "clear",
    "to-file flash:x",
    "\0reload",
    "| utility script x",
    "file flash:x",
];

#[tokio::test]
async fn after_ten_thousand_hostile_requests_a_device_has_seen_nothing_but_reads() {
    let service =
        Service::start_with(&[("SHOWRUNNER_LOG_LEVEL", "error,showrunner::startup=info")]);
    let mut devices = Vec::new();
    for _ in 0..8 {
        devices.push(device("cisco_ios", DeviceOptions::default()).await);
    }
    let mut refused = 0;
    let mut seed = 20_261_121_u64;
    let mut random = |below: usize| {
        // A small generator of our own, so that every run sends the same.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let mut bodies = Vec::new();
    for number in 0..10_000 {
        let (read, harm) = (READS[random(READS.len())], HARM[random(HARM.len())]);
        let command = match random(5) {
            0 => json!(format!("{read} {harm}")),
            1 => json!(format!("{harm} {read}")),
            2 => {
                json!({"command": read, "pipe_option": "include", "pipe_value": format!("x {harm}")})
            }
            3 => {
                json!({"command": format!("{read}{harm}"), "pipe_option": "section", "pipe_value": "x"})
            }
            _ => {
                let mut text: Vec<char> = format!("{read} {harm}").chars().collect();
                let at = random(text.len());
                let from = random(HARM.len());
                text.insert(at, HARM[from].chars().next().unwrap());
                json!(text.into_iter().collect::<String>())
            }
        };
        // Now and then a harmless one, so that sessions do happen.
        let command = if number % 500 == 0 { json!(read) } else { command };
        let device = &devices[number % devices.len()];
        bodies.push(json!({"devices": [entry(device, "ios")], "commands": [command]}));
    }
    let mut allowed: HashSet<String> = HashSet::new();
    let ask = async |body: &Value| {
        let (status, answer) = service.execute(body).await;
        if status == 422 {
            return None;
        }
        assert_eq!(status, 200, "{answer}");
        let (_, validated) = service.post("/api/v1/validate", body).await;
        Some(validated["devices"][0]["commands"][0]["line"].as_str().unwrap().to_owned())
    };
    let mut answers = stream::iter(&bodies).map(ask).buffer_unordered(16);
    while let Some(answer) = answers.next().await {
        let Some(line) = answer else {
            refused += 1;
            continue;
        };
        assert!(
            line.starts_with("show ") && !line.contains(['\n', '\r', ';', '>', '`']),
            "{line:?}"
        );
        allowed.insert(line);
    }
    assert!(refused > 8_000, "only {refused} were refused");
    allowed.extend(["terminal length 0", "terminal width 511", "exit"].map(str::to_owned));
    for line in devices.iter().flat_map(FakeDevice::received_lines) {
        assert!(allowed.contains(&line), "the device received {line:?}");
    }
    for session in devices.iter().flat_map(FakeDevice::received) {
        assert!(session.iter().all(|b| (0x20..=0x7e).contains(b) || *b == b'\n'), "{session:?}");
    }
    // Not the gate's own word: whatever arrived is a show command with a filter that drops lines.
    for line in allowed.iter().filter(|line| line.starts_with("show ")) {
        for stage in line.split(" | ").skip(1) {
            assert!(stage.starts_with("include ") || stage.starts_with("section "), "{line}");
        }
        let command = line.split('|').next().unwrap();
        assert!(!command.split(' ').any(|word| ["clear", "to-file"].contains(&word)), "{line}");
    }
}

#[tokio::test]
async fn a_peer_that_sends_what_nobody_asked_for_cannot_fill_the_memory() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let peer = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let hello = [VERSION, &packet(&kexinit(Offer::GOOD))].concat();
        socket.write_all(&hello).await.unwrap();
        let many = packet(&[&[192][..], &[0; 16_000]].concat()).repeat(16);
        // No more than a gigabyte, at a pace that a network has.
        for sent in 0..4096 {
            if socket.write_all(&many).await.is_err() {
                return sent * many.len();
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        usize::MAX
    });
    let service = Service::start_with(&[("SHOWRUNNER_HANDSHAKE_TIMEOUT", "2")]);
    let target = json!({
        "hostname": "127.0.0.1", "port": port, "username": "u", "password": "p", "os": "ios"
    });
    let (_, answer) =
        service.execute(&json!({"devices": [target], "commands": ["show clock"]})).await;
    let result = &answer["results"][0];
    assert_eq!(result["error_code"], "handshake_timeout", "{result}");
    let sent = peer.await.unwrap();
    assert!(sent < 100 << 20, "{sent} bytes were sent");
    assert!(peak_bytes(&service) < 200 << 20);
}

#[tokio::test]
async fn single_bytes_between_them_excuse_no_flood_of_messages() {
    let service = Service::start_with(&[("SHOWRUNNER_PROMPT_TIMEOUT", "2")]);
    let device = faulty("cisco_ios", &[Fault::StrayMessages]).await;
    let result = service.read(entry(&device, "ios"), &["show clock"]).await;
    assert_eq!(result["error_code"], "prompt_timeout", "{result}");
    assert!(result["warnings"].to_string().contains("nobody had asked for"), "{result}");
    assert!(peak_bytes(&service) < 200 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_that_send_faster_than_they_are_read_cannot_fill_the_memory() {
    let mut devices = Vec::new();
    for _ in 0..2 {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        devices.push(json!({
            "hostname": "127.0.0.1", "port": listener.local_addr().unwrap().port(),
            "username": "u", "password": "p", "os": "ios"
        }));
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let hello = [VERSION, &packet(&kexinit(Offer::GOOD))].concat();
            socket.write_all(&hello).await.unwrap();
            let many = packet(&[&[192][..], &[0; 16_000]].concat()).repeat(64);
            while socket.write_all(&many).await.is_ok() {}
        });
    }
    let service = Service::start_with(&[("SHOWRUNNER_HANDSHAKE_TIMEOUT", "3")]);
    let (_, answer) =
        service.execute(&json!({"devices": devices, "commands": ["show clock"]})).await;
    for result in answer["results"].as_array().unwrap() {
        assert_eq!(result["error_code"], "handshake_timeout", "{result}");
        let warning = result["warnings"][0].as_str().unwrap_or_default();
        assert!(warning.contains("came that nobody had asked for"), "{result}");
    }
    assert!(peak_bytes(&service) < 600 << 20, "{} MiB", peak_bytes(&service) >> 20);
}

#[tokio::test]
async fn a_text_that_ends_a_sessions_last_output_is_told_in_a_warning() {
    let service = Service::start();
    // A neighbour may choose such a description, and the device may pause in it.
    let forged = "\n[[command]]\nline = \"show cdp entry *\"\noutput = \"\"\"\nfirst\nedge1#\\u0000exit\nlast\n\"\"\"\n";
    let text = include_str!("../../fixtures/personas/cisco_ios.toml").to_owned() + forged;
    let persona = Persona::from_toml(&text, "a test").unwrap();
    let faults = vec![Fault::FakePromptPause];
    let options = DeviceOptions { faults, ..DeviceOptions::default() };
    let device = FakeDevice::spawn(persona, options).await.unwrap();
    for (commands, doubt) in [
        (json!(["show version", "show cdp entry *"]), Some("`show cdp entry *` may lack its end")),
        (json!(["show cdp entry *", "show version"]), None),
    ] {
        let body = json!({"devices": [entry(&device, "cisco_ios")], "commands": commands});
        let (status, answer) = service.execute(&body).await;
        assert_eq!(status, 200, "{answer}");
        let warnings = &answer["results"][0]["warnings"];
        let warned = warnings.as_array().into_iter().flatten().filter_map(Value::as_str);
        let found = warned.filter(|one| one.contains("may lack its end")).collect::<Vec<_>>();
        assert_eq!(found.len(), usize::from(doubt.is_some()), "{answer}");
        assert!(doubt.is_none_or(|doubt| found[0].contains(doubt)), "{answer}");
    }
}
