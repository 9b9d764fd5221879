use authn::Attribute;
use oidc::jose::UnverifiedJwt;
use serde_json::json;

use super::*;
use crate::engine::authorize::request;
use crate::testing::{Bench, Browser, EINSTEIN};

const BACK: &str = "https://app.example/back";

/// The response to a request of the trusted client `app` with these parameters.
async fn respond(bench: &Bench, more: &[(&str, &str)]) -> AuthorizationResponse {
    let (provider, endpoints) = (&bench.provider, bench.endpoints());
    let all = [("client_id", "app"), ("redirect_uri", BACK), ("scope", "openid"), ("nonce", "n")];
    let pairs = all.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let valid = request::validate(provider, endpoints, pairs, None).await.expect("is valid");
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let user = provider.directory.user(&user_id(), authn::Groups::Skip).await.expect("is there");
    let (scope, claims) = (valid.grantable(), valid.request.claims.clone());
    let basis = GrantBasis { since: bench.clock.now(), session, user, scope, claims };
    grant(provider, endpoints, &valid, &basis).await.expect("is granted")
}

fn user_id() -> authn::UserId {
    authn::UserId { opaque_id: EINSTEIN.to_owned(), ..authn::UserId::default() }
}

async fn bench() -> Bench {
    let bench = Bench::new().await;
    let types = json!(["code", "id_token", "code id_token"]);
    bench.add("app", &json!({ "pkce": "optional", "consent": "trusted", "response_types": types })).await;
    bench
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// Row I15.
#[tokio::test]
async fn response_names_issuer_and_state_however_it_is_sent() {
    let bench = bench().await;
    let state = ("state", "a b");
    let AuthorizationResponse::Redirect(uri) = respond(&bench, &[("response_type", "code"), state]).await else {
        panic!("no redirect");
    };
    let by_query = pairs(uri.strip_prefix(&format!("{BACK}?")).expect("a query"));
    let AuthorizationResponse::Redirect(uri) = respond(&bench, &[("response_type", "code id_token"), state]).await
    else {
        panic!("no redirect");
    };
    let by_fragment = pairs(uri.strip_prefix(&format!("{BACK}#")).expect("a fragment"));
    assert!(by_fragment.contains_key("id_token") && by_fragment.contains_key("code"));
    let by_form = [("response_type", "code"), ("response_mode", "form_post"), state];
    let AuthorizationResponse::FormPost { action, fields } = respond(&bench, &by_form).await else {
        panic!("no form");
    };
    assert_eq!(action, BACK);
    let by_form = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    for response in [by_query, by_fragment, by_form] {
        assert_eq!(response.get("iss"), Some(&bench.endpoints().issuer), "{response:?}");
        assert_eq!(response.get("state").map(String::as_str), Some("a b"), "{response:?}");
        assert!(response.contains_key("session_state"), "{response:?}");
    }
}

#[tokio::test]
async fn id_token_has_the_claims_of_the_profile_that_are_requested_for_it() {
    let bench = bench().await;
    bench.change_profile(|profile| profile.set(Attribute::GivenName, "Albert").expect("is a name"));
    let for_id_token = json!({ "id_token": { "given_name": { "essential": true } } }).to_string();
    let for_userinfo = json!({ "userinfo": { "given_name": null } }).to_string();
    for (claims, expected) in [(for_id_token.as_str(), Some(&json!("Albert"))), (for_userinfo.as_str(), None)] {
        let parameters = [("response_type", "code id_token"), ("claims", claims)];
        let AuthorizationResponse::Redirect(uri) = respond(&bench, &parameters).await else { panic!("no redirect") };
        let fragment = pairs(uri.strip_prefix(&format!("{BACK}#")).expect("a fragment"));
        let jwt = UnverifiedJwt::parse(&fragment["id_token"]).expect("a JWT");
        assert_eq!(jwt.claims().get("given_name"), expected, "{claims}");
    }
}

#[tokio::test]
async fn signed_response_has_nothing_beside_the_jwt() {
    let bench = bench().await;
    let response = respond(&bench, &[("response_type", "code"), ("response_mode", "jwt")]).await;
    let AuthorizationResponse::Redirect(uri) = response else { panic!("{response:?}") };
    let parameters = pairs(uri.strip_prefix(&format!("{BACK}?")).expect("a query"));
    assert_eq!(parameters.keys().collect::<Vec<_>>(), ["response"]);
    let jwt = UnverifiedJwt::parse(&parameters["response"]).expect("a JWT");
    assert!(bench.provider.keys.verifies(&jwt) && jwt.claims().contains_key("code"));
    assert_eq!((&jwt.claims()["aud"], &jwt.claims()["iss"]), (&json!("app"), &json!(bench.endpoints().issuer)));
}

#[tokio::test]
async fn error_is_sent_where_the_response_would_be() {
    let bench = bench().await;
    let (provider, endpoints) = (&bench.provider, bench.endpoints());
    let query = [("client_id", "app"), ("redirect_uri", BACK), ("response_type", "token"), ("state", "s")];
    let query = query.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let rejection = request::validate(provider, endpoints, query, None).await.expect_err("is rejected");
    let Rejection::Client(rejection) = rejection else { panic!("{rejection:?}") };
    let AuthorizationResponse::Redirect(uri) = rejection.respond(provider, endpoints) else { panic!("no redirect") };
    let parameters = pairs(uri.strip_prefix(&format!("{BACK}#")).expect("a fragment"));
    assert_eq!(parameters["error"], "unauthorized_client");
    assert_eq!((parameters["state"].as_str(), &parameters["iss"]), ("s", &endpoints.issuer));
}
