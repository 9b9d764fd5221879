//! What a credential may do, as text: the scopes of app tokens and personal access tokens.
//!
//! | scope | grants |
//! |---|---|
//! | `user` | everything that its owner may |
//! | `node:UUID:PERM` | a file, or a folder with what is in it |
//! | `path:/PREFIX:PERM` | everything at or below a path |
//! | `tokens:read`, `tokens:write` | seeing, or administering, the owner's app tokens |
//! | `profile` | reading who the owner is |
//!
//! `PERM` is `r`, `w` or `rw`. What is not known is refused, and nothing is never all.

mod cs3;
mod permission;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

pub use permission::Permission;

use crate::Scopes;

/// The most grants of one credential.
pub const MAX_GRANTS: usize = 32;
/// The longest path of a grant, in bytes.
const MAX_PATH: usize = 1024;

/// One thing that a credential may do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grant {
    /// Everything that its owner may.
    User,
    /// A node of the tree, and what is below it.
    Node {
        /// Its UUID, in lower case.
        id: String,
        /// What may be done there.
        permission: Permission,
    },
    /// A path of the tree, and what is below it.
    Path {
        /// Absolute and normal, without a `/` at its end unless it is the root, and without the characters that some server takes for
        /// the end of a name (`;`, `\`, `%`, `?`, `#`): it can be read in one way only.
        prefix: String,
        /// What may be done there.
        permission: Permission,
    },
    /// The owner's app tokens: seen with [`Permission::Read`], administered with [`Permission::ReadWrite`].
    Tokens(Permission),
    /// Who the owner is.
    Profile,
}

/// Why grants are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// There are none: a credential that may do nothing is a mistake.
    #[error("a token needs a scope, like user")]
    Missing,
    /// There are more than [`MAX_GRANTS`].
    #[error("a token has at most {MAX_GRANTS} scopes")]
    TooMany,
    /// It is not one that is known.
    #[error(
        "there is no scope {}; there are: user, node:UUID:PERM and path:/PREFIX:PERM with PERM one of r, w and rw, tokens:read, tokens:write, profile",
        shown(.0)
    )]
    Unknown(String),
    /// The caller may not do it.
    #[error("the scope asked for exceeds the caller's own")]
    TooWide,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User => f.write_str("user"),
            Self::Node { id, permission } => write!(f, "node:{id}:{permission}"),
            Self::Path { prefix, permission } => write!(f, "path:{prefix}:{permission}"),
            Self::Tokens(permission) => f.write_str(if permission.writes() { "tokens:write" } else { "tokens:read" }),
            Self::Profile => f.write_str("profile"),
        }
    }
}

impl FromStr for Grant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        let read = match text {
            "user" => Some(Self::User),
            "profile" => Some(Self::Profile),
            "tokens:read" => Some(Self::Tokens(Permission::Read)),
            "tokens:write" => Some(Self::Tokens(Permission::ReadWrite)),
            other => tree(other),
        };
        read.ok_or_else(|| GrantError::Unknown(text.to_owned()))
    }
}

/// Whether a token of an OAuth scope asks for the API of the family. `profile` does not: every client of OpenID Connect asks for it.
pub fn is_api_scope(token: &str) -> bool {
    token == "user" || ["node:", "path:", "tokens:"].iter().any(|kind| token.starts_with(kind))
}

/// Reads `node:UUID:PERM` and `path:/PREFIX:PERM`. A path may hold colons, so the last one divides.
fn tree(text: &str) -> Option<Grant> {
    let (resource, permission) = text.rsplit_once(':')?;
    resource_of(resource, permission.parse().ok()?)
}

/// The grant for `node:UUID` or `path:/PREFIX`.
fn resource_of(resource: &str, permission: Permission) -> Option<Grant> {
    match resource.split_once(':')? {
        ("node", id) => node_id(id).map(|id| Grant::Node { id, permission }),
        ("path", prefix) => path_prefix(prefix).map(|prefix| Grant::Path { prefix, permission }),
        _ => None,
    }
}

