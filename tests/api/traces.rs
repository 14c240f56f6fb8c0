//! Spans at a collector: the request under its caller's span, devices under the request, phases under the device.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};
use showrunner::simulator::{DeviceOptions, Fault};

use crate::support::{Service, device, entry, faulty};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Takes what is posted and gives the bodies on.
fn collector() -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/otlp", listener.local_addr().unwrap());
    let (send, bodies) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(&stream);
            let mut length = 0;
            let mut line = String::new();
            let mut path = String::new();
            while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
                if line.starts_with("POST") {
                    path.clone_from(&line);
                }
                if let Some(value) = line.strip_prefix("Content-Length: ") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            assert!(path.starts_with("POST /otlp/v1/traces "), "{path}");
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
            if send.send(serde_json::from_slice(&body).unwrap()).is_err() {
                return;
            }
        }
    });
    (url, bodies)
}

fn attribute<'a>(span: &'a Value, key: &str) -> &'a Value {
    let found = span["attributes"].as_array().unwrap().iter().find(|one| one["key"] == key);
    let value = &found.unwrap_or_else(|| panic!("no {key}: {span}"))["value"];
    value.as_object().unwrap().values().next().unwrap()
}

fn nanos(span: &Value, name: &str) -> u128 {
    span[name].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_request_its_devices_and_their_phases_are_spans_of_the_callers_trace() {
    let (url, bodies) = collector();
    let mut service = Service::start_with(&[("SHOWRUNNER_OTLP_ENDPOINT", &url)]);
    let (good, bad) =
        (faulty("cisco_ios", &[]).await, faulty("cisco_ios", &[Fault::AuthDenied]).await);
    let body = json!({
        "devices": [entry(&good, "ios"), entry(&bad, "ios")],
        "commands": ["show version", "show nonsense"]
    });
    let mut outputs = [0; 2];
    for flags in ["01", "00"] {
        let request = service.client.post(format!("{}/api/v1/execute", service.url)).json(&body);
        let request = request.header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-{flags}"));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        let answer: Value = answer.json().await.unwrap();
        outputs = [0, 1]
            .map(|index| answer["results"][0]["commands"][index]["output"].as_str().unwrap().len());
    }
    service.signal(Signal::TERM);
    assert_eq!(service.exit_code().await, Some(0));
    let mut spans = Vec::new();
    while let Ok(body) = bodies.recv_timeout(Duration::from_millis(500)) {
        let resource = &body["resourceSpans"][0];
        assert_eq!(attribute(&resource["resource"], "service.name"), "Showrunner");
        spans.extend(resource["scopeSpans"][0]["spans"].as_array().unwrap().clone());
    }
    // What the caller did not want recorded is not here.
    assert!(spans.iter().all(|span| span["traceId"] == TRACE), "{spans:?}");
    let named =
        |name: &str| -> Vec<&Value> { spans.iter().filter(|span| span["name"] == name).collect() };
    let request = named("/api/v1/execute");
    assert_eq!((request.len(), &request[0]["parentSpanId"]), (1, &json!("00f067aa0ba902b7")));
    assert_eq!(attribute(request[0], "http.response.status_code"), "200");
    let devices = named("device.session");
    assert_eq!(devices.len(), 2);
    for device in &devices {
        assert_eq!(device["parentSpanId"], request[0]["spanId"]);
        let phases: Vec<_> =
            spans.iter().filter(|span| span["parentSpanId"] == device["spanId"]).collect();
        assert!(phases.len() >= 4, "{phases:?}");
        for phase in phases {
            assert!(nanos(phase, "startTimeUnixNano") <= nanos(phase, "endTimeUnixNano"));
            // A millisecond for the hand-over between threads.
            let slack = 1_000_000;
            assert!(
                nanos(phase, "startTimeUnixNano") + slack >= nanos(device, "startTimeUnixNano")
            );
            assert!(nanos(phase, "endTimeUnixNano") <= nanos(device, "endTimeUnixNano") + slack);
        }
    }
    let errors: Vec<_> = devices.iter().map(|device| &device["status"]["message"]).collect();
    assert!(
        errors.contains(&&json!("auth_rejected")) && errors.contains(&&Value::Null),
        "{errors:?}"
    );
    let commands = named("device.command");
    assert_eq!(commands.len(), 2);
    assert_eq!(attribute(commands[0], "command"), "show version");
    for (command, bytes) in commands.iter().zip(outputs) {
        assert_eq!(attribute(command, "output_bytes"), &json!(bytes.to_string()));
    }
    assert_eq!(commands[1]["status"]["message"], "cli_error");
    for (phase, count) in [
        ("device.queue", 2),
        ("device.connect", 2),
        ("device.authenticate", 2),
        ("device.prompt", 1),
    ] {
        assert_eq!(named(phase).len(), count, "{phase}");
    }
    assert!(
        !spans.iter().any(|span| span.to_string().contains("C2960X")),
        "an output is in a span"
    );
}

#[tokio::test]
async fn an_answer_in_pieces_has_the_same_spans_and_its_request_ends_last() {
    let (url, bodies) = collector();
    let mut service = Service::start_with(&[("SHOWRUNNER_OTLP_ENDPOINT", &url)]);
    let latency = Duration::from_millis(50);
    let slow = device("cisco_ios", DeviceOptions { latency, ..DeviceOptions::default() }).await;
    let body =
        json!({"devices": [entry(&slow, "ios")], "commands": ["show version", "show nonsense"]});
    for granularity in ["device", "command"] {
        let url = format!("{}/api/v1/execute?granularity={granularity}", service.url);
        let request = service.client.post(url).header("Accept", "application/x-ndjson");
        assert!(
            request.json(&body).send().await.unwrap().text().await.unwrap().contains("summary")
        );
    }
    service.signal(Signal::TERM);
    assert_eq!(service.exit_code().await, Some(0));
    let mut spans: Vec<Value> = Vec::new();
    while let Ok(body) = bodies.recv_timeout(Duration::from_millis(500)) {
        let some = &body["resourceSpans"][0]["scopeSpans"][0]["spans"];
        spans.extend(some.as_array().unwrap().clone());
    }
    let named =
        |name: &str| -> Vec<&Value> { spans.iter().filter(|span| span["name"] == name).collect() };
    assert_eq!(named("device.command").len(), 4, "{spans:?}");
    let failed = |span: &&&Value| span["status"]["message"] == "cli_error";
    assert_eq!(named("device.command").iter().filter(failed).count(), 2);
    for request in named("/api/v1/execute") {
        let of_it = |device: &&&Value| device["parentSpanId"] == request["spanId"];
        let devices = named("device.session");
        let device = devices.iter().find(of_it).unwrap();
        assert!(nanos(device, "endTimeUnixNano") <= nanos(request, "endTimeUnixNano"));
    }
    assert_eq!(named("/api/v1/execute").len(), 2);
}

#[tokio::test]
async fn a_collector_that_is_gone_costs_spans_and_nothing_else() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{gone}");
    let service = Service::start_with(&[("SHOWRUNNER_OTLP_ENDPOINT", &url)]);
    let device = faulty("cisco_ios", &[]).await;
    let body = json!({"devices": [entry(&device, "ios")], "commands": ["show version"]});
    assert_eq!(service.execute(&body).await.1["successful_devices"], 1);
    for _ in 0..500 {
        let metrics = service.client.get(format!("{}/metrics", service.url)).send().await.unwrap();
        let text = metrics.text().await.unwrap();
        let lost =
            text.lines().find_map(|line| line.strip_prefix("showrunner_spans_dropped_total "));
        if lost.is_some_and(|lost| lost != "0") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the lost spans were not counted");
}
