//! Reads JSON field by field and collects everything that is wrong with it, with the place of each fault.
//!
//! A derive would stop at the first fault and repeat the caller's values in its message, secrets included.
//! No message here holds a value.

use std::{borrow::Cow, fmt::Write as _, num::IntErrorKind};

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    escape::{plain, quote},
    json::Json,
};
use crate::command::Rule;

/// Unknown names are repeated in the answer, but no more of them than this.
const MOST_NAME_CHARS: usize = 64;
/// Names of this length are not misspelled, and comparing takes the time of both lengths.
const MOST_COMPARED_BYTES: usize = 64;
/// No object of ours has more fields.
const MOST_FIELDS: usize = 16;
/// No field of ours stands deeper in a body: devices, index, jump, index, name.
const MOST_STEPS: usize = 5;

/// Nobody reads more of them, and a small request could ask for a large answer.
const MOST_FAULTS: usize = 1000;

/// Few messages are longer.
const USUAL_BYTES: usize = 160;
/// More typing errors make it another word.
const MOST_TYPING_ERRORS: usize = 3;
/// What fields are called in other programs, and here.
const ELSEWHERE: [(&str, &str); 20] = [
    ("address", "hostname"),
    ("auth_password", "password"),
    ("auth_private_key", "private_key"),
    ("auth_username", "username"),
    ("bastion", "jump"),
    ("command", "commands"),
    ("device_type", "os"),
    ("enable", "enable_password"),
    ("enable_secret", "enable_password"),
    ("host", "hostname"),
    ("ip", "hostname"),
    ("ip_address", "hostname"),
    ("name", "hostname"),
    ("passphrase", "private_key_passphrase"),
    ("pipe", "pipe_option"),
    ("platform", "os"),
    ("proxy_jump", "jump"),
    ("secret", "enable_password"),
    ("type", "os"),
    ("user", "username"),
];

/// One step of a place in the body: a field's name or an item's index.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Step {
    /// A field.
    Name(Cow<'static, str>),
    /// An item of a list, from 0.
    Index(usize),
}

/// One fault of a request, in the predecessor's shape.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct FieldError {
    /// Where: `["body", "devices", 0, "hostname"]`.
    #[schema(example = json!(["body", "devices", 0, "os"]))]
    pub loc: Vec<Step>,
    /// What is wrong and what would be right; never the value itself.
    #[schema(example = "Field required")]
    pub msg: String,
    /// The kind of fault: `missing`, `value_error`, `enum`, `extra_forbidden`, `int_parsing`, …
    #[serde(rename = "type")]
    #[schema(example = "missing")]
    pub kind: &'static str,
    /// The gate's rule, if it refused a command.
    #[serde(skip)]
    #[schema(ignore)]
    pub rule: Option<Rule>,
}

impl FieldError {
    /// Adds the fault as JSON, as the library writes it but sooner.
    pub fn write(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(b"{\"loc\":[");
        for (index, step) in self.loc.iter().enumerate() {
            json.extend_from_slice(if index == 0 { b"" } else { b"," });
            match step {
                Step::Name(Cow::Borrowed(ours)) => plain(ours, json),
                Step::Name(Cow::Owned(name)) => quote(name, json),
                Step::Index(index) => {
                    json.extend_from_slice(itoa::Buffer::new().format(*index).as_bytes());
                }
            }
        }
        json.extend_from_slice(b"],\"msg\":");
        quote(&self.msg, json);
        json.extend_from_slice(b",\"type\":");
        plain(self.kind, json);
        json.push(b'}');
    }
}

/// The faults found so far, the first thousand of them.
#[derive(Debug, Default)]
pub struct Faults {
    listed: Vec<FieldError>,
    n_more: usize,
}

impl Faults {
    /// Notes a fault at `place`.
    pub fn add(&mut self, place: &Place, kind: &'static str, msg: impl Into<String>) {
        self.note(place, kind, || msg.into());
    }

