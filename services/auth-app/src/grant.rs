//! What a token may do, in words (`user`) and as CS3 scopes. What is not known is refused, and nothing is never all.

use std::fmt;
use std::str::FromStr;

use authn::{Role, Scopes};

/// The most grants of one token.
pub const MAX_GRANTS: usize = 32;

/// One thing that a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    /// Everything that its owner may; in words `user`.
    User,
}

/// Why grants are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// There are none: a token that may do nothing is a mistake.
    #[error("a token needs a scope, like user")]
    Missing,
    /// There are more than [`MAX_GRANTS`].
    #[error("a token has at most {MAX_GRANTS} scopes")]
    TooMany,
    /// It is not one that this service knows.
    #[error("there is no scope {}; there is: user", shown(.0))]
    Unknown(String),
    /// The caller may not do it.
    #[error("the scope asked for exceeds the caller's own")]
    TooWide,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User => f.write_str("user"),
        }
    }
}

impl FromStr for Grant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        match text {
            "user" => Ok(Self::User),
            other => Err(GrantError::Unknown(other.to_owned())),
        }
    }
}

/// Reads a token's grants; duplicates become one.
pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<Grant>, GrantError> {
    normalised(texts.into_iter().take(MAX_GRANTS + 1).map(Grant::from_str).collect::<Result<_, _>>()?)
}

/// The grants that CS3 scopes ask for.
pub fn from_cs3(scopes: &Scopes) -> Result<Vec<Grant>, GrantError> {
    if scopes.0.len() > MAX_GRANTS {
        return Err(GrantError::TooMany);
    }
    // `user` is everything whatever its resource says, so less than an owner's role cannot be promised with it
    let one = |(key, scope): (&String, &authn::Scope)| match Grant::from_str(key) {
        Ok(Grant::User) if scope.role != Role::Owner => Err(GrantError::Unknown(format!("{key} without role owner"))),
        known => known,
    };
    normalised(scopes.0.iter().map(one).collect::<Result<_, _>>()?)
}

/// The CS3 scopes that grants stand for.
pub fn to_cs3(grants: &[Grant]) -> Scopes {
    let scopes = grants.iter().flat_map(|grant| match grant {
        Grant::User => Scopes::full_user().0,
    });
    Scopes(scopes.collect())
}

/// Whether somebody with these scopes may pass the grants on.
pub fn check_within(grants: &[Grant], own: &Scopes) -> Result<(), GrantError> {
    let allowed = |grant: &Grant| match grant {
        Grant::User => own.is_full_user(),
    };
    if grants.iter().all(allowed) { Ok(()) } else { Err(GrantError::TooWide) }
}

fn normalised(mut grants: Vec<Grant>) -> Result<Vec<Grant>, GrantError> {
    grants.sort_unstable();
    grants.dedup();
    match grants.len() {
        0 => Err(GrantError::Missing),
        count if count > MAX_GRANTS => Err(GrantError::TooMany),
        _ => Ok(grants),
    }
}

/// The beginning of a foreign text, in quotes and with control characters escaped.
fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(64).collect::<String>())
}

#[cfg(test)]
mod tests {
    use authn::{OpaqueEntry, Scope};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a13_scopes_are_parsed_strictly() {
        assert_eq!(parse(["user"]), Ok(vec![Grant::User]));
        assert_eq!(parse(["user", "user"]), Ok(vec![Grant::User]), "duplicates become one");
        assert_eq!(parse([]), Err(GrantError::Missing), "empty is not all");
        for wrong in ["", "node:*:rw", "node:x:rwx", "User", " user", "user ", "user,user", "*"] {
            assert_eq!(parse([wrong]), Err(GrantError::Unknown(wrong.to_owned())), "{wrong:?}");
        }
        assert!(!GrantError::Unknown("a\nb".repeat(100)).to_string().contains('\n'), "one line of the log");
    }

    #[test]
    fn a13_the_same_holds_for_cs3_scopes() {
        assert_eq!(from_cs3(&Scopes::full_user()), Ok(vec![Grant::User]));
        assert_eq!(from_cs3(&Scopes::default()), Err(GrantError::Missing));
        let scope = |role| Scope { resource: OpaqueEntry::json(r#"{"path":"/"}"#), role };
        let of = |key: &str, role| Scopes([(key.to_owned(), scope(role))].into());
        assert!(matches!(from_cs3(&of("publicshare:1", Role::Owner)), Err(GrantError::Unknown(_))));
        for role in [Role::Invalid, Role::Viewer, Role::Editor] {
            assert!(matches!(from_cs3(&of("user", role)), Err(GrantError::Unknown(_))), "{role:?}");
        }
        let many = (0..=MAX_GRANTS).map(|number| (format!("user{number}"), scope(Role::Owner))).collect();
        assert_eq!(from_cs3(&Scopes(many)), Err(GrantError::TooMany));
    }

    #[test]
    fn nobody_passes_on_more_than_the_own_scope() {
        assert_eq!(check_within(&[Grant::User], &Scopes::full_user()), Ok(()));
        assert_eq!(check_within(&[Grant::User], &Scopes::default()), Err(GrantError::TooWide));
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_written_as_it_was(text in ".{0,40}") {
            if let Ok(grant) = text.parse::<Grant>() {
                prop_assert_eq!(grant.to_string(), text);
            }
        }
    }
}
