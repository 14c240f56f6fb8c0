//! Parsing without devices: outputs that were read elsewhere, and what can be parsed.

use std::time::Instant;

use actix_web::{
    HttpRequest,
    web::{self, Data, Json},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{App, body, error::ApiError, examples, pieces::InPieces, request_id};
use crate::{
    catalog::Os,
    executor::read_line,
    wire::{
        self,
        parse::{self, ParseJob, ParseRequest, ParseResponse},
    },
};

impl App {
    /// The names of a platform, known to us or to the template library only.
    fn os(&self, given: &str) -> Os {
        Os::new(given, self.registry.now().find(given))
    }

    /// Has the folder of own templates looked at, if it is time to: not by async code, which only asks what was read.
    async fn refresh_templates(&self) {
        if self.reader.catalog().is_stale() {
            self.reader.run(|_, _| ()).await;
        }
    }

    fn knows(&self, given: &str) -> bool {
        self.registry.now().find(given).is_some() || self.reader.catalog().knows(&self.os(given))
    }
}

/// Parses an output that was read elsewhere.
///
/// The template is chosen by platform and command, as `/api/v1/execute` does; an output that no template reads is no
/// HTTP error: `parsed` is null and `parse_error` says why. With `template` the request brings its own.
#[utoipa::path(
    post,
    path = "/api/v1/parse",
    tag = "Show commands",
    operation_id = "parse",
    request_body(content = ParseRequest, examples(
        ("ios" = (summary = "An output of IOS", value = json!(examples::parse()))),
        ("own_template" = (summary = "With a template of your own", value = json!(examples::own_template()))),
    )),
    responses(
        (status = 200, description = "The records, or why there are none", body = ParseResponse),
    )
)]
pub(super) async fn parse(
    request: HttpRequest,
    payload: web::Payload,
    app: Data<App>,
) -> Result<InPieces<ParseResponse>, ApiError> {
    app.refresh_templates().await;
    let known = app.clone();
    let read = move |body: wire::json::Json<'_>| ParseJob::read(body, |os| known.knows(os));
    // Its text is most of the body, and waits for a thread.
    let (job, room) = body::read(&request, payload, &app, read).await?;
    let job = job.map_err(|faults| app.invalid(faults))?;
    let (os, explain) = (app.os(&job.os), job.explain);
    let started = Instant::now();
    let reading = app.reader.run(move |catalog, is_late| {
        let _room = room;
        match &job.template {
            Some(template) => catalog.read_with(template, &job.output, explain, is_late),
            None => Ok(read_line(catalog, &os, &job.command, &job.output, explain, is_late)),
        }
    });
    let reading = reading.await.ok_or(ApiError::Internal)?;
    let reading = reading.map_err(|reason| ApiError::Invalid(parse::broken_template(&reason)))?;
    app.metrics.parsed(reading.parsed.is_some(), started.elapsed());
    Ok(InPieces(ParseResponse::new(reading, explain, request_id::current())))
}

/// A parameter that is named in an answer, but not with more of it than this.
const MOST_NAME_CHARS: usize = 64;

/// The one parameter that there is, if it is given.
fn os_of(query: &str) -> Result<Option<String>, ApiError> {
    let pairs = web::Query::<Vec<(String, String)>>::from_query(query);
    let mut given = None;
    for (name, value) in pairs.map(web::Query::into_inner).unwrap_or_default() {
        if name != "os" {
            let shown = name.chars().take(MOST_NAME_CHARS).flat_map(char::escape_debug).collect();
            return Err(ApiError::wrong_query(
                shown,
                "extra_forbidden",
                "The one parameter here is `os`",
            ));
        }
        if given.replace(value).is_some() {
            return Err(ApiError::wrong_query(name, "value_error", "Value error, give `os` once"));
        }
    }
    Ok(given)
}

