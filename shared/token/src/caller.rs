//! Who calls: the token in a gRPC call's metadata.

use std::time::SystemTime;

use authn::trace::record_delegation;
use tonic::metadata::MetadataMap;
use tracing::Span;

use crate::{Claims, TokenError, Verifier};

/// The gRPC metadata key, and between the proxy and services the HTTP header, that carries the token.
pub const METADATA_KEY: &str = "x-access-token";

/// The token of a call: the first value that is not empty.
pub fn from_metadata(metadata: &MetadataMap) -> Option<&str> {
    let mut values = metadata.get_all(METADATA_KEY).iter().filter_map(|value| value.to_str().ok());
    values.find(|value| !value.is_empty())
}

impl Verifier {
    /// Who calls, by the token of a request whose span is the current one: that says who acts for the user, if another party does
    /// (`docs/security-requirements.md#x11`).
    ///
    /// # Errors
    /// [`TokenError::Invalid`] with the defect, for the log.
    pub fn verify_caller(&self, now: SystemTime, token: &str) -> Result<Claims, TokenError> {
        let claims = self.verify(now, token)?;
        record_delegation(&Span::current(), &claims.user.id.opaque_id, claims.actor.as_ref(), None);
        Ok(claims)
    }
}

/// Who calls, by the token in the metadata, see [`Verifier::verify_caller`].
///
/// # Errors
/// [`TokenError::Missing`] without a token, [`TokenError::Invalid`] with a bad one.
pub fn authorize(verifier: &Verifier, now: SystemTime, metadata: &MetadataMap) -> Result<Claims, TokenError> {
    verifier.verify_caller(now, from_metadata(metadata).ok_or(TokenError::Missing)?)
}

/// Who calls an administration API: an administrator in person, or the operator; see [`Claims::is_admin`] and [`Claims::is_in_person`].
/// A leaked app token of an administrator would otherwise set passwords and roles (`docs/security-requirements.md#s7`).
///
/// # Errors
/// Those of [`authorize`], [`TokenError::NotAdministrator`] and [`TokenError::Program`].
pub fn authorize_admin(verifier: &Verifier, now: SystemTime, metadata: &MetadataMap) -> Result<Claims, TokenError> {
    administrator(authorize(verifier, now, metadata)?)
}

/// The administrator of a token, see [`authorize_admin`].
pub(crate) fn administrator(claims: Claims) -> Result<Claims, TokenError> {
    if !claims.is_admin() {
        return Err(TokenError::NotAdministrator);
    }
    if claims.is_in_person() { Ok(claims) } else { Err(TokenError::Program) }
}
