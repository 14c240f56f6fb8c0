//! What is counted, for Prometheus. No label has values that callers choose: routes, platforms, rules and error codes
//! are all names of our own.
//!
//! Not here: when things are counted (each room does that at its boundary) and who may read them (`http`).

use std::{sync::Arc, time::Duration};

use prometheus::{
    Encoder as _, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder, core::Collector, process_collector::ProcessCollector,
};

use crate::{
    command::Rule,
    outcome::{CommandOutcome, DeviceOutcome, Timing},
};

/// Upper bounds in seconds, from a cached answer to the longest request.
const SECONDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// Everything that is counted; clones count together.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Families>);

#[derive(Debug)]
struct Families {
    registry: Registry,
    http_requests: IntCounterVec,
    http_duration: HistogramVec,
    http_in_flight: IntGauge,
    rate_limited: IntCounterVec,
    authentication_failures: IntCounter,
    refused: IntCounterVec,
    sessions: IntCounterVec,
    sessions_running: IntGauge,
    sessions_waiting: IntGauge,
    sessions_max: IntGauge,
    phases: HistogramVec,
    commands: IntCounterVec,
    command_duration: Histogram,
    parses: IntCounterVec,
    parse_duration: Histogram,
    output_bytes: IntCounter,
    log_lines_dropped: IntCounter,
    spans_dropped: IntCounter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let made = Maker(&registry);
        let metrics = Self(Arc::new(Families {
            http_requests: made.counters(
                "http_requests_total",
                "HTTP requests by route and status.",
                &["route", "status"],
            ),
            http_duration: made.histograms(
                "http_request_duration_seconds",
                "Time from a request's head to its answer's head; of streams, to their end.",
                &["route", "status"],
            ),
            http_in_flight: made.gauge("http_requests_in_flight", "HTTP requests being answered."),
            rate_limited: made.counters(
                "rate_limited_total",
                "Requests answered with 429, by endpoint class.",
                &["class"],
            ),
            authentication_failures: made.counter(
                "authentication_failures_total",
                "Requests without an API key that is known.",
            ),
            refused: made.counters(
                "commands_refused_total",
                "Commands that the read-only gate refused, by rule.",
                &["rule"],
            ),
            sessions: made.counters(
                "device_sessions_total",
                "Device sessions by platform and outcome: ok or an error code.",
                &["platform", "outcome"],
            ),
            sessions_running: made.gauge("device_sessions_running", "Device sessions that run."),
            sessions_waiting: made
                .gauge("device_sessions_waiting", "Devices that wait for a session's place."),
            sessions_max: made
                .gauge("device_sessions_max", "Device sessions that may run at one time."),
            phases: made.histograms(
                "device_phase_duration_seconds",
                "Time that device sessions spend in each phase, waiting included.",
                &["phase"],
            ),
            commands: made.counters(
                "commands_total",
                "Commands by platform and outcome: ok or an error code.",
                &["platform", "outcome"],
            ),
            command_duration: made.histogram(
                "command_duration_seconds",
                "Time from a command's being sent to its prompt's being back.",
            ),
            parses: made.counters(
                "parses_total",
                "Outputs that records were asked of, by outcome.",
                &["outcome"],
            ),
            parse_duration: made
                .histogram("parse_duration_seconds", "Time that a parse of one output takes."),
            output_bytes: made.counter("output_bytes_total", "Bytes of output that were answered."),
            log_lines_dropped: made.counter(
                "log_lines_dropped_total",
                "Log lines that were dropped because nobody took them fast enough.",
            ),
            spans_dropped: made
                .counter("spans_dropped_total", "Spans of traces that the collector did not take."),
            registry: registry.clone(),
        }));
        let build =
            made.gauges("build_info", "Always 1; the version is in its label.", &["version"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        made.register(ProcessCollector::for_self());
        // What has not happened yet is 0, not missing: alerts compare it.
        for rule in Rule::ALL {
            metrics.0.refused.with_label_values(&[rule.name()]);
        }
        for outcome in ["ok", "failed"] {
            metrics.0.parses.with_label_values(&[outcome]);
        }
        metrics
    }

    /// Everything in Prometheus' text form.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        // Fails only for two families of one name, which registering refuses.
        let _ = TextEncoder::new().encode(&self.0.registry.gather(), &mut text);
        text
    }

    /// The media type of [`text`](Self::text).
    pub const MEDIA_TYPE: &str = prometheus::TEXT_FORMAT;

    /// A request has come; it is in flight until what is given back is dropped.
    #[must_use]
    pub fn request(&self) -> InFlight {
        self.0.http_in_flight.inc();
        InFlight(self.0.http_in_flight.clone())
    }

    /// A request was answered. `route` is a pattern of ours, never the path that was asked for.
    pub fn answered(&self, route: &str, status: u16, took: Duration) {
        let mut digits = itoa::Buffer::new();
        let labels = &[route, digits.format(status)];
        self.0.http_requests.with_label_values(labels).inc();
        self.0.http_duration.with_label_values(labels).observe(took.as_secs_f64());
    }

    /// Requests whose answer has not been handed over in full.
    #[must_use]
    pub fn requests_in_flight(&self) -> i64 {
        self.0.http_in_flight.get()
    }

    /// A client had sent too many requests of a class.
    pub fn rate_limited(&self, class: &'static str) {
        self.0.rate_limited.with_label_values(&[class]).inc();
    }

    /// A request had no API key, or none that is known.
    pub fn authentication_failed(&self) {
        self.0.authentication_failures.inc();
    }

    /// The gate refused a command.
    pub fn refused(&self, rule: Rule) {
        self.0.refused.with_label_values(&[rule.name()]).inc();
    }

