//! Whether an answer says of a device with a fault what the fault's verdict says. Also used by `tests/api/faults.rs`.

use serde_json::Value;
use showrunner::simulator::{Fault, Outcome};

/// What is wrong with the device's result; `None` if it is as it must be.
pub(crate) fn wrong(fault: Fault, device: &Value) -> Option<String> {
    let outcome = fault.verdict().outcome;
    let commands = device["commands"].as_array().map(Vec::as_slice).unwrap_or_default();
    let device_code = match outcome {
        Outcome::Broken(code) | Outcome::NoSession(code) => Some(code),
        _ => None,
    };
    if device["error_code"].as_str() != device_code || device["success"] != device_code.is_none() {
        return Some(format!("the device has {} ({})", device["error_code"], device["error"]));
    }
    if device_code.is_some() && !device["error"].as_str().is_some_and(|text| text.contains(": ")) {
        return Some(format!("its error names no phase: {}", device["error"]));
    }
    let (first, others) = match (commands.split_first(), outcome) {
        (None, Outcome::NoSession(_)) => return None,
        (Some((first, others)), _) if !matches!(outcome, Outcome::NoSession(_)) => (first, others),
        _ => return Some(format!("it has {} commands", commands.len())),
    };
    let code = |command: &Value| command["error_code"].as_str().map(str::to_owned);
    let has_output =
        |command: &Value| command["output"].as_str().is_some_and(|text| !text.is_empty());
    let as_it_must_be = match outcome {
        Outcome::Read => commands.iter().all(|command| {
            command["success"] == true && command["truncated"] == false && has_output(command)
        }),
        Outcome::Refused(want) => commands
            .iter()
            .all(|command| code(command).as_deref() == Some(want) && has_output(command)),
        Outcome::Cut => commands.iter().all(|command| match code(command).as_deref() {
            None | Some("command_timeout") => command["truncated"] == true && has_output(command),
            Some(code) => code == "not_run",
        }),
        Outcome::Late(want) | Outcome::Broken(want) => {
            let kept = has_output(first) || fault == Fault::RequestFlood;
            code(first).as_deref() == Some(want)
                && first["truncated"] == true
                && kept
                && others.iter().all(|command| code(command).as_deref() == Some("not_run"))
        }
        Outcome::NoSession(_) => true,
    };
    (!as_it_must_be).then(|| {
        let said: Vec<String> = commands
            .iter()
            .map(|command| {
                let bytes = command["output"].as_str().map_or(0, str::len);
                format!("{} cut={} {bytes} bytes", command["error_code"], command["truncated"])
            })
            .collect();
        format!("its commands have [{}]", said.join("; "))
    })
}
