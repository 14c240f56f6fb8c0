//! Reads a request's body: whole, within its size, within its time, and within what all bodies may hold at once.

use std::{sync::Arc, time::Duration};

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderMap, HeaderValue},
    rt::time::timeout,
    web,
};
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{App, error::ApiError};
use crate::wire::json::{Json, TWICE};

/// The bytes that bodies may hold while they are on their way, all together.
#[derive(Clone, Debug)]
pub struct BodyBudget(Arc<Semaphore>);

impl BodyBudget {
    /// So many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// Room for so many bytes more; `None` if there is none.
    fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
    }
}

/// Bytes from which on a body is read on a thread for that: on the worker's own, everybody else would wait for it.
const LARGE: usize = 16 * 1024;
/// Chunks that a body may have whatever is in them; beyond, each has 64 bytes or more on the average. One costs the
/// worker more than what it brings.
const MOST_SMALL_CHUNKS: usize = 10_000;
const FEW_BYTES: usize = 64;

/// A body that has arrived, and the room that it takes until it has been read.
struct Body {
    bytes: Vec<u8>,
    _held: Option<OwnedSemaphorePermit>,
}

impl Body {
    fn read<T>(&self, reading: impl FnOnce(Json<'_>) -> T) -> Result<T, ApiError> {
        let broken = |error| ApiError::BrokenJson { reason: position(&error) };
        // Some editors and shells of Windows write one.
        let text = self.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.bytes);
        Json::parse(text).map(reading).map_err(broken)
    }
}

/// What `reading` makes of the body, if that is JSON and is said to be.
pub(super) async fn read<T: Send + 'static>(
    request: &HttpRequest,
    body: web::Payload,
    app: &App,
    reading: impl FnOnce(Json<'_>) -> T + Send + 'static,
) -> Result<T, ApiError> {
    if !is_said_to_be_json(request.headers()) {
        return Err(ApiError::ContentType);
    }
    // Whoever drips his body holds memory: he gets a fixed time, not one a byte.
    let seconds = app.settings.body_timeout;
    let whole = collect(body, app.settings.max_body_bytes, &app.body_budget);
    let whole = timeout(Duration::from_secs(seconds), whole).await;
    let body = whole.map_err(|_late| ApiError::BodyTimeout { seconds })??;
    if body.bytes.len() > LARGE {
        return app.reader.run(move |_, _| body.read(reading)).await.ok_or(ApiError::Internal)?;
    }
    body.read(reading)
}

/// A body without a media type is taken for JSON, as pyats-ro-api took it: many scripts send none. Not of a page, whose browser
/// would send such a body without asking first.
fn is_said_to_be_json(headers: &HeaderMap) -> bool {
    match headers.get(header::CONTENT_TYPE).filter(|value| !value.is_empty()) {
        Some(value) => is_json(value),
        None => !headers.contains_key(header::ORIGIN),
    }
}

fn is_json(content_type: &HeaderValue) -> bool {
    // As nearly all send it.
    if content_type == "application/json" {
        return true;
    }
    let text = content_type.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || essence.to_ascii_lowercase().ends_with("+json")
}

async fn collect(
    mut body: web::Payload,
    limit: usize,
    budget: &BodyBudget,
) -> Result<Body, ApiError> {
    let (mut bytes, mut held) = (Vec::new(), None::<OwnedSemaphorePermit>);
    let mut n_chunks = 0;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_broken| ApiError::Incomplete)?;
        if bytes.len() + chunk.len() > limit {
            return Err(ApiError::TooLarge { limit });
        }
        n_chunks += 1;
        if n_chunks > MOST_SMALL_CHUNKS && bytes.len() / n_chunks < FEW_BYTES {
            return Err(ApiError::SmallChunks);
        }
        let more = budget.take(chunk.len()).ok_or(ApiError::Busy)?;
        // One for all of them: chunks of a byte each would take more memory than the body.
        match &mut held {
            Some(held) => held.merge(more),
            None => held = Some(more),
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Body { bytes, _held: held })
}

/// What is wrong and where, without a word of the body.
fn position(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        _ if error.to_string().starts_with(TWICE) => TWICE,
        _ => "syntax error",
    };
    format!("{what} at line {} column {}", error.line(), error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_known_by_its_media_type() {
        for (value, want) in [
            (&b"application/json"[..], true),
            (b"Application/JSON ; charset=utf-8", true),
            (b"application/vnd.api+json", true),
            (b"application/problem+JSON;x", true),
            (b"", false),
            (b"json", false),
            (b"text/json", false),
            (b"application/jsonp", false),
            (b"application/x-www-form-urlencoded; application/json", false),
            (b"application/json; name=\xfc", false),
        ] {
            let value = HeaderValue::from_bytes(value).unwrap();
            assert_eq!(is_json(&value), want, "{value:?}");
        }
    }
}
