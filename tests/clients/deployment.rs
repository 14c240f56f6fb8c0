//! The files of `deploy/` and what they say of the program: settings, paths and ports that there are.

use std::{fs, io::Write as _, path::Path, process::Command};

use serde::Deserialize as _;
use serde_json::Value;

use crate::support::{Demo, bare, good, is_here, python, skip, text};

fn deployed(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)).unwrap()
}

fn yaml(text: &str) -> Vec<Value> {
    let documents = serde_yaml_ng::Deserializer::from_str(text);
    documents.map(|document| Value::deserialize(document).unwrap()).collect()
}

#[test]
fn settings_in_the_files_are_settings_of_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys.toml");
    fs::write(&keys, good(&bare().args(["new-key", "a"]).output().unwrap())).unwrap();
    let compose = &yaml(&deployed("compose/compose.yaml"))[0];
    let kubernetes = &yaml(&deployed("kubernetes/showrunner.yaml"))[0];
    let named =
        |(name, value): (&String, &Value)| (name.clone(), value.as_str().unwrap().to_owned());
    let in_compose = compose["services"]["showrunner"]["environment"].as_object().unwrap();
    let container = &kubernetes["spec"]["template"]["spec"]["containers"][0];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let in_kubernetes = container["env"].as_array().unwrap();
    let in_kubernetes: Vec<_> =
        in_kubernetes.iter().map(|one| (text(&one["name"]), text(&one["value"]))).collect();
    for variables in [in_compose.iter().map(named).collect(), in_kubernetes] {
        let mut command = bare();
        for (name, value) in variables {
            let value = if name.ends_with("_FILE") { keys.display().to_string() } else { value };
            command.env(name, value);
        }
        assert_eq!(
            good(&command.arg("check-config").output().unwrap()),
            "the settings are right\n"
        );
    }
    let grace = kubernetes["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as_u64();
    assert!(grace.unwrap() > 5 + 30, "longer than a stop may take");
}

/// The settings that the image brings along.
fn of_image() -> (String, Vec<(String, String)>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Dockerfile");
    let text = fs::read_to_string(path).unwrap();
    let words = text.split_whitespace().filter(|word| word.starts_with("SHOWRUNNER_"));
    let pairs = words.filter_map(|word| word.split_once('='));
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    (text, pairs)
}

#[test]
fn the_image_asks_for_keys_as_soon_as_their_file_is_named() {
    let (dockerfile, settings) = of_image();
    assert!(settings.len() >= 4, "{settings:?}");
    let version = concat!("image.version=\"", env!("CARGO_PKG_VERSION"), "\"");
    assert!(dockerfile.contains(version), "the label has the program's version");
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys.toml");
    fs::write(&keys, good(&bare().args(["new-key", "a"]).output().unwrap())).unwrap();
    let said = |more: &[(&str, &str)]| {
        let mut command = bare();
        command.envs(settings.iter().cloned()).envs(more.iter().copied());
        let said = command.arg("check-config").output().unwrap();
        (said.status.code(), text(&said.stderr))
    };
    let file = keys.to_str().unwrap();
    assert_eq!(said(&[]).0, Some(0));
    assert_eq!(said(&[("SHOWRUNNER_API_KEYS_FILE", file)]).0, Some(0));
    assert_eq!(said(&[("SHOWRUNNER_API_KEYS_FILE", "/nowhere")]).0, Some(2));
    let (code, reason) = said(&[("SHOWRUNNER_AUTH", "api_key")]);
    assert!(code == Some(2) && reason.contains("SHOWRUNNER_API_KEYS_FILE"), "{reason}");
}

#[tokio::test]
async fn probes_of_kubernetes_ask_paths_that_answer() {
    let demo = Demo::start();
    let kubernetes = &yaml(&deployed("kubernetes/showrunner.yaml"))[0];
    let container = &kubernetes["spec"]["template"]["spec"]["containers"][0];
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let path = container[probe]["httpGet"]["path"].as_str().unwrap();
        let answer = reqwest::get(format!("{}{path}", demo.url)).await.unwrap();
        assert_eq!(answer.status(), 200, "{probe}");
    }
}

#[test]
fn kubernetes_would_take_the_manifests() {
    let Some(python) = python() else {
        return skip("kubernetes_would_take_the_manifests", "no python3 with pip");
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kubernetes");
    let mut command = Command::new(python.with_file_name("kubernetes-validate"));
    good(&command.arg("--strict").arg(folder.join("showrunner.yaml")).output().unwrap());
}

#[test]
fn the_script_beside_the_service_prints_its_report() {
    const NAME: &str = "the_script_beside_the_service_prints_its_report";
    if !is_here("python3") {
        return skip(NAME, "no python3");
    }
    let demo = Demo::start();
    let compose = &yaml(&deployed("compose/compose.yaml"))[0];
    let mut command = Command::new("python3");
    command.arg("-c").arg(deployed("compose/report.py"));
    for (name, value) in compose["services"]["report"]["environment"].as_object().unwrap() {
        command.env(name, value.as_str().unwrap());
    }
    command.env("SHOWRUNNER_URL", &demo.url).env("DEVICE_HOST", "127.0.0.1");
    let printed = command.env("DEVICE_FIRST_PORT", demo.first_port.to_string()).output().unwrap();
    assert!(good(&printed).starts_with("ios edge1 uptime is 12 weeks"));
}

#[test]
fn systemd_takes_the_unit() {
    if !is_here("systemd-analyze") {
        return skip("systemd_takes_the_unit", "no systemd-analyze");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("showrunner.service");
    let unit = deployed("systemd/showrunner.service");
    let program = env!("CARGO_BIN_EXE_showrunner");
    let unit = unit.replace("/usr/local/bin/showrunner", program);
    fs::File::create(&path).unwrap().write_all(unit.as_bytes()).unwrap();
    let said = Command::new("systemd-analyze").arg("verify").arg(&path).output().unwrap();
    let said = text(&said.stderr);
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("showrunner.service")).collect();
    assert!(ours.is_empty(), "{ours:?}");
}
