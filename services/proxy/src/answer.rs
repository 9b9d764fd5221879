//! What a refused client is told.

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::asked::{Asked, is_host};
use crate::path::PathError;
use crate::verdict::{Refused, Verdict};

const REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");
/// Where nginx and `HAProxy` find the address of the sign-in.
const LOGIN: HeaderName = HeaderName::from_static("x-doorward-login");
/// What `WebDAV` clients of these systems read of a refusal.
const DAV_ERROR: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<d:error xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\">\
<s:exception>Sabre\\DAV\\Exception\\NotAuthenticated</s:exception><s:message>Authentication error</s:message></d:error>\n";

/// The ways to prove who one is that clients are told of (RFC 9110 11.6.1).
#[derive(Debug, Clone, Copy)]
pub struct Challenges {
    /// RFC 7617.
    pub basic: bool,
    /// RFC 6750.
    pub bearer: bool,
}

/// An answer that is none of a backend's, whichever door gives it.
#[derive(Debug)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The text.
    pub body: &'static str,
}

impl Refusal {
    /// An answer of a status and a text.
    pub fn new(status: StatusCode, body: &'static str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Self { status, headers, body }
    }

    /// Sends a browser on to where somebody signs in.
    pub fn redirect(to: &str) -> Self {
        let mut refusal = Self::new(StatusCode::FOUND, "authentication is required\n");
        if let Ok(to) = HeaderValue::from_str(to) {
            refusal.headers.insert(LOCATION, to);
        }
        refusal
    }

    /// The same for a proxy that takes 302 for a failure: it finds the address in a header of its own.
    #[must_use]
    pub fn without_redirect(mut self) -> Self {
        if let Some(to) = self.headers.remove(LOCATION) {
            self.status = StatusCode::UNAUTHORIZED;
            self.headers.insert(LOGIN, to);
        }
        self
    }

    /// For a request that could not be read.
    pub fn malformed(error: PathError) -> Self {
        match error {
            PathError::TooLong => Self::new(StatusCode::URI_TOO_LONG, "the path is too long\n"),
            PathError::Ambiguous => Self::new(StatusCode::BAD_REQUEST, "the path is ambiguous\n"),
        }
    }

    /// For a verdict; `None` if it lets pass.
    pub fn of(verdict: &Verdict, asked: &Asked<'_>, challenges: Challenges) -> Option<Self> {
        Some(match verdict {
            Verdict::Allowed(_) => return None,
            Verdict::Unauthenticated(refused) => Self::unauthenticated(*refused, asked, challenges),
            Verdict::Forbidden => Self::new(StatusCode::FORBIDDEN, "not permitted\n"),
            Verdict::CrossSite => Self::new(StatusCode::FORBIDDEN, "another site has asked for this\n"),
            Verdict::Busy { retry_after } => {
                let mut refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, "too many requests\n");
                refusal.headers.insert(RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
                refusal
            }
            Verdict::Unavailable => Self::new(StatusCode::SERVICE_UNAVAILABLE, "authentication is not available\n"),
        })
    }

    fn unauthenticated(refused: Refused, asked: &Asked<'_>, challenges: Challenges) -> Self {
        let mut refusal = Self::new(StatusCode::UNAUTHORIZED, "authentication is required\n");
        if is_dav(asked) {
            refusal.body = DAV_ERROR;
            refusal.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8"));
        }
        // a browser would ask the person for a password on behalf of a script
        if asked.header(&REQUESTED_WITH).is_some_and(|value| value.eq_ignore_ascii_case("XMLHttpRequest")) {
            return refusal;
        }
        // a host that is none could end the quotes
        let realm = if is_host(asked.host) { asked.host } else { "doorward" };
        let error = if refused == Refused::Invalid { ", error=\"invalid_token\"" } else { "" };
        let bearer = challenges.bearer.then(|| format!("Bearer realm=\"{realm}\", charset=\"UTF-8\"{error}"));
        let basic = challenges.basic.then(|| format!("Basic realm=\"{realm}\", charset=\"UTF-8\""));
        for challenge in [bearer, basic].into_iter().flatten() {
            if let Ok(value) = HeaderValue::try_from(challenge) {
                refusal.headers.append(WWW_AUTHENTICATE, value);
            }
        }
        refusal
    }

