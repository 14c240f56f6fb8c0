//! Traces: the request, its devices and their phases as spans, sent to an OTLP collector if the settings name one.
//!
//! A caller's W3C `traceparent` is taken up. The spans of a device are made when it has ended, out of the times that
//! its outcome has anyway: a session itself knows nothing of traces.

mod exporter;
mod spans;

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use serde_json::json;

use self::{
    exporter::Exporter,
    spans::{Span, Step},
};
use crate::{executor::Delivered, metrics::Metrics, outcome::DeviceOutcome, settings::Settings};

/// The trace that a request belongs to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TraceContext {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// The request's own span, 16 hexadecimal digits.
    span_id: String,
    /// The caller's span.
    parent_id: Option<String>,
    /// The caller wants it recorded; true without a caller's word.
    is_sampled: bool,
}

impl TraceContext {
    /// The caller's trace, or a new one if `traceparent` is missing or not well formed.
    #[must_use]
    pub fn of(traceparent: Option<&str>) -> Self {
        Self::of_caller(traceparent).unwrap_or_else(|| Self {
            trace_id: spans::new_id(32),
            span_id: spans::new_id(16),
            parent_id: None,
            is_sampled: true,
        })
    }

    /// The caller's trace; `None` if `traceparent` is missing or not well formed.
    #[must_use]
    pub fn of_caller(traceparent: Option<&str>) -> Option<Self> {
        let (trace, parent, flags) = well_formed(traceparent?)?;
        Some(Self {
            trace_id: trace.to_owned(),
            span_id: spans::new_id(16),
            parent_id: Some(parent.to_owned()),
            is_sampled: u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1),
        })
    }

    /// What log lines have of it; `None` if the request belongs to none.
    #[must_use]
    pub fn shown_id(&self) -> Option<&str> {
        Some(self.trace_id.as_str()).filter(|id| !id.is_empty())
    }
}

/// Trace, span and flags of a `traceparent`: version, 32 digits that are not all 0, 16 of them, flags.
fn well_formed(parent: &str) -> Option<(&str, &str, &str)> {
    let hex = |part: &str, digits: usize| {
        part.len() == digits && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let mut parts = parent.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let (span, flags) = (parts.next()?, parts.next()?);
    let digits = hex(version, 2) && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
    // Later versions may say more behind the flags.
    let known = version == "00" && parts.next().is_none() || version != "00" && version != "ff";
    let is_set = |id: &str| id.bytes().any(|b| b != b'0');
    (digits && known && is_set(trace) && is_set(span)).then_some((trace, span, flags))
}

/// Where spans go; nowhere if the settings name no collector. Clones lead to the same place.
#[derive(Clone)]
pub struct Traces(Option<Exporter>);

impl Traces {
    /// Starts sending to the settings' collector.
    ///
    /// # Errors
    /// No thread could be made.
    pub fn start(settings: &Settings, metrics: &Metrics) -> std::io::Result<Self> {
        let endpoint = settings.otlp_endpoint.as_ref();
        let start = |endpoint| Exporter::start(endpoint, &settings.title, metrics.clone());
        Ok(Self(endpoint.map(start).transpose()?))
    }

    /// True if spans go anywhere.
    #[must_use]
    pub fn are_sent(&self) -> bool {
        self.0.is_some()
    }

    /// A request has been answered, which took so long; its span ends when what is given back is dropped.
    #[must_use]
    pub fn request(
        &self,
        trace: &TraceContext,
        route: &str,
        status: u16,
        took: Duration,
    ) -> RequestSpan {
        let exporter = self.0.as_ref().filter(|_| trace.is_sampled);
        RequestSpan(exporter.map(|exporter| {
            let attributes = json!({"http.route": route, "http.response.status_code": status});
            let now = SystemTime::now();
            let began = now.checked_sub(took).unwrap_or(now);
            let span = Span {
                trace_id: trace.trace_id.clone(),
                id: trace.span_id.clone(),
                parent_id: trace.parent_id.clone(),
                name: route.to_owned(),
                kind: spans::SERVER,
                began,
                ended: began,
                error: (status >= 500).then(|| status.to_string()),
                attributes,
            };
            (exporter.clone(), span)
        }))
    }

    /// Devices of a request have ended.
    pub fn devices(&self, trace: &TraceContext, outcomes: &[DeviceOutcome]) {
        self.send(trace, || {
            let of = |outcome: &DeviceOutcome| {
                let steps: Vec<Step> = outcome.commands.iter().map(Step::of).collect();
                spans::of_device(&trace.trace_id, &trace.span_id, outcome, &steps)
            };
            outcomes.iter().flat_map(of).collect()
        });
    }

    /// The devices of a request whose answer is sent piece by piece.
    #[must_use]
    pub fn devices_in_pieces(&self, trace: TraceContext) -> DevicesInPieces {
        DevicesInPieces { traces: self.clone(), trace, steps: HashMap::new() }
    }

    /// Waits, but not for ever, until every span has been sent.
    pub fn flush(&self) {
        if let Some(exporter) = &self.0 {
            exporter.flush();
        }
    }

    fn send(&self, trace: &TraceContext, spans: impl FnOnce() -> Vec<Span>) {
        if let Some(exporter) = self.0.as_ref().filter(|_| trace.is_sampled) {
            exporter.send(spans());
        }
    }
}

/// A request's span, until its answer has left or its caller has gone.
pub struct RequestSpan(Option<(Exporter, Span)>);

impl Drop for RequestSpan {
    fn drop(&mut self) {
        if let Some((exporter, mut span)) = self.0.take() {
            span.ended = SystemTime::now();
            exporter.send(vec![span]);
        }
    }
}

/// Devices as they end, whose commands may have been delivered before them.
pub struct DevicesInPieces {
    traces: Traces,
    trace: TraceContext,
    /// Of devices that are not done.
    steps: HashMap<usize, Vec<Step>>,
}

impl DevicesInPieces {
    /// Takes what spans need of a result.
    pub fn note(&mut self, delivered: &Delivered) {
        if !self.traces.are_sent() || !self.trace.is_sampled {
            return;
        }
        match delivered {
            Delivered::Command { device, outcome, .. } => {
                self.steps.entry(*device).or_default().push(Step::of(outcome));
            }
            Delivered::Device { device, outcome } => {
                let mut steps = self.steps.remove(device).unwrap_or_default();
                steps.extend(outcome.commands.iter().map(Step::of));
                let TraceContext { trace_id, span_id, .. } = &self.trace;
                let spans = || spans::of_device(trace_id, span_id, outcome, &steps);
                self.traces.send(&self.trace, spans);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn only_a_well_formed_trace_is_taken_up() {
        for (good, is_sampled) in [
            (format!("00-{TRACE}-00f067aa0ba902b7-01"), true),
            (format!("00-{TRACE}-00f067aa0ba902b7-00"), false),
            (format!("cc-{TRACE}-00f067aa0ba902b7-01-what-the-future-brings"), true),
        ] {
            let trace = TraceContext::of(Some(&good));
            assert_eq!((trace.trace_id.as_str(), trace.is_sampled), (TRACE, is_sampled), "{good}");
            assert_eq!(trace.parent_id.as_deref(), Some("00f067aa0ba902b7"));
        }
        for bad in [
            String::new(),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{TRACE}\"}}-00f067aa0ba902b7-01"),
        ] {
            let trace = TraceContext::of(Some(&bad));
            assert!(trace.parent_id.is_none() && trace.trace_id != TRACE, "{bad}");
            assert_eq!((trace.trace_id.len(), trace.span_id.len()), (32, 16));
        }
    }
}
