use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS, VARY,
};
use http::request::Builder;
use http::{HeaderMap, StatusCode};
use tower::ServiceExt;

use super::*;
use crate::testing::Recorder;

const GOOD: &str = "https://good.example";

fn cors(origins: &[&str], allow_credentials: bool) -> Cors {
    let allow_origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
    Cors { allow_origins, allow_credentials, ..Cors::default() }
}

/// A router whose handlers say that they were reached.
fn router(cors: &Cors) -> Router {
    let reached = async || ([(VARY, "accept")], "reached").into_response();
    let router = Router::new().route("/tokens", get(reached)).route("/files", any(reached));
    Pages::of(cors).open(router.layer(DefaultBodyLimit::max(1024)), "echo")
}

async fn answer(cors: &Cors, request: Builder) -> (StatusCode, HeaderMap, String) {
    let request = request.body(Body::empty()).expect("a request");
    let (parts, body) = router(cors).oneshot(request).await.expect("cannot fail").into_parts();
    let body = axum::body::to_bytes(body, 1024).await.expect("a body");
    (parts.status, parts.headers, String::from_utf8(body.into()).expect("UTF-8"))
}

/// The headers of the answer to a GET from there.
async fn got(cors: &Cors, origin: &str) -> HeaderMap {
    let (status, headers, body) = answer(cors, Request::get("/tokens").header(ORIGIN, origin)).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "reached"), "whoever asks is served");
    headers
}

/// The headers of the answer to a preflight, which reaches no handler.
async fn preflight(cors: &Cors, origin: &str, method: &str) -> HeaderMap {
    let request = Request::options("/files")
        .header(ORIGIN, origin)
        .header(ACCESS_CONTROL_REQUEST_METHOD, method)
        .header(ACCESS_CONTROL_REQUEST_HEADERS, "authorization,x-made-up");
    let (status, headers, body) = answer(cors, request).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, ""));
    headers
}

fn text(headers: &HeaderMap, name: &HeaderName) -> String {
    let values: Vec<_> = headers.get_all(name).iter().map(|value| value.to_str().expect("ASCII")).collect();
    values.join(", ")
}

#[tokio::test]
async fn all_origins_are_answered_without_credentials() {
    for cors in [Cors::default(), cors(&["*"], false), cors(&[GOOD, "*"], true)] {
        for origin in [GOOD, "https://evil.example", "null"] {
            for headers in [got(&cors, origin).await, preflight(&cors, origin, "GET").await] {
                assert_eq!(text(&headers, &ACCESS_CONTROL_ALLOW_ORIGIN), "*");
                assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
            }
        }
    }
}

#[tokio::test]
async fn named_origins_get_credentials_where_they_are_allowed() {
    for (allowed, expected) in [(true, "true"), (false, "")] {
        let cors = cors(&["http://localhost:3000", GOOD], allowed);
        for headers in [got(&cors, GOOD).await, preflight(&cors, GOOD, "GET").await] {
            assert_eq!(text(&headers, &ACCESS_CONTROL_ALLOW_ORIGIN), GOOD);
            assert_eq!(text(&headers, &ACCESS_CONTROL_ALLOW_CREDENTIALS), expected);
            assert!(text(&headers, &VARY).contains("origin"), "{headers:?}");
        }
    }
    let vary = text(&got(&cors(&[GOOD], true), GOOD).await, &VARY);
    assert!(vary.contains("accept") && vary.contains("origin"), "the handler's own stays: {vary}");
}

#[tokio::test]
async fn others_get_nothing_and_caches_are_told() {
    let cors = cors(&[GOOD], true);
    for origin in [
        "null",
        "https://good.example.evil",
        "https://evil.example",
        "https://evilgood.example",
        "https://sub.good.example",
        "http://good.example",
        "https://good.example:8443",
        "https://good.example/",
        "https://GOOD.example",
        "*",
        "",
    ] {
        for headers in [got(&cors, origin).await, preflight(&cors, origin, "GET").await] {
            assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN), "{origin}");
            assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS), "{origin}");
            assert!(text(&headers, &VARY).contains("origin"), "{origin}");
        }
    }
    let (_, headers, _) = answer(&cors, Request::get("/tokens")).await;
    assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) && text(&headers, &VARY).contains("origin"));
}

