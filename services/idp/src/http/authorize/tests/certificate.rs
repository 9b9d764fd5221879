//! The flow of clients that follow FAPI 2.0 and show a certificate (RFC 8705).

use axum::body::Body;
use axum::http::Request;
use base64::engine::general_purpose::STANDARD;
use config::ListenAddr;
use oidc::certificate::thumbprint;
use oidc::jose::UnverifiedJwt;
use rcgen::{CertificateParams, KeyPair};
use runtime::ClientCertificate;

use super::*;
use crate::testing::{FapiClient, dpop_proof, text};

const PUSHED: &str = "/konnect/v1/par";
const TOKEN: &str = "/konnect/v1/token";
/// The verifier of [`CHALLENGE`].
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// What the client `app` pushes.
const REQUEST: [(&str, &str); 6] = [
    ("client_id", "app"),
    ("response_type", "code"),
    ("redirect_uri", BACK),
    ("scope", "openid offline_access"),
    ("code_challenge", CHALLENGE),
    ("code_challenge_method", "S256"),
];

/// A new certificate with this name, and whether a trusted authority has signed it.
fn certificate(name: &str, is_verified: bool) -> ClientCertificate {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new([name.to_owned()]).expect("a name");
    ClientCertificate::new(params.self_signed(&key).expect("signs itself").der().to_vec(), is_verified)
}

/// The metadata of a client that signs users in and refreshes, with these members.
fn metadata(more: &Value) -> Value {
    let mut metadata = json!({
        "profile": "fapi2",
        "grant_types": ["authorization_code", "refresh_token"],
        "consent": "trusted",
        "tls_client_certificate_bound_access_tokens": true,
    });
    metadata.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    metadata
}

/// `tls_client_auth` with this name.
fn by_name(name: &str) -> Value {
    json!({ "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": name })
}

/// A provider that serves clients with certificates, and a browser with a session.
async fn signed_in() -> (Bench, Browser) {
    let addr = ListenAddr::Tcp { host: "127.0.0.1".to_owned(), port: 9133 };
    let bench = Bench::with(|config| config.mtls.addr = addr).await;
    let mut browser = Browser::default();
    bench.sign_in(&mut browser, EINSTEIN).await;
    (bench, browser)
}

/// Sends a form as a client that shows this certificate does.
async fn send(
    bench: &Bench,
    shown: Option<&ClientCertificate>,
    path: &str,
    form: &[(&str, &str)],
    proof: Option<&str>,
) -> Reply {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    let request = proof.into_iter().fold(request, |request, proof| request.header("dpop", proof));
    bench.raw_by_mtls(shown, request.body(Body::from(body)).expect("a request")).await
}

/// The code that answers a request which was pushed.
async fn code_of(bench: &Bench, browser: &mut Browser, pushed: &Reply) -> String {
    let uri = text(&pushed.is(201), "request_uri");
    let reply = authorize(bench, browser, &[("client_id", "app"), ("request_uri", &uri)]).await;
    answered(&reply, "code").unwrap_or_else(|| panic!("{reply:?}"))
}

/// The request of a client for the tokens of a code.
fn redemption<'a>(client: &'a str, code: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ]
}

/// The request of the client `app` for the tokens of a refresh token.
fn refresh(token: &str) -> [(&str, &str); 3] {
    [("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", token)]
}

/// Holds that `app` proves by none of these who it is: no certificate, one with another name, and one with the name of `app` that no
/// trusted authority has signed.
async fn assert_strangers_are_refused(bench: &Bench, path: &str, form: &[(&str, &str)]) {
    for stranger in [None, Some(certificate("other.example", true)), Some(certificate("app.example", false))] {
        let reply = send(bench, stranger.as_ref(), path, form, None).await;
        assert_eq!(reply.is(401)["error"], "invalid_client", "{form:?}");
    }
}

/// Holds that an access token is bound to this certificate, so that userinfo refuses it with another one and without any.
async fn assert_is_bound(bench: &Bench, tokens: &Value, own: &ClientCertificate) {
    assert_eq!(tokens["token_type"], "Bearer");
    let token = text(tokens, "access_token");
    let jwt = UnverifiedJwt::parse(&token).expect("a JWT");
    assert_eq!(jwt.claims()["cnf"], json!({ "x5t#S256": thumbprint(own.der()) }));
    let another = certificate("app.example", true);
    for (shown, status) in [(Some(own), 200), (Some(&another), 401), (None, 401)] {
        let request = Request::get(bench.endpoints().paths.userinfo).header("authorization", format!("Bearer {token}"));
        let reply = bench.raw_by_mtls(shown, request.body(Body::empty()).expect("a request")).await;
        assert_eq!(reply.is(status).get("sub").is_some(), status == 200);
    }
}

