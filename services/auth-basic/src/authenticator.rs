//! Logins and passwords as an [`Authenticator`].

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use authn::app_token::WellFormed;
use authn::audit::Event;
use authn::{AuthError, Authenticated, Authenticator, Credentials, Login, Reason};
use bounded_cache::{HeapSize, Lookups, MIB};
use crypto::HmacKey;
use moka::future::Cache;
use runtime::Clock;
use secrecy::ExposeSecret;
use tokio::time::Instant;
use tracing::field::display;

use crate::backend::{Backend, COME_AGAIN, Person};
use crate::digest::Digest;
use crate::password::MOST_BYTES;
use crate::throttle::{Keys, Throttle, ThrottleError};

/// No login is longer, in bytes.
const LONGEST_LOGIN: usize = 256;

/// The bound of the verified credentials that are remembered, and that of the refused ones, in bytes: some 2,500 each.
const BOUND: u64 = MIB;

/// How long a refused credential is remembered. A device that keeps on sending an old password has failed once, not
/// often, so that its owner is not kept out at the same address.
const REFUSED_FOR: Duration = Duration::from_hours(1);

/// Verifies logins and passwords: one answer, and one amount of work, for every bad one.
pub(crate) struct Basic {
    backend: Arc<dyn Backend>,
    throttle: Throttle,
    digester: HmacKey,
    clock: Clock,
    /// When a credential was verified, by its digest. Also makes one of equal attempts at the same time.
    verified: Cache<Digest, SystemTime>,
    /// When and why a credential was refused, where a changed password would be another key.
    refused: Cache<Digest, (SystemTime, Reason)>,
    /// When the counts of a login at a source were read and permitted a right password. Forgotten at the next attempt with
    /// another password.
    cleared: Cache<Digest, SystemTime>,
    remember_for: Duration,
    lookups: Lookups,
}

