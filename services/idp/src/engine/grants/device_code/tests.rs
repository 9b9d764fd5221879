use std::time::Duration;

use oidc::error::ErrorCode;
use serde_json::json;

use crate::engine::clients::GrantType;
use crate::engine::device::approval::{Approval, grant};
use crate::engine::device::request::{self, DeviceRequest};
use crate::engine::device::user_code::UserCode;
use crate::engine::error::OAuthError;
use crate::engine::grants::token_response::TokenResponse;
use crate::model::seconds;
use crate::testing::{Bench, Browser, EINSTEIN, encoded};

/// A device that waits, with its codes.
async fn waiting() -> (Bench, String, UserCode) {
    let bench = Bench::new().await;
    let device = GrantType::DeviceCode.name();
    let metadata = json!({ "grant_types": [device, "refresh_token"], "redirect_uris": [], "response_types": [] });
    for client in ["tv", "other"] {
        bench.add(client, &metadata).await;
    }
    let form = encoded(&[("client_id", "tv"), ("scope", "openid email offline_access")]);
    let endpoints = bench.endpoints();
    let asked = bench.authenticated(&form, endpoints.paths.device).await.expect("a client");
    let answer = request::authorize(&bench.provider, endpoints, &asked).await.expect("is taken up");
    let answer = serde_json::to_value(answer).expect("JSON");
    let text = |name: &str| answer[name].as_str().expect("text").to_owned();
    let user_code = UserCode::read(&text("user_code")).expect("a user code");
    (bench, text("device_code"), user_code)
}

async fn poll(bench: &Bench, client: &str, device_code: &str) -> Result<TokenResponse, OAuthError> {
    let grant_type = GrantType::DeviceCode.name();
    bench.issue(&[("grant_type", grant_type), ("client_id", client), ("device_code", device_code)]).await
}

fn code(outcome: Result<TokenResponse, OAuthError>) -> ErrorCode {
    outcome.err().expect("is refused").code
}

async fn decide(bench: &Bench, user_code: &UserCode, is_allowed: bool) {
    let (store, now) = (&bench.provider.store, bench.clock.now());
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let device = store.device(user_code.as_str(), now).await.expect("reads").expect("waits");
    let request: DeviceRequest = serde_json::from_str(&device.request).expect("a request");
    let grant = grant(bench.provider.random.uuid(), &request, "tv", &session, ["email"]);
    let approval = serde_json::to_string(&Approval { grant, decided: seconds(now) }).expect("JSON");
    let approval = is_allowed.then_some(approval);
    assert!(store.decide_device(user_code.as_str(), approval.as_deref(), now).await.expect("writes"));
}

/// Row I26.
#[tokio::test]
async fn device_that_polls_too_often_is_slowed_down() {
    let (bench, device_code, _) = waiting().await;
    assert_eq!(code(poll(&bench, "tv", &device_code).await), ErrorCode::AuthorizationPending);
    assert_eq!(code(poll(&bench, "tv", &device_code).await), ErrorCode::SlowDown);
}

#[tokio::test]
async fn device_that_is_allowed_gets_tokens_once() {
    let (bench, device_code, user_code) = waiting().await;
    decide(&bench, &user_code, true).await;
    assert_eq!(code(poll(&bench, "other", &device_code).await), ErrorCode::InvalidGrant);
    let response = poll(&bench, "tv", &device_code).await.expect("is issued");
    assert_eq!(response.scope.as_deref(), Some("email offline_access openid"));
    assert!(response.refresh_token.is_some() && response.id_token.is_some());
    assert_eq!(response.audit.expect("is audited").user.id.opaque_id, EINSTEIN);
    bench.advance(Duration::from_secs(10));
    assert_eq!(code(poll(&bench, "tv", &device_code).await), ErrorCode::InvalidGrant);
}

#[tokio::test]
async fn device_that_is_refused_or_late_gets_nothing() {
    let (bench, device_code, user_code) = waiting().await;
    decide(&bench, &user_code, false).await;
    assert_eq!(code(poll(&bench, "tv", &device_code).await), ErrorCode::AccessDenied);
    let (bench, device_code, _) = waiting().await;
    bench.advance(bench.provider.config.lifetimes.device_code);
    assert_eq!(code(poll(&bench, "tv", &device_code).await), ErrorCode::ExpiredToken);
}
