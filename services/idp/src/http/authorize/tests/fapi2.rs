//! The flow of clients that follow FAPI 2.0.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use oidc::jose::UnverifiedJwt;

use super::*;
use crate::testing::FapiClient;

const PUSHED: &str = "/konnect/v1/par";
const TOKEN: &str = "/konnect/v1/token";
/// The verifier of [`CHALLENGE`].
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// A provider, a browser with a session, and the client `app` with these members of metadata.
async fn signed_in(more: &Value) -> (Bench, Browser, FapiClient) {
    let bench = Bench::new().await;
    let client = FapiClient::add(&bench, "app", more).await;
    let mut browser = Browser::default();
    bench.sign_in(&mut browser, EINSTEIN).await;
    (bench, browser, client)
}

/// Pushes a request with these parameters changed; one without a value is left out.
async fn push(bench: &Bench, client: &FapiClient, more: &[(&str, &str)]) -> Reply {
    push_with(bench, client, more, &json!({})).await
}

/// The same with a proof with these claims.
async fn push_with(bench: &Bench, client: &FapiClient, more: &[(&str, &str)], proof: &Value) -> Reply {
    push_by(bench, client, &client.assertion(bench, &json!({})), (more, proof)).await
}

/// The same with this client assertion.
async fn push_by(
    bench: &Bench,
    client: &FapiClient,
    assertion: &str,
    (more, proof): (&[(&str, &str)], &Value),
) -> Reply {
    let usual = [
        ("client_id", "app"),
        ("response_type", "code"),
        ("redirect_uri", BACK),
        ("scope", "openid"),
        ("state", "s"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let is_kept = |(name, _): &(&str, &str)| !more.iter().any(|(changed, _)| changed == name);
    let added = more.iter().copied().filter(|(_, value)| !value.is_empty());
    let form: Vec<_> = usual.into_iter().filter(is_kept).chain(added).collect();
    let proof = client.proof(bench, "POST", &bench.endpoints().url(PUSHED), proof);
    let form = FapiClient::form(assertion, &form);
    bench.post_with(&mut Browser::default(), PUSHED, &form, &[("dpop", &proof)]).await
}

/// The response to a request that is pushed with these parameters changed.
async fn answer(bench: &Bench, browser: &mut Browser, client: &FapiClient, more: &[(&str, &str)]) -> Reply {
    let pushed = push(bench, client, more).await.is(201);
    let uri = pushed["request_uri"].as_str().expect("text");
    authorize(bench, browser, &[("client_id", "app"), ("request_uri", uri)]).await
}

/// Redeems a code.
async fn redeem(bench: &Bench, client: &FapiClient, code: &str) -> Reply {
    redeem_with(bench, client, code, &json!({})).await
}

/// The same with a proof with these claims.
async fn redeem_with(bench: &Bench, client: &FapiClient, code: &str, proof: &Value) -> Reply {
    redeem_by(bench, client, &client.assertion(bench, &json!({})), (code, proof)).await
}

/// The same with this client assertion.
async fn redeem_by(bench: &Bench, client: &FapiClient, assertion: &str, (code, proof): (&str, &Value)) -> Reply {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("code", code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    let proof = client.proof(bench, "POST", &bench.endpoints().url(TOKEN), proof);
    let form = FapiClient::form(assertion, &form);
    bench.post_with(&mut Browser::default(), TOKEN, &form, &[("dpop", &proof)]).await
}

/// The names of the parameters of a response in a query.
fn names(reply: &Reply) -> BTreeSet<String> {
    let (_, query) = reply.location().and_then(|to| to.split_once('?')).unwrap_or_else(|| panic!("{reply:?}"));
    form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

/// Row [I73](../../../../../../docs/security-requirements.md#i73).
#[tokio::test]
async fn fapi2_answer_has_code_state_and_iss_only() {
    let (bench, mut browser, client) = signed_in(&json!({})).await;
    let reply = answer(&bench, &mut browser, &client, &[]).await;
    assert_eq!(names(&reply), ["code", "iss", "state"].map(str::to_owned).into());
    let code = answered(&reply, "code").expect("a code");
    let tokens = redeem(&bench, &client, &code).await.is(200);
    assert_eq!((&tokens["token_type"], &tokens["scope"]), (&json!("DPoP"), &json!("openid")));
    let id_token = UnverifiedJwt::parse(tokens["id_token"].as_str().expect("text")).expect("a JWT");
    assert_eq!(id_token.algorithm(), Some(Algorithm::Ps256));
    let stateless = answer(&bench, &mut browser, &client, &[("state", "")]).await;
    assert_eq!(names(&stateless), ["code", "iss"].map(str::to_owned).into());
    let claims = |jwt: &str| {
        let jwt = UnverifiedJwt::parse(jwt).expect("a JWT");
        assert!(bench.provider.keys.verifies(&jwt) && jwt.algorithm() == Some(Algorithm::Ps256));
        jwt.claims().keys().cloned().collect::<BTreeSet<_>>()
    };
    let expected: BTreeSet<_> = ["aud", "code", "exp", "iss", "state"].map(str::to_owned).into();
    let reply = answer(&bench, &mut browser, &client, &[("response_mode", "jwt")]).await;
    assert_eq!(names(&reply), ["response".to_owned()].into());
    assert_eq!(claims(&answered(&reply, "response").expect("a JWT")), expected);
    let reply = answer(&bench, &mut browser, &client, &[("response_mode", "form_post.jwt")]).await;
    assert_eq!(claims(reply.field("response").expect("a JWT")), expected);
}

#[tokio::test]
async fn id_token_of_fapi2_client_names_the_session_only_where_that_has_a_use() {
    let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    for (more, expected) in [
        (json!({}), false),
        (json!({ "backchannel_logout_uri": "https://app.example/logged-out" }), true),
        (json!({ "frontchannel_logout_uri": "https://app.example/logged-out" }), true),
        (json!({ "grant_types": ["authorization_code", exchange] }), true),
    ] {
        let (bench, mut browser, client) = signed_in(&more).await;
        let code = answered(&answer(&bench, &mut browser, &client, &[]).await, "code").expect("a code");
        let tokens = redeem(&bench, &client, &code).await.is(200);
        let id_token = UnverifiedJwt::parse(tokens["id_token"].as_str().expect("text")).expect("a JWT");
        assert_eq!(id_token.claims().contains_key("sid"), expected, "{more}");
        assert!(id_token.claims().contains_key("auth_time"), "{more}");
    }
}

/// Row [I73](../../../../../../docs/security-requirements.md#i73).
#[tokio::test]
async fn code_of_fapi2_client_is_refused_after_a_minute() {
    let (bench, mut browser, client) = signed_in(&json!({ "lifetimes": { "code": "5m" } })).await;
    for (age, status) in [(59, 200), (62, 400)] {
        let reply = answer(&bench, &mut browser, &client, &[]).await;
        let code = answered(&reply, "code").expect("a code");
        bench.advance(Duration::from_secs(age));
        redeem(&bench, &client, &code).await.is(status);
    }
}

/// Row [I70](../../../../../../docs/security-requirements.md#i70).
#[tokio::test]
async fn weak_request_of_fapi2_client_is_rejected_where_it_is_pushed() {
    let (bench, mut browser, client) = signed_in(&json!({})).await;
    for more in [
        &[("code_challenge", ""), ("code_challenge_method", "")][..],
        &[("code_challenge_method", "plain")],
        &[("redirect_uri", "")],
        &[("redirect_uri", ""), ("scope", "email")],
        &[("redirect_uri", "https://app.example/other")],
        &[("request_uri", "urn:example:other")],
    ] {
        assert_refused(&push(&bench, &client, more).await, "invalid_request");
    }
    assert_refused(&push(&bench, &client, &[("response_type", "token")]).await, "unauthorized_client");
    let plain = [
        ("client_id", "app"),
        ("response_type", "code"),
        ("redirect_uri", BACK),
        ("scope", "openid"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let reply = authorize(&bench, &mut browser, &plain).await;
    assert_eq!(answered(&reply, "error").as_deref(), Some("invalid_request"), "it was not pushed: {reply:?}");
}

/// Row [I72](../../../../../../docs/security-requirements.md#i72).
#[tokio::test]
async fn request_without_the_registered_response_mode_or_signature_is_rejected() {
    let signing = json!({ "response_modes": ["jwt"], "require_signed_request_object": true });
    let (bench, mut browser, client) = signed_in(&signing).await;
    assert_refused(&push(&bench, &client, &[]).await, "invalid_request");
    let object = |mode: Option<&str>| {
        let claims = json!({
            "response_type": "code", "redirect_uri": BACK, "scope": "openid", "state": "inside",
            "code_challenge": CHALLENGE, "code_challenge_method": "S256", "response_mode": mode,
        });
        client.request_object(&bench, &claims)
    };
    for mode in [None, Some("query"), Some("form_post"), Some("form_post.jwt")] {
        assert_refused(&push(&bench, &client, &[("request", &object(mode))]).await, "invalid_request");
    }
    for mode in ["jwt", "query.jwt"] {
        let reply = answer(&bench, &mut browser, &client, &[("request", &object(Some(mode)))]).await;
        let response = answered(&reply, "response").unwrap_or_else(|| panic!("{mode}: {reply:?}"));
        let jwt = UnverifiedJwt::parse(&response).expect("a JWT");
        assert_eq!(jwt.claims()["state"], "inside");
    }
}

/// FAPI 2.0 Security Profile 5.3.2.2.
#[tokio::test]
async fn pushed_request_of_fapi2_client_expires_before_ten_minutes() {
    let bench = Bench::with(|config| config.lifetimes.pushed_request = Duration::from_mins(10)).await;
    let client = FapiClient::add(&bench, "app", &json!({})).await;
    assert_eq!(push(&bench, &client, &[]).await.is(201)["expires_in"], 599);
}

/// The response to an access token that is presented with a proof with these claims.
async fn userinfo(bench: &Bench, client: &FapiClient, token: &str, more: &Value) -> Reply {
    let path = bench.endpoints().paths.userinfo;
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    let mut claims = json!({ "ath": URL_SAFE_NO_PAD.encode(hash) });
    claims.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let proof = client.proof(bench, "GET", &bench.endpoints().url(path), &claims);
    let request = Request::get(path).header("authorization", format!("DPoP {token}")).header("dpop", proof);
    bench.raw(request.body(Body::empty()).expect("a request")).await
}

/// Row [I75](../../../../../../docs/security-requirements.md#i75).
#[tokio::test]
async fn each_endpoint_sends_a_nonce_where_one_is_needed() {
    let bench = Bench::with(|config| config.dpop_nonces = "fapi2".to_owned()).await;
    let client = FapiClient::add(&bench, "app", &json!({})).await;
    let mut browser = Browser::default();
    bench.sign_in(&mut browser, EINSTEIN).await;
    let first = push(&bench, &client, &[]).await;
    assert_refused(&first, "use_dpop_nonce");
    let nonce = json!({ "nonce": first.header("dpop-nonce") });
    let pushed = push_with(&bench, &client, &[], &nonce).await;
    assert!(!pushed.header("dpop-nonce").is_empty());
    let uri = pushed.is(201)["request_uri"].as_str().expect("text").to_owned();
    let reply = authorize(&bench, &mut browser, &[("client_id", "app"), ("request_uri", &uri)]).await;
    let code = answered(&reply, "code").expect("a code");
    let first = redeem(&bench, &client, &code).await;
    assert_refused(&first, "use_dpop_nonce");
    let redeemed = redeem_with(&bench, &client, &code, &json!({ "nonce": first.header("dpop-nonce") })).await;
    assert!(!redeemed.header("dpop-nonce").is_empty(), "the code was not used up");
    let token = redeemed.is(200)["access_token"].as_str().expect("text").to_owned();
    let first = userinfo(&bench, &client, &token, &json!({})).await;
    assert_eq!(first.is(401)["error"], "use_dpop_nonce");
    assert!(first.header("www-authenticate").starts_with(r#"DPoP error="use_dpop_nonce""#), "{first:?}");
    let claims = userinfo(&bench, &client, &token, &json!({ "nonce": first.header("dpop-nonce") })).await;
    assert_eq!(claims.is(200)["sub"], EINSTEIN);
    assert!(!claims.header("dpop-nonce").is_empty());
}

/// Row [I75](../../../../../../docs/security-requirements.md#i75).
#[tokio::test]
async fn assertion_is_good_for_the_request_that_is_repeated_with_a_nonce_and_for_no_other() {
    let bench = Bench::with(|config| config.dpop_nonces = "fapi2".to_owned()).await;
    let client = FapiClient::add(&bench, "app", &json!({})).await;
    let mut browser = Browser::default();
    bench.sign_in(&mut browser, EINSTEIN).await;
    let assertion = || client.assertion(&bench, &json!({}));
    let first = assertion();
    let push = async |proof: &Value| push_by(&bench, &client, &first, (&[], proof)).await;
    let demand = push(&json!({})).await;
    assert_refused(&demand, "use_dpop_nonce");
    assert_refused(&push(&json!({})).await, "use_dpop_nonce");
    let nonce = json!({ "nonce": demand.header("dpop-nonce") });
    let uri = push(&nonce).await.is(201)["request_uri"].as_str().expect("text").to_owned();
    // once it has counted, neither with a nonce nor without, nor elsewhere
    for proof in [&nonce, &json!({})] {
        assert_eq!(push(proof).await.is(401)["error"], "invalid_client");
    }
    assert_eq!(redeem_by(&bench, &client, &first, ("code", &nonce)).await.is(401)["error"], "invalid_client");
    let reply = authorize(&bench, &mut browser, &[("client_id", "app"), ("request_uri", &uri)]).await;
    let code = answered(&reply, "code").expect("a code");
    let second = assertion();
    let redeem = async |proof: &Value| redeem_by(&bench, &client, &second, (&code, proof)).await;
    assert_refused(&redeem(&json!({})).await, "use_dpop_nonce");
    redeem(&nonce).await.is(200);
    for proof in [&nonce, &json!({})] {
        assert_eq!(redeem(proof).await.is(401)["error"], "invalid_client");
    }
    // nor after a request that was refused for another reason
    let third = assertion();
    assert_refused(&redeem_by(&bench, &client, &third, ("no code", &nonce)).await, "invalid_grant");
    assert_eq!(redeem_by(&bench, &client, &third, ("no code", &nonce)).await.is(401)["error"], "invalid_client");
}

/// Row [I75](../../../../../../docs/security-requirements.md#i75).
#[tokio::test]
async fn no_endpoint_sends_a_nonce_where_none_is_needed() {
    let (bench, mut browser, client) = signed_in(&json!({})).await;
    let pushed = push(&bench, &client, &[]).await;
    let reply = answer(&bench, &mut browser, &client, &[]).await;
    let redeemed = redeem(&bench, &client, &answered(&reply, "code").expect("a code")).await;
    let token = redeemed.is(200)["access_token"].as_str().expect("text").to_owned();
    let claims = userinfo(&bench, &client, &token, &json!({})).await;
    assert_eq!(claims.is(200)["sub"], EINSTEIN);
    let late = userinfo(&bench, &client, &token, &json!({ "iat": seconds(bench.clock.now()) - 3600 })).await;
    assert_eq!(late.is(401)["error"], "invalid_dpop_proof", "without a nonce the time counts");
    for reply in [pushed, redeemed, claims, late] {
        assert_eq!(reply.header("dpop-nonce"), "", "{reply:?}");
    }
}

/// Row [I75](../../../../../../docs/security-requirements.md#i75).
#[tokio::test]
async fn proof_is_signed_by_an_algorithm_of_the_profile_at_each_endpoint() {
    let ps256 = SigningKey::generate(Algorithm::Ps256, "dpop").expect("a key").to_pkcs8().expect("is written");
    let read = |algorithm| SigningKey::from_pkcs8(algorithm, "dpop", &ps256).expect("is read");
    let standard = json!({ "profile": null, "dpop_bound_access_tokens": true });
    for (more, pushed, claims) in [(json!({}), 400, 401), (standard, 201, 200)] {
        let (bench, mut browser, client) = signed_in(&more).await;
        let strong = FapiClient { dpop: read(Algorithm::Ps256), ..client };
        let reply = answer(&bench, &mut browser, &strong, &[]).await;
        let code = answered(&reply, "code").unwrap_or_else(|| panic!("{more}: {reply:?}"));
        let token = redeem(&bench, &strong, &code).await.is(200)["access_token"].as_str().expect("text").to_owned();
        assert_eq!(userinfo(&bench, &strong, &token, &json!({})).await.is(200)["sub"], EINSTEIN);
        // the same key, to which the token is bound
        let weak = FapiClient { dpop: read(Algorithm::Rs256), ..strong };
        let replies = [push(&bench, &weak, &[]).await, userinfo(&bench, &weak, &token, &json!({})).await];
        for (reply, status) in replies.iter().zip([pushed, claims]) {
            let error = reply.is(status)["error"].clone();
            assert_eq!(error, if status < 400 { Value::Null } else { json!("invalid_dpop_proof") }, "{more}");
        }
    }
}
