//! What every request goes through on its way in, and every answer on its way out.
//!
//! One layer of the framework for all of it: each costs more than most of what is done in one.

use std::future::Future;

use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{self, HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    web::Data,
};

use super::{App, access_log, authorize::Authorized, error::ApiError, rate_limit, request_id};

/// Swagger UI runs from the binary alone: nothing else may be loaded into its page.
const SECURITY: [(HeaderName, HeaderValue); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
        ),
    ),
];

/// For the service: an id, a line in the log and a count, a limit for its client, who that is and whether he may come in, the
/// headers of every answer.
///
/// # Errors
/// Those of the handler.
pub async fn middleware(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let app = app(&request)?;
    let authorized = Authorized { app: app.clone(), routes: next };
    let counted = |request| rate_limit::counted(request, &app, authorized);
    let logged = |request| access_log::logged(request, &app, counted);
    answered(request, &app, logged).await
}

/// For monitoring on a port of its own: an id and the headers of every answer.
///
/// # Errors
/// Those of the handler.
pub async fn monitoring_middleware(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let app = app(&request)?;
    answered(request, &app, |request| next.call(request)).await
}

fn app(request: &ServiceRequest) -> Result<Data<App>, ApiError> {
    request.app_data::<Data<App>>().cloned().ok_or(ApiError::Internal)
}

async fn answered<B, F>(
    request: ServiceRequest,
    app: &App,
    answer: impl FnOnce(ServiceRequest) -> F,
) -> Result<ServiceResponse<B>, Error>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
{
    let (current, mut response) = request_id::identified(request, app, answer).await?;
    add_headers(&current.id, response.headers_mut());
    Ok(response)
}

fn add_headers(id: &str, headers: &mut HeaderMap) {
    headers.reserve(SECURITY.len() + 1);
    for (name, value) in SECURITY {
        headers.insert(name, value);
    }
    // The id was checked: it is always a valid header.
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(request_id::HEADER.clone(), value);
    }
}
