use std::time::Duration;

use ::config::Environment;
use authn::EndedSessions;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oidc::error::ErrorCode;
use oidc::jose::UnverifiedJwt;
use runtime::Context;
use serde_json::{Value, json};

use crate::Config;
use crate::testing::{ACCOUNT, ACCOUNT_SECRET, Bench, Browser, Reply};

/// The form with which a service account asks for a token.
const REQUEST: [(&str, &str); 3] =
    [("grant_type", "client_credentials"), ("client_id", ACCOUNT), ("client_secret", ACCOUNT_SECRET)];

async fn post(bench: &Bench, path: &str, form: &[(&str, &str)]) -> Reply {
    bench.post_with(&mut Browser::default(), path, form, &[]).await
}

async fn ask(bench: &Bench, form: &[(&str, &str)]) -> Reply {
    post(bench, bench.endpoints().paths.token, form).await
}

/// The claims of the access token in a response.
fn claims(body: &Value) -> Value {
    let token = body["access_token"].as_str().expect("a token");
    Value::Object(UnverifiedJwt::parse(token).expect("a JWT").into_claims())
}

/// Row [I81](../../../../../../docs/security-requirements.md#i81).
#[tokio::test]
async fn service_account_gets_a_token_for_itself() {
    let bench = Bench::new().await;
    let body = ask(&bench, &REQUEST).await.is(200);
    let expected = json!({"token_type": "Bearer", "expires_in": 300, "scope": "user"});
    for (name, value) in expected.as_object().expect("members") {
        assert_eq!(body[name], *value, "{body}");
    }
    assert_eq!(body.get("refresh_token"), None);
    let claims = claims(&body);
    for name in ["sub", "client_id"] {
        assert_eq!(claims[name], ACCOUNT, "{claims}");
    }
    assert_eq!((&claims["service_account"], &claims["first_party"]), (&json!(true), &json!(false)), "{claims}");
    assert_eq!((&claims["scope"], claims.get("amr")), (&json!("user"), None), "{claims}");

    let basic = format!("Basic {}", STANDARD.encode(format!("{ACCOUNT}:{ACCOUNT_SECRET}")));
    let headers = [("authorization", basic.as_str()), ("x-request-id", "request-7")];
    let form = [("grant_type", "client_credentials"), ("scope", "user")];
    let path = bench.endpoints().paths.token;
    bench.post_with(&mut Browser::default(), path, &form, &headers).await.is(200);
    let callers = std::mem::take(&mut bench.service_accounts.state().callers);
    let caller = callers.last().expect("has asked");
    assert_eq!((caller.source, caller.trace_id.as_str()), ("192.0.2.1".parse().ok(), "request-7"));
    assert!(caller.identity.is_none() && caller.names.is_empty() && caller.forwarded.is_none(), "{caller:?}");
}

/// Row [I81](../../../../../../docs/security-requirements.md#i81).
#[tokio::test]
async fn token_of_a_service_account_ends_with_the_account() {
    let bench = Bench::new().await;
    bench.service_accounts.state().not_after = Some(bench.clock.now() + Duration::from_mins(2));
    assert_eq!(ask(&bench, &REQUEST).await.is(200)["expires_in"], 120);
    bench.service_accounts.state().not_after = Some(bench.clock.now() + Duration::from_hours(2));
    assert_eq!(ask(&bench, &REQUEST).await.is(200)["expires_in"], 300);
    bench.service_accounts.state().is_disabled = true;
    assert_eq!(ask(&bench, &REQUEST).await.is(401)["error"], "invalid_client");
}

/// Row [I81](../../../../../../docs/security-requirements.md#i81).
#[tokio::test]
async fn service_account_can_do_nothing_else() {
    let bench = Bench::new().await;
    let paths = &bench.endpoints().paths;
    let with = |more: [(&'static str, &'static str); 2]| {
        let [_, id, secret] = REQUEST;
        [more[0], more[1], id, secret]
    };
    for (form, error) in [
        (with([("grant_type", "client_credentials"), ("scope", "user tokens:write")]), "invalid_scope"),
        (with([("grant_type", "client_credentials"), ("audience", "web")]), "invalid_target"),
        (with([("grant_type", "refresh_token"), ("refresh_token", "x")]), "unauthorized_client"),
        (with([("grant_type", "authorization_code"), ("code", "x")]), "unauthorized_client"),
    ] {
        assert_eq!(ask(&bench, &form).await.is(400)["error"], error, "{form:?}");
    }
    let [_, id, secret] = REQUEST;
    for path in [paths.introspection, paths.pushed, paths.device] {
        let form = [("token", "x"), ("response_type", "code"), id, secret];
        assert_eq!(post(&bench, path, &form).await.is(401)["error"], "invalid_client", "{path}");
    }
}

