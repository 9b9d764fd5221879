//! Scopes: what a client asks for, in words (RFC 6749 3.3).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::error::ErrorCode;

#[cfg(test)]
mod tests;

/// The most tokens of one set.
pub const MAX_TOKENS: usize = 64;
/// The longest text of one set, in bytes.
pub const MAX_BYTES: usize = 1024;

/// Asks for an ID token: without it, it is OAuth and no OpenID Connect (Core 3.1.2.1).
pub const OPENID: &str = "openid";
/// Asks for the claims about a person's name and looks (Core 5.4).
pub const PROFILE: &str = "profile";
/// Asks for the e-mail address (Core 5.4).
pub const EMAIL: &str = "email";
/// Asks for the postal address (Core 5.4).
pub const ADDRESS: &str = "address";
/// Asks for the telephone number (Core 5.4).
pub const PHONE: &str = "phone";
/// Asks for a refresh token (Core 11).
pub const OFFLINE_ACCESS: &str = "offline_access";
/// What the clients of Cells write for [`OFFLINE_ACCESS`].
pub const OFFLINE: &str = "offline";
/// What the clients of Cells send along; it grants nothing of its own.
pub const PYDIO: &str = "pydio";

/// The claims that a scope asks for (OpenID Connect Core 5.4); none for a scope that is not one of the standard's.
pub fn claims(scope: &str) -> &'static [&'static str] {
    match scope {
        OPENID => &["sub"],
        PROFILE => &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
        EMAIL => &["email", "email_verified"],
        ADDRESS => &["address"],
        PHONE => &["phone_number", "phone_number_verified"],
        _ => &[],
    }
}

/// Why a scope is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// There are more than [`MAX_TOKENS`], or more than [`MAX_BYTES`] bytes.
    #[error("a scope has at most {MAX_TOKENS} tokens and {MAX_BYTES} bytes")]
    TooLong,
    /// It does not have the form of RFC 6749 3.3.
    #[error("a scope is a list of tokens of visible ASCII characters with spaces between them")]
    Malformed,
}

impl ScopeError {
    /// The code that answers it.
    pub const fn code(self) -> ErrorCode {
        ErrorCode::InvalidScope
    }
}

/// A set of scope tokens. It is written in alphabetical order, so that equal sets are equal texts.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scopes(BTreeSet<String>);

impl Scopes {
    /// The set of these tokens; repeated ones become one.
    ///
    /// # Errors
    /// [`ScopeError`] for a token that is none, or for too many.
    pub fn of<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopeError> {
        let mut set = Self::default();
        let mut bytes = 0;
        for token in tokens {
            if token.len() > MAX_BYTES {
                return Err(ScopeError::TooLong);
            }
            if !is_token(token) {
                return Err(ScopeError::Malformed);
            }
            if set.0.insert(token.to_owned()) {
                bytes += token.len() + usize::from(bytes > 0);
            }
            if set.0.len() > MAX_TOKENS || bytes > MAX_BYTES {
                return Err(ScopeError::TooLong);
            }
        }
        Ok(set)
    }

    /// Whether it has no token.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the token is one of them.
    pub fn contains(&self, token: &str) -> bool {
        self.0.contains(token)
    }

    /// Whether all of it is in the other: what a refresh or an exchange may ask for (RFC 6749 6).
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// Both together.
    ///
    /// # Errors
    /// [`ScopeError::TooLong`].
    pub fn union(&self, other: &Self) -> Result<Self, ScopeError> {
        Self::of(self.iter().chain(other.iter()))
    }

    /// The tokens, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether it asks for an ID token.
    pub fn asks_openid(&self) -> bool {
        self.contains(OPENID)
    }

    /// Whether it asks for a refresh token: in the standard's word or in that of Cells.
    pub fn asks_offline(&self) -> bool {
        self.contains(OFFLINE_ACCESS) || self.contains(OFFLINE)
    }

    /// The claims of all standard scopes among them.
    pub fn claims(&self) -> impl Iterator<Item = &'static str> {
        self.iter().flat_map(claims).copied()
    }
}

/// `scope-token` of RFC 6749 3.3: visible ASCII without the quotation mark and the backslash.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, token) in self.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { " " })?;
            f.write_str(token)?;
        }
        Ok(())
    }
}

impl FromStr for Scopes {
    type Err = ScopeError;

    /// Reads the parameter `scope`; the empty text is the empty set. Further blanks at its ends and between tokens, which
    /// clients leave there, are no tokens.
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        if text.len() > MAX_BYTES {
            return Err(ScopeError::TooLong);
        }
        Self::of(text.split(' ').filter(|token| !token.is_empty()))
    }
}
