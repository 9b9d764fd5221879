//! Where requests go.

use std::str::FromStr;
use std::time::Duration;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use serde::Deserialize;

use crate::headers::remove_spellings;
use crate::path::Path;
use crate::pattern::Pattern;

/// A route: which requests, to which backend, and how.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Route {
    /// What metrics and the access log call it.
    pub name: String,
    /// Which requests.
    pub pattern: Pattern,
    /// The backend.
    pub backend: Backend,
    /// Whether nobody is asked who it is; the backend does that itself.
    pub unprotected: bool,
    /// Whether the backend is a service of the family.
    pub of_family: bool,
    /// Whether the backend is sent the client's `Authorization` too, although the edge has verified it; `None` is not, and is not stated.
    pub keep_authorization: Option<bool>,
    /// Whether the backend is sent a valid internal token that the client brings. Services of the family call each other through
    /// the edge with the token of the user for whom they act.
    pub keeps_internal_token: bool,
    /// Whether the backend is spoken to in HTTP/2, which gRPC needs.
    pub http2: bool,
    /// What becomes of the path.
    pub rewrite: Rewrite,
    /// Whether paths with several readings are passed on; `None` decides by the path: only those of files are.
    pub paths: Option<PathKind>,
    /// The longest body of a request, in bytes.
    pub max_body: Option<u64>,
    /// How long nothing may happen before the answer begins.
    pub timeout: Duration,
    /// What becomes of the request's headers.
    pub request_headers: HeaderRules,
    /// What becomes of the answer's headers.
    pub response_headers: HeaderRules,
}

impl Route {
    /// The timeout unless another one is stated.
    pub const TIMEOUT: Duration = Duration::from_secs(30);

    /// Everything below a path, to a service of the family.
    pub fn family(path: &str, backend: Backend, unprotected: bool) -> Self {
        Self {
            name: path.to_owned(),
            pattern: Pattern { path: Some(crate::pattern::PathPattern::Prefix(path.to_owned())), ..Pattern::default() },
            backend,
            unprotected,
            of_family: true,
            keep_authorization: Some(unprotected),
            keeps_internal_token: false,
            http2: false,
            rewrite: Rewrite::default(),
            paths: Some(PathKind::Plain),
            max_body: None,
            timeout: Self::TIMEOUT,
            request_headers: HeaderRules::default(),
            response_headers: HeaderRules::default(),
        }
    }

    /// Whether the backend is sent the client's `Authorization`: it verifies that itself, or is to have it too.
    pub fn keeps_authorization(&self) -> bool {
        self.unprotected || self.keep_authorization == Some(true)
    }

    /// Whether a path with several readings, of which this is one, is passed on.
    pub fn is_opaque(&self, reading: &Path<'_>) -> bool {
        self.paths.map_or_else(|| is_file(reading.decoded()), |kind| kind == PathKind::Opaque)
    }

    /// The URI by which the backend is asked.
    ///
    /// # Errors
    /// When what was asked is no path of this route, or does not fit into a URI.
    pub fn uri(&self, asked: &PathAndQuery) -> Result<Uri, http::Error> {
        let Backend { scheme, authority, path } = &self.backend;
        let builder = Uri::builder().scheme(scheme.clone()).authority(authority.clone());
        if path.is_empty() && self.rewrite.is_none() {
            return builder.path_and_query(asked.clone()).build();
        }
        let rest = self.rewrite.apply(asked.path());
        let query = asked.query().map(|query| format!("?{query}")).unwrap_or_default();
        builder.path_and_query(format!("{path}{rest}{query}")).build()
    }
}

/// Below which paths the systems whose place the edge takes have files, whose names may hold anything.
pub(crate) const FILES: [&str; 3] = ["/dav/", "/remote.php/", "/webdav/"];

/// Whether a decoded path is that of a file there.
pub(crate) fn is_file(path: &str) -> bool {
    FILES.iter().any(|prefix| path.starts_with(prefix))
}

/// Which paths a route passes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PathKind {
    /// Those that every server reads in the same way.
    Plain,
    /// Also those with several readings, as they came, if each of them is permitted.
    Opaque,
}