    /// Notes a command that the gate refused.
    pub fn refused(&mut self, place: &Place, rule: Rule, msg: impl std::fmt::Display) {
        let listed = self.listed.len();
        self.value(place, msg);
        if let Some(fault) = self.listed.get_mut(listed) {
            fault.rule = Some(rule);
        }
    }

    /// Notes a value that is of the right type and still wrong.
    pub fn value(&mut self, place: &Place, msg: impl std::fmt::Display) {
        self.note(place, "value_error", || {
            let mut text = String::with_capacity(USUAL_BYTES);
            // A text takes everything.
            let _ = write!(text, "Value error, {msg}");
            text
        });
    }

    /// # Errors
    /// All faults, if there are any; of many the first, and how many more there are.
    pub fn or<T>(mut self, value: Option<T>) -> Result<T, Vec<FieldError>> {
        if self.n_more > 0 {
            let msg = format!("Value error, {} more faults are not listed", self.n_more);
            let (loc, kind) = (Place::body().steps(), "value_error");
            self.listed.push(FieldError { loc, msg, kind, rule: None });
        }
        match value {
            Some(value) if self.listed.is_empty() => Ok(value),
            _ => Err(self.listed),
        }
    }

    fn note(&mut self, place: &Place, kind: &'static str, msg: impl FnOnce() -> String) {
        if self.listed.len() < MOST_FAULTS {
            self.listed.push(FieldError { loc: place.steps(), msg: msg(), kind, rule: None });
        } else {
            self.n_more += 1;
        }
    }

    /// Notes a field that there is not in the object at `place`.
    fn unknown(&mut self, place: &Place, shown: String, hint: &str) {
        let listed = self.listed.len();
        self.note(place, "extra_forbidden", || format!("Unknown field `{shown}`; {hint}"));
        if let Some(fault) = self.listed.get_mut(listed) {
            fault.loc.push(Step::Name(shown.into()));
        }
    }
}

/// A place in the body. Cheap to make: most places are never reported.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    below_body: [At; MOST_STEPS],
    n_steps: usize,
}

#[derive(Clone, Copy, Debug)]
enum At {
    Name(&'static str),
    Index(usize),
}

impl Place {
    /// The whole body.
    #[must_use]
    pub fn body() -> Self {
        Self { below_body: [At::Index(0); MOST_STEPS], n_steps: 0 }
    }

    /// A field of the object at this place.
    #[must_use]
    pub fn field(&self, name: &'static str) -> Self {
        self.then(At::Name(name))
    }

    /// An item of the list at this place.
    #[must_use]
    pub fn item(&self, index: usize) -> Self {
        self.then(At::Index(index))
    }

    fn then(mut self, step: At) -> Self {
        if let Some(next) = self.below_body.get_mut(self.n_steps) {
            *next = step;
            self.n_steps += 1;
        }
        self
    }

    /// All steps, from the body on.
    fn steps(&self) -> Vec<Step> {
        let below = self.below_body.iter().take(self.n_steps).map(|at| match at {
            At::Name(name) => Step::Name((*name).into()),
            At::Index(index) => Step::Index(*index),
        });
        std::iter::once(Step::Name("body".into())).chain(below).collect()
    }
}

/// A value and where it stands.
pub type Found<'b> = (Json<'b>, Place);

/// An object that is being read: fields are taken out by name, what is left is unknown.
pub struct Object<'b> {
    /// Where the object stands.
    pub place: Place,
    /// In the body's order.
    fields: Vec<(Cow<'b, str>, Json<'b>)>,
    known: Vec<&'static str>,
}

impl<'b> Object<'b> {
    /// The object at `place`, or a fault.
    pub fn read(value: Json<'b>, place: Place, faults: &mut Faults) -> Option<Self> {
        if let Json::Object(fields) = value {
            Some(Self { place, fields, known: Vec::with_capacity(MOST_FIELDS) })
        } else {
            faults.add(&place, "model_attributes_type", "Input should be a JSON object");
            None
        }
    }

