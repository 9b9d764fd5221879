//! Headers that are not the client's to send to a backend, and those that belong to one connection.

mod names;
mod pattern;

use http::header::{CONNECTION, HOST, HeaderMap, HeaderName};

pub use names::{EXEMPT, LISTED};
pub use pattern::NoName;
use pattern::{Patterns, is_same_name};

/// The header that carries the internal token to backends.
pub const ACCESS_TOKEN: HeaderName = HeaderName::from_static("x-access-token");

/// What the edge itself says of each request that it passes on.
const SET_BY_EDGE: [&str; 6] = [
    "X-Access-Token",
    "X-Multi-Factor-Authentication",
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
];

/// By which proxies say where a request comes from, beside those of [`LISTED`].
const FORWARDING: [&str; 3] = ["Forwarded", "X-Forwarded", "X-Forwarded-*"];

/// Headers of one connection, which are not passed on (RFC 9110 7.6.1).
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Which headers of a client no backend is sent (rows E1, E2).
#[derive(Debug, Clone)]
pub struct RequestFilter {
    identity: Patterns,
    forwarding: Patterns,
    hop_by_hop: Patterns,
    except: Patterns,
}

/// Names that cannot be configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A name to take out is none.
    #[error(transparent)]
    More(NoName),
    /// An exception is none.
    #[error(transparent)]
    Except(NoName),
    /// An exception would let clients write what the edge says.
    #[error("must not hold {0}, which the edge sets itself")]
    Reserved(String),
}

impl RequestFilter {
    /// Takes out what is [`LISTED`] and these names more, but for these exceptions. Each is a name or a family, as in the list.
    ///
    /// # Errors
    /// [`FilterError`].
    pub fn new(more: &[String], except: &[String]) -> Result<Self, FilterError> {
        let listed = LISTED.into_iter().chain(more.iter().map(String::as_str));
        let filter = Self {
            identity: Patterns::parse(listed).map_err(FilterError::More)?,
            forwarding: Patterns::parse(FORWARDING).map_err(FilterError::More)?,
            hop_by_hop: Patterns::parse(HOP_BY_HOP).map_err(FilterError::More)?,
            except: Patterns::parse(EXEMPT.into_iter().chain(except.iter().map(String::as_str)))
                .map_err(FilterError::Except)?,
        };
        match SET_BY_EDGE.iter().find(|name| filter.except.any_fits(name)) {
            Some(name) => Err(FilterError::Reserved((*name).to_owned())),
            None => Ok(filter),
        }
    }

    /// Whether a backend may take this header for a statement about the user, about where the request comes from, or about what it
    /// asks for.
    pub fn is_identity(&self, name: &str) -> bool {
        self.identity.any_fits(name) && !self.except.any_fits(name)
    }

    /// Takes out of the headers or trailers of a client's request what is not the client's to say, whatever its spelling and however often it stands there,
    /// and what belongs to the client's connection.
    pub fn strip(&self, headers: &mut HeaderMap) {
        strip_named(headers);
        remove(headers, |name| {
            self.hop_by_hop.any_fits(name)
                || ((self.identity.any_fits(name) || self.forwarding.any_fits(name)) && !self.except.any_fits(name))
        });
    }
}

/// Whether a route may not change this header of a request: the edge sets it last, or it belongs to the connection.
pub fn is_reserved(name: &str) -> bool {
    let reserved = SET_BY_EDGE.iter().chain(&HOP_BY_HOP).chain(&["content-length"]);
    reserved.into_iter().any(|other| is_same_name(name, other))
}

/// Takes a header out in every spelling that a server may take for it.
pub fn remove_spellings(headers: &mut HeaderMap, name: &HeaderName) {
    remove(headers, |other| is_same_name(other, name.as_str()));
}

/// Takes out what belongs to one connection only: hop-by-hop headers, and those that `Connection` names. `Host` cannot be named
/// away.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    strip_named(headers);
    remove(headers, |name| HOP_BY_HOP.contains(&name));
}

fn strip_named(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .filter(|name| *name != HOST)
        .collect();
    for name in named {
        headers.remove(name);
    }
}

fn remove(headers: &mut HeaderMap, unwanted: impl Fn(&str) -> bool) {
    let names: Vec<_> = headers.keys().filter(|name| unwanted(name.as_str())).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests;
