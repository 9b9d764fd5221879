use std::time::Duration;

use oidc::error::ErrorCode;
use serde_json::{Value, json};

use super::*;
use crate::engine::authorize::flow::{Destination, GivenConsent};
use crate::engine::authorize::request;
use crate::testing::{Bench, Browser, EINSTEIN};

struct World {
    bench: Bench,
    session: Session,
}

/// A user who has signed in, and a client with this metadata.
async fn world(more: &Value) -> World {
    let bench = Bench::new().await;
    let mut metadata = json!({ "pkce": "optional" });
    metadata.as_object_mut().expect("members").extend(more.as_object().expect("members").clone());
    bench.add("app", &metadata).await;
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    World { bench, session }
}

impl World {
    async fn request(&self, more: &[(&str, &str)]) -> ValidRequest {
        let all = [
            ("client_id", "app"),
            ("response_type", "code"),
            ("redirect_uri", "https://app.example/back"),
            ("scope", "email openid"),
        ];
        let is_left = |(name, _): &&(&str, &str)| !more.iter().any(|(given, _)| given == name);
        let pairs = all.iter().filter(is_left).chain(more);
        let pairs = pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        request::validate(&self.bench.provider, self.bench.endpoints(), pairs, None).await.expect("is valid")
    }

    fn flow(&self, request: &ValidRequest) -> Flow {
        let destination = Destination::Client(request.pending());
        Flow::begin(self.bench.endpoints().layout, destination, self.bench.clock.now())
    }

    async fn next(&self, more: &[(&str, &str)], session: Option<&Session>) -> NextPrompt {
        let request = self.request(more).await;
        let flow = self.flow(&request);
        super::next(&self.bench.provider, &flow, &request, session.cloned()).await.expect("is decided")
    }
}

#[tokio::test]
async fn browser_without_a_session_has_to_sign_in() {
    let world = world(&json!({})).await;
    let next = world.next(&[("login_hint", "einstein")], None).await;
    assert!(
        matches!(&next, NextPrompt::SignIn { suggested: Some(name), again: None } if name == "einstein"),
        "{next:?}"
    );
    let next = world.next(&[("prompt", "none")], None).await;
    assert!(matches!(next, NextPrompt::Refusal(ErrorCode::LoginRequired, _)), "{next:?}");
}

#[tokio::test]
async fn trusted_client_asks_nothing_and_another_one_for_consent() {
    let trusted = world(&json!({ "consent": "trusted" })).await;
    let next = trusted.next(&[], Some(&trusted.session)).await;
    assert!(matches!(next, NextPrompt::Nothing(_)), "{next:?}");
    let next = trusted.next(&[("prompt", "consent")], Some(&trusted.session)).await;
    assert!(matches!(next, NextPrompt::Consent { .. }), "{next:?}");
    let other = world(&json!({})).await;
    let next = other.next(&[], Some(&other.session)).await;
    assert!(matches!(next, NextPrompt::Consent { .. }), "{next:?}");
    let next = other.next(&[("prompt", "none")], Some(&other.session)).await;
    assert!(matches!(next, NextPrompt::Refusal(ErrorCode::ConsentRequired, _)), "{next:?}");
}

#[tokio::test]
async fn consent_of_this_flow_narrows_the_scope() {
    let world = world(&json!({})).await;
    let request = world.request(&[]).await;
    let consent = Some(GivenConsent { session: world.session.id, scope: "openid".to_owned() });
    let flow = Flow { consent, ..world.flow(&request) };
    let session = Some(world.session.clone());
    let next = super::next(&world.bench.provider, &flow, &request, session).await.expect("is decided");
    let NextPrompt::Nothing(basis) = next else { panic!("{next:?}") };
    assert_eq!(basis.scope.to_string(), "openid");
}