    /// Takes a field that may be missing or null.
    pub fn optional(&mut self, name: &'static str) -> Option<Found<'b>> {
        self.take(name)
            .filter(|value| !value.is_null())
            .map(|value| (value, self.place.field(name)))
    }

    /// Takes a field that must be there.
    pub fn required(&mut self, name: &'static str, faults: &mut Faults) -> Option<Found<'b>> {
        let place = self.place.field(name);
        match self.take(name) {
            Some(Json::Null) => {
                faults.add(&place, "value_error", "Value error, must not be null");
            }
            Some(value) => return Some((value, place)),
            None => faults.add(&place, "missing", "Field required"),
        }
        None
    }

    /// Takes a field if it is an empty text; true if it was.
    pub fn take_empty(&mut self, name: &'static str) -> bool {
        let is_empty = matches!(self.field(name), Some(Json::Text(text)) if text.is_empty());
        is_empty && self.optional(name).is_some()
    }

    /// True if the field is there and not null.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.field(name).is_some_and(|value| !value.is_null())
    }

    fn take(&mut self, name: &'static str) -> Option<Json<'b>> {
        self.known.push(name);
        let at = self.fields.iter().position(|(known, _)| known == name)?;
        Some(self.fields.remove(at).1)
    }

    fn field(&self, name: &str) -> Option<&Json<'b>> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Names every field that nobody took.
    pub fn finish(self, faults: &mut Faults) {
        for (name, _) in &self.fields {
            let shown: String =
                name.chars().take(MOST_NAME_CHARS).flat_map(char::escape_debug).collect();
            let hint = match nearest(name, &self.known) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known here: {}", self.known.join(", ")),
            };
            faults.unknown(&self.place, shown, &hint);
        }
    }
}

/// The known field that whoever wrote `name` may mean.
#[must_use]
pub fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    if name.len() > MOST_COMPARED_BYTES {
        return None;
    }
    let name = name.to_lowercase();
    let elsewhere = ELSEWHERE.iter().find(|(other, _)| *other == name);
    if let Some(ours) = elsewhere.and_then(|(_, ours)| known.iter().find(|known| *known == ours)) {
        return Some(ours);
    }
    // A short name is near to everything.
    let most = (name.chars().count() / 2).min(MOST_TYPING_ERRORS);
    let distance = |known: &str| strsim::damerau_levenshtein(known, &name);
    let is_near = |known: &&str| {
        distance(known) <= most || name.contains(*known) || known.contains(name.as_str())
    };
    known.iter().copied().filter(is_near).min_by_key(|known| (distance(known), *known))
}

/// A text, or a fault.
pub fn text<'b>((value, place): Found<'b>, faults: &mut Faults) -> Option<Cow<'b, str>> {
    if let Json::Text(text) = value {
        Some(text)
    } else {
        faults.add(&place, "string_type", "Input should be a valid string");
        None
    }
}

/// A list, or a fault.
pub fn list<'b>((value, place): Found<'b>, faults: &mut Faults) -> Option<(Vec<Json<'b>>, Place)> {
    if let Json::List(items) = value {
        Some((items, place))
    } else {
        faults.add(&place, "list_type", "Input should be a valid list");
        None
    }
}

