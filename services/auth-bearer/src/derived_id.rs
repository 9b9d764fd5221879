//! Identifiers that are derived from an issuer and a name there, so that no other issuer can write them.

use crypto::{FINGERPRINT_LEN, fingerprint};
use uuid::{Builder, Uuid, Version};

/// The SHA-256 of a name at an issuer. The label says what has the name.
pub(crate) fn derive_bytes(label: &[u8], issuer: &str, name: &str) -> [u8; FINGERPRINT_LEN] {
    let length = u64::try_from(issuer.len()).unwrap_or(u64::MAX).to_be_bytes();
    fingerprint(&[label, &length, issuer.as_bytes(), name.as_bytes()].concat())
}

/// The same as a UUID of version 8 (RFC 9562 5.8), which no identifier of another origin has.
pub(crate) fn derive_uuid(label: &[u8], issuer: &str, name: &str) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&derive_bytes(label, issuer, name)[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// Whether an identifier is derived from an issuer.
pub(crate) fn is_derived(id: &str) -> bool {
    Uuid::try_parse(id).is_ok_and(|id| id.get_version() == Some(Version::Custom))
}