/// Row [I81](../../../../../../docs/security-requirements.md#i81).
#[tokio::test]
async fn service_account_revokes_its_own_token() {
    let bench = Bench::new().await;
    let body = ask(&bench, &REQUEST).await.is(200);
    let (token, claims) = (body["access_token"].as_str().expect("a token"), claims(&body));
    // as auth-bearer asks
    let issuer = bench.endpoints().issuer.as_str();
    let has_ended = |name: &str| bench.provider.has_ended(issuer, claims[name].as_str().expect("an identifier"));
    assert_eq!([has_ended("jti"), has_ended("gid")], [Some(false); 2]);
    let [_, id, secret] = REQUEST;
    post(&bench, bench.endpoints().paths.revocation, &[("token", token), id, secret]).await.is(200);
    assert_eq!([has_ended("jti"), has_ended("gid")], [Some(true), Some(false)]);
}

/// Row [I22](../../../../../../docs/security-requirements.md#i22).
#[tokio::test]
async fn every_wrong_credential_gets_the_same_answer() {
    let bench = Bench::new().await;
    let answer = async |id: &str, secret: &str| {
        let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
        let error = bench.issue(&form).await.err().expect("is refused");
        (error.code, error.description.into_owned(), error.audit.map(|audit| audit.reason))
    };
    let text = "the client is not known or did not prove who it is".to_owned();
    for (id, secret, reason) in [
        (ACCOUNT, "another", "wrong_secret"),
        ("nobody", "another", "unknown_user"),
        ("a b", ACCOUNT_SECRET, "unknown_user"),
    ] {
        assert_eq!(answer(id, secret).await, (ErrorCode::InvalidClient, text.clone(), Some(reason)), "{id}");
    }
    let asked = bench.service_accounts.state().callers.len();
    let without = [("grant_type", "client_credentials"), ("client_id", ACCOUNT)];
    let error = bench.issue(&without).await.err().expect("is refused");
    assert_eq!((error.code, error.description.into_owned()), (ErrorCode::InvalidClient, text));
    assert_eq!(bench.service_accounts.state().callers.len(), asked, "an empty secret is not passed on");

    bench.service_accounts.state().is_away = true;
    let reply = ask(&bench, &REQUEST).await;
    assert_eq!(reply.is(503)["error"], "temporarily_unavailable");
}

/// Row [I81](../../../../../../docs/security-requirements.md#i81).
#[tokio::test]
async fn wrong_credentials_for_an_account_from_one_network_are_limited() {
    let bench = Bench::new().await;
    // the client of a program that goes on asking is gone
    let deleted = [("grant_type", "client_credentials"), ("client_id", "deleted"), ("client_secret", "its secret")];
    for attempt in 0..40 {
        ask(&bench, &deleted).await.is(if attempt < 30 { 401 } else { 503 });
    }
    let with = |secret| [("grant_type", "client_credentials"), ("client_id", ACCOUNT), ("client_secret", secret)];
    for _ in 0..29 {
        ask(&bench, &with("a wrong secret")).await.is(401);
    }
    bench.service_accounts.state().is_away = true;
    ask(&bench, &REQUEST).await.is(503);
    bench.service_accounts.state().is_away = false;
    for _ in 0..40 {
        ask(&bench, &REQUEST).await.is(200);
    }
    ask(&bench, &with("a wrong secret")).await.is(401);
    let asked = bench.service_accounts.state().callers.len();
    for secret in ["a wrong secret", ACCOUNT_SECRET] {
        let body = ask(&bench, &with(secret)).await.is(503);
        assert_eq!(body["error"], "temporarily_unavailable");
    }
    assert_eq!(bench.service_accounts.state().callers.len(), asked, "nothing is compared any more");
    // a request without an address, which is another source
    assert!(bench.issue(&REQUEST).await.is_ok());
    bench.clock.advance(Duration::from_secs(2));
    ask(&bench, &REQUEST).await.is(200);
}

/// Row [I81](../../../../../../docs/security-requirements.md#i81).
#[tokio::test]
async fn registered_client_precedes_a_service_account_with_its_identifier() {
    let bench = Bench::new().await;
    let metadata = json!({
        "token_endpoint_auth_method": "client_secret_post",
        "grant_types": ["client_credentials"],
        "response_types": [],
        "redirect_uris": [],
    });
    let secret = bench.add(ACCOUNT, &metadata).await;
    ask(&bench, &REQUEST).await.is(401);
    let [grant, id, _] = REQUEST;
    let claims = claims(&ask(&bench, &[grant, id, ("client_secret", &secret)]).await.is(200));
    assert_eq!(claims.get("service_account"), None, "{claims}");
    assert!(bench.service_accounts.state().callers.is_empty());
}

/// Row [I81](../../../../../../docs/security-requirements.md#i81).
#[tokio::test]
async fn service_accounts_of_another_process_are_no_clients_where_that_is_switched_off() {
    let context = Context::new(Environment::default());
    let are_clients = |endpoint: &str, service_account_clients| {
        let auth_service_endpoint = endpoint.to_owned();
        let config = Config { auth_service_endpoint, service_account_clients, ..Config::default() };
        crate::service_accounts(&config, &context).expect("the endpoint is good").is_some()
    };
    assert!(are_clients("127.0.0.1:9197", true));
    assert!(!are_clients("127.0.0.1:9197", false));
    assert!(!are_clients("", true));
}
