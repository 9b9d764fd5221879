use authn::Actor;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oidc::error::ErrorCode;
use oidc::jose::{Algorithm, SigningKey, UnverifiedJwt};
use serde_json::{Value, json};

use crate::engine::clients::GrantType;
use crate::engine::error::OAuthError;
use crate::engine::grants::token_response::TokenResponse;
use crate::model::seconds;
use crate::testing::{Bench, EINSTEIN, SITE};

struct World {
    bench: Bench,
    key: SigningKey,
    secret: String,
}

/// A client that may make assertions about users, if it is trusted.
async fn world(is_trusted: bool) -> World {
    let bench = Bench::new().await;
    let key = SigningKey::generate(Algorithm::Es256, "key").expect("a key");
    let metadata = json!({
        "token_endpoint_auth_method": "client_secret_post",
        "grant_types": [GrantType::JwtBearer.name()],
        "response_types": [],
        "redirect_uris": [],
        "exchange": { "impersonate": is_trusted },
        "jwks": { "keys": [key.jwk()] },
    });
    let secret = bench.add("backend", &metadata).await;
    World { bench, key, secret }
}

impl World {
    fn claims(&self) -> Value {
        let now = seconds(self.bench.clock.now());
        json!({
            "iss": "backend", "sub": EINSTEIN, "aud": self.bench.endpoints().issuer, "jti": "1", "iat": now, "exp": now + 60,
        })
    }

    fn signed(&self, claims: &Value) -> String {
        let header = json!({ "alg": "ES256", "kid": "key" });
        let [header, claims] = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let message = format!("{header}.{claims}");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(self.key.sign(message.as_bytes())))
    }

    async fn issue(&self, assertion: &str) -> Result<TokenResponse, OAuthError> {
        self.issue_with(assertion, &[]).await
    }

    async fn issue_with(&self, assertion: &str, more: &[(&str, &str)]) -> Result<TokenResponse, OAuthError> {
        let form = [
            ("grant_type", GrantType::JwtBearer.name()),
            ("client_id", "backend"),
            ("client_secret", &self.secret),
            ("assertion", assertion),
        ];
        self.bench.issue(&[&form[..], more].concat()).await
    }

    async fn refused(&self, claims: &Value) -> ErrorCode {
        self.issue(&self.signed(claims)).await.err().expect("is refused").code
    }
}

#[tokio::test]
async fn assertion_of_a_trusted_client_is_redeemed_once() {
    let world = world(true).await;
    let assertion = world.signed(&world.claims());
    let response = world.issue(&assertion).await.expect("is issued");
    assert!(response.refresh_token.is_none() && response.id_token.is_none());
    let audit = response.audit.expect("is audited");
    assert_eq!((audit.user.id.opaque_id.as_str(), audit.act), (EINSTEIN, Some(Actor::from("backend"))));
    // `docs/security-requirements.md#x11`
    let token = UnverifiedJwt::parse(&response.access_token).expect("a JWT").into_claims();
    assert_eq!(token["act"], json!({ "sub": "backend" }));
    let error = world.issue(&assertion).await.err().expect("is refused");
    assert_eq!((error.code, error.audit.expect("is audited").reason), (ErrorCode::InvalidGrant, "used before"));
}

#[tokio::test]
async fn assertion_that_is_not_for_here_and_now_is_rejected() {
    let world = world(true).await;
    let now = seconds(world.bench.clock.now());
    for (claim, value) in [
        ("aud", json!("https://other.example")),
        ("exp", json!(now - 600)),
        ("iss", json!("unknown")),
        ("sub", json!("u-unknown")),
        ("jti", Value::Null),
    ] {
        let mut claims = world.claims();
        claims[claim] = value;
        if claims[claim].is_null() {
            claims.as_object_mut().expect("members").remove(claim);
        }
        assert_eq!(world.refused(&claims).await, ErrorCode::InvalidGrant, "{claim}");
    }
}

/// Row [I27](../../../../../../docs/security-requirements.md#i27).
#[tokio::test]
async fn token_is_only_for_targets_of_the_registration() {
    let world = world(true).await;
    let assertion = world.signed(&world.claims());
    for name in ["audience", "resource"] {
        let error = world.issue_with(&assertion, &[(name, SITE)]).await.err().expect("is refused");
        assert_eq!(error.code, ErrorCode::InvalidTarget, "{name}");
    }
    world.issue(&assertion).await.expect("it was not used up");
}

#[tokio::test]
async fn client_that_may_not_impersonate_is_unauthorized() {
    let world = world(false).await;
    assert_eq!(world.refused(&world.claims()).await, ErrorCode::UnauthorizedClient);
}
