//! Authentication by the session cookie.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::store::StoreError;
use authn::audit::Event;
use authn::{Credentials, kind};
use http::HeaderMap;
use secrecy::SecretString;
use web::origin;

use super::Sessions;
use super::seal::Purpose;
use super::tokens::Tokens;
use crate::authentication::Authentication;
use crate::credential::Credential;
use crate::identity::Identity;
use crate::request_info::RequestInfo;
use crate::sign_in::SignIn;
use crate::store::sessions::Row;
use crate::verdict::{CredentialError, Verdict, is_accepted};

/// How far the stored time of the last use may lag.
const USE_LAG: Duration = Duration::from_mins(1);
/// An issuer in this process says for 24 hours that a session has ended: one that was not used for nearly as long may have.
const MOST_UNWATCHED: Duration = Duration::from_hours(23);
/// The time after a sign-in in which the user is not asked to sign in again.
const JUST_NOW: Duration = Duration::from_mins(1);

impl Sessions {
    /// The user of the session.
    ///
    /// # Errors
    /// The verdict: there is no session, the request is cross-site, or the gateway, the store or the issuer does not answer.
    pub async fn identify(
        self: &Arc<Self>,
        authentication: &Authentication,
        info: &RequestInfo<'_>,
    ) -> Result<Arc<Identity>, Verdict> {
        let missing = Verdict::Unauthenticated(CredentialError::Missing);
        let Some(key) = self.key(info.headers) else { return Err(missing) };
        if !origin::may_use_cookie(info.method, info.headers, &[&self.site.origin(), &info.origin()]) {
            return Err(Verdict::CrossSite);
        }
        let Some(row) = self.find(&key).await.map_err(|error| unavailable(&error))? else { return Err(missing) };
        if self.has_ended_at_issuer(&row).is_none() {
            return Err(Verdict::Unavailable);
        }
        let now = self.clock.now();
        let created = row.created;
        let token = self.access_token(row).await?;
        match authentication.identify(info, Credential::Bearer(token)).await {
            // The token was revoked. After a recent sign-in, a redirect to the issuer would make a loop.
            Err(Verdict::Unauthenticated(_)) if created + JUST_NOW <= now => Err(missing),
            outcome => outcome,
        }
    }

    /// The session with this key, if it has not ended. Stores the time of its use.
    pub(super) async fn find(&self, key: &str) -> Result<Option<Row>, StoreError> {
        let Some(row) = self.rows.find(key).await? else { return Ok(None) };
        let now = self.clock.now();
        if self.has_ended(&row, now) {
            self.rows.end(key).await?;
            Event { subject: &row.subject, reason: &"over", ..Event::new("session.end", "success") }.log();
            return Ok(None);
        }
        if row.used + USE_LAG <= now
            && let Err(error) = self.rows.note_use(key, now).await
        {
            // The session may end earlier, which is no reason to end it now.
            tracing::warn!(%error, "cannot store the last use of a session");
        }
        Ok(Some(row))
    }

    /// Whether the session with this key has not ended, here and at the gateway and the issuer. Does not count as a use.
    ///
    /// # Errors
    /// The verdict, if that is unknown at present.
    pub(crate) async fn is_alive(
        self: &Arc<Self>,
        authentication: &Authentication,
        key: &str,
    ) -> Result<bool, Verdict> {
        let Some(row) = self.rows.find(key).await.map_err(|error| unavailable(&error))? else { return Ok(false) };
        if self.has_ended(&row, self.clock.now()) {
            return Ok(false);
        }
        if self.has_ended_at_issuer(&row).is_none() {
            return Err(Verdict::Unavailable);
        }
        let answer = async {
            let credentials = Credentials::new("", self.access_token(row).await?);
            authentication.authenticate(kind::BEARER, &credentials).await
        };
        is_accepted(answer.await)
    }

    /// The sign-in of a request's session; `None` without a session.
    pub(crate) async fn sign_in(&self, headers: &HeaderMap) -> Option<SignIn> {
        let row = self.rows.find(&self.key(headers)?).await.ok()??;
        self.open_tokens(&row).map(|tokens| tokens.sign_in)
    }

    /// Whether the browser of a request's session may be sent to the issuer for further factors. Where that was done for this
    /// session already, the issuer does not give what is needed, and a redirect would make a loop.
    pub(crate) async fn may_step_up(&self, headers: &HeaderMap) -> bool {
        let Some(key) = self.key(headers) else { return false };
        let Ok(Some(row)) = self.rows.find(&key).await else { return false };
        self.open_tokens(&row).is_some_and(|tokens| !tokens.stepped_up)
    }

    fn has_ended(&self, row: &Row, now: SystemTime) -> bool {
        let is_watched = self.ended_at_issuer.is_some() && row.sid.is_some();
        let idle = if is_watched { self.idle.min(MOST_UNWATCHED) } else { self.idle };
        row.ends <= now || row.used + idle <= now || self.has_ended_at_issuer(row) == Some(true)
    }

    /// Whether an issuer in this process has ended the session of the sign-in (`docs/security-requirements.md#r9`); `None` while that
    /// is unknown.
    pub(super) fn has_ended_at_issuer(&self, row: &Row) -> Option<bool> {
        match self.ended_at_issuer.as_ref().zip(row.sid.as_deref()) {
            Some((ended, sid)) => ended.has_ended(self.issuer.source().name(), sid),
            None => Some(false),
        }
    }

    /// The tokens of a row; `None` if another secret has sealed them.
    pub(super) fn open_tokens(&self, row: &Row) -> Option<Tokens> {
        self.sealer.open(Purpose::Tokens(&row.key), &row.tokens)
    }

    /// The access token of a row.
    pub(super) fn access_of(&self, row: &Row) -> Result<SecretString, Verdict> {
        let tokens = self.open_tokens(row).ok_or(Verdict::Unauthenticated(CredentialError::Missing))?;
        Ok(SecretString::from(tokens.access))
    }
}

/// The verdict if the store fails.
pub(crate) fn unavailable(error: &StoreError) -> Verdict {
    tracing::warn!(%error, "the sessions cannot be read");
    Verdict::Unavailable
}
