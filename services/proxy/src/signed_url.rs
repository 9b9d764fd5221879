//! Signed URLs: links that a web client makes for one file and a short time, as those of oCIS and ownCloud do for downloads,
//! where a browser sends no header.
//!
//! The signature is PBKDF2 with HMAC-SHA512 (10,000 rounds, 32 bytes, hexadecimal) of the URL without `OC-Algo` and
//! `OC-Signature`, under a key that the user's client has fetched (`signing_key`). Keys are random. Each belongs to the
//! session or token that has fetched it, and ends with it (`docs/security-requirements.md#e16`).

pub(crate) mod fetcher;
pub mod keys;
pub(crate) mod logout;
pub(crate) mod machine_key;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::store::Database;
use authn::{BoxError, Caller, Credentials, EndedSessions, UserId};
use aws_lc_rs::pbkdf2;
use http::Method;
use runtime::{Clock, Context, Random, Task};
use secrecy::ExposeSecret;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::authentication::Authentication;
use crate::config::Config;
use crate::identity::Identity;
use crate::request_info::RequestInfo;
use crate::session::Sessions;
use crate::verdict::{CredentialError, Verdict};
use fetcher::Fetcher;
use keys::{Key, Keys};
use machine_key::MachineKey;

const SIGNATURE: &str = "OC-Signature";
/// Clients add it after signing.
const ALGORITHM: &str = "OC-Algo";
const ROUNDS: std::num::NonZeroU32 = std::num::NonZeroU32::new(10_000).expect("is not zero");
/// How many signatures are verified at a time; each takes milliseconds of a core, and needs no credential.
const AT_ONCE: usize = 2;
/// The longest lifetime of a signed URL.
const LONGEST: Duration = Duration::from_hours(24);
/// How far a client's clock may be ahead.
const AHEAD: Duration = Duration::from_mins(1);

/// How often ended keys are removed.
const PRUNE_INTERVAL: Duration = Duration::from_mins(10);

const INVALID: Verdict = Verdict::Unauthenticated(CredentialError::Invalid);

/// Verifies signed URLs, and issues the keys.
pub struct SignedUrls {
    keys: Arc<Keys>,
    machine_key: Arc<MachineKey>,
    /// The ended sessions of an issuer in this process.
    ended_sessions: Option<Arc<dyn EndedSessions>>,
    permits: Semaphore,
}

/// The parameters of a signed URL, before it is verified.
struct UnverifiedUrl {
    login: String,
    signature: Vec<u8>,
    /// The signed text; a second form for a path with `$`, which some clients encode.
    texts: Vec<String>,
}

/// The user of a key at this moment.
struct Current {
    identity: Arc<Identity>,
    password_changed: Option<SystemTime>,
}

impl SignedUrls {
    /// With keys in this database, whose schema is up to date; `None` if signed URLs are off.
    ///
    /// # Errors
    /// When the token that is shown in place of the machine key cannot be read.
    pub fn open(database: &Database, config: &Config, context: &Context) -> Result<Option<Self>, BoxError> {
        if !config.accepts_signed_urls() {
            return Ok(None);
        }
        let machine_key = MachineKey::follow(config, context)?;
        Ok(Some(Self::new(database.clone(), machine_key, context.random.clone())))
    }

    /// With keys in this database, which the machine key seals, and by which the gateway looks up their users.
    pub(crate) fn new(database: Database, machine_key: Arc<MachineKey>, random: Random) -> Self {
        let keys = Arc::new(Keys::new(database, Arc::clone(&machine_key), random));
        Self { keys, machine_key, ended_sessions: None, permits: Semaphore::new(AT_ONCE) }
    }

    /// The same with the ended sessions of an issuer in this process.
    #[must_use]
    pub fn with_ended_sessions(self, ended_sessions: Option<Arc<dyn EndedSessions>>) -> Self {
        Self { ended_sessions, ..self }
    }

    /// The background task that removes ended keys.
    pub fn task(&self, clock: Clock, shutdown: CancellationToken) -> Task {
        let (keys, ended) = (Arc::clone(&self.keys), self.ended_sessions.clone());
        let pruning = async move {
            let prune = || keys.prune(ended.as_deref(), clock.now());
            ::store::keep_pruning("keys of signed URLs", PRUNE_INTERVAL, prune, shutdown).await;
        };
        Task::new("signing-keys", pruning)
    }

    /// The keys that users' clients sign with.
    pub fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    /// Whether the URL of a request is signed.
    pub fn is_one(info: &RequestInfo<'_>) -> bool {
        parameters(info).any(|(name, _)| name == SIGNATURE)
    }

    /// The user who has signed the URL. Its key must be younger than the password, and the session that has fetched it must not have
    /// ended.
    ///
    /// # Errors
    /// The verdict that refuses the request.
    pub async fn identify(
        &self,
        info: &RequestInfo<'_>,
        authentication: &Authentication,
        sessions: Option<&Arc<Sessions>>,
    ) -> Result<Arc<Identity>, Verdict> {
        let now = authentication.now();
        let url = UnverifiedUrl::read(info, now).ok_or(INVALID)?;
        let keys = self.keys.of_login(&url.login, now).await?;
        let key = self.signed_by(url, keys).await?;
        match self.revalidate(&key, info, authentication, sessions, now).await? {
            Ok(identity) => Ok(identity),
            Err(reason) => {
                self.keys.end(&key, reason).await?;
                Err(INVALID)
            }
        }
    }

