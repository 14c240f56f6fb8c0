//! A whole answer as JSON, in pieces that follow each other.
//!
//! The commands' parts are most of it. They are written where they come to be, on the threads of the sessions; what is
//! around them comes at the end, so that a large answer keeps no other request waiting and lies in memory once.

use std::mem::take;

use serde::Serialize;

use super::{
    escape::escape,
    pieces::Pieces,
    response::{CommandResult, DeviceResult, ExecuteResponse},
};
use crate::{
    catalog::Records,
    outcome::{CommandOutcome, DeviceOutcome},
};

/// What a device's part has beside its commands, and a command's beside its output and its records, about.
const FRAME_BYTES: usize = 512;

/// Writes a command's part of the answer, with the comma behind it, and lets go of its texts; gives the output.
pub fn write_command(outcome: &mut CommandOutcome) -> String {
    let (output, parsed) = (take(&mut outcome.output), outcome.parsed.take());
    let command = take(&mut outcome.command);
    let records_bytes = parsed.as_ref().map_or(0, Records::bytes);
    // Line ends take a byte more.
    let room = FRAME_BYTES + records_bytes + output.len() + output.len() / 16;
    let mut result = CommandResult::from(CommandOutcome { parsed, ..outcome.clone() });
    result.command = command;
    let mut frame = Frame::of(&result, b"\"output\":\"", room);
    let tail = frame.json.split_off(frame.at);
    let mut written = frame.json;
    escape(&output, &mut written);
    written.extend_from_slice(&tail);
    written.push(b',');
    outcome.command = result.command;
    outcome.written = Some(written);
    output
}

/// The answer to a request that was carried out.
#[must_use]
pub fn answer(outcomes: Vec<DeviceOutcome>, request_id: String) -> Pieces {
    let total_devices = outcomes.len();
    let failed_devices = outcomes.iter().filter(|outcome| outcome.failure.is_some()).count();
    let response = ExecuteResponse {
        results: Vec::new(),
        total_devices,
        successful_devices: total_devices - failed_devices,
        failed_devices,
        request_id,
    };
    let frame = Frame::of(&response, b"\"results\":[", FRAME_BYTES);
    let mut pieces = Pieces::default();
    pieces.add(frame.head());
    for (index, mut outcome) in outcomes.into_iter().enumerate() {
        pieces.add(if index == 0 { b"" } else { b"," });
        let commands = take(&mut outcome.commands);
        let frame = Frame::of(&DeviceResult::from(outcome), b"\"commands\":[", FRAME_BYTES);
        pieces.add(frame.head());
        let mut left = commands.len();
        for mut command in commands {
            if command.written.is_none() {
                write_command(&mut command);
            }
            let mut written = command.written.unwrap_or_default();
            left -= 1;
            if left == 0 {
                written.pop();
            }
            pieces.add_whole(written);
        }
        pieces.add(frame.tail());
    }
    pieces.add(frame.tail());
    pieces
}

/// The JSON of something, but for what an empty field of it is to be filled with.
struct Frame {
    json: Vec<u8>,
    at: usize,
}

impl Frame {
    /// The frame around the first field that begins like this. No text before it can be taken for it: quotes in texts
    /// have a backslash before them.
    fn of(value: &impl Serialize, field: &[u8], room: usize) -> Self {
        let mut json = Vec::with_capacity(room);
        // Our own types always serialise, and have the field.
        let _ = serde_json::to_writer(&mut json, value);
        let at = memchr::memmem::find(&json, field).map_or(json.len(), |at| at + field.len());
        Self { json, at }
    }

    fn head(&self) -> &[u8] {
        self.json.get(..self.at).unwrap_or_default()
    }

    fn tail(&self) -> &[u8] {
        self.json.get(self.at..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::outcome::CommandFailure;

    /// Texts that look like the fields that are filled.
    fn outcome(output: &str) -> DeviceOutcome {
        let trap = r#"x","output":"","commands":[],"results":[]"#;
        let command = CommandOutcome {
            command: trap.to_owned(),
            output: output.to_owned(),
            failure: Some(CommandFailure { code: "cli_error", message: trap.to_owned() }),
            parsed: Records::write(&json!([{"output": "", "commands": [], "results": []}])).ok(),
            ..CommandOutcome::default()
        };
        DeviceOutcome {
            hostname: trap.to_owned(),
            os: trap.to_owned(),
            port: 22,
            commands: vec![command.clone(), command],
            failure: None,
            duration: std::time::Duration::from_millis(3),
            ended: std::time::SystemTime::UNIX_EPOCH,
            timing: crate::outcome::Timing::default(),
            attempts: 1,
            host_key: None,
            algorithms: None,
            warnings: vec![trap.to_owned()],
        }
    }

    #[test]
    fn the_pieces_of_an_answer_are_what_its_types_say() {
        let long = "a line\n".repeat(4 * 1024);
        let mut failed = outcome("");
        failed.commands.clear();
        failed.failure = Some(CommandFailure { code: "auth_rejected", message: "no".to_owned() });
        let mut single = outcome("x");
        single.commands.truncate(1);
        for outcomes in [
            vec![],
            vec![outcome(""), single.clone()],
            vec![outcome("\"one\"\\\r\n\u{1}é"), failed.clone(), outcome(&long)],
        ] {
            let want = ExecuteResponse {
                results: outcomes.iter().cloned().map(DeviceResult::from).collect(),
                total_devices: outcomes.len(),
                successful_devices: outcomes.iter().filter(|o| o.failure.is_none()).count(),
                failed_devices: outcomes.iter().filter(|o| o.failure.is_some()).count(),
                request_id: "r-1".to_owned(),
            };
            let want = serde_json::to_string(&want).unwrap();
            let mut written = outcomes.clone();
            written.iter_mut().flat_map(|one| &mut one.commands).for_each(|one| {
                write_command(one);
            });
            let mut mixed = outcomes.clone();
            mixed.iter_mut().filter_map(|one| one.commands.first_mut()).for_each(|first| {
                write_command(first);
            });
            for outcomes in [outcomes, mixed, written] {
                let pieces = answer(outcomes, "r-1".to_owned());
                assert_eq!(String::from_utf8(pieces.all().concat()).unwrap(), want);
            }
        }
    }

    #[test]
    fn what_is_written_is_not_kept_twice() {
        let mut outcome = outcome("text").commands.remove(0);
        write_command(&mut outcome);
        assert_eq!((outcome.output.as_str(), outcome.parsed), ("", None));
        // What the audit stream and the traces tell is still there.
        assert_eq!(outcome.failure.unwrap().code, "cli_error");
    }
}