/// A UUID with its hyphens, in lower case: as one text it is one node.
fn node_id(text: &str) -> Option<String> {
    let is_hyphenated = text.len() == 36;
    uuid::Uuid::try_parse(text).ok().filter(|_| is_hyphenated).map(|id| id.hyphenated().to_string())
}

fn path_prefix(text: &str) -> Option<String> {
    let odd = |c: char| matches!(c, '\\' | '%' | '?' | '#' | ';');
    let normal = without_slash(text);
    (text.len() <= MAX_PATH && is_normal(normal) && !normal.contains(odd)).then(|| normal.to_owned())
}

/// A path without the `/` at its end, unless it is the root.
fn without_slash(path: &str) -> &str {
    if path == "/" { path } else { path.strip_suffix('/').filter(|rest| *rest != "/").unwrap_or(path) }
}

/// Whether a path is absolute, without control characters, empty segments, and segments that some server takes for `.` or `..`.
fn is_normal(path: &str) -> bool {
    let is_dotted = |segment: &str| {
        let name = segment.split(';').next().unwrap_or_default();
        matches!(&*name.to_ascii_lowercase().replace("%2e", "."), "." | "..")
    };
    match path.strip_prefix('/') {
        Some("") => true,
        Some(rest) => {
            let mut segments = rest.split('/');
            !rest.contains(char::is_control) && segments.all(|segment| !segment.is_empty() && !is_dotted(segment))
        }
        None => false,
    }
}

/// Whether a normal path is this prefix or below it: `/photos` is not above `/photos-of-others`.
fn is_below(path: &str, prefix: &str) -> bool {
    prefix == "/" || path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What a credential may do: never nothing, sorted, each resource once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants(Vec<Grant>);

impl Grants {
    /// Everything that the owner may.
    pub fn user() -> Self {
        Self(vec![Grant::User])
    }

    /// Parses grants; duplicates become one.
    ///
    /// # Errors
    /// [`GrantError::Unknown`] for the first that is none, [`GrantError::Missing`] or [`GrantError::TooMany`].
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, GrantError> {
        Self::normal(texts.into_iter().take(MAX_GRANTS + 1).map(Grant::from_str).collect::<Result<_, _>>()?)
    }

    /// The grants among the tokens of an OAuth scope (RFC 6749 3.3); `None` if no token [requests the
    /// API](is_api_scope). `profile` has an effect only together with a token that does.
    ///
    /// # Errors
    /// [`GrantError::Unknown`] if tokens ask for the API and none of them is a grant, and [`GrantError::TooMany`].
    pub fn of_oauth_scope<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Result<Option<Self>, GrantError> {
        let (api, others): (Vec<_>, Vec<_>) = tokens.into_iter().partition(|token| is_api_scope(token));
        let Some(first) = api.first() else { return Ok(None) };
        // what is not known grants nothing
        let grants: Vec<_> = api.iter().filter_map(|token| token.parse().ok()).collect();
        if grants.is_empty() {
            return Err(GrantError::Unknown((*first).to_owned()));
        }
        let profile = others.contains(&"profile").then_some(Grant::Profile);
        Self::normal(grants.into_iter().chain(profile).collect()).map(Some)
    }

    /// The grants, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.0.iter()
    }

    /// The grants as text, in order.
    pub fn words(&self) -> Vec<String> {
        self.0.iter().map(Grant::to_string).collect()
    }

    /// Whether a caller with these scopes may pass the grants on: it cannot pass on a grant that it does not have.
    ///
    /// # Errors
    /// [`GrantError::TooWide`].
    pub fn check_within(&self, own: &Scopes) -> Result<(), GrantError> {
        let within = own.is_full_user() || {
            let own = own.grants();
            self.0.iter().all(|grant| own.iter().any(|one| one.covers(grant)))
        };
        if within { Ok(()) } else { Err(GrantError::TooWide) }
    }

    fn normal(mut grants: Vec<Grant>) -> Result<Self, GrantError> {
        if grants.len() > MAX_GRANTS {
            return Err(GrantError::TooMany);
        }
        grants.sort_unstable();
        grants.dedup_by(|later, kept| kept.absorb(later));
        if grants.is_empty() { Err(GrantError::Missing) } else { Ok(Self(grants)) }
    }
}

