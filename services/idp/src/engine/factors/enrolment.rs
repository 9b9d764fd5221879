//! Enrolling a second factor: the user gets a secret, and confirms by a code that the app has it.

use std::time::Duration;

use authn::audit::Event;
use authn::{Caller, User};
use serde::{Deserialize, Serialize};
use status::Kind;
use store::StoreError;

use super::totp::{self, SECRET_LEN};
use super::{record, recovery_code, seal};
use crate::engine::provider::Provider;
use crate::model::{Seconds, seconds};
use crate::seal::Purpose;
use crate::store::{FactorKind, StoredFactor};

/// How long a user may take to confirm.
const PATIENCE: Duration = Duration::from_mins(30);

/// A secret that the user has not confirmed yet. It is bound to the user (`docs/security-requirements.md#f6`).
#[derive(Serialize, Deserialize)]
struct Pending {
    #[serde(rename = "u")]
    user: String,
    #[serde(rename = "k")]
    secret: [u8; SECRET_LEN],
    #[serde(rename = "b")]
    began: Seconds,
}

/// A second factor that can be enrolled.
pub(crate) struct Enrolment {
    /// By which it is confirmed: the secret, sealed.
    pub(crate) handle: String,
    /// The secret as users type it.
    pub(crate) secret: String,
    /// The address by which an app reads the secret.
    pub(crate) address: String,
    /// A picture of the address.
    pub(crate) picture: String,
}

/// Why a second factor is not enrolled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnrolmentError {
    /// The code is not that of the secret.
    #[error("the code is wrong")]
    WrongCode,
    /// The handle is another user's, or too old.
    #[error("the enrolment has expired; begin again")]
    Expired,
    /// The user has a second factor already.
    #[error("the user has a second factor already; remove it first")]
    AlreadyEnrolled,
    /// The secret cannot be shown.
    #[error(transparent)]
    Picture(#[from] totp::PictureError),
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl EnrolmentError {
    /// The kind of failure.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::WrongCode => Kind::InvalidArgument,
            Self::Expired | Self::AlreadyEnrolled => Kind::FailedPrecondition,
            Self::Picture(_) => Kind::Internal,
            Self::Store(error) => error.kind(),
        }
    }
}

/// Makes a secret for a user. Nothing is stored until it is confirmed.
///
/// # Errors
/// [`EnrolmentError::Picture`].
pub(crate) fn begin(provider: &Provider, user: &User) -> Result<Enrolment, EnrolmentError> {
    let pending = Pending {
        user: user.id.opaque_id.clone(),
        secret: provider.random.bytes(),
        began: seconds(provider.clock.now()),
    };
    let handle = provider.sealer.seal(Purpose::Enrolment, &pending);
    shown(provider, user, &pending, handle)
}

/// The same secret once more, after a wrong code.
///
/// # Errors
/// [`EnrolmentError::Expired`] and [`EnrolmentError::Picture`].
pub(crate) fn resume(provider: &Provider, user: &User, handle: &str) -> Result<Enrolment, EnrolmentError> {
    let pending = open(provider, user, handle)?;
    shown(provider, user, &pending, handle.to_owned())
}

fn shown(provider: &Provider, user: &User, pending: &Pending, handle: String) -> Result<Enrolment, EnrolmentError> {
    let address = totp::address(&pending.secret, &provider.config.pages.name, &user.username)?;
    let (secret, picture) = (totp::secret_text(&pending.secret), totp::picture(&address)?);
    Ok(Enrolment { handle, secret, address, picture })
}

fn open(provider: &Provider, user: &User, handle: &str) -> Result<Pending, EnrolmentError> {
    let pending: Pending = provider.sealer.open(Purpose::Enrolment, handle).map_err(|_| EnrolmentError::Expired)?;
    let age = seconds(provider.clock.now()).saturating_sub(pending.began);
    let is_good = pending.user == user.id.opaque_id && age < PATIENCE.as_secs();
    if is_good { Ok(pending) } else { Err(EnrolmentError::Expired) }
}

/// What a user has given who enrols a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The password alone, which enrols no factor for a user who has one, even if that is for another host (row F5).
    Password,
    /// A sign-in of a short time ago, with the second factor if there is one.
    RecentSignIn,
}

/// Enrols a second factor if the code is that of its secret, and returns the recovery codes, which are shown only now. A user
/// who has one of its kind already does not get another; nor does one who has any, and has given the password alone.
///
/// # Errors
/// [`EnrolmentError`].
pub(crate) async fn confirm(
    provider: &Provider,
    (user, proof): (&User, Proof),
    handle: &str,
    code: &str,
    caller: &Caller,
) -> Result<Vec<String>, EnrolmentError> {
    let factor = confirmed(provider, user, handle, code)?;
    let codes = recovery_code::generate(&provider.random);
    let digests = recovery_code::digests(&factor.person, &codes);
    if !provider.store.add_factor(&factor, &digests, proof == Proof::Password).await? {
        return Err(EnrolmentError::AlreadyEnrolled);
    }
    record(provider, &factor.person, caller, &Event { kind: &"totp", ..Event::new("second_factor_enrol", "done") });
    Ok(codes)
}

/// The same in the place of the factor that the user has. The caller has made sure that the user has signed in with that factor a
/// short time ago. The former recovery codes and trusted devices end.
///
/// # Errors
/// [`EnrolmentError`], but not [`EnrolmentError::AlreadyEnrolled`].
pub(crate) async fn replace(
    provider: &Provider,
    user: &User,
    handle: &str,
    code: &str,
    caller: &Caller,
) -> Result<Vec<String>, EnrolmentError> {
    let factor = confirmed(provider, user, handle, code)?;
    let codes = recovery_code::generate(&provider.random);
    provider.store.replace_factor(&factor, &recovery_code::digests(&factor.person, &codes)).await?;
    record(provider, &factor.person, caller, &Event { kind: &"totp", ..Event::new("second_factor_replace", "done") });
    Ok(codes)
}

/// The factor of an enrolment whose code is right.
fn confirmed(provider: &Provider, user: &User, handle: &str, code: &str) -> Result<StoredFactor, EnrolmentError> {
    let pending = open(provider, user, handle)?;
    let (now, id) = (provider.clock.now(), &user.id.opaque_id);
    let step = totp::matching_step(&pending.secret, code, now).ok_or(EnrolmentError::WrongCode)?;
    Ok(StoredFactor {
        id: provider.random.uuid(),
        person: id.clone(),
        kind: FactorKind::Totp,
        name: String::new(),
        sealed: seal(provider, id, &pending.secret),
        is_administrator: user.is_admin(),
        // the code that confirms is used up
        last_step: Some(step),
        failures: 0,
        blocked_until: std::time::UNIX_EPOCH,
        created: now,
        used: Some(now),
    })
}
