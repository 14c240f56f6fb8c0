//! What the program can do, without a service or a device: `platforms`, `parsers`, `parse`, `about`, `explain`.

use std::{
    fmt::Write as _,
    fs,
    io::{Read as _, stdin},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{faults::said, print, read_text, refuse, sheet::Sheet};
use crate::{
    catalog::{Catalog, Os, Records},
    codes,
    executor::read_line,
    platform::Registry,
    settings::Settings,
    startup,
    wire::parse::{ParseJob, ParseResponse},
};

/// Less like than this is no typing error.
const LEAST_LIKENESS: f64 = 0.75;

/// Longest parse of one output.
const LIMIT: Duration = Duration::from_secs(10);

/// How rows are printed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub(super) enum Rows {
    /// Aligned columns
    #[default]
    Table,
    /// JSON
    Json,
    /// CSV
    Csv,
}

/// What to parse.
#[derive(clap::Args)]
pub(super) struct ParseWhat {
    /// File with the output; standard input without it
    file: Option<PathBuf>,
    /// The platform that printed it
    #[arg(long, value_name = "PLATFORM")]
    os: Option<String>,
    /// The command that printed it
    #[arg(long, short)]
    command: Option<String>,
    /// File with a `TextFSM` template to use instead of the one that is known for the command
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Prints the whole answer as JSON, with the template's rule for each line
    #[arg(long)]
    explain: bool,
    /// How to print the records
    #[arg(long, short, value_enum, default_value_t)]
    output: Rows,
}

/// Every platform with its names.
pub(super) fn platforms(settings: &Settings, rows: Rows) -> ExitCode {
    let registry = match startup::definitions(settings) {
        Ok((registry, ..)) => registry,
        Err(error) => return refuse(&error.to_string()),
    };
    let row = |platform: &crate::platform::Platform| json!({"name": platform.name(), "title": platform.title(), "aliases": platform.aliases()});
    print_rows(&registry.iter().map(|one| row(one)).collect::<Vec<_>>(), rows)
}

/// The commands of a platform that can be parsed, or how many each platform has.
pub(super) fn parsers(settings: &Settings, os: Option<&str>, rows: Rows) -> ExitCode {
    let (registry, catalog) = match known(settings) {
        Ok(known) => known,
        Err(reason) => return refuse(&reason),
    };
    let listed: Vec<Value> = if let Some(given) = os {
        let os = os_of(&registry, given);
        if registry.find(given).is_none() && !catalog.knows(&os) {
            return refuse(&format!("{given} is no platform; `showrunner platforms` lists them"));
        }
        let fields = |fields: Vec<(String, bool)>| {
            fields.into_iter().map(|(name, _)| name).collect::<Value>()
        };
        catalog
            .list(&os)
            .into_iter()
            .map(|one| json!({"command": one.command, "template": one.template, "fields": fields(one.fields)}))
            .collect()
    } else {
        let counts = catalog.platforms().into_iter();
        counts.map(|(os, commands)| json!({"os": os, "commands": commands})).collect()
    };
    print_rows(&listed, rows)
}

/// Reads records out of an output. Exit code 3: it could not be read, and the reason is said.
pub(super) fn parse(settings: &Settings, what: &ParseWhat) -> ExitCode {
    let answer = match parsed(settings, what) {
        Ok(answer) => answer,
        Err(reason) => return refuse(&reason),
    };
    let printed = if what.explain {
        // Our own types always serialise; as a value first, since records are not written anew.
        let answer = serde_json::to_value(&answer).unwrap_or_default();
        print(&serde_json::to_string_pretty(&answer).unwrap_or_default())
    } else {
        match answer.parsed.as_ref().map(Records::value) {
            Some(Value::Array(records)) => print_rows(&records, what.output),
            Some(tree) => print(&tree.to_string()),
            None => ExitCode::SUCCESS,
        }
    };
    match answer.parse_error {
        None => printed,
        Some(reason) => {
            eprintln!("showrunner: {reason}");
            ExitCode::from(3)
        }
    }
}

