//! Values that must not be seen.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A secret text: wiped when dropped, shown as `***`. Empty when it is not set.
#[derive(Clone, Default)]
pub struct Secret(SecretString);

impl Secret {
    /// The secret itself. Say so as late as possible, and never store what it returns.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether it is not set.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }

    /// What may be shown instead: whether there is a secret, not which one.
    pub(super) fn redacted(&self) -> &'static str {
        if self.is_empty() { "" } else { "***" }
    }

    /// Whether this is one of the texts that examples print where a secret belongs.
    pub(super) fn is_placeholder(&self) -> bool {
        const PLACEHOLDERS: [&str; 7] =
            ["***", "change-me", "change_me", "changeme", "changemeplease", "password", "secret"];
        PLACEHOLDERS.iter().any(|known| self.expose().eq_ignore_ascii_case(known))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.redacted())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.redacted())
    }
}
