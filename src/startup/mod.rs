//! Builds the service out of its settings and runs it until it is told to stop.

use std::{
    net::{IpAddr, SocketAddr, TcpListener},
    time::Duration,
};

use actix_web::{App as Actix, HttpServer, dev::Server, middleware, rt, web::Data};

mod reload;
mod stop;

use self::stop::Stop;
use crate::{
    access::{Access, AccessError},
    audit::Audit,
    catalog::{Broken, Catalog, LibraryError},
    executor::{Executor, Reader},
    http::{self, App, Draining, Limits},
    live::Live,
    metrics::Metrics,
    platform::{DefinitionError, Registry},
    settings::{Settings, Sources, SshFileError},
    ssh::libssh2::missing_algorithms,
    ssh_policy::SshPolicy,
    telemetry::Levels,
    tls::{Tls, TlsError},
};

/// How often clients that are as good as new are forgotten.
const SWEEP: Duration = Duration::from_secs(30);

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}; is another service there?")]
    Listen {
        /// Host and port.
        addr: String,
        /// The system's word for it.
        source: std::io::Error,
    },
    /// A platform definition is broken.
    #[error("platform definition: {0}")]
    Platform(#[from] DefinitionError),
    /// The templates cannot be read.
    #[error("templates: {0}")]
    Templates(#[from] LibraryError),
    /// The audit stream cannot be written.
    #[error("the audit stream cannot be written: {0}")]
    Audit(std::io::Error),
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
}

/// A service that is listening.
pub struct Application {
    port: u16,
    server: Server,
    /// Health and metrics on a port of their own.
    beside: Option<Server>,
    stop: Stop,
    audit: Audit,
}

impl Application {
    /// Reads definitions, binds the port and starts the workers.
    ///
    /// # Errors
    /// Says what is wrong and where; nothing was started then.
    pub fn build(start: Start) -> Result<Self, StartError> {
        let Start { settings, sources, metrics, levels } = start;
        raise_descriptor_limit();
        keep_memory_private();
        check_algorithms();
        let (registry, access, ssh) = definitions(&settings)?;
        let tls = Tls::load(&settings)?;
        let (listener, port) = listen(settings.host, settings.port)?;
        if !settings.host.is_loopback() && access.n_keys().is_none() {
            tracing::warn!("everybody who can reach this address may send requests: auth is none");
        }
        let reader = Reader::new(templates(&settings)?);
        let executor = Executor::new(settings.executor_limits(), metrics.clone(), reader.clone());
        let (workers, shutdown) = (settings.workers, settings.shutdown_timeout);
        let (max_connections, with_documents) = (settings.max_connections, settings.enable_docs);
        let head = Duration::from_secs(settings.head_timeout);
        let limits = Live::new(Limits::new(&settings, &metrics));
        rt::spawn(forget_idle_clients(limits.clone()));
        if !settings.host.is_loopback() && tls.is_none() {
            tracing::warn!(
                "passwords of devices come here unencrypted unless a proxy in front speaks TLS"
            );
        }
        let audit = Audit::start(&settings, &metrics).map_err(StartError::Audit)?;
        let (registry, access, ssh) = (Live::new(registry), Live::new(access), Live::new(ssh));
        let own_port = settings.enable_metrics.then_some(settings.metrics_port).flatten();
        let with_metrics = settings.enable_metrics && own_port.is_none();
        let metrics_host = settings.metrics_host.unwrap_or(settings.host);
        let draining = Draining::default();
        let stop = Stop {
            draining: draining.clone(),
            executor: executor.clone(),
            metrics: metrics.clone(),
            delay: Duration::from_secs(settings.shutdown_delay),
            limit: Duration::from_secs(shutdown),
        };
        let app = Data::new(App {
            registry,
            access,
            ssh,
            executor,
            reader,
            limits,
            audit: audit.clone(),
            draining,
            metrics,
            settings,
        });
        rt::spawn(reload::run(app.clone(), sources, levels, tls.clone()));
        let beside =
            own_port.map(|port| monitoring(app.clone(), metrics_host, port)).transpose()?;
        let server = HttpServer::new(move || {
            Actix::new()
                .app_data(app.clone())
                .configure(http::configure)
                .configure(|service| {
                    if with_documents {
                        http::configure_documents(service);
                    }
                })
                .configure(|service| http::configure_monitoring(service, with_metrics))
                .wrap(middleware::from_fn(http::authorize_middleware))
                .wrap(middleware::from_fn(http::rate_limit_middleware))
                .wrap(security_headers())
                .wrap(middleware::from_fn(http::access_log_middleware))
                .wrap(middleware::from_fn(http::request_id_middleware))
        })
        .client_request_timeout(head)
        .max_connections(max_connections)
        .keep_alive(Duration::from_secs(30))
        // A caller who closes his side has gone: his sessions end.
        .h1_allow_half_closed(false)
        .disable_signals()
        // The workers' own limit: longer than ours, which ends requests with an answer.
        .shutdown_timeout(shutdown + 30);
        let server = if workers > 0 { server.workers(workers) } else { server };
        let failed = |source| StartError::Listen { addr: format!("port {port}"), source };
        let with_tls = tls.is_some();
        let server = match tls {
            Some(tls) => {
                let config = tls.server().map_err(|error| failed(std::io::Error::other(error)))?;
                server.tls_handshake_timeout(head).listen_rustls_0_23(listener, config)
            }
            None => server.listen(listener),
        };
        let server = server.map_err(failed)?.run();
        tracing::info!(http.tls = with_tls, http.port = port, "listening");
        Ok(Self { port, server, beside, stop, audit })
    }

    /// Reads everything that the settings name, and starts nothing.
    ///
    /// # Errors
    /// Those of [`build`](Self::build) that are known before anything is started.
    pub fn check(settings: &Settings) -> Result<(), StartError> {
        Tls::load(settings)?;
        definitions(settings)?;
        templates(settings).map(drop)
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
        let Self { server, beside, stop, audit, .. } = self;
        let handle = server.handle();
        // Until the very end: monitoring sees the service stop.
        beside.map(rt::spawn);
        let mut server = rt::spawn(server);
        let ended = tokio::select! {
            ended = &mut server => ended?,
            () = stop.run(handle) => Ok(()),
        };
        audit.flush();
        ended
    }
}

/// The library and the operator's own templates; what is broken among these is named and stops nothing.
fn templates(settings: &Settings) -> Result<Catalog, StartError> {
    let catalog = Catalog::open(settings.templates_dir.clone())?;
    if let Some(library) = catalog.library() {
        let (name, version, n_templates) = (&library.name, &library.version, library.templates);
        tracing::info!(
            library.name = name,
            library.version = version,
            n_templates,
            "template library"
        );
    } else {
        tracing::warn!(
            "no template library is built in: run `make templates` and build again to have records parsed"
        );
    }
    for Broken { file, error } in catalog.broken() {
        tracing::warn!(template.file = file, error, "own template is broken");
    }
    if settings.templates_dir.is_some() {
        tracing::info!(n_templates = catalog.own_templates(), "own templates");
    }
    Ok(catalog)
}

fn listen(host: IpAddr, port: u16) -> Result<(TcpListener, u16), StartError> {
    let addr = SocketAddr::new(host, port);
    let failed = |source| StartError::Listen { addr: addr.to_string(), source };
    let listener = TcpListener::bind(addr).map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    Ok((listener, port))
}

/// Health and metrics on a port of their own: one worker, nothing else to reach.
fn monitoring(app: Data<App>, host: IpAddr, port: u16) -> Result<Server, StartError> {
    let (listener, port) = listen(host, port)?;
    let server = HttpServer::new(move || {
        Actix::new()
            .app_data(app.clone())
            .configure(|service| http::configure_monitoring(service, true))
            .wrap(security_headers())
            .wrap(middleware::from_fn(http::request_id_middleware))
    });
    let failed = |source| StartError::Listen { addr: format!("port {port}"), source };
    let server = server.workers(1).disable_signals().listen(listener).map_err(failed)?.run();
    tracing::info!(metrics.port = port, "listening for monitoring");
    Ok(server)
}

/// What the settings say about platforms, callers and SSH.
fn definitions(settings: &Settings) -> Result<(Registry, Access, SshPolicy), StartError> {
    let mut registry = Registry::embedded()?;
    if let Some(folder) = &settings.platforms_dir {
        registry = registry.with_folder(folder)?;
    }
    Ok((registry, Access::load(settings)?, settings.ssh_policy()?))
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

/// A session holds up to four descriptors; many systems start programs with 1024 although they allow more.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Refused only where the hard limit is lower, which it is not: it is the one that is asked for.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Passwords pass through this memory: nobody gets a copy of it, neither with a crash nor with a debugger.
fn keep_memory_private() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if setrlimit(Resource::Core, none).is_err()
        || set_dumpable_behavior(DumpableBehavior::NotDumpable).is_err()
    {
        tracing::warn!("the system does not let core dumps be switched off");
    }
}

/// Swagger UI runs from the binary alone: nothing else may be loaded into its page.
fn security_headers() -> middleware::DefaultHeaders {
    middleware::DefaultHeaders::new()
        .add(("X-Content-Type-Options", "nosniff"))
        .add(("X-Frame-Options", "DENY"))
        .add(("Referrer-Policy", "no-referrer"))
        .add((
            "Content-Security-Policy",
            "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
        ))
}
