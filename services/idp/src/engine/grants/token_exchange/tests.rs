//! Row I27: a token that was exchanged never does more than the one before.

mod confusion;
mod transaction;

use oidc::jose::UnverifiedJwt;
use serde_json::{Value, json};

use super::token_type::{ACCESS_TOKEN, ID_TOKEN};
use crate::engine::clients::GrantType;
use crate::testing::{Bench, Browser, EINSTEIN, Reply, SITE};

/// A provider with a trusted backend that may exchange tokens, and two clients whose tokens are for it too: one of the installation's own, and
/// another. The result holds the backend's secret.
async fn bench(backend: Value) -> (Bench, String) {
    with_clients(Bench::new().await, backend).await
}

/// The same of this provider.
async fn with_clients(bench: Bench, backend: Value) -> (Bench, String) {
    let mut metadata = json!({
        "token_endpoint_auth_method": "client_secret_post",
        "grant_types": [GrantType::TokenExchange.name()],
        "response_types": [],
        "redirect_uris": [],
        "consent": "trusted",
        "exchange": {"impersonate": true},
    });
    metadata.as_object_mut().expect("members").extend(backend.as_object().expect("members").clone());
    let secret = bench.add("backend", &metadata).await;
    bench.add("third", &json!({ "pkce": "optional", "resources": ["backend"] })).await;
    bench.add("house", &json!({ "pkce": "optional", "resources": ["backend"], "consent": "trusted" })).await;
    (bench, secret)
}

/// The ID token and the access token that a client has for the backend.
async fn issued(bench: &Bench, client: &str, scope: &str) -> (String, String) {
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let mut grant = bench.grant(&session, client, bench.endpoints(), scope).await;
    grant.resources = vec!["backend".to_owned()];
    bench.tokens(&grant).await
}

async fn exchange(bench: &Bench, secret: &str, (kind, token): (&str, &str), scope: Option<&str>) -> Reply {
    let mut form = vec![
        ("grant_type", GrantType::TokenExchange.name()),
        ("client_id", "backend"),
        ("client_secret", secret),
        ("subject_token", token),
        ("subject_token_type", kind),
    ];
    form.extend(scope.map(|scope| ("scope", scope)));
    bench.post_with(&mut Browser::default(), bench.endpoints().paths.token, &form, &[]).await
}

fn token_of(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["access_token"].as_str().expect("a token").to_owned()
}

fn claims(token: &str) -> Value {
    Value::Object(UnverifiedJwt::parse(token).expect("a JWT").into_claims())
}

#[tokio::test]
async fn i27_token_of_third_party_client_does_not_become_the_whole_user() {
    let (bench, secret) = bench(json!({})).await;
    for (client, is_whole) in [("third", false), ("house", true)] {
        let (_, mut token) = issued(&bench, client, "openid profile").await;
        // also when it is exchanged once more
        for _ in 0..2 {
            token = token_of(&exchange(&bench, &secret, (ACCESS_TOKEN, &token), None).await);
            let claims = claims(&token);
            assert_eq!((&claims["client_id"], &claims["sub"]), (&json!("backend"), &json!(EINSTEIN)), "{client}");
            assert_eq!(claims["first_party"], is_whole, "{client}");
        }
    }
}

/// Row A9: with an app token it would outlive the token that was exchanged.
#[tokio::test]
async fn i27_exchanged_token_says_of_no_sign_in() {
    let (bench, secret) = bench(json!({})).await;
    let (_, token) = issued(&bench, "house", "openid").await;
    assert_eq!(claims(&token)["amr"], json!(["pwd"]));
    let exchanged = token_of(&exchange(&bench, &secret, (ACCESS_TOKEN, &token), None).await);
    assert_eq!(claims(&exchanged)["amr"], json!([]));
}

#[tokio::test]
async fn i27_token_without_the_api_scopes_of_the_former_one_does_not_act_as_the_whole_user() {
    let narrow = "openid path:/photos:r";
    let (bench, secret) = self::bench(json!({})).await;
    let (_, token) = issued(&bench, "house", narrow).await;
    // a parameter without a value counts as left out (RFC 6749 3.2), and the scope stays
    for (scope, is_whole) in [(None, true), (Some(""), true), (Some(narrow), true), (Some("openid"), false)] {
        let claims = claims(&token_of(&exchange(&bench, &secret, (ACCESS_TOKEN, &token), scope).await));
        assert_eq!(claims["first_party"], is_whole, "{scope:?}: {claims}");
    }
    // or where the backend may not ask for them
    let (bench, secret) = self::bench(json!({ "scope": "openid" })).await;
    let (_, token) = issued(&bench, "house", narrow).await;
    let claims = claims(&token_of(&exchange(&bench, &secret, (ACCESS_TOKEN, &token), None).await));
    assert_eq!((&claims["scope"], &claims["first_party"]), (&json!("openid"), &json!(false)));
}

#[tokio::test]
async fn i27_id_token_is_exchanged_for_one_that_does_nothing() {
    let (bench, secret) = bench(json!({})).await;
    let (id_token, _) = issued(&bench, "backend", "openid").await;
    let claims = claims(&token_of(&exchange(&bench, &secret, (ID_TOKEN, &id_token), None).await));
    assert_eq!((&claims["scope"], &claims["first_party"]), (&json!(""), &json!(false)));
}

/// What every client may ask a user for, the user has not granted to this one.
#[tokio::test]
async fn i27_exchanged_token_is_only_for_targets_of_the_registration() {
    let notes = format!("{SITE}/notes");
    for (registration, status) in [
        (json!({}), 400),
        (json!({ "exchange": { "delegate": true, "audiences": ["billing"] } }), 400),
        (json!({ "exchange": { "impersonate": true, "audiences": [notes] } }), 200),
        (json!({ "resources": [notes] }), 200),
    ] {
        let (bench, secret) = self::bench(registration.clone()).await;
        let (_, token) = issued(&bench, "house", "openid").await;
        for name in ["audience", "resource"] {
            let form = [
                ("grant_type", GrantType::TokenExchange.name()),
                ("client_id", "backend"),
                ("client_secret", secret.as_str()),
                ("subject_token", token.as_str()),
                ("subject_token_type", ACCESS_TOKEN),
                (name, notes.as_str()),
            ];
            let path = bench.endpoints().paths.token;
            let body = bench.post_with(&mut Browser::default(), path, &form, &[]).await.is(status);
            if status == 200 {
                let token = body["access_token"].as_str().expect("a token");
                assert_eq!(claims(token)["aud"], json!(["backend", notes]), "{registration} {name}");
            } else {
                assert_eq!(body["error"], "invalid_target", "{registration} {name}");
            }
        }
    }
}

#[tokio::test]
async fn i27_opaque_token_keeps_what_the_former_one_could_not_do() {
    let (bench, secret) = bench(json!({ "access_token_format": "opaque", "introspects_all": true })).await;
    for (client, is_whole) in [("third", false), ("house", true)] {
        let (_, token) = issued(&bench, client, "openid").await;
        let token = token_of(&exchange(&bench, &secret, (ACCESS_TOKEN, &token), None).await);
        let form = [("token", token.as_str()), ("client_id", "backend"), ("client_secret", &secret)];
        let answer = bench.post_with(&mut Browser::default(), bench.endpoints().paths.introspection, &form, &[]).await;
        assert_eq!(
            (&answer.json()["active"], &answer.json()["first_party"]),
            (&json!(true), &json!(is_whole)),
            "{client}"
        );
    }
}
