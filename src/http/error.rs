//! Errors as answers: one shape, one table of status codes, no value of the request in any of them.

use std::fmt;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use serde::Serialize;
use utoipa::ToSchema;

use super::request_id;
use crate::{
    audit::Unkept,
    codes,
    executor::Full,
    settings::rate::Rate,
    wire::{
        errors::CodeLink,
        escape::{plain, quote},
        field::{FieldError, Step},
    },
};

/// Room for most errors.
const USUAL_BYTES: usize = 512;

/// Why a request was not carried out.
#[derive(Debug)]
pub(super) enum ApiError {
    /// The audit stream is required and cannot be written.
    AuditUnavailable,
    /// The body did not arrive in time.
    BodyTimeout {
        /// The limit.
        seconds: u64,
    },
    /// The body cannot be read as JSON.
    BrokenJson {
        /// What and where.
        reason: String,
    },
    /// Bodies of others take all the room there is.
    Busy,
    /// The body was not sent as JSON.
    ContentType,
    /// A page of another site, in somebody's browser, asks a service that asks nobody who he is.
    ForeignPage,
    /// More devices would wait than may.
    Full(Full),
    /// The body did not arrive whole.
    Incomplete,
    /// A fault of our own.
    Internal,
    /// Everything that is wrong with a body.
    Invalid(Vec<FieldError>),
    /// An API key is needed and there is none.
    KeyMissing,
    /// The API key is none of ours.
    KeyUnknown,
    /// The path exists, the method does not.
    MethodNotAllowed {
        /// The `Allow` header.
        allow: &'static str,
    },
    /// No such error code.
    NoSuchCode,
    /// No such path.
    NotFound,
    /// The body comes in crumbs.
    SmallChunks,
    /// The body is over the limit.
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
}

impl ApiError {
    /// A parameter behind the path that is none, or has a value that it cannot have.
    pub(super) fn wrong_query(name: String, kind: &'static str, msg: &str) -> Self {
        Self::Invalid(vec![FieldError {
            loc: vec![Step::Name("query".into()), Step::Name(name.into())],
            msg: msg.to_owned(),
            kind,
            rule: None,
        }])
    }

    /// The wire code. Codes are API: add, never rename.
    fn code(&self) -> &'static str {
        match self {
            Self::AuditUnavailable => "audit_unavailable",
            Self::BodyTimeout { .. } => "body_timeout",
            Self::BrokenJson { .. } => "broken_json",
            Self::Busy => "busy",
            Self::ContentType => "unsupported_media_type",
            Self::ForeignPage => "foreign_page",
            Self::Full(_) => "service_full",
            Self::Incomplete => "incomplete_body",
            Self::Internal => "internal",
            Self::Invalid(_) => "invalid_request",
            Self::KeyMissing => "api_key_missing",
            Self::KeyUnknown => "api_key_unknown",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::NoSuchCode | Self::NotFound => "not_found",
            Self::SmallChunks => "chunks_too_small",
            Self::TooLarge { .. } => "body_too_large",
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AuditUnavailable => f.write_str(
                "The audit stream cannot be written, and nothing is done without it; nothing was sent to any device",
            ),
            Self::BodyTimeout { seconds } => {
                write!(f, "The body did not arrive within {seconds} s")
            }
            Self::BrokenJson { reason } => write!(f, "The body is not valid JSON: {reason}"),
            Self::Busy => f.write_str("Too much is being sent at once; try again in a moment"),
            Self::ContentType => {
                f.write_str("Send the body as JSON, with the header Content-Type: application/json")
            }
            Self::ForeignPage => f.write_str(
                "A page of another site may not use this service, which asks nobody for a key; open it as localhost or by its address, \
                 or set SHOWRUNNER_TRUSTED_PROXIES if a proxy is in front",
            ),
            Self::Full(full) => {
                write!(f, "{full}; ask again in {} s", full.retry_after.as_secs())
            }
            Self::Incomplete => f.write_str("The body did not arrive whole"),
            Self::Internal => {
                f.write_str("A fault of Showrunner itself; the log has more under this request id")
            }
            Self::Invalid(_) => f.write_str("The request is not valid"),
            Self::KeyMissing => f.write_str(
                "This service asks for an API key: send it in the header X-API-Key or as Authorization: Bearer",
            ),
            Self::KeyUnknown => f.write_str("This API key is not known"),
            Self::MethodNotAllowed { .. } => f.write_str("Method Not Allowed"),
            Self::NoSuchCode => {
                f.write_str("There is no such error code; GET /api/v1/errors lists them all")
            }
            Self::NotFound => f.write_str("Not Found"),
            Self::SmallChunks => f.write_str(
                "The body comes in very many very small chunks; send it with a Content-Length, or in larger ones",
            ),
            Self::TooLarge { limit } => {
                write!(
                    f,
                    "The body is larger than the {limit} bytes that are taken; send fewer devices at once"
                )
            }
        }
    }
}

impl From<Unkept> for ApiError {
    fn from(_: Unkept) -> Self {
        Self::AuditUnavailable
    }
}

