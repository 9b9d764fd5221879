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

    /// Why this secret is refused where at least so many bytes are demanded, as the rest of a sentence about it; `None` if it
    /// is not. The length alone is no measure: blanks, or one character over and over, are guessed at once.
    pub fn weakness(&self, least: usize) -> Option<String> {
        let remedy = format!("make one with: openssl rand -base64 {least}");
        let length = self.expose().len();
        if self.is_placeholder() {
            Some(format!("is a placeholder value; {remedy}"))
        } else if length < least {
            Some(format!("must have at least {least} bytes, not {length}; {remedy}"))
        } else if self.is_uniform() {
            Some(format!("consists of blanks or of one character that is repeated; {remedy}"))
        } else {
            None
        }
    }

    /// Whether it has fewer than two different characters, blanks aside.
    fn is_uniform(&self) -> bool {
        let mut characters = self.expose().chars().filter(|character| !character.is_whitespace());
        let first = characters.next();
        characters.all(|character| Some(character) == first)
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
