//! Tokens that only their issuer understands.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{Provider, Service, key, seconds, sign};
use auth_bearer::Oidc;
use authn::{AuthError, Reason};
use oidc::jose::Algorithm;
use serde_json::{Value, json};

fn service(provider: &Provider, method: &str, client_auth: &str) -> Service {
    Service::new(Oidc {
        issuer: provider.url.clone(),
        verify_method: method.to_owned(),
        userinfo_any_client: true,
        client_id: "us".to_owned(),
        client_secret: "introspection-secret".into(),
        client_auth: client_auth.to_owned(),
        ..Oidc::default()
    })
}

fn active(service: &Service) -> Value {
    json!({
        "active": true, "token_type": "Bearer", "sub": "4c51", "client_id": "web", "username": "einstein",
        "exp": service.now() + 3600,
    })
}

/// Row R5.
#[tokio::test(flavor = "multi_thread")]
async fn introspection_result_is_cached_for_half_a_minute() {
    let provider = Provider::start(&[]).await;
    for (client_auth, shown) in [
        ("client_secret_basic", "Basic dXM6aW50cm9zcGVjdGlvbi1zZWNyZXQ="),
        ("client_secret_post", "introspection-secret"),
    ] {
        let service = Arc::new(service(&provider, "introspection", client_auth));
        provider.say("opaque-token", active(&service));
        let before = provider.introspections();
        let callers = (0..64).map(|_| {
            let service = Arc::clone(&service);
            tokio::spawn(async move { service.authenticate("opaque-token").await })
        });
        for caller in callers.collect::<Vec<_>>() {
            let who = caller.await.expect("no panic").expect("is good");
            assert_eq!(who.user.username, "einstein");
            assert_eq!(who.not_after.map(seconds), Some(service.now() + 3600));
        }
        assert_eq!(provider.introspections() - before, 1, "of several at the same time one asks");
        assert_eq!(provider.credentials().last().map(String::as_str), Some(shown));
        service.clock.advance(Duration::from_secs(29));
        service.authenticate("opaque-token").await.expect("is cached");
        assert_eq!(provider.introspections() - before, 1);
        service.clock.advance(Duration::from_secs(1));
        service.authenticate("opaque-token").await.expect("introspection accepts it");
        assert_eq!(provider.introspections() - before, 2);
    }
}

/// Row R5.
#[tokio::test]
async fn revoked_token_is_refused_after_half_a_minute_and_a_refusal_is_cached_for_five_seconds() {
    let provider = Provider::start(&[]).await;
    let service = service(&provider, "introspection", "client_secret_basic");
    provider.say("opaque-token", active(&service));
    service.authenticate("opaque-token").await.expect("is good");
    provider.say("opaque-token", json!({"active": false}));
    service.clock.advance(Duration::from_secs(30));
    assert_eq!(service.refusal("opaque-token").await, Reason::Unstated);
    let introspections = provider.introspections();
    service.clock.advance(Duration::from_secs(4));
    assert_eq!(service.refusal("opaque-token").await, Reason::Unstated);
    assert_eq!(provider.introspections(), introspections);
    service.clock.advance(Duration::from_secs(1));
    assert_eq!(service.refusal("opaque-token").await, Reason::Unstated);
    assert_eq!(provider.introspections(), introspections + 1);
}

/// Row R5.
#[tokio::test]
async fn result_is_not_cached_beyond_the_end_of_its_token() {
    let provider = Provider::start(&[]).await;
    let service = service(&provider, "introspection", "client_secret_basic");
    let mut said = active(&service);
    said["exp"] = json!(service.now() + 10);
    provider.say("opaque-token", said);
    service.authenticate("opaque-token").await.expect("is good");
    provider.say("opaque-token", json!({"active": false}));
    service.clock.advance(Duration::from_secs(10));
    assert_eq!(service.refusal("opaque-token").await, Reason::Unstated);
}

