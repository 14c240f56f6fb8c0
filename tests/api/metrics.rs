//! Metrics through the front door, and the dashboard and alerts that are built on them.

use std::{
    collections::BTreeSet,
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::support::{Service, entry, faulty, with};

/// A service that has met a bit of everything.
async fn busy(settings: &[(&str, &str)]) -> Service {
    let limit = ("SHOWRUNNER_RATE_LIMIT_DEFAULT", "1/hour");
    let service = Service::start_with(&[settings, &[limit]].concat());
    let device = faulty("cisco_ios", &[]).await;
    let good = entry(&device, "ios");
    let result = service.read(good.clone(), &["show version", "show nonsense"]).await;
    assert_eq!(result["success"], true, "{result}");
    let refused = service.read(with(good.clone(), "password", "wrong"), &["show version"]).await;
    assert_eq!(refused["error_code"], "auth_rejected", "{refused}");
    let gate = service.execute(&json!({"devices": [good], "commands": ["reload"]})).await;
    assert_eq!(gate.0, 422, "{}", gate.1);
    for path in ["/api/v1/platforms", "/api/v1/platforms"] {
        service.client.get(format!("{}{path}", service.url)).send().await.unwrap();
    }
    service
}

async fn metrics(service: &Service, url: &str) -> String {
    let answer = service.client.get(format!("{url}/metrics")).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    answer.text().await.unwrap()
}

#[tokio::test]
async fn requests_sessions_and_refusals_are_counted_without_a_word_of_the_callers() {
    let service = busy(&[]).await;
    for path in ["/nowhere", "/some/path?password=s3cret"] {
        service.client.get(format!("{}{path}", service.url)).send().await.unwrap();
    }
    let text = metrics(&service, &service.url).await;
    for line in [
        r#"showrunner_http_requests_total{route="/api/v1/execute",status="200"} 2"#,
        r#"showrunner_http_requests_total{route="/api/v1/execute",status="422"} 1"#,
        r#"showrunner_http_request_duration_seconds_count{route="/api/v1/execute",status="200"} 2"#,
        r#"showrunner_device_sessions_total{outcome="ok",platform="cisco_ios"} 1"#,
        r#"showrunner_device_sessions_total{outcome="auth_rejected",platform="cisco_ios"} 1"#,
        r#"showrunner_commands_total{outcome="cli_error",platform="cisco_ios"} 1"#,
        r#"showrunner_commands_refused_total{rule="read_verb"} 1"#,
        r#"showrunner_device_phase_duration_seconds_count{phase="authenticate"} 2"#,
        r#"showrunner_rate_limited_total{class="default"} 3"#,
        "showrunner_device_sessions_running 0",
        "showrunner_device_sessions_max 200",
        "showrunner_http_requests_in_flight 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    for word in ["127.0.0.1", "nowhere", "s3cret", "demo", "show version"] {
        assert!(!text.contains(word), "{word} is in\n{text}");
    }
}

#[tokio::test]
async fn outputs_are_counted_with_the_bytes_that_were_answered() {
    let service = Service::start();
    let device = faulty("cisco_ios", &[]).await;
    let mut body =
        json!({"devices": [entry(&device, "ios")], "commands": ["show version", "show clock"]});
    let mut answered = 0;
    for format in ["raw", "parsed"] {
        body["output_format"] = json!(format);
        let (status, answer) = service.execute(&body).await;
        assert_eq!(status, 200, "{answer}");
        let commands = answer["results"][0]["commands"].as_array().unwrap();
        answered += commands.iter().map(|one| one["output"].as_str().unwrap().len()).sum::<usize>();
    }
    let text = metrics(&service, &service.url).await;
    let line = format!("showrunner_output_bytes_total {answered}");
    assert!(answered > 0 && text.lines().any(|found| found == line), "{line} is not in\n{text}");
}

#[tokio::test]
async fn metrics_can_have_a_port_of_their_own_or_be_off() {
    let service = Service::start_with(&[("SHOWRUNNER_METRICS_PORT", "0")]);
    let log = service.log();
    let port = log.lines().find_map(|line| line.split("metrics.port=").nth(1)).unwrap().trim();
    let beside = format!("http://127.0.0.1:{port}");
    assert!(metrics(&service, &beside).await.contains("showrunner_build_info"));
    let status =
        async |url: String| service.client.get(url).send().await.unwrap().status().as_u16();
    assert_eq!(status(format!("{}/metrics", service.url)).await, 404);
    assert_eq!(status(format!("{beside}/health/live")).await, 200);
    assert_eq!(status(format!("{beside}/api/v1/platforms")).await, 404);
    let without = Service::start_with(&[("SHOWRUNNER_ENABLE_METRICS", "false")]);
    assert_eq!(status(format!("{}/metrics", without.url)).await, 404);
}

/// Names of metrics in a text, without the endings of histograms.
fn named(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("showrunner_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn the_dashboard_and_the_alerts_name_only_metrics_that_exist() {
    let service = busy(&[]).await;
    let served = named(&metrics(&service, &service.url).await);
    for path in ["deploy/grafana-dashboard.json", "deploy/alerts.yml"] {
        let text = std::fs::read_to_string(path).unwrap();
        let wanted = named(&text);
        assert!(wanted.len() > 5, "{path}");
        let missing: Vec<_> = wanted.difference(&served).collect();
        assert!(missing.is_empty(), "{path} names {missing:?}");
    }
    let text = std::fs::read_to_string("deploy/grafana-dashboard.json").unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(dashboard["panels"].as_array().unwrap().len() > 10);
}

fn promtool(arguments: &[&str], input: &str) -> Option<(bool, String)> {
    let mut child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let answer = child.wait_with_output().unwrap();
    let said = [answer.stdout, answer.stderr].concat();
    Some((answer.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

#[tokio::test]
async fn promtool_finds_nothing_wrong_with_metrics_and_alerts() {
    let service = busy(&[]).await;
    let text = metrics(&service, &service.url).await;
    let Some((right, said)) = promtool(&["check", "metrics"], &text) else {
        println!("SKIPPED: no promtool here (Debian package prometheus)");
        return;
    };
    assert!(right && said.trim().is_empty(), "{said}");
    for arguments in
        [["check", "rules", "deploy/alerts.yml"], ["test", "rules", "fixtures/alerts_test.yml"]]
    {
        let (right, said) = promtool(&arguments, "").unwrap();
        assert!(right, "{said}");
    }
}
