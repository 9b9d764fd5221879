//! What a check can find.

use std::fmt;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The provider meets the requirement.
    Passed,
    /// It does what it must, and leaves out what it should do; certification accepts this.
    Warned(String),
    /// It does not offer what the check is about, and says so itself.
    Skipped(String),
    /// It breaks a rule.
    Failed(String),
}

impl Outcome {
    /// What is said of it beyond the bare word; empty when there is nothing to say.
    pub fn remark(&self) -> &str {
        match self {
            Self::Passed => "",
            Self::Warned(text) | Self::Skipped(text) | Self::Failed(text) => text,
        }
    }

    /// The bare word, as a table shows it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed => "pass",
            Self::Warned(_) => "warn",
            Self::Skipped(_) => "skip",
            Self::Failed(_) => "FAIL",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.remark() {
            "" => to.write_str(self.word()),
            remark => write!(to, "{}: {remark}", self.word()),
        }
    }
}

/// A value, or the outcome that ends the check before it has one.
pub(crate) type Verdict<T = ()> = Result<T, Outcome>;

/// The provider breaks a rule.
pub(crate) fn failed(text: impl Into<String>) -> Outcome {
    Outcome::Failed(text.into())
}

/// The provider does not offer it.
pub(crate) fn skipped(text: impl Into<String>) -> Outcome {
    Outcome::Skipped(text.into())
}

/// Ends the check with a failure unless this holds.
pub(crate) fn ensure(holds: bool, otherwise: impl Into<String>) -> Verdict {
    if holds { Ok(()) } else { Err(failed(otherwise)) }
}

/// Ends the check with a failure when something that the walk stands on does not work.
pub(crate) trait Needed<T> {
    /// `doing` says what was being done.
    fn needed(self, doing: &str) -> Verdict<T>;
}

impl<T, E: fmt::Debug> Needed<T> for Result<T, E> {
    fn needed(self, doing: &str) -> Verdict<T> {
        self.map_err(|error| failed(format!("{doing}: {error:?}")))
    }
}

impl<T> Needed<T> for Option<T> {
    fn needed(self, doing: &str) -> Verdict<T> {
        self.ok_or_else(|| failed(format!("{doing}: there is none")))
    }
}
