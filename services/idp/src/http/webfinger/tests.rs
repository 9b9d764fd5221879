use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use config::Environment;
use proptest::prelude::*;
use tower::ServiceExt;

use super::*;

const SITE: &str = "https://cloud.opencloud.test";

type Variables = [(&'static str, &'static str)];

fn answering(variables: &Variables) -> Option<Finger> {
    let secret = "an-adequate-secret-of-32-bytes-ok";
    let needed = [("IDP_ISS", SITE), ("OCIS_JWT_SECRET", secret), ("IDP_ENCRYPTION_SECRET", secret)];
    let environment: Environment = needed.iter().chain(variables).copied().collect();
    let loaded = config::load::<Config>(&<crate::Idp as runtime::Service>::IDENTITY, &environment);
    Finger::of(&loaded.expect("the configuration is good").config)
}

fn finger(variables: &Variables) -> Finger {
    answering(variables).expect("it answers")
}

/// The client and the scopes of a platform.
async fn client_of(variables: &Variables, platform: &str) -> (Value, Value) {
    let (_, _, answer) = ask_of(finger(variables), &[("resource", SITE), ("platform", platform)]).await;
    (answer["properties"][CLIENT_ID].clone(), answer["properties"][SCOPES].clone())
}

async fn ask_of(finger: Finger, parameters: &[(&str, &str)]) -> (StatusCode, HeaderMap, Value) {
    let query: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let request = Request::get(format!("{}?{query}", page::WEBFINGER)).body(Body::empty()).expect("a request");
    let (parts, body) = routes(finger).oneshot(request).await.expect("answers").into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    (parts.status, parts.headers, serde_json::from_slice(&body).unwrap_or_default())
}

async fn ask(parameters: &[(&str, &str)]) -> (StatusCode, HeaderMap, Value) {
    ask_of(finger(&[]), parameters).await
}

#[tokio::test]
async fn the_desktop_program_learns_the_issuer_and_its_client() {
    let asked = [("resource", SITE), ("rel", ISSUER), ("platform", "desktop")];
    let (status, headers, answer) = ask(&asked).await;
    assert_eq!(status, StatusCode::OK);
    assert!(headers[CONTENT_TYPE].to_str().expect("text").contains("application/json"));
    let wanted = json!({
        "subject": SITE,
        "links": [{ "rel": ISSUER, "href": SITE }],
        "properties": { CLIENT_ID: "OpenCloudDesktop", SCOPES: ["openid", "profile", "email", "offline_access"] },
    });
    assert_eq!(answer, wanted);
}

#[tokio::test]
async fn each_platform_is_a_client_of_its_own() {
    for (platform, client) in [("web", "web"), ("android", "OpenCloudAndroid"), ("ios", "OpenCloudIOS")] {
        let (_, _, answer) = ask(&[("resource", SITE), ("platform", platform)]).await;
        assert_eq!(answer["properties"][CLIENT_ID], client);
        let lasts = answer["properties"][SCOPES].as_array().expect("a list").contains(&"offline_access".into());
        assert_eq!(lasts, platform != "web", "{platform}");
    }
    for platform in ["", "toaster"] {
        let (status, _, answer) = ask(&[("resource", SITE), ("platform", platform)]).await;
        assert_eq!((status, answer.get("properties")), (StatusCode::OK, None), "{platform}");
    }
    let unknown = finger(&[("IDP_DEFAULT_CLIENTS", "ocis")]);
    let (_, _, answer) = ask_of(unknown, &[("resource", SITE), ("platform", "desktop")]).await;
    assert_eq!(answer.get("properties"), None, "these clients are not known here");
}

#[tokio::test]
async fn the_subject_is_the_resource_byte_for_byte() {
    let resources = [
        "https://cloud.opencloud.test/",
        "https://CLOUD.opencloud.test:443/a/path?x=y%20z",
        "acct:einstein@cloud.opencloud.test",
        "acct:unknown@here@cloud.opencloud.test",
    ];
    for resource in resources {
        let (status, _, answer) = ask(&[("resource", resource)]).await;
        assert_eq!((status, &answer["subject"]), (StatusCode::OK, &json!(resource)));
        assert_eq!(answer["links"][0]["href"], SITE);
    }
}

#[tokio::test]
async fn another_host_is_not_found_and_no_resource_is_a_mistake() {
    for resource in [
        "https://evil.example",
        "https://cloud.opencloud.test.evil.example",
        "https://cloud.opencloud.test:8443",
        "http://cloud.opencloud.test",
        "https://evil.example@cloud.opencloud.test.evil.example/",
        "acct:einstein@evil.example",
        "acct:cloud.opencloud.test",
        "cloud.opencloud.test",
        "mailto:einstein@cloud.opencloud.test",
    ] {
        let (status, ..) = ask(&[("resource", resource)]).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{resource}");
    }
    let long = format!("{SITE}/{}", "x".repeat(MAX_RESOURCE));
    for asked in [&[][..], &[("resource", "")], &[("rel", ISSUER)], &[("resource", long.as_str())]] {
        let (status, ..) = ask(asked).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{asked:?}");
    }
}

