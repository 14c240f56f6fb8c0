//! Requests that are wrong: a clear status, every fault with its place, never a value of the caller's.

use serde_json::{Value, json};

use crate::support::{Service, entry, faulty, with};

const SECRET: &str = "Tr0ub4dor-and-3";

fn base() -> Value {
    json!({"hostname": "192.0.2.1", "username": "admin", "password": SECRET, "os": "ios"})
}

#[tokio::test]
async fn each_fault_of_a_body_is_named_with_its_place() {
    let service = Service::start();
    let long = "x".repeat(300);
    let device_cases = [
        (with(base(), "os", "ioxe"), json!(["body", "devices", 0, "os"]), "enum", "iosxe"),
        (
            with(base(), "hostname", ""),
            json!(["body", "devices", 0, "hostname"]),
            "value_error",
            "cannot be empty",
        ),
        (
            with(base(), "hostname", "r1\n"),
            json!(["body", "devices", 0, "hostname"]),
            "value_error",
            "Invalid hostname",
        ),
        (
            with(base(), "hostname", "127.1"),
            json!(["body", "devices", 0, "hostname"]),
            "value_error",
            "Invalid hostname",
        ),
        (
            with(base(), "port", 0),
            json!(["body", "devices", 0, "port"]),
            "value_error",
            "between 1 and 65535",
        ),
        (
            with(base(), "port", 22.5),
            json!(["body", "devices", 0, "port"]),
            "int_from_float",
            "integer",
        ),
        (
            with(base(), "port", "ssh"),
            json!(["body", "devices", 0, "port"]),
            "int_parsing",
            "integer",
        ),
        (
            with(base(), "port", json!(1e26)),
            json!(["body", "devices", 0, "port"]),
            "value_error",
            "between 1 and 65535",
        ),
        (
            with(base(), "password", "é".repeat(1025)),
            json!(["body", "devices", 0, "password"]),
            "value_error",
            "maximum length of 1024 characters",
        ),
        (
            with(base(), "username", ""),
            json!(["body", "devices", 0, "username"]),
            "value_error",
            "cannot be empty",
        ),
        (
            with(base(), "username", "a\nb"),
            json!(["body", "devices", 0, "username"]),
            "value_error",
            "control",
        ),
        (
            with(base(), "username", long),
            json!(["body", "devices", 0, "username"]),
            "value_error",
            "maximum length",
        ),
        (
            with(base(), "password", ""),
            json!(["body", "devices", 0, "password"]),
            "value_error",
            "cannot be empty",
        ),
        (
            with(base(), "passwort", "x"),
            json!(["body", "devices", 0, "passwort"]),
            "extra_forbidden",
            "did you mean `password`?",
        ),
        (
            with(base(), "ssh_profile", "old"),
            json!(["body", "devices", 0, "ssh_profile"]),
            "enum",
            "'modern' or 'legacy'",
        ),
    ];
    for (device, place, kind, words) in device_cases {
        let (status, answer) =
            service.execute(&json!({"devices": [device], "commands": ["show version"]})).await;
        assert_fault(status, &answer, &place, kind, words);
    }
    let body_cases = [
        (json!({"commands": []}), json!(["body", "devices"]), "missing", "Field required"),
        (
            json!({"devices": [], "commands": [], "timeout": 0}),
            json!(["body", "timeout"]),
            "value_error",
            "between 1 and 300",
        ),
        (
            json!({"devices": [], "commands": [], "timeout": "99999999999999999999999999"}),
            json!(["body", "timeout"]),
            "value_error",
            "between 1 and 300",
        ),
        (
            json!({"devices": [], "commands": [], "timeout": 301}),
            json!(["body", "timeout"]),
            "value_error",
            "between 1 and 300",
        ),
        (
            json!({"devices": [], "commands": [], "output_format": "xml"}),
            json!(["body", "output_format"]),
            "enum",
            "'raw', 'parsed', 'both' or 'native'",
        ),
        (json!({"devices": {}, "commands": []}), json!(["body", "devices"]), "list_type", "list"),
        (
            json!({"devices": [], "commands": [7]}),
            json!(["body", "commands", 0]),
            "model_attributes_type",
            "command",
        ),
        (
            json!({"devices": [], "commands": [], "pipe": {}}),
            json!(["body", "pipe"]),
            "extra_forbidden",
            "Unknown field `pipe`",
        ),
        (
            json!({"devices": [], "commands": ["reload"]}),
            json!(["body", "commands", 0]),
            "value_error",
            "read",
        ),
        (json!([]), json!(["body"]), "model_attributes_type", "object"),
        (
            json!({"devices": [], "commands": [{"command": "show version", "pipe_option": "include"}]}),
            json!(["body", "commands", 0, "pipe_value"]),
            "value_error",
            "goes with a value",
        ),
        (
            json!({"devices": [], "commands": [{"command": "show version", "pipe_value": "x"}]}),
            json!(["body", "commands", 0, "pipe_option"]),
            "value_error",
            "goes with an option",
        ),
        (
            json!({"devices": [], "commands": [{"command": "show version", "pipe_option": "grep", "pipe_value": "x"}]}),
            json!(["body", "commands", 0, "pipe_option"]),
            "enum",
            "'include'",
        ),
    ];
    for (body, place, kind, words) in body_cases {
        let (status, answer) = service.execute(&body).await;
        assert_fault(status, &answer, &place, kind, words);
    }
}

