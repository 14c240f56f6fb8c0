//! SIGHUP: reads the settings again and puts what may change in place, all of it or nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use actix_web::{
    rt::signal::unix::{Signal, SignalKind, signal},
    web::Data,
};
use tokio::{sync::oneshot, time::timeout};

use super::{StartError, definitions, remark};
use crate::{
    http::{App, Limits},
    settings::{Settings, Sources},
    telemetry::Levels,
    tls::Tls,
};

/// How long files may take to be read.
const PATIENCE: Duration = Duration::from_secs(10);

/// One reading of the settings; over when another begins, or nobody waits any more.
struct Turn {
    turns: Arc<AtomicUsize>,
    number: usize,
}

impl Turn {
    fn next(turns: &Arc<AtomicUsize>) -> Self {
        let number = turns.fetch_add(1, Ordering::SeqCst) + 1;
        Self { turns: Arc::clone(turns), number }
    }

    fn is_over(&self) -> bool {
        self.turns.load(Ordering::SeqCst) != self.number
    }
}

/// SIGHUP is told from now on, and ends the process no more.
pub(super) fn listen() -> Result<Signal, StartError> {
    signal(SignalKind::hangup()).map_err(StartError::Signals)
}

/// Waits for SIGHUP for as long as the service runs.
pub(super) async fn run(
    mut hangup: Signal,
    app: Data<App>,
    sources: Sources,
    levels: Levels,
    tls: Option<Tls>,
) {
    let mut present = app.settings.clone();
    let turns = Arc::new(AtomicUsize::new(0));
    while hangup.recv().await.is_some() {
        // A file system that hangs must not keep the process from being told to end: not here, and on no thread that is
        // waited for.
        let (done, reloaded) = oneshot::channel();
        let (app, sources, levels) = (app.clone(), sources.clone(), levels.clone());
        let (tls, before, turn) = (tls.clone(), present.clone(), Turn::next(&turns));
        let thread = thread::Builder::new().name("reload".to_owned()).spawn(move || {
            let _ = done.send(reload(&app, &sources, &levels, tls.as_ref(), &before, &turn));
        });
        let reloaded = match thread {
            Ok(_) => match timeout(PATIENCE, reloaded).await {
                Ok(reloaded) => reloaded.unwrap_or_else(|_| Err("it came to no end".to_owned())),
                Err(_late) => {
                    Turn::next(&turns);
                    Err(format!("reading them takes longer than {} s", PATIENCE.as_secs()))
                }
            },
            Err(error) => Err(error.to_string()),
        };
        match reloaded {
            Ok(settings) => present = settings,
            Err(error) => {
                tracing::error!(error, "settings were not reloaded; the old ones stay");
            }
        }
    }
}

/// The settings that are in force afterwards.
fn reload(
    app: &App,
    sources: &Sources,
    levels: &Levels,
    tls: Option<&Tls>,
    present: &Settings,
    turn: &Turn,
) -> Result<Settings, String> {
    let settings = sources.load().map_err(|error| error.to_string())?.settings;
    let (registry, access, ssh) = definitions(&settings).map_err(|error| error.to_string())?;
    let read = Tls::load(&settings).map_err(|error| error.to_string())?;
    if turn.is_over() {
        return Err("they were read too late".to_owned());
    }
    if let (Some(tls), Some(read)) = (tls, &read) {
        tls.take_over(read);
    }
    app.registry.replace(registry);
    app.access.replace(access);
    remark(&ssh);
    app.ssh.replace(ssh);
    app.reader.catalog().reload();
    levels.set(&settings.log_level);
    let rates = |settings: &Settings| (settings.rate_limit_default, settings.rate_limit_execute);
    // Clients keep their buckets as long as the rates are the same.
    if rates(&settings) != rates(present) {
        app.limits.replace(Limits::new(&settings, &app.metrics));
    }
    let needs_restart = changed_for_restart(&app.settings, &settings);
    if needs_restart.is_empty() {
        tracing::info!("settings were reloaded");
    } else {
        tracing::warn!(
            settings = needs_restart.join(", "),
            "settings were reloaded, but these need a restart"
        );
    }
    Ok(settings)
}

/// Settings that are not those the service started with, and are read only then.
fn changed_for_restart(started: &Settings, now: &Settings) -> Vec<&'static str> {
    let fixed: Vec<_> =
        Settings::rows().into_iter().filter(|row| !row.reloads).map(|row| row.name).collect();
    // Other files are read, but a listener speaks TLS from its beginning or never.
    let is_switched =
        |name: &str, was_set: bool, is_set: bool| name.starts_with("tls_") && was_set != is_set;
    started
        .values()
        .into_iter()
        .zip(now.values())
        .filter(|((name, before), (_, after))| {
            let is_fixed =
                fixed.contains(name) || is_switched(name, before.is_some(), after.is_some());
            before != after && is_fixed
        })
        .map(|((name, _), _)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_certificates_need_no_restart_but_switching_tls_does() {
        let set = |file: Option<&str>| Settings {
            tls_cert_file: file.map(Into::into),
            tls_key_file: file.map(Into::into),
            ..Settings::default()
        };
        let (off, on, other) = (set(None), set(Some("a")), set(Some("b")));
        assert!(changed_for_restart(&on, &other).is_empty());
        assert_eq!(changed_for_restart(&off, &on), ["tls_cert_file", "tls_key_file"]);
        let slow = Settings { head_timeout: 7, ..Settings::default() };
        assert_eq!(changed_for_restart(&off, &slow), ["head_timeout"]);
    }
}
