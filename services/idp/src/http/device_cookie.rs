//! The cookie of a device that a user has signed in with (row I36). Wrong passwords that come with it are counted for this user
//! at this device, so that guesses elsewhere, or behind the same address, do not delay the user.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use authn::Device;
use axum::http::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;
use web::cookie::{Lifetime, one};

use super::cookie;
use super::issuer::Issuer;
use crate::model::seconds;
use crate::seal::Tag;

/// How long a device is known after the last sign-in.
const KNOWN_FOR: Duration = Duration::from_hours(90 * 24);
/// Random bytes of a device's identifier.
const ID_LEN: usize = 16;
/// No cookie of ours is longer.
const LONGEST: usize = 1024;

/// The device that the request's cookie names, if the cookie is ours and young enough.
pub(crate) fn known(Issuer { provider, endpoints, headers, .. }: &Issuer) -> Option<Device> {
    let value = one(headers, &cookie::device(endpoints)).filter(|value| value.len() <= LONGEST)?;
    let (text, tag) = value.rsplit_once('.')?;
    let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
    if !provider.sealer.tags(Tag::Device, text.as_bytes()).any(|right| right.as_slice().ct_eq(&tag).into()) {
        return None;
    }
    let mut parts = text.split('.');
    let (user_id, id, at) = (parts.next()?, parts.next()?, parts.next()?.parse().ok()?);
    let age = provider.clock.now().duration_since(UNIX_EPOCH + Duration::from_secs(at));
    let user_id = String::from_utf8(URL_SAFE_NO_PAD.decode(user_id).ok()?).ok()?;
    // a clock that went back makes no device unknown
    (age.unwrap_or_default() < KNOWN_FOR).then(|| Device { user_id, id: id.to_owned() })
}

/// The cookie for a user who has just signed in. A device that the user is known at stays the same one.
pub(crate) fn remember(issuer: &Issuer, user_id: &str) -> HeaderValue {
    let Issuer { provider, endpoints, .. } = issuer;
    let same = known(issuer).filter(|device| device.user_id == user_id);
    let id = same.map_or_else(|| URL_SAFE_NO_PAD.encode(provider.random.bytes::<ID_LEN>()), |device| device.id);
    let text = signed_text(user_id, &id, provider.clock.now());
    let tag = provider.sealer.tag(Tag::Device, text.as_bytes());
    let value = format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag));
    cookie::private(endpoints, &cookie::device(endpoints), &value, Lifetime::For(KNOWN_FOR))
}

fn signed_text(user_id: &str, id: &str, at: SystemTime) -> String {
    format!("{}.{id}.{}", URL_SAFE_NO_PAD.encode(user_id), seconds(at))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use axum::http::header::COOKIE;

    use super::*;
    use crate::http::issuer::{IssuerState, of_first};
    use crate::testing::{Bench, EINSTEIN};

    /// A request to the first issuer with the cookies of this line.
    fn request(bench: &Bench, line: &str) -> Issuer {
        let headers = HeaderMap::from_iter([(COOKIE, line.parse().expect("a header"))]);
        let IssuerState { provider, endpoints, installation } = of_first(&bench.provider).expect("an issuer");
        Issuer { provider, endpoints, installation, headers }
    }

    fn line(cookie: &HeaderValue) -> &str {
        cookie.to_str().expect("text").split(';').next().expect("a pair")
    }

    #[tokio::test]
    async fn device_is_known_to_its_user_until_it_is_old() {
        let bench = Bench::new().await;
        let cookie = remember(&request(&bench, ""), EINSTEIN);
        assert!(line(&cookie).starts_with("__Host-doorward-device="), "{cookie:?}");
        let returning = request(&bench, line(&cookie));
        let device = known(&returning).expect("is known");
        assert_eq!(device.user_id, EINSTEIN);
        bench.advance(KNOWN_FOR.saturating_sub(Duration::from_secs(1)));
        let renewed = request(&bench, line(&remember(&returning, EINSTEIN)));
        bench.advance(Duration::from_secs(1));
        assert_eq!(known(&returning), None, "too old");
        assert_eq!(known(&renewed), Some(device.clone()), "the same one, renewed");
        let of_marie = known(&request(&bench, line(&remember(&renewed, "u-marie"))));
        assert_ne!(of_marie.expect("is known").id, device.id, "another user's is another one");
    }

    #[tokio::test]
    async fn changed_cookie_is_refused() {
        let bench = Bench::new().await;
        let cookie = remember(&request(&bench, ""), EINSTEIN);
        let line = line(&cookie).to_owned();
        let other = line.replace(&URL_SAFE_NO_PAD.encode(EINSTEIN), &URL_SAFE_NO_PAD.encode("u-marie"));
        let shortened = line[..line.len() - 4].to_owned();
        let name = cookie::device(bench.endpoints());
        for forged in [other, shortened, format!("{name}="), format!("{name}=a.b.1.c"), format!("{line}; {line}")] {
            assert_eq!(known(&request(&bench, &forged)), None, "{forged}");
        }
    }
}
