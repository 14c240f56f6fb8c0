//! The `OpenAPI` document: complete, valid to others, and what the service really does.

use std::{collections::BTreeSet, ffi::OsString, fs, path::Path, process::Command};

use serde_json::Value;

use crate::support::{Demo, bare, good, python, script, skip, text};

/// Requests of each call, besides those that the document's limits suggest: 1,600 in all. With `SCHEMATHESIS_EXAMPLES=400`
/// they are more than 5,000.
const EXAMPLES: &str = "60";

fn document() -> Value {
    serde_json::from_str(&good(&bare().arg("openapi").output().unwrap())).unwrap()
}

/// Every object that has `properties`, with its place.
fn schemas(place: &str, value: &Value, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(fields) => {
            if fields.get("properties").is_some_and(Value::is_object) {
                found.push((place.to_owned(), value.clone()));
            }
            fields
                .iter()
                .for_each(|(name, value)| schemas(&format!("{place}/{name}"), value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| schemas(place, item, found)),
        _ => {}
    }
}

#[test]
fn the_document_in_the_repository_is_the_programs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let printed = good(&bare().arg("openapi").output().unwrap());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &printed).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == printed,
        "docs/openapi.json is not what the program prints: run with UPDATE_DOCS=1"
    );
}

#[test]
fn the_document_has_the_bounds_of_the_settings() {
    let of = |settings: &[(&str, &str)]| -> Vec<Value> {
        let printed = good(&bare().arg("openapi").envs(settings.iter().copied()).output().unwrap());
        let document: Value = serde_json::from_str(&printed).unwrap();
        let places = [
            "ExecuteRequest/properties/devices/maxItems",
            "ExecuteRequest/properties/commands/maxItems",
            "ExecuteRequest/properties/timeout/default",
            "ExecuteRequest/properties/timeout/maximum",
            "DeviceRequest/properties/commands/maxItems",
            "FilteredCommand/properties/timeout/maximum",
        ];
        let value = |place| document.pointer(&format!("/components/schemas/{place}"));
        places.iter().map(|place| value(place).unwrap().clone()).collect()
    };
    assert_eq!(of(&[]), [1000, 100, 30, 300, 100, 300]);
    let settings = [
        ("SHOWRUNNER_MAX_DEVICES_PER_REQUEST", "20"),
        ("SHOWRUNNER_MAX_COMMANDS_PER_DEVICE", "7"),
        ("SHOWRUNNER_DEVICE_TIMEOUT_DEFAULT", "60"),
        ("SHOWRUNNER_DEVICE_TIMEOUT_MAX", "600"),
    ];
    assert_eq!(of(&settings), [20, 7, 60, 600, 7, 600]);
}

#[test]
fn everything_in_the_document_is_described() {
    let document = document();
    let mut lacking = Vec::new();
    let mut found = Vec::new();
    schemas("", &document["components"]["schemas"], &mut found);
    assert!(found.len() > 20, "{}", found.len());
    for (place, schema) in &found {
        for (name, property) in schema["properties"].as_object().unwrap() {
            // Beside a null the description stands with the other kind; a line's `type` is described by its schema.
            let either = property["oneOf"].as_array().into_iter().flatten();
            let is_described = property["description"].is_string()
                || either.into_iter().any(|kind| kind["description"].is_string())
                || name == "type";
            if !is_described {
                lacking.push(format!("{place}/{name}"));
            }
        }
    }
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, call) in item.as_object().unwrap() {
            let mut want = |at: &str| {
                if call.pointer(at).and_then(Value::as_str).is_none_or(str::is_empty) {
                    lacking.push(format!("{method} {path}{at}"));
                }
            };
            want("/summary");
            want("/operationId");
            for (status, response) in call["responses"].as_object().unwrap() {
                let name =
                    response["$ref"].as_str().map(|name| name.trim_start_matches('#').to_owned());
                let response = name.map_or(response, |name| document.pointer(&name).unwrap());
                if response["description"].as_str().is_none_or(str::is_empty)
                    || !response["content"].is_object()
                {
                    lacking.push(format!("{method} {path} {status}"));
                }
                assert!(
                    response["headers"]["X-Request-ID"].is_object(),
                    "{method} {path} {status}"
                );
            }
        }
    }
    assert!(lacking.is_empty(), "{}", lacking.join("\n"));
}

/// Names of the schemas that are reached from `value`.
fn reached(document: &Value, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(name) = fields.get("$ref").and_then(Value::as_str)
                && found.insert(name.to_owned())
            {
                reached(document, document.pointer(name.trim_start_matches('#')).unwrap(), found);
            }
            fields.values().for_each(|value| reached(document, value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| reached(document, item, found)),
        _ => {}
    }
}

#[test]
fn fields_of_answers_are_always_there_and_said_to_be() {
    let document = document();
    let mut found = BTreeSet::new();
    let calls = document["paths"].as_object().unwrap().values();
    for call in calls.flat_map(|item| item.as_object().unwrap().values()) {
        reached(&document, &call["responses"], &mut found);
    }
    assert!(found.len() > 20, "{found:?}");
    let mut optional = Vec::new();
    for name in &found {
        let schema = document.pointer(name.trim_start_matches('#')).unwrap();
        let required = |name: &String| {
            let names = schema["required"].as_array().into_iter().flatten();
            names.into_iter().any(|required| required == name)
        };
        let fields = schema["properties"].as_object().into_iter().flatten();
        let fields = fields.filter(|(field, _)| !required(field));
        optional.extend(fields.map(|(field, _)| format!("{name}/{field}")));
    }
    assert_eq!(optional, ["#/components/schemas/ParseResponse/explanation"]);
}