/// Rows [I29](../../../../../../docs/security-requirements.md#i29) and [I74](../../../../../../docs/security-requirements.md#i74).
#[tokio::test]
async fn fapi2_client_shows_its_certificate_from_the_pushed_request_to_the_last_refresh() {
    let own = certificate("app.example", true);
    let keys = json!({ "keys": [{ "kty": "EC", "x5c": [STANDARD.encode(own.der())] }] });
    let by_key = json!({ "token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": keys });
    // another certificate with the name of the client may replace its own, and a certificate that is not registered may not
    for (method, renewed_status) in [(by_name("app.example"), 200), (by_key, 401)] {
        let (bench, mut browser) = signed_in().await;
        bench.add("app", &metadata(&method)).await;
        assert_strangers_are_refused(&bench, PUSHED, &REQUEST).await;
        let pushed = send(&bench, Some(&own), PUSHED, &REQUEST, None).await;
        let code = code_of(&bench, &mut browser, &pushed).await;
        // none of these uses the code up
        assert_strangers_are_refused(&bench, TOKEN, &redemption("app", &code)).await;
        let tokens = send(&bench, Some(&own), TOKEN, &redemption("app", &code), None).await.is(200);
        assert_is_bound(&bench, &tokens, &own).await;
        let refresh_token = text(&tokens, "refresh_token");
        let form = refresh(&refresh_token);
        for _ in 0..2 {
            bench.advance(bench.provider.config.lifetimes.refresh_grace + Duration::from_secs(1));
            assert_strangers_are_refused(&bench, TOKEN, &form).await;
            let tokens = send(&bench, Some(&own), TOKEN, &form, None).await.is(200);
            assert_eq!(text(&tokens, "refresh_token"), refresh_token, "it is not rotated");
            assert_is_bound(&bench, &tokens, &own).await;
        }
        let renewed = certificate("app.example", true);
        let reply = send(&bench, Some(&renewed), TOKEN, &form, None).await;
        let tokens = reply.is(renewed_status);
        if renewed_status == 200 {
            assert_is_bound(&bench, &tokens, &renewed).await;
        }
    }
}

/// Row I9.
#[tokio::test]
async fn code_is_refused_to_a_client_with_another_certificate_and_used_up() {
    let (bench, mut browser) = signed_in().await;
    for (id, name) in [("app", "app.example"), ("other", "other.example")] {
        bench.add(id, &metadata(&by_name(name))).await;
    }
    let (own, others) = (certificate("app.example", true), certificate("other.example", true));
    let pushed = send(&bench, Some(&own), PUSHED, &REQUEST, None).await;
    let code = code_of(&bench, &mut browser, &pushed).await;
    let stolen = send(&bench, Some(&others), TOKEN, &redemption("other", &code), None).await;
    assert_refused(&stolen, "invalid_grant");
    let late = send(&bench, Some(&own), TOKEN, &redemption("app", &code), None).await;
    assert_refused(&late, "invalid_grant");
}

/// Rows [I29](../../../../../../docs/security-requirements.md#i29) and [I74](../../../../../../docs/security-requirements.md#i74).
#[tokio::test]
async fn fapi2_client_with_an_assertion_gets_no_bound_token_without_a_certificate() {
    let (bench, mut browser) = signed_in().await;
    let client = FapiClient::add(&bench, "app", &metadata(&json!({}))).await;
    // it is only a key: the assertion says who the client is
    let own = certificate("any.example", false);
    let post = async |shown: Option<&ClientCertificate>, path: &str, form: &[(&str, &str)]| {
        let assertion = client.assertion(&bench, &json!({}));
        send(&bench, shown, path, &FapiClient::form(&assertion, form), None).await
    };
    let pushed = post(None, PUSHED, &REQUEST).await;
    let code = code_of(&bench, &mut browser, &pushed).await;
    assert_refused(&post(None, TOKEN, &redemption("app", &code)).await, "invalid_request");
    let tokens = post(Some(&own), TOKEN, &redemption("app", &code)).await.is(200);
    assert_is_bound(&bench, &tokens, &own).await;
    let refresh_token = text(&tokens, "refresh_token");
    assert_refused(&post(None, TOKEN, &refresh(&refresh_token)).await, "invalid_request");
    let again = post(Some(&own), TOKEN, &refresh(&refresh_token)).await.is(200);
    assert_eq!(text(&again, "refresh_token"), refresh_token);
    assert_is_bound(&bench, &again, &own).await;
}

/// A client may prove who it is by a certificate and have its tokens bound to a `DPoP` key.
#[tokio::test]
async fn code_of_fapi2_client_with_a_certificate_is_bound_to_the_dpop_key_of_its_request() {
    let (bench, mut browser) = signed_in().await;
    let mut more = by_name("app.example");
    more["tls_client_certificate_bound_access_tokens"] = json!(false);
    bench.add("app", &metadata(&more)).await;
    let shown = certificate("app.example", true);
    let [own, other] = [(); 2].map(|()| SigningKey::generate(Algorithm::Es256, "dpop").expect("a key"));
    let alias = |path| bench.endpoints().alias(path).expect("is served");
    let proof = |key: &SigningKey, url: &str| dpop_proof(key, &bench, ("POST", url), &json!({}));
    let pushed = send(&bench, Some(&shown), PUSHED, &REQUEST, Some(&proof(&own, &alias(PUSHED)))).await;
    let code = code_of(&bench, &mut browser, &pushed).await;
    let redeem = async |proof: Option<String>| {
        send(&bench, Some(&shown), TOKEN, &redemption("app", &code), proof.as_deref()).await
    };
    assert_refused(&redeem(None).await, "invalid_request");
    assert_refused(&redeem(Some(proof(&other, &alias(TOKEN)))).await, "invalid_grant");
    let elsewhere = proof(&own, &bench.endpoints().url(TOKEN));
    assert_refused(&redeem(Some(elsewhere)).await, "invalid_dpop_proof");
    let tokens = redeem(Some(proof(&own, &alias(TOKEN)))).await.is(200);
    assert_eq!(tokens["token_type"], "DPoP");
}
