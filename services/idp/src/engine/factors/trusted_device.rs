//! Devices on which a user has entered the second factor and is not asked for it again for a while.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use store::StoreError;

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

/// Whether the device with this cookie is trusted for a user.
///
/// # Errors
/// When the database is unavailable.
pub(crate) async fn is_trusted(provider: &Provider, user: &str, cookie: Option<&str>) -> Result<bool, StoreError> {
    let secret = cookie.and_then(|cookie| URL_SAFE_NO_PAD.decode(cookie).ok());
    let Some(secret) = secret.filter(|secret| secret.len() == LENGTH) else { return Ok(false) };
    provider.store.is_trusted_device(crypto::fingerprint(&secret), user, provider.clock.now()).await
}
