//! Sends spans to a collector: OTLP over HTTP, as JSON, from a thread of its own.
//!
//! A collector that is slow or gone holds nobody up: spans that find no room are dropped and counted.

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::spans::{Span, attribute};
use crate::{metrics::Metrics, settings::Endpoint};

/// Batches that may wait.
const MOST_WAITING: usize = 1024;
/// Spans of one message.
const MOST_SPANS: usize = 512;
/// How long spans wait for others to go with them.
const GATHER: Duration = Duration::from_secs(1);
/// How long a collector may take.
const LIMIT: Duration = Duration::from_secs(5);
/// How long the end of the program waits for the last spans.
const LAST_SPANS: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(super) struct Exporter {
    queue: SyncSender<Message>,
    metrics: Metrics,
}

enum Message {
    Spans(Vec<Span>),
    /// All spans before this have been sent when this is answered.
    Flush(SyncSender<()>),
}

impl Exporter {
    pub(super) fn start(endpoint: &Endpoint, service: &str, metrics: Metrics) -> io::Result<Self> {
        let (queue, waiting) = sync_channel(MOST_WAITING);
        let sender = Sender {
            endpoint: endpoint.clone(),
            resource: json!({"service.name": service, "service.version": env!("CARGO_PKG_VERSION")}),
            metrics: metrics.clone(),
        };
        thread::Builder::new().name("traces".to_owned()).spawn(move || sender.run(&waiting))?;
        Ok(Self { queue, metrics })
    }

    pub(super) fn send(&self, spans: Vec<Span>) {
        let count = spans.len();
        if self.queue.try_send(Message::Spans(spans)).is_err() {
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
        if spans.is_empty() {
            return;
        }
        if let Err(error) = self.try_post(spans) {
            self.metrics.spans_dropped(spans.len());
            tracing::debug!(error = %error, n_spans = spans.len(), "spans were not taken");
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
        match status.get(9..10) {
            Some(b"2") => Ok(()),
            _ => Err(io::Error::other("the collector refused them")),
        }
    }
}
