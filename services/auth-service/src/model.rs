//! Accounts that are stored in the database.

use std::net::IpAddr;
use std::time::SystemTime;

use uuid::Uuid;

use crate::secret::Verifier;

/// How many valid secrets an account has at most: one in use, and the one that takes its place.
pub const MAX_SECRETS: usize = 2;
/// The longest identifier, in characters.
const MAX_ID: usize = 64;
/// The longest display name, in characters.
const MAX_NAME: usize = 128;

/// A stored account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAccount {
    /// The identifier, by which it authenticates.
    pub id: String,
    /// What administrators call it.
    pub display_name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Whether it is refused.
    pub disabled: bool,
    /// When it ends.
    pub expires: Option<SystemTime>,
    /// When it was added.
    pub created: SystemTime,
    /// The identifier of the administrator who has added it.
    pub created_by: String,
    /// When it was last used.
    pub last_use: Option<LastUse>,
    /// Its secrets, the oldest first. Some may have ended.
    pub secrets: Vec<StoredSecret>,
}

impl StoredAccount {
    /// The secrets that have not ended.
    pub fn valid_secrets(&self, now: SystemTime) -> impl Iterator<Item = &StoredSecret> {
        self.secrets.iter().filter(move |secret| !secret.has_ended(now))
    }
}

/// A secret of a stored account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSecret {
    /// Its identifier: no secret.
    pub id: Uuid,
    /// What is stored of it.
    pub verifier: Verifier,
    /// When it was made.
    pub created: SystemTime,
    /// The identifier of the administrator who has made it.
    pub created_by: String,
    /// When it ends, if not only with the account.
    pub expires: Option<SystemTime>,
    /// When it was last used.
    pub last_used: Option<SystemTime>,
}

impl StoredSecret {
    /// Whether it is no longer valid.
    pub fn has_ended(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|end| now >= end)
    }
}

/// The last use of an account, roughly: not every use is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    /// When.
    pub at: SystemTime,
    /// From which address, if it is known.
    pub source: Option<IpAddr>,
    /// By which program, as it called itself.
    pub user_agent: String,
}

/// A use to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The account.
    pub account: String,
    /// The secret.
    pub secret: Uuid,
    /// When, whence and by what.
    pub last_use: LastUse,
}

/// Changes of an account; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// What administrators call it.
    pub display_name: Option<String>,
    /// What it may do.
    pub scopes: Option<Vec<String>>,
    /// Whether it is refused.
    pub disabled: Option<bool>,
    /// When it ends, or that it does not.
    pub expires: Option<Option<SystemTime>>,
}

/// Whether a text may be the identifier of a stored account: it needs no quotes on a command line and no encoding in a URL, and no two
/// look alike but for upper and lower case.
pub fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=MAX_ID).contains(&text.len())
        && text.bytes().all(|byte| is_plain(byte) || b"._-".contains(&byte))
        && text.bytes().next().is_some_and(is_plain)
}

/// Whether a text may be the display name of an account.
pub fn is_display_name(text: &str) -> bool {
    text.chars().count() <= MAX_NAME && !text.contains(char::is_control) && text.trim() == text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_short_and_plain() {
        let longest = "a".repeat(MAX_ID);
        for good in ["a", "0", "backup", "ci.deploy_2-a", "4c510ada-c86b-4815-8820-42cdf82c3d51", &longest] {
            assert!(is_id(good), "{good}");
        }
        let too_long = "a".repeat(MAX_ID + 1);
        for bad in ["", "-a", ".a", "_a", "Backup", "a b", "a/b", "ä", "a\n", "a:b", &too_long] {
            assert!(!is_id(bad), "{bad}");
        }
    }

    #[test]
    fn display_names_are_one_line() {
        assert!(is_display_name("") && is_display_name("Sicherung – nachts") && is_display_name(&"é".repeat(MAX_NAME)));
        assert!(!is_display_name("a\nb") && !is_display_name(" a") && !is_display_name(&"é".repeat(MAX_NAME + 1)));
    }
}
