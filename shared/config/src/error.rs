//! Why a configuration is refused.

use std::io;
use std::path::PathBuf;

use crate::SecretFileError;

/// What [`Section::validate`](crate::Section::validate) returns when settings do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} {problem}")]
pub struct Invalid {
    pub(crate) key: String,
    pub(crate) problem: String,
}

impl Invalid {
    /// Says what is wrong with the setting `key`, a key (or a dotted path) below the section that is validated; the
    /// message will name the setting's environment variables, so `problem` starts with a verb: "must be positive".
    pub fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into() }
    }

    /// Refuses the setting `key`, as [`Invalid::new`] does, unless a rule holds.
    ///
    /// # Errors
    /// When it does not.
    pub fn unless(holds: bool, key: &str, problem: &str) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self::new(key, problem)) }
    }
}

/// Why a configuration is refused. Its text is one line that tells the operator what to do, and never holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A YAML file is there and cannot be read.
    #[error("cannot read the configuration file {}: {source}; make it readable for this service or remove it", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A YAML file is not YAML.
    #[error("{} is not valid YAML: {problem}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// What the parser says, with line and column.
        problem: String,
    },
    /// A YAML file has a key that no setting has.
    #[error("{}: there is no setting {path}{}", file.display(), did_you_mean(nearest.as_deref()))]
    UnknownKey {
        /// The file.
        file: PathBuf,
        /// The path of the key within the file.
        path: String,
        /// The path that was probably meant.
        nearest: Option<String>,
    },
    /// A value is not of its setting's type; or a list or a group of keys is where one value belongs, or the reverse.
    #[error("{place} must be {expected}, not {found}")]
    Value {
        /// The variable, or file and YAML path.
        place: String,
        /// The type and what is accepted for it.
        expected: &'static str,
        /// The value in quotes, never that of a secret; or what kind of YAML it is.
        found: String,
    },
    /// A secret is given twice.
    #[error("{name} and {file_name} are both set; keep one of them and remove the other")]
    SecretTwice {
        /// The variable that holds the secret.
        name: String,
        /// The variable that names its file.
        file_name: String,
    },
    /// A secret's file cannot be used.
    #[error("{name} names the file {}, {source}", path.display())]
    SecretFile {
        /// The variable that names the file.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: SecretFileError,
    },
    /// A setting that has no usable default is not set.
    #[error("{setting} {problem}")]
    Missing {
        /// The setting's environment names, or its YAML path.
        setting: String,
        /// That it is not set, and what to do.
        problem: String,
    },
    /// A value does not fit its type: a fault of the code.
    #[error("the configuration cannot be read: {0}")]
    Unexpected(#[from] Box<figment::Error>),
    /// A setting is too short, or does not fit with the others.
    #[error("{setting} {problem}")]
    Invalid {
        /// The setting's environment names, or its YAML path.
        setting: String,
        /// What is wrong and what to do.
        problem: String,
    },
}

pub(crate) fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}
