//! The route table and its handlers.

use actix_web::{
    HttpRequest, HttpResponse,
    dev::Service as _,
    http::{Method, header},
    web::{self, Data, Json},
};
use serde::Serialize;
use serde_json::Value;
use tracing::Instrument as _;
use utoipa::ToSchema;
use utoipa_swagger_ui::SwaggerUi;

use super::{
    App,
    authorize::Caller,
    client::Client,
    error::{self, ApiError},
    errors, examples, health, openapi, parsers, pieces, request_id, stream,
};
use crate::{
    catalog::{Catalog, Os},
    command::FilteredBy,
    executor,
    metrics::Metrics,
    outcome::DeviceOutcome,
    plan::{DevicePlan, Plan, PlannedCommand},
    platform::Platform,
    wire::{
        request::ExecuteRequest,
        response::{ExecuteResponse, ParserResult},
        stream::StreamLine,
        whole,
    },
};

/// What every port answers: health, what error codes mean, and metrics if they are `with_metrics`.
pub fn configure_monitoring(service: &mut web::ServiceConfig, with_metrics: bool) {
    service
        .service(get("/health", health::health))
        .service(get("/health/live", health::live))
        .service(get("/health/ready", health::ready))
        .service(get("/api/v1/errors", errors::list))
        .service(get("/api/v1/errors/{code}", errors::one))
        .default_service(web::to(error::not_found));
    if with_metrics {
        service.service(get("/metrics", metrics));
    }
}

/// All other routes. Whatever is not here is a JSON 404.
pub fn configure(service: &mut web::ServiceConfig) {
    // The cheaper question first.
    let in_pieces = web::route().guard(stream::wanted()).method(Method::POST);
    service
        // What is asked most stands first: they are looked through in this order.
        .service(
            post("/api/v1/execute", in_pieces.to(stream::execute)).route(web::post().to(execute)),
        )
        .service(get("/", index))
        // Callers of the predecessor may have a slash there.
        .service(web::redirect("/health/", "/health"))
        .service(web::redirect("/api/v1/execute/", "/api/v1/execute"))
        .service(get("/api/v1/platforms", platforms))
        .service(post("/api/v1/validate", web::post().to(validate)))
        .service(post("/api/v1/parse", web::post().to(parsers::parse)))
        .service(get("/api/v1/parsers", parsers::parsers))
        .default_service(web::to(error::not_found));
}

/// The `OpenAPI` document and Swagger UI.
pub fn configure_documents(service: &mut web::ServiceConfig) {
    service
        .service(get("/openapi.json", openapi_json))
        .service(web::redirect("/docs", "/docs/"))
        .service(web::redirect("/redoc", "/docs/"))
        .service(
            web::scope("/docs")
                .wrap_fn(|mut request, next| {
                    // It knows no HEAD; the framework leaves the body away where that was asked for.
                    if request.method() == Method::HEAD {
                        request.head_mut().method = Method::GET;
                    }
                    next.call(request)
                })
                .service(SwaggerUi::new("/{_:.*}").config(openapi::swagger_config())),
        );
}

fn get<H, A>(path: &str, handler: H) -> actix_web::Resource
where
    H: actix_web::Handler<A>,
    A: actix_web::FromRequest + 'static,
    H::Output: actix_web::Responder + 'static,
{
    web::resource(path).route(web::get().to(handler)).default_service(web::to(only_get))
}

fn post(path: &str, route: actix_web::Route) -> actix_web::Resource {
    web::resource(path).route(route).default_service(web::to(only_post))
}

async fn only_get() -> Result<HttpResponse, ApiError> {
    Err(ApiError::MethodNotAllowed { allow: "GET" })
}

async fn only_post() -> Result<HttpResponse, ApiError> {
    Err(ApiError::MethodNotAllowed { allow: "POST" })
}

