//! The types that a setting can have: how each is read from TOML or from a variable's text, and written back.

use std::{net::IpAddr, path::PathBuf, str::FromStr as _};

use figment::value::Value;
use ipnet::IpNet;

use super::{endpoint::Endpoint, rate::RateLimit, rotation::Rotation};
use crate::target::network;

/// True for what somebody put into the wrong place: a key in PEM form, an API key of ours, a user in an address.
pub(super) fn looks_secret(text: &str) -> bool {
    let is_api_key = text
        .trim()
        .strip_prefix("sr_")
        .is_some_and(|rest| rest.len() >= 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let has_user = text.split_once("://").is_some_and(|(_, rest)| rest.contains(['@', '?']));
    is_api_key || has_user || text.contains("-----BEGIN")
}

/// A type of settings.
pub trait SettingValue: Sized {
    /// What a value must be, in words.
    fn want() -> String;

    /// Reads a value; text is read as a variable has it. `None` if it is none.
    fn read(value: &Value) -> Option<Self>;

    /// The value as a TOML file has it; `None` for one that is not set.
    fn written(&self) -> Option<toml::Value>;

    /// The number, for ranges.
    fn number(&self) -> Option<u64> {
        None
    }
}

macro_rules! numbers {
    ($($type:ty),+) => { $(
        impl SettingValue for $type {
            fn want() -> String {
                format!("{} to {}", <$type>::MIN, <$type>::MAX)
            }

            fn read(value: &Value) -> Option<Self> {
                match value {
                    Value::String(_, text) => text.trim().parse().ok(),
                    Value::Num(_, number) => {
                        number.to_u128().or_else(|| u128::try_from(number.to_i128()?).ok())?.try_into().ok()
                    }
                    _ => None,
                }
            }

            fn written(&self) -> Option<toml::Value> {
                i64::try_from(*self).ok().map(toml::Value::Integer)
            }

            fn number(&self) -> Option<u64> {
                u64::try_from(*self).ok()
            }
        }
    )+ };
}
numbers!(u16, u32, u64, usize);

/// Types that are written as one text: what they must be, and how they read and print.
macro_rules! texts {
    ($($type:ty: $want:literal;)+) => { $(
        impl SettingValue for $type {
            fn want() -> String {
                $want.to_owned()
            }

            fn read(value: &Value) -> Option<Self> {
                value.as_str().and_then(|text| text.trim().parse().ok())
            }

            fn written(&self) -> Option<toml::Value> {
                Some(toml::Value::String(self.to_string()))
            }
        }
    )+ };
}

texts! {
    Endpoint: "an address such as http://127.0.0.1:4318";
    IpAddr: "an IPv4 or IPv6 address";
    RateLimit: "a rate such as 30/minute (second, minute, hour or day), or off";
    Rotation: "a size such as 100MiB, hourly, daily or off";
    String: "a text";
}

/// A network, or an address as a network of its own.
impl SettingValue for IpNet {
    fn want() -> String {
        "an address or a network such as 10.0.0.0/8".to_owned()
    }

    fn read(value: &Value) -> Option<Self> {
        network(value.as_str()?.trim())
    }

    fn written(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.to_string()))
    }
}

impl SettingValue for bool {
    fn want() -> String {
        "true or false".to_owned()
    }

    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(_, value) => Some(*value),
            Value::String(_, text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    fn written(&self) -> Option<toml::Value> {
        Some(toml::Value::Boolean(*self))
    }
}

impl SettingValue for PathBuf {
    fn want() -> String {
        "a path".to_owned()
    }

    fn read(value: &Value) -> Option<Self> {
        let is_path = |text: &&str| !text.is_empty() && !text.contains(char::is_control);
        value.as_str().filter(is_path).filter(|text| !looks_secret(text)).map(Self::from)
    }

    fn written(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.display().to_string()))
    }
}

/// Not set, or a value; an empty text is "not set".
impl<T: SettingValue> SettingValue for Option<T> {
    fn want() -> String {
        T::want()
    }

    fn read(value: &Value) -> Option<Self> {
        match value.as_str() {
            Some("") => Some(None),
            _ => T::read(value).map(Some),
        }
    }

    fn written(&self) -> Option<toml::Value> {
        self.as_ref().and_then(T::written)
    }

    fn number(&self) -> Option<u64> {
        self.as_ref().and_then(T::number)
    }
}

/// A list: an array, or in a variable also texts between commas.
impl<T: SettingValue> SettingValue for Vec<T> {
    fn want() -> String {
        format!("a list such as [\"…\", \"…\"], each {}", T::want())
    }

    fn read(value: &Value) -> Option<Self> {
        let text = match value {
            Value::Array(_, items) => return items.iter().map(T::read).collect(),
            Value::String(_, text) => text.trim(),
            _ => return None,
        };
        if text.starts_with('[') {
            let line: toml::Table = toml::from_str(&format!("list = {text}")).ok()?;
            let items = Value::serialize(line.get("list")?).ok()?;
            return items.as_array()?.iter().map(T::read).collect();
        }
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(|item| T::read(&Value::from(item))).collect()
    }

    fn written(&self) -> Option<toml::Value> {
        Some(toml::Value::Array(self.iter().filter_map(T::written).collect()))
    }
}

/// Makes an enum of words.
macro_rules! words {
    ($(#[$meta:meta])* $type:ident { $( $(#[doc = $doc:literal])+ $variant:ident = $word:literal, )+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum $type {
            $( $(#[doc = $doc])+ $variant, )+
        }

        impl SettingValue for $type {
            fn want() -> String {
                [$(concat!("`", $word, "`")),+].join(" or ")
            }

            fn read(value: &Value) -> Option<Self> {
                match value.as_str()?.trim() {
                    $( $word => Some(Self::$variant), )+
                    _ => None,
                }
            }

            fn written(&self) -> Option<toml::Value> {
                let word = match self { $( Self::$variant => $word, )+ };
                Some(toml::Value::String(word.to_owned()))
            }
        }
    };
}

words! {
    /// Who may send requests.
    Auth {
        /// Whoever shows an API key that is known.
        ApiKey = "api_key",
        /// The same where a file of keys is named, everybody else where none is.
        ApiKeyOrNone = "api_key_or_none",
        /// Everybody who can reach the port.
        None = "none",
    }
}

words! {
    /// How log lines are written.
    LogFormat {
        /// For people.
        Text = "text",
        /// For programs: one JSON object a line.
        Json = "json",
    }
}

/// Which log lines are written: a level, or a list per module such as `info,showrunner::ssh=debug`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogLevel(String);

impl LogLevel {
    /// As `tracing` reads it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for LogLevel {
    fn default() -> Self {
        // The framework below says that it starts; so do we, with more to it.
        Self("info,actix_server=warn".to_owned())
    }
}

impl SettingValue for LogLevel {
    fn want() -> String {
        "error, warn, info, debug, trace or a list such as `info,showrunner::ssh=debug`".to_owned()
    }

    fn read(value: &Value) -> Option<Self> {
        let text = value.as_str().map(str::trim).filter(|text| !text.is_empty())?;
        text.parse::<tracing_subscriber::filter::Targets>().ok()?;
        // A word that is no level would name a module, and everything else would be silent.
        let is_level = |word: &str| tracing::level_filters::LevelFilter::from_str(word).is_ok();
        let mut parts = text.split(',').map(str::trim);
        parts.all(|part| part.contains('=') || is_level(part)).then(|| Self(text.to_owned()))
    }

    fn written(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.0.clone()))
    }
}
