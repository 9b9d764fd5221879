//! Refreshes a session's tokens before the access token expires (RFC 6749 6). One caller of all replicas does so at a time: an issuer
//! may take a reused refresh token for a stolen one, and revoke all tokens (RFC 9700 4.14.2).

use std::sync::Arc;
use std::time::Duration;

use authn::audit::Event;
use secrecy::SecretString;

use super::access::unavailable;
use super::seal::Purpose;
use super::tokens::{TokenError, Tokens};
use super::{Exchange, Sessions};
use crate::store::sessions::Row;
use crate::verdict::{CredentialError, Verdict};

/// How long before its expiry an access token is refreshed.
const AHEAD: Duration = Duration::from_secs(30);
/// How long a replica may take to refresh; longer than the timeout of a call to the issuer.
const CLAIM: Duration = Duration::from_secs(15);
/// The interval and number of checks whether another replica has refreshed the tokens.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
const POLLS: u32 = 120;

const ENDED: Verdict = Verdict::Unauthenticated(CredentialError::Missing);

impl Sessions {
    /// The access token of a session, refreshed if it expires soon.
    ///
    /// # Errors
    /// The verdict: the session has ended, or the store or the issuer does not answer.
    pub(super) async fn access_token(self: &Arc<Self>, row: Row) -> Result<SecretString, Verdict> {
        if row.access_end > self.clock.now() + AHEAD {
            return self.access_of(&row);
        }
        let sessions = Arc::clone(self);
        // The task completes even if the client disconnects: the issuer redeems a refresh token only once.
        let exchange = tokio::spawn(async move { sessions.exchange_alone(&row.key).await });
        exchange.await.unwrap_or(Err(Verdict::Unavailable))
    }

    async fn exchange_alone(&self, key: &str) -> Result<SecretString, Verdict> {
        let lock = self.exchanging.get_with(key.to_owned(), Exchange::default).0;
        let _alone = lock.lock().await;
        for _ in 0..POLLS {
            // Another caller may have refreshed them.
            let row = self.rows.find(key).await.map_err(|error| unavailable(&error))?.ok_or(ENDED)?;
            let now = self.clock.now();
            if row.access_end > now + AHEAD {
                return self.access_of(&row);
            }
            let tokens = self.open_tokens(&row).ok_or(ENDED)?;
            let Some(refresh) = &tokens.refresh else { return self.to_its_end(&row, tokens).await };
            let claimed = self.rows.claim(key, row.version, now, now + CLAIM).await;
            if claimed.map_err(|error| unavailable(&error))? {
                match self.exchange(&row, refresh, &tokens).await? {
                    Some(access) => return Ok(access),
                    None => continue,
                }
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Err(Verdict::Unavailable)
    }

    /// Without a refresh token, the session ends with its access token.
    async fn to_its_end(&self, row: &Row, tokens: Tokens) -> Result<SecretString, Verdict> {
        if row.access_end > self.clock.now() {
            return Ok(SecretString::from(tokens.access));
        }
        self.end_refused(row, "the access token has expired").await?;
        Err(ENDED)
    }

    /// Refreshes the tokens; `None` if another caller has done so, or the session has ended meanwhile.
    async fn exchange(&self, row: &Row, refresh: &str, held: &Tokens) -> Result<Option<SecretString>, Verdict> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        let granted = match self.client.redeem(&self.issuer, &form).await {
            Ok(granted) => granted,
            Err(TokenError::InvalidGrant) => {
                self.end_refused(row, "the issuer refuses the refresh token").await?;
                return Ok(None);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot refresh the tokens of a session");
                self.rows.give_back(&row.key, row.version).await.map_err(|error| unavailable(&error))?;
                let is_good = row.access_end > self.clock.now();
                return if is_good { self.access_of(row).map(Some) } else { Err(Verdict::Unavailable) };
            }
        };
        let end = self.clock.now() + granted.life();
        let tokens = Tokens {
            access: granted.access_token,
            // An issuer that does not rotate refresh tokens sends none (RFC 6749 6).
            refresh: Some(granted.refresh_token.unwrap_or_else(|| refresh.to_owned())),
            // Every issuer accepts the ID token of the sign-in as `id_token_hint`.
            id: held.id.clone(),
            sign_in: held.sign_in.clone(),
            stepped_up: held.stepped_up,
            finished: held.finished.clone(),
        };
        let sealed = self.sealer.seal(Purpose::Tokens(&row.key), &tokens);
        let renewed =
            self.rows.renew(&row.key, row.version, &sealed, end).await.map_err(|error| unavailable(&error))?;
        Ok(renewed.then(|| SecretString::from(tokens.access)))
    }

    async fn end_refused(&self, row: &Row, reason: &str) -> Result<(), Verdict> {
        if self.rows.end_at(&row.key, row.version).await.map_err(|error| unavailable(&error))? {
            Event { subject: &row.subject, reason: &reason, ..Event::new("session.end", "success") }.log();
        }
        Ok(())
    }
}
