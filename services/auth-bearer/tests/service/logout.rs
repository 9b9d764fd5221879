//! Logout notifications of an issuer (`OpenID` Connect Back-Channel Logout 1.0).

use std::time::Duration;

use crate::support::{Provider, Service, directory, key, no_users, sign, with};
use auth_bearer::logout::{LogoutError, PATH, router};
use auth_bearer::{AuthProviders, Config, Oidc};
use authn::Reason;
use axum::body::Body;
use axum::http::{Request, StatusCode, header::CONTENT_TYPE};
use oidc::jose::{Algorithm, SigningKey};
use serde_json::{Value, json};
use tower::ServiceExt;

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

pub(crate) fn said(service: &Service, issuer: &str) -> Value {
    let now = service.now();
    json!({
        "iss": issuer, "sub": "4c51", "sid": "s1", "aud": "web", "iat": now, "exp": now + 120, "jti": now.to_string(),
        "events": {EVENT: {}},
    })
}

pub(crate) async fn tell(service: &Service, token: &str) -> StatusCode {
    let request = Request::post(PATH).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let request = request.body(Body::from(format!("logout_token={token}"))).expect("a request");
    let answer = router(service.bearer.clone()).oneshot(request).await.expect("answers");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    answer.status()
}

pub(crate) fn logout(key: &SigningKey, claims: &Value) -> String {
    key.jwt("logout+jwt", claims)
}

#[tokio::test]
async fn token_of_an_ended_session_is_refused() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let place = store::testing::sqlite();
    let service = Service::of(&provider).stored(&place).await;
    let of = |sid: &str| sign(&signer, &with(service.claims(&provider.url), "sid", sid));
    let (ended, other, without) = (of("s1"), of("s2"), sign(&signer, &service.claims(&provider.url)));
    for token in [&ended, &other, &without] {
        service.authenticate(token).await.expect("is good");
    }
    assert_eq!(tell(&service, &logout(&signer, &said(&service, &provider.url))).await, StatusCode::OK);
    assert_eq!(service.refusal(&ended).await, Reason::Revoked, "though it was found good a moment ago");
    service.clock.advance(Duration::from_mins(1));
    let later = sign(&signer, &with(service.claims(&provider.url), "sid", "s1"));
    assert_eq!(service.refusal(&later).await, Reason::Revoked);
    for token in [&other, &without] {
        service.authenticate(token).await.expect("is another session");
    }
    provider.stop();
    service.clock.advance(Duration::from_mins(50));
    assert_eq!(service.refusal(&ended).await, Reason::Revoked, "until it ends by itself");
}

#[tokio::test]
async fn logout_token_of_an_issuer_whose_clock_is_a_minute_ahead_ends_the_session() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let place = store::testing::sqlite();
    let service = Service::of(&provider).stored(&place).await;
    let token = sign(&signer, &with(service.claims(&provider.url), "sid", "s1"));
    let mut ahead = said(&service, &provider.url);
    ahead["iat"] = json!(service.now() + 60);
    assert_eq!(tell(&service, &logout(&signer, &ahead)).await, StatusCode::OK);
    assert_eq!(service.refusal(&token).await, Reason::Revoked);
}

#[tokio::test]
async fn all_sessions_of_a_person_may_end() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let place = store::testing::sqlite();
    let service = Service::of(&provider).stored(&place).await;
    let token = sign(&signer, &with(service.claims(&provider.url), "sid", "s7"));
    let mut all = said(&service, &provider.url);
    all.as_object_mut().expect("an object").remove("sid");
    assert_eq!(tell(&service, &logout(&signer, &all)).await, StatusCode::OK);
    assert_eq!(service.refusal(&token).await, Reason::Revoked);
    service.clock.advance(Duration::from_secs(1));
    service.authenticate(&sign(&signer, &service.claims(&provider.url))).await.expect("signed in again");
}

