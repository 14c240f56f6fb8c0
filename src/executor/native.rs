//! The device's own JSON, read with bounds.
//!
//! As a value every `{}` takes many times the bytes that it has: values are counted while they are read, and the clock is asked.

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::catalog::{Parser, Reading, Records};

/// The engine of the device's own JSON.
pub(super) const NATIVE: &str = "native";
/// Most values of one answer; those inside of lists and objects count too.
const MOST_VALUES: usize = 500_000;
/// Values between two looks at the clock.
const VALUES_BETWEEN_LOOKS: usize = 1024;

/// Reads the device's own JSON. `is_late` is asked now and then and ends it.
pub(super) fn native(output: &str, is_late: &dyn Fn() -> bool) -> Reading {
    let parser = Some(Parser::without_template(NATIVE));
    let mut reading = Reading { parser, ..Reading::default() };
    reading.put(json_of(output, is_late));
    reading
}

/// The JSON in an output. Some devices print a line before it, and Junos says before or behind it which of its engines
/// speaks: `{master}`.
fn json_of(output: &str, is_late: &dyn Fn() -> bool) -> Result<Records, String> {
    let mut start = 0;
    for line in output.split_inclusive('\n') {
        let begins = line.trim_start().starts_with(['{', '[']);
        if begins && !is_engine(line) && !line.starts_with("[edit") {
            break;
        }
        start += line.len();
    }
    let text = output.get(start..).filter(|text| !text.is_empty()).unwrap_or(output).trim_end();
    let engine = text.rsplit_once('\n').filter(|(_, last)| is_engine(last));
    let text = engine.map_or(text, |(before, _)| before);
    let counter = Counter { values: Cell::new(0), is_late };
    let mut json = serde_json::Deserializer::from_str(text);
    let value = counter.deserialize(&mut json).and_then(|value| json.end().map(|()| value));
    let value = value.map_err(|error| {
        // Any value is right here: it is the counter that takes no more.
        if error.is_data() {
            format!("limit: {error}")
        } else {
            format!("the device's answer is no JSON ({error})")
        }
    })?;
    Records::write(&value).map_err(|error| error.to_string())
}

/// `{master}`, `{primary:node0}`.
fn is_engine(line: &str) -> bool {
    let inside = line.trim().strip_prefix('{').and_then(|line| line.strip_suffix('}'));
    inside.is_some_and(|word| {
        !word.is_empty()
            && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_'))
    })
}

/// Reads values as serde does, and counts them.
struct Counter<'c> {
    values: Cell<usize>,
    is_late: &'c dyn Fn() -> bool,
}

impl<'de> DeserializeSeed<'de> for &Counter<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        let values = self.values.get() + 1;
        self.values.set(values);
        if values > MOST_VALUES {
            return Err(D::Error::custom(format_args!("more than {MOST_VALUES} values")));
        }
        if values.is_multiple_of(VALUES_BETWEEN_LOOKS) && (self.is_late)() {
            return Err(D::Error::custom("not done in time"));
        }
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Counter<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = object.next_key()? {
            fields.insert(name, object.next_value_seed(self)?);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(output: &str) -> Reading {
        native(output, &|| false)
    }

    #[test]
    fn the_devices_own_json_is_taken_as_it_is() {
        let value = |output: &str| read(output).parsed.map(|records| records.value());
        let whole = json!({"a": [1, "2", -3, 0.5, true, null, {}, "\"é\n"], "b": {"c": []}});
        assert_eq!(value(&format!("{whole:#}\n")), Some(whole));
        assert_eq!(value("{\"a\": 1, \"b\": 2, \"a\": 3}"), Some(json!({"a": 3, "b": 2})));
        for output in [
            "{master:0}\n{\"a\": 1}\n",
            "Load for five secs: {1}\n[edit]\n{\"a\": 1}\n",
            "{\n\"a\" : 1\n}\n\n{master}\n",
            "{\"a\": 1}\r\n{primary:node0}",
        ] {
            assert_eq!(value(output), Some(json!({"a": 1})), "{output}");
        }
        for output in ["", "{\"a\": 1} more", "{\"a\": ", "{master}", "{\"a\": 1}\n{\"b\": 1}\n"] {
            assert!(read(output).parsed.is_none(), "{output}");
        }
        let nested = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        for output in ["% Structured output not supported", &nested] {
            let error = read(output).error.unwrap();
            assert!(error.starts_with("Parser failed: the device's answer is no JSON"), "{error}");
        }
    }

    /// As many routes as eight megabytes have, as EOS prints them.
    #[test]
    fn a_large_answer_is_read_whole() {
        let route = |n: usize| {
            let via = json!({"interface": "Ethernet1", "nexthopAddr": "192.0.2.1"});
            let route = json!({
                "kernelProgrammed": true, "directlyConnected": false, "preference": 200, "metric": 0,
                "routeAction": "forward", "routeType": "eBGP", "vias": [via],
            });
            (format!("10.{}.{}.0/24", n / 256, n % 256), route)
        };
        let routes: Map<String, Value> = (0..20_000).map(route).collect();
        let output = format!("{:#}", json!({"vrfs": {"default": {"routes": routes}}}));
        assert!(output.len() > 6 << 20, "{}", output.len());
        let records = read(&output).parsed.unwrap();
        assert_eq!(records.value()["vrfs"]["default"]["routes"].as_object().unwrap().len(), 20_000);
        assert!(records.bytes() < output.len());
    }

    #[test]
    fn json_of_many_tiny_values_ends_with_its_bound() {
        for value in ["{\"\":0},", "{},", "[[]],", "0,", "\"\","] {
            let reading = read(&format!("[{}0]", value.repeat(MOST_VALUES)));
            let error = reading.error.unwrap();
            let want = "Parser failed: limit: more than 500000 values at line 1 column ";
            assert!(error.starts_with(want) && reading.parsed.is_none(), "{value}: {error}");
        }
    }

    #[test]
    fn json_that_takes_too_long_ends_at_the_next_look_at_the_clock() {
        let list = format!("[{}0]", "0,".repeat(VALUES_BETWEEN_LOOKS));
        let error = native(&list, &|| true).error.unwrap();
        assert!(error.starts_with("Parser failed: limit: not done in time at line 1"), "{error}");
        assert!(native("[0]", &|| true).parsed.is_some());
    }
}