    /// The key that a URL was signed with, among those of its login.
    async fn signed_by(&self, url: UnverifiedUrl, keys: Vec<Key>) -> Result<Key, Verdict> {
        let busy = Verdict::Busy { retry_after: Duration::from_secs(1) };
        let _permit = self.permits.try_acquire().map_err(|_| busy)?;
        let found = tokio::task::spawn_blocking(move || {
            if keys.is_empty() {
                // Takes as long as with a key, so that the time does not reveal which logins have one.
                url.is_signed_with(b"no key");
            }
            keys.into_iter().find(|key| url.is_signed_with(key.secret.expose_secret().as_bytes()))
        });
        found.await.ok().flatten().ok_or(INVALID)
    }

    /// The user of a key that is still valid, or why the key has ended.
    async fn revalidate(
        &self,
        key: &Key,
        info: &RequestInfo<'_>,
        authentication: &Authentication,
        sessions: Option<&Arc<Sessions>>,
        now: SystemTime,
    ) -> Result<Result<Arc<Identity>, &'static str>, Verdict> {
        let has_ended = self.ended_sessions.as_ref().map_or(Some(false), |ended| key.fetcher.has_ended(ended.as_ref()));
        if has_ended.ok_or(Verdict::Unavailable)? || !key.fetcher.is_alive(authentication, sessions, now).await? {
            return Ok(Err("the session has ended"));
        }
        let Some(current) = self.current(&key.user, info, authentication).await? else {
            return Ok(Err("the user was deleted or disabled"));
        };
        let user = &current.identity.claims.user;
        if !user.id.is_same(&key.user) || user.username != key.login {
            return Ok(Err("the login belongs to another user"));
        }
        if key.is_older_than(current.password_changed) {
            return Ok(Err("the password was changed"));
        }
        Ok(Ok(current.identity))
    }

    /// The key for a request; `None` if the request may not have one: keys are for browser sessions and access tokens of users for
    /// whom the machine key may act.
    ///
    /// # Errors
    /// The verdict, if the gateway or the store does not answer.
    pub async fn key_for(
        &self,
        identity: &Identity,
        info: &RequestInfo<'_>,
        authentication: &Authentication,
        sessions: Option<&Arc<Sessions>>,
    ) -> Result<Option<Key>, Verdict> {
        let Some(fetcher) = Fetcher::of(info, identity, sessions) else { return Ok(None) };
        let (now, id) = (authentication.now(), &identity.claims.user.id);
        let current = match self.current(id, info, authentication).await {
            Ok(Some(current)) => current,
            Ok(None) | Err(Verdict::Unauthenticated(_) | Verdict::Forbidden) => return Ok(None),
            Err(verdict) => return Err(verdict),
        };
        let user = &current.identity.claims.user;
        if !user.id.is_same(id) {
            return Ok(None);
        }
        self.keys.issue(user, fetcher, current.password_changed, now).await.map(Some)
    }

    /// The user with this identifier at the gateway; `None` if deleted or disabled. The login may belong to another user by now.
    async fn current(
        &self,
        id: &UserId,
        info: &RequestInfo<'_>,
        authentication: &Authentication,
    ) -> Result<Option<Current>, Verdict> {
        let caller = Caller { source: info.source, ..Caller::default() };
        let client_id = format!("userid:{}", id.opaque_id);
        let credentials = Credentials { client_id, secret: self.machine_key.shown(), caller };
        let found = authentication.impersonate(&credentials).await?;
        Ok(found.map(|(identity, password_changed)| Current { identity, password_changed }))
    }
}

impl UnverifiedUrl {
    /// Reads the parameters; `None` if one is missing, or the URL is for another method or has expired.
    fn read(info: &RequestInfo<'_>, now: SystemTime) -> Option<Self> {
        let one = |wanted: &str| {
            let mut values = parameters(info).filter(|(name, _)| name == wanted).map(|(_, value)| value);
            values.next().filter(|_| values.next().is_none())
        };
        let is_get = *info.method == Method::GET && one("OC-Verb")? == "GET";
        let date: SystemTime = OffsetDateTime::parse(&one("OC-Date")?, &Rfc3339).ok()?.into();
        let life = Duration::from_secs(one("OC-Expires")?.parse().ok()?);
        let is_current = date <= now + AHEAD && life <= LONGEST && date.checked_add(life)? > now;
        let login = one("OC-Credential")?.into_owned();
        let signature = hex(&one(SIGNATURE)?)?;
        if !is_get || !is_current || login.is_empty() {
            return None;
        }
        let rest = parameters(info).filter(|(name, _)| name != SIGNATURE && name != ALGORITHM);
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(rest).finish();
        let text = |path: &str| format!("https://{}{path}?{query}", info.host);
        let path = info.path.raw();
        let mut texts = vec![text(path)];
        if path.contains('$') {
            texts.push(text(&path.replace('$', "%24")));
        }
        Some(Self { login, signature, texts })
    }

    /// Whether it is signed with this key.
    fn is_signed_with(&self, key: &[u8]) -> bool {
        let verify = |text: &String| {
            pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA512, ROUNDS, key, text.as_bytes(), &self.signature).is_ok()
        };
        self.texts.iter().any(verify)
    }
}

fn parameters<'a>(
    info: &'a RequestInfo<'_>,
) -> impl Iterator<Item = (std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)> {
    form_urlencoded::parse(info.query.unwrap_or_default().as_bytes())
}

/// 32 bytes, in lower or upper case.
fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).ok();
    if digits { (0..text.len()).step_by(2).map(byte).collect() } else { None }
}

#[cfg(test)]
mod tests;
