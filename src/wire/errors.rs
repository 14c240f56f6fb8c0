//! What is known of error codes, as the API tells it: each answer's link, and what stands behind it.
//!
//! Made of the one table in `codes`; not here: the errors themselves.

use std::fmt;

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::codes::{self, ErrorCode};

const FOLDER: &str = "/api/v1/errors/";

/// Where `GET /api/v1/errors/{code}` tells of this code, from the service's root on: `/api/v1/errors/auth_rejected`.
///
/// Written out only when it is sent: nothing is looked up and nothing allocated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CodeLink(pub &'static str);

impl fmt::Display for CodeLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FOLDER)?;
        f.write_str(self.0)
    }
}

impl CodeLink {
    /// Adds it as JSON, as the library writes it but sooner: codes are plain letters.
    pub fn write(self, json: &mut Vec<u8>) {
        for part in ["\"", FOLDER, self.0, "\""] {
            json.extend_from_slice(part.as_bytes());
        }
    }
}

impl Serialize for CodeLink {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Every error code.
#[derive(Serialize, ToSchema)]
pub struct ErrorsResponse {
    /// How many.
    pub total: usize,
    /// Those of devices, of commands, of requests; each in the order of their names.
    pub errors: Vec<ErrorEntry>,
}

/// What is known of an error code.
#[derive(Serialize, ToSchema)]
pub struct ErrorEntry {
    /// As it stands in `error_code` of devices and commands, in `code` of refused requests.
    #[schema(example = "auth_rejected")]
    pub code: &'static str,
    /// What failed: `device`, `command` or `request`.
    #[schema(example = "device")]
    pub of: &'static str,
    /// The HTTP status it comes with; null where a device or a command failed, which is data.
    #[schema(nullable, required, example = 422)]
    pub status: Option<u16>,
    /// What has happened.
    pub cause: &'static str,
    /// What to do, likeliest first.
    pub cure: &'static str,
    /// The sentence that comes with it.
    pub example: &'static str,
    /// Its own place.
    #[schema(value_type = String, example = "/api/v1/errors/auth_rejected")]
    pub link: CodeLink,
}

impl ErrorsResponse {
    /// The whole table.
    #[must_use]
    pub fn all() -> Self {
        let errors: Vec<_> = entries().collect();
        Self { total: errors.len(), errors }
    }
}

impl ErrorEntry {
    /// What is known of a code.
    #[must_use]
    pub fn find(code: &str) -> Option<Self> {
        entries().find(|known| known.code == code)
    }
}

fn entries() -> impl Iterator<Item = ErrorEntry> {
    codes::LISTS.into_iter().flat_map(|(of, list)| list.iter().map(move |known| entry(of, known)))
}

fn entry(of: &'static str, known: &ErrorCode) -> ErrorEntry {
    let &ErrorCode { code, status, cause, cure, example } = known;
    ErrorEntry { code, of, status, cause, cure, example, link: CodeLink(code) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_link_is_the_place_of_its_code() {
        let entry = ErrorEntry::find("cli_error").unwrap();
        assert_eq!(serde_json::to_value(entry.link).unwrap(), json!("/api/v1/errors/cli_error"));
        assert_eq!((entry.of, entry.status), ("command", None));
        assert!(ErrorEntry::find("").is_none() && ErrorEntry::find("Cli_error").is_none());
        let all = ErrorsResponse::all();
        assert_eq!((all.total, codes::all().count()), (all.errors.len(), all.total));
    }
}
