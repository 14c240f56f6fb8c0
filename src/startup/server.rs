//! The listeners: the service itself, over TLS if there is a certificate, and monitoring on a port of its own.

use std::{
    net::{IpAddr, SocketAddr, TcpListener},
    time::Duration,
};

use actix_web::{App as Actix, HttpServer, dev::Server, middleware, web::Data};

use super::StartError;
use crate::{
    http::{self, App},
    tls::Tls,
};

/// How long a connection is kept for its next request.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// How often a silent caller is asked whether he is still there.
const PROBE: Duration = Duration::from_secs(10);

/// Binds an address that `setting` has the port of; with port 0 the system chooses one.
pub(super) fn listen(
    host: IpAddr,
    port: u16,
    setting: &'static str,
) -> Result<(TcpListener, u16), StartError> {
    let addr = SocketAddr::new(host, port);
    let failed = |source| StartError::Listen { addr: addr.to_string(), setting, source };
    let listener = TcpListener::bind(addr).map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    Ok((listener, port))
}

/// Callers who vanish, or who take nothing of their answer, are given up on. The system does that: what is set on a
/// listener holds for its connections.
fn give_up_on_the_silent(listener: &TcpListener, after: Duration) -> rustix::io::Result<()> {
    use rustix::net::sockopt;
    let millis = u32::try_from(after.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(listener, millis)?;
    sockopt::set_tcp_keepidle(listener, after)?;
    sockopt::set_tcp_keepintvl(listener, PROBE)?;
    sockopt::set_socket_keepalive(listener, true)
}

/// The service.
pub(super) fn service(
    app: &Data<App>,
    listener: TcpListener,
    tls: Option<&Tls>,
) -> Result<Server, StartError> {
    let (own, settings) = (app.clone(), &app.settings);
    let with_documents = settings.enable_docs;
    let with_metrics = settings.enable_metrics && settings.metrics_port.is_none();
    let head = Duration::from_secs(settings.head_timeout);
    let server = HttpServer::new(move || {
        Actix::new()
            .app_data(own.clone())
            .configure(http::configure)
            .configure(|service| {
                if with_documents {
                    http::configure_documents(service);
                }
            })
            .configure(|service| http::configure_monitoring(service, with_metrics))
            .wrap(middleware::from_fn(http::door_middleware))
    })
    .client_request_timeout(head)
    .max_connections(settings.max_connections)
    // Handshakes that are not gone on with would else keep everybody out until their time is over.
    .max_connection_rate(settings.max_connections)
    .keep_alive(KEEP_ALIVE)
    // A stream's line, or the first answer over TLS, would wait up to 40 ms for the caller's word on what came before.
    .tcp_nodelay(true)
    // A caller who closes his side has gone: his sessions end.
    .h1_allow_half_closed(false)
    .disable_signals()
    // The workers' own limit: longer than ours, which ends requests with an answer.
    .shutdown_timeout(settings.shutdown_timeout + 30);
    let server = match settings.workers {
        0 => server,
        workers => server.workers(workers),
    };
    let failed = |source| StartError::Serve { source };
    let write = Duration::from_secs(settings.write_timeout);
    give_up_on_the_silent(&listener, write).map_err(|error| failed(error.into()))?;
    let server = match tls {
        Some(tls) => {
            let config = tls.server().map_err(|error| failed(std::io::Error::other(error)))?;
            server.tls_handshake_timeout(head).listen_rustls_0_23(listener, config)
        }
        None => server.listen(listener),
    };
    Ok(server.map_err(failed)?.run())
}

/// Health and metrics on a port of their own: one worker, nothing else to reach.
pub(super) fn monitoring(app: Data<App>, port: u16) -> Result<Server, StartError> {
    let host = app.settings.metrics_host.unwrap_or(app.settings.host);
    let (listener, port) = listen(host, port, "SHOWRUNNER_METRICS_PORT")?;
    let server = HttpServer::new(move || {
        Actix::new()
            .app_data(app.clone())
            .configure(|service| http::configure_monitoring(service, true))
            .wrap(middleware::from_fn(http::monitoring_middleware))
    });
    let failed = |source| StartError::Serve { source };
    let server = server.workers(1).disable_signals().listen(listener).map_err(failed)?.run();
    tracing::info!(metrics.port = port, "listening for monitoring");
    Ok(server)
}
