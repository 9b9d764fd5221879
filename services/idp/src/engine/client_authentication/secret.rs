//! Comparing secrets.

use std::time::SystemTime;

use subtle::{Choice, ConstantTimeEq};

use crate::engine::clients::SecretDigest;

/// Whether a secret is one of those that count now. All of them are compared, in constant time.
pub(super) fn is_live(secrets: &[SecretDigest], secret: &[u8], now: SystemTime) -> bool {
    let digest = crypto::fingerprint(secret);
    let live = secrets.iter().filter(|secret| secret.expires.is_none_or(|end| now < end));
    live.fold(Choice::from(0), |found, secret| found | secret.digest.ct_eq(&digest)).into()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn i22_any_secret_counts_until_its_end() {
        let of = |text: &str, expires| SecretDigest { digest: crypto::fingerprint(text.as_bytes()), expires };
        let at = |second| UNIX_EPOCH + Duration::from_secs(second);
        let secrets = [of("new", None), of("old", Some(at(10)))];
        assert!(is_live(&secrets, b"new", at(99)) && is_live(&secrets, b"old", at(9)));
        assert!(!is_live(&secrets, b"old", at(10)), "over at its very end");
        assert!(!is_live(&secrets, b"", at(0)) && !is_live(&secrets, b"ne", at(0)) && !is_live(&[], b"", at(0)));
    }
}
