//! Answers in pieces: each result when it is there, and a reader who takes his time.

use std::time::Duration;

use reqwest::Response;
use serde_json::{Value, json};
use showrunner::simulator::{FakeDevice, Fault};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpSocket, TcpStream},
};

use crate::support::{Service, entry, faulty, with};

const NDJSON: &str = "application/x-ndjson";
const EVENTS: &str = "text/event-stream";

async fn begin(service: &Service, accept: &str, query: &str, body: &Value) -> Response {
    let url = format!("{}/api/v1/execute{query}", service.url);
    service.client.post(url).header("Accept", accept).json(body).send().await.unwrap()
}

/// Reads an answer line by line.
struct Reader {
    response: Response,
    rest: Vec<u8>,
}

impl Reader {
    fn new(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        Self { response, rest: Vec::new() }
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.rest.iter().position(|b| *b == b'\n') {
                let line = self.rest.drain(..=at).collect::<Vec<_>>();
                return Some(String::from_utf8(line).unwrap().trim_end().to_owned());
            }
            self.rest.extend_from_slice(&self.response.chunk().await.unwrap()?);
        }
    }

    async fn object(&mut self) -> Value {
        serde_json::from_str(&self.line().await.expect("one more line")).unwrap()
    }
}

/// Reads a stream's lines on a connection that holds little on its way; the system would take half of it otherwise.
struct NarrowReader {
    stream: BufReader<TcpStream>,
    rest: Vec<u8>,
}

impl NarrowReader {
    async fn begin(service: &Service, body: &Value) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        let address = service.url.trim_start_matches("http://").parse().unwrap();
        let mut stream = BufReader::new(socket.connect(address).await.unwrap());
        let body = body.to_string();
        let request = format!(
            "POST /api/v1/execute HTTP/1.1\r\nHost: x\r\nAccept: {NDJSON}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        assert!(line.ends_with(" 200 OK\r\n"), "{line}");
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line).await.unwrap();
        }
        Self { stream, rest: Vec::new() }
    }

    async fn object(&mut self) -> Value {
        loop {
            if let Some(at) = self.rest.iter().position(|b| *b == b'\n') {
                let line = self.rest.drain(..=at).collect::<Vec<_>>();
                return serde_json::from_slice(&line).unwrap();
            }
            let mut length = String::new();
            self.stream.read_line(&mut length).await.unwrap();
            let length = usize::from_str_radix(length.trim_end(), 16).unwrap();
            assert!(length > 0, "one more line");
            let mut chunk = vec![0; length + 2];
            self.stream.read_exact(&mut chunk).await.unwrap();
            self.rest.extend_from_slice(&chunk[..length]);
        }
    }
}

fn entries(devices: &[FakeDevice]) -> Vec<Value> {
    devices.iter().map(|device| entry(device, "ios")).collect()
}

#[tokio::test]
async fn each_device_is_sent_when_it_is_done_and_a_summary_ends_the_stream() {
    let service = Service::start_with(&[("SHOWRUNNER_HANDSHAKE_TIMEOUT", "4")]);
    let (slow, quick) =
        (faulty("cisco_ios", &[Fault::SilentPort]).await, faulty("cisco_ios", &[]).await);
    let body = json!({"devices": [entry(&slow, "ios"), entry(&quick, "ios")], "commands": ["show version"]});
    let response = begin(&service, NDJSON, "", &body).await;
    assert_eq!(response.headers()["content-type"], NDJSON);
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let mut reader = Reader::new(response);
    let first = reader.object().await;
    assert_eq!((&first["type"], &first["index"]), (&json!("device"), &json!(1)), "{first}");
    assert_eq!((&first["success"], &first["port"]), (&json!(true), &json!(quick.addr().port())));
    assert!(first["commands"][0]["output"].as_str().unwrap().contains("Cisco IOS"), "{first}");
    assert_eq!(service.health().await["sessions_running"], 1, "the other was waited for");
    let second = reader.object().await;
    assert_eq!((&second["index"], &second["error_code"]), (&json!(0), &json!("banner_timeout")));
    let mut summary = reader.object().await;
    assert!(summary["duration_ms"].take().as_u64().unwrap() >= 3000);
    let want = json!({
        "type": "summary", "total_devices": 2, "successful_devices": 1, "failed_devices": 1,
        "duration_ms": null, "request_id": id
    });
    assert_eq!(summary, want);
    assert_eq!(reader.line().await, None);
}

