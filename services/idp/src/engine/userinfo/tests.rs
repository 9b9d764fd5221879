use std::sync::Arc;

use authn::{User, UserId};
use oidc::jose::UnverifiedJwt;
use serde_json::json;

use super::*;
use crate::engine::tokens::Issue;
use crate::testing::{Bench, Browser, EINSTEIN, NO_PROOFS};

async fn bench(more: &Value) -> Bench {
    let bench = Bench::new().await;
    bench.add("app", more).await;
    bench
}

async fn granted(bench: &Bench, scope: &str) -> Grant {
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    bench.grant(&session, "app", bench.endpoints(), scope).await
}

async fn ask(bench: &Bench, scheme: Scheme, token: &str) -> Result<Document, OAuthError> {
    let credential = Credential { scheme, token: token.to_owned(), proofs: NO_PROOFS };
    userinfo(&bench.provider, bench.endpoints(), &credential).await
}

async fn refused(bench: &Bench, scheme: Scheme, token: &str) -> ErrorCode {
    ask(bench, scheme, token).await.expect_err("is refused").code
}

#[tokio::test]
async fn claims_follow_the_scope_of_the_access_token() {
    let bench = bench(&json!({})).await;
    for (scope, name) in [("openid", None), ("openid profile", Some("Albert Einstein"))] {
        let token = bench.tokens(&granted(&bench, scope).await).await.1;
        let Document::Json(json) = ask(&bench, Scheme::Bearer, &token).await.expect("is answered") else {
            panic!("signed");
        };
        let claims: Value = serde_json::from_slice(&json).expect("JSON");
        assert_eq!((claims["sub"].as_str(), claims["name"].as_str()), (Some(EINSTEIN), name), "{scope}");
    }
}

#[tokio::test]
async fn token_without_openid_has_insufficient_scope() {
    let bench = bench(&json!({})).await;
    let token = bench.tokens(&granted(&bench, "profile").await).await.1;
    assert_eq!(refused(&bench, Scheme::Bearer, &token).await, ErrorCode::InsufficientScope);
}

/// Row I30.
#[tokio::test]
async fn id_token_is_no_access_token() {
    let bench = bench(&json!({})).await;
    let (id_token, _) = bench.tokens(&granted(&bench, "openid").await).await;
    assert_eq!(refused(&bench, Scheme::Bearer, &id_token).await, ErrorCode::InvalidToken);
}

/// Row I29.
#[tokio::test]
async fn token_counts_only_with_the_proof_it_is_bound_to() {
    let bench = bench(&json!({})).await;
    let grant = granted(&bench, "openid").await;
    let client = bench.provider.clients.find("app").await.expect("asks").expect("is known");
    let user = Arc::new(User { id: UserId { opaque_id: EINSTEIN.into(), ..UserId::default() }, ..User::default() });
    let issue = |binding: &Binding| {
        let issue = Issue {
            endpoints: bench.endpoints(),
            client: &client,
            grant: &grant,
            user: Some(&user),
            binding: Some(binding),
            nonce: None,
            now: bench.clock.now(),
        };
        issue.access_token(&bench.provider).text
    };
    let bound = issue(&Binding::Dpop("jkt".to_owned()));
    assert_eq!(refused(&bench, Scheme::Bearer, &bound).await, ErrorCode::InvalidToken);
    assert_eq!(refused(&bench, Scheme::Dpop, &bound).await, ErrorCode::InvalidDpopProof, "the proof is missing");
    let bound = issue(&Binding::Certificate("x5t".to_owned()));
    assert_eq!(refused(&bench, Scheme::Bearer, &bound).await, ErrorCode::InvalidToken, "no certificate");
    let (_, free) = bench.tokens(&grant).await;
    assert_eq!(refused(&bench, Scheme::Dpop, &free).await, ErrorCode::InvalidToken);
}

#[tokio::test]
async fn client_that_is_registered_for_it_gets_a_signed_response() {
    let bench = bench(&json!({ "userinfo_signed_response_alg": "ES256" })).await;
    let token = bench.tokens(&granted(&bench, "openid").await).await.1;
    let Document::Jwt(text) = ask(&bench, Scheme::Bearer, &token).await.expect("is answered") else {
        panic!("not signed");
    };
    let jwt = UnverifiedJwt::parse(&text).expect("a JWT");
    assert!(bench.provider.keys.verifies(&jwt));
    assert_eq!((&jwt.claims()["sub"], &jwt.claims()["aud"]), (&json!(EINSTEIN), &json!("app")));
}
