//! A whole answer as JSON, in pieces that follow each other.
//!
//! The commands' parts are most of it. They are written where they come to be, on the threads of the sessions; what is
//! around them comes at the end, so that a large answer keeps no other request waiting and lies in memory once.

use std::mem::take;

use serde::Serialize;

use super::{
    pieces::Pieces,
    response::{CommandResult, DeviceResult, ExecuteResponse},
};
use crate::outcome::{CommandOutcome, DeviceOutcome};

/// What a device's part has beside its commands, about.
const FRAME_BYTES: usize = 1024;

/// Writes a command's part of the answer, and lets go of its texts.
pub fn write_command(outcome: &mut CommandOutcome) {
    let (output, parsed) = (take(&mut outcome.output), outcome.parsed.take());
    let result = CommandResult::from(CommandOutcome { parsed, ..outcome.clone() });
    let frame = Frame::of(&result, b"\"output\":\"");
    // Line ends take a byte more.
    let room = frame.json.len() + output.len() + output.len() / 16;
    let mut written = Vec::with_capacity(room);
    written.extend_from_slice(frame.head());
    escape(&output, &mut written);
    written.extend_from_slice(frame.tail());
    outcome.written = Some(written);
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
    let frame = Frame::of(&response, b"\"results\":[");
    let mut pieces = Pieces::default();
    pieces.add(frame.head());
    for (index, mut outcome) in outcomes.into_iter().enumerate() {
        pieces.add(separator(index));
        let commands = take(&mut outcome.commands);
        let frame = Frame::of(&DeviceResult::from(outcome), b"\"commands\":[");
        pieces.add(frame.head());
        for (index, mut command) in commands.into_iter().enumerate() {
            pieces.add(separator(index));
            if command.written.is_none() {
                write_command(&mut command);
            }
            pieces.add_whole(command.written.unwrap_or_default());
        }
        pieces.add(frame.tail());
    }
    pieces.add(frame.tail());
    pieces
}

fn separator(index: usize) -> &'static [u8] {
    if index == 0 { b"" } else { b"," }
}

/// The JSON of something, but for what an empty field of it is to be filled with.
struct Frame {
    json: Vec<u8>,
    at: usize,
}

impl Frame {
    /// The frame around the first field that begins like this. No text before it can be taken for it: quotes in texts
    /// have a backslash before them.
    fn of(value: &impl Serialize, field: &[u8]) -> Self {
        let mut json = Vec::with_capacity(FRAME_BYTES);
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

/// Writes a text as it stands between the quotes of JSON.
fn escape(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    loop {
        let (plain, behind) = rest.split_at(plain_length(rest));
        out.extend_from_slice(plain);
        let Some((special, behind)) = behind.split_first() else { return };
        rest = behind;
        let short = match special {
            b'"' | b'\\' => *special,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            8 => b'b',
            12 => b'f',
            _ => {
                out.extend_from_slice(b"\\u00");
                out.extend([special >> 4, special & 15].map(hex_digit));
                continue;
            }
        };
        out.extend([b'\\', short]);
    }
}

/// How many bytes come before the next that cannot stand in JSON as it is.
fn plain_length(bytes: &[u8]) -> usize {
    let is_special = |b: &u8| *b < b' ' || *b == b'"' || *b == b'\\';
    // The compiler looks at all bytes of a block at once.
    let blocks = bytes.chunks_exact(16);
    let n_plain =
        blocks.take_while(|block| !block.iter().fold(false, |any, b| any | is_special(b)));
    let start = n_plain.count() * 16;
    let rest = bytes.get(start..).unwrap_or_default();
    start + rest.iter().position(is_special).unwrap_or(rest.len())
}

fn hex_digit(digit: u8) -> u8 {
    if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::outcome::CommandFailure;

    proptest! {
        #[test]
        fn a_text_is_escaped_as_the_library_does_it(text in "(.|[\x00-\x1f\x7f\"\\\\]){0,80}") {
            let mut written = vec![b'"'];
            escape(&text, &mut written);
            written.push(b'"');
            prop_assert_eq!(String::from_utf8(written).unwrap(), serde_json::to_string(&text).unwrap());
        }
    }

    /// Texts that look like the fields that are filled.
    fn outcome(output: &str) -> DeviceOutcome {
        let trap = r#"x","output":"","commands":[],"results":[]"#;
        let command = CommandOutcome {
            command: trap.to_owned(),
            output: output.to_owned(),
            failure: Some(CommandFailure { code: "cli_error", message: trap.to_owned() }),
            parsed: Some(json!([{"output": "", "commands": [], "results": []}])),
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
        for outcomes in [
            vec![],
            vec![outcome("")],
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
            written.iter_mut().flat_map(|one| &mut one.commands).for_each(write_command);
            for outcomes in [outcomes, written] {
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
