//! The properties of a request by which it is authorized.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method};

use crate::path::Path;

/// The request to be authorized: the one that the edge received, or the one that another proxy asks about. Nothing in it is
/// trusted but `source` and `is_https`.
#[derive(Debug, Clone, Copy)]
pub struct RequestInfo<'a> {
    /// The method.
    pub method: &'a Method,
    /// Whether the client used TLS.
    pub is_https: bool,
    /// The host and perhaps the port, as the client named them.
    pub host: &'a str,
    /// The path.
    pub path: &'a Path<'a>,
    /// The query, without the `?`.
    pub query: Option<&'a str>,
    /// The client's headers.
    pub headers: &'a HeaderMap,
    /// The client's address, as far as trusted proxies forward it.
    pub source: Option<IpAddr>,
}

impl<'a> RequestInfo<'a> {
    /// The request that the edge itself received.
    pub fn received(parts: &'a Parts, host: &'a str, path: &'a Path<'a>, is_https: bool) -> Self {
        let (query, source) = (parts.uri.query(), source(parts));
        Self { method: &parts.method, is_https, host, path, query, headers: &parts.headers, source }
    }

    /// The path and query, as the client sent them.
    pub fn target(&self) -> String {
        match self.query {
            Some(query) => format!("{}?{query}", self.path.raw()),
            None => self.path.raw().to_owned(),
        }
    }

    /// The origin of the request's URL, as the client named it.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.is_https { "https" } else { "http" }, self.host)
    }

    /// Whether the request is for this host, in the form of [`canonical_host`].
    pub fn is_for(&self, canonical: &str) -> bool {
        canonical_host(self.host) == canonical
    }

    /// A header's value, if the header occurs once and is text.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        web::header::single(self.headers, name)
    }

    /// Whether it is a CORS preflight.
    pub fn is_preflight(&self) -> bool {
        is_preflight(self.method, self.headers)
    }
}

/// Whether a request with this method and these headers is a CORS preflight.
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) && headers.contains_key(ORIGIN)
}

/// The address of the client of a request that the edge received, as far as trusted proxies forward it.
pub fn source(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<authn::Peer>()?.source
}

/// The form in which hosts are compared: without port, in lower case, and without the trailing dot of a fully qualified name,
/// since `Host: admin.example.` reaches the same application as `Host: admin.example` (RFC 3986 3.2.2). An IPv6 address is in its
/// shortest form (RFC 5952).
pub fn canonical_host(host: &str) -> Cow<'_, str> {
    let name = host_name(host);
    let name = name.strip_suffix('.').unwrap_or(name);
    if let Some(address) = ipv6(name) {
        return Cow::Owned(format!("[{address}]"));
    }
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// A host without its port.
fn host_name(host: &str) -> &str {
    let end = if host.starts_with('[') { host.find(']').map(|at| at + 1) } else { host.find(':') };
    &host[..end.unwrap_or(host.len())]
}

fn ipv6(name: &str) -> Option<Ipv6Addr> {
    name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))?.parse().ok()
}

/// Whether a `Host` is a name or an address, and perhaps a port. Servers differ in how they read anything else, such as an empty
/// label (`admin.example..`).
pub fn is_host(host: &str) -> bool {
    let name = host_name(host);
    let port = &host[name.len()..];
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok();
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_number);
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let is_name = || name.strip_suffix('.').unwrap_or(name).split('.').all(is_label);
    host.len() <= 255 && is_port && (is_name() || ipv6(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Leniency;

    #[test]
    fn origin_has_the_scheme_and_host_that_the_client_used() {
        let path = Path::parse("/a", Leniency::default()).expect("a path");
        let (method, headers, query, source) = (&Method::POST, &HeaderMap::new(), Some("b"), None);
        let info = RequestInfo { method, is_https: true, host: "a.example:8443", path: &path, query, headers, source };
        assert_eq!(info.origin(), "https://a.example:8443");
        assert_eq!(RequestInfo { is_https: false, ..info }.origin(), "http://a.example:8443");
    }

    #[test]
    fn hosts_are_names_or_addresses() {
        for host in ["a", "cloud.example:443", "10.0.0.1:9200", "[::1]", "[::1]:9200", "a_b.example."] {
            assert!(is_host(host), "{host}");
        }
        for odd in [
            "", ":80", "a b", "a/b", "a@b", "a:b", "a:80:80", "[::1", "::1", "a,b", "a:99999", "a:+80", "ü", "a\\b",
            ".", "a..", ".a", "a..b", "[::1].",
        ] {
            assert!(!is_host(odd), "{odd}");
        }
    }

    #[test]
    fn hosts_compare_without_case_port_and_trailing_dot() {
        for same in ["admin.example", "Admin.EXAMPLE", "admin.example.", "ADMIN.example.:443", "admin.example:80"] {
            assert_eq!(canonical_host(same), "admin.example", "{same}");
        }
        for same in ["[::1]:9200", "[0:0::1]", "[0000:0000:0000:0000:0000:0000:0000:0001]"] {
            assert_eq!(canonical_host(same), "[::1]", "{same}");
        }
        assert_ne!(canonical_host("admin.example.org"), canonical_host("admin.example"));
    }
}
