//! A client that follows FAPI 2.0: its refresh token, used by many at once (row [I74](../../../../docs/security-requirements.md#i74)).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::UNIX_EPOCH;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oidc::assertion::CLIENT_ASSERTION_TYPE;
use oidc::jose::{Algorithm, SigningKey};
use runtime::Clock;
use serde_json::{Value, json};
use store::testing::Cluster;
use testkit::Browser;

use crate::provider::flow::{AUTHORIZE, OAuthResponse, TOKEN};
use crate::provider::redemptions::at_once;
use crate::provider::world::{CALLBACK, World};

/// The client, which is trusted.
const BANK: &str = "bank";
const PUSHED: &str = "/konnect/v1/par";
/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// By which it proves who it is.
static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Algorithm::Es256, "bank").expect("a key"));
/// To which its tokens are bound.
static DPOP: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Algorithm::Es256, "dpop").expect("a key"));
/// Names assertions and proofs, each of which is used once.
static NAMES: AtomicU64 = AtomicU64::new(0);

/// Its entry in the file of clients.
pub(crate) fn client() -> String {
    // JSON is YAML
    let entry = json!({
        "id": BANK,
        "profile": "fapi2",
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": { "keys": [KEY.jwk()] },
        "redirect_uris": [CALLBACK],
        "consent": "trusted",
    });
    format!("  - {entry}\n")
}

/// The claims that assertions and proofs have.
fn claims(more: &Value) -> Value {
    let now = Clock::system().now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let mut claims = json!({ "jti": NAMES.fetch_add(1, Ordering::Relaxed).to_string(), "iat": now, "exp": now + 60 });
    claims.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    claims
}

/// Sends a form to a replica, with an assertion and a proof, which are for the issuer and its URLs.
async fn post(world: &World, base: &str, path: &str, form: &[(&str, &str)]) -> OAuthResponse {
    let assertion = KEY.jwt("JWT", &claims(&json!({ "iss": BANK, "sub": BANK, "aud": world.issuer })));
    let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": DPOP.jwk() });
    let proof = claims(&json!({ "htm": "POST", "htu": format!("{}{path}", world.issuer) }));
    let [header, proof] = [header, proof].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let message = format!("{header}.{proof}");
    let proof = format!("{message}.{}", URL_SAFE_NO_PAD.encode(DPOP.sign(message.as_bytes())));
    let who = [("client_id", BANK), ("client_assertion_type", CLIENT_ASSERTION_TYPE), ("client_assertion", &assertion)];
    let request = world.http.post(format!("{base}{path}")).header("dpop", proof);
    world.send(request, &[form, who.as_slice()].concat()).await.expect("the provider answers")
}

/// The tokens of a sign-in.
async fn tokens(world: &World, browser: &mut Browser) -> OAuthResponse {
    let request = [
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid offline_access"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let pushed = post(world, world.base(0), PUSHED, &request).await;
    assert_eq!(pushed.status, 201, "{pushed:?}");
    let query = [("client_id", BANK), ("request_uri", pushed.text("request_uri"))];
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let code = world.code_of(browser, BANK, &format!("{}{AUTHORIZE}?{query}", world.base(0))).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    post(world, world.base(0), TOKEN, &form).await
}

async fn the_same_token_each_time(world: World) {
    let world = Arc::new(world);
    let first = tokens(&world, &mut Browser::new()).await;
    assert!(first.is_good() && first.text("token_type") == "DPoP", "{first:?}");
    let token = first.text("refresh_token").to_owned();
    for round in 0..2 {
        let responses = at_once(&world, |world, caller| {
            let token = token.clone();
            async move {
                let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
                post(&world, world.base(caller), TOKEN, &form).await
            }
        })
        .await;
        let is_same = |response: &OAuthResponse| response.is_good() && response.text("refresh_token") == token;
        assert!(responses.iter().all(is_same), "{}, round {round}: {responses:?}", world.described());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_uses_of_a_refresh_token_that_is_not_rotated_at_a_process() {
    the_same_token_each_time(World::alone("fapi2", &[]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_uses_of_a_refresh_token_that_is_not_rotated_at_two_processes_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    the_same_token_each_time(World::replicated("fapi2-two", &cluster, &[]).await).await;
}
