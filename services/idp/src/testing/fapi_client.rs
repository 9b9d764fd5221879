//! A client that keeps to FAPI 2.0: its keys, and what it signs with them.

use oidc::assertion::CLIENT_ASSERTION_TYPE;
use oidc::jose::{Algorithm, SigningKey};
use serde_json::{Value, json};

use super::Bench;
use crate::model::seconds;

/// The client, which the user trusts.
pub(crate) struct FapiClient {
    pub(crate) id: String,
    /// By which it proves who it is.
    pub(crate) key: SigningKey,
}

impl FapiClient {
    /// Adds one; `more` is added to its metadata.
    pub(crate) async fn add(bench: &Bench, id: &str, more: &Value) -> Self {
        let key = SigningKey::generate(Algorithm::Es256, "key").expect("a key");
        let metadata = json!({
            "profile": "fapi2",
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": { "keys": [key.jwk()] },
            "consent": "trusted",
        });
        bench.add(id, &changed(metadata, more)).await;
        Self { id: id.to_owned(), key }
    }

    /// A client assertion for the first issuer, with these claims changed.
    pub(crate) fn assertion(&self, bench: &Bench, more: &Value) -> String {
        let now = seconds(bench.clock.now());
        let claims = json!({
            "iss": self.id, "sub": self.id, "aud": bench.endpoints().issuer, "jti": bench.provider.random.uuid(),
            "iat": now, "exp": now + 60,
        });
        self.key.jwt("JWT", &changed(claims, more))
    }

    /// The parameters of a request, and those by which the client proves who it is.
    pub(crate) fn form<'a>(assertion: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let proof = [("client_assertion_type", CLIENT_ASSERTION_TYPE), ("client_assertion", assertion)];
        [more, proof.as_slice()].concat()
    }
}

/// An object with other members; one that is `null` is left out.
fn changed(mut object: Value, more: &Value) -> Value {
    let members = object.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    members.retain(|_, value| !value.is_null());
    object
}