#[tokio::test]
async fn each_command_is_sent_when_it_is_done_if_that_is_wanted() {
    let service = Service::start();
    let slow = faulty("cisco_ios", &[Fault::SlowOutput]).await;
    let body =
        json!({"devices": [entry(&slow, "ios")], "commands": ["show version", "show clock"]});
    let mut reader = Reader::new(begin(&service, NDJSON, "?granularity=command", &body).await);
    let first = reader.object().await;
    assert_eq!(service.health().await["sessions_running"], 1, "the session was waited for");
    let named = json!({
        "type": "command", "index": 0, "command_index": 0, "hostname": "127.0.0.1", "os": "ios",
        "port": slow.addr().port(), "command": "show version"
    });
    for (name, want) in named.as_object().unwrap() {
        assert_eq!(&first[name], want, "{first}");
    }
    assert!(first["output"].as_str().unwrap().contains("Cisco IOS"), "{first}");
    let second = reader.object().await;
    assert_eq!((&second["command_index"], &second["success"]), (&json!(1), &json!(true)));
    let device = reader.object().await;
    assert_eq!((&device["type"], &device["success"]), (&json!("device"), &json!(true)), "{device}");
    assert_eq!(device["commands"], json!([]));
    assert_eq!(reader.object().await["successful_devices"], 1);

    let frozen = faulty("cisco_ios", &[Fault::FrozenCommand]).await;
    let body = with(with(body, "devices", json!([entry(&frozen, "ios")])), "timeout", 1);
    let mut reader = Reader::new(begin(&service, NDJSON, "?granularity=command", &body).await);
    let codes =
        [reader.object().await, reader.object().await].map(|line| line["error_code"].clone());
    assert_eq!(codes, ["command_timeout", "not_run"]);
}

#[tokio::test]
async fn records_that_were_asked_for_are_said_to_be_missing_in_every_form() {
    let service = Service::start();
    let device = faulty("cisco_ios", &[]).await;
    let body = json!({
        "devices": [entry(&device, "ios")], "commands": ["show version"], "output_format": "parsed"
    });
    let (_, whole) = service.execute(&body).await;
    let mut whole = whole["results"][0]["commands"][0].clone();
    let mut reader = Reader::new(begin(&service, NDJSON, "?granularity=command", &body).await);
    let mut piece = reader.object().await;
    for command in [&mut whole, &mut piece] {
        command["duration_ms"].take();
    }
    for (name, want) in whole.as_object().unwrap() {
        assert_eq!(&piece[name], want, "{piece}");
    }
}

#[tokio::test]
async fn events_carry_the_same_objects_and_say_that_the_stream_is_alive() {
    let service = Service::start_with(&[
        ("SHOWRUNNER_STREAM_HEARTBEAT", "1"),
        ("SHOWRUNNER_HANDSHAKE_TIMEOUT", "4"),
    ]);
    let slow = faulty("cisco_ios", &[Fault::SilentPort]).await;
    let body = json!({"devices": [entry(&slow, "ios")], "commands": ["show version"]});
    let response = begin(&service, EVENTS, "", &body).await;
    assert_eq!(response.headers()["content-type"], EVENTS);
    let text = response.text().await.unwrap();
    let (comments, events): (Vec<_>, Vec<_>) =
        text.split_terminator("\n\n").partition(|block| block.starts_with(':'));
    assert!(comments.len() >= 2, "{text}");
    let objects: Vec<Value> = events
        .iter()
        .map(|event| {
            let (kind, data) = event.split_once('\n').unwrap();
            let object: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!(kind, format!("event: {}", object["type"].as_str().unwrap()));
            object
        })
        .collect();
    assert_eq!(objects.len(), 2, "{text}");
    assert_eq!(objects[0]["error_code"], "banner_timeout");
    assert_eq!(objects[1]["failed_devices"], 1);
}

#[tokio::test]
async fn a_request_that_is_refused_is_refused_before_the_stream_begins() {
    let service = Service::start();
    let device = faulty("cisco_ios", &[]).await;
    let good = json!({"devices": [entry(&device, "ios")], "commands": ["show version"]});
    let bad = with(good.clone(), "commands", json!(["reload"]));
    for (accept, query, body, place) in [
        (NDJSON, "", &bad, "body"),
        (NDJSON, "?granularity=byte", &good, "query"),
        ("*/*", "?granularity=byte", &good, "query"),
    ] {
        let answer = begin(&service, accept, query, body).await;
        assert_eq!(answer.status(), 422, "{accept} {query}");
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["detail"][0]["loc"][0], place, "{answer}");
    }
    assert_eq!(device.most_open_sessions(), 0);
    let empty = json!({"devices": [], "commands": []});
    let text = begin(&service, NDJSON, "", &empty).await.text().await.unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[tokio::test]
