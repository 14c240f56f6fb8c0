//! Every error code with its cause, its cure and an example: one table, of which `docs/errors.md` and `showrunner explain` are made.
//!
//! A device's failure and a request's carry one of these. Not here: the sentences of single errors, which stand with
//! their types; `tests/codes.rs` holds both equal.

mod device;
mod http;

use std::fmt::Write as _;

pub use self::{
    device::{COMMANDS, DEVICES},
    http::REQUESTS,
};

/// What is known of an error code. Codes are API: they are added, never renamed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ErrorCode {
    /// The code as it stands in answers.
    pub code: &'static str,
    /// The HTTP status it comes with; `None` where a device or a command failed, which is data.
    pub status: Option<u16>,
    /// What has happened.
    pub cause: &'static str,
    /// What to do, likeliest first.
    pub cure: &'static str,
    /// The sentence that comes with it.
    pub example: &'static str,
}

/// What is known of a code.
#[must_use]
pub fn find(code: &str) -> Option<&'static ErrorCode> {
    all().find(|known| known.code == code)
}

/// What may fail, and the codes of its errors.
pub const LISTS: [(&str, &[ErrorCode]); 3] =
    [("device", DEVICES), ("command", COMMANDS), ("request", REQUESTS)];

/// Every code: of devices, of commands, of requests.
pub fn all() -> impl Iterator<Item = &'static ErrorCode> {
    LISTS.into_iter().flat_map(|(_, codes)| codes)
}

/// `docs/errors.md`.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(HEAD);
    for (title, about, codes) in [
        ("A device failed", OF_DEVICES, DEVICES),
        ("A command failed", OF_COMMANDS, COMMANDS),
        ("A request was refused", OF_REQUESTS, REQUESTS),
    ] {
        let _ = write!(text, "\n## {title}\n{about}\n");
        for ErrorCode { code, status, cause, cure, example } in codes {
            let status = status.map(|status| format!("HTTP status {status}. ")).unwrap_or_default();
            let _ = write!(
                text,
                "\n### `{code}`\n- **Cause.** {status}{cause}\n- **Cure.** {cure}\n- **Example.** {example}\n"
            );
        }
    }
    text
}

const HEAD: &str = "\
# Errors

Every error has a sentence for you and a code for your program. In an answer a link stands beside the code: `error_link` beside
`error_code`, `link` beside `code`. It is a path of the service, such as `/api/v1/errors/auth_rejected`, and answers with the entry that
you find here; `GET /api/v1/errors` has all of them, and neither asks for an API key. At the command line it is `showrunner explain CODE`.

Codes are added, never renamed; a program should treat one that it does not know like `internal_error`.

Made from the table in `src/codes`; `UPDATE_DOCS=1 cargo nextest run -E 'test(document)'` writes it again.
";
const OF_DEVICES: &str = "\
The answer's status is 200; the device's result has `success: false`, `error` and `error_code`. All other devices are unharmed, and what the
device had printed before stays in its outputs. The sentence begins with the phase in which it happened.";
const OF_COMMANDS: &str = "The command's result has `success: false`, `error` and `error_code`. What came of its output is kept.";
const OF_REQUESTS: &str = "\
Nothing was sent to any device. The body is `{\"detail\": …, \"code\": …, \"link\": …, \"request_id\": …}`; with `invalid_request` `detail` is a list of
faults, each with its place (`loc`), a sentence (`msg`) and a kind (`type`).";

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, fs, path::Path};

    use super::*;

    #[test]
    fn no_code_stands_twice_and_all_say_something() {
        for (of, codes) in LISTS {
            assert!(codes.is_sorted_by_key(|known| known.code), "{of}");
        }
        let names: HashSet<_> = all().map(|known| known.code).collect();
        assert_eq!(names.len(), all().count(), "a link leads to one entry");
        for ErrorCode { code, cause, cure, example, .. } in all() {
            assert!(code.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{code}");
            assert!(cause.ends_with('.') && cure.ends_with('.'), "{code}");
            assert!(!example.is_empty(), "{code}");
        }
    }

    #[test]
    fn the_documents_say_what_the_table_says() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
        let text = markdown();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == text, "docs/errors.md is not what the table says: run with UPDATE_DOCS=1");
    }
}
