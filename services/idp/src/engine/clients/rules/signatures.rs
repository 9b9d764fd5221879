//! The algorithms of a client.

use std::collections::BTreeSet;

use oidc::jose::Algorithm;
use oidc::response::ResponseType;

use crate::engine::clients::client::{AuthMethod, Signatures};
use crate::engine::clients::metadata::{Metadata, MetadataError};

const UNSIGNED: &str = "none";

pub(super) fn read(
    metadata: &Metadata,
    auth: AuthMethod,
    responses: &BTreeSet<ResponseType>,
) -> Result<Signatures, MetadataError> {
    let id_token = metadata.id_token_signed_response_alg.as_deref();
    let id_token_unsigned = id_token == Some(UNSIGNED);
    if id_token_unsigned && responses.iter().any(|response| response.issues_id_token()) {
        let problem = "none is for response types that return no ID token from the authorization endpoint";
        return Err(MetadataError::new("id_token_signed_response_alg", problem));
    }
    let request_object = metadata.request_object_signing_alg.as_deref();
    Ok(Signatures {
        id_token: ours("id_token_signed_response_alg", id_token.filter(|_| !id_token_unsigned))?,
        id_token_unsigned,
        userinfo: ours(
            "userinfo_signed_response_alg",
            metadata.userinfo_signed_response_alg.as_deref().filter(|name| *name != UNSIGNED),
        )?,
        access_token: ours("access_token_signed_response_alg", metadata.access_token_signed_response_alg.as_deref())?,
        authorization: ours(
            "authorization_signed_response_alg",
            metadata.authorization_signed_response_alg.as_deref(),
        )?,
        request_object: theirs(
            "request_object_signing_alg",
            request_object.filter(|name| *name != UNSIGNED),
            auth == AuthMethod::SecretJwt,
            true,
        )?,
        request_object_unsigned: request_object.is_none_or(|name| name == UNSIGNED),
        introspection: ours(
            "introspection_signed_response_alg",
            metadata.introspection_signed_response_alg.as_deref().filter(|name| *name != UNSIGNED),
        )?,
        assertion: theirs(
            "token_endpoint_auth_signing_alg",
            metadata.token_endpoint_auth_signing_alg.as_deref(),
            auth == AuthMethod::SecretJwt,
            auth != AuthMethod::SecretJwt,
        )?,
    })
}

/// What we sign with.
fn ours(member: &str, name: Option<&str>) -> Result<Option<Algorithm>, MetadataError> {
    theirs(member, name, false, true)
}

/// What the client signs with: a shared secret only where we have it, a key pair only where it can be.
fn theirs(member: &str, name: Option<&str>, shared: bool, key_pair: bool) -> Result<Option<Algorithm>, MetadataError> {
    let Some(name) = name else { return Ok(None) };
    let fitting = |algorithm: &Algorithm| if algorithm.is_asymmetric() { key_pair } else { shared };
    match name.parse::<Algorithm>().ok().filter(fitting) {
        Some(algorithm) => Ok(Some(algorithm)),
        None => Err(MetadataError::new(member, format!("{name:?} is not supported here"))),
    }
}
