//! Requests to an issuer, and what happens when it does not answer.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{MINUTE, Provider, Service, directory, key, no_users, sign, with};
use auth_bearer::{AuthProviders, Config, Oidc};
use authn::{AuthError, Reason};
use oidc::jose::{Algorithm, hs256_jwt};
use serde_json::json;

/// A token that names an unknown key, and is signed with a key that no issuer publishes.
fn forged(service: &Service, issuer: &str, number: usize) -> String {
    let other = key(&format!("storm-{number}"), Algorithm::EdDsa);
    sign(&other, &service.claims(issuer))
}

/// Row R2.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_unknown_keys_cause_one_fetch_in_ten_seconds() {
    let known = key("k", Algorithm::EdDsa);
    let provider = Provider::start(&[&known]).await;
    let service = Arc::new(Service::of(&provider));
    assert!(service.authenticate(&sign(&known, &service.claims(&provider.url))).await.is_ok());
    assert_eq!(provider.fetches(), 1);

    service.clock.advance(Duration::from_secs(10));
    for batch in 0..100 {
        let storm = (0..100).map(|number| {
            let (service, url) = (Arc::clone(&service), provider.url.clone());
            tokio::spawn(async move { service.refusal(&forged(&service, &url, 100 * batch + number)).await })
        });
        for refusal in storm.collect::<Vec<_>>() {
            assert_eq!(refusal.await.expect("no panic"), Reason::ForeignToken);
        }
        // 9.9 s in all
        service.clock.advance(Duration::from_millis(99));
    }
    assert_eq!(provider.fetches(), 2, "ten thousand keys in ten seconds cost one question");
    assert!(service.authenticate(&sign(&known, &service.claims(&provider.url))).await.is_ok(), "known keys work");

    service.clock.advance(Duration::from_millis(100));
    service.refusal(&forged(&service, &provider.url, 0)).await;
    assert_eq!(provider.fetches(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_callers_ask_once() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let service = Arc::new(Service::of(&provider));
    let token = sign(&signer, &service.claims(&provider.url));
    let callers = (0..64).map(|_| {
        let (service, token) = (Arc::clone(&service), token.clone());
        tokio::spawn(async move { service.authenticate(&token).await.is_ok() })
    });
    for caller in callers.collect::<Vec<_>>() {
        assert!(caller.await.expect("no panic"));
    }
    assert_eq!(provider.fetches(), 1);
}

#[tokio::test]
async fn a_new_key_is_taken_up() {
    let (former, new) = (key("former", Algorithm::Es256), key("new", Algorithm::Es256));
    let provider = Provider::start(&[&former]).await;
    let service = Service::of(&provider);
    assert!(service.authenticate(&sign(&former, &service.claims(&provider.url))).await.is_ok());
    provider.publish(&[&former, &new]);
    service.clock.advance(Duration::from_secs(10));
    assert!(service.authenticate(&sign(&new, &service.claims(&provider.url))).await.is_ok());
    assert!(service.authenticate(&sign(&former, &service.claims(&provider.url))).await.is_ok());
}

/// Row R7.
#[tokio::test]
async fn tokens_stay_valid_while_the_issuer_is_away_for_ten_minutes() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let service = Service::of(&provider);
    let held: Vec<_> =
        (0..20).map(|number| sign(&signer, &with(service.claims(&provider.url), "jti", number.to_string()))).collect();
    assert!(service.authenticate(&held[0]).await.is_ok());
    provider.stop();
    for minute in 0..=10 {
        for token in &held {
            assert!(service.authenticate(token).await.is_ok(), "held, minute {minute}");
        }
        let new = sign(&signer, &service.claims(&provider.url));
        assert!(service.authenticate(&new).await.is_ok(), "issued while no issuer answers, minute {minute}");
        let unknown = forged(&service, &provider.url, 0);
        assert_eq!(service.refusal(&unknown).await, Reason::ForeignToken);
        service.clock.advance(MINUTE);
    }
    let metrics = service.context.metrics.render();
    let failures = format!(r#"doorward_issuer_asked_total{{issuer="{}",outcome="failure"}} "#, provider.url);
    let failures = metrics.split(&failures).nth(1).and_then(|rest| rest.split('\n').next()).expect("is counted");
    assert!(failures.parse::<u32>().is_ok_and(|count| count >= 10), "{metrics}");
    assert!(metrics.contains(&format!(r#"doorward_issuer_up{{issuer="{}"}} 0"#, provider.url)), "{metrics}");
    let app = auth_bearer::app(&service.bearer, &auth_bearer::Config::default(), &service.context);
    assert!(app.checks.is_empty(), "readiness is not the issuer's: other issuers, and keys that are known, go on");
}

/// Row R7.
#[tokio::test]
async fn cached_keys_stay_valid_for_a_day_without_the_issuer() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let service = Service::of(&provider);
    assert!(service.authenticate(&sign(&signer, &service.claims(&provider.url))).await.is_ok());
    provider.stop();
    for _ in 0..(24 * 60 - 1) / 10 {
        service.clock.advance(10 * MINUTE);
        assert!(service.authenticate(&sign(&signer, &service.claims(&provider.url))).await.is_ok());
    }
    service.clock.advance(11 * MINUTE);
    let late = service.authenticate(&sign(&signer, &service.claims(&provider.url))).await;
    assert!(matches!(late, Err(AuthError::Unavailable { .. })), "{late:?}");
}

#[tokio::test]
async fn an_issuer_that_was_never_there_is_unavailable_and_may_come_later() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[]).await;
    let service = Service::of(&provider);
    let early = service.authenticate(&sign(&signer, &service.claims(&provider.url))).await;
    assert!(matches!(early, Err(AuthError::Unavailable { .. })), "{early:?}");
    provider.publish(&[&signer]);
    service.clock.advance(Duration::from_secs(1));
    assert!(service.authenticate(&sign(&signer, &service.claims(&provider.url))).await.is_ok());

    provider.stop();
    let dead = Service::of(&provider);
    let refused = dead.authenticate(&sign(&signer, &dead.claims(&provider.url))).await;
    assert!(matches!(refused, Err(AuthError::Unavailable { .. })), "{refused:?}");
}

/// Row R1.
#[tokio::test]
async fn discovery_document_that_points_to_another_issuer_is_rejected() {
    let signer = key("k", Algorithm::Es256);
    let (provider, other) = (Provider::start(&[&signer]).await, Provider::start(&[&signer]).await);
    let unavailable = async || {
        let service = Service::of(&provider);
        let answer = service.authenticate(&sign(&signer, &service.claims(&provider.url))).await;
        assert!(matches!(answer, Err(AuthError::Unavailable { .. })), "{answer:?}");
    };
    provider.announce("issuer", json!(format!("{}/", provider.url)));
    unavailable().await;
    provider.announce("issuer", json!(provider.url));
    // a private address where the issuer is not itself
    provider.announce("jwks_uri", json!(format!("{}/keys", other.url)));
    unavailable().await;
    assert_eq!(other.fetches(), 0);
}

/// Row R2.
#[tokio::test]
async fn key_set_with_too_many_keys_or_a_secret_is_rejected() {
    let signer = key("k", Algorithm::EdDsa);
    let more: Vec<_> = (0..100).map(|number| key(&number.to_string(), Algorithm::EdDsa)).collect();
    let all: Vec<_> = more.iter().chain([&signer]).collect();
    let provider = Provider::start(&all).await;
    let service = Service::of(&provider);
    let answer = service.authenticate(&sign(&signer, &service.claims(&provider.url))).await;
    assert!(matches!(answer, Err(AuthError::Unavailable { .. })), "{answer:?}");
    let secret = hs256_jwt(b"k", "JWT", &service.claims(&provider.url));
    assert_eq!(service.refusal(&secret).await, Reason::ForeignToken);
}

/// Row R20.
#[tokio::test]
async fn token_of_an_issuer_that_the_file_no_longer_accepts_is_refused_although_its_verdict_is_cached() {
    let signer = key("k", Algorithm::Es256);
    let (own, partner) = (Provider::start(&[&signer]).await, Provider::start(&[&signer]).await);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("issuers.yaml");
    let people = "people: !directory {claim: preferred_username, by: username}";
    let write = |entries: &str| std::fs::write(&file, format!("issuers: [{entries}]")).expect("writes");
    let entry = |audience: &str| format!("{{issuer: '{}', audience: [{audience}], {people}}}", partner.url);
    write(&entry("web"));
    let oidc = Oidc { issuer: own.url.clone(), ..Oidc::default() };
    let auth_providers = AuthProviders { oidc, issuers_file: Some(file.clone()) };
    let service = Service::of_config(&Config { auth_providers, ..Config::default() }, directory(), no_users());
    let token = |issuer: &Provider| sign(&signer, &service.claims(&issuer.url));
    let (of_own, of_partner) = (token(&own), token(&partner));
    let failures =
        "doorward_file_reload_failures_total{service=\"auth-bearer\",setting=\"AUTH_BEARER_OIDC_ISSUERS_FILE\"} ";
    let are_good = async || {
        service.authenticate(&of_own).await.expect("is accepted");
        service.authenticate(&of_partner).await.expect("is accepted");
    };
    are_good().await;
    let fetches = own.fetches();

    write(&entry("web, {}"));
    service.context.reload.announce();
    eventually(async || service.context.metrics.render().contains(&format!("{failures}1"))).await;
    are_good().await;

    // made for another audience, then of an unknown issuer
    for entries in [entry("other"), String::new()] {
        write(&entries);
        service.context.reload.announce();
        let refused = async || {
            let outcome = service.authenticate(&of_partner).await;
            matches!(outcome, Err(AuthError::Refused(Reason::ForeignToken)))
        };
        eventually(refused).await;
        write(&entry("web"));
        service.context.reload.announce();
        eventually(async || service.authenticate(&of_partner).await.is_ok()).await;
        are_good().await;
    }
    assert_eq!(own.fetches(), fetches, "the keys of an issuer that has not changed are not fetched again");
}

/// Waits for what another task does in a moment.
async fn eventually(is_so: impl AsyncFn() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("in time");
}
