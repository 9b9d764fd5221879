//! Assertions, proofs and ceremonies that are accepted once.

use std::time::SystemTime;

use store::StoreError;

use super::provider::Provider;

/// What is accepted once.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A client's proof of who it is.
    ClientAssertion,
    /// A grant.
    GrantAssertion,
    /// A proof of a key.
    Dpop,
    /// A ceremony of a passkey.
    Ceremony,
    /// A password that was given before the second factor.
    VerifiedPassword,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::ClientAssertion => "client assertion",
            Self::GrantAssertion => "grant assertion",
            Self::Dpop => "dpop",
            Self::Ceremony => "passkey ceremony",
            Self::VerifiedPassword => "verified password",
        }
    }
}

/// Whether what `by` has called `jti` is seen for the first time; it is remembered until `forget_at`.
pub(crate) async fn first_time(
    provider: &Provider,
    kind: Kind,
    by: &str,
    jti: &str,
    forget_at: SystemTime,
) -> Result<bool, StoreError> {
    provider.store.first_time(digest(kind, by, jti), forget_at).await
}

/// Lets what `by` has called `jti` be accepted once more. Only for the request by which it was seen for the first time.
pub(crate) async fn forget(provider: &Provider, kind: Kind, by: &str, jti: &str) -> Result<(), StoreError> {
    provider.store.forget(digest(kind, by, jti)).await
}

fn digest(kind: Kind, by: &str, jti: &str) -> [u8; 32] {
    crypto::fingerprint_of_parts(&[kind.name(), by, jti])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_taken_for_one() {
        let all = [
            digest(Kind::Dpop, "ab", "c"),
            digest(Kind::Dpop, "a", "bc"),
            digest(Kind::ClientAssertion, "a", "bc"),
            digest(Kind::GrantAssertion, "a", "bc"),
        ];
        assert!(all.iter().enumerate().all(|(index, one)| !all[..index].contains(one)));
        assert_eq!(all[0], digest(Kind::Dpop, "ab", "c"));
    }
}
