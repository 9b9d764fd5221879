//! Authenticates accounts of the database.

use std::time::SystemTime;

use authn::{AuthError, Authenticated, Credentials, Reason};
use runtime::{Clock, Random};
use secrecy::ExposeSecret;
use store::StoreError;
use tokio_util::sync::CancellationToken;

use crate::accounts::{authenticated, scopes};
use crate::last_used::Uses;
use crate::model::{MAX_SECRETS, StoredAccount, StoredSecret, is_id};
use crate::secret::{Verifier, is_well_formed};
use crate::store::AccountStore;

/// Verifies accounts of the database. Nothing is cached: each request reads the account, so that a change holds from the next one on.
pub(crate) struct StoredAccounts {
    store: AccountStore,
    uses: Uses,
    decoy: Verifier,
}

impl StoredAccounts {
    pub(crate) fn new(store: AccountStore, random: &Random) -> Self {
        Self { store, uses: Uses::default(), decoy: Verifier::decoy(random) }
    }

    pub(crate) fn store(&self) -> &AccountStore {
        &self.store
    }

    /// The account that these credentials belong to.
    ///
    /// # Errors
    /// [`AuthError::Refused`], or [`AuthError::Unavailable`] if the database does not answer.
    pub(crate) async fn authenticate(
        &self,
        credentials: &Credentials,
        now: SystemTime,
    ) -> Result<Authenticated, AuthError> {
        let (id, secret) = (credentials.client_id.as_str(), credentials.secret.expose_secret());
        // junk must not cost a read
        if !is_well_formed(secret) {
            return Err(AuthError::Refused(Reason::Malformed));
        }
        if !is_id(id) {
            return Err(AuthError::Refused(Reason::UnknownUser));
        }
        let account = self.store.find(id).await.map_err(failed)?;
        let used = self.secret_of(account.as_ref(), secret);
        let Some(account) = account.as_ref() else { return Err(AuthError::Refused(Reason::UnknownUser)) };
        let used = used.ok_or(AuthError::Refused(Reason::WrongSecret))?;
        let answer = answer(account, Some(used), now)?;
        self.uses.note(&account.id, used, now, &credentials.caller);
        Ok(answer)
    }

    /// The account of this identifier, for a workload that is the account.
    ///
    /// # Errors
    /// As for [`authenticate`](Self::authenticate).
    pub(crate) async fn granted(&self, id: &str, now: SystemTime) -> Result<Authenticated, AuthError> {
        let account = if is_id(id) { self.store.find(id).await.map_err(failed)? } else { None };
        answer(&account.ok_or(AuthError::Refused(Reason::UnknownUser))?, None, now)
    }

    /// The secret of an account that was presented. There are as many comparisons for every account, and without one, so that the
    /// answer takes as long.
    fn secret_of<'a>(&self, account: Option<&'a StoredAccount>, secret: &str) -> Option<&'a StoredSecret> {
        let secrets = account.map_or(&[][..], |account| &account.secrets);
        let mut found = None;
        for place in 0..secrets.len().max(MAX_SECRETS) {
            let stored = secrets.get(place);
            let accepts = stored.map_or(&self.decoy, |stored| &stored.verifier).accepts(secret);
            found = found.or(stored.filter(|_| accepts));
        }
        found
    }

    /// Writes the uses of secrets down until the service stops.
    pub(crate) async fn keep_writing_uses(&self, clock: Clock, shutdown: CancellationToken) {
        self.uses.keep_writing(&self.store, clock, shutdown).await;
    }
}

/// What an account is answered with, by this secret or without one.
fn answer(account: &StoredAccount, used: Option<&StoredSecret>, now: SystemTime) -> Result<Authenticated, AuthError> {
    let has_ended = account.expires.is_some_and(|end| now >= end);
    let refusal = if account.disabled {
        Some(Reason::Disabled)
    } else if has_ended || used.is_some_and(|used| used.has_ended(now)) {
        Some(Reason::Expired)
    } else {
        None
    };
    if let Some(reason) = refusal {
        return Err(AuthError::Refused(reason));
    }
    let scopes = scopes(&account.scopes).map_err(|unknown| AuthError::Internal(Box::new(unknown)))?;
    let not_after = [account.expires, used.and_then(|used| used.expires)].into_iter().flatten().min();
    Ok(authenticated(&account.id, &account.display_name, scopes, not_after))
}

fn failed(error: StoreError) -> AuthError {
    match error {
        StoreError::Unavailable(_) => AuthError::Unavailable { service: "service accounts", source: Box::new(error) },
        StoreError::Conflict(_) | StoreError::Internal(_) | StoreError::Misconfigured(_) => {
            AuthError::Internal(Box::new(error))
        }
    }
}
