//! `session_state` (OpenID Connect Session Management 1.0, 3 and 4.2): lets a client's page check whether the browser's session
//! is still the one of its last authentication response.

use std::fmt::Write;

use aws_lc_rs::digest::{Context, SHA256};

use crate::web::WebUrl;

#[cfg(test)]
mod tests;

/// Computes the value: the hash of the four in hexadecimal digits, a dot, and the salt. The page of the
/// `check_session_iframe` computes the same from the salt, the origin of the calling page, and the browser state in a cookie.
/// None of the four may contain a space.
pub fn compute(client_id: &str, origin: &str, browser_state: &str, salt: &str) -> String {
    let mut context = Context::new(&SHA256);
    for (at, part) in [client_id, origin, browser_state, salt].into_iter().enumerate() {
        if at > 0 {
            context.update(b" ");
        }
        context.update(part.as_bytes());
    }
    let hash = context.finish();
    let mut state = String::with_capacity(64 + 1 + salt.len());
    for byte in hash.as_ref() {
        write!(state, "{byte:02x}").expect("a String takes what is written to it");
    }
    state.push('.');
    state.push_str(salt);
    state
}

/// The origin of the page at a redirect URI as its browser would say it: `scheme://host[:port]`. `None` for schemes other
/// than `http` and `https`, whose clients have no pages.
pub fn origin_of(redirect_uri: &str) -> Option<String> {
    WebUrl::parse(redirect_uri).map(|url| url.origin)
}
