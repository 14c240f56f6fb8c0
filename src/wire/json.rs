//! JSON as it stands in a body; an object that has a name twice is none.
//!
//! Which of two values is meant is for the sender to say: taking the last could send a password to the wrong device.
//! Texts are the body's own bytes where it has no escapes in them, so that secrets are not copied more than needed.

use std::{borrow::Cow, collections::HashSet, fmt};

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// What [`Json::parse`] says of a name that an object has twice.
pub const TWICE: &str = "a name twice in one object";
/// Looking through so many names is faster than hashing them; whoever sends more must not cost more for each.
const FEW_NAMES: usize = 32;

/// A value; objects keep their order.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'b> {
    /// `null`
    Null,
    /// `true` or `false`
    Truth(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(Cow<'b, str>),
    /// A list.
    List(Vec<Self>),
    /// An object; no name stands twice.
    Object(Vec<(Cow<'b, str>, Self)>),
}

impl<'b> Json<'b> {
    /// Reads a body.
    ///
    /// # Errors
    /// No JSON, nested deeper than 128, or a name twice in one object; the error repeats nothing of the body but the place.
    pub fn parse(body: &'b [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body)
    }

    /// True for `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl From<Value> for Json<'static> {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Truth(truth),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::Text(text.into()),
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Object(fields) => {
                let field = |(name, value): (String, Value)| (name.into(), value.into());
                Self::Object(fields.into_iter().map(field).collect())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Json::Truth(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(value)))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut object: Vec<(Cow<'de, str>, Json<'de>)> = Vec::new();
        let mut names = HashSet::new();
        while let Some(name) = fields.next_key_seed(Name)? {
            if object.len() == FEW_NAMES {
                names.extend(object.iter().map(|(name, _)| name.clone()));
            }
            let is_new = if object.len() < FEW_NAMES {
                object.iter().all(|(known, _)| *known != name)
            } else {
                names.insert(name.clone())
            };
            if !is_new {
                return Err(A::Error::custom(TWICE));
            }
            object.push((name, fields.next_value()?));
        }
        Ok(Json::Object(object))
    }
}

/// Reads a name of an object.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }

    fn visit_string<E>(self, name: String) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_reads_as_it_does_elsewhere_but_for_names_that_stand_twice() {
        for text in [
            "null",
            r#"{"a": [1, -2, 3.5, true, null, "ü", {"a": {}}], "b": 18446744073709551615}"#,
            r#"[{"a": 1}, {"a": 2}]"#,
            r#"{"\u0061\n": "\ud83d\ude00"}"#,
            "1e3",
            "-0",
        ] {
            let plain: Value = serde_json::from_str(text).unwrap();
            assert_eq!(Json::parse(text.as_bytes()).unwrap(), Json::from(plain), "{text}");
        }
        for text in [r#"{"a": 1, "a": 1}"#, r#"[{"x": {"a": 1, "b": 2, "\u0061": 3}}]"#] {
            let error = Json::parse(text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(TWICE), "{text}");
        }
        for text in [&b"{"[..], b"[1,]", b"\xff", b"\"\\ud800\"", b"{} {}", b"NaN", b"{1: 2}"] {
            assert!(Json::parse(text).is_err(), "{text:?}");
        }
        assert!(Json::parse("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn a_name_is_found_twice_among_many_and_many_names_are_taken() {
        for (n, twice) in [(2, 0), (FEW_NAMES, 0), (FEW_NAMES + 1, FEW_NAMES), (200_000, 5)] {
            let name = |i: usize| format!("\"n{i}\": 0");
            let mut names: Vec<_> = (0..n).map(name).collect();
            let text = format!("{{{}}}", names.join(", "));
            match Json::parse(text.as_bytes()) {
                Ok(Json::Object(fields)) => assert_eq!(fields.len(), n),
                other => panic!("{n}: {other:?}"),
            }
            names.push(name(twice));
            let text = format!("{{{}}}", names.join(", "));
            assert!(Json::parse(text.as_bytes()).is_err(), "{n}");
        }
    }
}
