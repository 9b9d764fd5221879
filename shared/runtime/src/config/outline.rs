//! What one visit of a configuration tells: its settings in order, with what is in force and where that came from.

use std::path::PathBuf;

use super::names::file_name;
use super::names::twin;
use super::value::Shown;

/// Where a value came from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    Default,
    Variable(String),
    /// A secret from the file that the variable names.
    SecretFile(String),
    Yaml {
        file: PathBuf,
        /// The setting's path as it stands in that file.
        path: String,
    },
}

impl Origin {
    /// As the comment of a printed setting; nothing for a default.
    pub(super) fn comment(&self) -> Option<String> {
        match self {
            Self::Default => None,
            Self::Variable(name) | Self::SecretFile(name) => Some(format!("env {name}")),
            Self::Yaml { file, .. } => Some(format!("file {}", file.display())),
        }
    }

    /// As the subject of a complaint about the value.
    pub(super) fn place(&self) -> Option<String> {
        match self {
            Self::Default => None,
            Self::Variable(name) | Self::SecretFile(name) => Some(name.clone()),
            Self::Yaml { file, path } => Some(format!("{}: {path}", file.display())),
        }
    }
}

/// One setting.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Its documented environment names, complete; the equal `OC_` names and `_FILE` twins are not among them.
    pub(super) names: Vec<String>,
    pub(super) type_name: &'static str,
    pub(super) description: String,
    pub(super) secret: bool,
    pub(super) default: Shown,
    pub(super) value: Shown,
    pub(super) origin: Origin,
}

impl Entry {
    /// Every variable that can set it.
    pub(super) fn every_name(&self) -> impl Iterator<Item = String> {
        let plain = self.names.iter().flat_map(|name| [Some(name.clone()), twin(name)]).flatten();
        plain.flat_map(|name| [self.secret.then(|| file_name(&name)), Some(name)]).flatten()
    }

    /// Its names in a sentence.
    fn in_words(&self) -> Option<String> {
        let (first, others) = self.names.split_first()?;
        let mut others = others.to_vec();
        match (self.secret, others.len()) {
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
pub(super) struct Item {
    pub(super) path: Vec<String>,
    /// `None` for a section.
    pub(super) entry: Option<Entry>,
}

impl Item {
    pub(super) fn key(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    pub(super) fn depth(&self) -> usize {
        self.path.len().saturating_sub(1)
    }
}

/// All items of a configuration, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Outline(Vec<Item>);

impl Outline {
    pub(super) fn push(&mut self, path: Vec<String>, entry: Option<Entry>) {
        self.0.push(Item { path, entry });
    }

    pub(super) fn items(&self) -> &[Item] {
        &self.0
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&Item, &Entry)> {
        self.0.iter().filter_map(|item| Some((item, item.entry.as_ref()?)))
    }

    pub(super) fn find(&self, path: &[String]) -> Option<&Item> {
        self.0.iter().find(|item| item.path == path)
    }

    pub(super) fn children<'a>(&'a self, path: &'a [String]) -> impl Iterator<Item = &'a Item> {
        self.0.iter().filter(move |item| item.path.len() == path.len() + 1 && item.path.starts_with(path))
    }

    /// How a message names the setting at a path.
    pub(super) fn in_words(&self, path: &[String]) -> String {
        let entry = self.find(path).and_then(|item| item.entry.as_ref());
        entry.and_then(Entry::in_words).unwrap_or_else(|| path.join("."))
    }
}