/// Runs show commands on devices.
///
/// Every command goes through the read-only gate before the first connection is made; one refused command refuses
/// the request. Devices are read side by side, the commands of one device in order on one session. A device that
/// fails is data, not an HTTP error: its result has `success: false`, `error` and `error_code`, and the results of
/// all others are unharmed.
///
/// With `Accept: application/x-ndjson` each device's result is sent as one line when it is there, in the order in
/// which devices are done, then a summary line; with `?granularity=command` each command's result too. With
/// `Accept: text/event-stream` the same objects come as server-sent events. A stream without its summary was
/// broken off.
#[utoipa::path(
    post,
    path = "/api/v1/execute",
    tag = "Show commands",
    operation_id = "execute",
    params((
        "granularity" = inline(Option<GranularityName>), Query,
        description = "For streams: a line for each device, or one for each command and then one for its device",
    )),
    request_body(content = ExecuteRequest, examples(
        ("one_device" = (summary = "One device", value = json!(examples::one()))),
        ("many_devices" = (summary = "Many devices with a filter",
            description = "The filter is put into each platform's own words.", value = json!(examples::many()))),
        ("own_commands" = (summary = "Commands for each device",
            description = "A device's own commands take the place of the shared ones.", value = json!(examples::own_commands()))),
        ("key" = (summary = "Login by private key",
            description = "Put in a key of your own: the key of this example is none.", value = json!(examples::key()))),
        ("parsed" = (summary = "Records",
            description = "`parsed` has an object for each row of the output.", value = json!(examples::parsed()))),
        ("streaming" = (summary = "Results as they come",
            description = "Choose `application/x-ndjson` as the media type of the answer.", value = json!(examples::streaming()))),
    )),
    responses(
        (status = 200, description = "One result for each device, in the request's order", content(
            (ExecuteResponse = "application/json", example = json!(examples::answer())),
            (StreamLine = "application/x-ndjson"),
            (StreamLine = "text/event-stream"),
        )),
    )
)]
pub(super) async fn execute(
    request: HttpRequest,
    body: web::Payload,
    app: Data<App>,
    Caller { client, grant: caller }: Caller,
) -> Result<HttpResponse<pieces::Body>, ApiError> {
    // It is one call with one description, whichever way the answer comes.
    stream::granularity(request.query_string())?;
    let plan = app.plan(&request, body, caller).await?;
    let outcomes = carried_out(&app, &client, plan).instrument(request_id::span()).await?;
    Ok(pieces::answer(whole::answer(outcomes, request_id::current())))
}

async fn carried_out(
    app: &App,
    client: &Client,
    plan: Plan,
) -> Result<Vec<DeviceOutcome>, ApiError> {
    let mut trail = app.audit.begin(client.asker(), &plan).await?;
    let admitted = app.executor.admit(plan).inspect_err(|_full| trail.finish());
    let admitted = admitted.map_err(ApiError::Full)?;
    let came = |outcome: &DeviceOutcome| trail.came(outcome);
    let outcomes = admitted.outcomes(whole::write_command, came).await;
    trail.finish();
    app.traces.devices(&request_id::request().trace, &outcomes);
    Ok(outcomes)
}

/// Says what would be sent where, without connecting to anything.
///
/// Takes the body of `/api/v1/execute`. The answer lists, for each device, every line that would be written to it.
#[utoipa::path(
    post,
    path = "/api/v1/validate",
    tag = "Show commands",
    operation_id = "validate",
    request_body(content = ExecuteRequest, examples(
        ("one_device" = (summary = "One device", value = json!(examples::one()))),
        ("many_devices" = (summary = "Many devices with a filter", value = json!(examples::many()))),
        ("own_commands" = (summary = "Commands for each device", value = json!(examples::own_commands()))),
    )),
    responses(
        (status = 200, description = "What would be sent", body = ValidateResponse),
    )
)]
pub(super) async fn validate(
    request: HttpRequest,
    body: web::Payload,
    app: Data<App>,
    Caller { grant: caller, .. }: Caller,
) -> Result<Json<ValidateResponse>, ApiError> {
    let plan = app.plan(&request, body, caller).await?;
    let devices = app.reader.run(move |catalog, _is_late| {
        plan.devices.iter().map(|plan| ValidatedDevice::new(plan, catalog)).collect()
    });
    let devices = devices.await.ok_or(ApiError::Internal)?;
    Ok(Json(ValidateResponse { valid: true, devices, request_id: request_id::current() }))
}

/// Lists the platforms with all their names.
///
/// Each of them is a value for `os`.
#[utoipa::path(
    get,
    path = "/api/v1/platforms",
    tag = "What is supported",
    operation_id = "platforms",
    responses((status = 200, description = "Every platform with its aliases", body = PlatformsResponse))
)]
pub(super) async fn platforms(app: Data<App>) -> Json<PlatformsResponse> {
    let platforms: Vec<_> =
        app.registry.now().iter().map(|one| PlatformResult::from(&**one)).collect();
    Json(PlatformsResponse { total: platforms.len(), platforms })
}

/// What has been counted since the start, in Prometheus' text form.
///
/// Where the settings give metrics a port of their own, they are there and not here.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "Operation",
    operation_id = "metrics",
    responses((status = 200, description = "Counters, gauges and histograms", body = String, content_type = "text/plain"))
)]
pub(super) async fn metrics(app: Data<App>) -> HttpResponse {
    let load = app.executor.load();
    app.metrics.set_sessions(load.running, load.waiting);
    HttpResponse::Ok().content_type(Metrics::MEDIA_TYPE).body(app.metrics.text())
}

