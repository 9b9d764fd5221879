//! Whether a request that brings a cookie is the own pages' (row E12): a browser adds the cookie for whoever asks.

use http::header::{ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, HeaderName, Method};

use crate::request_info::{RequestInfo, single};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Whether a request may be made with a cookie: it changes nothing, or a page of the own origin has made it.
pub(crate) fn may_pass(info: &RequestInfo<'_>, own: &str) -> bool {
    let scheme = if info.is_https { "https" } else { "http" };
    let here = format!("{scheme}://{}", info.host);
    !is_to_be_checked(info.method, info.headers) || is_own(info.headers, &[own, &here])
}

/// What changes something; and a `WebSocket`, which no rule of the browser's keeps other sites from opening.
fn is_to_be_checked(method: &Method, headers: &HeaderMap) -> bool {
    let is_safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
    !is_safe || opens_websocket(headers)
}

/// Whether a request opens a `WebSocket`. A proxy that asks about it does not pass `Upgrade` on, which belongs to its connection; the
/// handshake's own headers (RFC 6455 4.1) and the browser's word remain.
fn opens_websocket(headers: &HeaderMap) -> bool {
    let upgrades = headers.get_all(UPGRADE).iter().any(|value| {
        let mut protocols = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        protocols.any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
    });
    let is_handshake = headers.contains_key(SEC_WEBSOCKET_KEY) || headers.contains_key(SEC_WEBSOCKET_VERSION);
    let says_browser = headers.get_all(FETCH_MODE).iter().any(|mode| mode == "websocket");
    upgrades || is_handshake || says_browser
}

/// Whether a page of one of these origins has made the request. `Sec-Fetch-Site` is the browser's own word; `Origin` counts
/// only where there is none.
pub(crate) fn is_own(headers: &HeaderMap, origins: &[&str]) -> bool {
    if headers.contains_key(FETCH_SITE) {
        return matches!(single(headers, &FETCH_SITE), Some("same-origin" | "none"));
    }
    single(headers, &ORIGIN).is_some_and(|origin| origins.iter().any(|own| own.eq_ignore_ascii_case(origin)))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::path::{Leniency, Path};

    fn passes(method: &str, headers: &[(&'static str, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let path = Path::parse("/a", Leniency::default()).expect("a path");
        let method = method.parse().expect("a method");
        let (is_https, host, query, source) = (true, "app.example.org", None, None);
        let info = RequestInfo { method: &method, is_https, host, path: &path, query, headers: &map, source };
        may_pass(&info, "https://cloud.example.org")
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
}
