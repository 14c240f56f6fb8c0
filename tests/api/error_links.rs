//! Every error's link leads to what is known of its code, whoever follows it.

use serde_json::{Value, json};
use showrunner::{codes, simulator::Fault};

use crate::{
    access::new_key,
    support::{Service, entry, faulty, with},
};

async fn get(service: &Service, url: &str) -> (u16, Value) {
    let answer = service.client.get(url).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Follows the link beside an error's code.
async fn follow(service: &Service, code: &Value, link: &Value) {
    let (status, entry) = get(service, &format!("{}{}", service.url, link.as_str().unwrap())).await;
    assert_eq!(status, 200, "{link}");
    assert_eq!((&entry["code"], &entry["link"]), (code, link));
    assert!(!entry["cause"].as_str().unwrap().is_empty() && !entry["cure"].is_null(), "{entry}");
}

#[tokio::test]
async fn the_service_says_of_every_code_what_the_table_says() {
    let service = Service::start();
    let (status, list) = get(&service, &format!("{}/api/v1/errors", service.url)).await;
    let errors = list["errors"].as_array().unwrap();
    assert_eq!((status, list["total"].as_u64().unwrap()), (200, errors.len() as u64));
    let listed: Vec<_> = errors.iter().map(|known| known["code"].as_str().unwrap()).collect();
    assert_eq!(listed, codes::all().map(|known| known.code).collect::<Vec<_>>());
    for (known, of_list) in codes::all().zip(errors) {
        let (status, entry) =
            get(&service, &format!("{}/api/v1/errors/{}", service.url, known.code)).await;
        assert_eq!((status, &entry), (200, of_list));
        let said = [&entry["cause"], &entry["cure"], &entry["example"]];
        assert_eq!(said, [known.cause, known.cure, known.example]);
        assert_eq!(entry["status"], json!(known.status));
    }
    for unknown in ["nonsense", "AUTH_REJECTED", "timeout%00", "..%2f..%2fetc%2fpasswd"] {
        let (status, answer) =
            get(&service, &format!("{}/api/v1/errors/{unknown}", service.url)).await;
        assert_eq!((status, &answer["code"]), (404, &json!("not_found")), "{answer}");
        assert!(answer["detail"].as_str().unwrap().contains("GET /api/v1/errors"), "{answer}");
        assert!(!answer.to_string().contains("nonsense"), "{answer}");
    }
}

#[tokio::test]
async fn devices_and_commands_that_fail_carry_their_codes_link_and_others_none() {
    let service = Service::start();
    let (good, other) = (faulty("cisco_ios", &[]).await, faulty("cisco_ios", &[]).await);
    let locked = with(entry(&other, "ios"), "password", "wrong");
    let frozen = faulty("cisco_ios", &[Fault::FrozenCommand]).await;
    let body = json!({
        "devices": [entry(&good, "ios"), locked, entry(&frozen, "ios")],
        "commands": ["show version", "show nonsense"], "timeout": 1
    });
    let (status, answer) = service.execute(&body).await;
    assert_eq!(status, 200);
    let results = answer["results"].as_array().unwrap();
    let mut codes = Vec::new();
    for result in results {
        for one in result["commands"].as_array().unwrap().iter().chain([result]) {
            assert_eq!(one["error_code"].is_null(), one["error_link"].is_null(), "{one}");
            if !one["error_code"].is_null() {
                follow(&service, &one["error_code"], &one["error_link"]).await;
                codes.push(one["error_code"].as_str().unwrap().to_owned());
            }
        }
        // What the predecessor's callers read stands where it stood.
        let keys: Vec<_> = result.as_object().unwrap().keys().take(8).collect();
        let want =
            ["hostname", "success", "commands", "error", "os", "port", "error_code", "error_link"];
        assert_eq!(keys, want);
    }
    assert_eq!(codes[..2], ["cli_error", "auth_rejected"], "{codes:?}");
    assert!(codes.contains(&"command_timeout".to_owned()), "{codes:?}");
    let url = format!("{}/api/v1/execute?granularity=command", service.url);
    let stream = service.client.post(url).header("Accept", "application/x-ndjson").json(&body);
    let mut n_links = 0;
    for line in stream.send().await.unwrap().text().await.unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["type"] != "summary" {
            let code = line["error_code"].as_str().map(|code| format!("/api/v1/errors/{code}"));
            assert_eq!(line["error_link"], json!(code), "{line}");
            n_links += usize::from(code.is_some());
        }
    }
    assert_eq!(n_links, codes.len());
}

#[tokio::test]
async fn refusals_carry_a_link_that_needs_no_key() {
    let service = Service::start_with(&[
        ("SHOWRUNNER_MAX_BODY_BYTES", "1000"),
        ("SHOWRUNNER_METRICS_PORT", "0"),
    ]);
    let url = format!("{}/api/v1/execute", service.url);
    let post = |body: String| {
        service.client.post(&url).header("content-type", "application/json").body(body).send()
    };
    for (answer, code) in [
        (post("{".to_owned()).await, "broken_json"),
        (post("{}".to_owned()).await, "invalid_request"),
        (post(" ".repeat(1001)).await, "body_too_large"),
        (service.client.get(&url).send().await, "method_not_allowed"),
        (service.client.get(format!("{}/nowhere", service.url)).send().await, "not_found"),
    ] {
        let body: Value = answer.unwrap().json().await.unwrap();
        let keys: Vec<_> = body.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["detail", "code", "link", "request_id"]);
        assert_eq!(body["code"], code);
        follow(&service, &body["code"], &body["link"]).await;
    }
    let log = service.log();
    let number = log.lines().find_map(|line| line.split("metrics.port=").nth(1)).unwrap().trim();
    let beside = format!("http://127.0.0.1:{number}");
    let (_, refused) = get(&service, &format!("{beside}/nowhere")).await;
    let (status, _) =
        get(&service, &format!("{beside}{}", refused["link"].as_str().unwrap())).await;
    assert_eq!(status, 200, "a link leads somewhere at the port of monitoring too");

    let (_, entry) = new_key("a");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    std::fs::write(&file, entry).unwrap();
    let keyed = Service::start_with(&[
        ("SHOWRUNNER_API_KEYS_FILE", file.to_str().unwrap()),
        ("SHOWRUNNER_ENABLE_DOCS", "false"),
    ]);
    let (status, refused) = keyed.execute(&json!({})).await;
    assert_eq!((status, &refused["code"]), (401, &json!("api_key_missing")));
    follow(&keyed, &refused["code"], &refused["link"]).await;
}