    /// As an answer to an HTTP request.
    pub fn into_response(self) -> axum::response::Response {
        let mut response = axum::response::Response::new(axum::body::Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// Whether a browser goes to a page, rather than a script or a program asking for data (row E14).
pub fn is_navigation(asked: &Asked<'_>) -> bool {
    let accepts_pages = || asked.header(&ACCEPT).is_some_and(|accept| accept.contains("text/html"));
    let says_so = match asked.header(&HeaderName::from_static("sec-fetch-mode")) {
        Some(mode) => mode == "navigate",
        None => !asked.headers.contains_key(REQUESTED_WITH),
    };
    *asked.method == Method::GET && accepts_pages() && says_so
}

fn is_dav(asked: &Asked<'_>) -> bool {
    const METHODS: [&str; 9] = ["PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH"];
    const PATHS: [&str; 3] = ["/dav/", "/remote.php/", "/webdav"];
    METHODS.contains(&asked.method.as_str()) || PATHS.iter().any(|path| asked.path.decoded().starts_with(path))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::path::{Leniency, Path};

    fn with<T>(
        method: &str,
        host: &str,
        headers: &[(&'static str, &'static str)],
        then: impl Fn(&Asked<'_>) -> T,
    ) -> T {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let path = Path::parse("/a", Leniency::default()).expect("a path");
        let method = method.parse().expect("a method");
        then(&Asked {
            method: &method,
            is_https: true,
            host,
            path: &path,
            query: None,
            headers: &headers,
            source: None,
        })
    }

    fn challenges(refused: Refused, host: &str, headers: &[(&'static str, &'static str)]) -> Vec<String> {
        with("GET", host, headers, |asked| {
            let verdict = Verdict::Unauthenticated(refused);
            let refusal = Refusal::of(&verdict, asked, Challenges { basic: true, bearer: true }).expect("a refusal");
            assert_eq!(refusal.status, StatusCode::UNAUTHORIZED);
            let texts = refusal.headers.get_all(WWW_AUTHENTICATE).iter();
            texts.map(|value| value.to_str().expect("text").to_owned()).collect()
        })
    }

    #[test]
    fn e13_one_challenge_for_each_scheme() {
        let basic = "Basic realm=\"cloud.example\", charset=\"UTF-8\"";
        let bearer = "Bearer realm=\"cloud.example\", charset=\"UTF-8\"";
        assert_eq!(challenges(Refused::Missing, "cloud.example", &[]), [bearer, basic]);
        let invalid = format!("{bearer}, error=\"invalid_token\"");
        assert_eq!(challenges(Refused::Invalid, "cloud.example", &[]), [&*invalid, basic]);
        assert!(challenges(Refused::Missing, "a", &[("x-requested-with", "XMLHttpRequest")]).is_empty());
        let odd = challenges(Refused::Missing, "a\", x=\"", &[]);
        assert_eq!(odd[1], "Basic realm=\"doorward\", charset=\"UTF-8\"", "nobody ends the quotes");
    }

    #[test]
    fn e14_only_a_browser_that_goes_to_a_page_navigates() {
        let html = ("accept", "text/html,*/*;q=0.8");
        assert!(with("GET", "a", &[html], is_navigation));
        assert!(with("GET", "a", &[html, ("sec-fetch-mode", "navigate")], is_navigation));
        assert!(!with("GET", "a", &[html, ("sec-fetch-mode", "cors")], is_navigation));
        assert!(!with("GET", "a", &[html, ("x-requested-with", "XMLHttpRequest")], is_navigation));
        assert!(!with("POST", "a", &[html], is_navigation));
        assert!(!with("GET", "a", &[("accept", "*/*")], is_navigation));
        assert!(!with("PROPFIND", "a", &[html], is_navigation));
    }

    #[test]
    fn each_verdict_has_its_status() {
        let status = |verdict: Verdict| {
            let challenges = Challenges { basic: true, bearer: true };
            with("GET", "a", &[], |asked| {
                Refusal::of(&verdict, asked, challenges).map(|refusal| refusal.status.as_u16())
            })
        };
        assert_eq!(status(Verdict::Allowed(None)), None);
        assert_eq!(status(Verdict::Forbidden), Some(403));
        assert_eq!(status(Verdict::CrossSite), Some(403));
        assert_eq!(status(Verdict::Busy { retry_after: Duration::ZERO }), Some(429));
        assert_eq!(status(Verdict::Unavailable), Some(503));
    }
}
