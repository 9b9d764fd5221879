//! What mints, replaces and verifies transaction tokens.

use std::sync::Arc;
use std::time::SystemTime;

use ::token::transaction::{KeySource, TransactionKeys, TransactionMinter, TransactionVerifier};
use runtime::{Metrics, Random, TransactionRequests};

use super::document::Rendered;

/// The transaction tokens of the trust domain. The gateway has the same keys, so that both are one service for those that verify tokens.
#[derive(Clone)]
pub struct Transactions {
    /// Mints and replaces them.
    pub(crate) minter: TransactionMinter,
    /// Verifies those that are replaced.
    pub(crate) verifier: TransactionVerifier,
    /// Counts the requests for them.
    pub(crate) requests: TransactionRequests,
}

impl Transactions {
    /// The transaction tokens of this trust domain.
    pub fn new(keys: Arc<TransactionKeys>, trust_domain: &str, random: Random, metrics: &Metrics) -> Self {
        let verifier = TransactionVerifier::new(trust_domain, KeySource::Derived(Arc::clone(&keys)));
        let minter = TransactionMinter::new(keys, trust_domain).with_identifiers(move || random.bytes());
        Self { minter, verifier, requests: TransactionRequests::new(metrics, "idp") }
    }

    /// The keys that are accepted now, as a key set.
    pub(crate) fn published(&self, now: SystemTime) -> Rendered {
        Rendered::new(self.minter.keys().published(now).to_vec())
    }
}
