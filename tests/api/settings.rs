//! Settings as an operator meets them: at the command line.

use std::{
    fs::File,
    process::{Command, Output},
};

use serde_json::Value;

use crate::support::{Service, faulty};

fn command(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_showrunner"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SHOWRUNNER_")) {
        command.env_remove(name);
    }
    command.args(arguments).envs(variables.iter().copied());
    command
}

fn showrunner(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    command(arguments, variables).current_dir(&folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn config_prints_every_setting_with_the_place_it_comes_from() {
    let answer =
        showrunner(&["config", "--connect-timeout", "3"], &[("SHOWRUNNER_LOG_FORMAT", "json")]);
    let printed = text(&answer.stdout);
    assert_eq!(answer.status.code(), Some(0), "{}", text(&answer.stderr));
    for (line, origin) in [
        ("connect_timeout = 3", "# command line"),
        ("log_format = \"json\"", "# environment"),
        ("max_concurrent_devices = 200", "# default"),
        ("# platforms_dir is not set", "# default"),
    ] {
        let found = printed.lines().find(|printed| printed.starts_with(line));
        assert!(found.is_some_and(|found| found.ends_with(origin)), "{line}: {printed}");
    }
}

#[test]
fn check_config_says_what_is_wrong_and_starts_nothing() {
    let right = showrunner(&["check-config"], &[]);
    assert_eq!(
        (right.status.code(), text(&right.stdout).as_str()),
        (Some(0), "the settings are right\n")
    );
    for (variable, value, want) in [
        ("SHOWRUNNER_MAX_OUTPUT_BYTES", "lots", "is `lots`, but must be 1 to 1073741824 bytes"),
        ("SHOWRUNNER_MAX_OUTPUT_BYTE", "1", "did you mean SHOWRUNNER_MAX_OUTPUT_BYTES?"),
        ("SHOWRUNNER_PLATFORMS_DIR", "/nowhere/at/all", "/nowhere/at/all"),
        ("SHOWRUNNER_COMMANDS_ALLOW", "show x | tee y", "one exact text without filters"),
    ] {
        let wrong = showrunner(&["check-config"], &[(variable, value)]);
        let said = text(&wrong.stderr);
        assert_eq!(wrong.status.code(), Some(2), "{variable}: {said}");
        assert!(said.contains(want), "{variable}: {said}");
    }
    let wrong = showrunner(&["check-config", "--port", "70000"], &[]);
    assert!(text(&wrong.stderr).contains("--port is `70000`, but must be 0 to 65535"));
}

#[test]
fn files_that_cannot_be_used_are_named_all_at_once_with_their_settings() {
    let variables = [
        ("SHOWRUNNER_API_KEYS_FILE", "/nowhere/keys.toml"),
        ("SHOWRUNNER_PLATFORMS_DIR", "/nowhere/platforms"),
        ("SHOWRUNNER_TEMPLATES_DIR", "/nowhere/templates"),
        ("SHOWRUNNER_KNOWN_HOSTS", "/nowhere/known_hosts"),
        ("SHOWRUNNER_TLS_CERT_FILE", "/nowhere/cert.pem"),
        ("SHOWRUNNER_TLS_KEY_FILE", "/nowhere/key.pem"),
        ("SHOWRUNNER_LOG_FILE", "/nowhere/service.log"),
    ];
    let wrong = showrunner(&["check-config"], &variables);
    let said = text(&wrong.stderr);
    assert_eq!(wrong.status.code(), Some(2), "{said}");
    // A key without its certificate is not looked at.
    for (variable, file) in variables.iter().filter(|(name, _)| !name.contains("TLS_KEY")) {
        let folder = file.rsplit_once('/').unwrap().0;
        let of_it = |line: &str| line.contains(variable) && line.contains(folder);
        assert!(said.lines().any(of_it), "{variable}: {said}");
    }
    assert_eq!(said.lines().count(), variables.len() - 1, "{said}");
}

#[test]
fn logins_with_keys_of_no_file_are_a_fault_of_the_settings() {
    let wrong = showrunner(&["check-config"], &[("SHOWRUNNER_SSH_CONFIG_LOGINS", "true")]);
    let said = text(&wrong.stderr);
    assert_eq!(wrong.status.code(), Some(2), "{said}");
    assert!(said.contains("SHOWRUNNER_SSH_CONFIG_LOGINS is true, but no SHOWRUNNER_SSH_CONFIG "));
}

#[test]
fn an_empty_enable_password_is_not_taken_for_one_that_is_not_wanted() {
    let run = ["run", "--os", "ios", "--host", "192.0.2.1", "--user", "demo", "--enable", "sh ver"];
    let passwords = [("DEVICE_PASSWORD", "demo"), ("DEVICE_ENABLE_PASSWORD", "")];
    let refused = showrunner(&run, &passwords);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("the enable password is empty"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_printed_is_a_failure_that_is_said() {
    let device = faulty("cisco_ios", &[]).await;
    let port = device.addr().port().to_string();
    let run = |form: &'static str| {
        let run = ["run", "--os", "ios", "--host", "127.0.0.1", "--port", &port, "--user", "demo"];
        [run.as_slice(), &["-o", form, "show version"]].concat()
    };
    let completions = vec!["completions", "bash"];
    for arguments in [vec!["platforms"], completions, run("csv"), run("ndjson")] {
        let mut command = command(&arguments, &[("DEVICE_PASSWORD", "demo")]);
        let full = File::options().write(true).open("/dev/full").unwrap();
        let answer = command.stdout(full).output().unwrap();
        let said = text(&answer.stderr);
        assert_eq!(answer.status.code(), Some(1), "{arguments:?}: {said}");
        let want = "showrunner: standard output cannot be written: No space left on device";
        assert_eq!(said.matches(want).count(), 1, "{arguments:?}: {said}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let answer = command.stdout(writer).output().unwrap();
        let said = text(&answer.stderr);
        assert_eq!(answer.status.code(), Some(0), "{arguments:?}: {said}");
        assert!(!said.contains("standard output"), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn the_service_has_the_title_that_it_is_given_and_documents_can_be_off() {
    let service = Service::start_with(&[("SHOWRUNNER_TITLE", "Lab reads")]);
    let get = async |service: &Service, path: &str| {
        service.client.get(format!("{}{path}", service.url)).send().await.unwrap()
    };
    let index: Value = get(&service, "/").await.json().await.unwrap();
    let document: Value = get(&service, "/openapi.json").await.json().await.unwrap();
    assert_eq!(
        (index["name"].as_str(), document["info"]["title"].as_str()),
        (Some("Lab reads"), Some("Lab reads"))
    );
    let without = Service::start_with(&[("SHOWRUNNER_ENABLE_DOCS", "false")]);
    let index: Value = get(&without, "/").await.json().await.unwrap();
    let listed = index["endpoints"].as_object().unwrap();
    assert!(listed.contains_key("execute") && !listed.contains_key("docs"), "{index}");
    for path in ["/docs", "/docs/", "/redoc", "/openapi.json"] {
        assert_eq!(get(&without, path).await.status().as_u16(), 404, "{path}");
    }
}

#[tokio::test]
async fn the_service_bounds_its_heaps_unless_the_operator_has_done_so() {
    let cases: [(&[(&str, &str)], &str); 2] =
        [(&[], "MALLOC_ARENA_MAX="), (&[("MALLOC_ARENA_MAX", "7")], "MALLOC_ARENA_MAX=7")];
    for (settings, want) in cases {
        let service = Service::start_with(settings);
        assert_eq!(service.health().await["status"], "healthy");
        let of_process = |file: &str| std::fs::read(format!("/proc/{}/{file}", service.pid()));
        let name = String::from_utf8(of_process("comm").unwrap()).unwrap();
        assert_eq!(name.trim(), "showrunner");
        let arguments = of_process("cmdline").unwrap();
        assert!(arguments.split(|b| *b == 0).next().unwrap().ends_with(b"showrunner"));
        // Only root may read it: the process lets nobody look at its memory.
        if let Ok(environment) = of_process("environ") {
            let mut variables = environment.split(|b| *b == 0);
            assert!(variables.any(|one| one.starts_with(want.as_bytes())), "{want}");
        }
    }
}
