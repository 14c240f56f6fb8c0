//! Reads a request's body: whole, within its size, within its time, and within what all bodies may hold at once.

use std::{sync::Arc, time::Duration};

use actix_web::{HttpRequest, http::header, rt::time::timeout, web};
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{App, error::ApiError, json};

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

/// The body as JSON.
pub(super) async fn read_json(
    request: &HttpRequest,
    body: web::Payload,
    app: &App,
) -> Result<Value, ApiError> {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence != "application/json" && !essence.ends_with("+json") {
        return Err(ApiError::ContentType);
    }
    // Whoever drips his body holds memory: he gets a fixed time, not one a byte.
    let seconds = app.settings.body_timeout;
    let whole = read(body, app.settings.max_body_bytes, &app.body_budget);
    let whole = timeout(Duration::from_secs(seconds), whole).await;
    let (body, _held) = whole.map_err(|_late| ApiError::BodyTimeout { seconds })??;
    json::parse(&body).map_err(|error| ApiError::BrokenJson { reason: position(&error) })
}

/// The bytes, and the room that they take until they have been read.
async fn read(
    mut body: web::Payload,
    limit: usize,
    budget: &BodyBudget,
) -> Result<(Vec<u8>, Option<OwnedSemaphorePermit>), ApiError> {
    let (mut bytes, mut held) = (Vec::new(), None::<OwnedSemaphorePermit>);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_broken| ApiError::Incomplete)?;
        if bytes.len() + chunk.len() > limit {
            return Err(ApiError::TooLarge { limit });
        }
        let more = budget.take(chunk.len()).ok_or(ApiError::Busy)?;
        // One for all of them: chunks of a byte each would take more memory than the body.
        match &mut held {
            Some(held) => held.merge(more),
            None => held = Some(more),
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((bytes, held))
}

/// What is wrong and where, without a word of the body.
fn position(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        _ if error.to_string().starts_with(json::TWICE) => json::TWICE,
        _ => "syntax error",
    };
    format!("{what} at line {} column {}", error.line(), error.column())
}
