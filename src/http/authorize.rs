//! Lets in whoever shows an API key that is known, where one is asked for.

use std::{
    future::{Future, Ready, ready},
    net::IpAddr,
    pin::Pin,
    sync::Arc,
};

use actix_web::{
    Error, FromRequest, HttpRequest,
    body::BoxBody,
    dev::{Payload, Service, ServiceRequest, ServiceResponse, forward_ready},
    http::header::{self, HeaderMap, HeaderValue},
    middleware::Next,
    web::Data,
};

use super::{App, client::Client, error::ApiError};
use crate::{
    access::{Admission, Grant},
    settings::Settings,
    target::is_localhost,
};

/// The routes, behind the question who may come in.
pub(super) struct Authorized {
    pub(super) app: Data<App>,
    pub(super) routes: Next<BoxBody>,
}

impl Service<ServiceRequest> for Authorized {
    type Response = ServiceResponse;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<ServiceResponse, Error>>>>;

    forward_ready!(routes);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        match refused(&request, &self.app) {
            None => self.routes.call(request),
            Some(why) => Box::pin(ready(Ok(request.error_response(why)))),
        }
    }
}

/// Why somebody may not come in: no API key, none that is known, or none and another site's page.
fn refused(request: &ServiceRequest, app: &App) -> Option<ApiError> {
    // Who it is, is logged.
    let client = Client::of(request, app);
    if is_open(request.path()) {
        return None;
    }
    let why = match &client.admission {
        Admission::Missing => ApiError::KeyMissing,
        Admission::Unknown => ApiError::KeyUnknown,
        Admission::Granted(grant) => {
            let is_foreign = grant.key.is_none()
                && is_for_this_machine(&app.settings)
                && is_of_another_page(request.headers());
            return is_foreign.then_some(ApiError::ForeignPage);
        }
    };
    app.metrics.authentication_failed();
    Some(why)
}

/// What needs no key: health, which says nothing of devices, and the documents, which are those of every instance.
fn is_open(path: &str) -> bool {
    const SINGLE: [&str; 6] =
        ["/", "/openapi.json", "/docs", "/redoc", "/health", "/api/v1/errors"];
    const FOLDERS: [&str; 3] = ["/docs/", "/health/", "/api/v1/errors/"];
    SINGLE.contains(&path) || FOLDERS.iter().any(|folder| path.starts_with(folder))
}

/// True where nobody else can come, but for a browser on this machine.
fn is_for_this_machine(settings: &Settings) -> bool {
    settings.host.to_canonical().is_loopback() && settings.trusted_proxies.is_empty()
}

/// True of what a browser sends for a page that calls this machine by a name of its own: whoever has the name may point it
/// here (DNS rebinding). Other programs say nothing of a page.
fn is_of_another_page(headers: &HeaderMap) -> bool {
    if !headers.contains_key(header::ORIGIN) {
        return false;
    }
    let host = headers.get(header::HOST).map_or(&b""[..], HeaderValue::as_bytes);
    !std::str::from_utf8(host).is_ok_and(is_this_machine)
}

/// True of `localhost` and of addresses, with or without a port.
fn is_this_machine(host: &str) -> bool {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let name = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    is_localhost(name) || address.parse::<IpAddr>().is_ok()
}

/// Who sent a request, and what he may do.
pub(super) struct Caller {
    pub(super) client: Client,
    pub(super) grant: Arc<Grant>,
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        let client = Client::known();
        ready(client.ok_or(ApiError::Internal).and_then(|client| match &client.admission {
            Admission::Granted(grant) => Ok(Self { grant: Arc::clone(grant), client }),
            Admission::Missing => Err(ApiError::KeyMissing),
            Admission::Unknown => Err(ApiError::KeyUnknown),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_called_localhost_or_by_an_address() {
        for host in [
            "localhost:8000",
            "LOCALHOST",
            "a.localhost:1",
            "127.0.0.1:8000",
            "[::1]:8000",
            "[::1]",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:8000",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn only_health_and_documents_need_no_key() {
        for path in [
            "/",
            "/docs/",
            "/docs/swagger-ui.css",
            "/openapi.json",
            "/health/ready",
            "/api/v1/errors",
            "/api/v1/errors/api_key_missing",
        ] {
            assert!(is_open(path), "{path}");
        }
        for path in [
            "/api/v1/execute",
            "/metrics",
            "/healthy",
            "/docsx",
            "//",
            "/api/v1/platforms",
            "/api/v1/errorsx",
        ] {
            assert!(!is_open(path), "{path}");
        }
    }
}
