//! Headers that no backend receives from a client: those that identify users or claim an address, and those of one connection.

mod names;
mod pattern;

use http::header::{CONNECTION, HOST, HeaderMap, HeaderName};

pub use names::{EXEMPT, LISTED};
pub use pattern::NoName;
use pattern::Patterns;
pub(crate) use pattern::is_same_name;

/// The header that carries the internal token to backends.
pub const ACCESS_TOKEN: HeaderName = HeaderName::from_static("x-access-token");

/// The headers that the edge sets on forwarded requests.
const SET_BY_EDGE: [&str; 7] = [
    "X-Access-Token",
    "X-Multi-Factor-Authentication",
    "Txn-Token",
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
];

/// The headers in which proxies forward a client's address, in addition to those of [`LISTED`].
const FORWARDING: [&str; 3] = ["Forwarded", "X-Forwarded", "X-Forwarded-*"];

/// Hop-by-hop headers, which are not forwarded (RFC 9110 7.6.1).
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

/// Removes headers that clients must not send to a backend (`docs/security-requirements.md#e1`, `#e2`).
#[derive(Debug, Clone)]
pub struct RequestFilter {
    identity: Patterns,
    forwarding: Patterns,
    hop_by_hop: Patterns,
    except: Patterns,
}

/// The configured names are invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A name to remove is invalid.
    #[error(transparent)]
    More(NoName),
    /// An exception is invalid.
    #[error(transparent)]
    Except(NoName),
    /// An exception would let clients set what the edge sets.
    #[error("must not hold {0}, which the edge sets itself")]
    Reserved(String),
}

impl RequestFilter {
    /// Removes the [`LISTED`] names and `more`, except for `except`. Each is a name or a family, as in the list.
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

    /// Whether a backend may read from this header the user, the address of the client, or the target of the request.
    pub fn is_identity(&self, name: &str) -> bool {
        self.identity.any_fits(name) && !self.except.any_fits(name)
    }

    /// Removes these headers, in every spelling and number, and those of the connection from the headers or trailers of a request.
    pub fn strip(&self, headers: &mut HeaderMap) {
        strip_named(headers);
        remove(headers, |name| {
            self.hop_by_hop.any_fits(name)
                || ((self.identity.any_fits(name) || self.forwarding.any_fits(name)) && !self.except.any_fits(name))
        });
    }
}

/// Whether routes must not change this request header, because the edge sets it last, or it belongs to the connection.
pub fn is_reserved(name: &str) -> bool {
    let reserved = SET_BY_EDGE.iter().chain(&HOP_BY_HOP).chain(&["content-length"]);
    reserved.into_iter().any(|other| is_same_name(name, other))
}

/// Removes a header in every spelling that a server may take for it.
pub fn remove_spellings(headers: &mut HeaderMap, name: &HeaderName) {
    remove(headers, |other| is_same_name(other, name.as_str()));
}

/// Removes hop-by-hop headers, and those that `Connection` names, except `Host`.
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