impl Basic {
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        throttle: Throttle,
        digester: HmacKey,
        clock: Clock,
        remember_for: Duration,
    ) -> Self {
        // the injected clock decides; this only bounds how long memory is used
        let (verified, refused, cleared) = (lasting(remember_for), lasting(REFUSED_FOR), lasting(remember_for));
        let lookups = Lookups::default();
        Self { backend, throttle, digester, clock, verified, refused, cleared, remember_for, lookups }
    }

    /// How often a credential had been verified a moment ago.
    pub(crate) fn lookups(&self) -> &Lookups {
        &self.lookups
    }

    async fn decide(&self, credentials: &Credentials) -> Result<Authenticated, Denial> {
        let password = credentials.secret.expose_secret();
        if password.is_empty() {
            return Err(Denial::unseen(AuthError::Refused(Reason::EmptySecret)));
        }
        if !is_login(&credentials.client_id) || password.len() > MOST_BYTES {
            return Err(Denial::unseen(AuthError::Refused(Reason::Malformed)));
        }
        // Gateways of the Go family try every secret as a password first. An app token is not a guess of one: counting it would lock
        // its owner out.
        if WellFormed::parse(password).is_some() {
            return Err(Denial::unseen(AuthError::Refused(Reason::WrongSecret)));
        }
        let (login, caller) = (Login::new(&credentials.client_id), &credentials.caller);
        let (begun, now) = (Instant::now(), self.clock.now());
        let by_login = self.throttle.keys(&login, caller);
        // a known device is judged when it is known whose login it is
        let place = caller.device.is_none().then(|| self.place(&login, caller));
        let is_cleared = self.is_cleared(place.as_ref()).await;
        if place.is_some() && !is_cleared {
            // before anything that costs
            self.throttle.check(now, &by_login).await.map_err(Denial::of)?;
        }
        let person = self.backend.find(&login).await.map_err(Denial::unseen)?;
        let subject = person.as_ref().map(|person| person.user.id.opaque_id.clone());
        let denied = |error| Denial { error, subject: subject.clone().unwrap_or_default() };
        let refusal = match &person {
            None => Some(Reason::UnknownUser),
            Some(person) if !person.user.is_active() => Some(Reason::Disabled),
            Some(_) => None,
        };
        // as much is read and written where there is no such user, or the time would tell (row I34); no user has this identifier
        let account = subject.clone().unwrap_or_else(|| format!("\0{}", login.throttle_key()));
        let stamp = person.as_ref().map_or(&b""[..], |person| person.proof.stamp());
        let keys = self.throttle.keys_of_account(&login, &account, stamp, caller);
        let attempt = Try { login: &login, keys, person: person.as_ref(), refusal, credentials, begun };
        let key = self.key(&attempt);
        if !is_cleared || !self.is_verified(&key).await {
            if let Some(place) = place.as_ref().filter(|_| is_cleared) {
                // another password: from now on it and the right one are judged alike, or here one could be guessed for nothing
                self.cleared.invalidate(place).await;
                self.throttle.check(now, &by_login).await.map_err(|error| denied(error.into()))?;
            }
            self.throttle.check(now, &attempt.keys).await.map_err(|error| denied(error.into()))?;
            self.verify(&attempt, key).await.map_err(denied)?;
            if let Some(place) = place {
                self.cleared.insert(place, now).await;
            }
        }
        let unknown = || denied(AuthError::Refused(Reason::UnknownUser));
        let user = person.as_ref().map(|person| Arc::clone(&person.user)).ok_or_else(unknown)?;
        Ok(Authenticated::full(user, "pwd"))
    }

    /// The name of a login at a source in [`cleared`](Self::cleared).
    fn place(&self, login: &Login, caller: &authn::Caller) -> Digest {
        let source = caller.source.map(|source| source.to_canonical().to_string()).unwrap_or_default();
        self.digester.digest_of_parts(&[b"place", login.throttle_key().as_bytes(), source.as_bytes()])
    }

    /// Whether the counts of a login at a source need not be read for a password that is remembered as right.
    async fn is_cleared(&self, place: Option<&Digest>) -> bool {
        let Some(place) = place else { return false };
        self.cleared.get(place).await.is_some_and(|then| self.is_younger(then, self.remember_for))
    }

    /// Whether the same was verified a while ago.
    async fn is_verified(&self, key: &Digest) -> bool {
        match self.lookups.counted(self.verified.get(key).await) {
            Some(then) if self.is_younger(then, self.remember_for) => true,
            Some(_) => {
                self.verified.invalidate(key).await;
                false
            }
            None => false,
        }
    }

    /// Verifies, unless the same was verified a while ago or is being verified right now.
    async fn verify(&self, attempt: &Try<'_>, key: Digest) -> Result<(), AuthError> {
        if self.is_verified(&key).await {
            return Ok(());
        }
        self.verified.try_get_with(key, self.verify_once(key, attempt)).await.map(drop).map_err(|error| copy(&error))
    }

    async fn verify_once(&self, key: Digest, attempt: &Try<'_>) -> Result<SystemTime, AuthError> {
        if let Some((then, reason)) = self.refused.get(&key).await
            && self.is_younger(then, REFUSED_FOR)
        {
            return Err(AuthError::Refused(reason));
        }
        let outcome = self.verify_anew(attempt).await;
        // for existing and for unknown logins alike, or the time of the second refusal would reveal which exist
        if let (Err(AuthError::Refused(reason)), true) = (&outcome, self.backend.sees_changes()) {
            self.refused.insert(key, (self.clock.now(), *reason)).await;
        }
        outcome
    }

    fn is_younger(&self, then: SystemTime, age: Duration) -> bool {
        self.clock.now().duration_since(then).unwrap_or_default() < age
    }

    async fn verify_anew(&self, attempt: &Try<'_>) -> Result<SystemTime, AuthError> {
        let Try { login, keys, person, refusal, credentials, begun } = attempt;
        let lane = self.digester.digest_of_parts(&[b"account", login.throttle_key().as_bytes()]);
        if self.backend.is_busy(lane) {
            return Err(AuthError::Busy { retry_after: COME_AGAIN });
        }
        let counted = self.throttle.begin(self.clock.now(), keys.clone()).await?;
        match (self.backend.verify(lane, *person, &credentials.secret, *begun).await, refusal) {
            (Ok(true), None) => {
                let now = self.clock.now();
                counted.succeeded(now).await;
                Ok(now)
            }
            // the right password of someone disabled counts as a failure, or it could be told from a wrong one
            (Ok(_), Some(reason)) => Err(AuthError::Refused(*reason)),
            (Ok(false), None) => Err(AuthError::Refused(Reason::WrongSecret)),
            (Err(error), _) => {
                counted.cancelled().await;
                Err(error)
            }
        }
    }

    /// What a credential is remembered by: the login as it was given, whoever that is, what is kept of the password now, and
    /// the password. So a changed password or a disabled person is another key, and nothing needs to be cleared; and two
    /// names of one person are two, as they would be if there were no such person.
    fn key(&self, attempt: &Try<'_>) -> Digest {
        let reason = attempt.refusal.map_or("", Reason::code);
        let (id, stamp) = match attempt.person {
            Some(person) => (person.user.id.opaque_id.as_str(), person.proof.stamp()),
            None => ("", &b""[..]),
        };
        let generation = self.backend.generation(id).to_be_bytes();
        let password = attempt.credentials.secret.expose_secret().as_bytes();
        let login = attempt.login.given().to_lowercase();
        let parts =
            [&b"credential"[..], login.as_bytes(), reason.as_bytes(), id.as_bytes(), stamp, &generation, password];
        self.digester.digest_of_parts(&parts)
    }
}

