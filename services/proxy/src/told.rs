//! What a backend behind another proxy is told of who asks: headers that applications know.

use http::{HeaderName, HeaderValue, StatusCode};
use token::Claims;

use crate::answer::Refusal;
use crate::identity::Identity;

/// How many bytes the groups may have in a header. With the internal token, and the 64 KiB of `proxy_buffer_size` in the documentation
/// of nginx, a proxy can still read the answer.
const MAX_GROUPS: usize = 32 * 1024;

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Token,
    Login,
    Name,
    Mail,
    Groups,
}

/// The headers that may be configured; their names are those of oauth2-proxy, Authelia and this family.
const KNOWN: [(&str, Told); 13] = [
    ("x-access-token", Told::Token),
    ("remote-user", Told::Login),
    ("remote-name", Told::Name),
    ("remote-email", Told::Mail),
    ("remote-groups", Told::Groups),
    ("x-auth-request-user", Told::Login),
    ("x-auth-request-email", Told::Mail),
    ("x-auth-request-groups", Told::Groups),
    ("x-auth-request-preferred-username", Told::Login),
    ("x-forwarded-user", Told::Login),
    ("x-forwarded-email", Told::Mail),
    ("x-forwarded-groups", Told::Groups),
    ("x-forwarded-preferred-username", Told::Login),
];

/// A name that is none of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is none of the headers that can be answered with: {}", names())]
pub struct UnknownHeader {
    name: String,
}

fn names() -> String {
    KNOWN.map(|(name, _)| name).join(", ")
}

/// The headers that are answered with.
#[derive(Debug, Clone)]
pub struct Answered(Vec<(HeaderName, Told)>);

impl Answered {
    /// These headers.
    ///
    /// # Errors
    /// [`UnknownHeader`] for the first that is none.
    pub fn parse(names: &[String]) -> Result<Self, UnknownHeader> {
        let one = |text: &String| {
            let known = KNOWN.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
            known
                .map(|(name, told)| (HeaderName::from_static(name), *told))
                .ok_or_else(|| UnknownHeader { name: text.clone() })
        };
        names.iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    /// The headers for a user, made once for each: a process answers with the same headers at all its doors. What is not known
    /// of a user is left out.
    ///
    /// # Errors
    /// Where the groups do not fit: an application would take a part of them, or none, for all.
    pub fn of<'a>(&self, identity: &'a Identity) -> Result<&'a [(HeaderName, HeaderValue)], Refusal> {
        let one = |(name, told): &(HeaderName, Told)| {
            let value = told.value(identity).transpose()?;
            Some(value.map(|value| (name.clone(), value)))
        };
        let told = identity.told.get_or_init(|| {
            let told = self.0.iter().filter_map(one).collect::<Result<_, Oversized>>();
            if told.is_err() {
                let user = &identity.claims.user;
                tracing::warn!(
                    subject = user.id.opaque_id,
                    groups = user.groups.len(),
                    "refused: the groups do not fit into a header of {MAX_GROUPS} bytes; remove the header with the groups from PROXY_VERIFY_HEADERS, or take the user out of groups"
                );
            }
            told
        });
        let oversized = || Refusal::new(StatusCode::FORBIDDEN, "the user's groups do not fit into a header\n");
        told.as_ref().map(AsRef::as_ref).map_err(|_| oversized())
    }
}

/// That the groups are too many for a header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Oversized;

impl Told {
    fn value(self, identity: &Identity) -> Result<Option<HeaderValue>, Oversized> {
        let Identity { token, claims: Claims { user, .. }, .. } = identity;
        let text = match self {
            Self::Token => return Ok(Some(token.clone())),
            Self::Login => user.username.clone(),
            Self::Name => user.display_name.clone(),
            Self::Mail => user.mail.clone(),
            Self::Groups if user.groups_size() > MAX_GROUPS => return Err(Oversized),
            // one with a comma would be two
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
    fn groups_that_do_not_fit_into_a_header_are_refused_and_never_cut() {
        let answered = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
            Answered::parse(&names).expect("they are known")
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
                groups_omitted: false,
            };
            Identity::new(HeaderValue::from_static("token"), claims)
        };
        let most = MAX_GROUPS / 8;
        let (fits, many) = (identity(most), identity(most + 1));
        let told = answered(&["Remote-User", "Remote-Groups"]).of(&fits).expect("they fit");
        assert_eq!(told[1].1.len(), most * 6 - 1, "all of them");
        assert_eq!(answered(&["Remote-Groups"]).of(&many).expect_err("they do not").status, StatusCode::FORBIDDEN);
        let without = answered(&["X-Access-Token", "Remote-User"]);
        assert_eq!(without.of(&identity(most + 1)).expect("no header has them").len(), 2);
    }

    #[test]
    fn unknown_headers_are_refused_with_the_known_ones() {
        let problem = Answered::parse(&["X-User".to_owned()]).expect_err("unknown").to_string();
        assert!(problem.contains("\"X-User\"") && problem.contains("remote-groups"), "{problem}");
        assert!(Answered::parse(&["X-Access-Token".to_owned(), "Remote-User".to_owned()]).is_ok());
    }

    #[test]
    fn every_answered_header_is_one_that_clients_cannot_set() {
        let filter = crate::headers::RequestFilter::new(&[], &[]).expect("a filter");
        for (name, _) in KNOWN {
            assert!(filter.is_identity(name), "{name}");
        }
    }
}
