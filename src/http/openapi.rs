//! The `OpenAPI` document: what the handlers and types say of themselves, and what is the same for many calls.

use serde_json::{Map, Value, json};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
};
use utoipa_swagger_ui::Config;

use super::{error, errors, examples, health, parsers, refusals, routes};
use crate::{
    jump::MOST_HOPS,
    plan::RequestLimits,
    settings::Settings,
    wire::{parse, request, response, stream},
};

/// The document as JSON, with the service's title and bounds, and examples for simulated devices from `first_port` on.
#[must_use]
pub fn document(settings: &Settings, first_port: u16) -> String {
    let mut document = ApiDoc::openapi();
    document.info.title.clone_from(&settings.title);
    // Our own types always serialise; an empty document would be seen by the first test.
    let mut document = serde_json::to_value(document).unwrap_or_default();
    refusals::describe(&mut document);
    set_bounds(&mut document, &settings.request_limits());
    name_stream_lines(&mut document);
    examples::in_order(&mut document);
    calls_in_order(&mut document);
    examples::from_port(first_port, &mut document);
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

/// How much one request may hold, and how long a command may take.
fn set_bounds(document: &mut Value, limits: &RequestLimits) {
    let most_seconds = limits.timeout_max.as_secs();
    let default_seconds = limits.timeout_default.as_secs();
    for (property, bound, value) in [
        ("ExecuteRequest/properties/devices", "maxItems", json!(limits.max_devices)),
        ("ExecuteRequest/properties/commands", "maxItems", json!(limits.max_commands)),
        ("ExecuteRequest/properties/timeout", "default", json!(default_seconds)),
        ("ExecuteRequest/properties/timeout", "maximum", json!(most_seconds)),
        ("DeviceRequest/properties/commands", "maxItems", json!(limits.max_commands)),
        ("DeviceRequest/properties/jump", "maxItems", json!(MOST_HOPS)),
        ("FilteredCommand/properties/timeout", "maximum", json!(most_seconds)),
    ] {
        let property = document.pointer_mut(&format!("/components/schemas/{property}"));
        if let Some(Value::Object(property)) = property {
            property.insert(bound.to_owned(), value);
        }
    }
}

/// In which order calls are shown; those that are not listed come behind.
const ORDER: [&str; 7] = [
    "/api/v1/execute",
    "/api/v1/validate",
    "/api/v1/parse",
    "/api/v1/platforms",
    "/api/v1/parsers",
    "/api/v1/errors",
    "/api/v1/errors/{code}",
];

fn calls_in_order(document: &mut Value) {
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else { return };
    let mut unordered = std::mem::take(paths);
    for path in ORDER {
        paths.extend(unordered.shift_remove(path).map(|item| (path.to_owned(), item)));
    }
    paths.extend(unordered);
}

/// Gives each kind of line a name of its own: programs that write clients need one.
fn name_stream_lines(document: &mut Value) {
    let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut)
    else {
        return;
    };
    let Some(line) = schemas.get_mut("StreamLine") else { return };
    let kinds = line.get_mut("oneOf").map(Value::take);
    let (mut refs, mut mapping) = (Vec::new(), Map::new());
    let mut named = Map::new();
    for kind in kinds.as_ref().and_then(Value::as_array).into_iter().flatten() {
        let of = |at: &str| kind.pointer(at).and_then(Value::as_str);
        let (Some(word), Some(schema)) =
            (of("/allOf/1/properties/type/enum/0"), of("/allOf/0/$ref"))
        else {
            continue;
        };
        let name = format!("Streamed{}", schema.rsplit('/').next().unwrap_or_default());
        let place = format!("#/components/schemas/{name}");
        refs.push(json!({"$ref": place}));
        mapping.insert(word.to_owned(), place.into());
        named.insert(name, kind.clone());
    }
    line["oneOf"] = refs.into();
    line["discriminator"] = json!({"propertyName": "type", "mapping": mapping});
    schemas.extend(named);
}

/// Swagger UI reads the document from the service itself and shows the main call ready to try.
pub(super) fn swagger_config() -> Config<'static> {
    Config::new(["/openapi.json"])
        .try_it_out_enabled(true)
        .default_models_expand_depth(0)
        .default_model_expand_depth(3)
        .use_base_layout()
        .display_request_duration(true)
        .doc_expansion("list")
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Showrunner",
        description = "Runs read-only `show` commands on network devices.\n\n\
            Send devices, credentials and commands; get what every device printed back, as text and, where a template \
            is known, as records. Commands pass a grammar that lets only reads through, nothing is stored, and one \
            device's failure never touches another's result.\n\n\
            **Try it:** with `showrunner demo` running, open *execute* below, click *Execute*, and see what a \
            simulated router answers. On your own devices give `hostname`, `username`, `password` and `os`, which is \
            any name of *platforms*.",
        license(name = "GPL-3.0-or-later", identifier = "GPL-3.0-or-later")
    ),
    paths(routes::execute, routes::validate, parsers::parse, routes::platforms, parsers::parsers,
        errors::list, errors::one, health::health, health::live,
        health::ready, routes::metrics),
    components(schemas(
        request::ExecuteRequest,
        request::DeviceRequest,
        request::CommandRequest,
        request::FilteredCommand,
        response::ExecuteResponse,
        parse::ParseRequest,
        parse::ParseResponse,
        stream::StreamLine,
        error::ErrorBody,
        error::InvalidBody,
    )),
    modifiers(&ApiKeys),
    security((), ("api_key" = []), ("bearer" = [])),
    tags(
        (name = "Show commands", description = "Run them, check them, parse what they printed"),
        (name = "What is supported", description = "Platforms with their names, commands with their fields, errors with their cures"),
        (name = "Operation", description = "For load balancers and monitoring"),
    )
)]
struct ApiDoc;

/// The ways to show an API key, for services that ask for one.
struct ApiKeys;

impl Modify for ApiKeys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let header = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key")));
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("api_key", header);
        components.add_security_scheme("bearer", bearer);
    }
}
