//! Signed URLs: a link that a web client has made for one file and a short time, as those of oCIS and ownCloud do for downloads,
//! where a browser sends no header.
//!
//! The signature is PBKDF2 with HMAC-SHA512 (10,000 rounds, 32 bytes, hexadecimal) of the URL as it was before `OC-Algo` and
//! `OC-Signature` were added, under a key that the user's client has fetched at [`ocs::PATHS`]. Keys are random, and each belongs
//! to what has fetched it, and ends with it (`keys`, row E16).

pub(crate) mod fetcher;
pub mod keys;
pub(crate) mod logout;
pub mod ocs;
pub(crate) mod store;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::store::Database;
use authn::{Caller, Credentials, EndedSessions, UserId};
use aws_lc_rs::pbkdf2;
use http::Method;
use runtime::{Clock, Context, Task};
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::admission::Admission;
use crate::asked::Asked;
use crate::config::Config;
use crate::identity::Identity;
use crate::session::Sessions;
use crate::verdict::{Refused, Verdict};
use fetcher::Fetcher;
use keys::{Key, Keys};

const SIGNATURE: &str = "OC-Signature";
/// Clients add it after they have signed.
const ALGORITHM: &str = "OC-Algo";
const ROUNDS: std::num::NonZeroU32 = std::num::NonZeroU32::new(10_000).expect("is not zero");
/// How many signatures are verified at a time; each takes milliseconds of a core, and anybody may present one.
const AT_ONCE: usize = 2;
/// The longest life of a signed URL.
const LONGEST: Duration = Duration::from_hours(24);
/// How far a client's clock may be ahead.
const AHEAD: Duration = Duration::from_mins(1);

const INVALID: Verdict = Verdict::Unauthenticated(Refused::Invalid);

/// Verifies signed URLs, and hands out the keys to sign them with.
pub struct Signed {
    keys: Arc<Keys>,
    machine_key: SecretString,
    /// The sessions of an issuer in this process.
    ended_sessions: Option<Arc<dyn EndedSessions>>,
    permits: Semaphore,
}

/// What a signed URL says, before it is believed.
struct Claim {
    login: String,
    signature: Vec<u8>,
    /// What was signed; a second form where the path has a `$`, which some clients encode.
    texts: Vec<String>,
}

/// The user of a key at this moment.
struct Current {
    identity: Arc<Identity>,
    password_changed: Option<SystemTime>,
}

impl Signed {
    /// With the keys in this database, whose schema is up to date; `None` if there are to be no signed URLs.
    pub fn open(database: &Database, config: &Config, context: &Context) -> Option<Self> {
        let machine_key = config.machine_auth_api_key.expose();
        let keys = || Keys::new(database.clone(), machine_key, context.random.clone());
        config.accepts_signed_urls().then(|| Self::new(Arc::new(keys()), machine_key.into()))
    }

    /// Keys are kept here, and the gateway believes the machine key about their users.
    pub fn new(keys: Arc<Keys>, machine_key: SecretString) -> Self {
        Self { keys, machine_key, ended_sessions: None, permits: Semaphore::new(AT_ONCE) }
    }

    /// The same beside an issuer that tells which sessions have ended.
    #[must_use]
    pub fn beside(self, ended_sessions: Option<Arc<dyn EndedSessions>>) -> Self {
        Self { ended_sessions, ..self }
    }

    /// What runs beside the listeners: it removes keys that have ended.
    pub fn task(&self, clock: Clock, shutdown: CancellationToken) -> Task {
        let pruning = keys::keep_pruning(Arc::clone(&self.keys), self.ended_sessions.clone(), clock);
        Task::new("signing-keys", async move {
            shutdown.run_until_cancelled(pruning).await;
        })
    }

    /// The keys that users' clients sign with.
    pub fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    /// Whether a request is by a signed URL.
    pub fn is_one(asked: &Asked<'_>) -> bool {
        parameters(asked).any(|(name, _)| name == SIGNATURE)
    }

    /// Who has signed the URL, if it is good and its key has not ended: not before the user's last change of the password, and not
    /// without the session that has fetched it.
    ///
    /// # Errors
    /// The verdict, where it is none that lets pass.
    pub async fn identify(
        &self,
        asked: &Asked<'_>,
        admission: &Admission,
        sessions: Option<&Arc<Sessions>>,
    ) -> Result<Arc<Identity>, Verdict> {
        let now = admission.now();
        let claim = Claim::read(asked, now).ok_or(INVALID)?;
        let keys = self.keys.of_login(&claim.login, now).await?;
        let key = self.signed_by(claim, keys).await?;
        match self.holds(&key, asked, admission, sessions, now).await? {
            Ok(identity) => Ok(identity),
            Err(reason) => {
                self.keys.end(&key, reason).await?;
                Err(INVALID)
            }
        }
    }

    /// The key that a URL was signed with, among those of its login.
    async fn signed_by(&self, claim: Claim, keys: Vec<Key>) -> Result<Key, Verdict> {
        let busy = Verdict::Busy { retry_after: Duration::from_secs(1) };
        let _permit = self.permits.try_acquire().map_err(|_| busy)?;
        let found = tokio::task::spawn_blocking(move || {
            if keys.is_empty() {
                // takes as long as with a key, which hides the logins that have one
                claim.verifies(b"no key");
            }
            keys.into_iter().find(|key| claim.verifies(key.secret.expose_secret().as_bytes()))
        });
        found.await.ok().flatten().ok_or(INVALID)
    }

