//! The `OpenAPI` document and its examples, which work as they are against `showrunner demo`.

use serde_json::{Value, json};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
};
use utoipa_swagger_ui::Config;

use super::{error, health, parsers, routes};
use crate::wire::{parse, request, response, stream};

/// The document as JSON, with the service's title.
#[must_use]
pub fn document(title: &str) -> String {
    let mut document = ApiDoc::openapi();
    title.clone_into(&mut document.info.title);
    // Our own types always serialise; an empty document would be seen by the first test.
    document.to_pretty_json().unwrap_or_default()
}

/// Swagger UI reads the document from the service itself and shows the main call ready to try.
pub(super) fn swagger_config() -> Config<'static> {
    Config::new(["/openapi.json"])
        .try_it_out_enabled(true)
        .default_models_expand_depth(0)
        .display_request_duration(true)
        .doc_expansion("list")
}

/// One simulated IOS device.
pub(super) fn example_one() -> Value {
    json!({
        "devices": [
            {"hostname": "127.0.0.1", "port": 2201, "username": "demo", "password": "demo", "os": "ios"}
        ],
        "commands": ["show version", "show ip interface brief"]
    })
}

/// Three simulated devices and a filter that each understands in its own words.
pub(super) fn example_many() -> Value {
    json!({
        "devices": [
            {"hostname": "127.0.0.1", "port": 2201, "username": "demo", "password": "demo", "os": "ios"},
            {"hostname": "127.0.0.1", "port": 2203, "username": "demo", "password": "demo", "os": "nxos"},
            {"hostname": "127.0.0.1", "port": 2206, "username": "demo", "password": "demo", "os": "eos"}
        ],
        "commands": [
            {"command": "show version", "pipe_option": "include", "pipe_value": "[Uu]ptime"}
        ],
        "timeout": 30
    })
}

/// Two devices of different makers, each with commands of its own.
pub(super) fn example_own_commands() -> Value {
    json!({
        "devices": [
            {"hostname": "127.0.0.1", "port": 2205, "username": "demo", "password": "demo", "os": "asa",
             "enable_password": "demo", "commands": ["show version"]},
            {"hostname": "127.0.0.1", "port": 2207, "username": "demo", "password": "demo", "os": "junos",
             "commands": ["show version", "show interfaces terse | match ge-"]}
        ]
    })
}

/// Three simulated devices whose outputs become records.
pub(super) fn example_parsed() -> Value {
    json!({
        "devices": [
            {"hostname": "127.0.0.1", "port": 2201, "username": "demo", "password": "demo", "os": "ios",
             "commands": ["show ip interface brief", "show version"]},
            {"hostname": "127.0.0.1", "port": 2203, "username": "demo", "password": "demo", "os": "nxos",
             "commands": ["show version"]}
        ],
        "output_format": "parsed"
    })
}

/// An output of IOS.
pub(super) fn example_parse() -> Value {
    json!({
        "os": "ios",
        "command": "show ip interface brief",
        "output": "Interface              IP-Address      OK? Method Status                Protocol\n\
                   GigabitEthernet0/0     192.0.2.1       YES NVRAM  up                    up\n\
                   GigabitEthernet0/1     unassigned      YES NVRAM  administratively down down\n"
    })
}

/// A template in the request itself.
pub(super) fn example_own_template() -> Value {
    json!({
        "template": "Value SENSOR (\\S+)\nValue CELSIUS (\\d+)\n\nStart\n  ^${SENSOR}\\s+${CELSIUS} C -> Record\n",
        "output": "inlet   24 C\noutlet  39 C\n",
        "explain": true
    })
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Showrunner",
        description = "Runs read-only `show` commands on network devices.\n\n\
            Send devices, credentials and commands; get the raw text of every device back. Commands pass a grammar \
            that lets only reads through, nothing is kept, and one device's failure never touches another's result.",
        license(name = "GPL-3.0-or-later", identifier = "GPL-3.0-or-later"),
        contact()
    ),
    paths(routes::execute, routes::validate, parsers::parse, routes::platforms, parsers::parsers, health::health, health::live, health::ready),
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
        (name = "Show commands", description = "The main job"),
        (name = "What is supported", description = "Platforms and their names"),
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
