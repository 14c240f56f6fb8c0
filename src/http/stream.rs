//! Answers sent piece by piece: each result when it is there, as NDJSON or as server-sent events.
//!
//! Chosen by the `Accept` header; everything that refuses a request is answered before the first line is sent.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_web::{
    HttpRequest, HttpResponse,
    guard::{Guard, fn_guard},
    http::{
        ConnectionType, Version,
        header::{self, HeaderMap},
    },
    web::{self, Bytes, Data},
};
use futures_util::stream;
use tokio::time::timeout;
use tracing::Instrument as _;

use super::{App, authorize::Caller, client::Client, error::ApiError, request_id};
use crate::{
    audit::Trail,
    executor::{Delivered, Granularity, Results},
    plan::Plan,
    traces::DevicesInPieces,
    wire::stream::{Lines, StreamLine},
};

/// How lines are framed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Framing {
    /// One JSON object a line.
    NdJson,
    /// Server-sent events, with a comment now and then while nothing comes.
    Events,
}

/// Requests that want their answer in pieces.
pub(super) fn wanted() -> impl Guard {
    fn_guard(|context| framing(context.head().headers()).is_some())
}

/// The same as `execute`, in pieces.
pub(super) async fn execute(
    request: HttpRequest,
    body: web::Payload,
    app: Data<App>,
    Caller { client, grant: caller }: Caller,
) -> Result<HttpResponse, ApiError> {
    let granularity = granularity(request.query_string())?;
    let plan = app.plan(&request, body, caller).await?;
    let framing = framing(request.headers()).unwrap_or(Framing::NdJson);
    let begun = Answer::begin(&app, &client, plan, framing, granularity);
    let mut response = begun.instrument(request_id::span()).await?.into_response();
    if request.version() < Version::HTTP_11 {
        // It knows no chunks: what ends an answer of unknown length is the end of the connection.
        response.head_mut().no_chunking(true);
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}

/// An answer under way.
struct Answer {
    framing: Framing,
    heartbeat: Duration,
    under_way: Option<Lines>,
    results: Results,
    witness: Arc<Mutex<Witness>>,
}

/// What is written down of results when they come: a reader who is slow, or has gone, has no part in it.
struct Witness {
    trail: Trail,
    traces: DevicesInPieces,
}

impl Witness {
    fn note(&mut self, delivered: &Delivered) {
        self.trail.note(delivered);
        self.traces.note(delivered);
    }
}

impl Answer {
    async fn begin(
        app: &App,
        client: &Client,
        plan: Plan,
        framing: Framing,
        granularity: Granularity,
    ) -> Result<Self, ApiError> {
        let mut trail = app.audit.begin(client.asker(), &plan).await?;
        let lines = Lines::new(&plan, request_id::current());
        let admitted = app.executor.admit(plan).inspect_err(|_full| trail.finish());
        let admitted = admitted.map_err(ApiError::Full)?;
        let traces = app.traces.devices_in_pieces(request_id::request().trace.clone());
        let witness = Arc::new(Mutex::new(Witness { trail, traces }));
        // It goes with the answer: what sessions come to behind that has been given up.
        let seen_by = Arc::downgrade(&witness);
        let results = admitted.results(granularity, move |delivered| {
            if let Some(witness) = seen_by.upgrade() {
                witness.lock().unwrap_or_else(PoisonError::into_inner).note(delivered);
            }
        });
        let heartbeat = Duration::from_secs(app.settings.stream_heartbeat);
        Ok(Self { framing, heartbeat, under_way: Some(lines), results, witness })
    }

    fn into_response(self) -> HttpResponse {
        HttpResponse::Ok()
            .content_type(self.framing.content_type())
            .insert_header((header::CACHE_CONTROL, "no-store"))
            // A proxy that collects the answer would undo what it is sent in pieces for.
            .insert_header(("X-Accel-Buffering", "no"))
            .streaming(stream::unfold(self, Self::next))
    }

    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        let lines = self.under_way.as_mut()?;
        let waited = match self.framing {
            Framing::NdJson => Ok(self.results.next().await),
            Framing::Events => timeout(self.heartbeat, self.results.next()).await,
        };
        let piece = match waited {
            Err(_quiet) => Bytes::from_static(b": still running\n\n"),
            Ok(Some(delivered)) => self.framing.frame(&lines.line(delivered)),
            Ok(None) => {
                let lines = self.under_way.take().filter(Lines::is_complete)?;
                self.witness.lock().unwrap_or_else(PoisonError::into_inner).trail.finish();
                self.framing.frame(&lines.summary())
            }
        };
        Some((Ok(piece), self))
    }
}

