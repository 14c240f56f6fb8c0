//! Spans, and how those of a device come out of its outcome.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use crate::outcome::{CommandOutcome, DeviceOutcome, Timing};

/// OTLP's kinds.
pub(super) const INTERNAL: u8 = 1;
pub(super) const SERVER: u8 = 2;
pub(super) const CLIENT: u8 = 3;

/// A piece of work with its times.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) trace_id: String,
    pub(super) id: String,
    pub(super) parent_id: Option<String>,
    pub(super) name: String,
    pub(super) kind: u8,
    pub(super) began: SystemTime,
    pub(super) ended: SystemTime,
    /// The error's code, if it failed.
    pub(super) error: Option<String>,
    /// An object.
    pub(super) attributes: Value,
}

impl Span {
    /// As OTLP's JSON has it.
    pub(super) fn json(&self) -> Value {
        let nanos = |at: SystemTime| {
            at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
        };
        let attributes: Vec<Value> =
            self.attributes.as_object().into_iter().flatten().map(attribute).collect();
        let mut span = json!({
            "traceId": self.trace_id,
            "spanId": self.id,
            "name": self.name,
            "kind": self.kind,
            "startTimeUnixNano": nanos(self.began),
            "endTimeUnixNano": nanos(self.ended),
            "attributes": attributes,
            "status": match &self.error {
                Some(code) => json!({"code": 2, "message": code}),
                None => json!({}),
            },
        });
        if let (Some(span), Some(parent)) = (span.as_object_mut(), &self.parent_id) {
            span.insert("parentSpanId".to_owned(), parent.clone().into());
        }
        span
    }
}

/// A name and a value as OTLP's JSON has them.
pub(super) fn attribute((key, value): (&String, &Value)) -> Value {
    let value = match value {
        Value::Number(number) => json!({"intValue": number.to_string()}),
        Value::String(text) => json!({"stringValue": text}),
        other => json!({"stringValue": other.to_string()}),
    };
    json!({"key": key, "value": value})
}

/// Random hexadecimal digits, at most 32.
pub(super) fn new_id(digits: usize) -> String {
    uuid::Uuid::new_v4().simple().to_string().chars().rev().take(digits).collect()
}

/// What a command's spans are made of: its outcome without the output.
#[derive(Debug)]
pub(super) struct Step {
    command: String,
    output_bytes: usize,
    duration: Duration,
    error: Option<&'static str>,
    parse: Option<Parse>,
}

#[derive(Debug)]
struct Parse {
    duration: Duration,
    template: String,
    has_failed: bool,
}

impl Step {
    pub(super) fn of(outcome: &CommandOutcome) -> Self {
        let parsed = |duration| {
            let template = outcome.parser.as_ref().and_then(|parser| parser.template.as_deref());
            let template = template.unwrap_or_default().to_owned();
            Parse { duration, template, has_failed: outcome.parse_error.is_some() }
        };
        Self {
            command: outcome.command.clone(),
            output_bytes: outcome.output_bytes,
            duration: outcome.duration,
            error: outcome.failure.as_ref().map(|failure| failure.code),
            parse: outcome.parse_duration.map(parsed),
        }
    }
}

/// The span of a device and those of its phases and commands under it.
///
/// Waiting and resolving are laid from the beginning, everything else from the end back: between them a device may
/// wait for another session of its own.
pub(super) fn of_device(
    trace_id: &str,
    parent_id: &str,
    outcome: &DeviceOutcome,
    steps: &[Step],
) -> Vec<Span> {
    let Timing { queue, resolve, jump, connect, handshake, authenticate, prompt, commands, logout } =
        outcome.timing;
    let ended = outcome.ended;
    let before = |at: SystemTime, took: Duration| at.checked_sub(took).unwrap_or(at);
    let began = before(ended, outcome.duration + queue.unwrap_or_default());
    let session = Span {
        trace_id: trace_id.to_owned(),
        id: new_id(16),
        parent_id: Some(parent_id.to_owned()),
        name: "device.session".to_owned(),
        kind: CLIENT,
        began,
        ended,
        error: outcome.failure.as_ref().map(|failure| failure.code.to_owned()),
        attributes: json!({
            "server.address": outcome.hostname,
            "server.port": outcome.port,
            "device.os": outcome.os,
        }),
    };
    let mut phases = Vec::new();
    let mut phase =
        |name: &str, began: SystemTime, took: Duration, attributes: Value, error: Option<&str>| {
            phases.push(Span {
                trace_id: trace_id.to_owned(),
                id: new_id(16),
                parent_id: Some(session.id.clone()),
                name: name.to_owned(),
                kind: INTERNAL,
                began,
                ended: began + took,
                error: error.map(str::to_owned),
                attributes,
            });
        };
    let none = || Value::Object(Map::new());
    let mut at = began;
    for (name, took) in [("device.queue", queue), ("device.resolve", resolve)] {
        if let Some(took) = took {
            phase(name, at, took, none(), None);
            at += took;
        }
    }
    let last = [jump, connect, handshake, authenticate, prompt, commands, logout];
    let parses = steps.iter().filter_map(|step| step.parse.as_ref()).map(|parse| parse.duration);
    // Outputs are parsed when the session is over.
    let over = before(ended, parses.sum());
    at = before(over, last.into_iter().flatten().sum()).max(at);
    for (name, took) in [
        ("device.jump", jump),
        ("device.connect", connect),
        ("device.handshake", handshake),
        ("device.authenticate", authenticate),
        ("device.prompt", prompt),
    ] {
        if let Some(took) = took {
            phase(name, at, took, none(), None);
            at += took;
        }
    }
    for step in steps.iter().filter(|step| step.error != Some("not_run")) {
        let attributes = json!({"command": step.command, "output_bytes": step.output_bytes});
        phase("device.command", at, step.duration, attributes, step.error);
        at += step.duration;
    }
    if let Some(took) = logout {
        phase("device.logout", at, took, none(), None);
    }
    at = over;
    for step in steps {
        if let Some(parse) = &step.parse {
            let attributes = json!({"command": step.command, "template": parse.template});
            let error = parse.has_failed.then_some("parse_failed");
            phase("device.parse", at, parse.duration, attributes, error);
            at += parse.duration;
        }
    }
    phases.push(session);
    phases
}
