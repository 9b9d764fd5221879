//! A request as every door sees it, before anything of it is believed.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, Method};

use crate::path::Path;

/// What is asked, of what, by whom. The reverse proxy makes it of the request itself, the other doors of what the proxy
/// before them tells.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The method.
    pub method: &'a Method,
    /// Whether the client came by TLS.
    pub is_https: bool,
    /// The host and perhaps the port, as the client named them.
    pub host: &'a str,
    /// The path.
    pub path: &'a Path<'a>,
    /// The query, without the `?`.
    pub query: Option<&'a str>,
    /// The headers, the client's own ones among them.
    pub headers: &'a HeaderMap,
    /// Where the client is, as far as proxies that are trusted have told.
    pub source: Option<IpAddr>,
}

impl Asked<'_> {
    /// The path and query, as the client sent them.
    pub fn target(&self) -> String {
        match self.query {
            Some(query) => format!("{}?{query}", self.path.raw()),
            None => self.path.raw().to_owned(),
        }
    }

    /// The host without the port, in lower case.
    pub fn host_name(&self) -> String {
        host_name(self.host).to_ascii_lowercase()
    }

    /// A header's value, if it stands there once and is text.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        single(self.headers, name)
    }
}

/// A host without its port.
pub fn host_name(host: &str) -> &str {
    let end = if host.starts_with('[') { host.find(']').map(|at| at + 1) } else { host.find(':') };
    &host[..end.unwrap_or(host.len())]
}

/// A header's value, if it stands there once and is text.
pub fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

/// Whether a host is one: a name or an address, and perhaps a port. Anything else would be read differently by somebody.
pub fn is_host(host: &str) -> bool {
    let name = host_name(host);
    let port = &host[name.len()..];
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(|digits| digits.parse::<u16>().is_ok());
    let is_address = || {
        let inner = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        inner.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())
    };
    let is_name = || name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    host.len() <= 255 && !name.is_empty() && is_port && (is_name() || is_address())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_addresses() {
        for host in ["a", "cloud.example:443", "10.0.0.1:9200", "[::1]", "[::1]:9200", "a_b.example."] {
            assert!(is_host(host), "{host}");
        }
        for odd in ["", ":80", "a b", "a/b", "a@b", "a:b", "a:80:80", "[::1", "::1", "a,b", "a:99999", "ü", "a\\b"] {
            assert!(!is_host(odd), "{odd}");
        }
        assert_eq!((host_name("A:1"), host_name("[::1]:1"), host_name("a")), ("A", "[::1]", "a"));
    }
}
