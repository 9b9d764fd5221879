//! A client that follows FAPI 2.0: its keys, and what it signs with them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oidc::assertion::CLIENT_ASSERTION_TYPE;
use oidc::jose::{Algorithm, SigningKey, VerifyingKey};
use serde_json::{Value, json};

use super::{Bench, NO_PROOFS, encoded};
use crate::engine::client_request::ClientRequest;
use crate::engine::error::OAuthError;
use crate::engine::grants;
use crate::engine::grants::token_request::TokenRequest;
use crate::engine::grants::token_response::TokenResponse;
use crate::engine::proofs::{Header, Proofs};
use crate::model::seconds;

/// The client, which the user trusts.
pub(crate) struct FapiClient {
    pub(crate) id: String,
    /// By which it proves who it is.
    pub(crate) key: SigningKey,
    /// To which its tokens are bound.
    pub(crate) dpop: SigningKey,
}

impl FapiClient {
    /// Adds one; `more` is added to its metadata.
    pub(crate) async fn add(bench: &Bench, id: &str, more: &Value) -> Self {
        let [key, dpop] = ["key", "dpop"].map(|kid| SigningKey::generate(Algorithm::Es256, kid).expect("a key"));
        let metadata = json!({
            "profile": "fapi2",
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": { "keys": [key.jwk()] },
            "consent": "trusted",
        });
        bench.add(id, &changed(metadata, more)).await;
        Self { id: id.to_owned(), key, dpop }
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

    /// Has the engine answer a form that it sends to the token endpoint of the first issuer, with this proof of its key.
    pub(crate) async fn issue(
        &self,
        bench: &Bench,
        form: &[(&str, &str)],
        proof: Option<&str>,
    ) -> Result<TokenResponse, OAuthError> {
        let (provider, endpoints) = (&bench.provider, bench.endpoints());
        let assertion = self.assertion(bench, &json!({}));
        let form = encoded(&Self::form(&assertion, form));
        let proofs = Proofs { dpop: proof.map_or(Header::Missing, Header::Once), ..NO_PROOFS };
        let path = endpoints.paths.token;
        let client_request = ClientRequest::authenticate(provider, endpoints, (&form, proofs), path).await?;
        let request = TokenRequest { provider, endpoints, client_request: &client_request, now: bench.clock.now() };
        grants::issue(&request).await
    }

    /// A request object for the first issuer, with these claims changed.
    pub(crate) fn request_object(&self, bench: &Bench, more: &Value) -> String {
        let now = seconds(bench.clock.now());
        let claims = json!({
            "iss": self.id, "client_id": self.id, "aud": bench.endpoints().issuer, "nbf": now, "exp": now + 60,
        });
        self.key.jwt("oauth-authz-req+jwt", &changed(claims, more))
    }

    /// A proof of its key for this request, with these claims changed.
    pub(crate) fn proof(&self, bench: &Bench, method: &str, url: &str, more: &Value) -> String {
        dpop_proof(&self.dpop, bench, (method, url), more)
    }

    /// The thumbprint of that key.
    pub(crate) fn thumbprint(&self) -> String {
        VerifyingKey::from_jwk(self.dpop.jwk()).expect("a key").thumbprint().to_owned()
    }
}

/// A proof of this key for a request with this method to this URL, with these claims changed.
pub(crate) fn dpop_proof(key: &SigningKey, bench: &Bench, (method, url): (&str, &str), more: &Value) -> String {
    let header = json!({ "typ": "dpop+jwt", "alg": key.algorithm().name(), "jwk": key.jwk() });
    let claims = json!({
        "jti": bench.provider.random.uuid(), "htm": method, "htu": url, "iat": seconds(bench.clock.now()),
    });
    let [header, claims] = [header, changed(claims, more)].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let message = format!("{header}.{claims}");
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes())))
}

/// An object with other members; one that is `null` is left out.
fn changed(mut object: Value, more: &Value) -> Value {
    let members = object.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    members.retain(|_, value| !value.is_null());
    object
}
