//! What came of a request at the command line: a table for people, JSON, NDJSON or CSV for programs.

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::Value;

use super::sheet::Sheet;
use crate::wire::{
    response::{CommandResult, DeviceResult, ExecuteResponse},
    stream::{DeviceLine, StreamLine, SummaryLine},
};

/// How an answer is printed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub(super) enum Form {
    /// For people: outputs under a line for each, records as tables
    #[default]
    Table,
    /// One JSON object, as the service answers
    Json,
    /// A line of JSON for each device when it is done, and a summary line
    Ndjson,
    /// A row for each record, or for each output
    Csv,
}

/// The answer as far as it has come.
pub(super) struct Answer {
    form: Form,
    results: Vec<(usize, DeviceResult)>,
    summary: Option<SummaryLine>,
    is_good: bool,
    codes: BTreeSet<&'static str>,
}

impl Answer {
    pub(super) fn new(form: Form) -> Self {
        Self { form, results: Vec::new(), summary: None, is_good: true, codes: BTreeSet::new() }
    }

    /// Takes a device's result; gives what is to be printed of it now.
    pub(super) fn take(&mut self, line: DeviceLine) -> String {
        let DeviceLine { index, result } = &line;
        self.is_good &= result.success && result.commands.iter().all(|command| command.success);
        self.codes.extend(result.error_code);
        self.codes.extend(result.commands.iter().filter_map(|command| command.error_code));
        if self.form == Form::Ndjson {
            return json(&StreamLine::Device(Box::new(line)));
        }
        let index = *index;
        self.results.push((index, line.result));
        String::new()
    }

    /// Takes the summary; gives a line about it for a person, and one about where to read on if something failed.
    pub(super) fn end(&mut self, summary: SummaryLine) -> String {
        let SummaryLine { total_devices, successful_devices, duration_ms, .. } = &summary;
        let mut text = format!(
            "{successful_devices} of {total_devices} devices read in {}.{} s\n",
            duration_ms / 1000,
            duration_ms % 1000 / 100
        );
        self.summary = Some(summary);
        // It says of itself that there was an error before it.
        self.codes.remove("not_run");
        if !self.codes.is_empty() {
            let codes: Vec<_> = self.codes.iter().copied().collect();
            let _ = writeln!(text, "what to do about it: showrunner explain {}", codes.join(" "));
        }
        text
    }

    /// True if every command of every device was run.
    pub(super) fn is_good(&self) -> bool {
        self.is_good
    }

    /// What is to be printed at the end, devices in the request's order.
    pub(super) fn rest(mut self) -> String {
        self.results.sort_by_key(|(index, _)| *index);
        let results: Vec<DeviceResult> =
            self.results.into_iter().map(|(_, result)| result).collect();
        match (self.form, self.summary) {
            (Form::Ndjson, Some(summary)) => json(&StreamLine::Summary(summary)),
            (Form::Json, Some(summary)) => json(&ExecuteResponse {
                results,
                total_devices: summary.total_devices,
                successful_devices: summary.successful_devices,
                failed_devices: summary.failed_devices,
                request_id: summary.request_id,
            }),
            (Form::Csv, _) => csv(&results),
            (Form::Table, _) => table(&results),
            (Form::Json | Form::Ndjson, None) => String::new(),
        }
    }
}

fn json(value: &impl serde::Serialize) -> String {
    // Our own types always serialise.
    serde_json::to_string(value).unwrap_or_default()
}

fn records(command: &CommandResult) -> Option<Vec<Value>> {
    let Value::Array(records) = command.parsed.as_ref()?.value() else { return None };
    records.iter().all(Value::is_object).then_some(records)
}

