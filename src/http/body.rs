//! Reads a request's body: whole, within its size, within its time, and within what all bodies may hold at once.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    thread::available_parallelism,
    time::Duration,
};

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderMap, HeaderValue},
    rt::time::timeout,
    web,
};
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{App, error::ApiError};
use crate::{
    executor::Pool,
    wire::json::{Json, TWICE},
};

/// The bytes that bodies may hold until they have been read, all together, and the threads that read large ones.
#[derive(Clone)]
pub struct BodyBudget {
    bytes: Arc<Semaphore>,
    /// Theirs alone: no output that somebody has parsed keeps them waiting.
    readers: Pool,
}

impl BodyBudget {
    /// So many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let threads = available_parallelism().map_or(2, usize::from);
        let bytes = Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS)));
        Self { bytes, readers: Pool::new(threads) }
    }

    /// Room for so many bytes more; `None` if there is none.
    fn take(&self, bytes: usize) -> Option<Room> {
        let permits = u32::try_from(bytes).ok()?;
        Arc::clone(&self.bytes).try_acquire_many_owned(permits).ok().map(Room)
    }
}

/// What a body takes of the budget; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Room(OwnedSemaphorePermit);

/// Bytes from which on a body is read on a thread for that: on the worker's own, everybody else would wait for it.
const LARGE: usize = 16 * 1024;
/// Chunks that a body may have whatever is in them; beyond, each has 64 bytes or more on the average. One costs the
/// worker more than what it brings.
const MOST_SMALL_CHUNKS: usize = 10_000;
const FEW_BYTES: usize = 64;

/// A body that has arrived.
struct Body {
    bytes: Vec<u8>,
}

impl Body {
    fn read<T>(&self, reading: impl FnOnce(Json<'_>) -> T) -> Result<T, ApiError> {
        let broken = |error| ApiError::BrokenJson { reason: position(&error) };
        // Some editors and shells of Windows write one.
        let text = self.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.bytes);
        Json::parse(text).map(reading).map_err(broken)
    }
}

/// What `reading` makes of the body, if that is JSON and is said to be; and the room that it takes, for as long as most of it is
/// held on to.
pub(super) async fn read<T: Send + 'static>(
    request: &HttpRequest,
    body: web::Payload,
    app: &App,
    reading: impl FnOnce(Json<'_>) -> T + Send + 'static,
) -> Result<(T, Option<Room>), ApiError> {
    if !is_said_to_be_json(request.headers()) {
        return Err(ApiError::ContentType);
    }
    let limit = app.settings.max_body_bytes;
    if said_length(request.headers()).is_some_and(|said| said > limit) {
        return Err(ApiError::TooLarge { limit });
    }
    // Whoever drips his body holds memory: he gets a fixed time, not one a byte.
    let seconds = app.settings.body_timeout;
    let mut whole = pin!(collect(body, limit, &app.body_budget));
    let whole = match soon(whole.as_mut()).await {
        Some(whole) => whole,
        None => timeout(Duration::from_secs(seconds), whole)
            .await
            .map_err(|_late| ApiError::BodyTimeout { seconds })?,
    };
    let (body, room) = whole?;
    let read = if body.bytes.len() > LARGE {
        let readers = &app.body_budget.readers;
        readers.run(move || body.read(reading)).await.ok_or(ApiError::Internal)?
    } else {
        body.read(reading)
    };
    Ok((read?, room))
}

/// What `whole` comes to if that is known at the second look. A small body comes with its head, and the framework hands it over
/// between the two; a timer would cost a twentieth of what is done for a request that is refused.
async fn soon<T>(mut whole: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    let mut is_second = false;
    poll_fn(|context| match whole.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if is_second => Poll::Ready(None),
        Poll::Pending => {
            is_second = true;
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

/// How long the body is said to be, in bytes.
fn said_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
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
) -> Result<(Body, Option<Room>), ApiError> {
    let (mut bytes, mut held) = (Vec::new(), None::<Room>);
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
            Some(held) => held.0.merge(more.0),
            None => held = Some(more),
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((Body { bytes }, held))
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
