//! Second factors: who needs one, how it is enrolled, and whether a code is right.

pub mod enrolment;
pub mod passkey;
pub mod policy;
pub mod recovery_code;
pub mod totp;
pub mod trusted_device;

#[cfg(test)]
mod tests;

use std::time::Duration;

use authn::Caller;
use authn::audit::Event;
use store::StoreError;
use tracing::field::display;
use uuid::Uuid;
use zeroize::Zeroizing;

use self::totp::SECRET_LEN;
use super::audit_events::Circumstances;
use super::levels::{HARDWARE_KEY, SEVERAL, SOFTWARE_KEY};
use super::provider::Provider;
use super::sessions::PASSWORD;
use super::termination;
use crate::seal::Purpose;
use crate::store::{FactorKind, FactorToRemove, Removal, StoredFactor};

/// How old the sign-in of a user who changes factors may be.
pub(crate) const FRESH: Duration = Duration::from_mins(10);
/// How many wrong codes in a row cost no time.
const FREE: u32 = 4;
/// How long no code is checked after the next one; twice as long after each further one.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// The longest such time.
const LONGEST_WAIT: Duration = Duration::from_hours(24);
/// How long to wait where another code is being checked.
const CONCURRENT_WAIT: Duration = Duration::from_secs(1);

/// How a user has proved to have the second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// By a one-time password.
    Totp,
    /// By a recovery code.
    RecoveryCode,
    /// By a passkey, which has verified the user.
    Passkey {
        /// Whether its key may be on several devices, and thus is not held by hardware alone.
        is_synced: bool,
    },
}

/// The methods of a session that was begun with a passkey alone (RFC 8176): the key, and the user who was verified by it.
fn methods_of_passkey(is_synced: bool) -> String {
    format!("{} user {SEVERAL}", if is_synced { SOFTWARE_KEY } else { HARDWARE_KEY })
}

impl Method {
    /// The methods of a session that was begun with this alone.
    pub(crate) fn alone(self) -> String {
        match self {
            Self::Passkey { is_synced } => methods_of_passkey(is_synced),
            // these are nothing without a password
            Self::Totp | Self::RecoveryCode => self.after_password(),
        }
    }

    /// The methods of a session that was begun with a password and this (RFC 8176), with spaces between them. There is no
    /// name for a recovery code.
    pub(crate) fn after_password(self) -> String {
        match self {
            Self::Totp => format!("{PASSWORD} otp {SEVERAL}"),
            Self::RecoveryCode => format!("{PASSWORD} {SEVERAL}"),
            Self::Passkey { is_synced } => format!("{PASSWORD} {}", methods_of_passkey(is_synced)),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::RecoveryCode => "recovery",
            Self::Passkey { .. } => "passkey",
        }
    }
}

/// Why a code is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodeError {
    /// It is wrong, or was used before.
    #[error("the code is wrong, or was used before")]
    Wrong,
    /// There were too many wrong ones.
    #[error("there were too many wrong codes; try again in {} seconds", .0.as_secs())]
    TooMany(Duration),
    /// The user has no second factor.
    #[error("the user has no second factor")]
    NotEnrolled,
    /// The database fails, or the secret was sealed by another `IDP_ENCRYPTION_SECRET`.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a user has of second factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Possession {
    /// None.
    #[default]
    Nothing,
    /// Only passkeys for another host: the host of the issuers has changed since they were made.
    Unusable,
    /// One that can be asked for: an authenticator app, a passkey for this host, or a recovery code.
    Usable,
}

/// What a user has of second factors.
///
/// # Errors
/// When the database is unavailable.
pub(crate) async fn possession(provider: &Provider, user: &str) -> Result<Possession, StoreError> {
    let factors = provider.store.factors(user).await?;
    let unusable = passkey::of_another_host(provider, &factors).len();
    if factors.is_empty() {
        Ok(Possession::Nothing)
    } else if unusable < factors.len() || provider.store.recovery_codes_left(user).await? > 0 {
        Ok(Possession::Usable)
    } else {
        Ok(Possession::Unusable)
    }
}

/// The factors of a user that no browser can use, which do not count as the last one that has to be kept; `None` if none has to.
async fn unusable_if(provider: &Provider, user: &str, keep_last: bool) -> Result<Option<Vec<Uuid>>, StoreError> {
    if !keep_last {
        return Ok(None);
    }
    let factors = provider.store.factors(user).await?;
    Ok(Some(passkey::of_another_host(provider, &factors)))
}

/// Whether a user has a second factor, even one that cannot be used at this host: what is changed of an account that has one takes more
/// than a password (`docs/security-requirements.md#f5`).
///
/// # Errors
/// When the database is unavailable.
pub(crate) async fn is_enrolled(provider: &Provider, user: &str) -> Result<bool, StoreError> {
    Ok(!provider.store.factors(user).await?.is_empty())
}

/// Verifies a one-time password or recovery code of a user. Each is accepted once (rows F2 and F4), and wrong ones are delayed
/// (row F3).
///
/// # Errors
/// [`CodeError`].
pub(crate) async fn verify(provider: &Provider, user: &str, code: &str, caller: &Caller) -> Result<Method, CodeError> {
    let outcome = check(provider, user, code).await;
    match &outcome {
        Ok(method) => {
            record(provider, user, caller, &Event { kind: &method.name(), ..Event::new("second_factor", "success") });
        }
        Err(CodeError::Wrong) => {
            record(provider, user, caller, &Event { reason: &"wrong", ..Event::new("second_factor", "failure") });
        }
        // guesses must not fill the table
        Err(CodeError::TooMany(_)) => {
            let source = caller.source.map(display);
            let event = Event::new("second_factor", "failure");
            Event { reason: &"too_many", subject: &user, source: &source, ..event }.log();
        }
        Err(CodeError::NotEnrolled | CodeError::Store(_)) => {}
    }
    outcome
}

