use config::Environment;
use http::header::{ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::{HeaderMap, HeaderName};
use runtime::Context;

use super::*;
use crate::config::{Config, ProxyYaml};
use crate::route_metrics::Metrics;
use crate::{routes_file, routing_file};

/// The routes of an OpenCloud that the documentation offers.
const DEPLOYED: &str = include_str!("../../../../deploy/opencloud/routes.yaml");

#[test]
fn only_an_unprotected_route_for_the_path_of_the_metadata_leaves_it_to_its_backend() {
    for (route, is_left) in [
        ("path: /.well-known/oauth-protected-resource", true),
        ("path: /.well-known", true),
        (r"regex: '/\.well-known/.+'", true),
        ("path: /", false),
        ("host: own.example", false),
        ("host: own.example, path: /", false),
        ("regex: '/.*'", false),
        ("regex: '/.+'", false),
    ] {
        for unprotected in [true, false] {
            let text = format!("routes: [{{ {route}, backend: 'http://a', unprotected: {unprotected} }}]");
            let routes = routes_file::parse(&text).expect("routes").routes;
            assert_eq!(is_of_backend(&routes[0]), is_left && unprotected, "{text}");
        }
    }
}

/// Row [E62](../../../../docs/security-requirements.md#e62).
#[test]
fn scripts_of_every_site_may_read_the_metadata_with_headers_of_their_own() {
    let document = Bytes::from_static(b"{}");
    let respond = |method: Method, headers: &[(HeaderName, &'static str)]| {
        let mut request = Request::default();
        *request.method_mut() = method;
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        request.headers_mut().extend(headers);
        super::respond(&request, document.clone()).into_parts().0
    };
    let preflight = [
        (ORIGIN, "https://app.example"),
        (ACCESS_CONTROL_REQUEST_METHOD, "GET"),
        (ACCESS_CONTROL_REQUEST_HEADERS, "mcp-protocol-version"),
    ];
    let granted = respond(Method::OPTIONS, &preflight);
    assert_eq!(granted.status, StatusCode::NO_CONTENT);
    assert_eq!(granted.headers[ACCESS_CONTROL_ALLOW_METHODS], METHODS);
    assert_eq!(granted.headers[ACCESS_CONTROL_ALLOW_HEADERS], "*, Authorization");
    let read = respond(Method::GET, &preflight[..1]);
    assert_eq!(read.status, StatusCode::OK);
    for answer in [granted, read] {
        assert_eq!(answer.headers[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert!(!answer.headers.contains_key("access-control-allow-credentials"), "{answer:?}");
    }
    for headers in [&preflight[..1], &preflight[1..], &[]] {
        assert_eq!(respond(Method::OPTIONS, headers).status, StatusCode::METHOD_NOT_ALLOWED, "{headers:?}");
    }
}

/// The route of their web client takes every path, and needs no credential.
#[tokio::test]
async fn metadata_is_published_before_the_web_client_of_an_ocis_or_opencloud() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("writes");
        file
    };
    let notes = "routes:\n  - { path: /notes, backend: 'http://notes.example', protected_resource: {} }\n";
    let deployed = written("deployed.yaml", &DEPLOYED.replacen("routes:\n", notes, 1));
    let (notes, policies) = (written("notes.yaml", notes), written("proxy.yaml", "additional_policies: []\n"));
    for (routes_file, file, default_policies) in
        [(&deployed, None, "opencloud"), (&notes, Some(&policies), "opencloud"), (&notes, Some(&policies), "ocis")]
    {
        let proxy_yaml =
            ProxyYaml { file: file.cloned(), default_policies: default_policies.to_owned(), ..::config::defaults() };
        let (url, issuer) = ("https://cloud.example".to_owned(), "https://cloud.example".to_owned());
        let config = Config { url, issuer, routes_file: Some(routes_file.clone()), proxy_yaml, ..Config::default() };
        let context = Context::new(Environment::default());
        let routing = routing_file::follow(&config, Metrics::new(&context.metrics), &context).expect("valid files");
        let routing = routing.current();
        let is_published = |path: &str| {
            let (method, headers) = (Method::GET, HeaderMap::new());
            let (path, is_https, query) = (Path::parse(path, Leniency::default()).expect("a path"), true, None);
            let (host, source) = ("cloud.example", None);
            let info = RequestInfo { method: &method, is_https, host, path: &path, query, headers: &headers, source };
            assert!(routing.route(&info).is_some_and(|(route, _)| route.unprotected), "the web client's route fits");
            published(&routing, &info).is_some()
        };
        for (path, expected) in [("", true), ("/notes", true), ("/other", false)] {
            assert_eq!(is_published(&format!("{PATH}{path}")), expected, "{default_policies} {file:?} {path}");
        }
    }
}