/// An error as JSON.
#[derive(Serialize, ToSchema)]
pub(super) struct ErrorBody<'a> {
    /// A sentence.
    #[schema(example = "Not Found")]
    detail: String,
    /// The kind of error, for programs.
    #[schema(example = "not_found")]
    code: &'static str,
    /// Where the service says more of this kind of error: its cause, what to do, an example.
    #[schema(value_type = String, example = "/api/v1/errors/not_found")]
    link: CodeLink,
    /// Also in the header `X-Request-ID`.
    request_id: &'a str,
}

impl ErrorBody<'_> {
    fn written(&self) -> Vec<u8> {
        let mut json = Vec::with_capacity(USUAL_BYTES);
        // Our own types always serialise.
        let _ = serde_json::to_writer(&mut json, self);
        json
    }
}

/// Everything that is wrong with a request, as JSON.
#[derive(Serialize, ToSchema)]
pub(super) struct InvalidBody<'a> {
    /// Each fault with its place.
    #[schema(value_type = Vec<FieldError>)]
    detail: &'a [FieldError],
    /// Always `invalid_request`.
    #[schema(example = "invalid_request")]
    code: &'static str,
    /// Where the service says more of it.
    #[schema(value_type = String, example = "/api/v1/errors/invalid_request")]
    link: CodeLink,
    /// Also in the header `X-Request-ID`.
    request_id: &'a str,
}

impl InvalidBody<'_> {
    /// The same JSON as the library's, sooner: refusals can be many.
    fn written(&self) -> Vec<u8> {
        let mut json = Vec::with_capacity(USUAL_BYTES);
        json.extend_from_slice(b"{\"detail\":[");
        for (index, fault) in self.detail.iter().enumerate() {
            json.extend_from_slice(if index == 0 { b"" } else { b"," });
            fault.write(&mut json);
        }
        json.extend_from_slice(b"],\"code\":");
        plain(self.code, &mut json);
        json.extend_from_slice(b",\"link\":");
        self.link.write(&mut json);
        json.extend_from_slice(b",\"request_id\":");
        quote(self.request_id, &mut json);
        json.push(b'}');
        json
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        let known = codes::REQUESTS.iter().find(|known| known.code == self.code());
        let status = known.and_then(|known| StatusCode::from_u16(known.status?).ok());
        status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let mut response = HttpResponse::build(status);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((header::RETRY_AFTER, 1));
        }
        if matches!(
            self,
            Self::BodyTimeout { .. } | Self::Busy | Self::SmallChunks | Self::TooLarge { .. }
        ) {
            // The rest of the body may still be on its way.
            response.force_close();
        }
        if let Self::MethodNotAllowed { allow } = self {
            response.insert_header((header::ALLOW, *allow));
        }
        if let Self::Full(full) = self {
            response.insert_header((header::RETRY_AFTER, full.retry_after.as_secs()));
        }
        if matches!(self, Self::KeyMissing | Self::KeyUnknown) {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        let (code, request) = (self.code(), request_id::request());
        let (link, request_id) = (CodeLink(code), request.id.as_str());
        if let Self::Invalid(faults) = self {
            let body = InvalidBody { detail: faults, code, link, request_id };
            return with_json(&mut response, body.written());
        }
        let body = ErrorBody { detail: self.to_string(), code, link, request_id };
        with_json(&mut response, body.written())
    }
}

fn with_json(response: &mut HttpResponseBuilder, json: Vec<u8>) -> HttpResponse {
    response
        .insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .body(json)
}

/// For paths that do not exist.
pub(super) async fn not_found(_request: HttpRequest) -> Result<HttpResponse, ApiError> {
    Err(ApiError::NotFound)
}

/// For clients that send too much: the limit, and when to come back.
pub(super) fn rate_limited(
    response: &mut HttpResponseBuilder,
    rate: Rate,
    seconds: u64,
) -> HttpResponse {
    let (count, period) = (rate.count, rate.period.name());
    let body = ErrorBody {
        detail: format!(
            "This client may send {count} requests a {period} here and has sent more; try again in {seconds} s"
        ),
        code: "rate_limited",
        link: CodeLink("rate_limited"),
        request_id: &request_id::request().id,
    };
    with_json(response, body.written())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::field::Step;

    proptest! {
        #[test]
        fn faults_are_written_as_the_library_writes_them(
            faults in prop::collection::vec(("(.|[\x00-\x1f\"\\\\]){0,20}", ".{0,9}", prop::collection::vec(any::<usize>(), 0..3)), 0..4),
            request_id in "[a-z0-9._-]{0,64}",
        ) {
            let fault = |(msg, name, indexes): (String, String, Vec<usize>)| {
                let name = std::iter::once(Step::Name(name.into()));
                let loc = name.chain(indexes.into_iter().map(Step::Index)).collect();
                FieldError { loc, msg, kind: "value_error", rule: None }
            };
            let faults: Vec<_> = faults.into_iter().map(fault).collect();
            let code = "invalid_request";
            let body = InvalidBody { detail: &faults, code, link: CodeLink(code), request_id: &request_id };
            prop_assert_eq!(body.written(), serde_json::to_vec(&body).unwrap());
        }
    }
}
