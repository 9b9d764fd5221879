use std::sync::Arc;
use std::time::SystemTime;

use oidc::jose::{JwtError, UnverifiedJwt};

use super::names::TYP;
use super::{ALGORITHMS, KeySource, MAX_TRANSACTION_TOKEN, TransactionClaims, TransactionDefect};

/// Verifies transaction tokens of one trust domain.
#[derive(Clone)]
pub struct TransactionVerifier {
    trust_domain: Arc<str>,
    keys: KeySource,
}

impl TransactionVerifier {
    /// A verifier for the tokens of this trust domain that these keys have signed.
    pub fn new(trust_domain: &str, keys: KeySource) -> Self {
        Self { trust_domain: trust_domain.into(), keys }
    }

    /// What the token says, if it is a transaction token of the trust domain and valid at `now`. The type, the algorithm and the key
    /// are checked before any claim is read, so that no other kind of token passes
    /// (`docs/security-requirements.md#x1`).
    ///
    /// # Errors
    /// [`TransactionDefect`], for the log.
    pub fn verify(&self, now: SystemTime, token: &str) -> Result<TransactionClaims, TransactionDefect> {
        if token.len() > MAX_TRANSACTION_TOKEN {
            return Err(TransactionDefect::TooLarge);
        }
        let jwt = UnverifiedJwt::parse(token).map_err(|error| match error {
            JwtError::TooLong => TransactionDefect::TooLarge,
            _ => TransactionDefect::Malformed,
        })?;
        if !jwt.is_typ(TYP) {
            return Err(TransactionDefect::Type);
        }
        let algorithm = jwt.algorithm().filter(|algorithm| ALGORITHMS.contains(algorithm));
        self.keys.verify(&jwt, algorithm.ok_or(TransactionDefect::Algorithm)?, now)?;
        TransactionClaims::read(jwt.claims(), &self.trust_domain, now)
    }
}
