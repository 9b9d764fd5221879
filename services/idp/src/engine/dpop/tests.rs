use std::time::Duration;

use oidc::jose::SigningKey;
use serde_json::{Value, json};
use token::transaction::names::TOKEN_TYPE;

use super::*;
use crate::engine::clients::GrantType;
use crate::engine::grants::token_response::TokenResponse;
use crate::testing::{Bench, Browser, EINSTEIN, FapiClient, TRUST_DOMAIN, dpop_proof};

/// A client that acts for itself, with this profile.
async fn machine(bench: &Bench, id: &str, profile: Option<&str>) -> FapiClient {
    let metadata = json!({
        "profile": profile,
        "grant_types": [GrantType::ClientCredentials.name()],
        "response_types": [],
        "redirect_uris": [],
        "dpop_bound_access_tokens": true,
    });
    FapiClient::add(bench, id, &metadata).await
}

/// The response to a client that asks for a token with this proof.
async fn ask(bench: &Bench, client: &FapiClient, proof: Option<&str>) -> Result<TokenResponse, OAuthError> {
    let form = [("grant_type", GrantType::ClientCredentials.name()), ("client_id", &client.id)];
    client.issue(bench, &form, proof).await
}

/// The same with a proof with these claims.
async fn prove(bench: &Bench, client: &FapiClient, claims: &Value) -> Result<TokenResponse, OAuthError> {
    let url = bench.endpoints().url(bench.endpoints().paths.token);
    ask(bench, client, Some(&client.proof(bench, "POST", &url, claims))).await
}

/// The nonce that a client is sent that has proved its key without one.
async fn nonce_of(bench: &Bench, client: &FapiClient) -> String {
    let error = prove(bench, client, &json!({})).await.err().expect("needs a nonce");
    assert_eq!(error.code, ErrorCode::UseDpopNonce);
    error.dpop_nonce.expect("a nonce").into()
}

#[track_caller]
fn refused(outcome: Result<TokenResponse, OAuthError>) -> ErrorCode {
    let error = outcome.err().expect("is refused");
    assert_eq!(error.dpop_nonce.is_some(), error.code == ErrorCode::UseDpopNonce);
    error.code
}

/// Row [I75](../../../../../docs/security-requirements.md#i75).
#[tokio::test]
async fn proof_of_fapi2_client_is_signed_by_a_strong_algorithm() {
    let bench = Bench::new().await;
    let strict = machine(&bench, "strict", Some("fapi2")).await;
    let standard = machine(&bench, "standard", None).await;
    let ps256 = SigningKey::generate(Algorithm::Ps256, "key").expect("a key");
    let rs256 = SigningKey::from_pkcs8(Algorithm::Rs256, "key", &ps256.to_pkcs8().expect("is written")).expect("a key");
    let url = bench.endpoints().url(bench.endpoints().paths.token);
    let by = |key: &SigningKey| dpop_proof(key, &bench, ("POST", &url), &json!({}));
    for client in [&strict, &standard] {
        assert!(ask(&bench, client, Some(&by(&ps256))).await.is_ok(), "{}", client.id);
        assert!(prove(&bench, client, &json!({})).await.is_ok(), "{} by ES256", client.id);
        assert_eq!(refused(ask(&bench, client, None).await), ErrorCode::InvalidRequest, "{}", client.id);
    }
    assert_eq!(refused(ask(&bench, &strict, Some(&by(&rs256))).await), ErrorCode::InvalidDpopProof);
    assert!(ask(&bench, &standard, Some(&by(&rs256))).await.is_ok());
}

