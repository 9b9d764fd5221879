//! Cookies: for this host only, over TLS only where there is any.

use axum::http::HeaderValue;
use web::cookie::{Lifetime, SameSite, SetCookie, prefixed};

use crate::endpoints::IssuerEndpoints;

/// The name of the session cookie.
pub(crate) fn session(endpoints: &IssuerEndpoints) -> String {
    prefixed("doorward-session", endpoints.is_https(), None)
}

/// The name of the cookie that distinguishes browsers before a sign-in.
pub(crate) fn browser(endpoints: &IssuerEndpoints) -> String {
    prefixed("doorward-browser", endpoints.is_https(), None)
}

/// The name of the cookie of a device that a user has signed in with.
pub(crate) fn device(endpoints: &IssuerEndpoints) -> String {
    prefixed("doorward-device", endpoints.is_https(), None)
}

/// The name of the cookie of a device on which a user is not asked for the second factor.
pub(crate) fn trusted_device(endpoints: &IssuerEndpoints) -> String {
    prefixed("doorward-trusted", endpoints.is_https(), None)
}

/// The name of the cookie with the browser state, which scripts of the check-session page read.
pub(crate) fn browser_state(endpoints: &IssuerEndpoints) -> String {
    prefixed("doorward-state", endpoints.is_https(), None)
}

/// Deletes the cookies of a session.
pub(crate) fn cleared(endpoints: &IssuerEndpoints) -> [HeaderValue; 2] {
    [
        private(endpoints, &session(endpoints), "", Lifetime::Expired),
        readable(endpoints, &browser_state(endpoints), "none", Lifetime::BrowserSession),
    ]
}

/// A cookie that no script reads and no form of another site sends (`SameSite=Lax`).
pub(crate) fn private(endpoints: &IssuerEndpoints, name: &str, value: &str, lifetime: Lifetime) -> HeaderValue {
    let cookie = SetCookie::new(name, value, lifetime).secure(endpoints.is_https());
    cookie.http_only().same_site(SameSite::Lax).into_header()
}

/// A cookie that our own page reads in a frame of another site's page; its value is of no use to others.
pub(crate) fn readable(endpoints: &IssuerEndpoints, name: &str, value: &str, lifetime: Lifetime) -> HeaderValue {
    let same_site = if endpoints.is_https() { SameSite::None } else { SameSite::Lax };
    SetCookie::new(name, value, lifetime).secure(endpoints.is_https()).same_site(same_site).into_header()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::endpoints::EndpointProfile;

    #[test]
    fn i19_the_session_cookie_is_for_this_host_and_no_script() {
        let endpoints = IssuerEndpoints::new(EndpointProfile::OpenCloud, "https://cloud.example");
        let line = private(&endpoints, &session(&endpoints), "x", Lifetime::BrowserSession);
        assert_eq!(line, "__Host-doorward-session=x; HttpOnly; SameSite=Lax; Secure; Path=/");
        let kept = private(&endpoints, &session(&endpoints), "x", Lifetime::For(Duration::from_mins(1)));
        assert_eq!(kept, "__Host-doorward-session=x; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60");
        let here = IssuerEndpoints::new(EndpointProfile::OpenCloud, "http://localhost:9130");
        let line = private(&here, &session(&here), "", Lifetime::Expired);
        assert_eq!(line, "doorward-session=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0");
    }
}