    /// Device sessions that may run at one time.
    pub fn set_sessions_max(&self, most: usize) {
        self.0.sessions_max.set(count(most));
    }

    /// How many device sessions run and how many devices wait for one, as the queue has them: as `/health` says it.
    pub fn set_sessions(&self, running: usize, waiting: usize) {
        self.0.sessions_running.set(count(running));
        self.0.sessions_waiting.set(count(waiting));
    }

    /// A device of a request; what it comes to is said to what is given back.
    #[must_use]
    pub fn device(&self, platform: &str) -> DeviceSession {
        DeviceSession { metrics: self.clone(), platform: platform.to_owned(), done: false }
    }

    /// A command of a device session is done, and what was to be read out of it has been.
    pub fn command(&self, platform: &str, command: &CommandOutcome) {
        let code = command.failure.as_ref().map_or("ok", |failure| failure.code);
        self.0.commands.with_label_values(&[platform, code]).inc();
        if code != "not_run" {
            self.0.command_duration.observe(command.duration.as_secs_f64());
        }
        self.0.output_bytes.inc_by(u64::try_from(command.output_bytes).unwrap_or(0));
        if let Some(took) = command.parse_duration {
            self.parsed(command.parsed.is_some(), took);
        }
    }

    /// Records were asked of an output.
    pub fn parsed(&self, has_records: bool, took: Duration) {
        let outcome = if has_records { "ok" } else { "failed" };
        self.0.parses.with_label_values(&[outcome]).inc();
        self.0.parse_duration.observe(took.as_secs_f64());
    }

    /// Log lines dropped since the last call.
    pub fn log_lines_dropped(&self, lines: u64) {
        self.0.log_lines_dropped.inc_by(lines);
    }

    /// Spans that the collector did not take.
    pub fn spans_dropped(&self, spans: usize) {
        self.0.spans_dropped.inc_by(u64::try_from(spans).unwrap_or(0));
    }

    fn count_phases(&self, timing: &Timing) {
        let phases = [
            ("queue", timing.queue),
            ("resolve", timing.resolve),
            ("jump", timing.jump),
            ("connect", timing.connect),
            ("handshake", timing.handshake),
            ("authenticate", timing.authenticate),
            ("prompt", timing.prompt),
            ("commands", timing.commands),
            ("logout", timing.logout),
        ];
        for (phase, took) in phases {
            if let Some(took) = took {
                self.0.phases.with_label_values(&[phase]).observe(took.as_secs_f64());
            }
        }
    }
}

/// A request whose answer has not been handed over in full.
#[derive(Debug)]
pub struct InFlight(IntGauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A device of a request, to its end; dropped before that it counts as cancelled.
#[derive(Debug)]
pub struct DeviceSession {
    metrics: Metrics,
    platform: String,
    done: bool,
}

impl DeviceSession {
    /// It has ended by itself.
    pub fn ended(mut self, outcome: &DeviceOutcome) {
        self.done = true;
        let code = outcome.failure.as_ref().map_or("ok", |failure| failure.code);
        self.count(code);
        self.metrics.count_phases(&outcome.timing);
    }

    fn count(&self, outcome: &str) {
        self.metrics.0.sessions.with_label_values(&[self.platform.as_str(), outcome]).inc();
    }
}

impl Drop for DeviceSession {
    fn drop(&mut self) {
        if !self.done {
            self.count("cancelled");
        }
    }
}

/// Makes metrics with the program's prefix and registers them.
struct Maker<'a>(&'a Registry);

impl Maker<'_> {
    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.keep(IntCounter::with_opts(Self::opts(name, help)))
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.keep(IntCounterVec::new(Self::opts(name, help), labels))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.keep(IntGauge::with_opts(Self::opts(name, help)))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.keep(IntGaugeVec::new(Self::opts(name, help), labels))
    }

    fn histogram(&self, name: &str, help: &str) -> Histogram {
        let opts = HistogramOpts::from(Self::opts(name, help)).buckets(SECONDS.to_vec());
        self.keep(Histogram::with_opts(opts))
    }

    fn histograms(&self, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
        let opts = HistogramOpts::from(Self::opts(name, help)).buckets(SECONDS.to_vec());
        self.keep(HistogramVec::new(opts, labels))
    }

    fn opts(name: &str, help: &str) -> Opts {
        Opts::new(name, help).namespace("showrunner")
    }

    fn keep<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        #[expect(
            clippy::expect_used,
            reason = "every name is written in this file and read by the first test"
        )]
        let made = made.expect("names and labels of our own are valid");
        self.register(made.clone());
        made
    }

    fn register(&self, collector: impl Collector + 'static) {
        // Refuses only a second family of one name.
        let _ = self.0.register(Box::new(collector));
    }
}

/// As gauges count.
fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(metrics: &Metrics, name: &str) -> Option<String> {
        let text = String::from_utf8(metrics.text()).unwrap();
        text.lines().find(|line| line.starts_with(name)).map(str::to_owned)
    }

    #[test]
    fn a_device_is_counted_once_however_it_ends() {
        let metrics = Metrics::new();
        drop(metrics.device("cisco_ios"));
        drop(metrics.device("cisco_ios"));
        assert_eq!(
            line(&metrics, "showrunner_device_sessions_total{").unwrap(),
            r#"showrunner_device_sessions_total{outcome="cancelled",platform="cisco_ios"} 2"#
        );
    }

    #[test]
    fn what_has_not_happened_is_zero_and_not_missing() {
        let metrics = Metrics::new();
        for rule in Rule::ALL {
            let name = format!("showrunner_commands_refused_total{{rule=\"{}\"}}", rule.name());
            assert_eq!(line(&metrics, &name).unwrap(), format!("{name} 0"));
        }
        assert!(line(&metrics, "process_open_fds").is_some());
    }
}