#[tokio::test]
async fn unavailable_issuer_is_reported_and_not_cached() {
    let provider = Provider::start(&[]).await;
    for method in ["introspection", "userinfo"] {
        let service = service(&provider, method, "client_secret_basic");
        provider.announce("introspection_endpoint", Value::Null);
        provider.announce("userinfo_endpoint", Value::Null);
        let away = service.authenticate("opaque-token").await;
        assert!(matches!(away, Err(AuthError::Unavailable { .. })), "{away:?}");
        provider.announce("introspection_endpoint", json!(format!("{}/introspect", provider.url)));
        provider.announce("userinfo_endpoint", json!(format!("{}/userinfo", provider.url)));
        provider.say("opaque-token", active(&service));
        provider.tell(Some(json!({"sub": "4c51", "preferred_username": "einstein"})));
        service.clock.advance(Duration::from_mins(10));
        // the cached document stays in use while the new one is fetched
        let _ = service.authenticate("opaque-token").await;
        for _ in 0..200 {
            if service.authenticate("opaque-token").await.is_ok() {
                break;
            }
            tokio::task::yield_now().await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        service.authenticate("opaque-token").await.expect("is good now");
    }
}

/// Row R5.
#[tokio::test]
async fn userinfo_result_is_cached_for_half_a_minute() {
    let provider = Provider::start(&[]).await;
    for method in ["userinfo", "none"] {
        let service = service(&provider, method, "client_secret_basic");
        provider.tell(Some(json!({"sub": "4c51", "preferred_username": "einstein"})));
        let before = provider.userinfos();
        for _ in 0..3 {
            assert_eq!(service.authenticate("opaque-token").await.expect("is good").user.username, "einstein");
        }
        assert_eq!(provider.userinfos() - before, 1);
        provider.tell(None);
        service.clock.advance(Duration::from_secs(30));
        assert_eq!(service.refusal("opaque-token").await, Reason::Unstated);
        assert_eq!(service.refusal("opaque-token").await, Reason::Unstated);
        assert_eq!(provider.userinfos() - before, 2);
    }
}

#[tokio::test]
async fn signed_userinfo_is_accepted_from_its_issuer_only() {
    let (signer, other) = (key("k", Algorithm::Es256), key("k", Algorithm::Es256));
    let provider = Provider::start(&[&signer]).await;
    let service = service(&provider, "userinfo", "client_secret_basic");
    let said = json!({"iss": provider.url, "aud": "us", "sub": "4c51", "preferred_username": "einstein"});
    provider.tell(Some(sign(&signer, &said).into()));
    service.authenticate("opaque-1").await.expect("is good");
    provider.tell(Some(sign(&other, &said).into()));
    assert_eq!(service.refusal("opaque-2").await, Reason::WrongSecret);
    let mut foreign = said;
    foreign["iss"] = json!("https://other.example");
    provider.tell(Some(sign(&signer, &foreign).into()));
    assert_eq!(service.refusal("opaque-3").await, Reason::ForeignToken);
}

/// Row R1.
#[tokio::test]
async fn token_that_names_its_issuer_is_disclosed_to_no_other() {
    let signer = key("k", Algorithm::Es256);
    let (provider, other) = (Provider::start(&[&signer]).await, Provider::start(&[&signer]).await);
    let service = service(&provider, "introspection", "client_secret_basic");
    assert_eq!(service.refusal(&sign(&signer, &service.claims(&other.url))).await, Reason::ForeignToken);
    assert_eq!(provider.introspections(), 0);
    let jwt = sign(&signer, &service.claims(&provider.url));
    assert_eq!(service.refusal(&jwt).await, Reason::Unstated, "also a JWT is what its issuer says of it");
    assert_eq!(provider.introspections(), 1);

    let by_keys = Service::of(&provider);
    assert_eq!(by_keys.refusal("opaque-token").await, Reason::Malformed);
    assert_eq!(provider.introspections(), 1, "an issuer without introspection receives no token");
}

/// `docs/security-requirements.md#x2`, `docs/security-requirements.md#x3`
#[tokio::test]
async fn transaction_token_is_refused_and_disclosed_to_no_issuer() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    for method in ["introspection", "userinfo", "jwt"] {
        let service = service(&provider, method, "client_secret_basic");
        provider.tell(Some(json!({"sub": "4c51", "preferred_username": "einstein"})));
        let mut claims = service.claims(&provider.url);
        let foreign = claims.as_object_mut().expect("members").remove("iss");
        for iss in [None, foreign, Some(json!("doorward"))] {
            claims.as_object_mut().expect("members").extend(iss.map(|iss| ("iss".to_owned(), iss)));
            for typ in ["txntoken+jwt", "application/txntoken+jwt", "TxnToken+JWT", "APPLICATION/txntoken+jwt"] {
                // the issuer would accept it
                let token = signer.jwt(typ, &claims);
                provider.say(&token, active(&service));
                assert_eq!(service.refusal(&token).await, Reason::ForeignToken, "{method} {typ} {claims}");
            }
        }
    }
    assert_eq!((provider.fetches(), provider.introspections(), provider.userinfos()), (0, 0, 0));
}
