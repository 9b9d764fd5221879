//! What a backend behind another proxy is told of who asks: headers that applications know.

use http::{HeaderName, HeaderValue};
use token::Claims;

use crate::identity::Identity;

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

    /// The headers for somebody, made once for each: a process answers with the same headers at all its doors. What is not known
    /// of a person, or would not fit into a header, is left out.
    pub fn of<'a>(&self, identity: &'a Identity) -> &'a [(HeaderName, HeaderValue)] {
        let one = |(name, told): &(HeaderName, Told)| told.value(identity).map(|value| (name.clone(), value));
        identity.told.get_or_init(|| self.0.iter().filter_map(one).collect())
    }
}

impl Told {
    fn value(self, identity: &Identity) -> Option<HeaderValue> {
        let Identity { token, claims: Claims { user, .. }, .. } = identity;
        let text = match self {
            Self::Token => return Some(token.clone()),
            Self::Login => user.username.clone(),
            Self::Name => user.display_name.clone(),
            Self::Mail => user.mail.clone(),
            // one with a comma would be two
            Self::Groups => user
                .groups
                .iter()
                .filter(|group| !group.contains(','))
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(","),
        };
        if text.is_empty() { None } else { HeaderValue::from_bytes(text.as_bytes()).ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
