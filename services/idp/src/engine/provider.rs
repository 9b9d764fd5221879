//! What every endpoint works with.

use std::sync::Arc;

use ::token::Verifier;
use authn::ended_sessions::Issuance;
use authn::{Authenticator, Directory, EndedSessions};
use outbound::Fetcher;
use runtime::{Clock, Random};
use tokio::sync::Notify;
use workload::Workloads;

use super::audit_events::AuditEvents;
use super::clients::Clients;
use super::keys::Keys;
use super::transactions::Transactions;
use crate::account_mail::AccountMail;
use crate::config::Config;
use crate::endpoints::{EndpointProfile, IssuerEndpoints};
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
    pub issuers: Vec<IssuerEndpoints>,
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
    /// The service accounts, where they are clients too.
    pub service_accounts: Option<Arc<dyn Authenticator>>,
    /// Verifies workloads that are clients, where they are accepted.
    pub workloads: Option<Arc<Workloads>>,
    /// Verifies internal tokens of those who administer.
    pub verifier: Verifier,
    /// Wakes the delivery of logout tokens, so that clients learn of a sign-out at once.
    pub deliveries: Arc<Notify>,
    /// Sends mail to users about their accounts.
    pub mail: AccountMail,
    /// Records what happens with users' accounts.
    pub audit_events: AuditEvents,
    /// Transaction tokens, if they are configured.
    pub transactions: Option<Transactions>,
}

impl Provider {
    /// A provider of these parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The issuer of a layout, if it is served.
    pub fn endpoints(&self, layout: EndpointProfile) -> Option<&IssuerEndpoints> {
        self.issuers.iter().find(|endpoints| endpoints.layout == layout)
    }
}

impl EndedSessions for Provider {
    fn has_ended(&self, issuer: &str, sid: &str) -> Option<bool> {
        if !self.issuers.iter().any(|endpoints| endpoints.issuer == issuer) {
            return Some(false);
        }
        let has_ended = || sid.parse().is_ok_and(|sid| self.revocations.contains(sid));
        self.revocations.is_current().then(has_ended)
    }

    fn cuts_off(&self, issuer: &str, token: &Issuance<'_>) -> Option<bool> {
        if !self.issuers.iter().any(|endpoints| endpoints.issuer == issuer) {
            return Some(false);
        }
        self.revocations.is_current().then(|| self.revocations.cuts_off_token(token))
    }
}

impl std::ops::Deref for Provider {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
