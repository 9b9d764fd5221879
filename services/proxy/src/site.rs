//! The URL of the edge, and the pages to which a sign-in may return.

use oidc::redirect::same_origin_path;
use url::{Origin, Url};

use crate::request_info::RequestInfo;

/// The path below which the edge answers browsers itself.
pub(crate) const ROOT: &str = "/_doorward";
/// Begins a sign-in.
pub(crate) const LOGIN: &str = "/_doorward/login";
/// The redirect URI of the issuer.
pub(crate) const CALLBACK: &str = "/_doorward/callback";
/// Ends a session.
pub(crate) const LOGOUT: &str = "/_doorward/logout";
/// The folder of the files that the edge's pages load.
pub(crate) const STATIC: &str = "/_doorward/static";
/// Receives logout tokens.
pub(crate) const BACKCHANNEL_LOGOUT: &str = "/_doorward/backchannel_logout";
/// Where clients fetch the key that signs URLs, as OCS defines it.
pub(crate) const SIGNING_KEY: [&str; 2] = ["/ocs/v1.php/cloud/user/signing-key", "/ocs/v2.php/cloud/user/signing-key"];

/// The longest path and query to return to, in bytes: sealed with the longest host, it fits into the 4,096 bytes of a cookie.
const MAX_TARGET: usize = 2560;

/// The port on which no server speaks https.
const PLAIN_PORT: u16 = 80;

/// The edge as browsers see it, independent of the `Host` of a request.
pub struct Site {
    own: Url,
    domain: Option<String>,
    return_hosts: Vec<(String, u16)>,
}

impl Site {
    /// At this URL. Sessions are shared by the hosts of `cookie_domain`, unless it is empty, and a sign-in may also return to
    /// `return_hosts`.
    ///
    /// # Errors
    /// If the URL of the edge is invalid or has a path; the text completes "the URL ...".
    pub fn new(url: &str, cookie_domain: &str, return_hosts: &[String]) -> Result<Self, &'static str> {
        let own = Url::parse(url).map_err(|_| "must be like https://cloud.example.org")?;
        let is_bare = own.path() == "/" && own.query().is_none() && own.fragment().is_none();
        if !matches!(own.scheme(), "https" | "http") || !is_bare || !own.username().is_empty() {
            return Err("must be like https://cloud.example.org, without a path, where people sign in with a browser");
        }
        let domain = Some(cookie_domain.to_ascii_lowercase()).filter(|domain| !domain.is_empty());
        let host = own.host_str().unwrap_or_default();
        if domain.as_ref().is_some_and(|domain| !is_below(host, domain)) {
            return Err("must be in PROXY_SESSION_COOKIE_DOMAIN");
        }
        let hosts = return_hosts.iter().filter_map(|host| authority("https", host));
        Ok(Self { domain, return_hosts: hosts.collect(), own })
    }

    /// Whether browsers reach it by https.
    pub fn is_https(&self) -> bool {
        self.own.scheme() == "https"
    }

    /// The domain whose hosts share a session.
    pub fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }

    /// The origin, as browsers write it.
    pub fn origin(&self) -> String {
        self.own.origin().ascii_serialization()
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// The page to which a sign-in returns: of the own origin, of another port of the own host, which receives the same cookies (RFC 6265
    /// 8.5), or of a configured host. Anything else becomes the first page (RFC 9700 4.11). The result is an absolute URL, so that no
    /// path can be taken for a host.
    pub fn target(&self, wanted: &str) -> String {
        self.own_path(wanted).or_else(|| self.foreign(wanted)).unwrap_or_else(|| self.url("/"))
    }

    fn own_path(&self, wanted: &str) -> Option<String> {
        let path = same_origin_path(wanted).filter(|path| path.len() <= MAX_TARGET && !is_own(path))?;
        let url = self.own.join(path).ok()?;
        (url.origin() == self.own.origin() && !is_own(url.path())).then(|| url.into())
    }

    fn foreign(&self, wanted: &str) -> Option<String> {
        let scheme = if wanted.starts_with("http://") && !self.is_https() { "http" } else { "https" };
        let rest = wanted.strip_prefix(scheme)?.strip_prefix("://")?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        let (name, port) = authority(scheme, host)?;
        // The path has to meet the same conditions.
        let path = match path {
            "" => "/",
            path => same_origin_path(path).filter(|path| path.len() <= MAX_TARGET)?,
        };
        if Url::parse(wanted).is_ok_and(|url| url.origin() == self.own.origin()) {
            return self.own_path(path);
        }
        let is_named = scheme == "https" && self.return_hosts.iter().any(|(known, at)| *known == name && *at == port);
        let is_known = is_named || (scheme == self.own.scheme() && self.is_own_host(&name, port));
        let url = Url::parse(&format!("{scheme}://{host}{path}")).ok()?;
        (is_known && url.origin() == Origin::Tuple(scheme.to_owned(), url::Host::parse(&name).ok()?, port))
            .then(|| url.into())
    }

    /// Whether it is the own host, at any port.
    fn is_own_host(&self, name: &str, port: u16) -> bool {
        self.own.host_str() == Some(name) && !(self.is_https() && port == PLAIN_PORT)
    }

    /// The URL of the sign-in for a page; `None` for a page of a host that never receives the session cookie.
    pub fn login_for(&self, info: &RequestInfo<'_>) -> Option<String> {
        let own = (self.own.host_str()?.to_owned(), self.own.port_or_known_default()?);
        let scheme = self.own.scheme();
        let host = authority(scheme, info.host)?;
        let target = info.target();
        let wanted = if host == own {
            target
        } else if self.is_own_host(&host.0, host.1) {
            format!("{scheme}://{}{target}", info.host)
        } else {
            authority("https", info.host).filter(|host| self.return_hosts.contains(host))?;
            format!("https://{}{target}", info.host)
        };
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("rd", &wanted).finish();
        Some(self.url(&format!("{LOGIN}?{query}")))
    }
}

/// Whether a host is in a domain, or is itself one; none is in an empty one.
pub(crate) fn is_below(host: &str, domain: &str) -> bool {
    let rest = host.strip_suffix(domain);
    !domain.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether the edge answers browsers at a path itself.
fn is_own(path: &str) -> bool {
    path.strip_prefix(ROOT).is_some_and(|rest| rest.starts_with('/'))
}

/// The host and port of a URL with this scheme; `None` if the text is anything else.
fn authority(scheme: &str, host: &str) -> Option<(String, u16)> {
    if !crate::request_info::is_host(host) {
        return None;
    }
    let url = Url::parse(&format!("{scheme}://{host}")).ok()?;
    Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
}

#[cfg(test)]
mod tests;