#[tokio::test]
async fn preflights_tell_methods_and_headers() {
    let headers = preflight(&Cors::default(), GOOD, "DELETE").await;
    assert_eq!(text(&headers, &ACCESS_CONTROL_ALLOW_METHODS), "GET,POST,DELETE");
    assert_eq!(
        text(&headers, &ACCESS_CONTROL_ALLOW_HEADERS),
        "authorization,origin,content-type,accept,x-requested-with,x-request-id,ocs-apirequest"
    );
    let any = || vec!["*".to_owned()];
    for cors in [cors(&["*"], true), cors(&[GOOD], true), cors(&[GOOD], false)] {
        let headers = preflight(&Cors { allow_methods: any(), allow_headers: any(), ..cors }, GOOD, "PROPFIND").await;
        assert_eq!(text(&headers, &ACCESS_CONTROL_ALLOW_METHODS), "PROPFIND");
        assert_eq!(text(&headers, &ACCESS_CONTROL_ALLOW_HEADERS), "authorization,x-made-up");
        let vary = text(&headers, &VARY);
        assert!(vary.contains("access-control-request-method, access-control-request-headers"), "{vary}");
    }
}

#[tokio::test]
async fn pages_may_read_links_locations_and_ids() {
    let headers = got(&Cors::default(), GOOD).await;
    assert_eq!(text(&headers, &ACCESS_CONTROL_EXPOSE_HEADERS), "link,location,x-request-id");
}

#[tokio::test]
async fn a_router_may_grant_more_than_the_configuration_and_never_credentials() {
    let pages = Pages::of(&cors(&[GOOD], true))
        .without_credentials()
        .may_use([Method::PUT])
        .may_send([HeaderName::from_static("dpop")])
        .may_read([HeaderName::from_static("dpop-nonce")]);
    let router = pages.open(Router::new().route("/token", any(async || "reached")), "echo");
    let request = Request::options("/token").header(ORIGIN, GOOD).header(ACCESS_CONTROL_REQUEST_METHOD, "PUT");
    let request = request.body(Body::empty()).expect("a request");
    let headers = router.clone().oneshot(request).await.expect("cannot fail").into_parts().0.headers;
    assert_eq!(text(&headers, &ACCESS_CONTROL_ALLOW_METHODS), "GET,POST,DELETE,PUT");
    assert!(text(&headers, &ACCESS_CONTROL_ALLOW_HEADERS).ends_with(",dpop"));
    assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
    let request = Request::get("/token").header(ORIGIN, GOOD).body(Body::empty()).expect("a request");
    let headers = router.oneshot(request).await.expect("cannot fail").into_parts().0.headers;
    assert_eq!(text(&headers, &ACCESS_CONTROL_EXPOSE_HEADERS), "link,location,x-request-id,dpop-nonce");
    assert_eq!(text(&headers, &ACCESS_CONTROL_ALLOW_ORIGIN), GOOD);
    assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
}

#[tokio::test]
async fn refusals_of_the_router_are_readable_too() {
    let cors = cors(&[GOOD], true);
    for (request, expected) in [
        (Request::get("/nothing"), StatusCode::NOT_FOUND),
        (Request::delete("/tokens"), StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let (status, headers, _) = answer(&cors, request.header(ORIGIN, GOOD)).await;
        assert_eq!((status, text(&headers, &ACCESS_CONTROL_ALLOW_ORIGIN).as_str()), (expected, GOOD));
    }
}

#[tokio::test]
async fn an_options_that_is_no_preflight_is_the_handlers() {
    for cors in [Cors::default(), cors(&[GOOD], true)] {
        let (_, _, body) = answer(&cors, Request::options("/files")).await;
        assert_eq!(body, "reached");
        let (_, _, body) = answer(&cors, Request::options("/files").header(ORIGIN, GOOD)).await;
        assert_eq!(body, "reached");
        let (status, ..) = answer(&cors, Request::options("/tokens")).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[tokio::test]
async fn without_origins_it_is_off() {
    let cors = cors(&[], true);
    let headers = got(&cors, GOOD).await;
    assert_eq!(text(&headers, &VARY), "accept");
    let request = Request::options("/files").header(ORIGIN, GOOD).header(ACCESS_CONTROL_REQUEST_METHOD, "GET");
    let (_, headers, body) = answer(&cors, request).await;
    assert_eq!(body, "reached");
    assert!(headers.keys().all(|name| !name.as_str().starts_with("access-control-")), "{headers:?}");
}

#[tokio::test]
async fn that_credentials_are_left_out_is_said_once() {
    let (recorder, _guard) = Recorder::here();
    let router = router(&Cors::default());
    for _ in 0..2 {
        let request = Request::get("/tokens").header(ORIGIN, GOOD).body(Body::empty()).expect("a request");
        router.clone().oneshot(request).await.expect("cannot fail");
    }
    let said = recorder.values("message");
    assert!(said.len() == 1 && said[0].contains("OCIS_CORS_ALLOW_ORIGINS"), "{said:?}");

    let (recorder, _guard) = Recorder::here();
    for quiet in [cors(&["*"], false), cors(&[GOOD], true), cors(&[], true)] {
        drop(self::router(&quiet));
    }
    assert_eq!(recorder.values("message"), Vec::<String>::new());
}
