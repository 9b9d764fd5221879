use axum::body::to_bytes;
use axum::http::header::VARY;
use axum::http::request::Builder;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::Config;
use crate::endpoints::EndpointProfile;

const SITE: &str = "https://cloud.opencloud.test";
const KEYS: &str = r#"{"keys":[]}"#;

fn sites() -> Vec<IssuerEndpoints> {
    EndpointProfile::ALL.map(|layout| IssuerEndpoints::new(layout, SITE)).into()
}

fn document(layout: EndpointProfile, registration: bool) -> Value {
    document::metadata(&IssuerEndpoints::new(layout, SITE), &Offered { registration, ..offered() })
}

fn offered() -> Offered {
    let config = Config::default();
    Offered { signing: config.algorithms(), levels: levels::supported(&config.mfa), ..Offered::default() }
}

async fn asked(request: Builder) -> (StatusCode, HeaderMap, String) {
    let router = routes(&sites(), &offered(), || Rendered::new(KEYS));
    let request = request.body(Body::empty()).expect("a request");
    let (parts, body) = router.oneshot(request).await.expect("answers").into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body").to_vec();
    (parts.status, parts.headers, String::from_utf8(body).expect("text"))
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().expect("a list").iter().map(|item| item.as_str().expect("a text")).collect()
}

#[test]
fn the_endpoints_are_those_of_the_layout() {
    let cloud = document(EndpointProfile::OpenCloud, false);
    for (member, path) in [
        ("issuer", ""),
        ("authorization_endpoint", "/signin/v1/identifier/_/authorize"),
        ("token_endpoint", "/konnect/v1/token"),
        ("userinfo_endpoint", "/konnect/v1/userinfo"),
        ("jwks_uri", "/konnect/v1/jwks.json"),
        ("end_session_endpoint", "/signin/v1/identifier/_/endsession"),
        ("check_session_iframe", "/konnect/v1/session/check-session.html"),
        ("revocation_endpoint", "/konnect/v1/revoke"),
        ("introspection_endpoint", "/konnect/v1/introspect"),
        ("pushed_authorization_request_endpoint", "/konnect/v1/par"),
        ("device_authorization_endpoint", "/konnect/v1/device"),
    ] {
        assert_eq!(cloud[member], format!("{SITE}{path}"), "{member}");
    }
    let cells = document(EndpointProfile::Cells, false);
    assert_eq!(cells["issuer"], format!("{SITE}/oidc"));
    assert_eq!(cells["authorization_endpoint"], format!("{SITE}/oidc/oauth2/auth"));
    assert_eq!(cells["jwks_uri"], format!("{SITE}/oidc/.well-known/jwks.json"));
}

#[test]
fn registration_is_offered_only_where_it_is_on() {
    assert_eq!(document(EndpointProfile::OpenCloud, false).get("registration_endpoint"), None);
    let open = document(EndpointProfile::OpenCloud, true);
    assert_eq!(open["registration_endpoint"], format!("{SITE}/konnect/v1/register"));
}

#[test]
fn certificates_are_offered_only_where_they_can_be_shown() {
    let endpoints = || IssuerEndpoints::new(EndpointProfile::OpenCloud, SITE);
    let mtls = || endpoints().with_mtls(Some("https://mtls.opencloud.test".to_owned()));
    let methods = |endpoints: IssuerEndpoints, verified_certificates| {
        let document = document::metadata(&endpoints, &Offered { verified_certificates, ..offered() });
        let methods = texts(&document["token_endpoint_auth_methods_supported"]);
        let methods = methods.into_iter().filter(|method| method.contains("tls")).map(str::to_owned);
        (methods.collect::<Vec<_>>(), document)
    };
    let (none, document) = methods(endpoints(), true);
    assert!(none.is_empty() && document.get("mtls_endpoint_aliases").is_none());
    assert_eq!(document.get("tls_client_certificate_bound_access_tokens"), None);
    assert_eq!(methods(mtls(), true).0, ["tls_client_auth", "self_signed_tls_client_auth"]);
    let (own, document) = methods(mtls(), false);
    assert_eq!(own, ["self_signed_tls_client_auth"], "without an authority a certificate is a key and nothing else");
    assert_eq!(document["tls_client_certificate_bound_access_tokens"], json!(true));
    let aliases = document["mtls_endpoint_aliases"].as_object().expect("aliases");
    assert_eq!(aliases["token_endpoint"], "https://mtls.opencloud.test/konnect/v1/token");
    for (name, alias) in aliases {
        let ordinary = document[name].as_str().expect("an endpoint").replace(SITE, "https://mtls.opencloud.test");
        assert_eq!(*alias, ordinary, "{name}");
    }
}

