//! Routes to backends.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use serde::Deserialize;

use crate::headers::remove_spellings;
use crate::path::{Path, below};
use crate::pattern::Pattern;
use crate::route_resource::RouteResource;
use crate::transactions::TransactionRoute;

/// A route: the requests that it matches, its backend, and how it forwards them.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Route {
    /// Its name in metrics and the access log.
    pub name: String,
    /// The requests that it matches.
    pub pattern: Pattern,
    /// The backend.
    pub backend: Backend,
    /// Whether requests pass without a credential, because the backend authenticates clients itself.
    pub unprotected: bool,
    /// The resource of its own that is there; `None` if it belongs to that of its host.
    pub protected_resource: Option<RouteResource>,
    /// Whether it is built in, so that its backend is a service of Doorward.
    pub is_builtin: bool,
    /// Whether the client's `Authorization` is forwarded although the edge has verified it; `None` means that the setting is absent,
    /// and the header is not forwarded.
    pub keep_authorization: Option<bool>,
    /// Whether a valid internal token of the client is forwarded. Services of an OpenCloud call each other through the edge with the
    /// token of the user for whom they act.
    pub keeps_internal_token: bool,
    /// What it does about transaction tokens; `None` where its backend gets none.
    pub transaction_token: Option<TransactionRoute>,
    /// Whether the backend speaks HTTP/2, which gRPC needs.
    pub http2: bool,
    /// How the path changes.
    pub rewrite: Rewrite,
    /// Whether ambiguous paths are forwarded; `None` means those of files only.
    pub paths: Option<PathKind>,
    /// The longest request body, in bytes.
    pub max_body: Option<u64>,
    /// The longest time without progress until the response begins.
    pub timeout: Duration,
    /// Changes to the request's headers.
    pub request_headers: HeaderRules,
    /// Changes to the response's headers.
    pub response_headers: HeaderRules,
    /// The header in which the backend reads the identifier of the verified user.
    pub user_header: Option<HeaderName>,
    /// The headers in which any backend reads it. They are removed from the client's request in every spelling, on every route: a
    /// backend may be reached by several routes (`docs/security-requirements.md#e45`).
    pub user_headers: Arc<[HeaderName]>,
    /// Whether the backend gets no internal token: neither that of the verified user, nor a valid one of the client.
    pub skips_access_token: bool,
}

impl Route {
    /// The default timeout.
    pub const TIMEOUT: Duration = Duration::from_secs(30);

    /// The built-in route for a path and what is below it.
    pub fn builtin(path: &str, backend: Backend, unprotected: bool) -> Self {
        Self {
            name: path.to_owned(),
            pattern: Pattern { path: Some(crate::pattern::PathPattern::Prefix(path.to_owned())), ..Pattern::default() },
            backend,
            unprotected,
            protected_resource: None,
            is_builtin: true,
            keep_authorization: Some(unprotected),
            keeps_internal_token: false,
            transaction_token: None,
            http2: false,
            rewrite: Rewrite::default(),
            paths: Some(PathKind::Plain),
            max_body: None,
            timeout: Self::TIMEOUT,
            request_headers: HeaderRules::default(),
            response_headers: HeaderRules::default(),
            user_header: None,
            user_headers: Arc::default(),
            skips_access_token: false,
        }
    }

    /// Whether the client's `Authorization` is forwarded.
    pub fn keeps_authorization(&self) -> bool {
        self.unprotected || self.keep_authorization == Some(true)
    }

    /// Whether an ambiguous path, of which this is one reading, is forwarded.
    pub fn is_opaque(&self, reading: &Path<'_>) -> bool {
        self.paths.map_or_else(|| is_file(reading.decoded()), |kind| kind == PathKind::Opaque)
    }

    /// The URI of the request to the backend.
    ///
    /// # Errors
    /// If the rewritten path is not valid in a URI.
    pub fn uri(&self, target: &PathAndQuery) -> Result<Uri, http::Error> {
        let Backend { scheme, authority, path } = &self.backend;
        let builder = Uri::builder().scheme(scheme.clone()).authority(authority.clone());
        if path.is_empty() && self.rewrite.is_none() {
            return builder.path_and_query(target.clone()).build();
        }
        let rest = self.rewrite.apply(target.path());
        let query = target.query().map(|query| format!("?{query}")).unwrap_or_default();
        builder.path_and_query(format!("{path}{rest}{query}")).build()
    }
}

/// The paths below which oCIS and OpenCloud serve files, whose names may hold any character.
pub(crate) const FILES: [&str; 3] = ["/dav/", "/remote.php/", "/webdav/"];

/// Whether a decoded path is that of a file.
pub(crate) fn is_file(path: &str) -> bool {
    FILES.iter().any(|prefix| path.starts_with(prefix))
}

/// The paths that a route forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PathKind {
    /// Unambiguous ones, which every server reads in the same way.
    Plain,
    /// Also ambiguous ones, unchanged, if every reading is permitted.
    Opaque,
}

/// What happens to an internal token that a client sends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InternalToken {
    /// It is removed.
    #[default]
    Remove,
    /// A valid one is forwarded; any other is removed.
    Verify,
}

/// The address of a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    scheme: Scheme,
    authority: Authority,
    /// Without trailing `/`.
    path: String,
}

impl Backend {
    /// The host and perhaps the port.
    pub fn authority(&self) -> &str {
        self.authority.as_str()
    }
}

/// The text is not the URL of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be like http://host:port or https://host:port/path")]
pub struct InvalidBackend;

impl FromStr for Backend {
    type Err = InvalidBackend;

    fn from_str(text: &str) -> Result<Self, InvalidBackend> {
        let uri: Uri = text.parse().map_err(|_| InvalidBackend)?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(InvalidBackend) };
        let path = parts.path_and_query.ok_or(InvalidBackend)?;
        let is_web = scheme == Scheme::HTTP || scheme == Scheme::HTTPS;
        if !is_web || path.query().is_some() || authority.as_str().contains('@') {
            return Err(InvalidBackend);
        }
        Ok(Self { scheme, authority, path: path.path().trim_end_matches('/').to_owned() })
    }
}

/// How a path changes.
#[derive(Debug, Clone, Default)]
pub struct Rewrite {
    /// The prefix that is removed, by whole segments.
    pub strip: String,
    /// The prefix that is added.
    pub prepend: String,
}

impl Rewrite {
    fn is_none(&self) -> bool {
        self.strip.is_empty() && self.prepend.is_empty()
    }

    fn apply(&self, path: &str) -> String {
        let rest = below(path, &self.strip).unwrap_or(path);
        let rest = if rest.is_empty() && self.prepend.is_empty() { "/" } else { rest };
        format!("{}{rest}", self.prepend)
    }
}

/// Changes to headers.
#[derive(Debug, Clone, Default)]
pub struct HeaderRules {
    /// Headers that are set.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Headers that are removed.
    pub remove: Vec<HeaderName>,
}

impl HeaderRules {
    /// Applies them to every spelling that a server may take for the same name.
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
            assert_eq!(odd.parse::<Backend>(), Err(InvalidBackend), "{odd}");
        }
        assert!("http://[::1]:9110/base/".parse::<Backend>().is_ok_and(|backend| backend.path == "/base"));
    }
}
