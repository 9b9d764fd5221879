//! The page that a client's page loads in a frame and asks whether the browser's session is still the one it knows
//! (`OpenID` Connect Session Management 1.0, 3).
//!
//! What it needs of the others:
//! - the cookie [`cookie::browser_state`] holds the browser state as plain
//!   text of base64url characters, is readable by scripts, and has `SameSite=None` where there is TLS, for the page is in
//!   a frame of another site; a browser without the cookie has the state `none`, as one without a session;
//! - `session_state` in an authorization response is
//!   [`oidc::session_state::compute`]`(client_id, origin of the redirect URI, browser state, salt)`, with a salt that has
//!   neither a space nor a dot.
//!
//! It answers the page that holds it, and every other window of that page's origin: clients ask from an iframe of their own
//! (3.2). The hash binds the origin, so that another one could learn nothing anyway.
//!
//! In browsers that keep cookies from frames of other sites it knows nothing, and answers `error`, so that clients stop
//! asking. `changed` would have them ask with `prompt=none` in another such frame, get `login_required`, and
//! sign people out who never did.

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::routing::get;
use web::policy::script_hash;

use super::cookie;
use crate::endpoints::IssuerEndpoints;
use crate::engine::provider::Provider;

/// The script, with a place for the cookie's name.
const SCRIPT: &str = include_str!("check_session.js");
const COOKIE: &str = "COOKIE_NAME";

pub(crate) fn router(provider: &Provider) -> Router {
    let mut router = Router::new();
    for endpoints in &provider.issuers {
        let (headers, html) = page(endpoints);
        router = router.route(endpoints.paths.check_session, get(async move || (headers, html)));
    }
    router
}

/// The page, which every site may load in a frame (row I18 is for pages that people act on), and which runs its own script
/// and no other.
fn page(endpoints: &IssuerEndpoints) -> (HeaderMap, String) {
    let script = SCRIPT.replace(COOKIE, &cookie::browser_state(endpoints));
    let hash = script_hash(&script);
    let policy =
        format!("default-src 'none'; script-src '{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors *");
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Session</title></head>\n\
         <body><script>{script}</script></body>\n</html>\n"
    );
    let policy = HeaderValue::try_from(policy).expect("a policy of ours is visible ASCII");
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, policy),
        // it says nothing of anybody
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (HeaderMap::from_iter(headers), html)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA256, digest};
    use axum::http::header::X_FRAME_OPTIONS;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::endpoints::EndpointProfile;

    #[test]
    fn i18_the_page_runs_its_own_script_and_may_be_loaded_in_a_frame() {
        for base in ["https://cloud.example", "http://localhost:9130"] {
            let endpoints = IssuerEndpoints::new(EndpointProfile::OpenCloud, base);
            let (headers, html) = page(&endpoints);
            let (_, rest) = html.split_once("<script>").unwrap();
            let (script, rest) = rest.split_once("</script>").unwrap();
            assert!(!rest.contains("script"), "there is one script");
            assert!(script.contains(&format!("\"{}=\"", cookie::browser_state(&endpoints))), "{script}");
            let hash = STANDARD.encode(digest(&SHA256, script.as_bytes()));
            let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.contains(&format!("script-src 'sha256-{hash}';")), "{policy}");
            assert!(policy.contains("frame-ancestors *") && !policy.contains("unsafe"), "{policy}");
            assert!(!headers.contains_key(X_FRAME_OPTIONS));
            assert!(headers.contains_key(CACHE_CONTROL));
        }
    }
}
