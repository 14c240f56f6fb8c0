//! Log messages that a device writes to the terminal behind its prompt: they are no output of the command before.
//!
//! Only what is certain counts: the prompt as it was last shown, and behind it lines in the form of log messages and
//! nothing else.

use std::sync::LazyLock;

use regex::Regex;

/// Lines that are looked at from the end.
const MOST_LINES: usize = 64;
/// No log message is longer.
const MOST_LINE_BYTES: usize = 4096;

/// `%SYS-5-CONFIG_I` as Cisco and those like it have it, `IFNET/4/LINK_STATE` as Huawei and H3C do.
static LOG_MESSAGE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?:^|[ :*.])%[A-Z][A-Z0-9_]*(?:-[A-Z0-9_]+)*-[0-7]-[A-Z0-9_]+|[ %0-9][A-Z][A-Z0-9_]*/[0-7]/[A-Z0-9_]+",
    )
    .expect("the expression is a constant that a test compiles")
});

fn is_message(text: &str) -> bool {
    // Few lines hold either, and this is found out faster.
    memchr::memchr2(b'%', b'/', text.as_bytes()).is_some() && LOG_MESSAGE.is_match(text)
}

/// Where in `lines` the prompt stands that has nothing but log messages behind it, if there is such a place.
pub(super) fn begin(lines: &[u8], prompt: &str) -> Option<usize> {
    let prompt = prompt.trim();
    if prompt.is_empty() {
        return None;
    }
    let mut found = None;
    let mut has_log = false;
    let mut rest = lines;
    for _ in 0..MOST_LINES {
        let Some(whole) = rest.strip_suffix(b"\n") else { break };
        let near = whole.len().saturating_sub(MOST_LINE_BYTES);
        let start = whole.get(near..)?.iter().rposition(|b| *b == b'\n').map(|at| near + at + 1);
        // Without a line end before it, it is the first, or too long.
        let Some(start) = start.or((near == 0).then_some(0)) else { break };
        let text = String::from_utf8_lossy(whole.get(start..)?);
        let text = text.trim();
        rest = rest.get(..start)?;
        match text.strip_prefix(prompt) {
            Some(behind) if is_message(behind) || (behind.is_empty() && has_log) => {
                found = Some(start);
                has_log = false;
            }
            // A prompt alone belongs to the log message before it, if that is one.
            Some("") => {}
            None if text.is_empty() => {}
            None if is_message(text) => has_log = true,
            _ => break,
        }
    }
    found
}

/// True if there is nothing in `lines` but log messages and blanks.
pub(super) fn is_all(lines: &[u8]) -> bool {
    lines.split(|b| *b == b'\n').all(|line| {
        let near = line.get(..MOST_LINE_BYTES).unwrap_or(line);
        let text = String::from_utf8_lossy(near);
        text.trim().is_empty() || is_message(&text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "*Nov 21 10:00:00.123: %SYS-5-CONFIG_I: Configured from console";

    #[test]
    fn a_prompt_with_nothing_but_log_messages_behind_it_is_no_output() {
        for (lines, want) in [
            ("out\nr1#\nLOG\n", Some(4)),
            ("out\nr1#LOG\n", Some(4)),
            ("out\nr1# \nLOG\n\nLOG\n\n", Some(4)),
            ("out\nr1#\nLOG\nr1#\nLOG\n", Some(4)),
            ("out\nr1#\nLOG\nr1#\n", Some(4)),
            ("r1#\nLOG\n", Some(0)),
            ("out\nr1#\n%LINK-3-UPDOWN: Interface Gi0/1, up\n", Some(4)),
            ("out\nr1#\nNov 21 2025 10:00:00 r1 %%01IFNET/4/LINK_STATE(l)[1]:up\n", Some(4)),
            ("out\nr1#\n%Nov 21 10:00:00 2025 r1 SHELL/5/SHELL_LOGIN: admin\n", Some(4)),
            (
                "out\nr1#\nRP/0/0/CPU0:Nov 21 10:00 : ifmgr[1]: %PKT_INFRA-LINK-3-UPDOWN : up\n",
                Some(4),
            ),
            // Output, however much it looks like it.
            ("out\nLOG\n", None),
            ("out\nr1#\n", None),
            ("out\nr1#\nmore\n", None),
            ("out\nr1#\nLOG\nmore\n", None),
            ("out\nr2#\nLOG\n", None),
            ("out\nr1#show clock\nLOG\n", None),
            ("% Invalid input\n", None),
            ("", None),
        ] {
            let text = lines.replace("LOG", LOG);
            assert_eq!(begin(text.as_bytes(), "r1#"), want, "{lines}");
        }
        assert_eq!(begin(b"\nLOG\n", ""), None);
        for (n_bytes, want) in [(MOST_LINE_BYTES - 1, Some(4)), (MOST_LINE_BYTES, None)] {
            let lines = format!("out\nr1#\n{LOG:x<n_bytes$}\n");
            assert_eq!(begin(lines.as_bytes(), "r1#"), want, "{n_bytes}");
        }
    }
}
