//! Against an issuer that is not ours: the npm package oidc-provider, as `tests/conformance/peer/issuer.mjs` sets it up. Its
//! processes run one at a time (`.config/nextest.toml`), so that every name here says that there is one.

mod support;

use std::time::Duration;

use authn::{AuthError, Reason};
use serde_json::json;

use crate::support::service;

const FORMATS: [&str; 4] = ["RS256", "PS256", "ES256", "EdDSA"];

#[tokio::test(flavor = "multi_thread")]
async fn jwts_of_the_peer_process_are_accepted_in_every_algorithm_through_rotation_and_outage() {
    let Some((service, issuer)) = service(|oidc| oidc.audience = vec!["urn:doorward".to_owned()]).await else { return };
    let mut held = Vec::new();
    for format in FORMATS {
        let token = issuer.mint(format, "einstein", None).await;
        let who = service.authenticate(&token).await.unwrap_or_else(|error| panic!("{format}: {error:?}"));
        assert_eq!(who.user.username, "einstein", "{format}");
        held.push(token);
    }
    let id_token = issuer.ask("id_token", json!({"account": "einstein"})).await;
    assert_eq!(service.refusal(&id_token).await, Reason::Malformed, "an ID token is no access token");
    let opaque = issuer.mint("opaque", "einstein", None).await;
    assert_eq!(service.refusal(&opaque).await, Reason::Malformed);

    // other keys: the issuer has forgotten those that signed what is held
    issuer.ask("rotate", json!({})).await;
    service.clock.advance(Duration::from_secs(30));
    let new: Vec<_> =
        [issuer.mint("RS256", "einstein", None).await, issuer.mint("EdDSA", "einstein", None).await].into();
    for token in &new {
        assert!(service.authenticate(token).await.is_ok(), "a new key is taken up");
    }
    for token in &held {
        assert_eq!(service.refusal(token).await, Reason::ForeignToken, "an old one is not good any more");
    }

    drop(issuer);
    for minute in 0..=10 {
        for token in &new {
            assert!(service.authenticate(token).await.is_ok(), "minute {minute} without the issuer");
        }
        service.clock.advance(Duration::from_mins(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn opaque_tokens_of_the_peer_process_are_introspected() {
    let Some((service, issuer)) = service(|oidc| {
        oidc.verify_method = "introspection".to_owned();
        oidc.client_id = "resource".to_owned();
        oidc.client_secret = "the-secret-of-the-resource-server".into();
        oidc.authorized_parties = vec!["web".to_owned()];
    })
    .await
    else {
        return;
    };
    let token = issuer.mint("opaque", "einstein", None).await;
    let who = service.authenticate(&token).await.expect("is good");
    assert!(who.not_after.is_some(), "the issuer says when it ends");
    issuer.ask("revoke", json!({"token": token})).await;
    service.authenticate(&token).await.expect("is cached for half a minute");
    service.clock.advance(Duration::from_secs(30));
    assert_eq!(service.refusal(&token).await, Reason::Unstated, "row R5");
    assert_eq!(service.refusal("nothing-that-was-ever-issued").await, Reason::Unstated);
    let other = issuer.mint("opaque", "einstein", None).await;
    drop(issuer);
    let away = service.authenticate(&other).await;
    assert!(matches!(away, Err(AuthError::Unavailable { .. })), "no issuer can tell: {away:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn opaque_tokens_of_the_peer_process_name_their_person_by_userinfo() {
    let Some((service, issuer)) = service(|oidc| {
        oidc.verify_method = "none".to_owned();
        oidc.userinfo_any_client = true;
    })
    .await
    else {
        return;
    };
    let token = issuer.mint("opaque", "einstein", None).await;
    assert_eq!(service.authenticate(&token).await.expect("is good").user.username, "einstein");
    issuer.ask("revoke", json!({"token": token})).await;
    service.clock.advance(Duration::from_secs(30));
    assert_eq!(service.refusal(&token).await, Reason::Unstated);
    let unknown = issuer.mint("opaque", "newton", None).await;
    assert_eq!(service.refusal(&unknown).await, Reason::UnknownUser);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_out_at_the_peer_process_ends_the_session_here() {
    let Some((service, issuer)) = service(|oidc| oidc.authorized_parties = vec!["web".to_owned()]).await else {
        return;
    };
    let (ended, other) =
        (issuer.mint("ES256", "einstein", Some("s1")).await, issuer.mint("ES256", "einstein", Some("s2")).await);
    for token in [&ended, &other] {
        service.authenticate(token).await.expect("is good");
    }
    issuer.ask("logout", json!({"account": "einstein", "session": "s1"})).await;
    assert_eq!(service.refusal(&ended).await, Reason::Revoked);
    service.authenticate(&other).await.expect("is another session");
    let later = issuer.mint("RS256", "einstein", Some("s1")).await;
    assert_eq!(service.refusal(&later).await, Reason::Revoked, "from then on");
}
