//! One line and one count for each request, whether it is answered or its caller goes away; of an answer in pieces when
//! the last one has been taken.

use std::{
    borrow::Cow,
    future::Future,
    net::IpAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Instant,
};

use actix_web::{
    Error,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{ConnectionType, Method},
    web::{Bytes, Data},
};

use super::{
    App,
    request_id::{self, Current},
    unread::Unread,
};
use crate::{metrics::InFlight, outcome::millis, traces::RequestSpan};

/// The status of a request whose caller did not wait, as other servers log it.
const CLIENT_CLOSED: u16 = 499;
/// The route of paths that are none of ours: they are for callers to choose, so they are no labels.
const NO_ROUTE: &str = "none";
/// Characters that are logged of what a caller chooses, also one who is refused.
const MOST_METHOD_CHARS: usize = 32;
const MOST_PATH_CHARS: usize = 256;

/// Logs and counts a request when it is over.
///
/// # Errors
/// Those of `answer`.
pub(super) async fn logged<F>(
    mut request: ServiceRequest,
    app: &Data<App>,
    answer: impl FnOnce(ServiceRequest) -> F,
) -> Result<ServiceResponse<Counted>, Error>
where
    F: Future<Output = Result<ServiceResponse, Error>>,
{
    let mut line = AccessLine::new(&request, app);
    let in_flight = app.metrics.request();
    let unread = Unread::hold(&mut request);
    let mut response = match answer(request).await {
        Ok(response) => response,
        Err(error) => {
            drop(line.over(error.as_response_error().status_code().as_u16()));
            return Err(error);
        }
    };
    if app.draining.has_begun() {
        // Its next request shall find an instance that goes on.
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    let (code, status) = (response.status(), response.status().as_u16());
    if (code.is_client_error() || code.is_server_error())
        && is_audited(response.request().match_info().as_str())
        && let Some(client) = line.current.client.get()
    {
        app.audit.refused(|| client.asker(), status);
    }
    let is_in_pieces = response.response().body().size() == BodySize::Stream;
    let (span, under_way) =
        if is_in_pieces { (None, Some((line, status))) } else { (Some(line.over(status)), None) };
    Ok(response.map_body(|_, body| Counted {
        body,
        under_way,
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
pub(super) struct Counted {
    body: BoxBody,
    /// Of an answer in pieces: what is not over before the last one.
    under_way: Option<(AccessLine, u16)>,
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
        let piece = Pin::new(&mut self.body).poll_next(context);
        if let Poll::Ready(None) = piece
            && let Some((mut line, status)) = self.under_way.take()
        {
            drop(line.over(status));
        }
        piece
    }
}

struct AccessLine {
    current: Rc<Current>,
    method: Method,
    path: String,
    started: Instant,
    app: Data<App>,
    /// The pattern of ours that it is for.
    route: Option<String>,
    is_over: bool,
}

impl AccessLine {
    fn new(request: &ServiceRequest, app: &Data<App>) -> Self {
        Self {
            current: request_id::request(),
            method: request.method().clone(),
            path: cut(request.path(), MOST_PATH_CHARS).into_owned(),
            started: Instant::now(),
            app: app.clone(),
            route: request.resource_map().match_pattern(request.match_info().as_str()),
            is_over: false,
        }
    }

    fn over(&mut self, status: u16) -> RequestSpan {
        self.is_over = true;
        let took = self.started.elapsed();
        let route = self.route.as_deref().unwrap_or(NO_ROUTE);
        self.app.metrics.answered(route, status, took);
        let Current { id, trace, client } = &*self.current;
        let client = client.get();
        let address = client.map(|client| short(client.address));
        tracing::info!(
            request_id = id.as_str(),
            trace_id = trace.shown_id(),
            http.method = &*cut(self.method.as_str(), MOST_METHOD_CHARS),
            http.path = self.path,
            http.status = status,
            duration_ms = millis(took),
            client.address = address,
            client.key = client.and_then(|client| client.key().map(|key| &**key)),
            "request answered"
        );
        self.app.traces.request(trace, route, status, took)
    }
}

impl Drop for AccessLine {
    fn drop(&mut self) {
        if !self.is_over {
            drop(self.over(CLIENT_CLOSED));
        }
    }
}

/// `text` with at most `most` characters; `…` stands for those that are left out.
fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return text.into();
    }
    match text.char_indices().nth(most).and_then(|(at, _)| text.get(..at)) {
        Some(beginning) => format!("{beginning}…").into(),
        None => text.into(),
    }
}

/// An address as it is always written. There is one for every request, and the library takes its time for IPv4.
fn short(address: IpAddr) -> String {
    let IpAddr::V4(address) = address else { return address.to_string() };
    let mut text = String::with_capacity("255.255.255.255".len());
    for (index, octet) in address.octets().into_iter().enumerate() {
        text.push_str(if index == 0 { "" } else { "." });
        text.push_str(itoa::Buffer::new().format(octet));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_between_two_characters() {
        for (text, want) in [("", ""), ("/é/x", "/é/x"), ("/é/xy", "/é/x…"), ("ééééé", "éééé…")]
        {
            assert_eq!(cut(text, 4), want);
        }
    }

    #[test]
    fn an_address_is_written_as_the_library_writes_it() {
        let many = (0..=255).map(|octet| [octet, 255 - octet, octet / 2, octet % 10]);
        for address in many.map(IpAddr::from).chain(["2001:db8::1".parse().unwrap()]) {
            assert_eq!(short(address), address.to_string());
        }
    }
}