fn assert_fault(status: u16, answer: &Value, place: &Value, kind: &str, words: &str) {
    assert_eq!(status, 422, "{place}: {answer}");
    let fault = &answer["detail"][0];
    assert_eq!((&fault["loc"], &fault["type"]), (place, &json!(kind)), "{answer}");
    assert!(fault["msg"].as_str().unwrap().contains(words), "{place}: {fault}");
    assert_eq!(answer["code"], "invalid_request");
    assert!(
        !answer.to_string().contains(SECRET),
        "{place}: the password is in the answer: {answer}"
    );
}

#[tokio::test]
async fn all_faults_of_a_request_are_listed_at_once() {
    let service = Service::start();
    let body = json!({
        "devices": [{"hostname": "r1", "password": SECRET}, with(base(), "port", 70000)],
        "commands": ["reload", "show version", {"command": "configure terminal"}],
        "timeout": "soon"
    });
    let (status, answer) = service.execute(&body).await;
    assert_eq!(status, 422);
    let places: Vec<String> =
        answer["detail"].as_array().unwrap().iter().map(|fault| fault["loc"].to_string()).collect();
    let expected = [
        r#"["body","devices",0,"username"]"#,
        r#"["body","devices",0,"os"]"#,
        r#"["body","devices",1,"port"]"#,
        r#"["body","timeout"]"#,
        r#"["body","commands",0]"#,
        r#"["body","commands",2,"command"]"#,
    ];
    assert_eq!(places, expected, "{answer}");
}

#[tokio::test]
async fn of_very_many_faults_the_first_thousand_are_listed_and_the_others_counted() {
    let service = Service::start();
    // Each of the devices lacks a host name, a user name, a password and an `os`.
    let body = json!({"devices": vec![json!({}); 1000], "commands": ["show version"]});
    let (status, answer) = service.execute(&body).await;
    assert_eq!(status, 422);
    let detail = answer["detail"].as_array().unwrap();
    assert_eq!(detail.len(), 1001);
    assert_eq!(detail[0]["loc"], json!(["body", "devices", 0, "hostname"]));
    let last = &detail[1000];
    assert_eq!(last["loc"], json!(["body"]));
    assert_eq!(last["msg"], "Value error, 3000 more faults are not listed");
}

#[tokio::test]
async fn a_command_that_no_platform_takes_is_named_beside_an_unknown_platform() {
    let service = Service::start();
    let body = json!({"devices": [with(base(), "os", "ioxe")], "commands": ["display version", "show x; reload"]});
    let (_, answer) = service.execute(&body).await;
    let places: Vec<&Value> =
        answer["detail"].as_array().unwrap().iter().map(|fault| &fault["loc"]).collect();
    assert_eq!(
        places,
        [&json!(["body", "devices", 0, "os"]), &json!(["body", "commands", 1])],
        "{answer}"
    );
}

#[tokio::test]
async fn one_refused_command_keeps_the_request_from_every_device() {
    let service = Service::start();
    let device = faulty("cisco_ios", &[]).await;
    let refused = [
        "reload",
        "configure terminal",
        "show version ; reload",
        "show run | redirect flash:x",
        "show version\nreload",
        "show version\treload\n",
        "\r\n",
        "show running-config | tee flash:x",
        "show version > flash:x",
        "\u{a0}reload",
        "show version\u{85}reload",
        "show platform hardware qfp active statistics drop clear",
        "show tech-support",
        "sh\u{43e}w version",
        "",
    ];
    for command in refused {
        let body =
            json!({"devices": [entry(&device, "ios")], "commands": ["show version", command]});
        let (status, answer) = service.execute(&body).await;
        assert_eq!(status, 422, "{command:?}: {answer}");
        assert_eq!(answer["detail"][0]["loc"], json!(["body", "commands", 1]), "{command:?}");
    }
    assert_eq!((device.login_attempts(), device.received().len()), (0, 0));
}

