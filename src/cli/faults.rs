//! What is wrong with a request, in the words of the command line: arguments instead of JSON's fields.

use crate::{
    command::Rule,
    wire::field::{FieldError, Step},
};

/// What a predecessor's caller expects before some messages.
const FOR_PROGRAMS: &str = "Value error, ";

/// Words of the service, and those of the command line.
const WORDS: [(&str, &str); 3] = [
    (
        "GET /api/v1/platforms and GET /api/v1/parsers list them",
        "`showrunner platforms` lists them",
    ),
    ("GET /api/v1/platforms lists all", "`showrunner platforms` lists all"),
    ("`enable_password`", "--enable"),
];

/// The faults, a line each; one that many devices have is said once.
pub(super) fn said(faults: &[FieldError]) -> String {
    let mut lines: Vec<(Vec<usize>, String)> = Vec::new();
    for (device, what) in faults.iter().map(line) {
        match (
            device,
            lines.iter_mut().find(|(devices, said)| !devices.is_empty() && *said == what),
        ) {
            (Some(device), Some((devices, _))) => devices.push(device),
            (device, _) => lines.push((device.into_iter().collect(), what)),
        }
    }
    let text = |(devices, what): &(Vec<usize>, String)| match devices.as_slice() {
        [] => what.clone(),
        [one] => format!("device {one}, {what}"),
        [first, rest @ ..] => format!("device {first} and {} more, {what}", rest.len()),
    };
    lines.iter().map(text).collect::<Vec<_>>().join("\n")
}

/// What else to say where each word of a command was given as a command.
pub(super) fn unquoted(commands: &[String], faults: &[FieldError]) -> Option<String> {
    let is_verb_missing = faults.iter().any(|fault| fault.rule == Some(Rule::ReadVerb));
    let are_words = commands.len() > 1 && commands.iter().all(|command| !command.contains(' '));
    (is_verb_missing && are_words)
        .then(|| format!("a command is one argument; in quotes: \"{}\"", commands.join(" ")))
}

/// The device's number, from 1, and what is wrong.
fn line(fault: &FieldError) -> (Option<usize>, String) {
    let steps = fault.loc.get(1..).unwrap_or_default();
    let (device, field) = match steps {
        [Step::Name(list), Step::Index(index), rest @ ..] if list == "devices" => {
            (Some(index + 1), rest)
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
    (device, what)
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
    WORDS.iter().fold(message, |message, (there, here)| message.replace(there, here))
}

fn dotted(steps: &[Step]) -> String {
    let step = |step: &Step| match step {
        Step::Name(name) => name.to_string(),
        Step::Index(index) => (index + 1).to_string(),
    };
    steps.iter().map(step).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_many_devices_is_said_once() {
        let fault = |index: usize, name: &str, kind| FieldError {
            loc: vec![
                Step::Name("body".into()),
                Step::Name("devices".into()),
                Step::Index(index),
                Step::Name(name.to_owned().into()),
            ],
            msg: "Value error, no".to_owned(),
            kind,
            rule: None,
        };
        let faults =
            [fault(0, "os", "missing"), fault(1, "port", "value_error"), fault(2, "os", "missing")];
        let want = "device 1 and 1 more, no platform is named: give --os (`showrunner platforms` lists them)\ndevice 2, port: no";
        assert_eq!(said(&faults), want);
    }
}
