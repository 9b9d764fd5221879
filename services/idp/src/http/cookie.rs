//! Cookies: for this host only, over TLS only where there is any.

use std::time::Duration;

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

use crate::endpoints::IssuerEndpoints;

/// How long a browser keeps a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasting {
    /// Until it is closed.
    AsTheBrowser,
    /// For so long, also when it is closed in between.
    For(Duration),
    /// Not any longer.
    Gone,
}

/// The cookie of the session.
pub(crate) fn session(endpoints: &IssuerEndpoints) -> &'static str {
    if endpoints.is_https() { "__Host-doorward-session" } else { "doorward-session" }
}

/// The cookie that distinguishes browsers before a sign-in.
pub(crate) fn browser(endpoints: &IssuerEndpoints) -> &'static str {
    if endpoints.is_https() { "__Host-doorward-browser" } else { "doorward-browser" }
}

/// The cookie of a device that a user has signed in with.
pub(crate) fn device(endpoints: &IssuerEndpoints) -> &'static str {
    if endpoints.is_https() { "__Host-doorward-device" } else { "doorward-device" }
}

/// The cookie that holds the browser state, which scripts of the check-session page read.
pub(crate) fn browser_state(endpoints: &IssuerEndpoints) -> &'static str {
    if endpoints.is_https() { "__Host-doorward-state" } else { "doorward-state" }
}

/// What takes the cookies of a session away.
pub(crate) fn cleared(endpoints: &IssuerEndpoints) -> [HeaderValue; 2] {
    [
        private(endpoints, session(endpoints), "", Lasting::Gone),
        readable(endpoints, browser_state(endpoints), "none", Lasting::AsTheBrowser),
    ]
}

/// The value of a cookie; none if it comes twice, since it cannot be known which is ours.
pub(crate) fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

/// A cookie that no script reads and no other site's form brings along (`SameSite=Lax`).
pub(crate) fn private(endpoints: &IssuerEndpoints, name: &str, value: &str, lasting: Lasting) -> HeaderValue {
    line(endpoints, name, value, lasting, "; HttpOnly; SameSite=Lax")
}

/// A cookie that our own page reads in a frame of another site's page; its value is of no use to others.
pub(crate) fn readable(endpoints: &IssuerEndpoints, name: &str, value: &str, lasting: Lasting) -> HeaderValue {
    // browsers refuse SameSite=None without TLS
    line(endpoints, name, value, lasting, if endpoints.is_https() { "; SameSite=None" } else { "; SameSite=Lax" })
}

fn line(endpoints: &IssuerEndpoints, name: &str, value: &str, lasting: Lasting, rest: &str) -> HeaderValue {
    let secure = if endpoints.is_https() { "; Secure" } else { "" };
    let age = match lasting {
        Lasting::AsTheBrowser => String::new(),
        Lasting::For(life) => format!("; Max-Age={}", life.as_secs()),
        Lasting::Gone => "; Max-Age=0".to_owned(),
    };
    let text = format!("{name}={value}; Path=/{age}{secure}{rest}");
    let mut line = HeaderValue::try_from(text).expect("our cookies are visible ASCII");
    line.set_sensitive(true);
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::EndpointProfile;

    #[test]
    fn i19_the_session_cookie_is_for_this_host_and_no_script() {
        let endpoints = IssuerEndpoints::new(EndpointProfile::OpenCloud, "https://cloud.example");
        let line = private(&endpoints, session(&endpoints), "x", Lasting::AsTheBrowser);
        assert_eq!(line, "__Host-doorward-session=x; Path=/; Secure; HttpOnly; SameSite=Lax");
        let kept = private(&endpoints, session(&endpoints), "x", Lasting::For(Duration::from_mins(1)));
        assert_eq!(kept, "__Host-doorward-session=x; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax");
        let here = IssuerEndpoints::new(EndpointProfile::OpenCloud, "http://localhost:9130");
        let line = private(&here, session(&here), "", Lasting::Gone);
        assert_eq!(line, "doorward-session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn a_cookie_that_comes_twice_is_none() {
        let headers = |lines: &[&'static str]| -> HeaderMap {
            lines.iter().map(|line| (COOKIE, HeaderValue::from_static(line))).collect()
        };
        assert_eq!(read(&headers(&["a=1; b=2", "c=3"]), "b"), Some("2"));
        assert_eq!(read(&headers(&["a=1; b=2", "c=3"]), "c"), Some("3"));
        assert_eq!(read(&headers(&["a=1; a=2"]), "a"), None);
        assert_eq!(read(&headers(&["a=1", "a=1"]), "a"), None);
        assert_eq!(read(&headers(&["aa=1"]), "a"), None);
    }
}
