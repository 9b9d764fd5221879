//! Access tokens of users in hundreds of groups.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward::ServiceId;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::StatusCode;
use runtime::Clock;
use serde_json::{Value, json};
use testkit::note_secret;
use tokio::net::TcpListener;

use crate::backend::header;
use crate::world::{World, client};

/// An issuer of access tokens with one key.
struct Issuer {
    url: String,
    key: EncodingKey,
}

impl Issuer {
    async fn start() -> Self {
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

    /// A token of einstein's with this many groups.
    fn token(&self, groups: usize) -> String {
        let now = Clock::system().now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
        let groups: Vec<_> = (0..groups).map(|number| format!("group-{number:036}")).collect();
        let claims = json!({
            "iss": self.url, "aud": "cloud", "sub": "1", "iat": now, "exp": now + 300,
            "preferred_username": "einstein", "groups": groups,
        });
        let header =
            Header { kid: Some("k".to_owned()), typ: Some("at+jwt".to_owned()), ..Header::new(Algorithm::ES256) };
        let token = encode(&header, &claims, &self.key).expect("a token");
        note_secret(&token);
        token
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn access_token_of_a_user_in_hundreds_of_groups_passes_the_edge() {
    let issuer = Issuer::start().await;
    let world = World::start_with("edge-long-tokens", |layout| {
        layout.set("AUTH_BEARER_OIDC_ISSUER", &issuer.url);
        layout.set("AUTH_BEARER_OIDC_INSECURE", "true");
        layout.set("AUTH_BEARER_OIDC_AUDIENCE", "cloud");
        layout.set("OCIS_ADD_RUN_SERVICES", "auth-app,auth-bearer");
        let bearer = layout.address(ServiceId::AuthBearer).to_string();
        layout.set("GATEWAY_AUTH_BEARER_ENDPOINT", &bearer);
    })
    .await;
    for groups in [1, 300, 400] {
        let token = issuer.token(groups);
        assert!(groups == 1 || (16 * 1024..32 * 1024).contains(&token.len()), "{} bytes", token.len());
        let answer = client().get(world.url("/kept/a")).bearer_auth(&token).send().await.expect("the edge answers");
        assert_eq!(answer.status(), StatusCode::OK, "{groups} groups");
        let seen = world.backend.take();
        assert_eq!(header(&seen[0], "authorization"), [format!("Bearer {token}")], "kept for the backend");
    }
}

/// Behind the edge, too, each service reads headers of that size, and answers what it has to say about the token.
#[tokio::test(flavor = "multi_thread")]
async fn headers_of_that_size_reach_userinfo_and_auth_app() {
    let world = World::start("edge-long-headers").await;
    let token = "a".repeat(24 * 1024);
    let variables = world.family.layout.variables();
    let direct = |name: &str, path: &str| format!("http://{}{path}", variables[name]);
    for url in [
        world.url("/konnect/v1/userinfo"),
        direct("IDP_HTTP_ADDR", "/konnect/v1/userinfo"),
        direct("AUTH_APP_HTTP_ADDR", "/auth-app/tokens"),
    ] {
        let answer = client().get(&url).bearer_auth(&token).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{url}");
    }
}
