//! What every endpoint works with.

use std::sync::Arc;

use authn::{Authenticator, Directory, EndedSessions};
use outbound::Fetcher;
use runtime::{Clock, Random};
use token::Verifier;

use crate::clients::Clients;
use crate::config::Config;
use crate::endpoints::{Layout, Site};
use crate::keys::Keys;
use crate::revocations::Revocations;
use crate::seal::Sealer;
use crate::store::Store;

/// The provider. Clones share everything.
#[derive(Clone)]
pub struct Provider(Arc<Parts>);

/// Its parts.
pub struct Parts {
    /// What was configured.
    pub config: Config,
    /// The issuers.
    pub sites: Vec<Site>,
    /// What time it is.
    pub clock: Clock,
    /// Random bytes.
    pub random: Random,
    /// What is remembered.
    pub store: Store,
    /// What seals.
    pub sealer: Sealer,
    /// What signs.
    pub keys: Keys,
    /// Who may ask.
    pub clients: Clients,
    /// What is revoked.
    pub revocations: Revocations,
    /// What calls the addresses of clients.
    pub fetcher: Fetcher,
    /// The people.
    pub directory: Arc<dyn Directory>,
    /// Their passwords.
    pub passwords: Arc<dyn Authenticator>,
    /// Verifies internal tokens of those who administer.
    pub verifier: Verifier,
}

impl Provider {
    /// A provider of these parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The issuer of a layout, if it is served.
    pub fn site(&self, layout: Layout) -> Option<&Site> {
        self.sites.iter().find(|site| site.layout == layout)
    }
}

impl EndedSessions for Provider {
    fn has_ended(&self, issuer: &str, sid: &str) -> Option<bool> {
        if !self.sites.iter().any(|site| site.issuer == issuer) {
            return Some(false);
        }
        let has_ended = || sid.parse().is_ok_and(|sid| self.revocations.contains(sid));
        self.revocations.is_current().then(has_ended)
    }
}

impl std::ops::Deref for Provider {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
