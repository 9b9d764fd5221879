//! From a request's cookie to its access token.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::store::StoreError;
use authn::{Credentials, kind};
use http::HeaderMap;
use secrecy::SecretString;

use super::seal::Purpose;
use super::store::Row;
use super::tokens::Tokens;
use super::{Sessions, csrf};
use crate::admission::Admission;
use crate::asked::Asked;
use crate::credential::Presented;
use crate::identity::Identity;
use crate::multi_factor::SignIn;
use crate::verdict::{Refused, Verdict, is_accepted};

/// How far the last use that is written down may be behind.
const UNWRITTEN: Duration = Duration::from_mins(1);
/// As long after a sign-in it does not help to sign in again.
const JUST_NOW: Duration = Duration::from_mins(1);

impl Sessions {
    /// Who has signed in with this browser.
    ///
    /// # Errors
    /// The verdict: nobody, or another site asks, or who would know cannot be asked.
    pub async fn identify(
        self: &Arc<Self>,
        admission: &Admission,
        asked: &Asked<'_>,
    ) -> Result<Arc<Identity>, Verdict> {
        let missing = Verdict::Unauthenticated(Refused::Missing);
        let Some(key) = self.key(asked.headers) else { return Err(missing) };
        if !csrf::may_pass(asked, &self.site.origin()) {
            return Err(Verdict::CrossSite);
        }
        let Some(row) = self.find(&key).await.map_err(|error| unavailable(&error))? else { return Err(missing) };
        let now = self.clock.now();
        let created = row.created;
        let token = self.access_token(row).await?;
        match admission.identify(asked, Presented::Bearer(token)).await {
            // the issuer has taken it back; whoever has just signed in would be sent in circles
            Err(Verdict::Unauthenticated(_)) if created + JUST_NOW <= now => Err(missing),
            outcome => outcome,
        }
    }

    /// The session with this key, if it has not ended; that it is used is written down.
    pub(super) async fn find(&self, key: &str) -> Result<Option<Row>, StoreError> {
        let Some(row) = self.rows.find(key).await? else { return Ok(None) };
        let now = self.clock.now();
        if self.has_ended(&row, now) {
            self.rows.end(key).await?;
            tracing::info!(target: "audit", event = "session.end", outcome = "success", subject = row.subject, reason = "over");
            return Ok(None);
        }
        if row.used + UNWRITTEN <= now
            && let Err(error) = self.rows.note_use(key, now).await
        {
            // a session that is not written down as used ends the sooner, which is no reason to end it now
            tracing::warn!(%error, "that a session is used is not written down for now");
        }
        Ok(Some(row))
    }

    /// Whether the session with this key has not ended, here and as far as the gateway and the issuer say. That is no use of it.
    ///
    /// # Errors
    /// The verdict, where that cannot be told.
    pub(crate) async fn is_alive(self: &Arc<Self>, admission: &Admission, key: &str) -> Result<bool, Verdict> {
        let Some(row) = self.rows.find(key).await.map_err(|error| unavailable(&error))? else { return Ok(false) };
        if self.has_ended(&row, self.clock.now()) {
            return Ok(false);
        }
        let answer = async {
            let credentials = Credentials::new("", self.access_token(row).await?);
            admission.ask(kind::BEARER, &credentials).await
        };
        is_accepted(answer.await)
    }

    /// How the user of the session that a request brings has signed in; `None` without a session.
    pub(crate) async fn sign_in(&self, headers: &HeaderMap) -> Option<SignIn> {
        let row = self.rows.find(&self.key(headers)?).await.ok()??;
        self.open_tokens(&row).map(|tokens| tokens.sign_in)
    }

    fn has_ended(&self, row: &Row, now: SystemTime) -> bool {
        row.ends <= now || row.used + self.idle <= now
    }

    /// What a row holds; nothing if another secret has sealed it.
    pub(super) fn open_tokens(&self, row: &Row) -> Option<Tokens> {
        self.sealer.open(Purpose::Tokens(&row.key), &row.tokens)
    }

    /// The access token that a row holds.
    pub(super) fn access_of(&self, row: &Row) -> Result<SecretString, Verdict> {
        let tokens = self.open_tokens(row).ok_or(Verdict::Unauthenticated(Refused::Missing))?;
        Ok(SecretString::from(tokens.access))
    }
}

/// The store fails, so that nobody knows.
pub(crate) fn unavailable(error: &StoreError) -> Verdict {
    tracing::warn!(%error, "the sessions cannot be read");
    Verdict::Unavailable
}