#[tokio::test]
async fn logout_clears_cached_results_of_opaque_tokens() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let service = Service::new(Oidc {
        issuer: provider.url.clone(),
        verify_method: "userinfo".to_owned(),
        userinfo_any_client: true,
        ..Oidc::default()
    });
    let place = store::testing::sqlite();
    let service = service.stored(&place).await;
    provider.tell(Some(json!({"sub": "4c51", "preferred_username": "einstein"})));
    service.authenticate("opaque-token").await.expect("is good");
    provider.tell(None);
    service.authenticate("opaque-token").await.expect("is cached");
    assert_eq!(tell(&service, &logout(&signer, &said(&service, &provider.url))).await, StatusCode::OK);
    assert_eq!(service.refusal("opaque-token").await, Reason::Unstated);
}

#[tokio::test]
async fn invalid_logout_token_ends_no_session() {
    let (signer, other) = (key("k", Algorithm::Es256), key("k", Algorithm::Es256));
    let provider = Provider::start(&[&signer]).await;
    let oidc = Oidc { issuer: provider.url.clone(), authorized_parties: vec!["web".to_owned()], ..Oidc::default() };
    let config = Config { auth_providers: AuthProviders { oidc, ..AuthProviders::default() }, ..Config::default() };
    let place = store::testing::sqlite();
    let service = Service::of_config(&config, directory(), no_users()).stored(&place).await;
    let claims = with(service.claims(&provider.url), "azp", "web");
    let token = sign(&signer, &with(claims, "sid", "s1"));
    service.authenticate(&token).await.expect("is good");
    let good = said(&service, &provider.url);
    for (name, value) in [
        ("iss", json!("https://other.example")),
        ("iss", json!(format!("{}/", provider.url))),
        ("aud", json!("other")),
        ("aud", Value::Null),
        ("iat", json!(service.now() + 61)),
        ("iat", Value::Null),
        ("exp", json!(service.now() - 5)),
        ("exp", Value::Null),
        ("jti", json!("")),
        ("events", json!({})),
        ("events", json!([EVENT])),
        ("events", json!({EVENT: true})),
        ("nonce", json!("n")),
        ("sid", json!(7)),
    ] {
        let token = logout(&signer, &with(good.clone(), name, value.clone()));
        assert_eq!(tell(&service, &token).await, StatusCode::BAD_REQUEST, "{name} {value}");
    }
    for name in ["aud", "iat", "exp", "jti", "events"] {
        let mut without = good.clone();
        without.as_object_mut().expect("an object").remove(name);
        assert_eq!(tell(&service, &logout(&signer, &without)).await, StatusCode::BAD_REQUEST, "without {name}");
    }
    let mut anonymous = good.clone();
    anonymous.as_object_mut().expect("an object").retain(|name, _| name != "sub" && name != "sid");
    let access = sign(&signer, &service.claims(&provider.url));
    let typed = signer.jwt("at+jwt", &good);
    for wrong in [logout(&signer, &anonymous), logout(&other, &good), access, typed, "junk".to_owned(), String::new()] {
        assert_eq!(tell(&service, &wrong).await, StatusCode::BAD_REQUEST, "{wrong:.40}");
    }
    service.authenticate(&token).await.expect("nothing has ended");

    let token_ = logout(&signer, &good);
    assert_eq!(tell(&service, &token_).await, StatusCode::OK);
    assert_eq!(tell(&service, &token_).await, StatusCode::BAD_REQUEST, "its identifier counts once");
    assert_eq!(service.refusal(&token).await, Reason::Revoked);
}

#[tokio::test]
async fn malformed_iat_is_named_and_a_late_exp_is_accepted() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let place = store::testing::sqlite();
    let service = Service::of(&provider).stored(&place).await;
    let good = said(&service, &provider.url);
    let malformed = logout(&signer, &with(good.clone(), "iat", json!("now")));
    assert_eq!(service.bearer.end_session(&malformed).await, Err(LogoutError::Token("iat")));
    let late = logout(&signer, &with(good, "exp", json!(service.now() + 86_400)));
    assert_eq!(service.bearer.end_session(&late).await, Ok(()));
}

#[tokio::test]
async fn a_logout_token_of_an_issuer_that_is_away_may_be_sent_again() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let place = store::testing::sqlite();
    let service = Service::of(&provider).stored(&place).await;
    provider.stop();
    let status = tell(&service, &logout(&signer, &said(&service, &provider.url))).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}
