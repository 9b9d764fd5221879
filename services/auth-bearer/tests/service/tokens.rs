//! Which tokens are accepted.

use crate::support::{Provider, Service, key, seconds, sign, with};
use auth_bearer::Oidc;
use authn::{AuthError, Reason};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use oidc::jose::{Algorithm, hs256_jwt};
use serde_json::{Value, json};

#[tokio::test]
async fn valid_token_is_accepted_until_it_expires() {
    for algorithm in Algorithm::SIGNING {
        let signer = key("k", algorithm);
        let provider = Provider::start(&[&signer]).await;
        let service = Service::of(&provider);
        let who = service.authenticate(&sign(&signer, &service.claims(&provider.url))).await;
        let who = who.unwrap_or_else(|error| panic!("{algorithm:?}: {error:?}"));
        assert_eq!((who.user.username.as_str(), &*who.amr), ("einstein", "oidc"));
        assert_eq!(who.not_after.map(seconds), Some(service.now() + 3600));
        assert!(who.scopes.is_full_user());
    }
}

#[tokio::test]
async fn expired_token_is_refused_after_it_was_accepted() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let service = Service::of(&provider);
    let token = sign(&signer, &with(service.claims(&provider.url), "exp", service.now() + 10));
    for second in 0..15 {
        assert!(service.authenticate(&token).await.is_ok(), "second {second}");
        service.clock.advance(std::time::Duration::from_secs(1));
    }
    assert_eq!(service.refusal(&token).await, Reason::Expired);
}

#[tokio::test]
async fn token_of_a_withdrawn_key_is_refused() {
    let (gone, new) = (key("gone", Algorithm::Es256), key("new", Algorithm::Es256));
    let provider = Provider::start(&[&gone]).await;
    let service = Service::of(&provider);
    let token = sign(&gone, &service.claims(&provider.url));
    assert!(service.authenticate(&token).await.is_ok());
    provider.publish(&[&new]);
    service.clock.advance(std::time::Duration::from_secs(10));
    assert!(service.authenticate(&sign(&new, &service.claims(&provider.url))).await.is_ok());
    service.clock.advance(std::time::Duration::from_secs(20));
    assert_eq!(service.refusal(&token).await, Reason::ForeignToken, "half a minute after it was found good");
}

/// `docs/security-requirements.md#s5`
#[tokio::test]
async fn only_the_session_of_the_own_provider_is_passed_on() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    for (own_issuers, expected) in [(vec![provider.url.clone()], Some("0b1d8a3e")), (Vec::new(), None)] {
        let service = Service::new(Oidc { issuer: provider.url.clone(), own_issuers, ..Oidc::default() });
        let claims = with(with(service.claims(&provider.url), "sid", "0b1d8a3e"), "first_party", true);
        let who = service.authenticate(&sign(&signer, &claims)).await.expect("is accepted");
        assert_eq!(who.sid.as_deref(), expected);
    }
}

/// `docs/security-requirements.md#x11`
#[tokio::test]
async fn actor_of_a_token_is_passed_on_also_from_the_cache() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let service = Service::of(&provider);
    let act = json!({"sub": "office", "act": {"sub": "scanner"}});
    let token = sign(&signer, &with(service.claims(&provider.url), "act", act));
    for _ in 0..2 {
        let who = service.authenticate(&token).await.expect("is accepted");
        assert_eq!(who.actor.map(|actor| actor.to_string()).as_deref(), Some("office < scanner"));
    }
    let malformed = sign(&signer, &with(service.claims(&provider.url), "act", "office"));
    assert_eq!(service.refusal(&malformed).await, Reason::Malformed);
}

/// Row R1.
#[tokio::test]
async fn another_issuers_token_is_refused_though_it_has_the_key() {
    let signer = key("k", Algorithm::Es256);
    let (ours, other) = (Provider::start(&[&signer]).await, Provider::start(&[&signer]).await);
    let service = Service::of(&ours);
    for iss in [other.url.clone(), format!("{}/", ours.url), ours.url.to_uppercase(), String::new()] {
        assert_eq!(service.refusal(&sign(&signer, &service.claims(&iss))).await, Reason::ForeignToken, "{iss}");
    }
    let list = with(service.claims(&ours.url), "iss", json!([ours.url]));
    assert_eq!(service.refusal(&sign(&signer, &list)).await, Reason::ForeignToken);
    assert_eq!(ours.fetches() + other.fetches(), 0, "no keys are fetched for a token of another issuer");
}

/// Row R1.
#[tokio::test]
async fn key_with_the_same_id_of_another_issuer_does_not_verify() {
    let (ours, theirs) = (key("k", Algorithm::Es256), key("k", Algorithm::Es256));
    let provider = Provider::start(&[&ours]).await;
    let service = Service::of(&provider);
    assert_eq!(service.refusal(&sign(&theirs, &service.claims(&provider.url))).await, Reason::WrongSecret);
}