impl Grant {
    /// Becomes this grant and another one of the same resource, if the other is one.
    fn absorb(&mut self, other: &Self) -> bool {
        match (self, other) {
            (Self::Node { id, permission }, Self::Node { id: same, permission: more }) if id == same => {
                *permission = permission.with(*more);
                true
            }
            (Self::Path { prefix, permission }, Self::Path { prefix: same, permission: more }) if prefix == same => {
                *permission = permission.with(*more);
                true
            }
            (Self::Tokens(permission), Self::Tokens(more)) => {
                *permission = permission.with(*more);
                true
            }
            (one, other) => one == other,
        }
    }

    /// Whether this grant gives all that the other does.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Node { id, permission }, Self::Node { id: same, permission: less }) => {
                id == same && permission.covers(*less)
            }
            (Self::Path { prefix, permission }, Self::Path { prefix: below, permission: less }) => {
                is_below(below, prefix) && permission.covers(*less)
            }
            (Self::Tokens(permission), Self::Tokens(less)) => permission.covers(*less),
            (one, other) => one == other,
        }
    }
}

/// What a request is about, for the question whether its credential reaches so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access<'a> {
    /// Reading or writing in the tree of files.
    Tree {
        /// Whether it only reads.
        permission: Permission,
        /// The node it is about, if the resource server says so.
        node: Option<&'a str>,
        /// The folders that hold that node, as the resource server states them; no other source is trusted.
        ancestors: &'a [&'a str],
        /// The path it is about, if there is one, decoded once. Its names may hold any character but control characters. If servers could
        /// read the path differently, the caller asks about each reading, as a prefix of one need not be a prefix of the others.
        path: Option<&'a str>,
    },
    /// Seeing or administering the owner's app tokens.
    Tokens(Permission),
    /// Reading who the owner is.
    Profile,
    /// Anything else: the account, administration, a search for people.
    Other,
}

impl Scopes {
    /// Whether a credential with these scopes may do this, as far as the credential goes; what its owner may is another
    /// question. A scope that is not known here grants nothing.
    pub fn allow(&self, access: &Access<'_>) -> bool {
        self.is_full_user() || self.grants().iter().any(|grant| grant.allows(access))
    }

    /// Whether a scope `tokens:...` is among them and reaches so far. Full access says nothing of it: an app token with
    /// full access must not bring forth others.
    pub fn grants_tokens(&self, wanted: Permission) -> bool {
        self.grants().iter().any(|grant| matches!(grant, Grant::Tokens(permission) if permission.covers(wanted)))
    }
}

impl Grant {
    fn allows(&self, access: &Access<'_>) -> bool {
        match (self, access) {
            (Self::User, _) | (Self::Profile, Access::Profile) => true,
            (Self::Node { id, permission }, Access::Tree { permission: wanted, node, ancestors, .. }) => {
                let mut nodes = node.iter().chain(*ancestors);
                permission.covers(*wanted) && nodes.any(|node| node.eq_ignore_ascii_case(id))
            }
            (Self::Path { prefix, permission }, Access::Tree { permission: wanted, path: Some(path), .. }) => {
                let path = without_slash(path);
                permission.covers(*wanted) && is_normal(path) && is_below(path, prefix)
            }
            (Self::Tokens(permission), Access::Tokens(wanted)) => permission.covers(*wanted),
            _ => false,
        }
    }
}

/// The beginning of a foreign text, in quotes and with control characters escaped.
fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(64).collect::<String>())
}
