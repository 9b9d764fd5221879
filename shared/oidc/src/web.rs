//! An address of the web, as far as its origin and its path.

use crate::redirect::uri::{is_host, port_number};

/// An `http` or `https` URL in its parts.
pub(crate) struct WebUrl<'a> {
    /// `scheme://host[:port]` as browsers write it: in lower case, and without the port that the scheme implies.
    pub(crate) origin: String,
    /// The path, as it is written; at least `/`. Query and fragment are no part of it.
    pub(crate) path: &'a str,
}

impl<'a> WebUrl<'a> {
    /// `None` for other schemes, and for what could be read in two ways: user information, white space, a backslash.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let (scheme, implied) = match scheme.to_ascii_lowercase().as_str() {
            "https" => ("https", 443),
            "http" => ("http", 80),
            _ => return None,
        };
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        // the colons of an IPv6 address are all before its bracket
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port_number(port)?)),
            _ => (authority, None),
        };
        if !is_host(host) {
            return None;
        }
        let host = host.to_ascii_lowercase();
        let origin = match port.filter(|port| *port != implied) {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        };
        let path = rest.split(['?', '#']).next().filter(|path| !path.is_empty()).unwrap_or("/");
        Some(Self { origin, path })
    }
}
