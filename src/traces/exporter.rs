//! Sends spans to a collector: OTLP over HTTP, as JSON, from a thread of its own.
//!
//! A collector that is slow or gone holds nobody up: spans that find no room are dropped and counted.

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::spans::{Span, attribute};
use crate::{metrics::Metrics, settings::Endpoint};

/// Batches that may wait.
const MOST_WAITING: usize = 1024;
/// Spans that may wait in all of them; about 30 MiB.
const MOST_SPANS_WAITING: usize = 65_536;
/// Spans of one message.
const MOST_SPANS: usize = 512;
/// Bytes of an answer that are read, which nobody looks at.
const MOST_ANSWER_BYTES: u64 = 64 * 1024;
/// How long spans wait for others to go with them.
const GATHER: Duration = Duration::from_secs(1);
/// How long a collector may take.
const LIMIT: Duration = Duration::from_secs(5);
/// How long the end of the program waits for the last spans.
const LAST_SPANS: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(super) struct Exporter {
    queue: SyncSender<Message>,
    waiting: Arc<AtomicUsize>,
    metrics: Metrics,
}

enum Message {
    Spans(Vec<Span>),
    /// All spans before this have been sent when this is answered.
    Flush(SyncSender<()>),
}

impl Exporter {
    pub(super) fn start(endpoint: &Endpoint, service: &str, metrics: Metrics) -> io::Result<Self> {
        let (queue, messages) = sync_channel(MOST_WAITING);
        let waiting = Arc::<AtomicUsize>::default();
        let sender = Sender {
            endpoint: endpoint.clone(),
            waiting: Arc::clone(&waiting),
            resource: json!({"service.name": service, "service.version": env!("CARGO_PKG_VERSION")}),
            metrics: metrics.clone(),
        };
        thread::Builder::new().name("traces".to_owned()).spawn(move || sender.run(&messages))?;
        Ok(Self { queue, waiting, metrics })
    }

    pub(super) fn send(&self, spans: Vec<Span>) {
        let count = spans.len();
        let before = self.waiting.fetch_add(count, Ordering::Relaxed);
        if before + count > MOST_SPANS_WAITING
            || self.queue.try_send(Message::Spans(spans)).is_err()
        {
            self.waiting.fetch_sub(count, Ordering::Relaxed);
            self.metrics.spans_dropped(count);
        }
    }

    pub(super) fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.queue.try_send(Message::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(LAST_SPANS);
        }
    }
}

struct Sender {
    endpoint: Endpoint,
    /// Spans that were taken and have not been sent.
    waiting: Arc<AtomicUsize>,
    resource: Value,
    metrics: Metrics,
}

impl Sender {
    fn run(&self, waiting: &Receiver<Message>) {
        let mut spans = Vec::new();
        let mut due = None;
        loop {
            let wait = due.map_or(Duration::from_secs(3600), |due: Instant| {
                due.saturating_duration_since(Instant::now())
            });
            match waiting.recv_timeout(wait) {
                Ok(Message::Spans(more)) => {
                    spans.extend(more);
                    due.get_or_insert_with(|| Instant::now() + GATHER);
                    if spans.len() < MOST_SPANS {
                        continue;
                    }
                }
                Ok(Message::Flush(done)) => {
                    self.post(&mut spans);
                    let _ = done.send(());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.post(&mut spans),
            }
            self.post(&mut spans);
            due = None;
        }
    }

    fn post(&self, spans: &mut Vec<Span>) {
        // Collectors refuse messages of many megabytes.
        for some in spans.chunks(MOST_SPANS) {
            if let Err(error) = self.try_post(some) {
                self.metrics.spans_dropped(some.len());
                tracing::debug!(error = %error, n_spans = some.len(), "spans were not taken");
            }
            self.waiting.fetch_sub(some.len(), Ordering::Relaxed);
        }
        spans.clear();
    }

    fn try_post(&self, spans: &[Span]) -> io::Result<()> {
        let resource: Vec<Value> =
            self.resource.as_object().into_iter().flatten().map(attribute).collect();
        let spans: Vec<Value> = spans.iter().map(Span::json).collect();
        let body = json!({"resourceSpans": [{
            "resource": {"attributes": resource},
            "scopeSpans": [{"scope": {"name": "showrunner"}, "spans": spans}],
        }]})
        .to_string();
        let Endpoint { host, port, path } = &self.endpoint;
        let addr =
            (host.as_str(), *port).to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
        let mut stream = TcpStream::connect_timeout(&addr, LIMIT)?;
        stream.set_write_timeout(Some(LIMIT))?;
        stream.set_read_timeout(Some(LIMIT))?;
        let head = format!(
            "POST {path}/v1/traces HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.endpoint.authority(),
            body.len(),
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        let is_taken = status.get(9..10) == Some(b"2");
        // To the end: a connection that is closed before is reset, and collectors log that.
        let _ = io::copy(&mut stream.take(MOST_ANSWER_BYTES), &mut io::sink());
        if is_taken { Ok(()) } else { Err(io::Error::other("the collector refused them")) }
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, time::SystemTime};

    use super::*;
    use crate::traces::spans::INTERNAL;

    fn spans(count: usize) -> Vec<Span> {
        let span = Span {
            trace_id: "a".repeat(32),
            id: "b".repeat(16),
            parent_id: None,
            name: "device.command".to_owned(),
            kind: INTERNAL,
            began: SystemTime::UNIX_EPOCH,
            ended: SystemTime::UNIX_EPOCH,
            error: None,
            attributes: json!({}),
        };
        vec![span; count]
    }

    #[test]
    fn spans_that_a_silent_collector_does_not_take_are_bounded_and_counted() {
        // Its connections are made and never answered.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
        let metrics = Metrics::new();
        let exporter = Exporter::start(&endpoint, "test", metrics.clone()).unwrap();
        for _ in 0..100 {
            exporter.send(spans(1000));
        }
        let waiting = exporter.waiting.load(Ordering::Relaxed);
        assert!((1..=MOST_SPANS_WAITING).contains(&waiting), "{waiting}");
        let text = String::from_utf8(metrics.text()).unwrap();
        let dropped =
            text.lines().find_map(|line| line.strip_prefix("showrunner_spans_dropped_total "));
        let dropped: usize = dropped.unwrap().parse().unwrap();
        assert!(dropped >= 100_000 - MOST_SPANS_WAITING, "{dropped}");
    }
}
