//! Cookies (RFC 6265): names, the `Set-Cookie` header, and the cookies of a request.

use std::time::Duration;

use axum::response::Response;
use cookie::Cookie;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

/// The prefix of a cookie that only the host that set it receives.
const HOST_PREFIX: &str = "__Host-";
/// The prefix of a cookie that is sent by https only.
const SECURE_PREFIX: &str = "__Secure-";

/// How long a browser keeps a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Until the browser is closed.
    BrowserSession,
    /// For this time, also if the browser is closed.
    For(Duration),
    /// Not at all: the browser deletes it.
    Expired,
}

/// With which requests from pages of other sites a browser sends a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// Only when it goes to a page by a link.
    Lax,
    /// With all of them. Browsers require https.
    None,
}

/// The name with the prefix by which browsers enforce the attributes (RFC 6265bis 4.1.3): `__Host-`, or `__Secure-` if a domain
/// shares the cookie. Without https there is none, since browsers refuse both.
pub fn prefixed(name: &str, is_https: bool, domain: Option<&str>) -> String {
    let prefix = match (is_https, domain) {
        (false, _) => "",
        (true, None) => HOST_PREFIX,
        (true, Some(_)) => SECURE_PREFIX,
    };
    format!("{prefix}{name}")
}

/// The name without such a prefix.
pub fn without_prefix(name: &[u8]) -> &[u8] {
    let prefixes = [HOST_PREFIX, SECURE_PREFIX];
    prefixes.iter().find_map(|prefix| name.strip_prefix(prefix.as_bytes())).unwrap_or(name)
}

/// A `Set-Cookie` header for all paths. It is not printed, as it holds a secret.
#[must_use]
pub struct SetCookie(Cookie<'static>);

impl SetCookie {
    /// A cookie with this name and value, which are visible ASCII.
    pub fn new(name: &str, value: &str, lifetime: Lifetime) -> Self {
        let mut cookie = Cookie::new(name.to_owned(), value.to_owned());
        cookie.set_path("/");
        cookie.set_max_age(match lifetime {
            Lifetime::BrowserSession => None,
            Lifetime::For(time) => Some(cookie::time::Duration::try_from(time).unwrap_or(cookie::time::Duration::MAX)),
            Lifetime::Expired => Some(cookie::time::Duration::ZERO),
        });
        Self(cookie)
    }

    /// Sent by https only, on a site that has it.
    pub fn secure(mut self, is_https: bool) -> Self {
        self.0.set_secure(is_https);
        self
    }

    /// Unreadable for scripts.
    pub fn http_only(mut self) -> Self {
        self.0.set_http_only(true);
        self
    }

    /// With which requests from other sites it is sent.
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.0.set_same_site(match same_site {
            SameSite::Lax => cookie::SameSite::Lax,
            SameSite::None => cookie::SameSite::None,
        });
        self
    }

    /// Sent to all hosts of this domain, if there is one.
    pub fn domain(mut self, domain: Option<&str>) -> Self {
        if let Some(domain) = domain {
            self.0.set_domain(domain.to_owned());
        }
        self
    }

    /// The header's value, which is not printed either. Empty, so that browsers ignore it, if the cookie is not visible ASCII.
    pub fn into_header(self) -> HeaderValue {
        let mut value = HeaderValue::from_str(&self.0.to_string()).unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
}

/// The cookies of a request, in order.
pub fn all(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookies = lines.flat_map(Cookie::split_parse).filter_map(Result::ok);
    cookies.filter_map(|cookie| Some((cookie.name_raw()?, cookie.value_raw()?)))
}

/// The value of the cookie with this name; `None` if there are two, since either could be another site's.
pub fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = all(headers).filter(|(other, _)| *other == name).map(|(_, value)| value);
    values.next().filter(|_| values.next().is_none())
}

/// Adds `Set-Cookie` headers to a response.
pub fn with_cookies(mut response: Response, cookies: impl IntoIterator<Item = HeaderValue>) -> Response {
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_follows_from_https_and_domain() {
        let domain = Some("example.org");
        let all = [(true, None), (true, domain), (false, None), (false, domain)];
        let names = all.map(|(is_https, domain)| prefixed("a", is_https, domain));
        assert_eq!(names, ["__Host-a", "__Secure-a", "a", "a"]);
        assert!(names.iter().all(|name| without_prefix(name.as_bytes()) == b"a"));
    }

    #[test]
    fn attributes_are_those_of_the_calls() {
        let minute = Lifetime::For(Duration::from_mins(1));
        let cookie =
            SetCookie::new("a", "b", minute).same_site(SameSite::None).secure(true).domain(Some("example.org"));
        assert_eq!(cookie.into_header(), "a=b; SameSite=None; Secure; Path=/; Domain=example.org; Max-Age=60");
        let cookie = SetCookie::new("a", "", Lifetime::Expired).secure(false).http_only().domain(None);
        assert_eq!(cookie.into_header(), "a=; HttpOnly; Path=/; Max-Age=0");
    }

    #[test]
    fn value_that_is_no_header_sets_no_cookie() {
        assert_eq!(SetCookie::new("a", "b\r\nx: y", Lifetime::BrowserSession).into_header(), "");
    }

    #[test]
    fn a_cookie_that_comes_twice_is_none() {
        let headers = |lines: &[&'static str]| -> HeaderMap {
            lines.iter().map(|line| (COOKIE, HeaderValue::from_static(line))).collect()
        };
        assert_eq!(one(&headers(&["a=1; b=2", "c=3"]), "b"), Some("2"));
        assert_eq!(one(&headers(&["a=1; b=2", "c=3"]), "c"), Some("3"));
        assert_eq!(one(&headers(&["a=1; a=2"]), "a"), None);
        assert_eq!(one(&headers(&["a=1", "a=1"]), "a"), None);
        assert_eq!(one(&headers(&["aa=1"]), "a"), None);
        let twice = headers(&["doorward=a; b=c", "doorward=d"]);
        assert_eq!((one(&twice, "doorward"), one(&twice, "b"), one(&twice, "x")), (None, Some("c"), None));
    }
}
