//! `docs/security-requirements.md#x1` and `#x2`: no other token is taken for a transaction token, nor a transaction token for another one.

use oidc::assertion::CLIENT_ASSERTION_TYPE;
use oidc::jose::{Algorithm, SigningKey};
use token::transaction::names::{KEY_SET_PATH, TOKEN_TYPE, TYP};

use super::transaction::request;
use super::*;
use crate::engine::end_session::hint::Hint;
use crate::engine::grants::token_exchange::token_type::JWT;
use crate::engine::tokens::access_token::PresentedToken;
use crate::model::seconds;
use crate::testing::transaction_keys;

/// A provider whose backend may do everything that takes a token, with the secret of the backend and of a resource server that
/// introspects all tokens.
async fn world() -> (Bench, [String; 2]) {
    let (bench, secret) = bench(json!({
        "grant_types": [GrantType::TokenExchange.name(), GrantType::JwtBearer.name()],
        "jwks": { "keys": [SigningKey::generate(Algorithm::Es256, "key").expect("a key").jwk()] },
        "exchange": { "impersonate": true, "delegate": true },
        "transaction_tokens": { "scopes": ["files.read"], "replace": true },
    }))
    .await;
    let all = json!({ "token_endpoint_auth_method": "client_secret_post", "introspects_all": true });
    let introspecting = bench.add("gateway", &all).await;
    (bench, [secret, introspecting])
}

/// The claims of an access token of the user, and of a transaction token.
fn claims_of_both(bench: &Bench) -> Value {
    let now = seconds(bench.clock.now());
    json!({
        "iss": bench.endpoints().issuer, "sub": EINSTEIN, "aud": ["backend"], "iat": now, "exp": now + 60,
        "jti": "0b1d8a3e-7c1f-4a56-9f0e-3d2b1c0a9f8e", "client_id": "backend", "first_party": true, "scope": "openid files.read",
        "auth_time": now, "gid": "1b1d8a3e-7c1f-4a56-9f0e-3d2b1c0a9f8e", "txn": "1", "req_wl": "backend",
        "tctx": { "sub_type": "user" }, "azp": "backend", "acr": "1", "amr": ["pwd"],
    })
}

#[tokio::test]
async fn transaction_token_is_accepted_as_no_other_token() {
    let (bench, [secret, introspecting]) = world().await;
    let (_, access_token) = issued(&bench, "house", "openid").await;
    let minted = token_of(&request(&bench, &secret, (ACCESS_TOKEN, &access_token), &[]).await);
    // by the same key, and with everything that an access token has
    let signer = transaction_keys().signer(bench.clock.now());
    let retyped = ["at+jwt", "JWT", TYP].map(|typ| signer.jwt(typ, &claims_of_both(&bench)));
    for token in retyped.iter().chain([&minted]) {
        assert_eq!(PresentedToken::read(&bench.provider, bench.endpoints(), token), None);
        assert_eq!(Hint::read(&bench.provider, token), None);
        let paths = &bench.endpoints().paths;
        assert_eq!(bench.send_json("GET", paths.userinfo, Some(token), None).await.status, 401);
        let form = [("token", token.as_str()), ("client_id", "gateway"), ("client_secret", &introspecting)];
        let introspected = bench.post_with(&mut Browser::default(), paths.introspection, &form, &[]).await;
        assert_eq!(introspected.is(200), json!({ "active": false }));
        let form = [("token", token.as_str()), ("client_id", "backend"), ("client_secret", &secret)];
        bench.post_with(&mut Browser::default(), paths.revocation, &form, &[]).await.is(200);
        for kind in [ACCESS_TOKEN, JWT, ID_TOKEN] {
            let refused = exchange(&bench, &secret, (kind, token), None).await.is(400);
            assert_eq!(refused["error"], "invalid_request", "{kind}");
            let refused = request(&bench, &secret, (kind, token), &[]).await.is(400);
            assert_eq!(refused["error"], "invalid_request", "{kind}");
        }
        let form = [
            ("grant_type", GrantType::TokenExchange.name()),
            ("client_id", "backend"),
            ("client_secret", &secret),
            ("subject_token", &access_token),
            ("subject_token_type", ACCESS_TOKEN),
            ("actor_token", token),
            ("actor_token_type", JWT),
        ];
        assert_eq!(bench.issue(&form).await.err().expect("is refused").code.code(), "invalid_request");
        let form = [
            ("grant_type", GrantType::JwtBearer.name()),
            ("client_id", "backend"),
            ("client_secret", &secret),
            ("assertion", token),
        ];
        assert_eq!(bench.issue(&form).await.err().expect("is refused").code.code(), "invalid_grant");
        let form = [
            ("grant_type", GrantType::TokenExchange.name()),
            ("client_assertion_type", CLIENT_ASSERTION_TYPE),
            ("client_assertion", token),
        ];
        assert_eq!(bench.issue(&form).await.err().expect("is refused").code.code(), "invalid_client");
    }
    // the transaction token itself was valid all the time
    request(&bench, &secret, (TOKEN_TYPE, &minted), &[]).await.is(200);
}