/// What a device printed: bytes that are not UTF-8 are replaced, as they are in what the service reads itself.
fn read_lossy(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        stdin().read_to_end(&mut bytes).map(drop)
    } else {
        fs::read(path).map(|read| bytes = read)
    };
    read.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn parsed(settings: &Settings, what: &ParseWhat) -> Result<ParseResponse, String> {
    let (registry, catalog) = known(settings)?;
    let file = what.file.as_deref().unwrap_or(Path::new("-"));
    let template = what.template.as_deref().map(read_text).transpose()?;
    let mut body = json!({
        "os": what.os, "command": what.command, "output": read_lossy(file)?, "template": template, "explain": what.explain
    });
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    let is_known = |os: &str| registry.find(os).is_some() || catalog.knows(&os_of(&registry, os));
    let job = ParseJob::read(body.into(), is_known).map_err(|faults| said(&faults))?;
    let until = Instant::now() + LIMIT;
    let is_late = || Instant::now() > until;
    let reading = if let Some(template) = &job.template {
        catalog.read_with(template, &job.output, job.explain, &is_late)?
    } else {
        let os = os_of(&registry, &job.os);
        read_line(&catalog, &os, &job.command, &job.output, job.explain, &is_late)
    };
    Ok(ParseResponse::new(reading, job.explain, uuid::Uuid::now_v7().to_string()))
}

/// Version and licences, the template library's included.
pub(super) fn about(settings: &Settings, with_licences: bool) -> ExitCode {
    let catalog = match startup::templates(settings) {
        Ok(catalog) => catalog,
        Err(error) => return refuse(&error.to_string()),
    };
    let mut text = format!(
        "showrunner {}\n{}\nLicence: {}\n",
        env!("CARGO_PKG_VERSION"),
        env!("CARGO_PKG_DESCRIPTION"),
        env!("CARGO_PKG_LICENSE")
    );
    if let Some(library) = catalog.library() {
        let first = library.licence.lines().map(str::trim).find(|line| !line.is_empty());
        let _ = writeln!(
            text,
            "\nTemplate library: {} {}, {} templates\nLicence: {}",
            library.name,
            library.version,
            library.templates,
            first.unwrap_or_default(),
        );
        if with_licences {
            let _ = write!(text, "\n{}", library.licence);
        } else {
            text.push_str("`showrunner about --licences` prints all in full.\n");
        }
    } else {
        text.push_str("\nTemplate library: none; run `make templates` and build again\n");
    }
    if with_licences {
        let _ = write!(text, "\n{}", include_str!("../../LICENSE"));
    }
    print(&text)
}

/// What is known of error codes; without one, all of them with their causes.
pub(super) fn explain(given: &[String]) -> ExitCode {
    if given.is_empty() {
        let mut sheet = Sheet::new(["code", "cause"]);
        sheet.rows.extend(codes::all().map(|known| vec![known.code.into(), known.cause.into()]));
        return print(&sheet.table());
    }
    let mut entries = Vec::new();
    for code in given {
        let Some(known) = codes::find(code) else { return refuse(&no_such_code(code)) };
        let status = known.status.map(|status| format!("HTTP status {status}. "));
        entries.push(format!(
            "{}\n\nCause.   {}{}\nCure.    {}\nExample. {}\n",
            known.code,
            status.unwrap_or_default(),
            known.cause,
            known.cure,
            known.example
        ));
    }
    print(&entries.join("\n"))
}

fn no_such_code(given: &str) -> String {
    let known = || codes::all().map(|known| known.code);
    let likeness = |code: &str| strsim::jaro_winkler(given, code);
    let mut near: Vec<&str> = known().filter(|code| code.contains(given)).collect();
    if near.is_empty() {
        let likest = known().max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
        near.extend(likest.filter(|likest| likeness(likest) >= LEAST_LIKENESS));
    }
    let near =
        if near.is_empty() { String::new() } else { format!(" (known: {})", near.join(", ")) };
    format!("{} is no error code{near}; `showrunner explain` lists them", given.escape_debug())
}

fn known(settings: &Settings) -> Result<(Registry, Catalog), String> {
    let (registry, ..) = startup::definitions(settings).map_err(|error| error.to_string())?;
    let catalog = startup::templates(settings).map_err(|error| error.to_string())?;
    Ok((registry, catalog))
}

fn os_of(registry: &Registry, given: &str) -> Os {
    Os::new(given, registry.find(given))
}

fn print_rows(records: &[Value], rows: Rows) -> ExitCode {
    let mut sheet = Sheet::default();
    sheet.add_records(&[], records);
    match rows {
        Rows::Table => print(&sheet.table()),
        Rows::Csv => print(&sheet.csv()),
        Rows::Json => print(&serde_json::to_string_pretty(records).unwrap_or_default()),
    }
}
