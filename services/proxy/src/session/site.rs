//! The edge's own address, and where a sign-in may begin and return to.

use oidc::redirect::same_origin_path;
use url::{Origin, Url};

use crate::asked::Asked;
use crate::config::{Session, is_below};

/// Below which path the edge answers browsers itself.
pub(crate) const PREFIX: &str = "/_doorward/";
/// Where a sign-in begins.
pub(super) const LOGIN: &str = "/_doorward/login";
/// Where the issuer sends the browser back to.
pub(super) const CALLBACK: &str = "/_doorward/callback";
/// Where a session is ended.
pub(super) const LOGOUT: &str = "/_doorward/logout";
/// Where the issuer tells of sign-outs.
pub(super) const BACKCHANNEL_LOGOUT: &str = "/_doorward/backchannel_logout";

/// The longest path and query to return to, in bytes: sealed together with the longest host it fits into a cookie of 4,096 bytes,
/// which is what browsers keep.
const MAX_TARGET: usize = 2560;

/// Where nothing speaks https.
const PLAIN_PORT: u16 = 80;

/// The edge as browsers know it. The `Host` of a request has no part in it.
pub struct Site {
    own: Url,
    domain: Option<String>,
    return_hosts: Vec<(String, u16)>,
}

impl Site {
    /// What the settings say.
    ///
    /// # Errors
    /// When the URL of the edge is none, or has a path; the text completes "the URL ...".
    pub fn new(url: &str, settings: &Session) -> Result<Self, &'static str> {
        let own = Url::parse(url).map_err(|_| "must be like https://cloud.example.org")?;
        let is_bare = own.path() == "/" && own.query().is_none() && own.fragment().is_none();
        if !matches!(own.scheme(), "https" | "http") || !is_bare || !own.username().is_empty() {
            return Err("must be like https://cloud.example.org, without a path, where people sign in with a browser");
        }
        let domain = Some(settings.cookie_domain.to_ascii_lowercase()).filter(|domain| !domain.is_empty());
        let host = own.host_str().unwrap_or_default();
        if domain.as_ref().is_some_and(|domain| !is_below(host, domain)) {
            return Err("must be in PROXY_SESSION_COOKIE_DOMAIN");
        }
        let hosts = settings.return_hosts.iter().filter_map(|host| authority("https", host));
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

    /// The own origin, as browsers write it.
    pub fn origin(&self) -> String {
        self.own.origin().ascii_serialization()
    }

    /// The URL of an own path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// Where a sign-in returns to: a path of the own origin, a page at another port of the own host, which is sent the session like
    /// the own one (RFC 6265 8.5), or a page of a host that was named. Anything else is the own first page (RFC 9700 4.11). The
    /// result is always a whole URL, so that no path can be taken for a host.
    pub fn target(&self, wanted: &str) -> String {
        self.own_path(wanted).or_else(|| self.foreign(wanted)).unwrap_or_else(|| self.url("/"))
    }

    fn own_path(&self, wanted: &str) -> Option<String> {
        let path = same_origin_path(wanted).filter(|path| path.len() <= MAX_TARGET && !path.starts_with(PREFIX))?;
        let url = self.own.join(path).ok()?;
        (url.origin() == self.own.origin() && !url.path().starts_with(PREFIX)).then(|| url.into())
    }

    fn foreign(&self, wanted: &str) -> Option<String> {
        let scheme = if wanted.starts_with("http://") && !self.is_https() { "http" } else { "https" };
        let rest = wanted.strip_prefix(scheme)?.strip_prefix("://")?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        let (name, port) = authority(scheme, host)?;
        // the path is held to what is demanded of an own one
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

    /// Whether it is the own host, at whatever port.
    fn is_own_host(&self, name: &str, port: u16) -> bool {
        self.own.host_str() == Some(name) && !(self.is_https() && port == PLAIN_PORT)
    }

    /// Where a browser that goes to this page signs in; `None` for a page of a host that is never sent the session.
    pub fn login_for(&self, asked: &Asked<'_>) -> Option<String> {
        let own = (self.own.host_str()?.to_owned(), self.own.port_or_known_default()?);
        let scheme = self.own.scheme();
        let host = authority(scheme, asked.host)?;
        let target = asked.target();
        let wanted = if host == own {
            target
        } else if self.is_own_host(&host.0, host.1) {
            format!("{scheme}://{}{target}", asked.host)
        } else {
            authority("https", asked.host).filter(|host| self.return_hosts.contains(host))?;
            format!("https://{}{target}", asked.host)
        };
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("rd", &wanted).finish();
        Some(self.url(&format!("{LOGIN}?{query}")))
    }
}

/// A host and its port, as URLs of this scheme have them. What is not only these is none.
fn authority(scheme: &str, host: &str) -> Option<(String, u16)> {
    if !crate::asked::is_host(host) {
        return None;
    }
    let url = Url::parse(&format!("{scheme}://{host}")).ok()?;
    Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
}

#[cfg(test)]
mod tests;
