//! The main job: requests as callers send them, answers as they expect them.

use std::time::Duration;

use serde_json::{Value, json};
use showrunner::simulator::{AuthKind, DeviceOptions, Fault, Persona};

use crate::support::{Service, device, entry, faulty, with};

/// Platform as asked for, persona, commands, and what must be in their outputs.
const SESSIONS: [(&str, &str, &[&str], &[&str]); 12] = [
    (
        "ios",
        "cisco_ios",
        &["show version", "show running-config"],
        &["Version 15.2(7)E4", "line vty 0 4"],
    ),
    ("iosxe", "cisco_xe", &["show version", "show lldp neighbors"], &["17.09.04a", "edge1"]),
    (
        "iosxr",
        "cisco_xr",
        &["show version", "show isis neighbors"],
        &["IOS XR", "Total neighbor count: 1"],
    ),
    (
        "nxos",
        "cisco_nxos",
        &["show version", "show vpc"],
        &["NXOS: version 10.2(5)", "peer is alive"],
    ),
    ("asa", "cisco_asa", &["show version", "show failover"], &["Version 9.16(4)", "Failover Off"]),
    (
        "eos",
        "arista_eos",
        &["show version", "show running-config"],
        &["4.30.1F", "! Command: show running-config"],
    ),
    ("junos", "juniper_junos", &["show version", "show bgp summary"], &["Junos: 21.4R3", "Establ"]),
    (
        "huawei_vrp",
        "huawei",
        &["display version", "display current-configuration"],
        &["VRP (R)", "return"],
    ),
    (
        "fortinet",
        "fortinet",
        &["get system status", "show system interface"],
        &["FortiGate-60F", "port10"],
    ),
    (
        "paloalto_panos",
        "paloalto_panos",
        &["show system info", "show arp all"],
        &["PA-440", "1210"],
    ),
    ("frr", "frr", &["show version", "show bgp summary"], &["FRRouting 8.4.4", "198.51.100.2"]),
    // It refuses the preparation lines of the other CLI of the platform; that is no trouble.
    ("sros", "nokia_sros", &["show version", "show router interface"], &["TiMOS", "to-p1"]),
];

