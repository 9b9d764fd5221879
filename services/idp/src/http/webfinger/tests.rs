use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use proptest::prelude::*;
use tower::ServiceExt;

use super::*;

const SITE: &str = "https://cloud.opencloud.test";

fn finger(knows_clients: bool) -> Finger {
    Finger { issuer: SITE.to_owned(), origin: Origin::of_site(SITE), knows_clients }
}

async fn ask_of(finger: Finger, parameters: &[(&str, &str)]) -> (StatusCode, HeaderMap, Value) {
    let query: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let request = Request::get(format!("{}?{query}", page::WEBFINGER)).body(Body::empty()).expect("a request");
    let (parts, body) = routes(finger).oneshot(request).await.expect("answers").into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    (parts.status, parts.headers, serde_json::from_slice(&body).unwrap_or_default())
}

async fn ask(parameters: &[(&str, &str)]) -> (StatusCode, HeaderMap, Value) {
    ask_of(finger(true), parameters).await
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
    let (_, _, answer) = ask_of(finger(false), &[("resource", SITE), ("platform", "desktop")]).await;
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
    let (_, _, answer) = ask(&[("resource", SITE), ("rel", "x"), ("rel", ISSUER)]).await;
    assert_eq!(answer["links"].as_array().map(Vec::len), Some(1));
}

proptest! {
    #[test]
    fn only_what_names_this_host_is_here(resource in ".{0,60}") {
        let origin = Origin::of_site(SITE).expect("an origin");
        let here = origin.has(&resource);
        prop_assert!(!here || resource.to_ascii_lowercase().contains("cloud.opencloud.test"));
    }
}
