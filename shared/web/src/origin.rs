//! Which page has made a request (`docs/security-requirements.md#e12`, `#i17`): a browser adds the cookies of a site to the requests
//! of all pages, also those of other sites.

use http::header::{ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, HeaderName, Method};

use crate::header::single;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Whether a request may use its cookie: it changes nothing, or a page of one of these origins has made it.
pub fn may_use_cookie(method: &Method, headers: &HeaderMap, origins: &[&str]) -> bool {
    !is_to_be_checked(method, headers) || is_same_origin(headers, origins)
}

/// Whether a request changes something, or opens a `WebSocket`, which browsers let every page do.
fn is_to_be_checked(method: &Method, headers: &HeaderMap) -> bool {
    let is_safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
    !is_safe || opens_websocket(headers)
}

/// Whether a request opens a `WebSocket`. A proxy that asks about it does not pass `Upgrade` on, which belongs to its connection; the
/// other headers of the handshake (RFC 6455 4.1) and `Sec-Fetch-Mode` remain.
fn opens_websocket(headers: &HeaderMap) -> bool {
    let upgrades = headers.get_all(UPGRADE).iter().any(|value| {
        let mut protocols = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        protocols.any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
    });
    let is_handshake = headers.contains_key(SEC_WEBSOCKET_KEY) || headers.contains_key(SEC_WEBSOCKET_VERSION);
    let has_mode = headers.get_all(FETCH_MODE).iter().any(|mode| mode == "websocket");
    upgrades || is_handshake || has_mode
}

/// Whether a page of one of these origins has made the request, or the user without a page. A request without a proof is refused.
/// `Sec-Fetch-Site`, which no script can set, decides; `Origin` counts only without it.
pub fn is_same_origin(headers: &HeaderMap, origins: &[&str]) -> bool {
    if headers.contains_key(FETCH_SITE) {
        return matches!(single(headers, &FETCH_SITE), Some("same-origin" | "none"));
    }
    single(headers, &ORIGIN).is_some_and(|origin| origins.iter().any(|own| own.eq_ignore_ascii_case(origin)))
}

/// Whether no header says that another origin's page has sent a form. For forms with a [token](crate::csrf): a request without
/// either header is not from a browser of the last years, and the token decides. Pages without a referrer send `Origin: null`.
pub fn is_not_cross_origin(headers: &HeaderMap, own: &str) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site = text(&FETCH_SITE);
    let origin_is_own = match text(&ORIGIN) {
        None => true,
        Some("null") => site == Some("same-origin"),
        Some(origin) => origin == own,
    };
    site.is_none_or(|site| site == "same-origin") && origin_is_own
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    fn passes(method: &str, pairs: &[(&'static str, &'static str)]) -> bool {
        let method = method.parse().expect("a method");
        may_use_cookie(&method, &headers(pairs), &["https://cloud.example.org", "https://app.example.org"])
    }

    #[test]
    fn e12_reading_needs_no_proof() {
        for method in ["GET", "HEAD", "OPTIONS"] {
            assert!(passes(method, &[]) && passes(method, &[("sec-fetch-site", "cross-site")]), "{method}");
        }
    }

    #[test]
    fn e12_what_changes_something_must_be_asked_by_an_own_page() {
        for method in ["POST", "PUT", "DELETE", "PATCH", "PROPFIND", "MKCOL", "MOVE", "CONNECT", "TRACE"] {
            assert!(passes(method, &[("sec-fetch-site", "same-origin")]), "{method}");
            assert!(passes(method, &[("sec-fetch-site", "none")]), "{method}");
            assert!(passes(method, &[("origin", "https://cloud.example.org")]), "{method}");
            assert!(passes(method, &[("origin", "https://app.example.org")]), "{method}");
            for headers in [
                &[][..],
                &[("sec-fetch-site", "cross-site")],
                &[("sec-fetch-site", "same-site")],
                &[("sec-fetch-site", "")],
                &[("sec-fetch-site", "cross-site"), ("origin", "https://cloud.example.org")],
                &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
                &[("origin", "null")],
                &[("origin", "https://evil.example")],
                &[("origin", "http://cloud.example.org")],
                &[("origin", "https://cloud.example.org.evil.example")],
                &[("origin", "https://cloud.example.org"), ("origin", "https://evil.example")],
                &[("referer", "https://cloud.example.org/")],
            ] {
                assert!(!passes(method, headers), "{method} {headers:?}");
            }
        }
    }

    #[test]
    fn e12_a_websocket_must_be_opened_by_an_own_page() {
        for upgrade in ["websocket", "WebSocket", "h2c, websocket"] {
            assert!(!passes("GET", &[("upgrade", upgrade), ("origin", "https://evil.example")]), "{upgrade}");
            assert!(passes("GET", &[("upgrade", upgrade), ("origin", "https://app.example.org")]), "{upgrade}");
        }
        assert!(passes("GET", &[("upgrade", "h2c")]));
    }

    /// Row E12.
    #[test]
    fn a_websocket_without_upgrade_header_is_recognised() {
        for sign in [("sec-websocket-key", "a2V5"), ("sec-websocket-version", "13"), ("sec-fetch-mode", "websocket")] {
            assert!(!passes("GET", &[sign]), "{sign:?}");
            assert!(!passes("GET", &[sign, ("origin", "https://evil.example")]), "{sign:?}");
            assert!(!passes("GET", &[sign, ("sec-fetch-site", "same-site")]), "{sign:?}");
            assert!(passes("GET", &[sign, ("origin", "https://app.example.org")]), "{sign:?}");
        }
    }

    #[test]
    fn i17_forms_of_other_pages_are_refused() {
        let passes = |pairs: &[_]| is_not_cross_origin(&headers(pairs), "https://cloud.example");
        for good in [
            &[][..],
            &[("origin", "https://cloud.example")],
            &[("origin", "https://cloud.example"), ("sec-fetch-site", "same-origin")],
            &[("origin", "null"), ("sec-fetch-site", "same-origin")],
        ] {
            assert!(passes(good), "{good:?}");
        }
        for bad in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "null")],
            &[("origin", "https://cloud.example"), ("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("origin", "https://cloud.example.evil")],
        ] {
            assert!(!passes(bad), "{bad:?}");
        }
    }
}
