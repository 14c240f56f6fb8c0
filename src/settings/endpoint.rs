//! The address of a collector: `http://host:4318`, with a path if it has one.

use std::{fmt, str::FromStr};

/// An `http://` address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// Name or address, without brackets.
    pub host: String,
    /// TCP port; 4318, OTLP's own, if none was given.
    pub port: u16,
    /// Path without the slash at its end; empty if there is none.
    pub path: String,
}

impl Endpoint {
    /// Host and port as a URL has them.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.path)
    }
}

/// The text is no such address.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not an address such as http://127.0.0.1:4318")]
pub struct NotAnEndpoint;

impl FromStr for Endpoint {
    type Err = NotAnEndpoint;

    fn from_str(text: &str) -> Result<Self, NotAnEndpoint> {
        let rest = text.strip_prefix("http://").ok_or(NotAnEndpoint)?;
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_not_one| NotAnEndpoint)?)
            }
            _ => (authority, 4318),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let plain = |c: char| c.is_ascii_graphic();
        // A name with `@` would be a user's, and a password does not belong into a setting.
        if host.is_empty() || host.contains('@') || !text.chars().all(plain) {
            return Err(NotAnEndpoint);
        }
        let path = path.trim_end_matches('/').to_owned();
        Ok(Self { host: host.to_owned(), port, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_http_address() {
        for (text, shown) in [
            ("http://collector", "http://collector:4318"),
            ("http://127.0.0.1:14318/", "http://127.0.0.1:14318"),
            ("http://[::1]:4318/otlp/", "http://[::1]:4318/otlp"),
            ("http://[::1]", "http://[::1]:4318"),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), shown, "{text}");
        }
        for text in [
            "",
            "collector:4318",
            "https://collector",
            "http://",
            "http://a:b",
            "http://u:p@c",
            "http://a b",
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(NotAnEndpoint), "{text}");
        }
    }
}
