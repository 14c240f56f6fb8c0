//! One line and one count for each request, whether it is answered or its caller goes away.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

use actix_web::{
    Error, HttpMessage as _,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{ConnectionType, Method},
    middleware::Next,
    web::{Bytes, Data},
};

use super::{App, client::Client, request_id, unread::Unread};
use crate::{
    metrics::{InFlight, Metrics},
    traces::{RequestSpan, Traces},
};

/// The status of a request whose caller did not wait, as other servers log it.
const CLIENT_CLOSED: u16 = 499;
/// The route of paths that are none of ours: they are for callers to choose, so they are no labels.
const NO_ROUTE: &str = "none";

/// Logs and counts a request when it is over.
///
/// # Errors
/// Those of the handler.
pub async fn middleware(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let app = request.app_data::<Data<App>>().cloned();
    let metrics = app.as_ref().map(|app| app.metrics.clone()).unwrap_or_default();
    let mut line = AccessLine::new(&request, &metrics, app.as_ref().map(|app| app.traces.clone()));
    let in_flight = metrics.request();
    let unread = Unread::hold(&mut request);
    let mut response = match next.call(request).await {
        Ok(response) => response,
        Err(error) => {
            drop(line.over(NO_ROUTE, error.as_response_error().status_code().as_u16()));
            return Err(error);
        }
    };
    if app.as_ref().is_some_and(|app| app.draining.has_begun()) {
        // Its next request shall find an instance that goes on.
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    let route = response.request().match_pattern();
    line.client = response.request().extensions().get::<Client>().cloned();
    let status = response.status();
    let span = line.over(route.as_deref().unwrap_or(NO_ROUTE), status.as_u16());
    if (status.is_client_error() || status.is_server_error())
        && is_audited(response.request().path())
        && let (Some(app), Some(client)) = (&app, &line.client)
    {
        app.audit.refused(client.asker(), status.as_u16());
    }
    Ok(response.map_body(|_, body| Counted {
        body: body.boxed(),
        _unread: unread,
        _in_flight: in_flight,
        _span: span,
    }))
}

/// What may reach devices is audited, also where it was not let through.
fn is_audited(path: &str) -> bool {
    path == "/api/v1/execute"
}

/// A body; its request is in flight, and its span goes on, until the last byte has been taken.
struct Counted {
    body: BoxBody,
    _unread: Option<Unread>,
    _in_flight: InFlight,
    _span: Option<RequestSpan>,
}

impl MessageBody for Counted {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

struct AccessLine {
    method: Method,
    path: String,
    started: Instant,
    metrics: Metrics,
    traces: Option<Traces>,
    began: SystemTime,
    /// Who sent it, once that is known.
    client: Option<Client>,
    is_over: bool,
}

impl AccessLine {
    fn new(request: &ServiceRequest, metrics: &Metrics, traces: Option<Traces>) -> Self {
        Self {
            method: request.method().clone(),
            path: request.path().to_owned(),
            started: Instant::now(),
            metrics: metrics.clone(),
            traces,
            began: SystemTime::now(),
            client: None,
            is_over: false,
        }
    }

    fn over(&mut self, route: &str, status: u16) -> Option<RequestSpan> {
        self.is_over = true;
        let took = self.started.elapsed();
        self.metrics.answered(route, status, took);
        tracing::info!(
            http.method = %self.method,
            http.path = %self.path,
            http.status = status,
            duration_ms = millis(took),
            client.address = self.client.as_ref().map(|client| tracing::field::display(client.address)),
            client.key = self.client.as_ref().and_then(|client| client.key().map(|key| &**key)),
            "request answered"
        );
        let traces = self.traces.as_ref()?;
        Some(traces.request(&request_id::trace(), route, status, self.began))
    }
}

impl Drop for AccessLine {
    fn drop(&mut self) {
        if !self.is_over {
            drop(self.over(NO_ROUTE, CLIENT_CLOSED));
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
