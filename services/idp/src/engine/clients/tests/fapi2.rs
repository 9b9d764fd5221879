//! Clients that follow FAPI 2.0.

use oidc::jose::Algorithm;
use oidc::pkce;
use oidc::response::ResponseType;
use proptest::prelude::*;
use serde_json::json;

use super::metadata::{added, member_name, with, wrong};
use super::*;
use crate::endpoints::EndpointProfile;
use crate::lifetimes::Lifetimes;

/// A client that follows FAPI 2.0, with these members.
fn fapi2(more: &Value) -> Value {
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "1" });
    let mut metadata = json!({
        "profile": "fapi2",
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": { "keys": [key] },
    });
    for (name, value) in more.as_object().expect("an object") {
        metadata[name] = value.clone();
    }
    metadata
}

/// Row [I70](../../../../../../docs/security-requirements.md#i70).
#[test]
fn fapi2_client_is_pushed_and_uses_pkce_and_bound_tokens() {
    let app = added(&fapi2(&json!({})));
    assert!(
        app.is_fapi2() && app.needs_pushed && app.needs_dpop && !app.binds_certificate && !app.needs_signed_request
    );
    assert_eq!(app.pkce, pkce::Policy { required: true, plain: false });
    let Signatures { id_token, access_token, authorization, userinfo, introspection, .. } = app.signatures;
    assert_eq!([id_token, access_token, authorization, introspection], [Some(Algorithm::Ps256); 4]);
    assert_eq!([userinfo, app.signatures.assertion, app.signatures.request_object], [None; 3]);
    assert!(!app.signatures.request_object_unsigned);
    let by_certificate = added(&fapi2(&json!({
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_san_dns": "app.example",
        "tls_client_certificate_bound_access_tokens": true,
        "id_token_signed_response_alg": "ES256",
    })));
    assert!(by_certificate.binds_certificate && !by_certificate.needs_dpop);
    assert_eq!(by_certificate.signatures.id_token, Some(Algorithm::Es256));
    for signing in [json!({ "require_signed_request_object": true }), json!({ "request_object_signing_alg": "ES256" })]
    {
        assert!(added(&fapi2(&signing)).needs_signed_request, "{signing}");
    }
    assert!(added(&json!({ "require_signed_request_object": true })).needs_signed_request, "of any profile");
    assert!(!added(&json!({ "request_object_signing_alg": "ES256" })).needs_signed_request, "of another profile");
    let loopback = json!({ "application_type": "native", "redirect_uris": ["http://127.0.0.1/cb"] });
    added(&fapi2(&loopback));
}

/// Row [I70](../../../../../../docs/security-requirements.md#i70).
#[test]
fn fapi2_client_needs_keys_and_code_only() {
    let device = GrantType::DeviceCode.name();
    for (member, more) in [
        ("token_endpoint_auth_method", json!({ "token_endpoint_auth_method": null })),
        ("token_endpoint_auth_method", json!({ "token_endpoint_auth_method": "client_secret_jwt" })),
        ("token_endpoint_auth_method", json!({ "token_endpoint_auth_method": "none" })),
        ("response_types", json!({ "response_types": ["code", "code id_token"] })),
        ("response_types", json!({ "grant_types": ["authorization_code", "implicit"] })),
        ("grant_types", json!({ "grant_types": ["authorization_code", device] })),
        ("grant_types", json!({ "grant_types": ["authorization_code", GrantType::JwtBearer.name()] })),
        ("pkce", json!({ "pkce": "optional" })),
        ("pkce", json!({ "pkce": "plain" })),
        ("request_uris", json!({ "request_uris": ["https://app.example/request.jwt"] })),
        ("insecure", json!({ "insecure": true })),
        ("redirect_uris", json!({ "application_type": "native", "redirect_uris": ["com.example.app:/cb"] })),
        ("redirect_uris", json!({ "redirect_uris": ["http://app.example/cb"] })),
        (
            "tls_client_certificate_bound_access_tokens",
            json!({ "tls_client_certificate_bound_access_tokens": true, "dpop_bound_access_tokens": true }),
        ),
    ] {
        assert_eq!(wrong(&fapi2(&more)), member, "{more}");
    }
    for member in [
        "id_token_signed_response_alg",
        "userinfo_signed_response_alg",
        "access_token_signed_response_alg",
        "authorization_signed_response_alg",
        "introspection_signed_response_alg",
        "request_object_signing_alg",
        "token_endpoint_auth_signing_alg",
    ] {
        for weak in ["RS256", "HS256", "none"] {
            assert_eq!(wrong(&fapi2(&json!({ member: weak }))), member, "{weak}");
        }
        for strong in ["PS256", "ES256", "EdDSA"] {
            added(&fapi2(&json!({ member: strong })));
        }
    }
}

