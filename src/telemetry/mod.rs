//! Log lines: where they go and how they look. Not here: what is logged (at the boundary of each room, once).

mod json;
pub mod lines;
pub mod rolling;
mod text;

use std::{
    cell::RefCell,
    io::{IsTerminal as _, stderr},
    time::UNIX_EPOCH,
};

use tracing::{Metadata, level_filters::LevelFilter};
use tracing_subscriber::{
    Registry,
    filter::{Targets, filter_fn},
    fmt::{
        self,
        format::{JsonFields, Writer},
        time::{FormatTime as _, SystemTime},
    },
    layer::SubscriberExt as _,
    reload,
    util::SubscriberInitExt as _,
};

use self::{
    json::FlatJson,
    lines::Lines,
    rolling::RollingFile,
    text::{PlainFields, PlainText},
};
use crate::{
    metrics::Metrics,
    settings::{LogFormat, LogLevel, Settings},
};

/// The running log; when it goes, the lines that still wait are written.
pub struct Log {
    levels: Levels,
    lines: Lines,
}

/// Which lines are written, to be changed while they are.
#[derive(Clone)]
pub struct Levels(reload::Handle<Targets, Registry>);

impl Levels {
    /// Changes which lines are written from now on.
    pub fn set(&self, level: &LogLevel) {
        // Fails only when logging has ended.
        let _ = self.0.reload(filter(level));
    }
}

/// The present moment as log lines have it: RFC 3339, UTC.
#[must_use]
pub fn now() -> String {
    let mut text = String::new();
    put_now(&mut text);
    text
}

/// Writes the present moment. Of many lines in a second only the first has its date made.
fn put_now(line: &mut String) {
    thread_local! {
        static SECOND: RefCell<(u64, String)> = RefCell::default();
    }
    let since_1970 = || UNIX_EPOCH.elapsed().unwrap_or_default();
    let now = since_1970();
    SECOND.with_borrow_mut(|(second, date)| {
        if *second != now.as_secs() {
            let mut text = String::new();
            // A text takes everything.
            let _ = SystemTime.format_time(&mut Writer::new(&mut text));
            if since_1970().as_secs() != now.as_secs() {
                // Which second it is of cannot be told.
                line.push_str(&text);
                return;
            }
            text.truncate(text.find('.').unwrap_or(text.len()));
            (*second, *date) = (now.as_secs(), text);
        }
        line.push_str(date);
        // Six digits behind the one that is left out.
        let mut digits = itoa::Buffer::new();
        let micros = digits.format(1_000_000 + now.subsec_micros());
        line.push('.');
        line.push_str(micros.get(1..).unwrap_or_default());
        line.push('Z');
    });
}

/// Starts logging to the settings' file, or to standard error. A second call in a process changes nothing.
///
/// # Errors
/// The file cannot be written.
pub fn start(settings: &Settings, metrics: &Metrics) -> std::io::Result<Log> {
    let dropped = metrics.clone();
    let on_drop = move || dropped.log_lines_dropped(1);
    let lines = match &settings.log_file {
        Some(path) => {
            let file = RollingFile::open(path, settings.log_rotation, settings.log_retention)?;
            Lines::start("log", file, on_drop)?
        }
        None => Lines::start("log", stderr(), on_drop)?,
    };
    let (filter, handle) = reload::Layer::new(filter(&settings.log_level));
    let registry = tracing_subscriber::registry().with(filter).with(filter_fn(is_harmless));
    let layer = fmt::layer().with_writer(lines.clone());
    let started = match settings.log_format {
        LogFormat::Json => {
            registry.with(layer.fmt_fields(JsonFields::new()).event_format(FlatJson)).try_init()
        }
        LogFormat::Text => {
            let colour = settings.log_file.is_none() && stderr().is_terminal();
            let layer = layer.with_ansi(colour).fmt_fields(PlainFields).event_format(PlainText);
            registry.with(layer).try_init()
        }
    };
    // Tests start more than one service in a process: the first one's logging stays.
    drop(started);
    Ok(Log { levels: Levels(handle), lines })
}

/// Writes to standard error what whoever sits at the machine must know of credential sets, and nothing else.
pub fn start_for_operator() {
    let layer = fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal());
    let layer = layer.without_time().with_target(false);
    let filter = Targets::new().with_target("showrunner::executor::keyring", LevelFilter::WARN);
    // What was started before stays.
    let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
}

impl Log {
    /// Which lines are written, to be changed later.
    #[must_use]
    pub fn levels(&self) -> Levels {
        self.levels.clone()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.lines.flush();
    }
}

/// False for what writes down the bytes that it sends: they are secrets of Vault's, whatever the level is.
fn is_harmless(of: &Metadata<'_>) -> bool {
    !of.target().starts_with("ureq")
}

fn filter(level: &LogLevel) -> Targets {
    level.as_str().parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO))
}
