//! Signing for one client, by its algorithm.

use oidc::jose::{Algorithm, hs256_jwt};
use serde::Serialize;

use crate::clients::Client;
use crate::provider::Provider;
use crate::seal::Purpose;

/// A JWT for this client. HS256 signs with the client's own secret; for a client whose secret is not known it is RS256.
pub(crate) fn sign(
    provider: &Provider,
    client: &Client,
    algorithm: Algorithm,
    typ: &str,
    claims: &impl Serialize,
) -> String {
    if algorithm.is_asymmetric() {
        return provider.keys.signer(algorithm).jwt(typ, claims);
    }
    let sealed = client.sealed_secret.as_deref();
    match sealed.and_then(|sealed| provider.sealer.open_bytes(Purpose::ClientSecret, sealed).ok()) {
        Some(secret) => hs256_jwt(&secret, typ, claims),
        None => provider.keys.signer(Algorithm::Rs256).jwt(typ, claims),
    }
}
