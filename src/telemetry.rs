//! Log lines: where they go and how they look. Not here: what is logged (at the boundary of each room, once).

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::settings::{LogFormat, Settings};

/// Starts logging to standard error. A second call changes nothing.
pub fn start(settings: &Settings) {
    let filter =
        EnvFilter::try_new(settings.log_level.as_str()).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    let started = match settings.log_format {
        LogFormat::Json => {
            registry.with(lines.json().flatten_event(true).with_span_list(false)).try_init()
        }
        LogFormat::Text => {
            registry.with(lines.with_ansi(std::io::stderr().is_terminal())).try_init()
        }
    };
    // Tests start more than one service in a process: the first one's logging stays.
    drop(started);
}
