//! A browser, before and after a sign-in: what forms are bound to (row I17).

use axum::http::header::{HeaderName, ORIGIN};
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use super::cookie::{self, Lasting};
use crate::endpoints::IssuerEndpoints;
use crate::engine::provider::Provider;
use crate::seal::Tag;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Random bytes of the cookie.
const LEN: usize = 24;

/// The browser of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Browser(String);

/// The browser of a request, and the cookie it has to be given if it has none.
pub(crate) fn browser(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    headers: &HeaderMap,
) -> (Browser, Option<HeaderValue>) {
    let name = cookie::browser(endpoints);
    let is_ours = |value: &&str| URL_SAFE_NO_PAD.decode(value).is_ok_and(|bytes| bytes.len() == LEN);
    if let Some(value) = cookie::read(headers, name).filter(is_ours) {
        return (Browser(value.to_owned()), None);
    }
    let value = URL_SAFE_NO_PAD.encode(provider.random.bytes::<LEN>());
    let line = cookie::private(endpoints, name, &value, Lasting::AsTheBrowser);
    (Browser(value), Some(line))
}

impl Browser {
    /// What a form has to send back that was shown to this browser for this purpose.
    pub(crate) fn csrf(&self, provider: &Provider, what: &str) -> String {
        URL_SAFE_NO_PAD.encode(&provider.sealer.tag(Tag::Csrf, &self.message(what))[..16])
    }

    /// Whether a form was shown to this browser for this purpose and comes from our own page.
    pub(crate) fn check_csrf(
        &self,
        provider: &Provider,
        endpoints: &IssuerEndpoints,
        headers: &HeaderMap,
        what: &str,
        token: &str,
    ) -> bool {
        let Ok(token) = URL_SAFE_NO_PAD.decode(token) else { return false };
        let is_right = |tag: [u8; 32]| bool::from(tag[..16].ct_eq(&token));
        is_from_our_page(endpoints, headers) && provider.sealer.tags(Tag::Csrf, &self.message(what)).any(is_right)
    }

    fn message(&self, what: &str) -> Vec<u8> {
        [b"form ", self.0.as_bytes(), b" ", what.as_bytes()].concat()
    }
}

/// Whether a form was sent by a page of ours, as far as the browser says: one that says nothing is no browser of the
/// last years, and has the token to show. `Origin: null` is what our own pages bring, as they send no referrer.
fn is_from_our_page(endpoints: &IssuerEndpoints, headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let from_here = text(&SEC_FETCH_SITE).is_none_or(|value| value == "same-origin");
    let origin_is_ours = match text(&ORIGIN) {
        None => true,
        Some("null") => text(&SEC_FETCH_SITE) == Some("same-origin"),
        Some(origin) => origin == endpoints.origin(),
    };
    from_here && origin_is_ours
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::EndpointProfile;

    #[test]
    fn i17_forms_of_other_pages_are_refused() {
        let endpoints = IssuerEndpoints::new(EndpointProfile::OpenCloud, "https://cloud.example");
        let of = |pairs: &[(HeaderName, &'static str)]| -> HeaderMap {
            pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
        };
        for good in [
            &[][..],
            &[(ORIGIN, "https://cloud.example")],
            &[(ORIGIN, "https://cloud.example"), (SEC_FETCH_SITE, "same-origin")],
            &[(ORIGIN, "null"), (SEC_FETCH_SITE, "same-origin")],
        ] {
            assert!(is_from_our_page(&endpoints, &of(good)), "{good:?}");
        }
        for bad in [
            &[(ORIGIN, "https://evil.example")][..],
            &[(ORIGIN, "null")],
            &[(ORIGIN, "https://cloud.example"), (SEC_FETCH_SITE, "cross-site")],
            &[(SEC_FETCH_SITE, "same-site")],
            &[(ORIGIN, "https://cloud.example.evil")],
        ] {
            assert!(!is_from_our_page(&endpoints, &of(bad)), "{bad:?}");
        }
    }
}
