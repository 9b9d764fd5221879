//! How the issuer is asked, and what happens when it does not answer.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{MINUTE, Provider, Service, Signer};
use authn::{AuthError, Reason};
use jsonwebtoken::Algorithm;

#[tokio::test(flavor = "multi_thread")]
async fn r2_unknown_keys_are_asked_for_once_in_ten_seconds() {
    let (known, unknown) = (Signer::new("k", Algorithm::ES256), Signer::new("storm", Algorithm::ES256));
    let provider = Provider::start(&[&known]).await;
    let service = Arc::new(Service::of(&provider));
    assert!(service.authenticate(&known.sign(&service.claims(&provider.url))).await.is_ok());
    assert_eq!(provider.fetches(), 1);

    service.clock.advance(Duration::from_secs(10));
    let token = unknown.sign(&service.claims(&provider.url));
    let storm = (0..200).map(|_| {
        let (service, token) = (Arc::clone(&service), token.clone());
        tokio::spawn(async move { service.refusal(&token).await })
    });
    for refusal in storm.collect::<Vec<_>>() {
        assert_eq!(refusal.await.expect("no panic"), Reason::ForeignToken);
    }
    assert_eq!(provider.fetches(), 2, "the storm costs one question");

    service.clock.advance(Duration::from_secs(9));
    service.refusal(&token).await;
    assert_eq!(provider.fetches(), 2);
    service.clock.advance(Duration::from_secs(1));
    service.refusal(&token).await;
    assert_eq!(provider.fetches(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_callers_ask_once() {
    let signer = Signer::new("k", Algorithm::ES256);
    let provider = Provider::start(&[&signer]).await;
    let service = Arc::new(Service::of(&provider));
    let token = signer.sign(&service.claims(&provider.url));
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
    let (former, new) = (Signer::new("former", Algorithm::ES256), Signer::new("new", Algorithm::ES256));
    let provider = Provider::start(&[&former]).await;
    let service = Service::of(&provider);
    assert!(service.authenticate(&former.sign(&service.claims(&provider.url))).await.is_ok());
    provider.publish(&[&former, &new]);
    service.clock.advance(Duration::from_secs(10));
    assert!(service.authenticate(&new.sign(&service.claims(&provider.url))).await.is_ok());
    assert!(service.authenticate(&former.sign(&service.claims(&provider.url))).await.is_ok());
}

#[tokio::test]
async fn r7_known_keys_are_good_for_a_day_without_the_issuer() {
    let signer = Signer::new("k", Algorithm::ES256);
    let provider = Provider::start(&[&signer]).await;
    let service = Service::of(&provider);
    assert!(service.authenticate(&signer.sign(&service.claims(&provider.url))).await.is_ok());
    provider.stop();
    for _ in 0..(24 * 60 - 1) / 10 {
        service.clock.advance(10 * MINUTE);
        assert!(service.authenticate(&signer.sign(&service.claims(&provider.url))).await.is_ok());
    }
    service.clock.advance(11 * MINUTE);
    let late = service.authenticate(&signer.sign(&service.claims(&provider.url))).await;
    assert!(matches!(late, Err(AuthError::Unavailable { .. })), "{late:?}");
}

#[tokio::test]
async fn an_issuer_that_was_never_there_is_unavailable_and_may_come_later() {
    let signer = Signer::new("k", Algorithm::ES256);
    let provider = Provider::start(&[&signer]).await;
    let service = Service::of(&provider);
    provider.publish(&[]);
    let early = service.authenticate(&signer.sign(&service.claims(&provider.url))).await;
    assert!(matches!(early, Err(AuthError::Unavailable { .. })), "{early:?}");
    provider.publish(&[&signer]);
    service.clock.advance(Duration::from_secs(1));
    assert!(service.authenticate(&signer.sign(&service.claims(&provider.url))).await.is_ok());

    provider.stop();
    let dead = Service::of(&provider);
    let refused = dead.authenticate(&signer.sign(&dead.claims(&provider.url))).await;
    assert!(matches!(refused, Err(AuthError::Unavailable { .. })), "{refused:?}");
}
