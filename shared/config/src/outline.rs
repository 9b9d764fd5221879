//! The settings of a configuration, in the order in which they are documented.

use std::path::PathBuf;

use figment::value::Value;
use serde_json::Value as Json;

use crate::kind::Kind;
use crate::names::{file_name, twin};

/// One setting, as its schema describes it.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// Its documented environment names, complete; the equal `OC_` names and `_FILE` twins are not among them.
    pub(crate) names: Vec<String>,
    pub(crate) kind: Kind,
    /// Whether an empty text means that it is not set.
    pub(crate) optional: bool,
    pub(crate) description: String,
    /// Where it must be set: what to do if it is not.
    pub(crate) required: Option<String>,
    /// The least number of bytes, if it is set.
    pub(crate) min_bytes: Option<usize>,
    /// The bounds of a number or a duration.
    pub(crate) least: Option<Value>,
    pub(crate) most: Option<Value>,
    /// Of a private key: the key of its certificate, in the same section.
    pub(crate) certificate: Option<String>,
    /// Whether it names a file that is written, and need not exist.
    pub(crate) is_written: bool,
    /// The texts that are allowed; any if there are none.
    pub(crate) allowed: Vec<String>,
    /// What is shown of the default.
    pub(crate) default: Json,
}

impl Setting {
    pub(crate) fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }

    /// Whether it is the value that a secret had before a rotation.
    pub(crate) fn is_previous_secret(&self) -> bool {
        self.is_secret() && self.names.iter().any(|name| name.ends_with("_PREVIOUS"))
    }

    pub(crate) fn may_be_empty(&self) -> bool {
        self.optional || self.kind.may_be_empty()
    }

    /// Every variable that can set it.
    pub(crate) fn every_name(&self) -> impl Iterator<Item = String> {
        let plain = self.names.iter().flat_map(|name| [Some(name.clone()), twin(name)]).flatten();
        plain.flat_map(|name| [self.is_secret().then(|| file_name(&name)), Some(name)]).flatten()
    }

    /// Its names in a sentence.
    fn in_words(&self) -> Option<String> {
        let (first, others) = self.names.split_first()?;
        let mut others = others.to_vec();
        match (self.is_secret(), others.len()) {
            (false, _) => {}
            (true, 0) => others.push(file_name(first)),
            (true, 1) => others.push("either with _FILE".into()),
            (true, _) => others.push("any of them with _FILE".into()),
        }
        match others.split_last() {
            None => Some(first.clone()),
            Some((last, [])) => Some(format!("{first} (or {last})")),
            Some((last, rest)) => Some(format!("{first} (or {}, or {last})", rest.join(", "))),
        }
    }
}

/// A section's heading or a setting.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) path: Vec<String>,
    /// `None` for a section.
    pub(crate) setting: Option<Setting>,
}

impl Item {
    pub(crate) fn key(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    pub(crate) fn depth(&self) -> usize {
        self.path.len().saturating_sub(1)
    }
}

/// All items of a configuration, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outline(pub(crate) Vec<Item>);

impl Outline {
    pub(crate) fn settings(&self) -> impl DoubleEndedIterator<Item = (&[String], &Setting)> {
        self.0.iter().filter_map(|item| Some((item.path.as_slice(), item.setting.as_ref()?)))
    }

    pub(crate) fn find(&self, path: &[String]) -> Option<&Item> {
        self.0.iter().find(|item| item.path == path)
    }

    pub(crate) fn children<'a>(&'a self, path: &'a [String]) -> impl Iterator<Item = &'a Item> {
        self.0.iter().filter(move |item| item.path.len() == path.len() + 1 && item.path.starts_with(path))
    }

    /// How a message names the setting at a path.
    pub(crate) fn in_words(&self, path: &[String]) -> String {
        let setting = self.find(path).and_then(|item| item.setting.as_ref());
        setting.and_then(Setting::in_words).unwrap_or_else(|| path.join("."))
    }
}

/// Where a value came from that is not a default.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// As the comment of a printed setting.
    pub(crate) comment: String,
    /// As the subject of a complaint about the value: the variable, or the file and the path of the setting in it.
    pub(crate) place: String,
    /// The YAML file, if it came from one.
    pub(crate) file: Option<PathBuf>,
}
