//! Every request has an id: the caller's if it is harmless, a new one otherwise. It is in every answer, every log
//! line of the request, and in the body.

use std::{cell::OnceCell, future::Future, rc::Rc};

use actix_web::{
    Error,
    dev::{ServiceRequest, ServiceResponse},
    http::header::HeaderName,
};
use tracing::{Span, info_span};

use super::{App, client::Client};
use crate::traces::TraceContext;

/// Its header, in requests and answers.
pub(super) static HEADER: HeaderName = HeaderName::from_static("x-request-id");
const MOST_BYTES: usize = 64;
/// W3C Trace Context: the trace that the caller's request belongs to.
static TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// What is known of the request that is being answered.
#[derive(Default)]
pub(super) struct Current {
    /// Its id; empty outside of a request.
    pub(super) id: String,
    /// The trace that it belongs to; nothing where nobody would see it.
    pub(super) trace: TraceContext,
    /// Who sent it, once that is known.
    pub(super) client: OnceCell<Client>,
}

tokio::task_local! {
    static CURRENT: Rc<Current>;
}

/// The request that is being answered.
pub(super) fn request() -> Rc<Current> {
    CURRENT.try_with(Rc::clone).unwrap_or_default()
}

/// The id of the request that is being answered; empty outside of one.
pub(super) fn current() -> String {
    request().id.clone()
}

/// What is done for the request. Only for those that come to something: a span costs as much as a refusal.
pub(super) fn span() -> Span {
    let Current { id, trace, .. } = &*request();
    info_span!("http.request", request_id = id.as_str(), trace_id = trace.shown_id())
}

/// Gives a request its id, which comes back with the answer.
///
/// # Errors
/// Those of `answer`.
pub(super) async fn identified<B, F>(
    request: ServiceRequest,
    app: &App,
    answer: impl FnOnce(ServiceRequest) -> F,
) -> Result<(Rc<Current>, ServiceResponse<B>), Error>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
{
    let id = request
        .headers()
        .get(&HEADER)
        .and_then(|value| value.to_str().ok())
        .filter(|id| is_harmless(id))
        .map_or_else(new, str::to_owned);
    let parent = request.headers().get(&TRACE_PARENT).and_then(|value| value.to_str().ok());
    // Ids that nobody would see are not made.
    let trace = if app.traces.are_sent() {
        TraceContext::of(parent)
    } else {
        TraceContext::of_caller(parent).unwrap_or_default()
    };
    let current = Rc::new(Current { id, trace, client: OnceCell::new() });
    let response = CURRENT.scope(Rc::clone(&current), answer(request)).await?;
    Ok((current, response))
}

fn new() -> String {
    let mut text = uuid::Uuid::encode_buffer();
    uuid::Uuid::now_v7().hyphenated().encode_lower(&mut text).to_owned()
}

fn is_harmless(id: &str) -> bool {
    (1..=MOST_BYTES).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_ids_are_taken_over() {
        for good in ["a", "req-1.2_3", &"x".repeat(64)] {
            assert!(is_harmless(good), "{good}");
        }
        for bad in ["", "a b", "a\r\nSet-Cookie: x", "ü", "a/b", "<x>", &"x".repeat(65)] {
            assert!(!is_harmless(bad), "{bad:?}");
        }
    }
}