/// What becomes of an internal token that a client brings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InternalToken {
    /// It is removed.
    #[default]
    Remove,
    /// A valid one is passed on; any other is removed.
    Verify,
}

/// Where a backend is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    scheme: Scheme,
    authority: Authority,
    /// Without a `/` at its end.
    path: String,
}

/// A text that names no backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be like http://host:port or https://host:port/path")]
pub struct NoBackend;

impl FromStr for Backend {
    type Err = NoBackend;

    fn from_str(text: &str) -> Result<Self, NoBackend> {
        let uri: Uri = text.parse().map_err(|_| NoBackend)?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(NoBackend) };
        let path = parts.path_and_query.ok_or(NoBackend)?;
        let is_web = scheme == Scheme::HTTP || scheme == Scheme::HTTPS;
        if !is_web || path.query().is_some() || authority.as_str().contains('@') {
            return Err(NoBackend);
        }
        Ok(Self { scheme, authority, path: path.path().trim_end_matches('/').to_owned() })
    }
}

/// What becomes of a path.
#[derive(Debug, Clone, Default)]
pub struct Rewrite {
    /// What is taken from its beginning, where it stands as whole segments.
    pub strip: String,
    /// What is put before the rest.
    pub prepend: String,
}

impl Rewrite {
    fn is_none(&self) -> bool {
        self.strip.is_empty() && self.prepend.is_empty()
    }

    fn apply(&self, path: &str) -> String {
        let rest = path.strip_prefix(self.strip.as_str()).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let rest = rest.unwrap_or(path);
        let rest = if rest.is_empty() && self.prepend.is_empty() { "/" } else { rest };
        format!("{}{rest}", self.prepend)
    }
}

/// What becomes of headers.
#[derive(Debug, Clone, Default)]
pub struct HeaderRules {
    /// Set to these values.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Taken out.
    pub remove: Vec<HeaderName>,
}

impl HeaderRules {
    /// Applies them, to every spelling of a name that a server may take for the same.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for name in self.remove.iter().chain(self.set.iter().map(|(name, _)| name)) {
            remove_spellings(headers, name);
        }
        for (name, value) in &self.set {
            headers.insert(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_rewritten_by_whole_segments() {
        let rewrite = |strip: &str, prepend: &str, path| {
            Rewrite { strip: strip.to_owned(), prepend: prepend.to_owned() }.apply(path)
        };
        assert_eq!(rewrite("", "", "/a/"), "/a/");
        assert_eq!(rewrite("/dav", "", "/dav/a"), "/a");
        assert_eq!(rewrite("/dav", "", "/dav"), "/");
        assert_eq!(rewrite("/dav", "", "/david"), "/david");
        assert_eq!(rewrite("/dav", "/x", "/dav"), "/x");
        assert_eq!(rewrite("", "/x", "/a%20b"), "/x/a%20b");
    }

    #[test]
    fn header_rules_act_on_every_spelling() {
        let named = |name: &'static str| HeaderName::from_static(name);
        let rules = HeaderRules {
            set: vec![(named("x-tenant"), HeaderValue::from_static("a"))],
            remove: vec![named("x-old-name")],
        };
        let mut headers = HeaderMap::new();
        for name in ["x-tenant", "x_tenant", "x.tenant", "x-old-name", "x_old_name", "x~old~name", "x-older-name"] {
            headers.append(named(name), HeaderValue::from_static("forged"));
        }
        rules.apply(&mut headers);
        let left: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(left, [("x-older-name", &b"forged"[..]), ("x-tenant", b"a")]);
    }

    #[test]
    fn backends_are_urls() {
        for odd in ["", "a", "/a", "ftp://a", "http://", "http://u:p@a", "http://a?b", "127.0.0.1:1"] {
            assert_eq!(odd.parse::<Backend>(), Err(NoBackend), "{odd}");
        }
        assert!("http://[::1]:9110/base/".parse::<Backend>().is_ok_and(|backend| backend.path == "/base"));
    }
}
