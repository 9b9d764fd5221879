//! An OpenID Provider of others, with one key, that signs what a test says.

use axum::routing::get;
use axum::{Json, Router};
use doorward::ServiceId;
use oidc::jose::{Algorithm, SigningKey};
use runtime::Clock;
use serde_json::{Value, json};
use testkit::{Layout, note_secret};
use tokio::net::TcpListener;

/// The audience of its tokens.
const AUDIENCE: &str = "files";

/// The provider. It ends with the test's runtime.
pub(crate) struct ForeignIssuer {
    url: String,
    key: SigningKey,
}

impl ForeignIssuer {
    pub(crate) async fn start() -> Self {
        let key = SigningKey::generate(Algorithm::Es256, "k").expect("a key is made");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let discovery = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
        let keys = json!({ "keys": [key.jwk()] });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(move || std::future::ready(Json(discovery.clone()))))
            .route("/keys", get(move || std::future::ready(Json(keys.clone()))));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, key }
    }

    /// A family with auth-bearer in it, which accepts the tokens of this provider.
    pub(crate) fn layout(&self, name: &str) -> Layout {
        let mut layout = Layout::new(name, false);
        let bearer = layout.address(ServiceId::AuthBearer).to_string();
        for (name, value) in [
            ("AUTH_BEARER_OIDC_ISSUER", self.url.as_str()),
            ("AUTH_BEARER_OIDC_AUDIENCE", AUDIENCE),
            ("OCIS_ADD_RUN_SERVICES", "auth-app,auth-bearer"),
            ("GATEWAY_AUTH_BEARER_ENDPOINT", &bearer),
        ] {
            layout.set(name, value);
        }
        layout
    }

    /// An access token with these claims.
    pub(crate) fn token(&self, claims: Value) -> String {
        let now = Clock::system().now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
        let mut all = json!({
            "iss": self.url, "sub": "a-subject", "aud": AUDIENCE, "azp": "a-client", "iat": now, "exp": now + 3600,
        });
        let (Value::Object(all_claims), Value::Object(claims)) = (&mut all, claims) else { panic!("an object") };
        all_claims.extend(claims);
        let token = self.key.jwt("at+jwt", &all);
        note_secret(&token);
        token
    }
}