#[tokio::test]
async fn a_body_without_a_media_type_is_json_unless_a_page_sends_it() {
    let service = Service::start();
    let url = format!("{}/api/v1/execute", service.url);
    let empty = r#"{"devices": [], "commands": []}"#;
    let post = |body: String, headers: &[(&'static str, &'static str)]| {
        let request = service.client.post(&url).body(body);
        let headers = headers.iter();
        headers.fold(request, |request, (name, value)| request.header(*name, *value)).send()
    };
    for (body, headers, want) in [
        (empty.to_owned(), &[][..], 200),
        (empty.to_owned(), &[("content-type", "")], 200),
        (empty.to_owned(), &[("origin", "http://127.0.0.1")], 415),
        (format!("\u{feff}{empty}"), &[("content-type", "application/json")], 200),
    ] {
        let answer = post(body, headers).await.unwrap();
        assert_eq!(answer.status().as_u16(), want, "{headers:?}");
    }
}

#[tokio::test]
async fn what_is_no_request_at_all_has_a_status_of_its_own() {
    let service = Service::start_with(&[("SHOWRUNNER_MAX_BODY_BYTES", "1000")]);
    let url = format!("{}/api/v1/execute", service.url);
    let post = |body: String, kind: &'static str| {
        service.client.post(&url).header("content-type", kind).body(body).send()
    };
    let json = "application/json";
    let deep = "[".repeat(900);
    let cases = [
        (post("{\"devices\": [".to_owned(), json).await, 400, "line 1 column 13"),
        (post("{\"devices\": \n oops}".to_owned(), json).await, 400, "line 2 column 2"),
        (post(String::new(), json).await, 400, "ends too early"),
        (post(deep, json).await, 400, "not valid JSON"),
        (post("{}".to_owned(), "text/plain").await, 415, "application/json"),
        (post(" ".repeat(1001), json).await, 413, "1000 bytes"),
        (service.client.get(&url).send().await, 405, "Method Not Allowed"),
        (service.client.get(format!("{}/nowhere", service.url)).send().await, 404, "Not Found"),
    ];
    for (answer, status, words) in cases {
        let answer = answer.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{words}");
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        if status == 405 {
            assert_eq!(answer.headers()["allow"], "POST");
        }
        let body: Value = answer.json().await.unwrap();
        assert!(body["detail"].as_str().unwrap().contains(words), "{body}");
        assert_eq!(body["request_id"], id);
        assert!(body["code"].is_string());
    }
}

#[tokio::test]
async fn lengths_are_counted_in_characters() {
    let service = Service::start();
    let device = with(with(base(), "username", "é".repeat(255)), "password", "é".repeat(1024));
    let body = json!({"devices": [device], "commands": ["show version"]});
    let (status, answer) = service.post("/api/v1/validate", &body).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn a_parameter_that_there_is_not_is_named() {
    let service = Service::start();
    for (query, name, kind) in [
        ("?platform=ios", "platform", "extra_forbidden"),
        ("?os=ios&pla%0Atform=", "pla\\ntform", "extra_forbidden"),
        ("?os=ios&os=eos", "os", "value_error"),
        ("?os=ioxe", "os", "enum"),
    ] {
        let url = format!("{}/api/v1/parsers{query}", service.url);
        let answer = service.client.get(url).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 422, "{query}");
        let answer: Value = answer.json().await.unwrap();
        let fault = &answer["detail"][0];
        assert_eq!((&fault["loc"], &fault["type"]), (&json!(["query", name]), &json!(kind)));
    }
}

#[tokio::test]
async fn the_documents_answer_head_as_get_without_a_body() {
    let service = Service::start();
    for path in ["/docs/", "/docs/swagger-ui.css", "/docs/nothing"] {
        let url = format!("{}{path}", service.url);
        let get = service.client.get(&url).send().await.unwrap();
        let head = service.client.head(&url).send().await.unwrap();
        assert_eq!(head.status(), get.status(), "{path}");
        for name in ["content-type", "content-length"] {
            assert_eq!(head.headers().get(name), get.headers().get(name), "{path}: {name}");
        }
        assert_eq!(head.bytes().await.unwrap().len(), 0, "{path}");
    }
}

#[tokio::test]
async fn a_harmful_request_id_is_replaced() {
    let service = Service::start();
    for bad in ["a b", "x;y", "<script>", &"a".repeat(65)] {
        let answer =
            service.client.get(format!("{}/health", service.url)).header("X-Request-ID", bad);
        let answer = answer.send().await.unwrap();
        let id = answer.headers()["x-request-id"].to_str().unwrap();
        assert_eq!(id.len(), 36, "{bad}: {id}");
    }
}
