//! The types a setting can have.

use std::path::PathBuf;
use std::time::Duration;

use super::duration;

/// How a value stands in YAML and in the documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A bool, a number, a duration: never quoted.
    Plain(String),
    /// A text, quoted where YAML needs it.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
}

impl Shown {
    /// As the documentation's "Default" column has it.
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::Plain(text) | Self::Text(text) => text.clone(),
            Self::List(items) => format!("[{}]", items.join(" ")),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Plain(text) | Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
        }
    }
}

/// A type that a setting can have.
pub trait Value: Sized {
    /// Its name in the documentation: `bool`, `string`, `int`, `[]string`, `duration`.
    const TYPE: &'static str;
    /// What is accepted, with its article, for the sentence "X must be ...".
    const EXPECTED: &'static str;
    /// Whether an empty text is a value; if not, an empty variable counts as not set.
    const MAY_BE_EMPTY: bool = false;

    /// Reads it from a text.
    fn parse(text: &str) -> Option<Self>;

    /// Reads it from a YAML list; only types that hold several values can.
    fn parse_list(_items: Vec<String>) -> Option<Self> {
        None
    }

    /// How it is written.
    fn shown(&self) -> Shown;
}

impl Value for bool {
    const TYPE: &'static str = "bool";
    const EXPECTED: &'static str = "a bool (true or false)";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
            _ => None,
        }
    }

    fn shown(&self) -> Shown {
        Shown::Plain(self.to_string())
    }
}

impl Value for String {
    const TYPE: &'static str = "string";
    const EXPECTED: &'static str = "a string";
    const MAY_BE_EMPTY: bool = true;

    fn parse(text: &str) -> Option<Self> {
        Some(text.into())
    }

    fn shown(&self) -> Shown {
        Shown::Text(self.clone())
    }
}

impl Value for PathBuf {
    const TYPE: &'static str = "string";
    const EXPECTED: &'static str = "a path";
    const MAY_BE_EMPTY: bool = true;

    fn parse(text: &str) -> Option<Self> {
        Some(text.into())
    }

    fn shown(&self) -> Shown {
        Shown::Text(self.display().to_string())
    }
}

impl Value for u16 {
    const TYPE: &'static str = "int";
    const EXPECTED: &'static str = "an int from 0 to 65535";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn shown(&self) -> Shown {
        Shown::Plain(self.to_string())
    }
}

impl Value for u32 {
    const TYPE: &'static str = "int";
    const EXPECTED: &'static str = "an int from 0 to 4294967295";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn shown(&self) -> Shown {
        Shown::Plain(self.to_string())
    }
}

impl Value for u64 {
    const TYPE: &'static str = "int";
    const EXPECTED: &'static str = "an int that is not negative";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn shown(&self) -> Shown {
        Shown::Plain(self.to_string())
    }
}

impl Value for usize {
    const TYPE: &'static str = "int";
    const EXPECTED: &'static str = "an int that is not negative";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn shown(&self) -> Shown {
        Shown::Plain(self.to_string())
    }
}

impl Value for i64 {
    const TYPE: &'static str = "int";
    const EXPECTED: &'static str = "an int";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn shown(&self) -> Shown {
        Shown::Plain(self.to_string())
    }
}

impl Value for Duration {
    const TYPE: &'static str = "duration";
    const EXPECTED: &'static str = "a duration (like 10s, 5m or 1h30m)";

    fn parse(text: &str) -> Option<Self> {
        duration::parse(text)
    }

    fn shown(&self) -> Shown {
        Shown::Plain(duration::format(*self))
    }
}

/// Comma separated in a variable; blanks around an item, and items that are empty, are dropped.
impl Value for Vec<String> {
    const TYPE: &'static str = "[]string";
    const EXPECTED: &'static str = "a list of strings";
    const MAY_BE_EMPTY: bool = true;

    fn parse(text: &str) -> Option<Self> {
        Some(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Into::into).collect())
    }

    fn parse_list(items: Vec<String>) -> Option<Self> {
        Some(items)
    }

    fn shown(&self) -> Shown {
        Shown::List(self.clone())
    }
}

/// Empty when there is none.
impl<T: Value> Value for Option<T> {
    const TYPE: &'static str = T::TYPE;
    const EXPECTED: &'static str = T::EXPECTED;
    const MAY_BE_EMPTY: bool = true;

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() { Some(None) } else { T::parse(text).map(Some) }
    }

    fn parse_list(items: Vec<String>) -> Option<Self> {
        T::parse_list(items).map(Some)
    }

    fn shown(&self) -> Shown {
        self.as_ref().map_or_else(|| Shown::Text(String::new()), Value::shown)
    }
}
