//! Devices on which a user has entered the second factor and is not asked for it again for a while.

use std::time::{Duration, SystemTime};

use authn::audit::Event;
use authn::{Caller, User};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use store::StoreError;

use super::record;
use crate::engine::provider::Provider;

/// How long a device is trusted.
pub(crate) const TRUSTED_FOR: Duration = Duration::from_hours(30 * 24);
/// Random bytes of the cookie.
const LENGTH: usize = 32;

/// Trusts a device for a user; returns what its cookie holds, of which a digest is stored.
///
/// # Errors
/// When the database is unavailable.
pub(crate) async fn trust(provider: &Provider, user: &str) -> Result<String, StoreError> {
    let secret: [u8; LENGTH] = provider.random.bytes();
    let expires = provider.clock.now() + TRUSTED_FOR;
    provider.store.trust_device(crypto::fingerprint(&secret), user, expires).await?;
    Ok(URL_SAFE_NO_PAD.encode(secret))
}

/// Whether the device with this cookie is trusted for a user, as the directory has the account now.
///
/// # Errors
/// When the database is unavailable.
pub(crate) async fn is_trusted(provider: &Provider, user: &User, cookie: Option<&str>) -> Result<bool, StoreError> {
    let secret = cookie.and_then(|cookie| URL_SAFE_NO_PAD.decode(cookie).ok());
    let Some(secret) = secret.filter(|secret| secret.len() == LENGTH) else { return Ok(false) };
    let after = trusted_until_after(provider, user);
    provider.store.is_trusted_device(crypto::fingerprint(&secret), &user.id.opaque_id, after).await
}

/// How many devices are trusted for a user.
///
/// # Errors
/// When the database is unavailable.
pub(crate) async fn count(provider: &Provider, user: &User) -> Result<u64, StoreError> {
    provider.store.trusted_devices(&user.id.opaque_id, trusted_until_after(provider, user)).await
}

/// Ends trust in all devices of a user.
///
/// # Errors
/// When the database is unavailable.
pub(crate) async fn forget_all(provider: &Provider, user: &str, caller: &Caller) -> Result<(), StoreError> {
    provider.store.forget_trusted_devices(user).await?;
    record(provider, user, caller, &Event::new("trusted_devices_forget", "done"));
    Ok(())
}

/// The time after which trust ends that counts now. Trust from before the password was changed does not: whoever knew the former
/// password may have the device (`docs/security-requirements.md#f32`). Trust always lasts [`TRUSTED_FOR`], so its end tells when
/// it began.
fn trusted_until_after(provider: &Provider, user: &User) -> SystemTime {
    let now = provider.clock.now();
    user.password_changed.map_or(now, |changed| now.max(changed + TRUSTED_FOR))
}