async fn index(app: Data<App>) -> Json<Value> {
    let mut index = serde_json::json!({
        "name": app.settings.title,
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Execute show commands on network devices",
        "endpoints": {
            "health": "/health",
            "execute": "/api/v1/execute (POST)",
            "validate": "/api/v1/validate (POST)",
            "parse": "/api/v1/parse (POST)",
            "platforms": "/api/v1/platforms",
            "parsers": "/api/v1/parsers",
            "errors": "/api/v1/errors",
            "docs": "/docs",
            "openapi": "/openapi.json",
        },
    });
    if !app.settings.enable_docs
        && let Some(endpoints) = index.get_mut("endpoints").and_then(Value::as_object_mut)
    {
        endpoints.retain(|name, _| !["docs", "openapi"].contains(&name.as_str()));
    }
    Json(index)
}

async fn openapi_json(app: Data<App>) -> HttpResponse {
    let document = openapi::document(&app.settings, app.first_example_port);
    HttpResponse::Ok().content_type(header::ContentType::json()).body(document)
}

/// How small the pieces of a streamed answer are.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the parameter; `stream` reads it")]
enum GranularityName {
    /// A line for each device.
    Device,
    /// A line for each command, then one for its device.
    Command,
}

/// What would be sent where.
#[derive(Serialize, ToSchema)]
pub(super) struct ValidateResponse {
    /// Always true: a request that is not valid is answered with 422.
    valid: bool,
    /// One for each device of the request.
    devices: Vec<ValidatedDevice>,
    /// Also in the header `X-Request-ID`.
    request_id: String,
}

/// What would be sent to one device.
#[derive(Serialize, ToSchema)]
pub(super) struct ValidatedDevice {
    /// As the request had it.
    #[schema(example = "192.0.2.1")]
    hostname: String,
    /// TCP port.
    port: u16,
    /// As the request had it.
    #[schema(example = "ios")]
    os: String,
    /// The platform that this name means.
    #[schema(example = "cisco_ios")]
    platform: String,
    /// Lines sent before the first command; none changes anything that is saved.
    prepare: Vec<String>,
    /// The commands.
    commands: Vec<ValidatedCommand>,
    /// The line that ends the session.
    #[schema(example = "exit")]
    logout: String,
}

/// One command as it would be sent.
#[derive(Serialize, ToSchema)]
pub(super) struct ValidatedCommand {
    /// As the answer of `/execute` would show it.
    command: String,
    /// The line that the device would get.
    line: String,
    /// Where the filter would be applied: `device` or `service`; null without one.
    #[schema(nullable, required)]
    filtered_by: Option<&'static str>,
    /// Seconds it may take.
    timeout: u64,
    /// What would read its output; null if nothing would or nothing was asked for.
    #[schema(nullable, required)]
    parser: Option<ParserResult>,
}

impl ValidatedDevice {
    fn new(plan: &DevicePlan, catalog: &Catalog) -> Self {
        let platform = &plan.device.platform;
        let os = Os::new(&plan.device.os, Some(platform));
        let session = platform.session();
        Self {
            hostname: plan.device.host.to_string(),
            port: plan.device.port,
            os: plan.device.os.clone(),
            platform: platform.name().to_owned(),
            prepare: session.prepare.iter().map(|line| line.as_str().to_owned()).collect(),
            commands: plan
                .commands
                .iter()
                .map(|planned| ValidatedCommand::new(planned, &os, catalog))
                .collect(),
            logout: session.logout.as_str().to_owned(),
        }
    }
}

impl ValidatedCommand {
    fn new(planned: &PlannedCommand, os: &Os, catalog: &Catalog) -> Self {
        let command = &planned.command;
        let line = command.line().as_str();
        let parser = executor::parser_of(catalog, os, planned);
        Self {
            command: command.display().to_owned(),
            line: line.to_owned(),
            filtered_by: command.filtered_by().map(FilteredBy::name),
            timeout: planned.timeout.as_secs(),
            parser: parser.map(ParserResult::from),
        }
    }
}

/// The platforms that `os` can name.
#[derive(Serialize, ToSchema)]
pub(super) struct PlatformsResponse {
    /// How many.
    total: usize,
    /// Ordered by name.
    platforms: Vec<PlatformResult>,
}

/// One platform.
#[derive(Serialize, ToSchema)]
pub(super) struct PlatformResult {
    /// Its name here.
    #[schema(example = "cisco_xe")]
    name: String,
    /// Its maker's name for it.
    #[schema(example = "Cisco IOS-XE")]
    title: String,
    /// Other names that mean the same.
    #[schema(example = json!(["iosxe", "cisco_iosxe"]))]
    aliases: Vec<String>,
}

impl From<&Platform> for PlatformResult {
    fn from(platform: &Platform) -> Self {
        Self {
            name: platform.name().to_owned(),
            title: platform.title().to_owned(),
            aliases: platform.aliases().to_vec(),
        }
    }
}
