//! The environment as an argument.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::{ConfigError, Secret};

/// An immutable snapshot of environment variables.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    generated: Option<GeneratedFile>,
}

/// A file of secrets that a process has made for itself.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct GeneratedFile {
    path: PathBuf,
    names: &'static [&'static str],
}

impl GeneratedFile {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds at this moment: a value for each of its names, empty where there is no line.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn read(&self) -> Result<BTreeMap<&'static str, Secret>, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { file: self.path.clone(), source };
        let text = Zeroizing::new(fs::read_to_string(&self.path).map_err(unreadable)?);
        let value = |name: &str| {
            let lines = text.lines().filter_map(|line| line.split_once('='));
            lines.map(|(key, value)| (key.trim(), value.trim())).find(|(key, _)| *key == name)
        };
        Ok(self.names.iter().map(|name| (*name, Secret::from(value(name).map_or("", |(_, value)| value)))).collect())
    }
}

impl Environment {
    /// The variables of this process: the one place where they are read. Those that are not UTF-8 are left out.
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of a variable, if it is set (an empty value is a value).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The value of a variable, if it is set and not empty.
    pub fn get_filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// The same environment with one variable more, or another value for it.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// The same environment with a file of secrets, lines of `NAME=VALUE`. The secrets of these names hold where neither a variable nor a
    /// YAML file sets them. The file is read at each loading; a name without a line is empty.
    #[must_use]
    pub fn with_generated(self, path: PathBuf, names: &'static [&'static str]) -> Self {
        Self { generated: Some(GeneratedFile { path, names }), ..self }
    }

    /// The file of generated secrets, if there is one.
    pub(crate) fn generated(&self) -> Option<&GeneratedFile> {
        self.generated.as_ref()
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }
}

/// Shows the names only: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

impl<K: Into<String>, V: Into<String>, const N: usize> From<[(K, V); N]> for Environment {
    fn from(variables: [(K, V); N]) -> Self {
        variables.into_iter().collect()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables, generated: None }
    }
}
