//! The audit stream: who asked what of which device, and what came of it, one JSON object a line.
//!
//! `asked` stands before the first connection, `device` behind each session, `refused` for what was not let through.
//! No line has a secret or an output. Where the stream is required, a request that it cannot keep is not carried out.

use std::{collections::HashMap, io::stdout, net::IpAddr, path::Path, sync::Arc};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    device::Login,
    executor::Delivered,
    metrics::Metrics,
    outcome::{CommandOutcome, DeviceOutcome, millis},
    plan::{DevicePlan, Jump, Plan},
    settings::Settings,
    telemetry::{self, lines::Lines, rolling::RollingFile},
};

/// Who is asking, for every line.
#[derive(Clone, Debug, Serialize)]
pub struct Asker {
    /// The request's id.
    pub request_id: String,
    /// Where it came from.
    pub client_address: Option<IpAddr>,
    /// The name of the API key it showed.
    pub client_key: Option<Arc<str>>,
}

/// The stream; off if the settings name no file.
#[derive(Clone)]
pub struct Audit {
    lines: Option<Lines>,
    is_required: bool,
}

/// The stream is required and does not take lines: the request was not carried out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the audit stream cannot be written")]
pub struct Unkept;

impl Audit {
    /// Opens the settings' file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn start(settings: &Settings, metrics: &Metrics) -> std::io::Result<Self> {
        let dropped = metrics.clone();
        let on_drop = move || dropped.log_lines_dropped(1);
        let lines = match settings.audit_file.as_deref() {
            None => None,
            Some(path) if path == Path::new("-") => Some(Lines::start("audit", stdout(), on_drop)?),
            Some(path) => {
                let file = RollingFile::open(path, settings.log_rotation, settings.log_retention)?;
                Some(Lines::start("audit", file, on_drop)?)
            }
        };
        Ok(Self { lines, is_required: settings.audit_required })
    }

    /// Notes what a request is about to do; the trail that is given back notes what came of it.
    ///
    /// # Errors
    /// The stream is required and this could not be kept. Nothing may be done then.
    pub async fn begin(&self, asker: Asker, plan: &Plan) -> Result<Trail, Unkept> {
        let mut trail = Trail::new(self.clone(), asker);
        let Some(lines) = &self.lines else {
            trail.is_over = true;
            return Ok(trail);
        };
        let mut text = Vec::new();
        // Devices that get the same commands stand in one line: it is no longer than the request was.
        for group in plan.devices.chunk_by(|one, next| commands(one).eq(commands(next))) {
            let Some(first) = group.first() else { continue };
            let devices: Vec<Value> = group.iter().map(device).collect();
            let commands: Vec<&str> = commands(first).collect();
            text.extend(trail.line("asked", json!({"devices": devices, "commands": commands})));
        }
        if self.is_required {
            let kept = lines.keep(&text).await;
            if let Err(error) = kept {
                trail.is_over = true;
                tracing::error!(error = %error, "the audit stream cannot be written; the request is refused");
                return Err(Unkept);
            }
        } else {
            lines.send(&text);
        }
        Ok(trail)
    }

    /// Notes a request that was not let through.
    pub fn refused(&self, asker: impl FnOnce() -> Asker, status: u16) {
        if let Some(lines) = &self.lines {
            let mut trail = Trail::new(self.clone(), asker());
            trail.finish();
            lines.send(&trail.line("refused", json!({"status": status})));
        }
    }

    /// Waits, but not for ever, until every line has been written.
    pub fn flush(&self) {
        if let Some(lines) = &self.lines {
            lines.flush();
        }
    }
}

/// The lines of one request that is being carried out; dropped before its end, it notes that nobody waited.
pub struct Trail {
    audit: Audit,
    asker: Asker,
    /// Of devices that are not done, how many commands came to what.
    commands: HashMap<usize, Map<String, Value>>,
    is_over: bool,
}

impl Trail {
    fn new(audit: Audit, asker: Asker) -> Self {
        Self { audit, asker, commands: HashMap::new(), is_over: false }
    }

    /// Notes what came of a device.
    pub fn came(&self, outcome: &DeviceOutcome) {
        self.note_device(outcome, Map::new());
    }

    /// The same, where some of its commands have been counted before.
    fn note_device(&self, outcome: &DeviceOutcome, counted: Map<String, Value>) {
        if self.is_over || self.audit.lines.is_none() {
            return;
        }
        let mut commands = counted;
        outcome.commands.iter().for_each(|command| count(&mut commands, command));
        self.send(&self.line("device", came_of(outcome, &commands)));
    }

    /// Notes a result of an answer that is sent piece by piece.
    pub fn note(&mut self, delivered: &Delivered) {
        if self.is_over {
            return;
        }
        match delivered {
            Delivered::Command { device, outcome, .. } => {
                count(self.commands.entry(*device).or_default(), outcome);
            }
            Delivered::Device { device, outcome } => {
                let counted = self.commands.remove(device).unwrap_or_default();
                self.note_device(outcome, counted);
            }
        }
    }

    /// Everything has been noted, or nothing was done.
    pub fn finish(&mut self) {
        self.is_over = true;
    }

    fn send(&self, text: &[u8]) {
        if let Some(lines) = &self.audit.lines {
            lines.send(text);
        }
    }

    fn line(&self, event: &str, fields: Value) -> Vec<u8> {
        let mut line = Map::new();
        line.insert("time".to_owned(), telemetry::now().into());
        line.insert("event".to_owned(), event.into());
        if let Ok(Value::Object(asker)) = serde_json::to_value(&self.asker) {
            line.extend(asker);
        }
        if let Value::Object(fields) = fields {
            line.extend(fields);
        }
        let mut text = Value::Object(line).to_string().into_bytes();
        text.push(b'\n');
        text
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        if !self.is_over {
            self.send(&self.line("cancelled", json!({"reason": "the caller went away"})));
        }
    }
}

fn commands(plan: &DevicePlan) -> impl Iterator<Item = &str> {
    plan.commands.iter().map(|planned| planned.command.display())
}

fn device(plan: &DevicePlan) -> Value {
    let device = &plan.device;
    let named = |login: &Login| login.set().map(|set| set.name.clone());
    let hops = match &plan.jump {
        Jump::Said(hops) => hops.iter().filter_map(|hop| named(&hop.login)).collect(),
        Jump::ByRule(_) => Vec::<String>::new(),
    };
    let line = json!({
        "host": device.host.as_str(),
        "port": device.port,
        "platform": device.platform.name(),
        "username": device.login.username(),
    });
    let Value::Object(mut line) = line else { return line };
    // Only where the operator's own secrets are used.
    line.extend(named(&device.login).map(|set| ("credential".to_owned(), set.into())));
    line.extend((!hops.is_empty()).then(|| ("jump_credentials".to_owned(), hops.into())));
    line.into()
}

fn count(commands: &mut Map<String, Value>, outcome: &CommandOutcome) {
    let code = outcome.failure.as_ref().map_or("ok", |failure| failure.code);
    let count = commands.entry(code).or_insert(0.into());
    *count = (count.as_u64().unwrap_or(0) + 1).into();
}

fn came_of(outcome: &DeviceOutcome, commands: &Map<String, Value>) -> Value {
    json!({
        "host": outcome.hostname,
        "port": outcome.port,
        "outcome": outcome.failure.as_ref().map_or("ok", |failure| failure.code),
        "commands": commands,
        "duration_ms": millis(outcome.duration),
    })
}
