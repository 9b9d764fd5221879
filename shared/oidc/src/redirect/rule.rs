use std::ops::RangeInclusive;

use super::loopback::is_loopback;
use super::uri::{Port, Uri, port_number};
use super::{Reason, Terms};

/// What one redirect URI stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    /// These bytes.
    Exact(String),
    /// With one of these ports.
    Ports { origin: String, ports: RangeInclusive<u16>, rest: String },
    /// With any port, or none.
    AnyPort { origin: String, rest: String },
}

impl Rule {
    /// The rules of one registration: several if a macro stands for several sites, none if it stands for none.
    pub(super) fn parse(registration: &str, terms: &Terms<'_>) -> Result<Vec<Self>, Reason> {
        terms.sites.expand(registration)?.iter().map(|uri| Self::of(uri, terms)).collect()
    }

    fn of(text: &str, terms: &Terms<'_>) -> Result<Self, Reason> {
        let uri = Uri::parse(text)?;
        if uri.is_plain_http() && !is_loopback(uri.host) && !is_excepted(text, terms) {
            return Err(Reason::Insecure);
        }
        let (origin, rest) = (uri.origin.to_owned(), uri.rest.to_owned());
        Ok(match uri.port {
            Port::Range(ports) => Self::Ports { origin, ports, rest },
            Port::None | Port::One if uri.is_plain_http() && terms.any_port.covers(uri.host) => {
                Self::AnyPort { origin, rest }
            }
            Port::None | Port::One => Self::Exact(text.to_owned()),
        })
    }

    pub(super) fn matches(&self, presented: &str) -> bool {
        match self {
            Self::Exact(uri) => presented == uri,
            Self::Ports { origin, ports, rest } => {
                between(presented, origin, rest).and_then(number_after_colon).is_some_and(|port| ports.contains(&port))
            }
            Self::AnyPort { origin, rest } => {
                let is_port = |text: &str| text.is_empty() || number_after_colon(text).is_some();
                // the same place written in two ways (RFC 3986 6.2.3), and clients write both
                let root = if rest.is_empty() { "/" } else { rest };
                [rest, root].into_iter().any(|rest| between(presented, origin, rest).is_some_and(is_port))
            }
        }
    }
}

/// Whether an insecure URI is one of those that are allowed all the same.
fn is_excepted(uri: &str, terms: &Terms<'_>) -> bool {
    terms.insecure.iter().filter_map(|one| terms.sites.expand(one).ok()).flatten().any(|one| one == uri)
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.strip_prefix(before)?.strip_suffix(after)
}

fn number_after_colon(text: &str) -> Option<u16> {
    port_number(text.strip_prefix(':')?)
}
