//! A request as every door sees it, before anything of it is believed.

use std::net::IpAddr;

use http::{HeaderMap, Method};

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
        let host = self.host;
        let end = if host.starts_with('[') { host.find(']').map(|at| at + 1) } else { host.find(':') };
        host[..end.unwrap_or(host.len())].to_ascii_lowercase()
    }

    /// A header's value, if it stands there once and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        if values.next().is_some() { None } else { value.to_str().ok() }
    }
}
