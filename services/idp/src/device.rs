//! Devices without a browser (RFC 8628): a device shows a code, and its owner types it in somewhere else, says who it is and
//! allows the device.
//!
//! What is written for a device is one row ([`StoredDevice`](crate::store::StoredDevice)): its request as JSON of this
//! module's own, found by the SHA-256 of the device code and by the user code. When somebody has allowed it, the row holds
//! the `Approval` as JSON, which the token endpoint gets once
//! ([`Poll::Approved`](crate::store::Poll::Approved)).

mod attempts;
mod authorization;
mod decision;
mod page;
mod user_code;

#[cfg(test)]
mod tests;

use aws_lc_rs::digest::{SHA256, digest as sha2};
use axum::Router;

pub(crate) use decision::Approval;

use crate::provider::Provider;

/// What device codes begin with, so that they are found where they should not be.
pub const PREFIX: &str = "dwd_";

/// The device authorization endpoint of every issuer.
pub fn endpoint(provider: &Provider) -> Router {
    authorization::router(provider)
}

/// The page where codes are typed in.
pub fn page(provider: Provider) -> Router {
    page::router(provider)
}

/// Under what a device code is kept, for [`Store::poll_device`](crate::store::Store::poll_device); `None` for a text that is
/// none.
pub fn digest(device_code: &str) -> Option<[u8; 32]> {
    let is_one = device_code.starts_with(PREFIX) && device_code.len() <= 64;
    is_one.then(|| sha2(&SHA256, device_code.as_bytes()).as_ref().try_into().ok()).flatten()
}
