//! What is wrong with a request, in the words of the command line: arguments instead of JSON's fields.

use crate::{
    command::Rule,
    wire::field::{FieldError, Step},
};

/// What a predecessor's caller expects before some messages.
const FOR_PROGRAMS: &str = "Value error, ";

/// Lists of the service, and how the program prints them.
const LISTS: [(&str, &str); 3] = [
    (
        "GET /api/v1/platforms and GET /api/v1/parsers list them",
        "`showrunner platforms` lists them",
    ),
    ("GET /api/v1/platforms lists all", "`showrunner platforms` lists all"),
    ("`enable_password`", "--enable"),
];

/// The faults, a line each.
pub(super) fn said(faults: &[FieldError]) -> String {
    faults.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What else to say where each word of a command was given as a command.
pub(super) fn unquoted(commands: &[String], faults: &[FieldError]) -> Option<String> {
    let is_verb_missing = faults.iter().any(|fault| fault.rule == Some(Rule::ReadVerb));
    let are_words = commands.len() > 1 && commands.iter().all(|command| !command.contains(' '));
    (is_verb_missing && are_words)
        .then(|| format!("a command is one argument; in quotes: \"{}\"", commands.join(" ")))
}

fn line(fault: &FieldError) -> String {
    let steps = fault.loc.get(1..).unwrap_or_default();
    let (whose, field) = match steps {
        [Step::Name(list), Step::Index(index), rest @ ..] if list == "devices" => {
            (Some(format!("device {}", index + 1)), rest)
        }
        _ => (None, steps),
    };
    let what = match field {
        [Step::Name(name)] if fault.kind == "missing" => missing(name),
        [Step::Name(list), Step::Index(index)] if list == "commands" => {
            format!("command {}: {}", index + 1, message(fault))
        }
        [] => message(fault),
        _ => format!("{}: {}", dotted(field), message(fault)),
    };
    whose.map_or(what.clone(), |whose| format!("{whose}, {what}"))
}

fn missing(name: &str) -> String {
    match name {
        "os" => "no platform is named: give --os (`showrunner platforms` lists them)".to_owned(),
        "username" => "no user is named: give --user".to_owned(),
        "commands" => "no command is given: put one behind the options, in quotes".to_owned(),
        "command" => {
            "no command is named: give --command, the one that printed the text".to_owned()
        }
        other => format!("{other} is missing"),
    }
}

fn message(fault: &FieldError) -> String {
    let message = fault.msg.strip_prefix(FOR_PROGRAMS).unwrap_or(&fault.msg).to_owned();
    LISTS.iter().fold(message, |message, (there, here)| message.replace(there, here))
}

fn dotted(steps: &[Step]) -> String {
    let step = |step: &Step| match step {
        Step::Name(name) => name.clone(),
        Step::Index(index) => (index + 1).to_string(),
    };
    steps.iter().map(step).collect::<Vec<_>>().join(".")
}