/// What a persona prints for a command, as the answer must have it.
fn printed(persona: &str, command: &str) -> String {
    let text = std::fs::read_to_string(format!("fixtures/personas/{persona}.toml")).unwrap();
    let data: toml::Value = toml::from_str(&text).unwrap();
    let commands = data["command"].as_array().unwrap();
    let found = commands.iter().find(|one| one["line"].as_str() == Some(command)).unwrap();
    found["output"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_common_platforms_give_their_output_byte_for_byte_and_get_nothing_but_reads() {
    let service = Service::start();
    for (os, persona, commands, wanted) in SESSIONS {
        let device = device(persona, DeviceOptions::default()).await;
        let result = service.read(entry(&device, os), commands).await;
        assert_eq!(result["success"], true, "{os}: {result}");
        assert_eq!(result["warnings"], json!([]), "{os}");
        for (index, (command, wanted)) in commands.iter().zip(wanted).enumerate() {
            let one = &result["commands"][index];
            let output = one["output"].as_str().unwrap();
            assert_eq!(one["success"], true, "{os} {command}: {one}");
            assert!(output.contains(wanted), "{os} {command}: {output}");
            assert_eq!(output, printed(persona, command), "{os} {command}");
        }
        // Whatever arrived is a preparation line of the definition, a command or the logout.
        let body = json!({"devices": [entry(&device, os)], "commands": commands});
        let (_, validated) = service.post("/api/v1/validate", &body).await;
        let expected = &validated["devices"][0];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut lines: Vec<String> =
            expected["prepare"].as_array().unwrap().iter().map(text).collect();
        lines.extend(expected["commands"].as_array().unwrap().iter().map(|one| text(&one["line"])));
        lines.push(text(&expected["logout"]));
        let pages: Vec<String> = device.received_lines();
        let received: Vec<String> = pages.iter().map(|line| line.trim_start().to_owned()).collect();
        assert_eq!(received, lines, "{os}");
        assert_eq!(device.clean_logouts(), 1, "{os}");
    }
}

#[tokio::test]
async fn any_chunking_of_the_bytes_gives_the_same_output() {
    let service = Service::start();
    for (os, persona, commands, _) in SESSIONS {
        for (write_chunk, write_gap) in
            [(1, Duration::ZERO), (3, Duration::from_micros(200)), (7, Duration::ZERO)]
        {
            let options = DeviceOptions { write_chunk, write_gap, ..DeviceOptions::default() };
            let device = device(persona, options).await;
            let result = service.read(entry(&device, os), commands).await;
            for (index, command) in commands.iter().enumerate() {
                assert_eq!(
                    result["commands"][index]["output"],
                    printed(persona, command),
                    "{os} {command} {write_chunk}"
                );
            }
        }
    }
}

#[tokio::test]
async fn trouble_on_the_screen_never_changes_the_output() {
    let service = Service::start();
    let plain = printed("cisco_ios", "show ip interface brief");
    let middle = plain.lines().count() / 2;
    let inserted = |line: &str| {
        let mut lines: Vec<&str> = plain.lines().collect();
        lines.insert(middle, line);
        lines.join("\n") + "\n"
    };
    let log = "*Nov 21 10:00:00.123: %SYS-5-CONFIG_I: Configured from console";
    let cases = [
        (Fault::FakePrompt, inserted("edge1#")),
        (Fault::SyslogInOutput, inserted(log)),
        (Fault::SyslogAtPrompt, plain.clone()),
        (Fault::SyslogEatsPrompt, plain.clone()),
        (Fault::AnsiPrompt, plain.clone()),
        (Fault::EchoTwice, format!("show ip interface brief\n{plain}")),
        (Fault::NoEcho, plain.clone()),
        (Fault::WrappedEcho, plain.clone()),
        (Fault::PromptArt, plain.clone()),
        (Fault::PagingOffRefused, plain.clone()),
        (Fault::InvalidUtf8, format!("bad \u{fffd}\u{fffd} bytes\n{plain}")),
        (
            Fault::SyslogBehindEcho,
            format!("*Nov 21 10:00:00.123: %LINK-3-UPDOWN: Interface Gi0/1, up\n{plain}"),
        ),
    ];
    for (fault, want) in cases {
        for (write_chunk, write_gap) in [(32_768, Duration::ZERO), (1, Duration::from_micros(100))]
        {
            let options = DeviceOptions {
                faults: vec![fault],
                write_chunk,
                write_gap,
                ..DeviceOptions::default()
            };
            let device = device("cisco_ios", options).await;
            let commands = ["show ip interface brief", "show ip interface brief"];
            let result = service.read(entry(&device, "ios"), &commands).await;
            for index in 0..2 {
                let output = &result["commands"][index]["output"];
                assert_eq!(*output, want, "{fault:?} {write_chunk} {index}: {result}");
            }
        }
    }
}

/// Junos echoes no further than to the word that it does not know.
#[tokio::test]
async fn a_refusal_in_the_middle_of_the_echo_is_one_of_its_own_line() {
    let service = Service::start();
    for write_chunk in [32_768, 1] {
        let options = DeviceOptions { write_chunk, ..DeviceOptions::default() };
        let device = device("juniper_junos", options).await;
        for commands in [
            ["show version", "show nothing of it", "show version"],
            ["show nothing of it", "show version", "show version"],
        ] {
            let result = service.read(entry(&device, "junos"), &commands).await;
            for (index, command) in commands.iter().enumerate() {
                let one = &result["commands"][index];
                if command.contains("nothing") {
                    assert_eq!(one["error_code"], "cli_error", "{write_chunk} {result}");
                    let output = one["output"].as_str().unwrap();
                    assert!(output.trim_start().starts_with('^'), "{write_chunk} {result}");
                } else {
                    assert_eq!(one["output"], printed("juniper_junos", command), "{write_chunk}");
                }
            }
            assert!(result["duration_ms"].as_u64().unwrap() < 15_000, "{result}");
        }
        assert_eq!(device.clean_logouts(), 2);
    }
}

#[tokio::test]
async fn a_log_message_at_the_prompt_is_told_apart_and_costs_no_timeout() {
    let service = Service::start();
    for fault in [Fault::SyslogAtPrompt, Fault::SyslogEatsPrompt] {
        let device = faulty("cisco_ios", &[fault]).await;
        let result = service.read(entry(&device, "ios"), &["show clock", "show ip arp"]).await;
        assert_eq!(result["success"], true, "{fault:?}: {result}");
        for (index, command) in ["show clock", "show ip arp"].iter().enumerate() {
            let output = &result["commands"][index]["output"];
            assert_eq!(*output, printed("cisco_ios", command), "{fault:?}: {result}");
        }
        if fault == Fault::SyslogAtPrompt {
            let warnings = result["warnings"].to_string();
            assert!(warnings.contains("%SYS-5-CONFIG_I"), "{warnings}");
        }
        assert!(result["duration_ms"].as_u64().unwrap() < 15_000, "{result}");
        assert_eq!(device.clean_logouts(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_pager_that_cannot_be_switched_off_is_answered_and_leaves_no_trace() {
    let service = Service::start();
    for (os, persona, command) in [
        ("ios", "cisco_ios", "show running-config"),
        ("nxos", "cisco_nxos", "show running-config"),
        ("asa", "cisco_asa", "show running-config"),
        ("junos", "juniper_junos", "show configuration"),
        ("huawei_vrp", "huawei", "display current-configuration"),
        ("fortinet", "fortinet", "show system interface"),
        ("cisco_wlc", "cisco_wlc", "show sysinfo"),
        ("sros", "nokia_sros", "show router interface"),
    ] {
        for write_chunk in [32_768, 1] {
            let faults = vec![Fault::PagingOffRefused];
            let device =
                device(persona, DeviceOptions { faults, write_chunk, ..DeviceOptions::default() })
                    .await;
            let result = service.read(entry(&device, os), &[command, command]).await;
            for index in 0..2 {
                assert_eq!(
                    result["commands"][index]["output"],
                    printed(persona, command),
                    "{os} {write_chunk}"
                );
            }
            for (of, line) in [("ios", "terminal length 0"), ("sros", "environment no more")] {
                let warning = result["warnings"][0].as_str().unwrap_or_default();
                assert!(os != of || warning.contains(line), "{warning}");
            }
        }
    }
}

#[tokio::test]
async fn the_answer_has_the_predecessors_fields_in_its_order() {
    let service = Service::start();
    let device = faulty("cisco_ios", &[]).await;
    let body = json!({
        "devices": [entry(&device, "ios")],
        "commands": [
            {"command": "show version", "pipe_option": null, "pipe_value": null},
            {"command": "show ip interface brief", "pipe_option": "include", "pipe_value": "up"},
            {"command": "show nonsense"}
        ],
        "timeout": 30,
        "output_format": "raw"
    });
    let request = service.client.post(format!("{}/api/v1/execute", service.url));
    let answer = request.header("X-Request-ID", "ticket-42.a").json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["x-request-id"], "ticket-42.a");
    let text = answer.text().await.unwrap();
    let answer: Value = serde_json::from_str(&text).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        keys(&answer)[..4],
        ["results", "total_devices", "successful_devices", "failed_devices"]
    );
    let result = &answer["results"][0];
    assert_eq!(keys(result)[..4], ["hostname", "success", "commands", "error"]);
    let commands = result["commands"].as_array().unwrap();
    assert_eq!(
        keys(&commands[0])[..6],
        ["command", "output", "success", "parsed", "parse_error", "error"]
    );
    assert_eq!(answer["request_id"], "ticket-42.a");
    assert_eq!(commands[0]["parsed"], Value::Null);
    assert_eq!(commands[1]["command"], "show ip interface brief | include up");
    assert_eq!(commands[1]["filtered_by"], "device");
    assert_eq!(commands[2]["success"], false);
    assert_eq!(commands[2]["error_code"], "cli_error");
    assert!(
        commands[2]["error"].as_str().unwrap().contains("% Invalid input detected at '^' marker.")
    );
    // A device whose commands failed was still read.
    assert_eq!(result["success"], true);
    assert_eq!((&answer["successful_devices"], &answer["failed_devices"]), (&json!(1), &json!(0)));
    for phase in
        ["connect_ms", "handshake_ms", "authenticate_ms", "prompt_ms", "commands_ms", "logout_ms"]
    {
        assert!(result["timing"][phase].is_u64(), "{phase}: {result}");
    }
    assert!(result["host_key"]["fingerprint"].as_str().unwrap().starts_with("SHA256:"));
    assert_eq!(result["host_key"]["verified"], false);
}

#[tokio::test]
async fn empty_lists_are_answered_as_the_predecessor_did() {
    let service = Service::start();
    let (status, answer) = service.execute(&json!({"devices": [], "commands": []})).await;
    assert_eq!(status, 200);
    assert_eq!(answer["results"], json!([]));
    assert_eq!(answer["total_devices"], 0);
    let device = faulty("cisco_ios", &[]).await;
    let result = service.read(entry(&device, "ios"), &[]).await;
    assert_eq!((&result["success"], &result["commands"]), (&json!(true), &json!([])));
}

#[tokio::test]
async fn a_command_may_be_a_string_and_a_device_may_have_commands_of_its_own() {
    let service = Service::start();
    let (ios, junos) = (faulty("cisco_ios", &[]).await, faulty("juniper_junos", &[]).await);
    let body = json!({
        "devices": [
            entry(&ios, "cisco_ios"),
            with(entry(&junos, "juniper"), "commands", json!(["show interfaces terse"]))
        ],
        "commands": ["sh ver"]
    });
    let (status, answer) = service.execute(&body).await;
    assert_eq!(status, 200, "{answer}");
    let outputs =
        |index: usize| answer["results"][index]["commands"][0]["output"].as_str().unwrap();
    assert!(outputs(0).contains("C2960X"), "{}", outputs(0));
    assert!(outputs(1).contains("ge-0/0/0"), "{}", outputs(1));
}

#[tokio::test]
async fn enable_is_used_where_a_password_for_it_was_given_and_nowhere_else() {
    let service = Service::start();
    for platform in ["cisco_ios", "cisco_asa"] {
        let options = DeviceOptions {
            enable_password: Some("s3cret".to_owned()),
            ..DeviceOptions::default()
        };
        let device = device(platform, options).await;
        let plain = entry(&device, platform);
        let result = service.read(plain.clone(), &["show version"]).await;
        assert_eq!(
            result["success"], true,
            "{platform}: a user without enable is no error: {result}"
        );
        assert!(!device.received_lines().contains(&"enable".to_owned()));

        let result =
            service.read(with(plain.clone(), "enable_password", "s3cret"), &["show version"]).await;
        assert_eq!(result["success"], true, "{platform}: {result}");
        assert_eq!(result["commands"][0]["output"], printed(platform, "show version"));
        assert!(device.received_lines().contains(&"enable".to_owned()));

        let faults = vec![Fault::NoEcho];
        let enable_password = Some("s3cret".to_owned());
        let silent = self::device(
            platform,
            DeviceOptions { enable_password, faults, ..DeviceOptions::default() },
        )
        .await;
        let quiet = with(entry(&silent, platform), "enable_password", "s3cret");
        let result = service.read(quiet, &["show version"]).await;
        assert_eq!(
            result["commands"][0]["output"],
            printed(platform, "show version"),
            "{platform}: {result}"
        );

        let result = service.read(with(plain, "enable_password", "wrong"), &["show version"]).await;
        assert_eq!(result["error_code"], "enable_rejected", "{platform}: {result}");
        assert!(!service.log().contains("s3cret"), "a secret is in the log");
    }
}

#[tokio::test]
async fn a_login_uses_what_the_device_offers_and_is_tried_once() {
    let service = Service::start();
    for auth in [AuthKind::Password, AuthKind::KeyboardInteractive, AuthKind::Both] {
        let device = device("cisco_ios", DeviceOptions { auth, ..DeviceOptions::default() }).await;
        let result = service.read(entry(&device, "ios"), &["show version"]).await;
        assert_eq!(result["success"], true, "{auth:?}: {result}");
        let result =
            service.read(with(entry(&device, "ios"), "password", "wrong"), &["show version"]).await;
        assert_eq!(result["error_code"], "auth_rejected", "{auth:?}: {result}");
        assert_eq!((device.logins(), device.login_attempts()), (1, 2), "{auth:?}");
    }
    let device = device(
        "cisco_ios",
        DeviceOptions { auth: AuthKind::PublicKey, ..DeviceOptions::default() },
    )
    .await;
    let result = service.read(entry(&device, "ios"), &["show version"]).await;
    assert_eq!(result["error_code"], "auth_method_unsupported", "{result}");
}

#[tokio::test]
async fn every_name_of_a_platform_means_the_same() {
    let service = Service::start();
    let device = faulty("cisco_xe", &[]).await;
    for os in ["iosxe", "cisco_xe", "cisco_iosxe", "IOSXE", "cisco-xe"] {
        let result = service.read(entry(&device, os), &["show version"]).await;
        assert_eq!(result["success"], true, "{os}: {result}");
        assert_eq!(result["os"], os);
    }
}

#[tokio::test]
async fn a_long_output_comes_whole_and_one_over_the_limit_says_that_it_was_cut() {
    let service = Service::start_with(&[("SHOWRUNNER_MAX_OUTPUT_BYTES", "100000")]);
    let device = faulty("cisco_ios", &[]).await;
    let commands = ["show simulator lines 1000", "show simulator lines 20000", "show version"];
    let result = service.read(entry(&device, "ios"), &commands).await;
    let one = |index: usize| &result["commands"][index];
    assert_eq!(one(0)["output"].as_str().unwrap().lines().count(), 1000);
    assert_eq!((&one(0)["truncated"], &one(1)["truncated"]), (&json!(false), &json!(true)));
    assert!(one(1)["output"].as_str().unwrap().len() <= 100_000);
    assert_eq!(one(2)["output"], printed("cisco_ios", "show version"));
}

#[tokio::test]
async fn validate_says_what_would_be_sent_and_connects_to_nothing() {
    let service = Service::start();
    let device = faulty("cisco_ios", &[]).await;
    let body = json!({
        "devices": [entry(&device, "ios")],
        "commands": [{"command": "show version", "pipe_option": "include", "pipe_value": "uptime"}]
    });
    let (status, answer) = service.post("/api/v1/validate", &body).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["devices"][0]["platform"], "cisco_ios");
    assert_eq!(answer["devices"][0]["commands"][0]["line"], "show version | include uptime");
    assert_eq!((device.login_attempts(), device.most_open_sessions()), (0, 0));
}

#[tokio::test]
async fn the_service_tells_what_it_supports() {
    let service = Service::start();
    let get = async |path: &str| {
        let answer = service.client.get(format!("{}{path}", service.url)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, text) = get("/api/v1/platforms").await;
    let platforms: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(status, 200);
    assert!(platforms["total"].as_u64().unwrap() >= 54, "{platforms}");
    let (_, health) = get("/health").await;
    assert!(health.starts_with(r#"{"status":"healthy""#), "{health}");
    let (status, docs) = get("/docs/").await;
    assert!(status == 200 && docs.contains("swagger-ui"), "{docs}");
    let (_, openapi) = get("/openapi.json").await;
    let openapi: Value = serde_json::from_str(&openapi).unwrap();
    assert!(openapi["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(openapi["paths"]["/api/v1/execute"]["post"].is_object());
    for name in Persona::names() {
        assert!(text.contains(&format!("\"{name}\"")), "{name} is no platform");
    }
}

#[tokio::test]
async fn two_filters_on_a_device_that_takes_one_leave_what_both_leave() {
    let service = Service::start();
    let device = faulty("cisco_ios", &[]).await;
    let option = json!({
        "command": "show ip interface brief | include up", "pipe_option": "exclude", "pipe_value": "unassigned"
    });
    let inline = json!("show ip interface brief | include up | exclude unassigned");
    let body = json!({"devices": [entry(&device, "ios")], "commands": [inline, option]});
    let (_, answer) = service.execute(&body).await;
    for command in answer["results"][0]["commands"].as_array().unwrap() {
        assert_eq!(command["filtered_by"], "service", "{command}");
        let output = command["output"].as_str().unwrap();
        assert!(!output.is_empty(), "{command}");
        let both = |line: &str| line.contains("up") && !line.contains("unassigned");
        assert!(output.lines().all(both), "{output}");
    }
}

#[tokio::test]
async fn privilege_is_suspected_where_it_may_lack_and_not_where_a_line_lacks_its_end() {
    let service = Service::start();
    let device = faulty("cisco_ios", &[]).await;
    let result = service.read(entry(&device, "ios"), &["show ip", "show nothing"]).await;
    let error = |index: usize| result["commands"][index]["error"].as_str().unwrap().to_owned();
    assert!(error(0).contains("ncomplete") && !error(0).contains("privilege"), "{}", error(0));
    assert!(error(1).contains("privilege"), "{}", error(1));
}
