//! The body of `POST /api/v1/parse` and its answer.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    field::{Faults, FieldError, Object, Place, text, truth},
    json::Json,
    request::trimmed,
    response::ParserResult,
};
use crate::catalog::{Explained, Reading, Records};

/// Longer ones are no command lines.
const MOST_COMMAND_BYTES: usize = 512;
/// Larger ones are no templates.
const MOST_TEMPLATE_BYTES: usize = 64 * 1024;

/// An output that was read elsewhere, to be parsed here.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ParseRequest)]
#[expect(
    dead_code,
    reason = "describes the body; `ParseJob::read` reads it, to report every fault at once"
)]
pub struct ParseRequest {
    /// What the device runs: any name of `GET /api/v1/platforms`, or a platform of the template library. May be left out
    /// beside a `template`.
    #[schema(nullable, example = "ios")]
    os: Option<String>,
    /// The command that printed the output, filters included. May be left out beside a `template`.
    #[schema(nullable, max_length = 512, example = "show ip interface brief")]
    command: Option<String>,
    /// What the device printed.
    #[schema(
        example = "Interface              IP-Address      OK? Method Status                Protocol\nGigabitEthernet0/1     10.0.0.1        YES NVRAM  up                    up\n"
    )]
    output: String,
    /// A `TextFSM` template to parse with, instead of the one that is known for the command.
    #[schema(nullable, max_length = 65536)]
    template: Option<String>,
    /// Also says which of the template's rules matched which line.
    #[serde(default)]
    #[schema(default = false)]
    explain: bool,
}

/// What is to be parsed, checked as far as one can without knowing any template.
#[derive(Debug)]
pub struct ParseJob {
    /// As the request has it; empty without one.
    pub os: String,
    /// As the request has it; empty without one.
    pub command: String,
    /// The text.
    pub output: String,
    /// The request's own template.
    pub template: Option<String>,
    /// Whether to say which rules matched.
    pub explain: bool,
}

impl ParseJob {
    /// Reads a body. `knows` says whether there is such a platform.
    ///
    /// # Errors
    /// Every fault of the body; no message holds a value of it.
    pub fn read(body: Json<'_>, knows: impl Fn(&str) -> bool) -> Result<Self, Vec<FieldError>> {
        let mut faults = Faults::default();
        let job = Self::read_fields(body, knows, &mut faults);
        faults.or(job)
    }

    fn read_fields(
        body: Json<'_>,
        knows: impl Fn(&str) -> bool,
        faults: &mut Faults,
    ) -> Option<Self> {
        let mut object = Object::read(body, Place::body(), faults)?;
        let has_template = object.has("template");
        let mut named = |name, faults: &mut Faults| {
            if has_template { object.optional(name) } else { object.required(name, faults) }
        };
        let os = named("os", faults).and_then(|found| {
            let place = found.1;
            let os = text(found, faults)?;
            if !knows(&os) {
                let msg = "Input should be the name of a known platform (GET /api/v1/platforms and GET /api/v1/parsers \
                           list them)";
                faults.add(&place, "enum", msg);
            }
            Some(os.into_owned())
        });
        let command = named("command", faults).and_then(|found| {
            let place = found.1;
            let command = text(found, faults)?;
            let command = trimmed(&command);
            if command.len() > MOST_COMMAND_BYTES {
                faults.value(
                    &place,
                    format_args!("At most {MOST_COMMAND_BYTES} bytes make a command"),
                );
            }
            Some(command.to_owned())
        });
        let output = object.required("output", faults).and_then(|found| text(found, faults));
        let output = output.map(Cow::into_owned);
        let template = object.optional("template").and_then(|found| {
            let place = found.1;
            let template = text(found, faults)?;
            if template.len() > MOST_TEMPLATE_BYTES {
                faults.value(
                    &place,
                    format_args!("At most {MOST_TEMPLATE_BYTES} bytes make a template"),
                );
            }
            Some(template.into_owned())
        });
        let explain = object.optional("explain").and_then(|found| truth(found, faults));
        object.finish(faults);
        Some(Self {
            os: os.unwrap_or_default(),
            command: command.unwrap_or_default(),
            output: output?,
            template,
            explain: explain.unwrap_or_default(),
        })
    }
}

/// The fault of a template that a request brought along.
#[must_use]
pub fn broken_template(reason: &str) -> Vec<FieldError> {
    let mut faults = Faults::default();
    faults.value(&Place::body().field("template"), reason);
    faults.or::<()>(None).err().unwrap_or_default()
}

/// What was read out of an output.
#[derive(Serialize, ToSchema)]
pub struct ParseResponse {
    /// The records (keys in lower case; strings, or lists of strings), or the tree of a configuration; null if there
    /// are none, and `parse_error` says why.
    #[schema(nullable, required, value_type = Option<serde_json::Value>, example = json!([{"interface": "GigabitEthernet0/1", "ip_address": "10.0.0.1", "status": "up", "proto": "up"}]))]
    pub parsed: Option<Records>,
    /// Why there are none: no template, the template does not know a line (which one), no records, a limit.
    #[schema(nullable, required)]
    pub parse_error: Option<String>,
    /// What read the output; null if nothing is known for the command.
    #[schema(nullable, required)]
    pub parser: Option<ParserResult>,
    /// Each rule that matched, in the order of the lines; only with `explain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable)]
    pub explanation: Option<Vec<ExplainedLine>>,
    /// Also in the header `X-Request-ID`.
    pub request_id: String,
}

/// A rule that matched a line.
#[derive(Serialize, ToSchema)]
pub struct ExplainedLine {
    /// The output's line, from 1.
    #[schema(example = 2)]
    pub line: usize,
    /// The state in which the rule matched.
    #[schema(example = "Start")]
    pub state: String,
    /// The template's line with that rule, from 1.
    #[schema(example = 7)]
    pub rule: usize,
    /// The template.
    #[schema(example = "cisco_ios_show_ip_interface_brief.textfsm")]
    pub template: String,
}

impl ParseResponse {
    /// The answer for a reading.
    #[must_use]
    pub fn new(reading: Reading, explain: bool, request_id: String) -> Self {
        let line = |Explained { template, line, state, rule }| ExplainedLine {
            line,
            state,
            rule,
            template,
        };
        Self {
            parsed: reading.parsed,
            parse_error: reading.error,
            parser: reading.parser.map(ParserResult::from),
            explanation: explain.then(|| reading.steps.into_iter().map(line).collect()),
            request_id,
        }
    }
}
