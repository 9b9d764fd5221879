//! The workload that a client is (draft-ietf-oauth-spiffe-client-auth-02 4).

use authn::CallerName;

use crate::engine::clients::client::AuthMethod;
use crate::engine::clients::metadata::{Metadata, MetadataError};

/// What a SPIFFE ID begins with.
const SPIFFE: &str = "spiffe://";

/// The SPIFFE IDs of the workloads that are the client: one, or all below a path.
pub(super) fn spiffe_id(metadata: &Metadata, auth: AuthMethod) -> Result<Option<CallerName>, MetadataError> {
    let refused = |problem: &str| Err(MetadataError::new("spiffe_id", problem));
    match (metadata.spiffe_id.as_deref(), auth) {
        (None, AuthMethod::SpiffeJwt) => refused("is needed for spiffe_jwt"),
        (None, _) => Ok(None),
        (Some(id), AuthMethod::SpiffeJwt) => match CallerName::parse(id) {
            Ok(name) if id.starts_with(SPIFFE) => Ok(Some(name)),
            _ => refused("is a SPIFFE ID, like spiffe://example.org/billing, or ends in /*"),
        },
        (Some(_), _) => refused("is for token_endpoint_auth_method spiffe_jwt"),
    }
}
