//! Secrets of clients, and the tokens by which clients are added and managed. All are long and random, so that a plain
//! SHA-256 is enough to keep of them.

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::FINGERPRINT_LEN;
use runtime::Random;
use secrecy::SecretString;

use super::client::SecretDigest;
use crate::model::{seconds, time_of};

/// A digest and the second at which it ends.
const ENTRY: usize = FINGERPRINT_LEN + size_of::<u64>();

/// A new secret: 256 random bits, 43 characters.
pub(crate) fn generate(random: &Random) -> SecretString {
    URL_SAFE_NO_PAD.encode(random.bytes::<32>()).into()
}

/// What is kept of it.
pub(crate) fn digest(secret: &str) -> [u8; 32] {
    crypto::fingerprint(secret.as_bytes())
}

/// As the store keeps them.
pub(super) fn to_bytes(secrets: &[SecretDigest]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(secrets.len() * ENTRY);
    for SecretDigest { digest, expires } in secrets {
        bytes.extend_from_slice(digest);
        bytes.extend_from_slice(&expires.map_or(0, seconds).to_be_bytes());
    }
    bytes
}

/// Reads what [`to_bytes`] wrote; what is cut off is left out.
pub(super) fn from_bytes(bytes: &[u8]) -> Vec<SecretDigest> {
    let entries = bytes.chunks_exact(ENTRY).filter_map(|entry| {
        let (digest, end) = entry.split_first_chunk()?;
        let end = u64::from_be_bytes(*end.first_chunk()?);
        Some(SecretDigest { digest: *digest, expires: (end > 0).then(|| time_of(end)) })
    });
    entries.collect()
}

/// The secrets while a new one takes the place of those before, which stay good until `end`.
pub(super) fn rotated(
    secrets: &[SecretDigest],
    new: SecretDigest,
    end: Option<SystemTime>,
    now: SystemTime,
) -> Vec<SecretDigest> {
    let earlier = |expires: Option<SystemTime>, end: SystemTime| expires.map_or(end, |expires| expires.min(end));
    let before = end.into_iter().flat_map(|end| {
        let cut =
            move |secret: &SecretDigest| SecretDigest { expires: Some(earlier(secret.expires, end)), ..secret.clone() };
        secrets.iter().map(cut)
    });
    let live = before.filter(|secret| secret.expires.is_some_and(|end| now < end));
    std::iter::once(new).chain(live).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn secrets_are_long_and_differ() {
        let random = Random::seeded(7);
        let (one, two) = (generate(&random), generate(&random));
        assert_eq!(one.expose_secret().len(), 43);
        assert_ne!(one.expose_secret(), two.expose_secret());
    }

    #[test]
    fn what_is_kept_comes_back() {
        let secrets = [
            SecretDigest { digest: digest("one"), expires: None },
            SecretDigest { digest: digest("two"), expires: Some(time_of(1_700_000_000)) },
        ];
        assert!(from_bytes(&to_bytes(&secrets)) == secrets);
        assert!(from_bytes(&to_bytes(&secrets)[..50]) == secrets[..1]);
    }

    #[test]
    fn the_secret_before_stays_good_for_the_grace_and_no_longer() {
        let now = time_of(1_700_000_000);
        let (new, old) = ([1; 32], [2; 32]);
        let fresh = SecretDigest { digest: new, expires: None };
        let before = [SecretDigest { digest: old, expires: None }];
        let end = now + Duration::from_mins(1);
        let both = rotated(&before, fresh.clone(), Some(end), now);
        assert!(both == [fresh.clone(), SecretDigest { digest: old, expires: Some(end) }]);
        assert!(rotated(&before, fresh.clone(), None, now) == [fresh.clone()]);
        let short = [SecretDigest { digest: old, expires: Some(now + Duration::from_secs(5)) }];
        assert_eq!(rotated(&short, fresh, Some(end), now)[1].expires, short[0].expires, "no grace makes it longer");
    }
}
