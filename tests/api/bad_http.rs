//! What is no proper HTTP, too slow, too much or too deep: a clear status, nothing lost, and health goes on.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{Service, entry, faulty};

/// Sends bytes as they are and gives back everything that comes until the service hangs up.
fn raw(service: &Service, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(service.url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // The service may hang up in the middle of what it does not want.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /api/v1/execute HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn sized(body: &[u8]) -> Vec<u8> {
    post(&format!("Content-Length: {}\r\n", body.len()), body)
}

#[test]
fn what_is_not_proper_is_refused_with_a_status() {
    let service = Service::start_with(&[("SHOWRUNNER_MAX_BODY_BYTES", "2097152")]);
    let many_headers = "X-Many: 1\r\n".repeat(200);
    let long_header = format!("X-Long: {}\r\n", "a".repeat(200_000));
    let deep = "[".repeat(100_000);
    let two_mib = [b"\"", "x".repeat(2 * 1024 * 1024 - 2).as_bytes(), b"\""].concat();
    let twice = br#"{"devices": [], "commands": [], "devices": []}"#;
    let cases: [(&str, Vec<u8>, &str); 15] = [
        ("two lengths", post("Content-Length: 2\r\nContent-Length: 3\r\n", b"{}"), "400"),
        (
            "length and chunks",
            post("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
            "400",
        ),
        ("no number", post("Content-Length: 2x\r\n", b"{}"), "400"),
        ("a minus", post("Content-Length: -1\r\n", b"{}"), "400"),
        ("bad chunk", post("Transfer-Encoding: chunked\r\n", b"zz\r\n{}\r\n"), "400"),
        (
            "a line end in a header",
            post("X-Request-ID: a\nb\r\nContent-Length: 2\r\n", b"{}"),
            "400",
        ),
        ("200 headers", post(&(many_headers + "Content-Length: 2\r\n"), b"{}"), "431"),
        ("a header of 200 kB", post(&(long_header + "Content-Length: 2\r\n"), b"{}"), "431"),
        ("nested 100,000 deep", sized(deep.as_bytes()), "400"),
        ("a name twice", sized(twice), "400"),
        ("invalid UTF-8", sized(b"{\"devices\": \"\xff\xfe\"}"), "400"),
        ("half a surrogate", sized(br#"{"devices": "\ud800"}"#), "400"),
        ("2 MiB of text", sized(&two_mib), "422"),
        ("a length beyond, and no byte yet", post("Content-Length: 2097153\r\n", b""), "413"),
        ("one byte more", sized(&[&two_mib[..], b" "].concat()), "413"),
    ];
    for (name, bytes, want) in cases {
        let answer = raw(&service, &bytes);
        assert_eq!(status(&answer), want, "{name}: {answer:.300}");
    }
    // A program that writes its JSON token by token is not meant.
    let chunks = |count: usize| {
        let chunks = b"1\r\n \r\n".repeat(count);
        post("Transfer-Encoding: chunked\r\n", &[&chunks, &b"2\r\n{}\r\n0\r\n\r\n"[..]].concat())
    };
    assert_eq!(status(&raw(&service, &chunks(5_000))), "422");
    let crumbs = raw(&service, &chunks(50_000));
    assert!(status(&crumbs) == "400" && crumbs.contains("chunks_too_small"), "{crumbs}");
    let said = raw(&service, &sized(twice));
    assert!(said.contains("a name twice in one object at line 1"), "{said}");
}

#[tokio::test]
async fn a_large_body_is_read_like_a_small_one() {
    let service = Service::start();
    let device = faulty("cisco_ios", &[]).await;
    let blanks = " ".repeat(200_000);
    let send = async |body: &Value| {
        let request = service.client.post(format!("{}/api/v1/execute", service.url));
        let request = request.header("content-type", "application/json");
        let answer = request.body(format!("{blanks}{body}")).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let body = json!({"devices": [entry(&device, "ios")], "commands": ["show version"]});
    let (status, answer) = send(&body).await;
    assert_eq!((status, &answer["successful_devices"]), (200, &json!(1)), "{answer}");
    let body = json!({"devices": [entry(&device, "ios")], "commands": ["reload"]});
    let (small, large) = (service.execute(&body).await, send(&body).await);
    assert_eq!((small.0, &small.1["detail"]), (large.0, &large.1["detail"]));
    let metrics = service.client.get(format!("{}/metrics", service.url)).send().await.unwrap();
    let counted = r#"showrunner_commands_refused_total{rule="read_verb"} 2"#;
    assert!(metrics.text().await.unwrap().contains(counted));
}

#[test]
fn nothing_of_a_request_becomes_a_header_of_its_answer() {
    let service = Service::start();
    for (name, bytes) in [
        ("path", b"GET /x%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec()),
        ("redirect", b"GET /docs?%0d%0aSet-Cookie:a HTTP/1.1\r\nHost: x%0d%0aSet-Cookie: a\r\nConnection: close\r\n\r\n".to_vec()),
        ("id", b"GET / HTTP/1.1\r\nHost: x\r\nX-Request-ID: a%0d%0aSet-Cookie: a=b\r\nConnection: close\r\n\r\n".to_vec()),
        ("host name", sized(br#"{"devices": [{"hostname": "a\r\nSet-Cookie: x", "username": "u", "password": "p", "os": "i\r\nSet-Cookie: y"}], "commands": ["show version\r\nSet-Cookie: z"]}"#)),
    ] {
        let answer = raw(&service, &bytes);
        let head = answer.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 ") && !head.contains("set-cookie"), "{name}: {head}");
    }
    assert!(
        !service.log().lines().any(|line| line.starts_with("Set-Cookie")),
        "a log line was forged"
    );
}

#[test]
fn heads_and_bodies_that_drip_are_given_up_on() {
    let service =
        Service::start_with(&[("SHOWRUNNER_HEAD_TIMEOUT", "1"), ("SHOWRUNNER_BODY_TIMEOUT", "1")]);
    let addr = service.url.trim_start_matches("http://");
    let drip = |begin: &[u8], byte: &[u8]| {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.write_all(begin).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let (mut answer, mut buffer) = (Vec::new(), [0; 1024]);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            let _ = stream.write_all(byte);
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => answer.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_reset) => break,
            }
        }
        (String::from_utf8_lossy(&answer).into_owned(), begun.elapsed())
    };
    let (answer, took) = drip(b"GET /health HTTP/1.1\r\nX-A: ", b"a");
    assert!(took < Duration::from_secs(15), "{took:?}");
    assert_eq!(status(&answer), "408", "{answer}");
    // Also where nothing at all comes behind the head, or behind the first byte.
    for (begin, byte) in [(&b"{"[..], &b" "[..]), (b"{", b""), (b"", b"")] {
        let (answer, took) = drip(&post("Content-Length: 100000\r\n", begin), byte);
        assert!(took < Duration::from_secs(15), "{took:?}");
        assert_eq!(status(&answer), "408", "{answer}");
        assert!(answer.contains("body_timeout"), "{answer}");
    }
}

#[test]
fn a_body_that_nobody_wants_is_not_read_for_ever() {
    let service = Service::start();
    for (path, want) in [("/nowhere", "404"), ("/health", "405"), ("/api/v1/execute", "415")] {
        let mut stream = TcpStream::connect(service.url.trim_start_matches("http://")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), format!("HTTP/1.1 {want}"), "{path}");
        // The answer is there, and the sender goes on.
        let piece = [b"10000\r\n".as_slice(), &vec![b'x'; 65536], b"\r\n"].concat();
        let begun = Instant::now();
        while stream.write_all(&piece).is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(30), "{path}: it reads on and on");
        }
    }
}

#[test]
fn bodies_on_their_way_hold_no_more_than_their_budget() {
    let service = Service::start_with(&[
        ("SHOWRUNNER_MAX_BODIES_BYTES", "100000"),
        ("SHOWRUNNER_BODY_TIMEOUT", "60"),
    ]);
    let small = sized(&[b"\"", "x".repeat(20_000).as_bytes(), b"\""].concat());
    let tries = || (0..500).map(|_| std::thread::park_timeout(Duration::from_millis(10)));
    // Which of the two comes too late is not said: until it is the small one, both are sent again.
    let busy = tries().find_map(|()| {
        let mut holding = TcpStream::connect(service.url.trim_start_matches("http://")).unwrap();
        let body = [b"\"", "x".repeat(90_000).as_bytes()].concat();
        holding.write_all(&post("Content-Length: 95000\r\n", &body)).unwrap();
        std::thread::park_timeout(Duration::from_millis(10));
        Some(raw(&service, &small)).filter(|answer| status(answer) == "503")
    });
    let busy = busy.expect("bodies may hold more than their budget");
    assert!(busy.contains("\"busy\"") && busy.contains("retry-after: 1"), "{busy}");
    let free = tries().any(|()| status(&raw(&service, &small)) == "422");
    assert!(free, "a caller who hung up holds his bytes");
}

#[tokio::test]
async fn a_caller_who_takes_nothing_of_his_answer_is_given_up_on() {
    let service = Service::start_with(&[("SHOWRUNNER_WRITE_TIMEOUT", "1")]);
    let device = faulty("cisco_ios", &[]).await;
    // More than the buffers between the two take.
    let commands = ["show simulator lines 100000"; 4].to_vec();
    let body = json!({"devices": [entry(&device, "ios")], "commands": commands}).to_string();
    let stream = TcpStream::connect(service.url.trim_start_matches("http://")).unwrap();
    rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 4096).unwrap();
    (&stream).write_all(&sized(body.as_bytes())).unwrap();
    let in_flight = async || {
        let url = format!("{}/metrics", service.url);
        let text = service.client.get(url).send().await.unwrap().text().await.unwrap();
        let name = "showrunner_http_requests_in_flight ";
        let count = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let answered = text.contains(r#"{route="/api/v1/execute",status="200"} 1"#);
        (count.parse::<u64>().unwrap(), answered)
    };
    // The request that asks is one of them.
    let mut held = false;
    for _ in 0..1500 {
        match in_flight().await {
            (2, true) => held = true,
            (1, true) if held => return,
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("held: {held}; the answer of a caller who takes nothing is kept");
}

fn resident_kib(service: &Service) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn thousands_of_idle_and_dripping_connections_keep_nobody_out_and_cost_little() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
    let wanted = most.unwrap_or(u64::MAX).saturating_sub(1000).min(10_000);
    // Slow heads have half a minute: they are there for the whole test.
    let service = Service::start_with(&[
        ("SHOWRUNNER_HEAD_TIMEOUT", "60"),
        ("SHOWRUNNER_BODY_TIMEOUT", "60"),
    ]);
    let addr = service.url.trim_start_matches("http://").to_owned();
    let before = resident_kib(&service);
    let mut connections = Vec::new();
    for number in 0..wanted {
        let mut stream = TcpStream::connect(&addr).unwrap();
        match number % 3 {
            0 => {}
            1 => stream.write_all(b"GET /health HTTP/1.1\r\nX-A: a").unwrap(),
            _ => stream.write_all(&post("Content-Length: 1000\r\n", b"{")).unwrap(),
        }
        connections.push(stream);
    }
    let device = faulty("cisco_ios", &[]).await;
    let body = json!({"devices": [entry(&device, "ios")], "commands": ["show version"]});
    // Meanwhile others send what is too deep, too large or no JSON, as fast as they can.
    let hostile = [
        format!("[{}{{}}]", "{},".repeat(500_000)),
        "[".repeat(100_000),
        format!("\"{}\"", "x".repeat(2 * 1024 * 1024 - 2)),
        format!("{{{}", "\"a\": 1, ".repeat(50_000)),
        " ".repeat(3 * 1024 * 1024),
    ];
    let floods = hostile.map(|body| {
        let (client, url) = (service.client.clone(), format!("{}/api/v1/execute", service.url));
        tokio::spawn(async move {
            loop {
                let request = client.post(&url).header("content-type", "application/json");
                // Over the limit it is hung up on in the middle of its body.
                if let Ok(answer) = request.body(body.clone()).send().await {
                    assert!(answer.status().is_client_error(), "{}", answer.status());
                }
            }
        })
    });
    let mut times = Vec::new();
    for number in 0..500 {
        let begun = Instant::now();
        let answer = service.client.get(format!("{}/health", service.url)).send().await.unwrap();
        assert_eq!(answer.json::<Value>().await.unwrap()["status"], "healthy");
        times.push(begun.elapsed());
        if number % 100 == 0 {
            assert_eq!(service.execute(&body).await.1["successful_devices"], 1);
        }
    }
    for flood in floods {
        assert!(!flood.is_finished(), "a flood was answered with something else");
        flood.abort();
    }
    times.sort();
    let (p99, grown) = (times[494], resident_kib(&service).saturating_sub(before));
    println!("{wanted} connections: /health p99 {p99:?}, memory grown by {grown} KiB");
    assert!(p99 < Duration::from_secs(1), "{p99:?}");
    // 32 KiB each would be twice what was measured.
    assert!(grown < wanted * 32 + 64 * 1024, "{grown} KiB for {wanted} connections");
}
