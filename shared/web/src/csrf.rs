//! Tokens by which a form is bound to the browser that it was shown to, before a sign-in too
//! (`docs/security-requirements.md#i17`).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use runtime::Random;
use subtle::ConstantTimeEq;

use crate::cookie;

/// Random bytes of the cookie that distinguishes browsers.
const BROWSER_LEN: usize = 24;
/// Bytes of a token, the first ones of its MAC.
const TOKEN_LEN: usize = 16;

/// A browser, identified by a random cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Browser(String);

impl Browser {
    /// The browser of a request, if it has a cookie with this name that a service of ours has set.
    pub fn of(headers: &HeaderMap, cookie: &str) -> Option<Self> {
        let value = cookie::one(headers, cookie)?;
        let is_ours = URL_SAFE_NO_PAD.decode(value).is_ok_and(|bytes| bytes.len() == BROWSER_LEN);
        is_ours.then(|| Self(value.to_owned()))
    }

    /// A browser that has no cookie yet.
    pub fn new(random: &Random) -> Self {
        Self(URL_SAFE_NO_PAD.encode(random.bytes::<BROWSER_LEN>()))
    }

    /// The value of its cookie.
    pub fn value(&self) -> &str {
        &self.0
    }

    /// The message whose MAC makes the token of a form with this purpose.
    pub fn message(&self, purpose: &str) -> Vec<u8> {
        [b"form ", self.0.as_bytes(), b" ", purpose.as_bytes()].concat()
    }
}

/// The token of a form, from the MAC of its message.
pub fn token(mac: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(&mac[..TOKEN_LEN])
}

/// Whether a form's token is that of one of these MACs, compared in constant time.
pub fn is_token(token: &str, mut macs: impl Iterator<Item = [u8; 32]>) -> bool {
    let Ok(token) = URL_SAFE_NO_PAD.decode(token) else { return false };
    macs.any(|mac| bool::from(mac[..TOKEN_LEN].ct_eq(&token)))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::COOKIE;

    use super::*;

    #[test]
    fn only_a_cookie_of_ours_names_a_browser() {
        let browser = Browser::new(&Random::seeded(1));
        let of = |value: &str| {
            let line = HeaderValue::try_from(format!("browser={value}")).expect("a header");
            Browser::of(&HeaderMap::from_iter([(COOKIE, line)]), "browser")
        };
        assert_eq!(of(browser.value()), Some(browser.clone()));
        for other in ["", "short", &browser.value()[1..], "!!!!"] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn token_is_that_of_its_mac_only() {
        let (one, two) = ([1; 32], [2; 32]);
        let shown = token(&one);
        assert!(is_token(&shown, [two, one].into_iter()));
        assert!(!is_token(&shown, [two].into_iter()));
        for forged in ["", "AQ", &shown[1..], "!"] {
            assert!(!is_token(forged, [one].into_iter()), "{forged}");
        }
    }
}
