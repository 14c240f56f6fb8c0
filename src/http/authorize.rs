//! Lets in whoever shows an API key that is known, where one is asked for.

use std::{
    future::{Ready, ready},
    net::IpAddr,
    sync::Arc,
};

use actix_web::{
    Error, FromRequest, HttpRequest,
    body::MessageBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
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

/// Answers 401 to whoever may not come in.
///
/// # Errors
/// No API key, or none that is known; else those of the handler.
pub async fn middleware(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let Some(app) = request.app_data::<Data<App>>().cloned() else {
        return Err(ApiError::Internal.into());
    };
    let client = Client::of(&request, &app);
    let refused = match &client.admission {
        _ if is_open(request.path()) => return Ok(next.call(request).await?.map_into_left_body()),
        Admission::Missing => ApiError::KeyMissing,
        Admission::Unknown => ApiError::KeyUnknown,
        Admission::Granted(grant)
            if grant.key.is_none()
                && is_for_this_machine(&app.settings)
                && is_of_another_page(request.headers()) =>
        {
            ApiError::ForeignPage
        }
        Admission::Granted(_) => return Ok(next.call(request).await?.map_into_left_body()),
    };
    if !matches!(refused, ApiError::ForeignPage) {
        app.metrics.authentication_failed();
    }
    Ok(request.error_response(refused).map_into_right_body())
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
    let host = headers.get(header::HOST).map_or(&b""[..], HeaderValue::as_bytes);
    headers.contains_key(header::ORIGIN) && !std::str::from_utf8(host).is_ok_and(is_this_machine)
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
