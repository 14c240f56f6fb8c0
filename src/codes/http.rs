//! Codes of requests that were not carried out.

use super::ErrorCode;

/// In the order of their names.
pub const REQUESTS: &[ErrorCode] = &[
    ErrorCode {
        code: "api_key_missing",
        status: Some(401),
        cause: "The service asks for an API key, and the request has none.",
        cure: "Send the key as X-API-Key or as Authorization: Bearer. The operator makes one with `showrunner new-key NAME`.",
        example: "This service asks for an API key: send it in the header X-API-Key or as Authorization: Bearer",
    },
    ErrorCode {
        code: "api_key_unknown",
        status: Some(401),
        cause: "The request's API key is not in the service's file of keys.",
        cure: "Check that the key was pasted whole. If it is new, the operator has to let the service read the file again (SIGHUP).",
        example: "This API key is not known",
    },
    ErrorCode {
        code: "audit_unavailable",
        status: Some(503),
        cause: "`SHOWRUNNER_AUDIT_REQUIRED` is set and the audit stream cannot be written.",
        cure: "Operator: make room on the disk or mend the rights of `SHOWRUNNER_AUDIT_FILE`; the log has the system's word. Then ask again.",
        example: "The audit stream cannot be written, and nothing is done without it; nothing was sent to any device",
    },
    ErrorCode {
        code: "body_timeout",
        status: Some(408),
        cause: "The body did not arrive within `SHOWRUNNER_BODY_TIMEOUT` seconds.",
        cure: "Check the network between client and service; send fewer devices at once; the operator may raise the limit.",
        example: "The body did not arrive within 10 s",
    },
    ErrorCode {
        code: "body_too_large",
        status: Some(413),
        cause: "The body has more than `SHOWRUNNER_MAX_BODY_BYTES` bytes.",
        cure: "Send the devices in several requests, or shorter outputs to be parsed; the operator may raise the limit.",
        example: "The body is larger than the 2097152 bytes that are taken; send fewer devices at once",
    },
    ErrorCode {
        code: "broken_json",
        status: Some(400),
        cause: "The body is not JSON, or an object has the same name twice.",
        cure: "Look at the line and column that the answer names: a comma too many, a quote too few. In a shell, quote the body with single quotes.",
        example: "The body is not valid JSON: syntax error at line 3 column 14",
    },
    ErrorCode {
        code: "busy",
        status: Some(503),
        cause: "Bodies of requests that are on their way hold `SHOWRUNNER_MAX_BODIES_BYTES` bytes together already.",
        cure: "Send it again after `Retry-After` seconds; send smaller bodies. The operator may raise the limit.",
        example: "Too much is being sent at once; try again in a moment",
    },
    ErrorCode {
        code: "chunks_too_small",
        status: Some(400),
        cause: "The body comes in more than 10,000 chunks with less than 64 bytes each on the average.",
        cure: "Send it with a Content-Length, or in larger chunks: let your program collect what it writes.",
        example: "The body comes in very many very small chunks; send it with a Content-Length, or in larger ones",
    },
    ErrorCode {
        code: "incomplete_body",
        status: Some(400),
        cause: "The connection ended before the whole body was there.",
        cure: "Send it again; check Content-Length and what proxies do.",
        example: "The body did not arrive whole",
    },
    ErrorCode {
        code: "internal",
        status: Some(500),
        cause: "A fault of Showrunner itself.",
        cure: "Report it with the log lines of this request id, which hold no secrets.",
        example: "A fault of Showrunner itself; the log has more under this request id",
    },
    ErrorCode {
        code: "invalid_request",
        status: Some(422),
        cause: "The request is JSON but not a valid request: a field is missing, unknown or wrong, or the read-only gate refused a command. All faults are listed.",
        cure: "Go through `detail`. A refused command names the rule; docs/security.md says what each rule means. `POST /api/v1/validate` checks without connecting.",
        example: "Value error, Cisco IOS: Only read commands are allowed; try show (rule read_verb, position 0)",
    },
    ErrorCode {
        code: "method_not_allowed",
        status: Some(405),
        cause: "The path exists, but not for this method.",
        cure: "Use the method of the header `Allow`.",
        example: "Method Not Allowed",
    },
    ErrorCode {
        code: "not_found",
        status: Some(404),
        cause: "There is no such path, or no error code of this name.",
        cure: "`GET /` lists the paths, `GET /api/v1/errors` the codes. A proxy in front may have cut or added a part.",
        example: "Not Found",
    },
    ErrorCode {
        code: "rate_limited",
        status: Some(429),
        cause: "This client has sent more requests than its rate allows.",
        cure: "Wait for as many seconds as `Retry-After` says, and put many devices into one request. If all clients count as one, the operator has to set `SHOWRUNNER_TRUSTED_PROXIES`.",
        example: "This client may send 120 requests a minute here and has sent more; try again in 1 s",
    },
    ErrorCode {
        code: "service_full",
        status: Some(503),
        cause: "More devices would wait for a session than `SHOWRUNNER_MAX_QUEUED_DEVICES` lets.",
        cure: "Ask again after `Retry-After` seconds or for fewer devices; run more instances, or raise `SHOWRUNNER_MAX_CONCURRENT_DEVICES` where memory allows it.",
        example: "The service is full: 200 of 200 sessions run and 5000 of 5000 devices wait, and this request has 40; ask again in 5 s",
    },
    ErrorCode {
        code: "unsupported_media_type",
        status: Some(415),
        cause: "The body was not sent as JSON.",
        cure: "Send the header Content-Type: application/json; curl does not by itself.",
        example: "Send the body as JSON, with the header Content-Type: application/json",
    },
];
