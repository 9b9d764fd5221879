//! A request as every door sees it, before anything of it is believed.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

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

    /// Whether the request is for this host, which [`canonical_host`] has made.
    pub fn is_for(&self, canonical: &str) -> bool {
        canonical_host(self.host) == canonical
    }

    /// A header's value, if it stands there once and is text.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        single(self.headers, name)
    }
}

/// A host as hosts are compared everywhere: without its port, in lower case, and without the dot behind a fully qualified name,
/// as `Host: admin.example.` reaches the same application as `Host: admin.example` (RFC 3986 3.2.2). An IPv6 address is in its
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

/// A header's value, if it stands there once and is text.
pub fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

/// Whether a host is one: a name or an address, and perhaps a port. Servers differ in how they read anything else, an empty label
/// among it (`admin.example..`).
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
