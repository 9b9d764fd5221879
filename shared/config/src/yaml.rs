//! The YAML library, in this one file.

use std::fmt::{self, Write};
use std::io;
use std::path::Path;

use figment::value::{Dict, Value};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::kind::unset;

/// What a part of a document is, for a message.
pub(crate) fn shape(value: &Value) -> &'static str {
    match value {
        Value::Empty(..) => "empty",
        Value::Array(..) => "a list",
        Value::Dict(..) => "a group of keys",
        _ => "a single value",
    }
}

/// The text of a YAML file, without the byte order mark that some editors begin a file with (YAML 1.2, 5.2): the parser counts it
/// as a column, so that whatever stands below the first key is indented otherwise.
///
/// # Errors
/// When the file cannot be read, or is not UTF-8.
pub fn read_yaml_file(path: &Path) -> io::Result<String> {
    let mut text = std::fs::read_to_string(path)?;
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len_utf8());
    }
    Ok(text)
}

/// The first key at the top of the YAML document `before` that has a list with something in it, and that `after` lacks or leaves without a
/// value: a file that is not written to its end looks like that. `None` also if one of them is no document of keys.
pub fn missing_list(before: &str, after: &str) -> Option<String> {
    let read = |text: &str| serde_yaml_ng::from_str::<serde_yaml_ng::Mapping>(text).ok();
    let (before, after) = (read(before)?, read(after)?);
    let is_missing = |key: &serde_yaml_ng::Value| after.get(key).is_none_or(serde_yaml_ng::Value::is_null);
    let has_list = |value: &serde_yaml_ng::Value| value.as_sequence().is_some_and(|list| !list.is_empty());
    let (key, _) = before.iter().find(|(key, value)| has_list(value) && is_missing(key))?;
    key.as_str().map(str::to_owned)
}

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Parses one document. Its scalars keep the text they were written with: `0123`, `1e5` and `true` stay what they are. The error is
/// one line and tells line and column.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    // the parser gives a number's text only where a string is asked for, and where to ask for one a first reading tells
    let read = |shape: Option<&Value>| {
        let document = serde_yaml_ng::Deserializer::from_str(text);
        Part(shape).deserialize(document).map_err(|error| in_one_line(&error))
    };
    read(Some(&read(None)?))
}

/// The parser's complaint. It expects a string only where a key is.
fn in_one_line(error: &serde_yaml_ng::Error) -> String {
    let key = |text: String, found: &str, kind: &str| {
        text.replace(&format!("invalid type: {found}, expected a string"), &format!("a key cannot be {kind}"))
    };
    key(key(error.to_string().replace('\n', " "), "sequence", "a list"), "map", "a group of keys")
}

/// A part of a document. Its shape is known in the second reading, which takes each scalar as its text.
struct Part<'a>(Option<&'a Value>);

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.0 {
            None => deserializer.deserialize_any(self),
            Some(Value::Empty(..)) => IgnoredAny::deserialize(deserializer).map(|_| unset()),
            Some(Value::Array(..)) => deserializer.deserialize_seq(self),
            Some(Value::Dict(..)) => deserializer.deserialize_map(self),
            Some(_) => deserializer.deserialize_str(self),
        }
    }
}

/// Visits scalars that are no texts. Only the first reading meets them, which looks for shapes.
macro_rules! visit_scalars {
    ($($visit:ident: $scalar:ty),*) => {$(
        fn $visit<E>(self, _: $scalar) -> Result<Value, E> {
            Ok("".into())
        }
    )*};
}

/// Takes every kind of scalar: one that it did not take would be quoted in the error, and may be a secret. Takes no tag.
impl<'de> Visitor<'de> for Part<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.map_or("YAML without tags", shape))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(unset())
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(unset())
    }

    visit_scalars!(visit_bool: bool, visit_i64: i64, visit_i128: i128, visit_u64: u64, visit_u128: u128, visit_f64: f64);

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items: Vec<Value> = Vec::new();
        let shape = |index: usize| self.0.and_then(|shape| shape.as_array()?.get(index));
        while let Some(item) = list.next_element_seed(Part(shape(items.len())))? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Dict::new();
        while let Some(key) = map.next_key::<String>()? {
            if entries.contains_key(&key) {
                return Err(A::Error::custom(format!("the key {key} is a duplicate")));
            }
            let shape = self.0.and_then(|shape| shape.as_dict()?.get(&key));
            let value = map.next_value_seed(Part(shape))?;
            entries.insert(key, value);
        }
        Ok(entries.into())
    }
}

/// Writes a text as a YAML scalar on one line, quoted where it has to be.
pub(crate) fn scalar(text: &str) -> String {
    if text.is_empty() || text.contains(breaks_lines) {
        return double_quoted(text);
    }
    serde_yaml_ng::to_string(text)
        .ok()
        .and_then(|line| line.strip_suffix('\n').map(Into::into))
        .unwrap_or_else(|| double_quoted(text))
}

/// YAML ends lines at Unicode's separators too.
fn breaks_lines(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// JSON's escapes are YAML's too.
fn double_quoted(text: &str) -> String {
    let mut quoted = String::new();
    for c in serde_json::Value::from(text).to_string().chars() {
        if breaks_lines(c) {
            let _ = write!(quoted, "\\u{:04x}", u32::from(c));
        } else {
            quoted.push(c);
        }
    }
    quoted
}