/// Records an event of the second factors of a user, in a call.
fn record(provider: &Provider, user: &str, caller: &Caller, event: &Event<'_>) {
    let (source, trace_id) = (caller.source.map(display), display(&caller.trace_id));
    let event = Event { subject: &user, source: &source, trace_id: &trace_id, ..*event };
    provider.audit_events.record(&event, Circumstances::of(user, "", caller), provider.clock.now());
}

async fn check(provider: &Provider, user: &str, code: &str) -> Result<Method, CodeError> {
    let factors = provider.store.factors(user).await?;
    // a user who has passkeys only may have recovery codes
    let totp = factors.iter().position(|factor| factor.kind == FactorKind::Totp);
    let factor = factors.into_iter().nth(totp.unwrap_or_default()).ok_or(CodeError::NotEnrolled)?;
    let now = provider.clock.now();
    if let Ok(wait) = factor.blocked_until.duration_since(now)
        && !wait.is_zero()
    {
        return Err(CodeError::TooMany(wait));
    }
    // counted before it is checked, so that guesses at the same time are not free
    let blocked_until = now + wait_after(factor.failures.saturating_add(1));
    if !provider.store.count_guess(factor.id, factor.failures, blocked_until).await? {
        return Err(CodeError::TooMany(CONCURRENT_WAIT));
    }
    if let Some(digest) = recovery_code::digest(user, code) {
        let is_right = provider.store.use_recovery_code(user, digest).await?;
        return if is_right { Ok(Method::RecoveryCode) } else { Err(CodeError::Wrong) };
    }
    if factor.kind != FactorKind::Totp {
        return Err(CodeError::Wrong);
    }
    let secret = open(provider, &factor)?;
    let step = totp::matching_step(&secret, code, now).ok_or(CodeError::Wrong)?;
    let is_new = provider.store.accept_step(factor.id, step, now).await?;
    if is_new { Ok(Method::Totp) } else { Err(CodeError::Wrong) }
}

/// For how long no code is checked after this many wrong ones in a row.
fn wait_after(failures: u32) -> Duration {
    match failures.checked_sub(FREE + 1) {
        None => Duration::ZERO,
        Some(doublings) => {
            FIRST_WAIT.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(LONGEST_WAIT)
        }
    }
}

/// Seals the secret of a user's factor. The user is sealed with it, so that no row serves for another user.
fn seal(provider: &Provider, user: &str, secret: &[u8; SECRET_LEN]) -> Vec<u8> {
    let plain = Zeroizing::new([secret.as_slice(), user.as_bytes()].concat());
    provider.sealer.seal_bytes(Purpose::Factor, &plain)
}

fn open(provider: &Provider, factor: &StoredFactor) -> Result<Zeroizing<[u8; SECRET_LEN]>, StoreError> {
    let plain = provider.sealer.open_bytes(Purpose::Factor, &factor.sealed).map_err(|_| unusable())?;
    let plain = Zeroizing::new(plain);
    let (secret, user) = plain.split_first_chunk::<SECRET_LEN>().ok_or_else(unusable)?;
    if user == factor.person.as_bytes() { Ok(Zeroizing::new(*secret)) } else { Err(unusable()) }
}

fn unusable() -> StoreError {
    StoreError::internal(
        "the secret of a second factor cannot be opened: IDP_ENCRYPTION_SECRET or IDP_ENCRYPTION_SECRET_PREVIOUS has to be \
         the secret that it was sealed with",
    )
}

/// Removes the authenticator app of a user: trust in devices ends, and without another factor the recovery codes end too. The last
/// factor stays with `keep_last`.
///
/// # Errors
/// When the database is unavailable.
pub(crate) async fn remove_app(
    provider: &Provider,
    user: &str,
    keep_last: bool,
    caller: &Caller,
) -> Result<Removal, StoreError> {
    let unusable = unusable_if(provider, user, keep_last).await?;
    let removal = provider.store.remove_factor(user, FactorToRemove::App, unusable.as_deref()).await?;
    if removal == Removal::Done {
        record(provider, user, caller, &Event { kind: &"totp", ..Event::new("second_factor_remove", "done") });
    }
    Ok(removal)
}

/// Removes all second factors of a user, with recovery codes and trusted devices. Returns whether there were any.
///
/// # Errors
/// When the database is unavailable.
pub(crate) async fn remove(provider: &Provider, user: &str) -> Result<bool, StoreError> {
    provider.store.remove_factors(user).await
}

/// Removes all second factors of a user for an administrator, and then signs the user out everywhere: a session that was begun with a
/// lost factor, or by whoever has it, does not outlive it (`docs/security-requirements.md#f33`). Returns whether there were any.
///
/// # Errors
/// When the database is unavailable; trying again is safe.
pub(crate) async fn reset(provider: &Provider, user: &str) -> Result<bool, StoreError> {
    let is_removed = remove(provider, user).await?;
    termination::end_everywhere(provider, user).await?;
    Ok(is_removed)
}