/// Lists the commands of a platform that can be parsed, with the fields of their records.
#[utoipa::path(
    get,
    path = "/api/v1/parsers",
    tag = "What is supported",
    operation_id = "parsers",
    params((
        "os" = Option<String>, Query, example = "ios",
        description = "A platform, by any of its names. Without it the answer counts the commands of each platform.",
    )),
    responses(
        (status = 200, description = "Commands, templates and fields", body = ParsersResponse),
    )
)]
pub(super) async fn parsers(
    request: HttpRequest,
    app: Data<App>,
) -> Result<Json<ParsersResponse>, ApiError> {
    let os = os_of(request.query_string())?;
    app.refresh_templates().await;
    if os.as_ref().is_some_and(|os| !app.knows(os)) {
        let msg = "Input should be the name of a known platform (GET /api/v1/platforms lists all)";
        return Err(ApiError::wrong_query("os".to_owned(), "enum", msg));
    }
    let names = os.as_ref().map(|os| app.os(os));
    let response = app.reader.run(move |catalog, _is_late| ParsersResponse::new(catalog, names));
    response.await.map(Json).ok_or(ApiError::Internal)
}

/// What can be parsed.
#[derive(Serialize, ToSchema)]
pub(super) struct ParsersResponse {
    /// The template library of this program; null if it was built without.
    #[schema(nullable, required)]
    library: Option<LibraryResult>,
    /// Templates of the operator's own folder that can be used.
    own_templates: usize,
    /// Files of that folder that cannot.
    broken_templates: Vec<BrokenResult>,
    /// Platforms of the library with how many commands each has; only without `os`.
    platforms: Vec<PlatformCount>,
    /// Commands of the platform that was asked for.
    parsers: Vec<ListedParser>,
    /// Always read into a tree of lines where no template is for the command.
    configurations: &'static str,
}

/// The template library.
#[derive(Serialize, ToSchema)]
struct LibraryResult {
    /// The package.
    #[schema(example = "ntc_templates")]
    name: String,
    /// Its version.
    #[schema(example = "9.3.0")]
    version: String,
    /// How many templates it has.
    templates: usize,
}

/// A file that cannot be used.
#[derive(Serialize, ToSchema)]
struct BrokenResult {
    /// Its name in the folder.
    file: String,
    /// What is wrong, and in which line.
    error: String,
}

/// How many commands of a platform can be parsed.
#[derive(Serialize, ToSchema)]
struct PlatformCount {
    /// The library's name for it.
    #[schema(example = "cisco_ios")]
    os: String,
    /// Commands with a template.
    commands: usize,
}

/// A command that can be parsed.
#[derive(Serialize, ToSchema)]
struct ListedParser {
    /// In full, `…` for an argument.
    #[schema(example = "show ip interface brief")]
    command: String,
    /// The template's file name, or several with `:` between them.
    #[schema(example = "cisco_ios_show_ip_interface_brief.textfsm")]
    template: String,
    /// `library` or `own`.
    source: &'static str,
    /// The fields of a record.
    fields: Vec<FieldResult>,
}

/// A field of a record.
#[derive(Serialize, ToSchema)]
struct FieldResult {
    /// Its key.
    #[schema(example = "ip_address")]
    name: String,
    /// `string` or `list`.
    #[serde(rename = "type")]
    #[schema(example = "string")]
    kind: &'static str,
}

impl ParsersResponse {
    fn new(catalog: &crate::catalog::Catalog, os: Option<Os>) -> Self {
        let field =
            |(name, is_list)| FieldResult { name, kind: if is_list { "list" } else { "string" } };
        let platforms = if os.is_some() { Vec::new() } else { catalog.platforms() };
        let listed = os.map(|os| catalog.list(&os)).unwrap_or_default();
        Self {
            library: catalog.library().map(|library| LibraryResult {
                name: library.name.clone(),
                version: library.version.clone(),
                templates: library.templates,
            }),
            own_templates: catalog.own_templates(),
            broken_templates: catalog
                .broken()
                .into_iter()
                .map(|broken| BrokenResult { file: broken.file, error: broken.error })
                .collect(),
            platforms: platforms
                .into_iter()
                .map(|(os, commands)| PlatformCount { os, commands })
                .collect(),
            parsers: listed
                .into_iter()
                .map(|one| ListedParser {
                    command: one.command,
                    template: one.template,
                    source: one.source,
                    fields: one.fields.into_iter().map(field).collect(),
                })
                .collect(),
            configurations: "show running-config and its kin become a tree of lines where no template is for them",
        }
    }
}
