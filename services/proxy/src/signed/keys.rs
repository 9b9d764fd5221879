//! The keys of signed URLs. Each belongs to one user and to what has fetched it: a browser session, or the session of an access
//! token. It verifies for [`LIFE`] at most; a fetch after [`RENEWED_AFTER`] makes another, beside which it verifies until the links
//! have ended that were signed with it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::store::{Database, StoreError};
use authn::{EndedSessions, User, UserId};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use runtime::{Clock, Random};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::LONGEST;
use super::fetcher::{AccessToken, Fetcher};
use super::store::{Row, Rows};
use crate::session::seal::{Purpose, Sealer};
use crate::session::store::{Ended, micros};
use crate::verdict::Verdict;

/// How long a key verifies.
pub const LIFE: Duration = Duration::from_hours(7 * 24);
/// After which time a fetch makes another.
pub const RENEWED_AFTER: Duration = Duration::from_hours(24);
/// The most keys of a user: each of them is tried when a signature is verified.
const MOST: u64 = 10;
/// How often those that have ended are removed.
const PRUNED_EVERY: Duration = Duration::from_mins(10);
/// After which time a sign-out is noted again that the database has not taken.
const AGAIN: Duration = Duration::from_secs(5);

/// The keys.
pub struct Keys {
    rows: Rows,
    sealer: Sealer,
    random: Random,
}

/// A key.
pub struct Key {
    id: String,
    /// What URLs are signed with.
    pub secret: SecretString,
    /// The login of its user when it was made.
    pub login: String,
    /// Its user.
    pub(super) user: UserId,
    /// What has fetched it.
    pub(super) fetcher: Fetcher,
    /// When it was made: not before the last change of the password.
    pub(super) created: SystemTime,
}

impl Key {
    /// Whether the password was changed after the key was made; both in the microseconds that a database keeps.
    pub(super) fn is_older_than(&self, password_changed: Option<SystemTime>) -> bool {
        password_changed.is_some_and(|changed| micros(self.created) < micros(changed))
    }
}

/// What a row holds, sealed.
#[derive(Serialize, Deserialize)]
struct Secrets {
    key: String,
    /// The access token that has fetched it.
    token: Option<String>,
}

impl Keys {
    /// Those in this database, whose schema is up to date. The machine key seals them.
    pub fn new(database: Database, machine_key: &str, random: Random) -> Self {
        Self { rows: Rows::new(database), sealer: Sealer::of_machine_key(machine_key, random.clone()), random }
    }

    /// The keys that verify what was signed with this login.
    pub(super) async fn of_login(&self, login: &str, now: SystemTime) -> Result<Vec<Key>, Verdict> {
        let rows = self.rows.of_login(login, now).await.map_err(|error| unavailable(&error))?;
        Ok(rows.into_iter().filter_map(|row| self.open(row)).collect())
    }

    /// The key of a fetcher: the one that it has, unless that is older than [`RENEWED_AFTER`], or than the password.
    pub(super) async fn hand_out(
        &self,
        user: &User,
        fetcher: Fetcher,
        password_changed: Option<SystemTime>,
        now: SystemTime,
    ) -> Result<Key, Verdict> {
        let name = fetcher.name();
        let rows = self.rows.of_fetcher(&user.id.opaque_id, &name, now).await.map_err(|error| unavailable(&error))?;
        let is_recent = |key: &Key| {
            !key.is_older_than(password_changed) && key.created + RENEWED_AFTER > now && key.login == user.username
        };
        let held = rows.into_iter().filter_map(|row| self.open(row)).find(is_recent);
        if let Some(held) = held
            && let Some(key) = self.hand_out_again(held, &fetcher).await?
        {
            return Ok(key);
        }
        let created = User { password_changed, ..User::default() }.credential_time(now);
        let secret = URL_SAFE_NO_PAD.encode(self.random.bytes::<32>()).into();
        let (login, id) = (user.username.clone(), URL_SAFE_NO_PAD.encode(self.random.bytes::<16>()));
        let key = Key { id, secret, login, user: user.id.clone(), fetcher, created };
        let row = self.row(&key, name);
        self.rows.add(&row, now + LONGEST, MOST).await.map_err(|error| unavailable(&error))?;
        tracing::info!(target: "audit", event = "signing_key.begin", outcome = "success", subject = row.user_id);
        Ok(key)
    }

    /// A key that its fetcher has already; `None` if it has ended meanwhile. From now on the access token counts that was brought.
    async fn hand_out_again(&self, held: Key, fetcher: &Fetcher) -> Result<Option<Key>, Verdict> {
        let Fetcher::Token(token) = fetcher else { return Ok(Some(held)) };
        let sealed = self.seal(&held, fetcher);
        let is_there = self.rows.replace_token(&held.id, &sealed, token.end).await;
        Ok(is_there.map_err(|error| unavailable(&error))?.then_some(held))
    }