/// What `oidcc-discovery-endpoint-verification` and the modules for the logout profiles look at.
#[test]
fn the_document_says_what_the_conformance_suite_asks_for() {
    let document = document(EndpointProfile::OpenCloud, false);
    for (member, wanted) in [
        (
            "response_types_supported",
            vec!["code", "id_token", "token", "id_token token", "code id_token", "code token", "code id_token token"],
        ),
        ("response_modes_supported", vec!["query", "fragment", "form_post"]),
        ("response_modes_supported", vec!["query.jwt", "fragment.jwt", "form_post.jwt", "jwt"]),
        ("subject_types_supported", vec!["public", "pairwise"]),
        ("id_token_signing_alg_values_supported", vec!["RS256", "ES256", "PS256"]),
        ("userinfo_signing_alg_values_supported", vec!["RS256"]),
        ("request_object_signing_alg_values_supported", vec!["none", "RS256"]),
        ("scopes_supported", vec!["openid", "profile", "email", "address", "phone", "offline_access"]),
        ("claims_supported", vec!["sub", "name", "email", "email_verified", "groups"]),
        ("claims_supported", vec!["given_name", "birthdate", "updated_at", "address", "phone_number_verified"]),
        ("token_endpoint_auth_methods_supported", vec!["client_secret_basic", "client_secret_post", "private_key_jwt"]),
        ("token_endpoint_auth_methods_supported", vec!["client_secret_jwt", "private_key_jwt", "none"]),
        ("grant_types_supported", vec!["authorization_code", "implicit", "refresh_token", "client_credentials"]),
        ("acr_values_supported", vec!["1", "mfa", "phr", "advanced"]),
        ("claim_types_supported", vec!["normal", "distributed"]),
        ("display_values_supported", vec!["page", "popup", "touch", "wap"]),
        ("ui_locales_supported", vec!["en", "de", "fr"]),
        ("dpop_signing_alg_values_supported", vec!["PS256", "ES256"]),
    ] {
        let there = texts(&document[member]);
        let missing: Vec<_> = wanted.iter().filter(|value| !there.contains(value)).collect();
        assert!(missing.is_empty(), "{member}: {missing:?} is missing in {there:?}");
    }
    for flag in [
        "claims_parameter_supported",
        "request_parameter_supported",
        "request_uri_parameter_supported",
        "require_request_uri_registration",
        "backchannel_logout_supported",
        "backchannel_logout_session_supported",
        "frontchannel_logout_supported",
        "frontchannel_logout_session_supported",
    ] {
        assert_eq!(document[flag], json!(true), "{flag}");
    }
}

#[test]
fn signatures_follow_the_setting_and_unsigned_id_tokens_are_off_unless_configured() {
    let endpoints = IssuerEndpoints::new(EndpointProfile::OpenCloud, SITE);
    let told = |names: &[&str], unsigned_id_tokens| {
        let config =
            Config { signing_algorithms: names.iter().map(ToString::to_string).collect(), ..Config::default() };
        document::metadata(&endpoints, &Offered { signing: config.algorithms(), unsigned_id_tokens, ..offered() })
    };
    let member = |name: &str| format!("{name}_signing_alg_values_supported");
    let document = told(&["ES256", "EdDSA"], false);
    for name in ["id_token", "userinfo", "authorization", "introspection"] {
        assert_eq!(document[member(name)], json!(["ES256", "EdDSA"]), "{name}");
    }
    assert!(texts(&document[member("dpop")]).contains(&"RS256"), "what clients sign with is another matter");
    assert_eq!(told(&["RS256"], true)[member("id_token")], json!(["RS256", "none"]));
}

#[test]
fn documents_of_clients_are_offered_where_they_are_on() {
    let endpoints = IssuerEndpoints::new(EndpointProfile::OpenCloud, SITE);
    let member = |client_documents| {
        let document = document::metadata(&endpoints, &Offered { client_documents, ..offered() });
        document.get("client_id_metadata_document_supported").cloned()
    };
    assert_eq!((member(false), member(true)), (None, Some(json!(true))));
}

#[test]
fn strict_issuer_offers_the_code_flow_only() {
    let document = document::metadata(&IssuerEndpoints::new(EndpointProfile::OpenCloud, SITE).strict(true), &offered());
    assert_eq!(document["response_types_supported"], json!(["code"]));
    assert!(!texts(&document["grant_types_supported"]).contains(&"implicit"));
    assert!(texts(&document["response_modes_supported"]).iter().all(|mode| !mode.starts_with("fragment")));
}

#[test]
fn no_list_says_anything_twice_and_none_is_empty() {
    for layout in EndpointProfile::ALL {
        let document = document(layout, true);
        for (member, value) in document.as_object().expect("an object") {
            let Some(list) = value.as_array() else { continue };
            let mut sorted: Vec<_> = list.iter().map(Value::to_string).collect();
            sorted.sort();
            sorted.dedup();
            assert_eq!(sorted.len(), list.len(), "{member}");
            assert!(!list.is_empty(), "{member}");
        }
    }
}

#[test]
fn i15_the_issuer_stands_in_every_answer_and_the_document_says_so() {
    for layout in EndpointProfile::ALL {
        assert_eq!(document(layout, false)["authorization_response_iss_parameter_supported"], json!(true));
    }
}

