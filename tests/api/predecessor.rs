//! What callers of the predecessor send, as docs/migration.md lists it: what works as there, and what is answered otherwise.

use serde_json::{Value, json};

use crate::support::{Service, entry, faulty, with};

/// The path of the first fault.
fn place(answer: &Value) -> String {
    let steps = answer["detail"][0]["loc"].as_array().unwrap();
    let step = |step: &Value| step.as_str().map_or_else(|| step.to_string(), str::to_owned);
    steps.iter().map(step).collect::<Vec<_>>().join(".")
}

#[tokio::test]
async fn fields_are_taken_and_refused_as_the_page_on_migration_says() {
    let service = Service::start();
    let device = faulty("cisco_ios", &[]).await;
    let whole = json!({
        "devices": [entry(&device, "ios")], "commands": [{"command": "show version"}],
        "timeout": 30, "output_format": "raw"
    });
    let of_device = |name: &str, value: Value| {
        with(whole.clone(), "devices", json!([with(entry(&device, "ios"), name, value)]))
    };
    let of_command = |command: Value| with(whole.clone(), "commands", json!([command]));
    let port = device.addr().port();
    let as_there = [
        ("the whole body", whole.clone()),
        ("a port as text", of_device("port", port.to_string().into())),
        ("no enable", of_device("enable_password", Value::Null)),
        ("an empty enable", of_device("enable_password", "".into())),
        ("any case of a platform", of_device("os", "IOS".into())),
        ("a timeout as text", with(whole.clone(), "timeout", "30")),
        ("no timeout", with(whole.clone(), "timeout", Value::Null)),
        ("blanks round a command", of_command(json!({"command": "  show version "}))),
        ("line ends round a command", of_command(json!({"command": "\t show version \r\n"}))),
        ("line ends round a text", of_command("\nshow version\n".into())),
        ("a filter inline", of_command(json!({"command": "show version | include uptime"}))),
        ("a short command", of_command(json!({"command": "sh ver"}))),
        (
            "a filter beside it",
            of_command(
                json!({"command": "show version", "pipe_option": "include", "pipe_value": "uptime"}),
            ),
        ),
    ];
    for (what, body) in as_there {
        let (status, answer) = service.execute(&body).await;
        assert_eq!((status, &answer["successful_devices"]), (200, &json!(1)), "{what}: {answer}");
        assert_eq!(answer["results"][0]["commands"][0]["success"], true, "{what}: {answer}");
    }
    let refused = [
        ("body.devices.0.port", of_device("port", json!(22.5)), "int_from_float"),
        ("body.devices.0.port", of_device("port", json!(0)), "value_error"),
        ("body.devices.0.hostname", of_device("hostname", "admin@r1".into()), "value_error"),
        ("body.devices.0.username", of_device("username", "".into()), "value_error"),
        ("body.devices.0.password", of_device("password", "x".repeat(1025).into()), "value_error"),
        ("body.devices.0.os", of_device("os", "xx".into()), "enum"),
        ("body.commands.0.command", of_command(json!({"command": "reload"})), "value_error"),
        (
            "body.commands.0.pipe_value",
            of_command(json!({"command": "show version", "pipe_option": "include"})),
            "value_error",
        ),
        (
            "body.commands.0.pipe",
            of_command(
                json!({"command": "show version", "pipe": {"option": "include", "pattern": "x"}}),
            ),
            "extra_forbidden",
        ),
        ("body.timeout", with(whole.clone(), "timeout", 0), "value_error"),
        ("body.output_format", with(whole.clone(), "output_format", "xml"), "enum"),
        ("body.verbose", with(whole.clone(), "verbose", true), "extra_forbidden"),
    ];
    for (want, body, kind) in refused {
        let (status, answer) = service.execute(&body).await;
        assert_eq!((status, place(&answer).as_str()), (422, want), "{answer}");
        assert_eq!(answer["detail"][0]["type"], kind, "{answer}");
        assert!(!answer.to_string().contains("\"input\""), "{answer}");
    }
}

#[tokio::test]
async fn the_first_page_has_the_keys_that_it_had() {
    let service = Service::start();
    let get = async |path: &str| -> Value {
        let url = format!("{}{path}", service.url);
        service.client.get(url).send().await.unwrap().json().await.unwrap()
    };
    let page = get("/").await;
    let keys: Vec<_> = page.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["name", "version", "description", "endpoints"]);
    for (name, path) in page["endpoints"].as_object().unwrap() {
        let path = path.as_str().unwrap();
        let (path, is_post) =
            path.strip_suffix(" (POST)").map_or((path, false), |path| (path, true));
        let answer = service.client.get(format!("{}{path}", service.url)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), if is_post { 405 } else { 200 }, "{name}");
    }
    assert!(get("/nowhere").await["detail"] == "Not Found");
    assert_eq!(get("/health/").await["status"], "healthy");
    let (status, answer) =
        service.post("/api/v1/execute/", &json!({"devices": [], "commands": []})).await;
    assert_eq!((status, &answer["total_devices"]), (200, &json!(0)), "{answer}");
}
