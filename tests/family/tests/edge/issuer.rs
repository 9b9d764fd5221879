//! An issuer of access tokens with any claims.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward::ServiceId;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use runtime::Clock;
use serde_json::{Value, json};
use testkit::{Layout, note_secret};
use tokio::net::TcpListener;

/// The audience that tokens must have.
pub(crate) const AUDIENCE: &str = "cloud";

/// The issuer, which has one key. It ends with the test's runtime.
pub(crate) struct Issuer {
    url: String,
    key: EncodingKey,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).expect("a key");
        // an uncompressed point: 4, x, y
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let of = |coordinate: &[u8]| URL_SAFE_NO_PAD.encode(coordinate);
        let keys = json!({"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "k", "x": of(x), "y": of(y)}]});
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let metadata = json!({
            "issuer": url,
            "jwks_uri": format!("{url}/keys"),
            "userinfo_endpoint": format!("{url}/userinfo"),
        });
        let answer = |document: Value| get(async move || Json(document));
        let router =
            Router::new().route("/.well-known/openid-configuration", answer(metadata)).route("/keys", answer(keys));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, key: EncodingKey::from_ec_der(pkcs8.as_ref()) }
    }

    /// Has the family accept its tokens.
    pub(crate) fn settle(&self, layout: &mut Layout) {
        layout.set("AUTH_BEARER_OIDC_ISSUER", &self.url);
        layout.set("PROXY_OIDC_ISSUER", &self.url);
        layout.set("AUTH_BEARER_OIDC_INSECURE", "true");
        layout.set("AUTH_BEARER_OIDC_AUDIENCE", AUDIENCE);
        layout.set("OCIS_ADD_RUN_SERVICES", "auth-app,auth-bearer");
        let bearer = layout.address(ServiceId::AuthBearer).to_string();
        layout.set("GATEWAY_AUTH_BEARER_ENDPOINT", &bearer);
    }

    /// A token of einstein's that has these claims too, or in place of its own.
    pub(crate) fn token(&self, more: &Value) -> String {
        let now = Clock::system().now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
        let mut claims = json!({
            "iss": self.url, "aud": AUDIENCE, "sub": "1", "iat": now, "exp": now + 300, "preferred_username": "einstein",
        });
        for (name, value) in more.as_object().expect("claims") {
            claims[name] = value.clone();
        }
        let header =
            Header { kid: Some("k".to_owned()), typ: Some("at+jwt".to_owned()), ..Header::new(Algorithm::ES256) };
        let token = encode(&header, &claims, &self.key).expect("a token");
        note_secret(&token);
        token
    }
}
