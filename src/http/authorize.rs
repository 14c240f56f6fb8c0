//! Lets in whoever shows an API key that is known, where one is asked for.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{
    Error, FromRequest, HttpMessage as _, HttpRequest,
    body::MessageBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};

use super::{App, client::Client, error::ApiError};
use crate::access::{Admission, Grant};

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
    let refused = match Client::of(&request, &app).admission {
        Admission::Missing if !is_open(request.path()) => ApiError::KeyMissing,
        Admission::Unknown if !is_open(request.path()) => ApiError::KeyUnknown,
        _ => return Ok(next.call(request).await?.map_into_left_body()),
    };
    app.metrics.authentication_failed();
    Ok(request.error_response(refused).map_into_right_body())
}

/// What needs no key: health, which says nothing of devices, and the documents, which are those of every instance.
fn is_open(path: &str) -> bool {
    const SINGLE: [&str; 6] =
        ["/", "/openapi.json", "/docs", "/redoc", "/health", "/api/v1/errors"];
    const FOLDERS: [&str; 3] = ["/docs/", "/health/", "/api/v1/errors/"];
    SINGLE.contains(&path) || FOLDERS.iter().any(|folder| path.starts_with(folder))
}

/// Who sent a request, and what he may do.
pub(super) struct Caller {
    pub(super) client: Client,
    pub(super) grant: Arc<Grant>,
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let client = request.extensions().get::<Client>().cloned();
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