impl Framing {
    fn content_type(self) -> &'static str {
        match self {
            Self::NdJson => "application/x-ndjson",
            Self::Events => "text/event-stream",
        }
    }

    fn frame(self, line: &StreamLine) -> Bytes {
        // Our own types always serialise.
        let json = serde_json::to_string(line).unwrap_or_default();
        Bytes::from(match self {
            Self::NdJson => json + "\n",
            Self::Events => format!("event: {}\ndata: {json}\n\n", line.kind()),
        })
    }
}

/// What the caller likes best of what there is; `None` for one whole answer.
fn framing(headers: &HeaderMap) -> Option<Framing> {
    let accept = headers.get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
    let ranges = accept.flat_map(|value| value.split(',')).filter_map(|range| {
        let mut parts = range.split(';').map(|part| part.trim().to_ascii_lowercase());
        let framing = match parts.next()?.as_str() {
            "application/x-ndjson" => Some(Framing::NdJson),
            "text/event-stream" => Some(Framing::Events),
            "application/json" | "application/*" | "*/*" => None,
            _ => return None,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
        Some((framing, quality.unwrap_or(1.0)))
    });
    // Of several liked equally the first.
    let best = ranges
        .filter(|(_, quality)| *quality > 0.0)
        .reduce(|best, other| if other.1 > best.1 { other } else { best });
    best.and_then(|(framing, _)| framing)
}

/// How small the pieces are to be; whatever else stands behind the path is not looked at, as with the predecessor.
pub(super) fn granularity(query: &str) -> Result<Granularity, ApiError> {
    let pairs = web::Query::<Vec<(String, String)>>::from_query(query);
    let mut given = pairs.map(web::Query::into_inner).unwrap_or_default().into_iter();
    // Of several the last, as forms do it.
    match given.rfind(|(name, _)| name == "granularity") {
        None => Ok(Granularity::Device),
        Some((_, word)) if word == "device" => Ok(Granularity::Device),
        Some((_, word)) if word == "command" => Ok(Granularity::Command),
        Some((name, _)) => {
            Err(ApiError::wrong_query(name, "enum", "Input should be 'device' or 'command'"))
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn the_accept_header_chooses_between_pieces_and_one_answer() {
        use Framing::{Events, NdJson};
        for (accept, want) in [
            ("", None),
            ("*/*", None),
            ("application/json", None),
            ("application/x-ndjson", Some(NdJson)),
            ("Application/X-NDJSON; charset=utf-8", Some(NdJson)),
            ("text/event-stream", Some(Events)),
            ("text/html, text/event-stream, */*", Some(Events)),
            ("application/json, application/x-ndjson", None),
            ("application/json;q=0.5, application/x-ndjson", Some(NdJson)),
            ("application/x-ndjson;q=0.1, text/event-stream;q=0.2, */*;q=0.1", Some(Events)),
            ("application/x-ndjson;q=0, text/html", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(framing(&headers), want, "{accept}");
        }
        assert_eq!(framing(&HeaderMap::new()), None);
    }

    #[test]
    fn the_granularity_is_one_of_two_words() {
        for (query, want) in [
            ("", Some(Granularity::Device)),
            ("granularity=device", Some(Granularity::Device)),
            ("x=1&granularity=command", Some(Granularity::Command)),
            ("granularity=device&granularit%79=comman%64&x", Some(Granularity::Command)),
            ("granularity=", None),
            ("granularity=byte", None),
            ("granularity=command&granularity=byte", None),
        ] {
            assert_eq!(granularity(query).ok(), want, "{query}");
        }
    }
}