#[tokio::test]
async fn no_other_token_is_accepted_as_a_transaction_token() {
    let (bench, [secret, _]) = world().await;
    let (id_token, access_token) = issued(&bench, "house", "openid").await;
    let minted = token_of(&request(&bench, &secret, (ACCESS_TOKEN, &access_token), &[]).await);
    let mut claims = claims(&minted);
    // what the provider signs with the keys of its issuers, also as a transaction token of the right domain
    let issuer = bench.provider.keys.signer(Algorithm::Es256);
    let others = [id_token, access_token, bench.admin(), issuer.jwt(TYP, &claims), issuer.jwt("at+jwt", &claims)];
    for other in &others {
        let refused = request(&bench, &secret, (TOKEN_TYPE, other), &[]).await.is(400);
        assert_eq!(refused["error"], "invalid_request", "{other}");
    }
    let signer = transaction_keys().signer(bench.clock.now());
    request(&bench, &secret, (TOKEN_TYPE, &signer.jwt(TYP, &claims)), &[]).await.is(200);
    for (name, value) in [("aud", json!("other.example")), ("aud", json!(["cloud.example"])), ("iss", json!(null))] {
        let former = claims[name].take();
        claims[name] = value;
        let refused = request(&bench, &secret, (TOKEN_TYPE, &signer.jwt(TYP, &claims)), &[]).await.is(400);
        assert_eq!(refused["error"], "invalid_request", "{claims}");
        claims[name] = former;
    }
}

/// The keys of transaction tokens are published for services, and are no keys of an issuer.
#[tokio::test]
async fn key_set_of_transaction_tokens_is_apart_from_those_of_issuers() {
    let bench = Bench::new().await;
    let reply = bench.get(&mut Browser::default(), KEY_SET_PATH, &[]).await;
    let published = reply.is(200);
    let derived: Value = serde_json::from_slice(&transaction_keys().published(bench.clock.now())).expect("JSON");
    assert_eq!(published, derived);
    assert_eq!((reply.header("cache-control"), reply.header("etag").is_empty()), ("public, max-age=30", false));
    let names = |set: &Value| -> Vec<String> {
        let keys = set["keys"].as_array().expect("keys").iter();
        keys.map(|key| key["kid"].as_str().expect("a name").to_owned()).collect()
    };
    let of_issuer = bench.get(&mut Browser::default(), bench.endpoints().paths.jwks, &[]).await.is(200);
    let of_issuer = names(&of_issuer);
    assert!(!of_issuer.is_empty() && names(&published).len() == 6);
    assert!(names(&published).iter().all(|name| !of_issuer.contains(name)));
    let off = Bench::with(|config| config.transactions = config::Transactions::default()).await;
    off.get(&mut Browser::default(), KEY_SET_PATH, &[]).await.is(404);
}
