//! `showrunner run` and its kin: the service's work without a service.

use std::{
    fs,
    io::Write as _,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use showrunner::codes;

use crate::support::{Demo, bare, good, is_here, script, skip, text};

impl Demo {
    /// Runs on the device whose documented port is `port`, with its password in the environment.
    fn run(&self, port: u16, os: &str, arguments: &[&str]) -> Output {
        let port = (self.first_port + port - 2201).to_string();
        let mut command = bare();
        command.args(["run", "--host", "127.0.0.1", "--user", "demo", "--port", &port, "--os", os]);
        command.env("DEVICE_PASSWORD", "demo").args(arguments).output().unwrap()
    }
}

fn with_input(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn run_reads_a_device_and_its_exit_code_says_what_came_of_it() {
    let demo = Demo::start();
    let read = demo.run(2201, "ios", &["show version | include uptime"]);
    let printed = good(&read);
    assert!(printed.contains("(ios)  show version | include uptime\nedge1 uptime is"), "{printed}");
    assert!(text(&read.stderr).starts_with("1 of 1 devices read in "));
    for (port, os, arguments, code, want) in [
        (2201, "ios", vec!["reload"], 2, "rule read_verb"),
        (
            2201,
            "ios",
            vec!["show version", "configure terminal"],
            2,
            "showrunner: command 2: Cisco IOS: Only read commands are allowed",
        ),
        (2201, "ios", vec!["show", "version"], 2, "in quotes: \"show version\"\n"),
        (
            2201,
            "iso",
            vec!["show version"],
            2,
            "device 1, os: Input should be the name of a known platform; nearest known: ",
        ),
        (2201, "ios", vec![], 2, "no command is given"),
        (
            2201,
            "ios",
            vec!["--host", "demo@127.0.0.1:22", "show clock"],
            2,
            "device 2, hostname: Invalid",
        ),
        (2201, "ios", vec!["show clock; show version"], 2, "give each command as one of its own"),
        (2201, "ios", vec!["show nonsense"], 3, "[cli_error]"),
        (
            2201,
            "ios",
            vec!["show nonsense"],
            3,
            "what to do about it: showrunner explain cli_error\n",
        ),
        (2201, "ios", vec!["--timeout", "1000", "show version"], 2, "Timeout must be between"),
        (1, "ios", vec!["show version"], 3, "[connection_refused]"),
    ] {
        let answer = if port == 1 {
            let mut command = bare();
            let device =
                ["run", "--host", "127.0.0.1", "--port", "1", "--user", "demo", "--os", os];
            command.args(device).args(&arguments).env("DEVICE_PASSWORD", "demo").output().unwrap()
        } else {
            demo.run(port, os, &arguments)
        };
        let said = text(&answer.stdout) + &text(&answer.stderr);
        assert_eq!(answer.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(want), "{arguments:?}: {said}");
    }
    let refused = demo.run(2201, "ios", &["--targets-deny", "127.0.0.0/8", "show version"]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(
        text(&refused.stdout).contains("[target_refused]"),
        "the settings' lists hold here too"
    );
}

#[test]
fn what_the_demo_prints_can_be_pasted() {
    const NAME: &str = "what_the_demo_prints_can_be_pasted";
    if !is_here("bash") || !is_here("curl") {
        return skip(NAME, "no bash with curl");
    }
    let demo = Demo::start();
    let paste = |from: &str, to: &str| {
        let (_, text) = demo.greeting.split_once(from).unwrap();
        let text = format!("{from}{}{to}", text.split_once(to).unwrap().0);
        good(&Command::new("bash").args(["-euo", "pipefail", "-c", &text]).output().unwrap())
    };
    let answer: Value = serde_json::from_str(&paste("curl ", "\n}'")).unwrap();
    assert_eq!((&answer["total_devices"], &answer["failed_devices"]), (&2.into(), &0.into()));
    assert!(paste("DEVICE_PASSWORD=", "\n").contains("\nedge1 uptime is"));
}

#[test]
fn run_prints_the_same_in_every_form() {
    let demo = Demo::start();
    let forms = |form: &str| {
        good(&demo.run(2201, "ios", &["--parsed", "--output", form, "show ip interface brief"]))
    };
    let whole: Value = serde_json::from_str(&forms("json")).unwrap();
    let records = whole["results"][0]["commands"][0]["parsed"].as_array().unwrap().clone();
    assert!(records.len() > 2 && records[0]["interface"].is_string(), "{whole}");
    let lines: Vec<Value> =
        forms("ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["commands"][0]["parsed"], whole["results"][0]["commands"][0]["parsed"]);
    assert_eq!((&lines[1]["type"], &lines[1]["total_devices"]), (&"summary".into(), &1.into()));
    let sheet = forms("csv");
    let mut sheet = csv::Reader::from_reader(sheet.as_bytes());
    let at = sheet.headers().unwrap().iter().position(|name| name == "interface").unwrap();
    let cells: Vec<String> = sheet.records().map(|row| row.unwrap()[at].to_owned()).collect();
    let names: Vec<&str> =
        records.iter().map(|record| record["interface"].as_str().unwrap()).collect();
    assert_eq!(cells, names);
    let table = forms("table");
    assert!(
        table.contains("INTERFACE") && names.iter().all(|name| table.contains(name)),
        "{table}"
    );
    let raw = good(&demo.run(2201, "ios", &["--output", "csv", "show clock"]));
    assert!(raw.starts_with("hostname,port,os,command,error_code,error,output\n"), "{raw}");
    // One text among records is not left out.
    let commands = ["show version | include uptime", "show ip interface brief"];
    let both = demo.run(2201, "ios", &[&["--parsed", "--output", "csv"], &commands[..]].concat());
    let both = good(&both);
    let mut sheet = csv::Reader::from_reader(both.as_bytes());
    assert_eq!(sheet.headers().unwrap().iter().nth(6), Some("output"));
    let texts: Vec<bool> =
        sheet.records().map(|row| row.unwrap()[6].contains("edge1 uptime is")).collect();
    assert_eq!((texts.len(), texts[0], texts[1]), (1 + records.len(), true, false));
}

#[test]
fn devices_come_from_csv_and_yaml() {
    let demo = Demo::start();
    let folder = tempfile::tempdir().unwrap();
    let csv = "hostname,port,os,username,password,commands\n127.0.0.1,2201,ios,demo,demo,\n127.0.0.1,2206,eos,,,show version\n";
    let yaml = "devices:\n  - {hostname: 127.0.0.1, port: 2201, os: ios, username: demo}\n  - {hostname: 127.0.0.1, port: 2206, os: eos, commands: [show version]}\ncommands: [show clock]\n";
    for (name, list) in [("lab.csv", csv), ("lab.yaml", yaml)] {
        let path = folder.path().join(name);
        fs::write(&path, demo.meant(list)).unwrap();
        let mut command = bare();
        command.args([
            "run",
            "--user",
            "demo",
            "--output",
            "json",
            "--password-file",
            "-",
            "--devices",
        ]);
        command.arg(&path);
        if name == "lab.csv" {
            command.arg("show clock");
        }
        let answer = good(&with_input(&mut command, "\u{feff}demo\r\n"));
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["successful_devices"], 2, "{name}: {answer}");
        let commands = |index: usize| answer["results"][index]["commands"][0]["command"].clone();
        assert_eq!((commands(0), commands(1)), ("show clock".into(), "show version".into()));
    }
}

#[test]
fn a_password_is_asked_for_at_the_terminal_and_never_shown() {
    const NAME: &str = "a_password_is_asked_for_at_the_terminal_and_never_shown";
    if !is_here("python3") {
        return skip(NAME, "no python3");
    }
    let demo = Demo::start();
    let port = demo.first_port.to_string();
    let typing = |keys: &str| {
        let mut command = Command::new("python3");
        command.arg(script("prompt.py"));
        command.args([
            env!("CARGO_BIN_EXE_showrunner"),
            "run",
            "--os",
            "ios",
            "--host",
            "127.0.0.1",
        ]);
        command.args(["--port", &port, "--user", "demo", "show version | include uptime"]);
        command.env_remove("DEVICE_PASSWORD").env("TYPED", keys).output().unwrap()
    };
    let printed = good(&typing("demx\u{7f}o\n"));
    let (asked, rest) = printed.split_once("Password: ").unwrap();
    assert_eq!(asked, "");
    assert!(!rest.contains("demo") && rest.contains("edge1 uptime is"), "{printed}");
    let given_up = typing("dem\u{3}");
    assert_eq!(given_up.status.code(), Some(2));
    assert!(text(&given_up.stdout).contains("given up"), "{}", text(&given_up.stdout));
}

#[test]
fn no_argument_takes_a_secret() {
    for of in ["run", "validate"] {
        let help = good(&bare().args([of, "-h"]).output().unwrap());
        assert!(!help.contains("--password ") && !help.contains("--enable-password"), "{help}");
        let refused = bare().args([of, "--password", "hunter2"]).output().unwrap();
        assert_eq!(refused.status.code(), Some(2));
    }
    let answer = bare()
        .args(["run", "--host", "127.0.0.1", "--user", "x", "--os", "ios", "show version"])
        .env("DEVICE_PASSWORD", "hunter2\n")
        .output()
        .unwrap();
    assert_eq!(answer.status.code(), Some(2));
    assert!(!(text(&answer.stdout) + &text(&answer.stderr)).contains("hunter2"));
}

#[test]
fn run_logs_in_with_a_credential_set_of_the_settings() {
    let demo = Demo::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials.toml");
    let set = format!(
        "[[credential]]\nname = \"demo\"\nusername = \"demo\"\npassword_env = \"LAB_PASSWORD\"\n\
         targets = [\"127.0.0.0/8\"]\nports = [{}]\nkeys = [\"nobody\"]\nhost_keys = \"any\"\n",
        demo.first_port
    );
    fs::write(&file, set).unwrap();
    let with_set = |name: &str, more: &[&str]| {
        let port = demo.first_port.to_string();
        let mut command = bare();
        command.args(["run", "--host", "127.0.0.1", "--port", &port, "--os", "ios"]);
        command.arg("--credentials-file").arg(&file).args(["--credential", name]);
        command.env("LAB_PASSWORD", "demo").args(more).arg("show version").output().unwrap()
    };
    assert!(good(&with_set("demo", &[])).contains("Cisco IOS"));
    let unknown = with_set("lab", &[]);
    assert_eq!(unknown.status.code(), Some(2));
    let said = text(&unknown.stdout) + &text(&unknown.stderr);
    assert!(said.contains("device 1, credential: "), "{said}");
    assert_eq!(with_set("demo", &["--user", "x"]).status.code(), Some(2));
}

#[test]
fn a_certificate_goes_with_its_private_key() {
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = (folder.path().join("id"), folder.path().join("id-cert.pub"));
    for path in [&key, &certificate] {
        fs::write(path, "ssh-ed25519 AAAA").unwrap();
    }
    let validate = |more: &[&str]| {
        let mut command = bare();
        command.args(["validate", "--host", "192.0.2.1", "--user", "x", "--os", "ios"]);
        command.arg("--certificate").arg(&certificate).args(more).arg("show version");
        command.output().unwrap()
    };
    let refused = validate(&["--private-key", key.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2));
    let said = text(&refused.stdout) + &text(&refused.stderr);
    assert!(said.contains("device 1, certificate: ") && said.contains("public key"), "{said}");
    assert_eq!(validate(&[]).status.code(), Some(2));
}

#[test]
fn validate_says_what_would_be_sent_and_needs_no_password() {
    let arguments = ["validate", "--host", "192.0.2.1", "--user", "x", "--os", "junos"];
    let mut command = bare();
    let lines =
        command.args(arguments).arg("show interfaces terse | include lo0").output().unwrap();
    let printed = good(&lines);
    assert!(printed.starts_with("192.0.2.1:22 (Juniper Junos"), "{printed}");
    assert!(printed.contains("\n  show interfaces terse | match lo0\n"), "{printed}");
    let refused = bare().args(arguments).arg("request system reboot").output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let bare_host = bare().args(["validate", "--host", "r1", "show version"]).output().unwrap();
    let said = text(&bare_host.stderr);
    let want = "showrunner: device 1, no user is named: give --user\n\
                device 1, no platform is named: give --os (`showrunner platforms` lists them)\n";
    assert_eq!((bare_host.status.code(), said.as_str()), (Some(2), want));
}

#[test]
fn parse_reads_a_file_and_standard_input() {
    let output = "Interface              IP-Address      OK? Method Status                Protocol\nGigabitEthernet0/0     192.0.2.1       YES NVRAM  up                    up\n";
    let template = "Value SENSOR (\\S+)\nValue CELSIUS (\\d+)\n\nStart\n  ^${SENSOR}\\s+${CELSIUS} C -> Record\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.textfsm");
    fs::write(&path, template).unwrap();
    let own = with_input(
        bare().args(["parse", "--output", "csv", "--template"]).arg(&path),
        "inlet   24 C\noutlet  39 C\n",
    );
    assert_eq!(good(&own), "sensor,celsius\ninlet,24\noutlet,39\n");
    let latin = folder.path().join("latin.txt");
    fs::write(&latin, b"inl\xe9t   24 C\n").unwrap();
    let replaced =
        bare().args(["parse", "-o", "csv", "--template"]).arg(&path).arg(&latin).output();
    assert_eq!(good(&replaced.unwrap()), "sensor,celsius\ninl\u{fffd}t,24\n");
    let nothing = with_input(bare().args(["parse", "-o", "csv", "--template"]).arg(&path), "");
    assert_eq!(good(&nothing).trim(), "");
    let unknown = with_input(bare().args(["parse", "--os", "ios", "--command", "show x"]), output);
    assert_eq!(unknown.status.code(), Some(3));
    assert!(text(&unknown.stderr).starts_with("showrunner: "));
    let broken = with_input(bare().args(["parse", "--os", "no_such"]), output);
    assert_eq!(broken.status.code(), Some(2));
    if good(&bare().arg("about").output().unwrap()).contains("Template library: none") {
        return skip("parse_reads_a_file_and_standard_input", "no template library");
    }
    let known = ["parse", "--os", "ios", "--command", "sh ip int br", "--output", "json"];
    let records = good(&with_input(bare().args(known), output));
    let records: Value = serde_json::from_str(&records).unwrap();
    assert_eq!(records[0]["ip_address"], "192.0.2.1");
    let explained = good(&with_input(bare().args(&known[..5]).arg("--explain"), output));
    let explained: Value = serde_json::from_str(&explained).unwrap();
    assert_eq!(explained["explanation"][0]["line"], 2, "{explained}");
    let fields = good(&bare().args(["parsers", "--os", "ios", "-o", "json"]).output().unwrap());
    let fields: Value = serde_json::from_str(&fields).unwrap();
    let brief =
        fields.as_array().unwrap().iter().find(|one| one["command"] == "show ip interface brief");
    assert!(brief.unwrap()["fields"].as_array().unwrap().contains(&"ip_address".into()));
}

#[test]
fn what_the_program_is_and_knows_is_a_command_away() {
    let about = good(&bare().args(["about", "--licences"]).output().unwrap());
    assert!(about.starts_with(concat!("showrunner ", env!("CARGO_PKG_VERSION"), "\n")));
    assert!(about.contains("GNU GENERAL PUBLIC LICENSE"));
    let platforms = good(&bare().args(["platforms", "-o", "json"]).output().unwrap());
    let platforms: Value = serde_json::from_str(&platforms).unwrap();
    assert!(platforms.as_array().unwrap().iter().any(|one| one["name"] == "cisco_ios"));
    for known in codes::all() {
        let said = good(&bare().args(["explain", known.code]).output().unwrap());
        assert!(said.contains(known.cure), "{said}");
    }
    let several = good(&bare().args(["explain", "not_ssh", "cli_error"]).output().unwrap());
    assert!(several.starts_with("not_ssh\n") && several.contains("\ncli_error\n"), "{several}");
    let listed = good(&bare().arg("explain").output().unwrap());
    assert!(codes::all().all(|known| listed.contains(&format!("\n{} ", known.code))), "{listed}");
    for (given, want) in [
        ("qqq", "qqq is no error code; "),
        ("auth_reject", "known: auth_rejected)"),
        ("auth_rejcetd", "known: auth_rejected)"),
    ] {
        let refused = bare().args(["explain", given]).output().unwrap();
        assert_eq!(refused.status.code(), Some(2));
        assert!(text(&refused.stderr).contains(want), "{}", text(&refused.stderr));
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let completions = good(&bare().args(["completions", shell]).output().unwrap());
        assert!(
            completions.contains("check-config") && completions.contains("password-file"),
            "{shell}"
        );
    }
}

#[test]
fn shells_take_their_completions() {
    let folder = tempfile::tempdir().unwrap();
    for (shell, arguments, ask) in [
        (
            "bash",
            ["--norc", "-c"],
            "source ./script; COMP_WORDS=(showrunner check-c); COMP_CWORD=1; _showrunner showrunner check-c showrunner; echo ${COMPREPLY[@]}",
        ),
        (
            "zsh",
            ["-f", "-c"],
            "autoload -Uz compinit; compinit -u -D; source ./script; echo $_comps[showrunner]; functions _showrunner_commands",
        ),
        ("fish", ["--no-config", "-c"], "source ./script; complete -C 'showrunner check-c'"),
    ] {
        if !is_here(shell) {
            skip("shells_take_their_completions", &format!("no {shell}"));
            continue;
        }
        let script = good(&bare().args(["completions", shell]).output().unwrap());
        fs::write(folder.path().join("script"), script).unwrap();
        let mut command = Command::new(shell);
        command.args(arguments).arg(ask).current_dir(&folder);
        let said = command.env("HOME", folder.path()).output().unwrap();
        let printed = good(&said);
        assert!(printed.contains("check-config"), "{shell}: {printed}");
        assert_eq!(text(&said.stderr), "", "{shell}");
    }
}

#[test]
fn settings_are_taken_before_and_behind_the_subcommand() {
    for arguments in [["--connect-timeout", "7", "config"], ["config", "--connect-timeout", "7"]] {
        let printed = good(&bare().args(arguments).output().unwrap());
        assert!(printed.contains("connect_timeout = 7"), "{arguments:?}: {printed}");
    }
}

#[test]
fn a_reader_who_has_seen_enough_is_no_failure() {
    let mut child = bare().args(["about", "--licences"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