    /// Ends a key.
    pub(super) async fn end(&self, key: &Key, reason: &str) -> Result<(), Verdict> {
        if self.rows.end(&key.id).await.map_err(|error| unavailable(&error))? {
            let subject = &key.user.opaque_id;
            tracing::info!(target: "audit", event = "signing_key.end", outcome = "success", subject, reason);
        }
        Ok(())
    }

    /// Ends what the issuer says has ended. What the database does not take now it takes later: the issuer tells it once.
    pub(crate) async fn end_by(self: &Arc<Self>, issuer: String, ended: Ended) {
        let Err(error) = self.try_end_by(&issuer, &ended).await else { return };
        tracing::warn!(%error, "the keys of a session that has ended are not ended for now");
        let keys = Arc::clone(self);
        tokio::spawn(async move {
            while keys.try_end_by(&issuer, &ended).await.is_err() {
                tokio::time::sleep(AGAIN).await;
            }
        });
    }

    async fn try_end_by(&self, issuer: &str, ended: &Ended) -> Result<(), StoreError> {
        let count = self.rows.end_by(issuer, ended).await?;
        if count > 0 {
            let (sid, reason) = (&ended.sid, "the issuer has ended its session");
            tracing::info!(target: "audit", event = "signing_key.end", outcome = "success", issuer, sid, count, reason);
        }
        Ok(())
    }

    fn open(&self, row: Row) -> Option<Key> {
        // sealed under another machine key, it is none any more
        let secrets: Secrets = self.sealer.open(Purpose::SigningKey(&row.id), &row.sealed)?;
        let fetcher = match (row.session, secrets.token) {
            (Some(session), None) => Fetcher::Session(session),
            (None, Some(token)) => Fetcher::Token(AccessToken {
                secret: token.into(),
                issuer: row.issuer,
                subject: row.subject,
                sid: row.sid,
                // tells one fetcher from another, which is all that it is for
                client: None,
                end: row.token_end,
            }),
            _ => return None,
        };
        let user = UserId { idp: row.user_idp, opaque_id: row.user_id, ..UserId::default() };
        let secret = secrets.key.into();
        Some(Key { id: row.id, secret, login: row.login, user, fetcher, created: row.created })
    }

    fn seal(&self, key: &Key, fetcher: &Fetcher) -> Vec<u8> {
        let token = match fetcher {
            Fetcher::Session(_) => None,
            Fetcher::Token(token) => Some(token.secret.expose_secret().to_owned()),
        };
        let secrets = Secrets { key: key.secret.expose_secret().to_owned(), token };
        self.sealer.seal(Purpose::SigningKey(&key.id), &secrets)
    }

    fn row(&self, key: &Key, fetcher: String) -> Row {
        let (session, token) = match &key.fetcher {
            Fetcher::Session(session) => (Some(session.clone()), None),
            Fetcher::Token(token) => (None, Some(token)),
        };
        Row {
            id: key.id.clone(),
            login: key.login.clone(),
            user_id: key.user.opaque_id.clone(),
            user_idp: key.user.idp.clone(),
            fetcher,
            session,
            issuer: token.and_then(|token| token.issuer.clone()),
            subject: token.and_then(|token| token.subject.clone()),
            sid: token.and_then(|token| token.sid.clone()),
            sealed: self.seal(key, &key.fetcher),
            token_end: token.and_then(|token| token.end),
            created: key.created,
            ends: key.created + LIFE,
        }
    }

    /// Removes the keys that have ended. What an issuer of this process has ended is remembered there for a day, and the key may be used
    /// after it.
    pub(super) async fn prune(&self, ended: Option<&dyn EndedSessions>, now: SystemTime) -> Result<(), StoreError> {
        self.rows.prune(now).await?;
        let Some(ended) = ended else { return Ok(()) };
        for (issuer, sid) in self.rows.token_sessions().await? {
            if ended.has_ended(&issuer, &sid) == Some(true) {
                self.rows.end_session(&issuer, &sid).await?;
            }
        }
        Ok(())
    }
}

/// Removes keys that have ended every now and then.
pub(super) async fn keep_pruning(keys: Arc<Keys>, ended: Option<Arc<dyn EndedSessions>>, clock: Clock) {
    loop {
        tokio::time::sleep(PRUNED_EVERY).await;
        if let Err(error) = keys.prune(ended.as_deref(), clock.now()).await {
            tracing::warn!(%error, "keys of signed URLs that have ended are not removed");
        }
    }
}

/// The verdict while the store fails.
fn unavailable(error: &StoreError) -> Verdict {
    tracing::warn!(%error, "the keys of signed URLs cannot be read or written");
    Verdict::Unavailable
}
