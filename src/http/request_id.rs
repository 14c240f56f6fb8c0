//! Every request has an id: the caller's if it is harmless, a new one otherwise. It is in every answer, every log
//! line of the request, and in the body.

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderName, HeaderValue},
    middleware::Next,
};
use tracing::{Instrument as _, field::Empty, info_span};

const HEADER: &str = "x-request-id";
const MOST_BYTES: usize = 64;
/// W3C Trace Context: the trace that the caller's request belongs to.
const TRACE_PARENT: &str = "traceparent";

tokio::task_local! {
    static CURRENT: String;
}

/// The id of the request that is being answered; empty outside of one.
pub(super) fn current() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}

/// Gives a request its id; everything that is logged until it is answered has it.
///
/// # Errors
/// Those of the handler.
pub async fn middleware(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = request
        .headers()
        .get(HEADER)
        .and_then(|value| value.to_str().ok())
        .filter(|id| is_harmless(id))
        .map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned);
    let span = info_span!("http.request", request_id = %id, trace_id = Empty);
    if let Some(trace) =
        request.headers().get(TRACE_PARENT).and_then(|value| trace_id(value.to_str().ok()?))
    {
        span.record("trace_id", trace);
    }
    let answer = CURRENT.scope(
        id.clone(),
        async move {
            let mut response = next.call(request).await?;
            // The id was checked: it is always a valid header.
            if let Ok(value) = HeaderValue::from_str(&id) {
                response.headers_mut().insert(HeaderName::from_static(HEADER), value);
            }
            Ok(response)
        }
        .instrument(span),
    );
    answer.await
}

fn is_harmless(id: &str) -> bool {
    (1..=MOST_BYTES).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// The trace's id of a `traceparent`: version, 32 digits that are not all 0, 16 of them, flags.
fn trace_id(parent: &str) -> Option<&str> {
    let hex = |part: &str, digits: usize| {
        part.len() == digits && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let mut parts = parent.split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let later_version = version != "00" && version != "ff";
    let well_formed = hex(version, 2) && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
    let known = version == "00" && parts.next().is_none() || later_version;
    let is_set = |id: &str| id.bytes().any(|b| b != b'0');
    (well_formed && known && is_set(trace) && is_set(span)).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_trace_is_taken_up() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        for good in [
            format!("00-{trace}-00f067aa0ba902b7-01"),
            format!("00-{trace}-00f067aa0ba902b7-00"),
            format!("cc-{trace}-00f067aa0ba902b7-01-what-the-future-brings"),
        ] {
            assert_eq!(trace_id(&good), Some(trace), "{good}");
        }
        for bad in [
            String::new(),
            format!("00-{trace}-00f067aa0ba902b7"),
            format!("ff-{trace}-00f067aa0ba902b7-01"),
            format!("00-{trace}-00f067aa0ba902b7-01-more"),
            format!("00-{}-00f067aa0ba902b7-01", trace.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{trace}-0000000000000000-01"),
            format!("00-{trace}\"}}-00f067aa0ba902b7-01"),
        ] {
            assert_eq!(trace_id(&bad), None, "{bad}");
        }
    }

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