/// An attempt whose subject was looked up.
struct Try<'a> {
    login: &'a Login,
    /// What it is counted under.
    keys: Keys,
    person: Option<&'a Person>,
    /// Why it fails whatever the password is.
    refusal: Option<Reason>,
    credentials: &'a Credentials,
    /// When the subject was looked for.
    begun: Instant,
}

/// A failure, and whom it is about if that is known.
struct Denial {
    error: AuthError,
    subject: String,
}

impl Denial {
    fn unseen(error: AuthError) -> Self {
        Self { error, subject: String::new() }
    }

    fn of(error: ThrottleError) -> Self {
        Self::unseen(error.into())
    }
}

#[async_trait]
impl Authenticator for Basic {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let verdict = self.decide(credentials).await;
        let (outcome, reason, subject) = match &verdict {
            Ok(answer) => ("granted", "", answer.user.id.opaque_id.as_str()),
            Err(denial) => ("refused", denial.error.reason(), denial.subject.as_str()),
        };
        let caller = credentials.caller.identity.as_deref().unwrap_or_default();
        // an unknown login is not logged: too often it is a password in the wrong field
        Event {
            reason: &reason,
            subject: &subject,
            caller: &caller,
            source: &credentials.caller.source.map(display),
            trace_id: &credentials.caller.trace_id,
            ..Event::new("password", outcome)
        }
        .log();
        verdict.map_err(|denial| denial.error)
    }
}

/// RFC 7617: no control characters, and no colon, which ends the login.
fn is_login(text: &str) -> bool {
    (1..=LONGEST_LOGIN).contains(&text.len()) && !text.contains(|c: char| c == ':' || c.is_control())
}

fn lasting<T: Clone + HeapSize + Send + Sync + 'static>(time: Duration) -> Cache<Digest, T> {
    bounded_cache::future(BOUND).time_to_live(time.max(Duration::from_secs(1))).build()
}

/// The same error once more, for each of those who waited for one verification.
fn copy(error: &Arc<AuthError>) -> AuthError {
    match &**error {
        AuthError::Refused(reason) => AuthError::Refused(*reason),
        AuthError::Busy { retry_after } => AuthError::Busy { retry_after: *retry_after },
        AuthError::Unavailable { service, .. } => {
            AuthError::Unavailable { service, source: Box::new(Shared(Arc::clone(error))) }
        }
        _ => AuthError::Internal(Box::new(Shared(Arc::clone(error)))),
    }
}

/// An error that several callers got.
#[derive(Debug)]
struct Shared(Arc<AuthError>);

impl std::fmt::Display for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cause: &dyn std::error::Error = &*self.0;
        std::fmt::Display::fmt(cause.source().unwrap_or(cause), f)
    }
}

impl std::error::Error for Shared {}

#[cfg(test)]
mod tests;
