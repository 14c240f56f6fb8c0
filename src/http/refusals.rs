//! What the document says of refusals: the same few answers for every call, their examples from the table of codes.

use serde_json::{Map, Value, json};

use crate::{
    codes::{ErrorCode, REQUESTS},
    wire::errors::CodeLink,
};

const METHODS: [&str; 2] = ["get", "post"];
/// Calls that answer whoever asks, whatever has happened.
const HEALTH: &str = "/health";
/// Calls that need no key.
const OPEN: &str = "/api/v1/errors";
/// What may come of any other call.
const OF_ALL: [u16; 4] = [401, 403, 429, 500];
/// What may come of a call with a body.
const OF_BODIES: [u16; 6] = [400, 408, 413, 415, 422, 503];
/// What may come of a call for something that is named in the path.
const NOT_FOUND: u16 = 404;
/// Calls without a body that can be asked in a wrong way.
const WITH_QUERY: [&str; 1] = ["/api/v1/parsers"];
/// Not counted against any limit.
const METRICS: &str = "/metrics";
/// The one open call that may ask to come back later.
const READY: &str = "/health/ready";
/// The header of every answer.
const ALWAYS: &str = "X-Request-ID";
const REQUEST_ID: &str = "01a1fc85-7a0c-7b3e-9d55-2f1c3c0a9e11";

/// Adds the refusals of every call, and the headers of every answer.
pub(super) fn describe(document: &mut Value) {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for (path, item) in paths.into_iter().flatten() {
        let operations =
            METHODS.iter().filter_map(|method| Some((*method, item.get(*method)?.clone())));
        for (method, mut operation) in operations.collect::<Vec<_>>() {
            let has_body = operation.get("requestBody").is_some();
            describe_call(path, has_body, &mut operation);
            item[method] = operation;
        }
    }
    let components = &mut document["components"];
    components["headers"] = headers();
    components["responses"] =
        statuses().map(|status| (name(status), refusal(status))).collect::<Map<_, _>>().into();
}

fn describe_call(path: &str, has_body: bool, operation: &mut Value) {
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (status, response) in responses.iter_mut() {
        let may_come_back = path == READY && status != "200";
        response["headers"] =
            references(if may_come_back { &[ALWAYS, "Retry-After"] } else { &[ALWAYS] });
    }
    let is_open = path.starts_with(OPEN);
    if !path.starts_with(HEALTH) {
        let of_all = OF_ALL.iter().filter(|status| {
            let is_never = if is_open {
                [401, 403].contains(*status)
            } else {
                path == METRICS && **status == 429
            };
            !is_never
        });
        let of_body = OF_BODIES.iter().filter(|_| has_body);
        let of_query = [422].iter().filter(|_| WITH_QUERY.contains(&path));
        let of_path = [NOT_FOUND].iter().filter(|_| path.contains('{'));
        for status in of_all.chain(of_body).chain(of_query).chain(of_path) {
            responses.insert(status.to_string(), reference("responses", &name(*status)));
        }
        responses.sort_keys();
    }
    if is_open || path.starts_with(HEALTH) {
        operation["security"] = json!([]);
    }
}

/// Every status that a refusal has, once.
fn statuses() -> impl Iterator<Item = u16> {
    let all = OF_ALL.into_iter().chain(OF_BODIES).chain([NOT_FOUND]);
    all.filter(|status| codes(*status).next().is_some())
}

fn codes(status: u16) -> impl Iterator<Item = &'static ErrorCode> {
    REQUESTS.iter().filter(move |known| known.status == Some(status))
}

fn name(status: u16) -> String {
    format!("Refused{status}")
}

fn reference(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}

fn references(headers: &[&str]) -> Value {
    headers.iter().map(|name| ((*name).to_owned(), reference("headers", name))).collect()
}

fn headers() -> Value {
    json!({
        "X-Request-ID": {
            "description": "The request's id, also in every log line of it; one that the request brings is kept",
            "required": true, "schema": {"type": "string"}
        },
        "Retry-After": {
            "description": "Seconds after which to ask again",
            "schema": {"type": "integer", "minimum": 0}
        },
        "WWW-Authenticate": {"description": "How to show an API key", "schema": {"type": "string"}}
    })
}

/// A refusal with this status; every code of it is an example.
fn refusal(status: u16) -> Value {
    let is_invalid = status == 422;
    let example = |known: &ErrorCode| {
        let fault =
            json!([{"loc": ["body", "commands", 0], "msg": known.example, "type": "value_error"}]);
        let detail = if is_invalid { fault } else { known.example.into() };
        let (code, link) = (known.code, CodeLink(known.code));
        let value = json!({"detail": detail, "code": code, "link": link, "request_id": REQUEST_ID});
        (
            known.code.to_owned(),
            json!({"summary": known.cause, "description": known.cure, "value": value}),
        )
    };
    let examples: Map<String, Value> = codes(status).map(example).collect();
    let causes: Vec<String> =
        codes(status).map(|known| format!("`{}`: {}", known.code, known.cause)).collect();
    let schema = reference("schemas", if is_invalid { "InvalidBody" } else { "ErrorBody" });
    let headers = match status {
        401 => references(&[ALWAYS, "WWW-Authenticate"]),
        429 | 503 => references(&[ALWAYS, "Retry-After"]),
        _ => references(&[ALWAYS]),
    };
    json!({
        "description": causes.join("\n\n"),
        "headers": headers,
        "content": {"application/json": {"schema": schema, "examples": examples}}
    })
}