    /// Whether a key still counts: who its user is, or why it has ended.
    async fn holds(
        &self,
        key: &Key,
        asked: &Asked<'_>,
        admission: &Admission,
        sessions: Option<&Arc<Sessions>>,
        now: SystemTime,
    ) -> Result<Result<Arc<Identity>, &'static str>, Verdict> {
        let has_ended = self.ended_sessions.as_ref().map_or(Some(false), |ended| key.fetcher.has_ended(ended.as_ref()));
        if has_ended.ok_or(Verdict::Unavailable)? || !key.fetcher.is_alive(admission, sessions, now).await? {
            return Ok(Err("its session has ended"));
        }
        let Some(current) = self.current(&key.user, asked, admission).await? else {
            return Ok(Err("its user is gone or disabled"));
        };
        let user = &current.identity.claims.user;
        if !user.id.is_same(&key.user) || user.username != key.login {
            return Ok(Err("its login is another user's"));
        }
        if key.is_older_than(current.password_changed) {
            return Ok(Err("the password was changed"));
        }
        Ok(Ok(current.identity))
    }

    /// The key for a request that asks for one; `None` if it may have none: keys are for browser sessions and access tokens of users
    /// for whom the machine key may act.
    ///
    /// # Errors
    /// The verdict, where the gateway or the store does not answer.
    pub async fn key_for(
        &self,
        identity: &Identity,
        asked: &Asked<'_>,
        admission: &Admission,
        sessions: Option<&Arc<Sessions>>,
    ) -> Result<Option<Key>, Verdict> {
        let Some(fetcher) = Fetcher::of(asked, identity, sessions) else { return Ok(None) };
        let (now, id) = (admission.now(), &identity.claims.user.id);
        let current = match self.current(id, asked, admission).await {
            Ok(Some(current)) => current,
            Ok(None) | Err(Verdict::Unauthenticated(_) | Verdict::Forbidden) => return Ok(None),
            Err(verdict) => return Err(verdict),
        };
        let user = &current.identity.claims.user;
        if !user.id.is_same(id) {
            return Ok(None);
        }
        self.keys.hand_out(user, fetcher, current.password_changed, now).await.map(Some)
    }

    /// What the gateway says of a user; `None` if there is no such user, or not any more. It is asked by identifier: a login may be
    /// another user's by now.
    async fn current(&self, id: &UserId, asked: &Asked<'_>, admission: &Admission) -> Result<Option<Current>, Verdict> {
        let caller = Caller { source: asked.source, ..Caller::default() };
        let client_id = format!("userid:{}", id.opaque_id);
        let credentials = Credentials { client_id, secret: self.machine_key.clone(), caller };
        let found = admission.impersonate(&credentials).await?;
        Ok(found.map(|(identity, password_changed)| Current { identity, password_changed }))
    }
}

impl Claim {
    /// Reads what a URL says; `None` if it lacks something, is for something else, or has ended.
    fn read(asked: &Asked<'_>, now: SystemTime) -> Option<Self> {
        let one = |wanted: &str| {
            let mut values = parameters(asked).filter(|(name, _)| name == wanted).map(|(_, value)| value);
            values.next().filter(|_| values.next().is_none())
        };
        // what reads, and nothing else
        let is_read = *asked.method == Method::GET && one("OC-Verb")? == "GET";
        let date: SystemTime = OffsetDateTime::parse(&one("OC-Date")?, &Rfc3339).ok()?.into();
        let life = Duration::from_secs(one("OC-Expires")?.parse().ok()?);
        let is_current = date <= now + AHEAD && life <= LONGEST && date.checked_add(life)? > now;
        let login = one("OC-Credential")?.into_owned();
        let signature = hex(&one(SIGNATURE)?)?;
        if !is_read || !is_current || login.is_empty() {
            return None;
        }
        let rest = parameters(asked).filter(|(name, _)| name != SIGNATURE && name != ALGORITHM);
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(rest).finish();
        let text = |path: &str| format!("https://{}{path}?{query}", asked.host);
        let path = asked.path.raw();
        let mut texts = vec![text(path)];
        if path.contains('$') {
            texts.push(text(&path.replace('$', "%24")));
        }
        Some(Self { login, signature, texts })
    }

    /// Whether it was signed with this key.
    fn verifies(&self, key: &[u8]) -> bool {
        let verify = |text: &String| {
            pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA512, ROUNDS, key, text.as_bytes(), &self.signature).is_ok()
        };
        self.texts.iter().any(verify)
    }
}

fn parameters<'a>(
    asked: &'a Asked<'_>,
) -> impl Iterator<Item = (std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)> {
    form_urlencoded::parse(asked.query.unwrap_or_default().as_bytes())
}

/// 32 bytes, in lower or upper case.
fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).ok();
    if digits { (0..text.len()).step_by(2).map(byte).collect() } else { None }
}

#[cfg(test)]
mod tests;
