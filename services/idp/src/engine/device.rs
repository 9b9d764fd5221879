//! Devices without a browser (RFC 8628): a device shows a code, and its user types the code in elsewhere, signs in and allows the
//! device.
//!
//! A device is one row ([`StoredDevice`](crate::store::StoredDevice)): its request as JSON of this module's own, found by the
//! SHA-256 of the device code and by the user code. When the user has allowed it, the row holds the approval as JSON, which the
//! token endpoint gets once ([`Poll::Approved`](crate::store::Poll::Approved)).

pub(crate) mod approval;
pub(crate) mod attempts;
pub(crate) mod request;
pub(crate) mod user_code;
