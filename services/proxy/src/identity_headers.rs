//! The headers in which applications behind another proxy receive the user.

use http::{HeaderName, HeaderValue, StatusCode};
use token::Claims;

use crate::identity::{GroupsTooLarge, Identity, Link};
use crate::refusal::Refusal;

/// The longest list of groups in a header, in bytes. With it and the internal token, a response fits into the `proxy_buffer_size`
/// of 64 KiB that `docs/nginx.md` sets.
const MAX_GROUPS: usize = 32 * 1024;

/// The attribute of the user that a header holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UserAttribute {
    Token,
    Login,
    Name,
    Mail,
    Groups,
}

/// The supported headers, as oauth2-proxy, Authelia and Doorward name them.
const SUPPORTED: [(&str, UserAttribute); 13] = [
    ("x-access-token", UserAttribute::Token),
    ("remote-user", UserAttribute::Login),
    ("remote-name", UserAttribute::Name),
    ("remote-email", UserAttribute::Mail),
    ("remote-groups", UserAttribute::Groups),
    ("x-auth-request-user", UserAttribute::Login),
    ("x-auth-request-email", UserAttribute::Mail),
    ("x-auth-request-groups", UserAttribute::Groups),
    ("x-auth-request-preferred-username", UserAttribute::Login),
    ("x-forwarded-user", UserAttribute::Login),
    ("x-forwarded-email", UserAttribute::Mail),
    ("x-forwarded-groups", UserAttribute::Groups),
    ("x-forwarded-preferred-username", UserAttribute::Login),
];

/// The name of an unsupported header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a supported header; use one of {}", names())]
pub struct UnknownHeader {
    name: String,
}

fn names() -> String {
    SUPPORTED.map(|(name, _)| name).join(", ")
}

/// The headers of a positive response to a proxy.
#[derive(Debug, Clone)]
pub struct IdentityHeaders(Vec<(HeaderName, UserAttribute)>);

impl IdentityHeaders {
    /// The headers with these names.
    ///
    /// # Errors
    /// [`UnknownHeader`] for the first unsupported one.
    pub fn parse(names: &[String]) -> Result<Self, UnknownHeader> {
        let one = |text: &String| {
            let supported = SUPPORTED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
            supported
                .map(|(name, attribute)| (HeaderName::from_static(name), *attribute))
                .ok_or_else(|| UnknownHeader { name: text.clone() })
        };
        names.iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    /// The headers for a user, built once: they are the same at all entrypoints. An attribute that the user lacks has no header.
    ///
    /// # Errors
    /// If the groups do not fit: an application would take a part of them, or none, for all.
    pub fn of<'a>(&self, identity: &'a Identity) -> Result<&'a [(HeaderName, HeaderValue)], Refusal> {
        let one = |(name, attribute): &(HeaderName, UserAttribute)| {
            let value = attribute.of(identity).transpose()?;
            Some(value.map(|value| (name.clone(), value)))
        };
        let headers = identity.headers.get_or_init(|| {
            let headers = self.0.iter().filter_map(one).collect::<Result<_, GroupsTooLarge>>();
            if headers.is_err() {
                let user = &identity.claims.user;
                tracing::warn!(
                    subject = user.id.opaque_id,
                    groups = user.groups.len(),
                    "refused: the groups do not fit into a header of {MAX_GROUPS} bytes; remove the header with the groups from PROXY_VERIFY_HEADERS, or take the user out of groups"
                );
            }
            headers
        });
        let too_large = || Refusal::new(StatusCode::FORBIDDEN, "the user's groups do not fit into a header\n");
        headers.as_ref().map(AsRef::as_ref).map_err(|_| too_large())
    }
}

impl UserAttribute {
    fn of(self, identity: &Identity) -> Result<Option<HeaderValue>, GroupsTooLarge> {
        let Identity { token, claims: Claims { user, .. }, .. } = identity;
        let text = match self {
            Self::Token => return Ok(Some(token.clone())),
            // the user is the owner of what the link shares, and not who has sent the request
            _ if identity.link == Some(Link::Public) => return Ok(None),
            Self::Login => user.username.clone(),
            Self::Name => user.display_name.clone(),
            Self::Mail => user.mail.clone(),
            Self::Groups if user.groups_size() > MAX_GROUPS => return Err(GroupsTooLarge),
            // A comma separates groups, so that one with a comma would become two.
            Self::Groups => user
                .groups
                .iter()
                .filter(|group| !group.contains(','))
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(","),
        };
        Ok(if text.is_empty() { None } else { HeaderValue::from_bytes(text.as_bytes()).ok() })
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use authn::{Scopes, User};

    use super::*;

    #[test]
    fn groups_too_large_for_a_header_are_refused() {
        let answered = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
            IdentityHeaders::parse(&names).expect("they are supported")
        };
        let identity = |groups: usize| {
            let groups = (0..groups).map(|number| format!("{number:05}")).collect();
            let claims = Claims {
                user: User { username: "einstein".to_owned(), groups, ..User::default() },
                scopes: Scopes::full_user(),
                issuer: String::new(),
                issued_at: SystemTime::UNIX_EPOCH,
                expires_at: SystemTime::UNIX_EPOCH,
                jti: None,
                amr: Vec::new(),
                actor: None,
                sid: None,
                groups_omitted: false,
            };
            Identity::new(HeaderValue::from_static("token"), claims)
        };
        let most = MAX_GROUPS / 8;
        let (fits, many) = (identity(most), identity(most + 1));
        let headers = answered(&["Remote-User", "Remote-Groups"]).of(&fits).expect("they fit");
        assert_eq!(headers[1].1.len(), most * 6 - 1, "all of them");
        assert_eq!(answered(&["Remote-Groups"]).of(&many).expect_err("they do not").status, StatusCode::FORBIDDEN);
        let without = answered(&["X-Access-Token", "Remote-User"]);
        assert_eq!(without.of(&identity(most + 1)).expect("no header has them").len(), 2);
        let link = Identity { link: Some(Link::Public), ..identity(1) };
        let headers = answered(&["X-Access-Token", "Remote-User", "Remote-Groups"]);
        assert_eq!(headers.of(&link).expect("they fit").len(), 1, "the owner of a link has not sent the request");
    }

    #[test]
    fn unknown_header_is_refused_and_the_supported_ones_are_named() {
        let problem = IdentityHeaders::parse(&["X-User".to_owned()]).expect_err("unknown").to_string();
        assert!(problem.contains("\"X-User\"") && problem.contains("remote-groups"), "{problem}");
        assert!(IdentityHeaders::parse(&["X-Access-Token".to_owned(), "Remote-User".to_owned()]).is_ok());
    }

    #[test]
    fn clients_cannot_set_any_identity_header() {
        let filter = crate::headers::RequestFilter::new(&[], &[]).expect("a filter");
        for (name, _) in SUPPORTED {
            assert!(filter.is_identity(name), "{name}");
        }
    }
}
