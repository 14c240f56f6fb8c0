//! One line and one count for each request, whether it is answered or its caller goes away.

use std::time::{Duration, Instant};

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};

use super::App;
use crate::metrics::{HttpRequest, Metrics};

/// The status of a request whose caller did not wait, as other servers log it.
const CLIENT_CLOSED: u16 = 499;
/// The route of paths that are none of ours: they are for callers to choose, so they are no labels.
const NO_ROUTE: &str = "none";

/// Logs and counts a request when it is over.
///
/// # Errors
/// Those of the handler.
pub async fn middleware(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let metrics = request.app_data::<Data<App>>().map(|app| app.metrics.clone());
    let mut line = AccessLine::new(&request, &metrics.unwrap_or_default());
    let response = match next.call(request).await {
        Ok(response) => response,
        Err(error) => {
            line.over(NO_ROUTE, error.as_response_error().status_code().as_u16());
            return Err(error);
        }
    };
    let route = response.request().match_pattern();
    line.over(route.as_deref().unwrap_or(NO_ROUTE), response.status().as_u16());
    Ok(response)
}

struct AccessLine {
    method: String,
    path: String,
    started: Instant,
    counted: HttpRequest,
    is_over: bool,
}

impl AccessLine {
    fn new(request: &ServiceRequest, metrics: &Metrics) -> Self {
        Self {
            method: request.method().to_string(),
            path: request.path().to_owned(),
            started: Instant::now(),
            counted: metrics.request(),
            is_over: false,
        }
    }

    fn over(&mut self, route: &str, status: u16) {
        self.is_over = true;
        let took = self.started.elapsed();
        self.counted.answered(route, status, took);
        tracing::info!(
            http.method = %self.method.escape_debug(),
            http.path = %self.path.escape_debug(),
            http.status = status,
            duration_ms = millis(took),
            "request answered"
        );
    }
}

impl Drop for AccessLine {
    fn drop(&mut self) {
        if !self.is_over {
            self.over(NO_ROUTE, CLIENT_CLOSED);
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
