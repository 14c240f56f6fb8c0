//! Records: with templates of the operator's own, with the packed library, with the device's own JSON, and through
//! `/api/v1/parse` without any device.

use std::{fs, path::Path, time::Instant};

use serde_json::{Value, json};

use crate::support::{Service, entry, faulty, with};

const BRIEF: &str = r"Value Required INTERFACE (\S+)
Value IP_ADDRESS (\S+)
Value List STATE (\w+)

Start
 ^${INTERFACE}\s+${IP_ADDRESS}\s+YES\s+\S+\s+${STATE}.* -> Record
 ^Interface
 ^. -> Error
";

async fn parsers(service: &Service, query: &str) -> (u16, Value) {
    let url = format!("{}/api/v1/parsers{query}", service.url);
    let answer = service.client.get(url).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Whether the program was built with the library; says so if not.
async fn has_library(service: &Service) -> bool {
    let has = parsers(service, "").await.1["library"].is_object();
    if !has {
        assert!(std::env::var_os("REQUIRE_PEERS").is_none(), "run `make templates` first");
        eprintln!("SKIPPED: there is no template library in this build");
    }
    has
}

fn own_templates(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn start_with(folder: &Path) -> Service {
    Service::start_with(&[("SHOWRUNNER_TEMPLATES_DIR", folder.to_str().unwrap())])
}

#[tokio::test]
async fn an_output_that_was_complete_is_read_though_the_devices_time_ended_behind_it() {
    let folder = own_templates(&[("cisco_ios_show_ip_interface_brief.textfsm", BRIEF)]);
    let service = Service::start_with(&[
        ("SHOWRUNNER_TEMPLATES_DIR", folder.path().to_str().unwrap()),
        ("SHOWRUNNER_DEVICE_TOTAL_TIMEOUT", "1"),
    ]);
    let device = faulty("cisco_ios", &[]).await;
    let body = json!({
        "devices": [entry(&device, "ios")], "output_format": "parsed", "timeout": 60,
        "commands": ["show ip interface brief", "show simulator bytes 20000000000"],
    });
    let (_, answer) = service.execute(&body).await;
    let result = &answer["results"][0];
    assert_eq!(result["error_code"], "device_timeout", "{:.2000}", answer.to_string());
    let first = &result["commands"][0];
    assert_eq!((&first["success"], &first["parse_error"]), (&json!(true), &Value::Null), "{first}");
    assert!(first["parsed"].as_array().is_some_and(|records| !records.is_empty()), "{first}");
}

#[tokio::test]
async fn an_own_template_reads_records_and_the_raw_text_is_still_there() {
    let folder = own_templates(&[
        ("cisco_ios_show_ip_interface_brief.textfsm", BRIEF),
        ("cisco_ios_show_version.textfsm", "Value V (x)\n\nStart\n ^${V}y -> Record\n"),
        ("cisco_ios_show_clock.textfsm", "Value V (x)\n\nStart\n ^. -> Error \"no clock\"\n"),
        ("cisco_ios_show_broken.textfsm", "Value V (x)\n\nStart\n ^(\n"),
    ]);
    let service = start_with(folder.path());
    let device = faulty("cisco_ios", &[]).await;
    let body = json!({
        "devices": [entry(&device, "ios")], "output_format": "parsed",
        "commands": ["show ip interface brief", "sh ip int bri", "show version", "show clock", "show logging"],
    });
    let (status, answer) = service.execute(&body).await;
    assert_eq!(status, 200);
    let commands = &answer["results"][0]["commands"];
    assert_eq!(
        commands[0]["parser"],
        json!({
            "engine": "textfsm", "template": "cisco_ios_show_ip_interface_brief.textfsm", "match": "exact",
            "source": "own", "fallback": null
        })
    );
    let records = commands[0]["parsed"].as_array().unwrap();
    assert!(records.len() >= 2 && records[0]["state"].is_array(), "{records:?}");
    assert!(commands[0]["output"].as_str().unwrap().contains("Interface"));
    assert_eq!(commands[1]["parser"]["match"], "abbreviated");
    assert_eq!(commands[1]["parsed"], commands[0]["parsed"]);
    let error = |index: usize| commands[index]["parse_error"].as_str().unwrap();
    assert!(error(2).starts_with("Parser found no records in "), "{}", error(2));
    assert!(
        error(3).contains("line 1 of the output") && error(3).contains("no clock"),
        "{}",
        error(3)
    );
    for index in 2..4 {
        assert_eq!(
            (&commands[index]["success"], &commands[index]["parsed"]),
            (&json!(true), &Value::Null)
        );
        assert_ne!(commands[index]["output"], "");
    }
    let (_, listed) = parsers(&service, "?os=cisco_ios").await;
    assert_eq!(listed["own_templates"], 3);
    assert_eq!(listed["broken_templates"][0]["file"], "cisco_ios_show_broken.textfsm");
    assert!(listed["broken_templates"][0]["error"].as_str().unwrap().starts_with("line 4:"));
    let own: Vec<_> =
        listed["parsers"].as_array().unwrap().iter().filter(|one| one["source"] == "own").collect();
    let brief = own.iter().find(|one| one["command"] == "show ip interface brief").unwrap();
    assert_eq!(brief["fields"][2], json!({"name": "state", "type": "list"}));
    assert!(service.log().contains("own template is broken"), "{}", service.log());
}

#[tokio::test]
async fn a_filtered_output_is_parsed_only_if_that_is_asked_for() {
    let folder = own_templates(&[("cisco_ios_show_ip_interface_brief.textfsm", BRIEF)]);
    let service = start_with(folder.path());
    let device = faulty("cisco_ios", &[]).await;
    let body = json!({
        "devices": [entry(&device, "ios")], "output_format": "parsed",
        "commands": ["show ip interface brief", "show ip interface brief | include up"],
    });
    let commands = |answer: Value| answer["results"][0]["commands"].clone();
    let device_filtered = commands(service.execute(&body).await.1);
    assert_eq!(device_filtered[1]["filtered_by"], "device");
    assert_eq!(device_filtered[1]["parsed"], Value::Null);
    let error = device_filtered[1]["parse_error"].as_str().unwrap();
    assert!(error.starts_with("Parser not run: the device filtered the output;"), "{error}");
    let all = device_filtered[0]["parsed"].as_array().unwrap().len();

    let anyhow = commands(service.execute(&with(body.clone(), "parse_filtered", true)).await.1);
    let some = anyhow[1]["parsed"].as_array().unwrap().len();
    assert!(some > 0 && some < all, "{anyhow}");

    let here = commands(service.execute(&with(body.clone(), "filter_where", "service")).await.1);
    assert_eq!(here[1]["filtered_by"], "service");
    assert_eq!(
        here[1]["output"], device_filtered[1]["output"],
        "the text is filtered all the same"
    );
    assert_eq!(here[1]["parsed"].as_array().unwrap().len(), all, "and parsed whole");

    let (status, refused) =
        service.execute(&with(with(body, "filter_where", "moon"), "parse_filtered", "yes")).await;
    assert_eq!(status, 422);
    assert_eq!(refused["detail"][0]["msg"], "Input should be 'device' or 'service'");
    assert_eq!(refused["detail"][1]["type"], "bool_type");
}

#[tokio::test]
async fn the_devices_own_json_is_asked_for_and_given_as_records() {
    let service = Service::start();
    for (platform, os, line, field, want) in [
        ("arista_eos", "eos", "show version | json", "/version", "4.30.1F"),
        ("cisco_nxos", "nxos", "show version | json", "/nxos_ver_str", "10.2(5)"),
        (
            "juniper_junos",
            "junos",
            "show version | display json",
            "/software-information/0/junos-version/0/data",
            "21.4R3-S2.4",
        ),
    ] {
        let device = faulty(platform, &[]).await;
        let body = json!({
            "devices": [entry(&device, os)], "commands": ["show version", line], "output_format": "native"
        });
        let (_, answer) = service.execute(&body).await;
        for command in answer["results"][0]["commands"].as_array().unwrap() {
            assert_eq!(command["parser"]["engine"], "native", "{command}");
            assert_eq!(command["parsed"].pointer(field), Some(&json!(want)), "{command}");
        }
        let (_, checked) = service.post("/api/v1/validate", &body).await;
        assert_eq!(checked["devices"][0]["commands"][0]["line"], line);
    }
    let frr = faulty("frr", &[]).await;
    let body = json!({
        "devices": [entry(&frr, "frr")], "output_format": "native",
        "commands": ["show bgp summary", "show bgp summary json"],
    });
    let (_, checked) = service.post("/api/v1/validate", &body).await;
    for command in checked["devices"][0]["commands"].as_array().unwrap() {
        assert_eq!(command["line"], "show bgp summary json");
    }
    // A platform without JSON: configurations become a tree, all else says why not.
    let device = faulty("cisco_ios", &[]).await;
    let body = json!({
        "devices": [entry(&device, "ios")], "commands": ["show running-config", "show clock"], "output_format": "native"
    });
    let (_, answer) = service.execute(&body).await;
    let commands = &answer["results"][0]["commands"];
    assert_eq!(commands[0]["parser"]["engine"], "config_tree");
    let tree = commands[0]["parsed"].as_array().unwrap();
    assert!(
        tree.iter().any(|section| section["line"].as_str().unwrap().starts_with("interface ")
            && !section["children"].as_array().unwrap().is_empty()),
        "{tree:?}"
    );
    assert!(commands[1]["parse_error"].as_str().unwrap().contains("prints no structured output"));
    let filtered = json!({
        "devices": [entry(&device, "ios")], "commands": ["show running-config | section interface"], "output_format": "native"
    });
    let (_, answer) = service.execute(&filtered).await;
    let error = answer["results"][0]["commands"][0]["parse_error"].as_str().unwrap();
    assert!(error.starts_with("Parser not run: the device filtered the output;"), "{error}");
    // The pager's filter is none; any other keeps the JSON from being asked for.
    let device = faulty("arista_eos", &[]).await;
    let body = json!({
        "devices": [entry(&device, "eos")], "commands": ["show version | no-more", "show version | include Arista"],
        "output_format": "native", "filter_where": "service"
    });
    let (_, answer) = service.execute(&body).await;
    let commands = &answer["results"][0]["commands"];
    assert_eq!(commands[0]["parsed"]["version"], "4.30.1F", "{commands}");
    let error = commands[1]["parse_error"].as_str().unwrap();
    assert!(error.contains("only without filters"), "{error}");
}

#[tokio::test]
async fn validate_names_the_parser_that_execute_uses() {
    let folder = own_templates(&[("cisco_ios_show_ip_interface_brief.textfsm", BRIEF)]);
    let service = start_with(folder.path());
    let (ios, nxos) = (faulty("cisco_ios", &[]).await, faulty("cisco_nxos", &[]).await);
    let on_both = [
        "show ip interface brief",
        "show ip interface brief | include up",
        "show running-config",
        "show running-config | section interface",
        "show clock",
    ];
    let on_nxos = [&on_both[..], &["show version | json"]].concat();
    let cases = (0..16).map(|bits: u8| [0, 1, 2, 3].map(|bit| bits >> bit & 1 == 1));
    for [is_nxos, native, by_service, parse_filtered] in cases {
        let (device, os) = if is_nxos { (&nxos, "nxos") } else { (&ios, "ios") };
        let commands = if is_nxos { &on_nxos[..] } else { &on_both };
        let body = json!({
            "devices": [entry(device, os)], "commands": commands,
            "output_format": if native { "native" } else { "parsed" },
            "filter_where": if by_service { "service" } else { "device" },
            "parse_filtered": parse_filtered,
        });
        let (_, answer) = service.execute(&body).await;
        let (_, checked) = service.post("/api/v1/validate", &body).await;
        for index in 0..commands.len() {
            let ran = &answer["results"][0]["commands"][index];
            let said = &checked["devices"][0]["commands"][index];
            if ran["success"] != false {
                let (ran_by, said_by) = (&ran["parser"]["engine"], &said["parser"]["engine"]);
                assert_eq!(ran_by, said_by, "{body}: {ran} {said}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_kept_to_be_parsed_counts_among_what_a_request_may_hold() {
    let service = Service::start_with(&[("SHOWRUNNER_MAX_REQUEST_OUTPUT_BYTES", "2097152")]);
    let device = faulty("cisco_ios", &[]).await;
    let one = json!({"command": "show simulator bytes 900000", "pipe_option": "include", "pipe_value": "nothing"});
    let body = json!({
        "devices": [entry(&device, "ios")], "commands": [one, one, one, one],
        "output_format": "parsed", "filter_where": "service",
    });
    let (_, answer) = service.execute(&body).await;
    let said = |index: usize| {
        let command = &answer["results"][0]["commands"][index];
        assert_eq!((&command["success"], &command["truncated"]), (&json!(true), &json!(false)));
        command["parse_error"].as_str().unwrap().to_owned()
    };
    for index in 0..2 {
        assert!(said(index).starts_with("Parser not available"), "{}", said(index));
    }
    for index in 2..4 {
        let want = "Parser not run: the output before its filter has more bytes";
        assert!(said(index).starts_with(want), "{}", said(index));
    }
}

#[tokio::test]
async fn streamed_commands_have_their_records_too() {
    let folder = own_templates(&[("cisco_ios_show_ip_interface_brief.textfsm", BRIEF)]);
    let service = start_with(folder.path());
    let device = faulty("cisco_ios", &[]).await;
    let body = json!({
        "devices": [entry(&device, "ios")], "output_format": "parsed", "commands": ["show ip interface brief"],
    });
    for granularity in ["device", "command"] {
        let answer = service
            .client
            .post(format!("{}/api/v1/execute?granularity={granularity}", service.url))
            .header("Accept", "application/x-ndjson")
            .json(&body)
            .send()
            .await
            .unwrap();
        let text = answer.text().await.unwrap();
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let command = if granularity == "command" { &lines[0] } else { &lines[0]["commands"][0] };
        assert!(!command["parsed"].as_array().unwrap().is_empty(), "{text}");
    }
}

#[tokio::test]
async fn what_a_device_printed_for_programs_is_no_configuration() {
    let service = Service::start();
    let parse = async |command: &str, output: &str| {
        let body = json!({"os": "junos", "command": command, "output": output});
        let (status, answer) = service.post("/api/v1/parse", &body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    };
    let answer = parse("show configuration | display json", "{\"system\": {\"x\": 1}}\n").await;
    assert_eq!(answer["parsed"], json!({"system": {"x": 1}}), "{answer}");
    assert_eq!(answer["parser"]["engine"], "native");
    let xml = "<rpc-reply>\n  <configuration/>\n</rpc-reply>\n";
    for command in
        ["show configuration | display xml", "show configuration | display xml | no-more"]
    {
        let answer = parse(command, xml).await;
        assert_eq!(answer["parsed"], Value::Null, "{answer}");
        let error = answer["parse_error"].as_str().unwrap();
        assert!(error.starts_with("Parser not run: the device's answer is XML"), "{answer}");
    }
    let answer = parse("show configuration \n", "system {\n    host-name r1;\n}\n").await;
    assert_eq!(answer["parser"]["engine"], "config_tree", "{answer}");
    let device = faulty("juniper_junos", &[]).await;
    for format in ["parsed", "native"] {
        let body = json!({
            "devices": [entry(&device, "junos")], "output_format": format,
            "commands": ["show configuration | display xml"],
        });
        let (_, answer) = service.execute(&body).await;
        let command = &answer["results"][0]["commands"][0];
        assert_eq!(command["parsed"], Value::Null, "{answer}");
        let error = command["parse_error"].as_str().unwrap();
        assert!(error.starts_with("Parser not run: the device's answer is XML"), "{answer}");
    }
}

#[tokio::test]
async fn an_output_is_parsed_without_a_device() {
    let folder = own_templates(&[
        (
            "index",
            "Template, Hostname, Platform, Command\nbrief.textfsm, .*, acme_os|ios, sh[[ow]] ip int[[erface]] br[[ief]]\n",
        ),
        ("brief.textfsm", BRIEF),
    ]);
    let service = start_with(folder.path());
    let output = "Interface IP-Address OK? Method Status\nGi0/1 192.0.2.1 YES NVRAM up up\nGi0/2 unassigned YES NVRAM down down\n";
    let records = json!([
        {"interface": "Gi0/1", "ip_address": "192.0.2.1", "state": ["up"]},
        {"interface": "Gi0/2", "ip_address": "unassigned", "state": ["down"]}
    ]);
    for (os, command) in [
        ("acme_os", "show ip interface brief"),
        ("ios", "sh ip int br"),
        ("ios", "show ip interface brief | no-more"),
        ("cisco_ios", "show ip interface brief Gi0/1"),
    ] {
        let body = json!({"os": os, "command": command, "output": output});
        let (status, answer) = service.post("/api/v1/parse", &body).await;
        assert_eq!((status, &answer["parsed"]), (200, &records), "{os} {command}: {answer}");
        assert_eq!(answer["parse_error"], Value::Null);
        assert!(answer.get("explanation").is_none());
        assert_eq!(answer["request_id"].as_str().unwrap().len(), 36);
    }
    let filtered =
        json!({"os": "ios", "command": "show ip interface brief | include up", "output": output});
    let (_, answer) = service.post("/api/v1/parse", &filtered).await;
    let error = answer["parse_error"].as_str().unwrap();
    assert!(error.starts_with("Parser not run: the output was filtered;"), "{answer}");
    let body = json!({"template": BRIEF, "output": output, "explain": true});
    let (_, answer) = service.post("/api/v1/parse", &body).await;
    assert_eq!(answer["parsed"], records);
    assert_eq!(answer["parser"]["source"], "request");
    assert_eq!(
        answer["explanation"][1],
        json!({"line": 2, "state": "Start", "rule": 6, "template": "request"})
    );
}

#[tokio::test]
async fn wrong_questions_about_parsing_are_answered_with_every_fault() {
    let service = Service::start();
    let fault = |answer: &Value, index: usize| {
        let fault = &answer["detail"][index];
        (fault["loc"].clone(), fault["msg"].as_str().unwrap_or_default().to_owned())
    };
    let (status, answer) =
        service.post("/api/v1/parse", &json!({"os": "nope", "explain": 1, "outptu": ""})).await;
    assert_eq!(status, 422);
    assert!(
        fault(&answer, 0).1.starts_with("Input should be the name of a known platform"),
        "{answer}"
    );
    assert_eq!(fault(&answer, 1), (json!(["body", "command"]), "Field required".to_owned()));
    assert_eq!(fault(&answer, 2), (json!(["body", "output"]), "Field required".to_owned()));
    assert_eq!(fault(&answer, 3).1, "Input should be true or false");
    assert!(fault(&answer, 4).1.contains("did you mean `output`"), "{answer}");
    let body = json!({"template": "Value A (x)\n\nStart\n ^${B}\n", "output": "x"});
    let (status, answer) = service.post("/api/v1/parse", &body).await;
    assert_eq!(status, 422);
    assert_eq!(
        fault(&answer, 0),
        (json!(["body", "template"]), "Value error, line 4: there is no value `B`".to_owned())
    );
    let body = json!({"template": "x".repeat(70_000), "output": "x"});
    let (_, answer) = service.post("/api/v1/parse", &body).await;
    assert_eq!(fault(&answer, 0).1, "Value error, At most 65536 bytes make a template");
    assert_eq!(parsers(&service, "?os=nope").await.0, 422);
    assert_eq!(parsers(&service, "?so=ios").await.0, 422);
    assert_eq!(service.post("/api/v1/parsers", &json!({})).await.0, 405);
}

/// What would hang or swell a careless parser is bounded, has a name, and holds nobody up.
#[tokio::test]
async fn hostile_outputs_and_templates_are_bounded_and_hold_nobody_up() {
    let service = Service::start_with(&[("SHOWRUNNER_MAX_BODY_BYTES", "67108864")]);
    let megabytes = 5 << 20;
    let plain = "Value A (\\S+)\n\nStart\n ^\\s*$$\n ^${A} -> Record\n";
    let looks = "Value A (a)\n\nStart\n ^((a+)\\2?)+(?!x);${A}\n";
    let large = "Value A (a)\n\nStart\n ^((x{400}){400}){400}${A}\n";
    let wide = "Value A (a)\n\nStart\n ^(?:(?:[ab]?){400}){100}c${A}\n";
    let nested = "Value A (a)\n\nStart\n ^(?:(?=.*x)a)*b${A}\n";
    let lists = "Value List,Filldown A (\\S+)\n\nStart\n ^${A} -> Record\n";
    for (template, output, want) in [
        (plain, " ".repeat(megabytes), "has more than 262144 bytes"),
        (plain, "x".repeat(megabytes), "has more than 262144 bytes"),
        (plain, "\n".repeat(megabytes), ""),
        (plain, " \n".repeat(megabytes / 2), ""),
        (plain, "x\n".repeat(megabytes / 2), "limit: more than 1000000 records"),
        (plain, "x".repeat(17 << 20), "has more than 16777216 bytes"),
        (looks, "a".repeat(60), "gave up on line 1"),
        (large, "x".to_owned(), "is too large"),
        (wide, "ab".repeat(3_000), "too long for the rule in line 4"),
        (nested, "a".repeat(200_000) + "x", "not done in time"),
        (lists, "x\n".repeat(200_000), "limit: records of more than 67108864 bytes"),
        (plain, "\u{0}\u{1b}[0m\u{fffd}\n".to_owned(), ""),
    ] {
        let asked = service.client.post(format!("{}/api/v1/parse", service.url));
        let asked = asked.json(&json!({"template": template, "output": output})).send();
        let asked = tokio::spawn(asked);
        let slowest = async {
            let mut slowest = std::time::Duration::ZERO;
            while !asked.is_finished() {
                let started = Instant::now();
                service.health().await;
                slowest = slowest.max(started.elapsed());
            }
            slowest
        }
        .await;
        assert!(slowest.as_secs() < 5, "health took {slowest:?}");
        let answer: Value = asked.await.unwrap().unwrap().json().await.unwrap();
        let error = answer["parse_error"].as_str().unwrap_or_default();
        // A build that is not optimised may run out of time first.
        assert!(error.contains(want) || error.contains("not done in time"), "{want}: {error}");
        assert_eq!(error.is_empty(), answer["parsed"].is_array());
    }
}

#[tokio::test]
async fn the_library_reads_what_the_simulated_devices_print() {
    let service = Service::start();
    if !has_library(&service).await {
        return;
    }
    let (_, all) = parsers(&service, "").await;
    assert!(all["library"]["templates"].as_u64().unwrap() > 900);
    let platforms = all["platforms"].as_array().unwrap();
    assert!(platforms.len() > 50);
    for platform in platforms {
        let os = platform["os"].as_str().unwrap();
        let (status, listed) = parsers(&service, &format!("?os={os}")).await;
        assert_eq!(
            (status, listed["parsers"].as_array().map(Vec::is_empty)),
            (200, Some(false)),
            "{os}"
        );
    }
    let (_, listed) = parsers(&service, "?os=iosxe").await;
    let version = listed["parsers"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["command"] == "show version")
        .unwrap();
    assert!(
        version["fields"].as_array().unwrap().contains(&json!({"name": "serial", "type": "list"}))
    );
    for (platform, os, command, field, want) in [
        ("cisco_ios", "ios", "show version", "version", json!("15.2(7)E4")),
        ("cisco_ios", "ios", "sh ip int br", "interface", Value::Null),
        ("cisco_xe", "iosxe", "show ip interface brief", "interface", Value::Null),
        ("arista_eos", "eos", "show version", "image", json!("4.30.1F")),
        ("cisco_nxos", "nxos", "show version", "os", json!("10.2(5)")),
        ("juniper_junos", "junos", "show version", "junos_version", json!("21.4R3-S2.4")),
    ] {
        let device = faulty(platform, &[]).await;
        let body = json!({"devices": [entry(&device, os)], "commands": [command], "output_format": "parsed"});
        let (_, answer) = service.execute(&body).await;
        let command = &answer["results"][0]["commands"][0];
        assert_eq!(command["parser"]["source"], "library", "{command}");
        let found = &command["parsed"][0][field];
        assert!(if want.is_null() { found.is_string() } else { *found == want }, "{command}");
    }
    // Never by a beginning of the command only.
    let device = faulty("cisco_ios", &[]).await;
    let body = json!({"devices": [entry(&device, "ios")], "commands": ["show logging", "show ip route summary"], "output_format": "parsed"});
    let (_, checked) = service.post("/api/v1/validate", &body).await;
    let templates: Vec<_> = checked["devices"][0]["commands"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["parser"]["template"].clone())
        .collect();
    assert_eq!(
        templates,
        [json!("cisco_ios_show_logging.textfsm"), json!("cisco_ios_show_ip_route_summary.textfsm")]
    );
}

/// Recorded outputs with expected records, where they are there.
#[tokio::test]
async fn every_recorded_output_gives_its_records_over_http() {
    let Some(data) = std::env::var_os("CONFORMANCE_DATA") else {
        eprintln!("SKIPPED: conformance with recorded outputs (CONFORMANCE_DATA is not set)");
        return;
    };
    let service = Service::start();
    if !has_library(&service).await {
        return;
    }
    let mut wrong = Vec::new();
    let mut cases = 0;
    for (os, command, raw, expected) in recorded(&Path::new(&data).join("corpus")) {
        let output = String::from_utf8_lossy(&fs::read(&raw).unwrap()).into_owned();
        let (status, answer) = service
            .post("/api/v1/parse", &json!({"os": os, "command": command, "output": output}))
            .await;
        cases += 1;
        // No records where there is text are said to be none, never an empty success.
        let none = expected.as_array().unwrap().is_empty()
            && answer["parsed"].is_null()
            && answer["parse_error"]
                .as_str()
                .is_some_and(|error| error.starts_with("Parser found no records"));
        if status != 200 || !(none || answer["parsed"] == expected) {
            wrong.push(raw);
        }
    }
    assert!(cases > 900, "{cases}");
    // The expected records of this one are of later templates than the library's: Python says the same as we do.
    wrong.retain(|raw| !raw.ends_with("arista_eos/show_inventory/arista_eos_show_inventory1.raw"));
    assert!(wrong.is_empty(), "{} of {cases}: {wrong:#?}", wrong.len());
}

/// Platform, command, file, records.
fn recorded(corpus: &Path) -> Vec<(String, String, std::path::PathBuf, Value)> {
    let folders = |folder: &Path| {
        let mut found: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        found.sort();
        found
    };
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut cases = Vec::new();
    for platform in folders(corpus).iter().filter(|path| path.is_dir()) {
        for command in folders(platform) {
            for raw in folders(&command)
                .iter()
                .filter(|path| path.extension().is_some_and(|kind| kind == "raw"))
            {
                let expected = fs::read_to_string(raw.with_extension("yml")).unwrap();
                let expected: Value = serde_yaml_ng::from_str(&expected).unwrap();
                cases.push((
                    name(platform),
                    name(&command).replace('_', " "),
                    raw.clone(),
                    expected["parsed_sample"].clone(),
                ));
            }
        }
    }
    cases
}