#[tokio::test]
async fn public_key_is_not_accepted_as_hmac_secret() {
    let signer = key("k", Algorithm::Rs256);
    let provider = Provider::start(&[&signer]).await;
    let service = Service::of(&provider);
    let claims = service.claims(&provider.url);
    let jwk = Value::Object(signer.jwk().clone()).to_string();
    for secret in [jwk.as_bytes(), signer.jwk()["n"].as_str().expect("a text").as_bytes()] {
        assert_eq!(service.refusal(&hs256_jwt(secret, "JWT", &claims)).await, Reason::ForeignToken);
    }
    let unsigned = URL_SAFE_NO_PAD.encode(json!({"alg": "none"}).to_string());
    let unsigned = format!("{unsigned}.{}.", URL_SAFE_NO_PAD.encode(claims.to_string()));
    assert_eq!(service.refusal(&unsigned).await, Reason::ForeignToken);
    assert_eq!(service.refusal("").await, Reason::EmptySecret);
}

#[tokio::test]
async fn an_algorithm_must_fit_its_key() {
    let (one, other) = (key("one", Algorithm::Es256), key("other", Algorithm::EdDsa));
    let provider = Provider::start(&[&one, &other]).await;
    let service = Service::of(&provider);
    let token = sign(&one, &service.claims(&provider.url));
    let header = URL_SAFE_NO_PAD.encode(json!({"alg": "ES256", "kid": "other"}).to_string());
    let swapped = token.split_once('.').map(|(_, rest)| format!("{header}.{rest}")).expect("has parts");
    assert_eq!(service.refusal(&swapped).await, Reason::ForeignToken);
}

/// Row R6.
#[tokio::test]
async fn token_with_extra_characters_is_refused() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let service = Service::of(&provider);
    let token = sign(&signer, &service.claims(&provider.url));
    for wrong in [
        format!("{token} {token}"),
        format!("{token},{token}"),
        format!("Bearer {token}"),
        format!(" {token}"),
        format!("{token}\n"),
        format!("access_token={token}"),
        format!("{token}&x=1"),
        "=".to_owned(),
        "x".repeat(20_000),
    ] {
        assert_eq!(service.refusal(&wrong).await, Reason::Malformed, "{wrong:.40}");
    }
    assert_eq!(provider.fetches(), 0);
}

#[tokio::test]
async fn configured_claim_selects_the_user() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let oidc = |id_claim: &str, user_claim: &str| Oidc {
        issuer: provider.url.clone(),
        id_claim: id_claim.to_owned(),
        user_claim: user_claim.to_owned(),
        uid_claim: "numbers.uid".to_owned(),
        skip_user_info: true,
        ..Oidc::default()
    };
    let service = Service::new(oidc("sub", ""));
    let who = service.authenticate(&sign(&signer, &service.claims(&provider.url))).await.expect("by id");
    assert_eq!(who.user.uid_number, 7);

    let deep = Service::new(oidc(r"lg\.i.un", "username"));
    let mut claims = with(deep.claims(&provider.url), "lg.i", json!({"un": "einstein"}));
    claims["numbers"] = json!({"uid": "1234"});
    let who = deep.authenticate(&sign(&signer, &claims)).await.expect("by name");
    assert_eq!((who.user.username.as_str(), who.user.uid_number), ("einstein", 1234));

    let service = Service::new(oidc("preferred_username", ""));
    for (name, reason) in
        [(json!("ludwig"), Reason::Disabled), (json!("unknown"), Reason::UnknownUser), (json!(7), Reason::Malformed)]
    {
        let claims = with(service.claims(&provider.url), "preferred_username", name);
        assert_eq!(service.refusal(&sign(&signer, &claims)).await, reason);
    }
}

#[tokio::test]
async fn a_token_that_lacks_the_name_is_completed_by_userinfo_once() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let service = Service::of(&provider);
    let mut claims = service.claims(&provider.url);
    claims.as_object_mut().expect("an object").remove("preferred_username");
    let token = sign(&signer, &claims);
    provider.tell(Some(json!({"sub": "4c51", "preferred_username": "einstein", "exp": 1})));
    for _ in 0..3 {
        assert!(service.authenticate(&token).await.is_ok());
    }
    assert_eq!(provider.userinfos(), 1);

    let other = sign(&signer, &with(claims.clone(), "jti", "2"));
    provider.tell(Some(json!({"sub": "other", "preferred_username": "einstein"})));
    assert_eq!(service.refusal(&other).await, Reason::OwnerMismatch, "userinfo is of another user");
    provider.tell(Some(json!({"sub": "4c51"})));
    assert_eq!(service.refusal(&other).await, Reason::Malformed, "no user is named at all");
    provider.stop();
    let third = sign(&signer, &with(claims, "jti", "3"));
    let away = service.authenticate(&third).await;
    assert!(matches!(away, Err(AuthError::Unavailable { .. })), "{away:?}");
}
