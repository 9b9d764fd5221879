//! A protected resource of its own at a route, as the routes file describes it.

use oidc::scope::Scopes;
use serde::Deserialize;

use crate::pattern::{PathPattern, Pattern};

/// A resource of its own, as the routes file describes it at a route.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteResource {
    /// Its name, which clients may show to users; `None` for that of the installation.
    pub(crate) name: Option<String>,
    /// The scopes that clients should ask for; `None` for those of the edge.
    pub(crate) scopes: Option<Vec<String>>,
    /// Whose access tokens count.
    #[serde(default)]
    pub(crate) audience: Audience,
}

/// Whether an access token has to be issued for a resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Audience {
    /// Its `aud` has to hold the URL of the resource (RFC 8707 2).
    #[default]
    Required,
    /// It need not be.
    Any,
}

impl RouteResource {
    /// Checks whether a route with this pattern can have it.
    ///
    /// # Errors
    /// The problem, as a text for the operator.
    pub(crate) fn check(&self, pattern: &Pattern, unprotected: bool) -> Result<(), String> {
        if unprotected {
            return Err("protected_resource and unprotected exclude each other".to_owned());
        }
        let path = match &pattern.path {
            None => "",
            Some(PathPattern::Prefix(path)) => path.as_str(),
            Some(_) => {
                return Err("protected_resource needs a path in place of a regex".to_owned());
            }
        };
        // in the URL of the resource and in a quoted string, it stands as it is
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:@!$&()*+,=".contains(&byte);
        if !path.bytes().all(is_plain) {
            return Err(format!(
                "protected_resource: its URL cannot hold the path {path:?}; use letters, digits and -._~"
            ));
        }
        let scopes = Scopes::of(self.scopes.iter().flatten().map(String::as_str));
        scopes.map(drop).map_err(|problem| format!("protected_resource: scopes: {problem}"))
    }
}