#[tokio::test]
async fn remembered_consent_counts_until_more_is_asked_for() {
    let world = world(&json!({})).await;
    let (store, now) = (&world.bench.provider.store, world.bench.clock.now());
    store.give_consent(EINSTEIN, "app", "openid", now).await.expect("writes");
    let next = world.next(&[("scope", "openid")], Some(&world.session)).await;
    assert!(matches!(next, NextPrompt::Nothing(_)), "{next:?}");
    let next = world.next(&[("scope", "email openid")], Some(&world.session)).await;
    assert!(matches!(next, NextPrompt::Consent { .. }), "{next:?}");
}

#[tokio::test]
async fn individual_claims_need_consent_like_their_scopes() {
    let world = world(&json!({})).await;
    let (store, now) = (&world.bench.provider.store, world.bench.clock.now());
    store.give_consent(EINSTEIN, "app", "openid", now).await.expect("writes");
    let claims =
        json!({ "userinfo": { "address": null, "sub": null }, "id_token": { "phone_number": null } }).to_string();
    let more = [("scope", "openid"), ("claims", claims.as_str())];
    let next = world.next(&more, Some(&world.session)).await;
    let NextPrompt::Consent { scope, .. } = next else { panic!("{next:?}") };
    assert_eq!(scope.to_string(), "address openid phone");

    let request = world.request(&more).await;
    let consent = Some(GivenConsent { session: world.session.id, scope: "address openid".to_owned() });
    let flow = Flow { consent, ..world.flow(&request) };
    let session = Some(world.session.clone());
    let next = super::next(&world.bench.provider, &flow, &request, session).await.expect("is decided");
    let NextPrompt::Nothing(basis) = next else { panic!("{next:?}") };
    assert_eq!(basis.scope.to_string(), "openid", "the scope is not widened");
    let told: Vec<_> = basis.claims.userinfo.keys().map(String::as_str).collect();
    assert_eq!((told, basis.claims.id_token.is_empty()), (vec!["address", "sub"], true));

    store.give_consent(EINSTEIN, "app", "address openid phone", now).await.expect("writes");
    let next = world.next(&more, Some(&world.session)).await;
    assert!(matches!(next, NextPrompt::Nothing(_)), "{next:?}");
}

#[tokio::test]
async fn old_sign_in_is_repeated_and_a_new_one_of_this_flow_counts() {
    let world = world(&json!({ "consent": "trusted" })).await;
    world.bench.advance(Duration::from_secs(10));
    for more in [("max_age", "5"), ("prompt", "login")] {
        let next = world.next(&[more], Some(&world.session)).await;
        let NextPrompt::SignIn { again: Some(again), .. } = next else { panic!("{more:?}: {next:?}") };
        let signed_in = (more.0 == "max_age").then_some(world.session.signed_in);
        assert_eq!((again.user.username.as_str(), again.too_old), ("einstein", signed_in), "{more:?}");
        let request = world.request(&[more]).await;
        let flow = Flow { signed_in: Some(world.session.id), ..world.flow(&request) };
        let session = Some(world.session.clone());
        let next = super::next(&world.bench.provider, &flow, &request, session).await.expect("is decided");
        assert!(matches!(next, NextPrompt::Nothing(_)), "{more:?}: {next:?}");
    }
}

#[tokio::test]
async fn account_is_confirmed_where_the_client_asks_for_it() {
    let world = world(&json!({ "consent": "trusted" })).await;
    let next = world.next(&[("prompt", "select_account")], Some(&world.session)).await;
    assert!(matches!(next, NextPrompt::Account { .. }), "{next:?}");
}

#[tokio::test]
async fn user_outside_the_groups_of_the_client_is_refused() {
    let world = world(&json!({ "consent": "trusted", "allowed_groups": ["physicists"] })).await;
    let next = world.next(&[], Some(&world.session)).await;
    assert!(matches!(next, NextPrompt::Refusal(ErrorCode::AccessDenied, _)), "{next:?}");
    world.bench.change(|user| user.as_mut().expect("is there").groups = vec!["physicists".into()]);
    let next = world.next(&[], Some(&world.session)).await;
    assert!(matches!(next, NextPrompt::Nothing(_)), "{next:?}");
}