#[tokio::test]
async fn only_the_relations_that_are_asked_for_are_told() {
    let (status, _, answer) = ask(&[("resource", SITE), ("rel", "http://webfinger.net/rel/avatar")]).await;
    assert_eq!((status, &answer["links"]), (StatusCode::OK, &json!([])));
    let instances = "http://webfinger.opencloud/rel/server-instance";
    let (status, _, answer) = ask(&[("resource", SITE), ("rel", instances)]).await;
    assert_eq!((status, &answer["links"]), (StatusCode::OK, &json!([])));
    let (_, _, answer) = ask(&[("resource", SITE), ("rel", "x"), ("rel", ISSUER)]).await;
    assert_eq!(answer["links"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn name_of_the_platform_wins_over_the_name_of_all() {
    let all = [("OCIS_OIDC_CLIENT_ID", "all"), ("OCIS_OIDC_CLIENT_SCOPES", "openid,all")];
    for (platform, id, scopes) in [
        ("android", "WEBFINGER_ANDROID_OIDC_CLIENT_ID", "WEBFINGER_ANDROID_OIDC_CLIENT_SCOPES"),
        ("desktop", "WEBFINGER_DESKTOP_OIDC_CLIENT_ID", "WEBFINGER_DESKTOP_OIDC_CLIENT_SCOPES"),
        ("ios", "WEBFINGER_IOS_OIDC_CLIENT_ID", "WEBFINGER_IOS_OIDC_CLIENT_SCOPES"),
        ("web", "WEBFINGER_WEB_OIDC_CLIENT_ID", "WEBFINGER_WEB_OIDC_CLIENT_SCOPES"),
    ] {
        assert_eq!(client_of(&all, platform).await, (json!("all"), json!(["openid", "all"])), "{platform}");
        let one = [all[0], all[1], (id, "one"), (scopes, "openid profile one")];
        let expected = (json!("one"), json!(["openid", "profile", "one"]));
        assert_eq!(client_of(&one, platform).await, expected, "{platform}");
    }
    let oc = [("OC_OIDC_CLIENT_ID", "all"), ("WEBFINGER_IOS_OIDC_CLIENT_SCOPES", "openid")];
    assert_eq!(client_of(&oc, "ios").await, (json!("all"), json!(["openid"])));
}

#[tokio::test]
async fn web_has_the_names_of_the_web_service_too() {
    let web = [
        ("OCIS_OIDC_CLIENT_ID", "all"),
        ("OCIS_OIDC_CLIENT_SCOPES", "openid all"),
        ("WEB_OIDC_CLIENT_ID", "browser"),
        ("WEB_OIDC_SCOPE", "openid email"),
    ];
    assert_eq!(client_of(&web, "web").await, (json!("browser"), json!(["openid", "email"])));
    assert_eq!(client_of(&web, "desktop").await.0, json!("all"));
    let own = [&web[..], &[("WEBFINGER_WEB_OIDC_CLIENT_ID", "own")]].concat();
    assert_eq!(client_of(&own, "web").await.0, json!("own"));
}

/// `docs/security-requirements.md#i61`.
#[tokio::test]
async fn foreign_issuer_has_configured_clients_alone() {
    let foreign = ("OCIS_OIDC_ISSUER", "https://login.example/realms/x/");
    let asked = [("resource", SITE), ("platform", "desktop")];
    let (_, _, answer) = ask_of(finger(&[foreign]), &asked).await;
    assert_eq!(answer["links"][0]["href"], foreign.1);
    assert_eq!(answer.get("properties"), None, "our client is none of that provider");
    let expected = (json!("f3c4"), json!(LASTING_SCOPES));
    assert_eq!(client_of(&[foreign, ("WEBFINGER_DESKTOP_OIDC_CLIENT_ID", "f3c4")], "desktop").await, expected);
    let last = [foreign, ("WEBFINGER_OIDC_ISSUER", "https://other.example")];
    assert_eq!(finger(&last).issuer, "https://other.example");

    let (status, ..) = ask_of(finger(&[foreign]), &[("resource", "https://login.example")]).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "only for this origin");
}

#[tokio::test]
async fn own_issuer_is_the_one_of_tokens_however_it_is_configured() {
    for issuer in [SITE, "https://cloud.opencloud.test/"] {
        let finger = finger(&[("OCIS_OIDC_ISSUER", issuer)]);
        assert!(finger.is_own_issuer && finger.issuer == SITE, "{issuer}");
    }
    assert_eq!(finger(&[("OCIS_OIDC_ISSUER", "https://cloud.opencloud.test/oidc")]).issuer, format!("{SITE}/oidc"));
    let none = ask_of(finger(&[("WEBFINGER_RELATIONS", "")]), &[("resource", SITE)]).await.2;
    assert_eq!(none["links"], json!([]));
}

#[test]
fn layout_cells_alone_answers_what_is_configured() {
    let cells = ("IDP_LAYOUTS", "cells");
    assert!(answering(&[cells]).is_none());
    assert!(answering(&[cells, ("OCIS_OIDC_ISSUER", "https://cloud.opencloud.test/oidc")]).is_none());
    let named = answering(&[cells, ("WEBFINGER_IOS_OIDC_CLIENT_ID", "f3c4")]).expect("it answers");
    assert_eq!(named.issuer, format!("{SITE}/oidc"));
    assert!(answering(&[cells, ("OCIS_OIDC_ISSUER", "https://login.example")]).is_some());
}

proptest! {
    #[test]
    fn only_what_names_this_host_is_here(resource in ".{0,60}") {
        let origin = Origin::of_site(SITE).expect("an origin");
        let here = origin.has(&resource);
        prop_assert!(!here || resource.to_ascii_lowercase().contains("cloud.opencloud.test"));
    }
}