/// Row [I75](../../../../../docs/security-requirements.md#i75).
#[tokio::test]
async fn stale_nonce_is_answered_with_a_new_one() {
    let bench = Bench::with(|config| config.dpop_nonces = "fapi2".to_owned()).await;
    let client = machine(&bench, "app", Some("fapi2")).await;
    let standard = machine(&bench, "standard", None).await;
    assert!(prove(&bench, &standard, &json!({})).await.is_ok(), "the setting is for others");
    let nonce = nonce_of(&bench, &client).await;
    let now = crate::model::seconds(bench.clock.now());
    for iat in [now, now - 3600, now + 3600] {
        let outcome = prove(&bench, &client, &json!({ "nonce": nonce, "iat": iat })).await;
        assert!(outcome.is_ok(), "the nonce tells the time: {iat}");
    }
    let once = json!({ "nonce": nonce, "jti": "once", "iat": now - 3600 });
    assert!(prove(&bench, &client, &once).await.is_ok());
    assert_eq!(refused(prove(&bench, &client, &once).await), ErrorCode::InvalidDpopProof, "it was used");
    assert_eq!(refused(ask(&bench, &client, None).await), ErrorCode::InvalidRequest, "no proof, no nonce");
    for foreign in ["", "AAAAAAAAAAAAAAAAAAAAAA", "nonce"] {
        let outcome = prove(&bench, &client, &json!({ "nonce": foreign })).await.map_err(|error| error.code);
        // an empty one is malformed
        let expected = if foreign.is_empty() { ErrorCode::InvalidDpopProof } else { ErrorCode::UseDpopNonce };
        assert_eq!(outcome.err(), Some(expected), "{foreign:?}");
    }
    bench.advance(Duration::from_mins(2));
    assert!(prove(&bench, &client, &json!({ "nonce": nonce })).await.is_ok(), "two minutes later");
    bench.advance(Duration::from_mins(1));
    assert_eq!(refused(prove(&bench, &client, &json!({ "nonce": nonce })).await), ErrorCode::UseDpopNonce);
    let newer = nonce_of(&bench, &client).await;
    assert_ne!(newer, nonce);
    assert!(prove(&bench, &client, &json!({ "nonce": newer })).await.is_ok());
}

/// Row [I75](../../../../../docs/security-requirements.md#i75).
#[tokio::test]
async fn nonce_of_another_replica_is_accepted() {
    let nonces = |config: &mut crate::Config| config.dpop_nonces = "all".to_owned();
    let (one, other) = (Bench::with(nonces).await, Bench::with(nonces).await);
    let there = machine(&one, "app", None).await;
    let here = machine(&other, "app", None).await;
    let nonce = nonce_of(&one, &there).await;
    assert!(prove(&other, &here, &json!({ "nonce": nonce })).await.is_ok());
    // whose clock is ahead
    one.advance(Duration::from_mins(1));
    let ahead = nonce_of(&one, &there).await;
    assert!(prove(&other, &here, &json!({ "nonce": ahead })).await.is_ok());
    one.advance(Duration::from_mins(1));
    let too_far = nonce_of(&one, &there).await;
    assert_eq!(refused(prove(&other, &here, &json!({ "nonce": too_far })).await), ErrorCode::UseDpopNonce);
}

/// Row [I70](../../../../../docs/security-requirements.md#i70).
#[tokio::test]
async fn transaction_token_is_for_the_client_that_holds_its_key() {
    let bench = Bench::new().await;
    let metadata = json!({
        "grant_types": [GrantType::TokenExchange.name()],
        "response_types": [],
        "redirect_uris": [],
        "transaction_tokens": { "scopes": ["files.read"] },
    });
    let client = FapiClient::add(&bench, "backend", &metadata).await;
    bench.add("house", &json!({ "pkce": "optional", "resources": ["backend"], "consent": "trusted" })).await;
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let mut grant = bench.grant(&session, "house", bench.endpoints(), "openid").await;
    grant.resources = vec!["backend".to_owned()];
    let subject = bench.tokens(&grant).await.1;
    let form = [
        ("grant_type", GrantType::TokenExchange.name()),
        ("client_id", "backend"),
        ("requested_token_type", TOKEN_TYPE),
        ("audience", TRUST_DOMAIN),
        ("scope", "files.read"),
        ("subject_token", subject.as_str()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
    ];
    let url = bench.endpoints().url(bench.endpoints().paths.token);
    let proof = |claims: &Value| client.proof(&bench, "POST", &url, claims);
    assert_eq!(refused(client.issue(&bench, &form, None).await), ErrorCode::InvalidRequest);
    let elsewhere = proof(&json!({ "htu": "https://cloud.example/elsewhere" }));
    assert_eq!(refused(client.issue(&bench, &form, Some(&elsewhere)).await), ErrorCode::InvalidDpopProof);
    let good = proof(&json!({}));
    let issued = client.issue(&bench, &form, Some(&good)).await.expect("is issued");
    assert_eq!(issued.issued_token_type, Some(TOKEN_TYPE));
    assert_eq!(refused(client.issue(&bench, &form, Some(&good)).await), ErrorCode::InvalidDpopProof, "it was used");
}
