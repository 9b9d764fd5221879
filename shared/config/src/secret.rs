//! Values that must not be seen.

use std::cell::Cell;
use std::fmt;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

thread_local! {
    /// Whether secrets are serialized as they are, see [`exposed`].
    static EXPOSED: Cell<bool> = const { Cell::new(false) };
}

/// A secret text: wiped when dropped, shown and serialized as `***`. Empty when it is not set.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(from = "String")]
#[schemars(extend("x-secret" = true))]
pub struct Secret(#[schemars(with = "String")] SecretString);

/// Serializes defaults with their secrets, so that they can be merged with what is configured. Everywhere else a secret is
/// serialized redacted, so that no configuration is printed with its secrets by mistake.
pub(crate) fn exposed<T>(serialize: impl FnOnce() -> T) -> T {
    EXPOSED.set(true);
    let serialized = serialize();
    EXPOSED.set(false);
    serialized
}

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
    fn redacted(&self) -> &'static str {
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
    pub(crate) fn is_placeholder(&self) -> bool {
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

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if EXPOSED.get() { self.expose() } else { self.redacted() })
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
