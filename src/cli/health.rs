//! `showrunner health`: one request to a running service, for container health checks without a shell or curl.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs as _},
    process::ExitCode,
    time::Duration,
};

use super::refuse;
use crate::{
    settings::{Settings, Sources},
    tls,
};

const LIMIT: Duration = Duration::from_secs(3);
const DEFAULT_PATH: &str = "/health";

/// Settings that say where the service is.
const PLACE: [&str; 6] =
    ["host", "port", "tls_cert_file", "enable_metrics", "metrics_host", "metrics_port"];

/// Exit code 0 if the service answers 200, 1 otherwise; 2 if nobody knows where it is.
pub(super) fn run(sources: &Sources, url: Option<&str>) -> ExitCode {
    if let Some(url) = url {
        return told(ask_url(url));
    }
    match sources.as_far_as_readable(&PLACE) {
        Ok((settings, faults)) => {
            for fault in faults {
                eprintln!("showrunner: the service goes on with the settings that it had: {fault}");
            }
            told(ask_service(&settings))
        }
        Err(faults) => refuse(&faults),
    }
}

fn ask_service(settings: &Settings) -> Result<(), String> {
    if let Some(port) = settings.metrics_port.filter(|_| settings.enable_metrics) {
        // Always plain HTTP, also where others need a client certificate.
        let host = settings.metrics_host.unwrap_or(settings.host);
        let host = if host.is_unspecified() { "127.0.0.1".to_owned() } else { host.to_string() };
        ask(&host, port, DEFAULT_PATH, false)
    } else {
        // A service on all addresses also listens on loopback.
        let host = if settings.host.is_unspecified() {
            "127.0.0.1".to_owned()
        } else {
            settings.host.to_string()
        };
        ask(&host, settings.port, DEFAULT_PATH, settings.tls_cert_file.is_some())
    }
}

fn told(answer: Result<(), String>) -> ExitCode {
    match answer {
        Ok(()) => {
            println!("healthy");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("showrunner: not healthy: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn ask_url(url: &str) -> Result<(), String> {
    let rest = url.strip_prefix("http://").ok_or("give an address that begins with http://")?;
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, DEFAULT_PATH),
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_not_one| "the port is not a number")?),
        None => (authority, 80),
    };
    ask(host.trim_matches(['[', ']']), port, path, false)
}

fn ask(host: &str, port: u16, path: &str, with_tls: bool) -> Result<(), String> {
    let text = |error: std::io::Error| format!("{host}:{port}: {error}; is the service there?");
    let addr: SocketAddr =
        (host, port).to_socket_addrs().map_err(text)?.next().ok_or("no address")?;
    let stream = TcpStream::connect_timeout(&addr, LIMIT).map_err(text)?;
    stream.set_read_timeout(Some(LIMIT)).map_err(text)?;
    stream.set_write_timeout(Some(LIMIT)).map_err(text)?;
    if !with_tls {
        return status_of(stream, host, path);
    }
    let answer = status_of(tls::connect_to_self(stream).map_err(text)?, host, path);
    // A service that wants to see a certificate first is there, and has said so.
    answer.or_else(
        |reason| if reason.contains(tls::WANTS_CERTIFICATE) { Ok(()) } else { Err(reason) },
    )
}

fn status_of(mut stream: impl Read + Write, host: &str, path: &str) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(text)?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).map_err(text)?;
    match status.get(9..) {
        Some(b"200") => Ok(()),
        code => Err(format!("it answers {}", String::from_utf8_lossy(code.unwrap_or_default()))),
    }
}