async fn a_caller_of_before_there_were_chunks_reads_until_the_end_of_the_connection() {
    let service = Service::start();
    let device = faulty("cisco_ios", &[]).await;
    let body =
        json!({"devices": [entry(&device, "ios")], "commands": ["show version"]}).to_string();
    let request = format!(
        "POST /api/v1/execute HTTP/1.0\r\nConnection: keep-alive\r\nAccept: {NDJSON}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(service.url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, lines) = answer.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("http/1.0 200"), "{head}");
    for name in ["transfer-encoding", "content-length", "keep-alive"] {
        assert!(!head.contains(name), "{name}: {head}");
    }
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[1]["successful_devices"], 1);
}

#[tokio::test]
async fn a_caller_who_hangs_up_in_the_middle_of_a_stream_ends_its_sessions() {
    let service = Service::start();
    for (accept, query) in [(NDJSON, ""), (NDJSON, "?granularity=command"), (EVENTS, "")] {
        let (slow, quick) =
            (faulty("cisco_ios", &[Fault::FrozenCommand]).await, faulty("cisco_ios", &[]).await);
        let body = json!({
            "devices": [entry(&slow, "ios"), entry(&quick, "ios")], "commands": ["show version"], "timeout": 60
        });
        let mut reader = Reader::new(begin(&service, accept, query, &body).await);
        reader.line().await.unwrap();
        service.wait_for("sessions_running", 1).await;
        drop(reader);
        let gone = std::time::Instant::now();
        service.wait_for("sessions_running", 0).await;
        assert!(gone.elapsed() < Duration::from_secs(3), "{accept}{query}: {:?}", gone.elapsed());
    }
}

#[tokio::test]
async fn a_slow_reader_holds_up_his_own_request_only_and_loses_nothing() {
    const DEVICES: usize = 60;
    const BYTES: usize = 1_000_000;
    let service = Service::start_with(&[
        ("SHOWRUNNER_MAX_CONCURRENT_DEVICES", "4"),
        ("SHOWRUNNER_MAX_REQUEST_OUTPUT_BYTES", "16000000"),
        ("SHOWRUNNER_QUEUE_TIMEOUT", "10"),
    ]);
    let mut devices = Vec::new();
    for _ in 0..DEVICES {
        devices.push(faulty("cisco_ios", &[]).await);
    }
    let body = json!({
        "devices": entries(&devices), "commands": [format!("show simulator bytes {BYTES}")]
    });
    let mut reader = NarrowReader::begin(&service, &body).await;
    // Nobody reads: sessions go on until the bound is reached, and no further.
    let mut waiting = 0;
    for _ in 0..3000 {
        let health = service.health().await;
        waiting = usize::try_from(health["devices_waiting"].as_u64().unwrap()).unwrap();
        // No session runs before the first one either.
        if health["sessions_running"] == 0 && (1..DEVICES).contains(&waiting) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(waiting > 10, "{waiting} of {DEVICES} wait for the reader");
    let other = faulty("cisco_ios", &[]).await;
    let result = service.read(entry(&other, "ios"), &["show version"]).await;
    assert_eq!(result["success"], true, "{result}");
    // Longer than a device waits for its turn: that the reader is slow costs it nothing.
    tokio::time::sleep(Duration::from_millis(10_500)).await;
    let mut seen = [false; DEVICES];
    for _ in 0..DEVICES {
        let line = reader.object().await;
        let command = &line["commands"][0];
        assert_eq!((&line["success"], &command["truncated"]), (&json!(true), &json!(false)));
        assert_eq!(command["output"].as_str().unwrap().len(), BYTES);
        seen[usize::try_from(line["index"].as_u64().unwrap()).unwrap()] = true;
    }
    assert!(seen.iter().all(|seen| *seen));
    assert_eq!(reader.object().await["successful_devices"], DEVICES);
}

#[tokio::test]
async fn the_description_of_the_interface_has_the_streams_and_their_lines() {
    let service = Service::start();
    let url = format!("{}/openapi.json", service.url);
    let document: Value = service.client.get(url).send().await.unwrap().json().await.unwrap();
    let execute = &document["paths"]["/api/v1/execute"]["post"];
    for kind in [NDJSON, EVENTS] {
        let schema = &execute["responses"]["200"]["content"][kind]["schema"]["$ref"];
        assert_eq!(schema, "#/components/schemas/StreamLine", "{kind}");
    }
    let lines = document["components"]["schemas"]["StreamLine"]["oneOf"].as_array().unwrap();
    assert_eq!(lines.len(), 3);
    assert_eq!(execute["parameters"][0]["schema"]["enum"], json!(["device", "command"]));
}