#[test]
fn rs256_comes_first_and_a_weak_challenge_is_not_offered() {
    let document = document(EndpointProfile::Cells, false);
    for member in ["id_token", "userinfo", "authorization", "introspection", "request_object"] {
        let member = format!("{member}_signing_alg_values_supported");
        assert_eq!(document[&member][0], "RS256", "{member}");
    }
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    let assertions = texts(&document["token_endpoint_auth_signing_alg_values_supported"]);
    assert!(assertions.contains(&"HS256") && !assertions.contains(&"none"), "{assertions:?}");
    assert!(!texts(&document["introspection_endpoint_auth_methods_supported"]).contains(&"none"));
}

/// The desktop program narrows its prompt `select_account consent` to what is offered, and needs a refresh token.
#[test]
fn the_desktop_program_of_opencloud_finds_what_it_needs() {
    let document = document(EndpointProfile::OpenCloud, false);
    assert_eq!(texts(&document["prompt_values_supported"]), ["none", "login", "consent", "select_account"]);
    assert!(texts(&document["scopes_supported"]).contains(&"offline_access"));
    assert!(texts(&document["response_types_supported"]).contains(&"code"));
    for scope in ["offline", "pydio"] {
        assert!(texts(&document["scopes_supported"]).contains(&scope), "the programs of Cells ask for {scope}");
    }
}

#[tokio::test]
async fn the_same_document_is_at_every_place_of_each_issuer() {
    for endpoints in sites() {
        let paths = endpoints.paths;
        for path in [paths.discovery, paths.metadata].into_iter().chain(paths.inserted_discovery) {
            let (status, headers, body) = asked(Request::get(path)).await;
            assert_eq!((status, &headers[CONTENT_TYPE]), (StatusCode::OK, &JSON), "{path}");
            assert_eq!(headers[CACHE_CONTROL], "public, max-age=3600");
            let body: Value = serde_json::from_str(&body).expect("JSON");
            assert_eq!(body["issuer"], endpoints.issuer, "{path}");
        }
    }
}

/// In this order for an issuer with a path: the authorization specification of the Model Context Protocol, "Authorization Server Metadata
/// Discovery".
#[tokio::test]
async fn metadata_is_at_every_url_that_mcp_clients_derive_from_the_issuer() {
    for endpoints in sites() {
        let path = endpoints.issuer.strip_prefix(SITE).expect("below the site");
        for url in [
            format!("/.well-known/oauth-authorization-server{path}"),
            format!("/.well-known/openid-configuration{path}"),
            format!("{path}/.well-known/openid-configuration"),
        ] {
            let (status, _, body) = asked(Request::get(&url)).await;
            assert_eq!(status, StatusCode::OK, "{url}");
            let body: Value = serde_json::from_str(&body).expect("JSON");
            assert_eq!(body["issuer"], endpoints.issuer, "{url}");
        }
        for url in ["/.well-known/oauth-authorization-server/notes", "/.well-known/openid-configuration/notes"] {
            assert_eq!(asked(Request::get(url)).await.0, StatusCode::NOT_FOUND, "{url}");
        }
    }
}

#[tokio::test]
async fn i42_the_issuer_does_not_follow_the_host_of_a_request() {
    let request = Request::get("/.well-known/openid-configuration").header("host", "evil.example");
    let request = request.header("x-forwarded-host", "evil.example").header("forwarded", "host=evil.example");
    let (status, headers, body) = asked(request).await;
    assert_eq!((status, headers.get(VARY)), (StatusCode::OK, None));
    assert!(!body.contains("evil"), "{body}");
    assert!(body.contains(&format!(r#""issuer":"{SITE}""#)), "{body}");
}

#[tokio::test]
async fn a_document_that_is_known_is_not_sent_again() {
    for path in ["/.well-known/openid-configuration", "/konnect/v1/jwks.json"] {
        let (_, headers, _) = asked(Request::get(path)).await;
        let tag = headers[ETAG].to_str().expect("text").to_owned();
        for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            let (status, headers, body) = asked(Request::get(path).header(IF_NONE_MATCH, &known)).await;
            assert_eq!((status, body.as_str()), (StatusCode::NOT_MODIFIED, ""), "{known}");
            assert_eq!(headers[ETAG], tag.as_str());
            assert!(headers.contains_key(CACHE_CONTROL) && !headers.contains_key(CONTENT_TYPE));
        }
        let (status, ..) = asked(Request::get(path).header(IF_NONE_MATCH, "\"other\"")).await;
        assert_eq!(status, StatusCode::OK);
    }
}

#[tokio::test]
async fn the_key_set_is_the_one_that_is_published() {
    for path in ["/konnect/v1/jwks.json", "/oidc/.well-known/jwks.json"] {
        let (status, headers, body) = asked(Request::get(path)).await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, KEYS));
        assert_eq!((&headers[CONTENT_TYPE], &headers[CACHE_CONTROL]), (&JSON, &KEYS_KEPT));
    }
    let (status, _, body) = asked(Request::head("/konnect/v1/jwks.json")).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, ""));
    let (status, ..) = asked(Request::post("/konnect/v1/jwks.json")).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
}