fn table(results: &[DeviceResult]) -> String {
    let mut text = String::new();
    for device in results {
        let name = format!("{}:{} ({})", device.hostname, device.port, device.os);
        for command in &device.commands {
            let _ = writeln!(text, "── {name}  {}", command.command);
            match records(command) {
                Some(records) => {
                    let mut sheet = Sheet::default();
                    sheet.add_records(&[], &records);
                    text.push_str(&sheet.table());
                }
                None => text.push_str(command.output.trim_end_matches('\n')),
            }
            if let (Some(error), Some(code)) = (&command.error, command.error_code) {
                let _ = write!(text, "\n!! {error} [{code}]");
            }
            if let Some(error) = &command.parse_error {
                let _ = write!(text, "\n!! {error}");
            }
            let _ = writeln!(text, "{}", if text.ends_with('\n') { "" } else { "\n" });
        }
        for warning in &device.warnings {
            let _ = writeln!(text, "!  {name}  {warning}\n");
        }
        if let (Some(error), Some(code)) = (&device.error, device.error_code) {
            let _ = writeln!(text, "!! {name}  {error} [{code}]\n");
        }
    }
    text
}

/// A row for each record, and for each output that has none; no text is left out.
fn csv(results: &[DeviceResult]) -> String {
    let mut commands = results.iter().flat_map(|device| &device.commands);
    let has_texts = commands.any(|command| records(command).is_none());
    let mut sheet = Sheet::new(["hostname", "port", "os", "command", "error_code", "error"]);
    if has_texts {
        sheet.names.push("output".to_owned());
    }
    let n_columns = sheet.names.len();
    for device in results {
        let row = |command: &str, code: Option<&str>, error: Option<&String>, output: &str| {
            let (code, error) = (code.unwrap_or_default(), error.map_or("", String::as_str));
            let port = device.port.to_string();
            let cells = [&device.hostname, &port, &device.os, command, code, error, output];
            cells.into_iter().take(n_columns).map(str::to_owned).collect::<Vec<_>>()
        };
        for command in &device.commands {
            let Some(records) = records(command) else {
                let error = command.error.as_ref().or(command.parse_error.as_ref());
                let output = &command.output;
                sheet.rows.push(row(&command.command, command.error_code, error, output));
                continue;
            };
            let error = command.error.as_ref();
            sheet.add_records(&row(&command.command, command.error_code, error, ""), &records);
        }
        if device.commands.is_empty() {
            sheet.rows.push(row("", device.error_code, device.error.as_ref(), ""));
        }
    }
    sheet.csv()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::outcome::{CommandFailure, CommandOutcome, DeviceOutcome, Timing};

    fn outcome(failure: Option<CommandFailure>) -> DeviceOutcome {
        let command = CommandOutcome {
            command: "show clock".to_owned(),
            output: "12:00\n".to_owned(),
            ..CommandOutcome::default()
        };
        DeviceOutcome {
            hostname: "r1".to_owned(),
            os: "ios".to_owned(),
            port: 22,
            commands: if failure.is_none() { vec![command] } else { Vec::new() },
            failure,
            duration: Duration::ZERO,
            ended: SystemTime::UNIX_EPOCH,
            timing: Timing::default(),
            attempts: 1,
            host_key: None,
            algorithms: None,
            warnings: vec!["`terminal length 0` was refused".to_owned()],
        }
    }

    #[test]
    fn people_see_outputs_warnings_and_errors_and_where_to_read_on() {
        let failure = CommandFailure { code: "auth_rejected", message: "no".to_owned() };
        let mut answer = Answer::new(Form::Table);
        // The second one is done first.
        for (index, failure) in [(1, Some(failure)), (0, None)] {
            let result = DeviceResult::from(outcome(failure));
            assert_eq!(answer.take(DeviceLine { index, result }), "");
        }
        let last_words = answer.end(SummaryLine {
            total_devices: 2,
            successful_devices: 1,
            failed_devices: 1,
            duration_ms: 1234,
            request_id: String::new(),
        });
        let want =
            "1 of 2 devices read in 1.2 s\nwhat to do about it: showrunner explain auth_rejected\n";
        assert_eq!(last_words, want);
        assert!(!answer.is_good());
        let want = "── r1:22 (ios)  show clock\n12:00\n\n!  r1:22 (ios)  `terminal length 0` was refused\n\n\
                    !  r1:22 (ios)  `terminal length 0` was refused\n\n!! r1:22 (ios)  no [auth_rejected]\n\n";
        assert_eq!(answer.rest(), want);
    }
}
