//! The keys of signed URLs. Each belongs to one user and to what has fetched it: a browser session, or the session of an access
//! token. It is valid for [`LIFETIME`]; a fetch after [`RENEWED_AFTER`] creates another, and the former stays valid until the
//! last link that it has signed has expired.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::store::columns::micros;
use ::store::{Database, StoreError};
use authn::audit::Event;
use authn::{EndedSessions, User, UserId};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use runtime::Random;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::LONGEST;
use super::fetcher::{AccessToken, Fetcher};
use super::machine_key::MachineKey;
use crate::session::seal::{Purpose, Sealer};
use crate::store::Ended;
use crate::store::signing_keys::{Row, Rows};
use crate::verdict::Verdict;

/// The lifetime of a key.
pub const LIFETIME: Duration = Duration::from_hours(7 * 24);
/// The age from which on a fetch creates another key.
pub const RENEWED_AFTER: Duration = Duration::from_hours(24);
/// The most keys of a user. Verifying a signature tries each of them.
const MOST: u64 = 10;
/// The time between attempts to record a sign-out.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// The keys.
pub struct Keys {
    rows: Rows,
    machine_key: Arc<MachineKey>,
    random: Random,
}

/// A key.
pub struct Key {
    id: String,
    /// The secret that signs URLs.
    pub secret: SecretString,
    /// The login of its user at its creation.
    pub login: String,
    /// Its user.
    pub(super) user: UserId,
    /// What has fetched it.
    pub(super) fetcher: Fetcher,
    /// The time of its creation, not before the last change of the password.
    pub(super) created: SystemTime,
}

impl Key {
    /// Whether the password was changed after the creation of the key; both in microseconds, as the database has them.
    pub(super) fn is_older_than(&self, password_changed: Option<SystemTime>) -> bool {
        password_changed.is_some_and(|changed| micros(self.created) < micros(changed))
    }
}

/// The sealed content of a row.
#[derive(Serialize, Deserialize)]
struct Secrets {
    key: String,
    /// The access token that has fetched it.
    token: Option<String>,
}

impl Keys {
    /// The keys in this database, whose schema is up to date. The machine key seals them.
    pub(crate) fn new(database: Database, machine_key: Arc<MachineKey>, random: Random) -> Self {
        Self { rows: Rows::new(database), machine_key, random }
    }

    /// The keys that may have signed a URL of this login.
    pub(super) async fn of_login(&self, login: &str, now: SystemTime) -> Result<Vec<Key>, Verdict> {
        let rows = self.rows.of_login(login, now).await.map_err(|error| unavailable(&error))?;
        Ok(rows.into_iter().filter_map(|row| self.open(row)).collect())
    }

    /// The key of a fetcher: its present one, unless that is older than [`RENEWED_AFTER`] or than the password.
    pub(super) async fn issue(
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
            && let Some(key) = self.reissue(held, &fetcher).await?
        {
            return Ok(key);
        }
        let created = User { password_changed, ..User::default() }.credential_time(now);
        let secret = URL_SAFE_NO_PAD.encode(self.random.bytes::<32>()).into();
        let (login, id) = (user.username.clone(), URL_SAFE_NO_PAD.encode(self.random.bytes::<16>()));
        let key = Key { id, secret, login, user: user.id.clone(), fetcher, created };
        let row = self.row(&key, name);
        self.rows.add(&row, now + LONGEST, MOST).await.map_err(|error| unavailable(&error))?;
        Event { subject: &row.user_id, ..Event::new("signing_key.begin", "success") }.log();
        Ok(key)
    }

    /// The present key of a fetcher; `None` if it has ended meanwhile. It now ends with the access token of this request.
    async fn reissue(&self, held: Key, fetcher: &Fetcher) -> Result<Option<Key>, Verdict> {
        let Fetcher::Token(token) = fetcher else { return Ok(Some(held)) };
        let sealed = self.seal(&held, fetcher);
        let is_there = self.rows.replace_token(&held.id, &sealed, token.end).await;
        Ok(is_there.map_err(|error| unavailable(&error))?.then_some(held))
    }

    /// Ends a key.
    pub(super) async fn end(&self, key: &Key, reason: &str) -> Result<(), Verdict> {
        if self.rows.end(&key.id).await.map_err(|error| unavailable(&error))? {
            Event { subject: &key.user.opaque_id, reason: &reason, ..Event::new("signing_key.end", "success") }.log();
        }
        Ok(())
    }

    /// Ends the keys of a session that the issuer has ended. Retries while the database fails, since the issuer notifies only once.
    pub(crate) async fn end_by(self: &Arc<Self>, issuer: String, ended: Ended) {
        let Err(error) = self.try_end_by(&issuer, &ended).await else { return };
        tracing::warn!(%error, "cannot end the keys of an ended session; trying again");
        let keys = Arc::clone(self);
        tokio::spawn(async move {
            while keys.try_end_by(&issuer, &ended).await.is_err() {
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
        });
    }

    async fn try_end_by(&self, issuer: &str, ended: &Ended) -> Result<(), StoreError> {
        let count = self.rows.end_by(issuer, ended).await?;
        if count > 0 {
            let (sid, reason) = (&ended.sid, "the issuer has ended the session");
            Event { issuer: &issuer, sid, count: &count, reason: &reason, ..Event::new("signing_key.end", "success") }
                .log();
        }
        Ok(())
    }

    fn open(&self, row: Row) -> Option<Key> {
        // A key sealed under a machine key before the previous one is lost.
        let open = |sealer: &Sealer| sealer.open(Purpose::SigningKey(&row.id), &row.sealed);
        let secrets: Secrets = self.machine_key.open_with(open)?;
        let fetcher = match (row.session, secrets.token) {
            (Some(session), None) => Fetcher::Session(session),
            (None, Some(token)) => Fetcher::Token(AccessToken {
                secret: token.into(),
                issuer: row.issuer,
                subject: row.subject,
                sid: row.sid,
                // Only distinguishes fetchers.
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
        self.machine_key.with_sealer(|sealer| sealer.seal(Purpose::SigningKey(&key.id), &secrets))
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
            ends: key.created + LIFETIME,
        }
    }

    /// Removes ended keys; how many. An issuer in this process remembers ended sessions only for a day, so that their keys are removed here.
    pub(super) async fn prune(&self, ended: Option<&dyn EndedSessions>, now: SystemTime) -> Result<u64, StoreError> {
        let mut count = self.rows.prune(now).await?;
        let Some(ended) = ended else { return Ok(count) };
        for (issuer, sid) in self.rows.token_sessions().await? {
            if ended.has_ended(&issuer, &sid) == Some(true) {
                count += self.rows.end_session(&issuer, &sid).await?;
            }
        }
        Ok(count)
    }
}

/// The verdict if the store fails.
fn unavailable(error: &StoreError) -> Verdict {
    tracing::warn!(%error, "the keys of signed URLs cannot be read or written");
    Verdict::Unavailable
}
