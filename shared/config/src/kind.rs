//! What a setting holds: how its text is read, and what is shown of its value.

use std::time::Duration;

use figment::value::{Dict, Empty, Tag, Value};
use serde_json::Value as Json;

use crate::{ListenAddr, duration};

/// What a setting holds. A text stays a text until its kind is known, so that a secret of digits is not a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    U32,
    U64,
    Duration,
    Address,
    Text,
    Path,
    List,
    Secret,
    PrivateKey,
}

impl Kind {
    /// The kind of setting that a schema describes; `None` for a section. An optional string is a path: a text that may be unset
    /// is an empty string.
    pub(crate) fn of(schema: &serde_json::Map<String, Json>) -> Option<Self> {
        let is = |name: &str| match schema.get("type") {
            Some(Json::Array(types)) => types.iter().any(|one| one == name),
            Some(one) => one == name,
            None => false,
        };
        let has = |mark: &str| schema.get(mark) == Some(&Json::Bool(true));
        let format = schema.get("format").and_then(Json::as_str).unwrap_or_default();
        let is_duration = || {
            schema.get("properties").is_some_and(|fields| fields.get("secs").is_some() && fields.get("nanos").is_some())
        };
        let kind = if has("x-secret") {
            Self::Secret
        } else if has("x-private-key") {
            Self::PrivateKey
        } else if is("boolean") {
            Self::Bool
        } else if is("integer") {
            if format == "uint32" { Self::U32 } else { Self::U64 }
        } else if is("array") {
            Self::List
        } else if format == ListenAddr::FORMAT {
            Self::Address
        } else if is("string") {
            if is("null") { Self::Path } else { Self::Text }
        } else if is_duration() {
            Self::Duration
        } else {
            return None;
        };
        Some(kind)
    }

    /// Its name in the documentation.
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::U32 | Self::U64 => "int",
            Self::Duration => "duration",
            Self::List => "[]string",
            Self::Address | Self::Text | Self::Path | Self::Secret | Self::PrivateKey => "string",
        }
    }

    /// What is accepted, with its article, for the sentence "X must be ...".
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::Bool => "a bool (true or false)",
            Self::U32 => "an int from 0 to 4294967295",
            Self::U64 => "an int that is not negative",
            Self::Duration => "a duration (like 10s, 5m or 1h30m)",
            Self::Address => "an address (host:port, :port, or the path of a Unix socket)",
            Self::List => "a list of strings",
            Self::Text | Self::Secret => "a string",
            Self::Path | Self::PrivateKey => "a path",
        }
    }

    /// Whether an empty text is a value. If not, an empty variable counts as not set.
    pub(crate) fn may_be_empty(self) -> bool {
        !matches!(self, Self::Bool | Self::U32 | Self::U64 | Self::Duration)
    }

    /// The value that a text stands for, in the form that serde reads; `None` if the text is not of this kind. Items of a list
    /// are separated by commas; blanks around an item, and items that are empty, are dropped.
    pub(crate) fn read(self, text: &str) -> Option<Value> {
        Some(match self {
            Self::Bool => match text {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => true.into(),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => false.into(),
                _ => return None,
            },
            Self::U32 => text.parse::<u32>().ok()?.into(),
            Self::U64 => text.parse::<u64>().ok()?.into(),
            Self::Duration => Value::serialize(duration::parse(text)?).ok()?,
            Self::Address => text.parse::<ListenAddr>().ok()?.to_string().into(),
            Self::Text | Self::Path | Self::Secret | Self::PrivateKey => text.into(),
            Self::List => text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect::<Vec<_>>().into(),
        })
    }

    /// What is shown of a value of this kind: a bool, a number, a text or a list of texts; a secret is redacted.
    pub(crate) fn shown(self, value: &Value) -> Json {
        match (self, value) {
            (Self::Secret, Value::String(_, text)) if !text.is_empty() => "***".into(),
            (Self::Duration, Value::Dict(..)) => duration::format(value.deserialize().unwrap_or_default()).into(),
            (Self::PrivateKey, Value::Dict(_, file)) => path_of(file).into(),
            (_, Value::Bool(_, value)) => (*value).into(),
            (_, Value::Num(..)) => value.deserialize::<u64>().unwrap_or_default().into(),
            (_, Value::Array(_, items)) => items.iter().filter_map(Value::as_str).collect(),
            (_, value) => value.as_str().unwrap_or_default().into(),
        }
    }

    /// The size of a number, or of a duration in nanoseconds.
    fn size(value: &Value) -> Option<u128> {
        match value {
            Value::Num(_, number) => number.to_u128(),
            Value::Dict(..) => value.deserialize().ok().map(|duration: Duration| duration.as_nanos()),
            _ => None,
        }
    }

    /// Why a value is refused that is not between these, as the rest of a sentence about it.
    pub(crate) fn out_of_range(self, value: &Value, least: Option<&Value>, most: Option<&Value>) -> Option<String> {
        let size = Self::size(value)?;
        let is_inside = least.and_then(Self::size).is_none_or(|least| least <= size)
            && most.and_then(Self::size).is_none_or(|most| size <= most);
        let text = |bound: &Value| on_one_line(&self.shown(bound));
        let expected = match (least.map(text), most.map(text)) {
            _ if is_inside => return None,
            (Some(least), Some(most)) => format!("must be from {least} to {most}"),
            (Some(least), None) => format!("must be at least {least}"),
            (None, most) => format!("must be at most {}", most.unwrap_or_default()),
        };
        Some(expected)
    }
}

/// The value of an optional setting that is not set.
pub(crate) fn unset() -> Value {
    Value::Empty(Tag::Default, Empty::None)
}

/// The path in the serialized form of a [`PrivateKeyFile`](crate::PrivateKeyFile).
pub(crate) fn path_of(file: &Dict) -> String {
    file.get("path").and_then(Value::as_str).unwrap_or_default().into()
}

/// What is shown of a value, on one line, as the documentation has it.
pub(crate) fn on_one_line(shown: &Json) -> String {
    match shown {
        Json::String(text) => text.clone(),
        Json::Array(items) => format!("[{}]", items.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(" ")),
        other => other.to_string(),
    }
}

/// Whether what is shown is an empty text or list.
pub(crate) fn is_empty(shown: &Json) -> bool {
    shown.as_str() == Some("") || shown.as_array().is_some_and(Vec::is_empty)
}
