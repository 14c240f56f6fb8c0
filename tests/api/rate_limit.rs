//! A client that sends too much is told so, and nobody else notices.

use serde_json::{Value, json};

use crate::support::Service;

fn header(answer: &reqwest::Response, name: &str) -> String {
    answer.headers().get(name).map_or(String::new(), |value| value.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_client_over_its_limit_gets_429_with_the_limit_and_when_to_come_back() {
    let service = Service::start_with(&[
        ("SHOWRUNNER_RATE_LIMIT_DEFAULT", "5/hour"),
        ("SHOWRUNNER_RATE_LIMIT_EXECUTE", "2/hour"),
    ]);
    let get = async |path: &str| {
        service.client.get(format!("{}{path}", service.url)).send().await.unwrap()
    };
    for left in (0..5).rev() {
        let answer = get("/api/v1/platforms").await;
        assert_eq!(answer.status().as_u16(), 200);
        assert_eq!(header(&answer, "x-ratelimit-limit"), "5");
        assert_eq!(header(&answer, "x-ratelimit-remaining"), left.to_string());
    }
    let answer = get("/api/v1/platforms").await;
    assert_eq!(answer.status().as_u16(), 429);
    let seconds: u64 = header(&answer, "retry-after").parse().unwrap();
    assert!((1..=720).contains(&seconds), "{seconds}");
    assert_eq!(header(&answer, "x-ratelimit-remaining"), "0");
    let id = header(&answer, "x-request-id");
    let body: Value = answer.json().await.unwrap();
    assert_eq!((&body["code"], &body["request_id"]), (&json!("rate_limited"), &json!(id)));
    assert!(body["detail"].as_str().unwrap().contains("5 requests a hour"), "{body}");
    // Another class of endpoints is counted for itself, and what monitoring asks is not counted.
    let empty = json!({"devices": [], "commands": []});
    for wanted in [200, 200, 429] {
        assert_eq!(service.execute(&empty).await.0, wanted);
    }
    // Nor does another spelling of the path lead past it.
    let url = format!("{}/api/v1/%65xecute", service.url);
    assert_eq!(service.client.post(url).json(&empty).send().await.unwrap().status().as_u16(), 429);
    for path in ["/health", "/health/live", "/health/ready"].repeat(5) {
        assert_eq!(get(path).await.status().as_u16(), 200, "{path}");
    }
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_a_limit_of_its_own() {
    let limit = ("SHOWRUNNER_RATE_LIMIT_DEFAULT", "1/hour");
    let ask = async |service: &Service, forwarded: &str| {
        let request = service.client.get(format!("{}/", service.url));
        request.header("X-Forwarded-For", forwarded).send().await.unwrap().status().as_u16()
    };
    let behind = Service::start_with(&[limit, ("SHOWRUNNER_TRUSTED_PROXIES", "127.0.0.0/8")]);
    let answers = [
        ask(&behind, "203.0.113.1").await,
        ask(&behind, "203.0.113.2").await,
        ask(&behind, "203.0.113.1").await,
        // What a client writes in front of it changes nothing.
        ask(&behind, "198.51.100.7, 203.0.113.1").await,
    ];
    assert_eq!(answers, [200, 200, 429, 429]);
    let open = Service::start_with(&[limit]);
    let answers = [ask(&open, "203.0.113.1").await, ask(&open, "203.0.113.2").await];
    assert_eq!(answers, [200, 429], "a client that nobody vouches for chose its own address");
}
