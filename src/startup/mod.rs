//! Builds the service out of its settings and runs it until it is told to stop.

mod named;
mod process;
mod reload;
mod server;
mod stop;

use std::{path::PathBuf, time::Duration};

use actix_web::{dev::Server, rt, web::Data};

use self::{
    named::{Faults, Named},
    stop::{Signals, Stop},
};
pub use self::{
    named::{definitions, templates},
    process::{bound_heaps, keep_memory_private, raise_descriptor_limit},
};
use crate::{
    access::{Access, AccessError},
    audit::Audit,
    catalog::LibraryError,
    executor::{Executor, Reader},
    http::{App, BodyBudget, Draining, Limits},
    live::Live,
    metrics::Metrics,
    platform::DefinitionError,
    settings::{Settings, Sources, SshFileError},
    ssh::libssh2::missing_algorithms,
    ssh_policy::SshPolicy,
    telemetry::Levels,
    tls::TlsError,
    traces::Traces,
};

/// How often clients that are as good as new are forgotten.
const SWEEP: Duration = Duration::from_secs(30);

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {addr}: {source}; is another service there? {setting} takes another port"
    )]
    Listen {
        /// Host and port.
        addr: String,
        /// Where the port is said.
        setting: &'static str,
        /// The system's word for it.
        source: std::io::Error,
    },
    /// What listens cannot be served.
    #[error("cannot serve what listens: {source}")]
    Serve {
        /// The system's word for it, or TLS's.
        source: std::io::Error,
    },
    /// A platform definition is broken.
    #[error("platform definitions (SHOWRUNNER_PLATFORMS_DIR): {0}")]
    Platform(#[from] DefinitionError),
    /// The templates cannot be read.
    #[error("templates (SHOWRUNNER_TEMPLATES_DIR): {0}")]
    Templates(#[from] LibraryError),
    /// The audit stream cannot be written.
    #[error("SHOWRUNNER_AUDIT_FILE: the audit stream cannot be written: {0}")]
    Audit(std::io::Error),
    /// The system tells no signals.
    #[error("signals cannot be listened for: {0}")]
    Signals(std::io::Error),
    /// Nobody can send traces.
    #[error("traces cannot be sent: {0}")]
    Traces(std::io::Error),
    /// A file could not be written where a setting wants it.
    #[error("{setting}: there is no folder {}", .folder.display())]
    NoFolder {
        /// The variable.
        setting: String,
        /// The folder.
        folder: PathBuf,
    },
    /// A folder stands where a setting wants a file.
    #[error("{setting}: {} is a folder; name a file", .path.display())]
    NoFile {
        /// The variable.
        setting: String,
        /// What it names.
        path: PathBuf,
    },
    /// Two writers that would rename each other's file.
    #[error("SHOWRUNNER_LOG_FILE and SHOWRUNNER_AUDIT_FILE are one file; give each its own")]
    OneFile,
    /// More than one of these, or one.
    #[error("{}", lines(.0))]
    Several(Vec<StartError>),
    /// The files of TLS are none.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Nobody knows who may do what.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A file of SSH settings is none.
    #[error(transparent)]
    Ssh(#[from] SshFileError),
}

fn lines(faults: &[StartError]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// What a service begins with.
pub struct Start {
    /// The settings in force.
    pub settings: Settings,
    /// Where they come from, to be read again on SIGHUP.
    pub sources: Sources,
    /// Where everything is counted.
    pub metrics: Metrics,
    /// Which log lines are written.
    pub levels: Levels,
    /// The port of the first simulated device in the examples of the `OpenAPI` document.
    pub first_example_port: u16,
}

/// A service that is listening.
pub struct Application {
    port: u16,
    server: Server,
    /// Health and metrics on a port of their own.
    beside: Option<Server>,
    app: Data<App>,
    signals: Signals,
}

impl Application {
    /// Reads definitions, binds the port and starts the workers.
    ///
    /// # Errors
    /// Says what is wrong and where; nothing was started then.
    pub fn build(start: Start) -> Result<Self, StartError> {
        let Start { settings, sources, metrics, levels, first_example_port } = start;
        // From now on it is no end of the process: whoever starts a service may reload it at once.
        let hangup = reload::listen()?;
        raise_descriptor_limit();
        keep_memory_private();
        check_algorithms();
        named::check_written(&settings)?;
        let Named { registry, access, ssh, tls, catalog } = Named::read(&settings)?;
        remark(&ssh);
        // No request is taken before somebody listens for the signal to end it well.
        let signals = Signals::listen()?;
        let (listener, port) =
            server::listen(settings.host, settings.port, "`--port`, or SHOWRUNNER_PORT,")?;
        warn_of_openness(&settings, &access, tls.is_some());
        let reader = Reader::new(catalog);
        let app = Data::new(App {
            registry: Live::new(registry),
            access: Live::new(access),
            ssh: Live::new(ssh),
            executor: Executor::new(settings.executor_limits(), metrics.clone(), reader.clone()),
            reader,
            limits: Live::new(Limits::new(&settings, &metrics)),
            body_budget: BodyBudget::new(settings.max_bodies_bytes),
            audit: Audit::start(&settings, &metrics).map_err(StartError::Audit)?,
            traces: Traces::start(&settings, &metrics).map_err(StartError::Traces)?,
            draining: Draining::default(),
            metrics,
            first_example_port,
            settings,
        });
        let own_port = app.settings.metrics_port.filter(|_| app.settings.enable_metrics);
        let beside = own_port.map(|port| server::monitoring(app.clone(), port)).transpose()?;
        let server = server::service(&app, listener, tls.as_ref())?;
        rt::spawn(forget_idle_clients(app.limits.clone()));
        rt::spawn(reload::run(hangup, app.clone(), sources, levels, tls));
        tracing::info!(
            http.tls = app.settings.tls_cert_file.is_some(),
            http.port = port,
            "listening"
        );
        Ok(Self { port, server, beside, app, signals })
    }

    /// Reads everything that the settings name, and starts nothing. Gives what an operator should know of it.
    ///
    /// # Errors
    /// Those of [`build`](Self::build) that are known before anything is started.
    pub fn check(settings: &Settings) -> Result<Vec<String>, StartError> {
        let mut faults = Faults::default();
        let (named, written) =
            (faults.note(Named::read(settings)), faults.note(named::check_written(settings)));
        match (named, written) {
            (Some(named), Some(())) => Ok(named.ssh.configured.remarks()),
            _ => Err(faults.into()),
        }
    }

    /// The port that is listened on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Serves until SIGTERM or SIGINT; running requests are finished first, up to the settings' deadline.
    ///
    /// # Errors
    /// The listener failed.
    pub async fn run_until_stopped(self) -> std::io::Result<()> {
        let Self { server, beside, app, signals, .. } = self;
        let handle = server.handle();
        // Until the very end: monitoring sees the service stop.
        beside.map(rt::spawn);
        let mut server = rt::spawn(server);
        let ended = tokio::select! {
            ended = &mut server => ended?,
            () = Stop::of(&app).run(signals, handle) => Ok(()),
        };
        app.audit.flush();
        app.traces.flush();
        tracing::info!("stopped");
        ended
    }
}

/// What the operator's SSH configuration has that is not used, or cannot be.
fn remark(ssh: &SshPolicy) {
    for remark in ssh.configured.remarks() {
        tracing::warn!(remark, "SSH configuration");
    }
}

/// What an operator should have meant.
fn warn_of_openness(settings: &Settings, access: &Access, with_tls: bool) {
    if settings.host.is_loopback() {
        return;
    }
    if access.n_keys().is_none() {
        tracing::warn!(
            "everybody who can reach this address may send requests: no file of API keys is named"
        );
    }
    if !with_tls {
        tracing::warn!(
            "passwords of devices come here unencrypted unless a proxy in front speaks TLS"
        );
    }
}

/// Keeps the table of clients small for as long as the service runs.
async fn forget_idle_clients(limits: Live<Limits>) {
    let mut tick = rt::time::interval(SWEEP);
    loop {
        tick.tick().await;
        limits.now().forget_idle();
    }
}

/// What the profiles promise must have been compiled in; another SSH library may lack some of it.
fn check_algorithms() {
    let missing = missing_algorithms();
    if !missing.is_empty() {
        tracing::warn!(
            algorithms = missing.join(", "),
            "this build's SSH library lacks algorithms of the profiles"
        );
    }
}