/// A whole number, also when it is written as a string or with a zero fraction, as the predecessor took it.
pub fn whole_number((value, place): Found<'_>, faults: &mut Faults) -> Option<i64> {
    let (kind, message) = match &value {
        Json::Number(number) => {
            if let Some(whole) = number.as_i64() {
                return Some(whole);
            }
            match number.as_f64() {
                #[expect(clippy::cast_possible_truncation, reason = "checked to be whole")]
                // What is beyond all limits becomes the largest number, for the field's own limit to refuse.
                Some(float) if float.fract() == 0.0 => return Some(float as i64),
                _ => (
                    "int_from_float",
                    "Input should be a valid integer, got a number with a fractional part",
                ),
            }
        }
        Json::Text(digits) => match digits.trim().parse::<i64>() {
            Ok(whole) => return Some(whole),
            Err(error) => match error.kind() {
                IntErrorKind::PosOverflow => return Some(i64::MAX),
                IntErrorKind::NegOverflow => return Some(i64::MIN),
                _ => (
                    "int_parsing",
                    "Input should be a valid integer, unable to parse string as an integer",
                ),
            },
        },
        _ => ("int_type", "Input should be a valid integer"),
    };
    faults.add(&place, kind, message);
    None
}

/// `true` or `false`, or a fault.
pub fn truth((value, place): Found<'_>, faults: &mut Faults) -> Option<bool> {
    if let Json::Truth(truth) = value {
        return Some(truth);
    }
    faults.add(&place, "bool_type", "Input should be true or false");
    None
}

/// One of a few words, or a fault that lists them.
pub fn word<T: Copy>(
    (value, place): Found<'_>,
    words: &[(&str, T)],
    faults: &mut Faults,
) -> Option<T> {
    if let Json::Text(given) = value
        && let Some((_, meaning)) = words.iter().find(|(word, _)| *word == given)
    {
        return Some(*meaning);
    }
    let quoted: Vec<_> = words.iter().map(|(word, _)| format!("'{word}'")).collect();
    let list = match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.join(""),
    };
    faults.add(&place, "enum", format!("Input should be {list}"));
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_field_is_named_with_the_nearest_known_one() {
        let mut faults = Faults::default();
        let value = Json::parse(br#"{"hostnam": "x", "zzzzzzzz": 1}"#).unwrap();
        let mut object = Object::read(value, Place::body(), &mut faults).unwrap();
        object.optional("hostname");
        object.finish(&mut faults);
        let errors = faults.or(Some(())).unwrap_err();
        assert_eq!(errors[0].msg, "Unknown field `hostnam`; did you mean `hostname`?");
        assert_eq!(errors[1].msg, "Unknown field `zzzzzzzz`; known here: hostname");
        assert_eq!(errors[0].kind, "extra_forbidden");
    }

    #[test]
    fn names_of_other_programs_and_other_cases_lead_to_ours() {
        let known = ["hostname", "port", "username", "password", "os", "enable_password", "jump"];
        for (name, want) in [
            ("host", Some("hostname")),
            ("IP", Some("hostname")),
            ("Hostname", Some("hostname")),
            ("OS", Some("os")),
            ("device_type", Some("os")),
            ("user", Some("username")),
            ("pasword", Some("password")),
            ("secret", Some("enable_password")),
            ("site", None),
            ("x", None),
        ] {
            assert_eq!(nearest(name, &known), want, "{name}");
        }
    }

    #[test]
    fn whole_numbers_are_read_as_the_predecessor_read_them() {
        for (text, want) in [
            ("22", Ok(22)),
            ("\"22\"", Ok(22)),
            ("22.0", Ok(22)),
            ("99999999999999999999999999", Ok(i64::MAX)),
            ("-99999999999999999999999999", Ok(i64::MIN)),
            ("\"99999999999999999999999999\"", Ok(i64::MAX)),
            ("22.5", Err("int_from_float")),
            ("\"x\"", Err("int_parsing")),
            ("[]", Err("int_type")),
            ("true", Err("int_type")),
        ] {
            let value = Json::parse(text.as_bytes()).unwrap();
            let mut faults = Faults::default();
            let found = whole_number((value, Place::body()), &mut faults);
            match want {
                Ok(number) => assert_eq!(found, Some(number), "{text}"),
                Err(kind) => assert_eq!(faults.or(found).unwrap_err()[0].kind, kind, "{text}"),
            }
        }
    }
}