/// Row [I70](../../../../../../docs/security-requirements.md#i70).
#[test]
fn fapi2_client_that_names_its_algorithms_needs_no_other() {
    let config = Config { signing_algorithms: vec!["ES256".to_owned()], ..Config::default() };
    let offer = Offer::of(&config);
    let member = "authorization_signed_response_alg";
    let mut named = json!({
        "id_token_signed_response_alg": "ES256",
        "access_token_signed_response_alg": "ES256",
        member: "ES256",
    });
    let client = added(&fapi2(&named));
    assert_eq!(client.signatures.introspection, Some(Algorithm::Es256));
    assert!(offer.check(&client, None).is_ok(), "no answer is signed by PS256");
    named.as_object_mut().expect("an object").remove(member);
    let error = offer.check(&added(&fapi2(&named)), None).expect_err("is refused").to_string();
    assert!(error.starts_with(member) && error.contains("PS256"), "{error}");
}

/// Row [I73](../../../../../../docs/security-requirements.md#i73).
#[test]
fn code_of_fapi2_client_expires_within_a_minute_in_every_layout() {
    let lifetimes = Config::default().lifetimes;
    let slow = added(&fapi2(&json!({ "lifetimes": { "code": "5m" } })));
    for layout in EndpointProfile::ALL {
        for client in [&slow, &added(&fapi2(&json!({})))] {
            assert_eq!(lifetimes.of(layout, &client.lifetimes).code, Duration::from_mins(1), "{layout:?}");
        }
    }
    let quick = Lifetimes { code: Duration::from_secs(30), ..lifetimes };
    let of_opencloud = quick.of(EndpointProfile::OpenCloud, &slow.lifetimes).code;
    assert_eq!(of_opencloud, Duration::from_mins(1));
    let usual = added(&fapi2(&json!({}))).lifetimes;
    assert_eq!(quick.of(EndpointProfile::OpenCloud, &usual).code, Duration::from_secs(30), "it is not lengthened");
}

/// A value that some member could take, and that makes the client weaker.
fn weaker() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        Value::Null,
        json!(true),
        json!("none"),
        json!("RS256"),
        json!("HS256"),
        json!("client_secret_basic"),
        json!("client_secret_jwt"),
        json!("plain"),
        json!("optional"),
        json!(["code id_token"]),
        json!(["implicit", "authorization_code"]),
        json!(["com.example.app:/cb"]),
    ])
}

proptest! {
    /// Row [I70](../../../../../../docs/security-requirements.md#i70).
    #[test]
    fn fapi2_client_is_never_weaker_than_its_profile(
        members in prop::collection::btree_map(member_name(), weaker(), 0..4)
    ) {
        let more = Value::Object(members.into_iter().collect());
        if let Ok(read) = client(Source::Added, &with(&fapi2(&more))) && read.is_fapi2() {
            prop_assert!(!read.auth.has_secret() && !read.is_public());
            prop_assert!(read.needs_pushed && (read.needs_dpop || read.binds_certificate));
            prop_assert!(read.pkce.required && !read.pkce.plain);
            prop_assert!(read.responses.iter().all(|response| *response == ResponseType::CODE));
            prop_assert!(read.signatures.ours().all(|(_, algorithm)| Algorithm::FAPI.contains(&algorithm)));
            let Signatures { id_token, access_token, authorization, introspection, .. } = read.signatures;
            prop_assert!([id_token, access_token, authorization, introspection].iter().all(Option::is_some));
            let theirs = [read.signatures.assertion, read.signatures.request_object];
            prop_assert!(theirs.into_iter().flatten().all(|algorithm| Algorithm::FAPI.contains(&algorithm)));
            prop_assert!(!read.signatures.id_token_unsigned);
            prop_assert!(!read.signatures.request_object_unsigned);
        }
    }
}