#[test]
fn secrets_are_password_fields_and_calls_have_named_examples() {
    let document = document();
    let device = &document["components"]["schemas"]["DeviceRequest"]["properties"];
    for name in ["password", "enable_password", "private_key", "private_key_passphrase"] {
        assert_eq!(device[name]["format"], "password", "{name}");
    }
    let examples = |path: &str| {
        let call = &document["paths"][path]["post"]["requestBody"]["content"]["application/json"];
        call["examples"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    let want = ["one_device", "many_devices", "own_commands", "key", "parsed", "streaming"];
    assert_eq!(examples("/api/v1/execute"), want);
    assert!(examples("/api/v1/validate").len() > 1 && examples("/api/v1/parse").len() > 1);
}

/// Sends the document's examples to the demo that they are written for.
#[tokio::test]
async fn the_examples_work_as_they_are_against_the_demo() {
    let demo = Demo::start();
    let client = reqwest::Client::new();
    let document = client.get(format!("{}/openapi.json", demo.url)).send().await.unwrap();
    let document: Value = document.json().await.unwrap();
    for path in ["/api/v1/execute", "/api/v1/validate", "/api/v1/parse"] {
        let content =
            &document["paths"][path]["post"]["requestBody"]["content"]["application/json"];
        for (name, example) in content["examples"].as_object().unwrap() {
            let request = client.post(format!("{}{path}", demo.url)).json(&example["value"]);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200, "{path} {name}");
            let answer: Value = answer.json().await.unwrap();
            if path == "/api/v1/execute" && name != "key" {
                assert_eq!(answer["failed_devices"], 0, "{name}: {answer}");
                for command in answer["results"].as_array().unwrap() {
                    let commands = command["commands"].as_array().unwrap();
                    assert!(commands.iter().all(|one| one["success"] == true), "{name}: {answer}");
                }
            }
        }
    }
}

#[test]
fn an_independent_validator_finds_the_document_valid() {
    let Some(python) = python() else {
        return skip("an_independent_validator_finds_the_document_valid", "no python3 with pip");
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), document().to_string()).unwrap();
    let said =
        Command::new(python).args(["-m", "openapi_spec_validator"]).arg(file.path()).output();
    assert!(good(&said.unwrap()).contains("OK"));
}

#[test]
fn made_up_requests_find_no_answer_that_is_not_in_the_document() {
    const NAME: &str = "made_up_requests_find_no_answer_that_is_not_in_the_document";
    let Some(python) = python() else { return skip(NAME, "no python3 with pip") };
    let demo = Demo::start();
    let examples = std::env::var("SCHEMATHESIS_EXAMPLES").unwrap_or_else(|_| EXAMPLES.to_owned());
    let folder = tempfile::tempdir().unwrap();
    fs::copy(script("requests_made_up.py"), folder.path().join("requests_made_up.py")).unwrap();
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                  response_schema_conformance,unsupported_method";
    let run = Command::new(python.with_file_name("schemathesis"))
        .args(["run", &format!("{}/openapi.json", demo.url), "--checks", checks])
        .args([
            "--max-examples",
            &examples,
            "--seed",
            "20261121",
            "--no-color",
            "--suppress-health-check",
            "all",
            // As many devices as may be, which are the same one, take their time one after another.
            "--request-timeout",
            "60",
        ])
        .env("SCHEMATHESIS_HOOKS", "requests_made_up")
        .env("PYTHONPATH", folder.path())
        .env("FIRST_PORT", demo.first_port.to_string())
        .current_dir(&folder)
        .output()
        .unwrap();
    let printed = text(&run.stdout);
    assert!(run.status.success(), "{printed}\n{}", text(&run.stderr));
    let n_calls: usize = document()["paths"]
        .as_object()
        .unwrap()
        .values()
        .map(|item| item.as_object().unwrap().len())
        .sum();
    for want in [format!("Selected: {n_calls}/{n_calls}\n"), format!("Tested: {n_calls}\n")] {
        assert!(printed.contains(&want), "{want}: {printed}");
    }
    eprintln!(
        "{}",
        printed
            .lines()
            .rev()
            .take(25)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
            .join("\n")
    );
}

/// The search path with a program's folder first.
fn beside(program: &Path) -> OsString {
    let known = std::env::var_os("PATH").unwrap_or_default();
    let own = program.parent().unwrap().to_owned();
    std::env::join_paths([own].into_iter().chain(std::env::split_paths(&known))).unwrap()
}

#[test]
fn a_client_made_of_the_document_reads_a_device() {
    const NAME: &str = "a_client_made_of_the_document_reads_a_device";
    let Some(python) = python() else { return skip(NAME, "no python3 with pip") };
    let demo = Demo::start();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("openapi.json"), document().to_string()).unwrap();
    let made = Command::new(python.with_file_name("openapi-python-client"))
        .args([
            "generate",
            "--path",
            "openapi.json",
            "--meta",
            "none",
            "--output-path",
            "showrunner_client",
        ])
        .args(["--fail-on-warning"])
        // It formats what it makes with the ruff beside it.
        .env("PATH", beside(&python))
        .current_dir(&folder)
        .output()
        .unwrap();
    good(&made);
    let answer = Command::new(python)
        .arg(script("generated_client.py"))
        .args([&demo.url, &demo.first_port.to_string()])
        .env("PYTHONPATH", folder.path())
        .output()
        .unwrap();
    assert!(good(&answer).contains("edge1 uptime is"));
}
