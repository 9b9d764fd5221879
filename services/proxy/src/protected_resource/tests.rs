use std::sync::LazyLock;

use authn::app_token;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, Method};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::config::Config;
use crate::path::{Leniency, Path};
use crate::routes_file;

const ROUTES: &str = r"
routes:
  - { path: /notes, backend: 'http://a', protected_resource: { name: Notes, scopes: [openid, 'path:/notes:rw'] } }
  - { path: /open, backend: 'http://a', protected_resource: { audience: any } }
  - { host: wiki.example, path: /, backend: 'http://a' }
  - { host: Own.example, path: /api/, backend: 'http://a', protected_resource: {} }
  - { host: mcp.example, backend: 'http://a', protected_resource: {} }
  - { host: free.example, backend: 'http://a', unprotected: true }
  - { path: /, backend: 'http://a' }
";
const SITE: &str = "https://cloud.example:8443";

fn resources(change: impl FnOnce(&mut Config)) -> Resources {
    resources_of(ROUTES, change)
}

fn resources_of(routes: &str, change: impl FnOnce(&mut Config)) -> Resources {
    let (url, issuer) = (SITE.to_owned(), "https://login.example/".to_owned());
    let mut config = Config { url, issuer, ..Config::default() };
    change(&mut config);
    Publisher::new(&config).resources(routes_file::parse(routes).expect("routes").routes.iter())
}

/// Calls `then` with a request.
fn with<T>(
    (method, host, path): (&str, &str, &str),
    headers: &[(HeaderName, &str)],
    then: impl FnOnce(&RequestInfo<'_>) -> T,
) -> T {
    let headers: HeaderMap =
        headers.iter().map(|(name, value)| (name.clone(), value.parse().expect("a header"))).collect();
    let path = Path::parse(path, Leniency::default()).expect("a path");
    let method: Method = method.parse().expect("a method");
    let (path, headers, method) = (&path, &headers, &method);
    then(&RequestInfo { method, is_https: true, host, path, query: None, headers, source: None })
}

fn document(resources: &Resources, host: &str, path: &str) -> Option<Value> {
    let text = resources.document(host, path)?;
    Some(serde_json::from_slice(&text).expect("JSON"))
}

#[test]
fn each_resource_has_its_metadata_at_its_own_path() {
    let resources = resources(|_| ());
    let here = document(&resources, "cloud.example:8443", PATH);
    let expected = json!({
        "resource": SITE,
        "authorization_servers": ["https://login.example/"],
        "scopes_supported": ["openid", "profile"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Doorward",
    });
    assert_eq!(here, Some(expected));
    let notes = document(&resources, "CLOUD.example.", &format!("{PATH}/notes")).expect("a document");
    assert_eq!(notes["resource"], format!("{SITE}/notes"));
    assert_eq!(notes["resource_name"], "Notes");
    assert_eq!(notes["scopes_supported"], json!(["openid", "path:/notes:rw"]));
    for (host, path, resource) in [
        ("cloud.example", "/open", "https://cloud.example:8443/open"),
        ("wiki.example", "", "https://wiki.example:8443"),
        ("own.example", "/api", "https://own.example:8443/api"),
        ("own.example", "", "https://own.example:8443"),
        ("mcp.example", "", "https://mcp.example:8443"),
    ] {
        let found = document(&resources, host, &format!("{PATH}{path}")).expect("a document");
        assert_eq!(found["resource"], resource, "{host} {path}");
    }
    for (host, path) in [
        ("cloud.example", "/"),
        ("cloud.example", "/notes/"),
        ("cloud.example", "/notes/a"),
        ("cloud.example", "/other"),
        ("cloud.example", "s"),
        ("wiki.example", "/notes"),
        ("free.example", ""),
        ("evil.example", ""),
        ("evil.example", "/notes"),
    ] {
        assert_eq!(resources.document(host, &format!("{PATH}{path}")), None, "{host} {path}");
    }
}

/// Row [E60](../../../../docs/security-requirements.md#e60).
#[test]
fn url_of_the_metadata_is_that_of_a_setting() {
    let resources = resources(|_| ());
    let url =
        |host: &str, path: &str| with(("GET", host, path), &[], |info| resources.metadata_url(info).map(str::to_owned));
    let expected = |origin: &str, path: &str| Some(format!("{origin}{PATH}{path}"));
    for host in ["cloud.example", "cloud.example:8443", "Cloud.Example.:1"] {
        assert_eq!(url(host, "/a"), expected(SITE, ""), "{host}");
        assert_eq!(url(host, "/notes/a"), expected(SITE, "/notes"), "{host}");
        assert_eq!(url(host, "/notesbook"), expected(SITE, ""), "{host}");
    }
    assert_eq!(url("wiki.example", "/a"), expected("https://wiki.example:8443", ""));
    assert_eq!(url("own.example:1", "/api/x"), expected("https://own.example:8443", "/api"));
    for (host, path) in [("evil.example", "/a"), ("evil.example", "/notes"), ("free.example", "/a")] {
        assert_eq!(url(host, path), None, "{host}{path}");
    }
}

#[test]
fn scopes_to_ask_for_are_those_of_the_metadata() {
    let on = resources(|config| config.protected_resource.scopes = vec!["openid".into(), "email".into()]);
    for (host, path, expected) in [
        ("cloud.example", "/notes/a", &["openid", "path:/notes:rw"][..]),
        ("evil.example", "/notes/a", &["openid", "path:/notes:rw"]),
        ("cloud.example", "/open", &["openid", "email"]),
        ("mcp.example", "/a", &["openid", "email"]),
        ("wiki.example", "/a", &["openid", "email"]),
        ("free.example", "/a", &[]),
    ] {
        assert_eq!(with(("POST", host, path), &[], |info| on.scopes(info).to_vec()), expected, "{host}{path}");
    }
    let off = resources(|config| config.protected_resource.metadata = false);
    assert!(with(("POST", "cloud.example", "/notes"), &[], |info| off.scopes(info).is_empty()));
}

/// Row [E62](../../../../docs/security-requirements.md#e62).
#[test]
fn only_a_resource_that_a_route_names_has_refusals_for_scripts() {
    let on = resources(|_| ());
    for (host, path, expected) in [
        ("cloud.example", "/notes", true),
        ("cloud.example", "/notes/a", true),
        ("cloud.example", "/open", true),
        ("own.example", "/api/a", true),
        ("mcp.example", "/a", true),
        ("cloud.example", "/a", false),
        ("cloud.example", "/notesbook", false),
        ("own.example", "/a", false),
        ("wiki.example", "/a", false),
        ("free.example", "/a", false),
        ("evil.example", "/a", false),
    ] {
        assert_eq!(with(("POST", host, path), &[], |info| on.has_named(info)), expected, "{host}{path}");
    }
    let off = resources(|config| config.protected_resource.metadata = false);
    assert!(!with(("POST", "cloud.example", "/notes"), &[], |info| off.has_named(info)));
}

#[test]
fn nothing_is_published_without_an_issuer_or_where_it_is_off() {
    let without_issuer = resources(|config| config.issuer.clear());
    let off = resources(|config| config.protected_resource.metadata = false);
    for resources in [without_issuer, off] {
        assert_eq!(resources.document("cloud.example", PATH), None);
        assert!(with(("GET", "cloud.example", "/a"), &[], |info| resources.metadata_url(info).is_none()));
        let foreign = bearer(&json!({ "aud": SITE }));
        assert!(!accepts(&resources, ("GET", "cloud.example", "/notes"), &foreign), "tokens are compared nevertheless");
    }
}

fn bearer(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("Bearer {}.{}.c2ln", part(&json!({ "alg": "ES256" })), part(claims))
}

fn accepts(resources: &Resources, request: (&str, &str, &str), authorization: &str) -> bool {
    with(request, &[(AUTHORIZATION, authorization)], |info| resources.accept(info))
}

/// Row [E61](../../../../docs/security-requirements.md#e61).
#[test]
fn access_token_counts_at_a_named_resource_only_if_it_was_issued_for_it() {
    let resources = resources(|_| ());
    let notes = format!("{SITE}/notes");
    let for_notes = bearer(&json!({ "aud": ["https://login.example/", notes] }));
    let for_site = bearer(&json!({ "aud": SITE }));
    for (host, path) in [("cloud.example", "/notes"), ("cloud.example", "/notes/a"), ("evil.example", "/notes/a")] {
        let request = ("POST", host, path);
        assert!(accepts(&resources, request, &for_notes), "{host}{path}");
        let slash = bearer(&json!({ "aud": format!("{notes}/") }));
        let indexed = bearer(&json!({ "aud": { "0": notes } }));
        for other in [&for_site, &slash, &indexed, &bearer(&json!({})), "Bearer opaque"] {
            assert!(!accepts(&resources, request, other), "{host}{path}: {other}");
        }
        let app_token = format!("Bearer {}x", app_token::PREFIX);
        for unconcerned in [&*app_token, "Basic YTpi"] {
            assert!(accepts(&resources, request, unconcerned), "{host}{path}: {unconcerned}");
        }
        assert!(with(request, &[], |info| resources.accept(info)), "a browser session");
    }
    for (host, path) in [("cloud.example", "/open/a"), ("cloud.example", "/a"), ("cloud.example", "/notesbook")] {
        assert!(accepts(&resources, ("GET", host, path), &for_site), "{host}{path}");
    }
    let own = bearer(&json!({ "aud": "https://own.example:8443/api" }));
    assert!(accepts(&resources, ("GET", "own.example", "/api/a"), &own));
    assert!(!accepts(&resources, ("GET", "own.example", "/api/a"), &for_notes));
}

/// The SDKs of MCP ask for `https://mcp.example/` where the metadata says `https://mcp.example`.
///
/// Row [E61](../../../../docs/security-requirements.md#e61).
#[test]
fn resource_without_a_path_is_named_with_or_without_a_slash() {
    let resources = resources(|_| ());
    for (audience, is_accepted) in [
        ("https://mcp.example:8443", true),
        ("https://mcp.example:8443/", true),
        ("https://mcp.example:8443//", false),
        ("https://mcp.example:8443/a", false),
        ("https://mcp.example", false),
        ("https://mcp.example/", false),
        ("https://cloud.example:8443/", false),
        ("/", false),
    ] {
        let token = bearer(&json!({ "aud": ["notes-app", audience] }));
        for path in ["/", "/a"] {
            assert_eq!(accepts(&resources, ("POST", "mcp.example", path), &token), is_accepted, "{audience} {path}");
        }
    }
}

/// Row [E61](../../../../docs/security-requirements.md#e61).
#[test]
fn access_token_for_a_named_resource_counts_nowhere_else() {
    const SIGNING_KEY: &str = "/ocs/v1.php/cloud/user/signing-key";
    let resources = resources(|_| ());
    let here = |path: &str| format!("{SITE}{path}");
    let (notes, own) = (here("/notes"), "https://own.example:8443/api".to_owned());
    let mcp = || "https://mcp.example:8443".to_owned();
    for (audiences, host, path, is_accepted) in [
        (vec![notes.clone()], "cloud.example", "/notes", true),
        (vec![notes.clone()], "cloud.example", "/a", false),
        (vec![notes.clone()], "cloud.example", SIGNING_KEY, false),
        (vec![notes.clone()], "cloud.example", "/open/a", false),
        (vec![notes.clone()], "wiki.example", "/a", false),
        (vec![notes.clone()], "evil.example", "/a", false),
        (vec![notes.clone()], "own.example", "/api/a", false),
        // it was issued for others too
        (vec![notes.clone(), own.clone()], "own.example", "/api/a", true),
        (vec![notes.clone(), own], "cloud.example", "/a", false),
        (vec![notes.clone(), here("")], "cloud.example", "/a", true),
        (vec![notes.clone(), here("/")], "cloud.example", "/a", true),
        (vec![notes.clone(), here("")], "wiki.example", "/a", false),
        // what Doorward answers at every host belongs to the site
        (vec![mcp()], "mcp.example", "/a", true),
        (vec![mcp()], "mcp.example", "/auth-app", false),
        (vec![mcp()], "mcp.example", "/auth-app/tokens", false),
        (vec![mcp()], "mcp.example", "/auth-application", true),
        (vec![mcp()], "mcp.example", SIGNING_KEY, false),
        (vec![mcp(), here("")], "cloud.example", "/auth-app/tokens", true),
        (vec![mcp(), here("")], "cloud.example", SIGNING_KEY, true),
        (vec![here("")], "mcp.example", "/auth-app/tokens", false),
        (vec![notes, here("/open")], "cloud.example", "/open/a", true),
        // it was issued for none that needs that
        (vec![here("/open")], "cloud.example", "/a", true),
        (vec![here("/notes/a")], "cloud.example", "/a", true),
        (vec!["https://partner.example".to_owned()], "cloud.example", "/a", true),
        (vec![], "cloud.example", "/a", true),
    ] {
        let audience = [&["notes-app".to_owned()][..], &audiences[..]].concat();
        let token = bearer(&json!({ "aud": audience }));
        assert_eq!(accepts(&resources, ("GET", host, path), &token), is_accepted, "{audiences:?} {host}{path}");
    }
    for (audience, is_confined) in [(here("/notes"), true), (here("/open"), false), (here(""), false)] {
        let token = bearer(&json!({ "aud": ["notes-app", audience] }));
        let token = token.strip_prefix("Bearer ").expect("a bearer token");
        assert_eq!(resources.is_confined(token), is_confined, "{audience}");
    }
    assert!(!resources.is_confined("opaque"));
    let (ocs, resources) = (bearer(&json!({ "aud": here("/ocs") })), in_order("path: /ocs, NEEDS | path: /"));
    assert!(accepts(&resources, ("GET", "cloud.example", "/ocs/v1.php/config"), &ocs));
    assert!(!accepts(&resources, ("GET", "cloud.example", SIGNING_KEY), &ocs));
}

/// Routes between `|`, in short.
fn in_order(routes: &str) -> Resources {
    let routes =
        routes.replace("NEEDS", "protected_resource: {}").replace("ANY", "protected_resource: { audience: any }");
    let lines: Vec<_> = routes.split('|').map(|route| format!("  - {{ backend: 'http://a', {route} }}\n")).collect();
    resources_of(&format!("routes:\n{}", lines.concat()), |_| ())
}

/// Row [E61](../../../../docs/security-requirements.md#e61).
#[test]
fn resource_of_a_request_is_that_of_the_route_that_takes_it() {
    const NOTES: &str = "https://cloud.example:8443/notes";
    for (routes, host, path, audience) in [
        // the route of the wiki takes everything there
        ("host: wiki.example | path: /notes, NEEDS", "wiki.example", "/notes/a", None),
        ("host: wiki.example, path: / | path: /notes, NEEDS", "wiki.example", "/notes/a", None),
        ("host: wiki.example | path: /notes, NEEDS", "cloud.example", "/notes/a", Some(NOTES)),
        ("path: /notes, NEEDS | host: wiki.example", "wiki.example", "/notes/a", Some(NOTES)),
        ("host: wiki.example, methods: [GET] | path: /notes, NEEDS", "wiki.example", "/notes", Some(NOTES)),
        ("host: wiki.example, path: /a | path: /notes, NEEDS", "wiki.example", "/notes", Some(NOTES)),
        // of two resources, that of the first route
        ("host: mcp.example, NEEDS | path: /notes, ANY", "mcp.example", "/notes", Some("https://mcp.example:8443")),
        ("path: /notes, ANY | host: mcp.example, NEEDS", "mcp.example", "/notes", None),
        ("path: /notes, NEEDS | path: /notes/a, ANY", "cloud.example", "/notes/a", Some(NOTES)),
        ("path: /notes/a, ANY | path: /notes, NEEDS", "cloud.example", "/notes/a", None),
        ("path: /notes, methods: [GET], ANY | path: /notes, NEEDS", "cloud.example", "/notes", Some(NOTES)),
        // a route that takes other requests does not hide that of a later route
        ("host: mcp.example, methods: [GET], ANY | path: /notes, NEEDS", "mcp.example", "/notes/a", Some(NOTES)),
        ("host: mcp.example, methods: [POST], ANY | path: /notes, NEEDS", "mcp.example", "/notes/a", None),
        ("host: mcp.example, query: { a: b }, ANY | path: /notes, NEEDS", "mcp.example", "/notes", Some(NOTES)),
        ("path: /notes/a, methods: [GET], ANY | path: /notes, NEEDS", "cloud.example", "/notes/a", Some(NOTES)),
        ("path: /notes/a/, ANY | path: /notes, NEEDS", "cloud.example", "/notes/a", Some(NOTES)),
        ("path: /notes/a/, ANY | path: /notes, NEEDS", "cloud.example", "/notes/a/b", None),
        (
            "path: /notes/a, methods: [GET], ANY | path: /notes, NEEDS | path: /notes/a, ANY",
            "cloud.example",
            "/notes/a",
            Some(NOTES),
        ),
    ] {
        let (resources, request) = (in_order(routes), ("POST", host, path));
        let for_none = bearer(&json!({ "aud": "notes-app" }));
        assert_eq!(accepts(&resources, request, &for_none), audience.is_none(), "{routes}: {host}{path}");
        let for_it = bearer(&json!({ "aud": audience }));
        assert!(accepts(&resources, request, &for_it), "{routes}: {host}{path}");
    }
    let resources = in_order("host: wiki.example | path: /notes, NEEDS");
    let url = with(("GET", "wiki.example", "/notes/a"), &[], |info| resources.metadata_url(info).map(str::to_owned));
    assert_eq!(url, Some(format!("https://wiki.example:8443{PATH}")));
}

/// A route without the key, or for other requests, serves what the routes of a resource do not take.
///
/// Row [E61](../../../../docs/security-requirements.md#e61).
#[test]
fn token_for_a_resource_counts_for_the_requests_of_its_routes_alone() {
    const TWO: &str = "path: /notes, methods: [GET, MOVE], NEEDS | path: /notes, methods: [POST], NEEDS | path: /";
    const BELOW: &str = "path: /notes/, NEEDS | path: /";
    const HOST: &str = "host: mcp.example, methods: [GET], NEEDS | path: /";
    const THEN: &str = "host: mcp.example, methods: [GET], NEEDS | path: /notes, NEEDS";
    let (notes, mcp) = (format!("{SITE}/notes"), "https://mcp.example:8443".to_owned());
    for (routes, audiences, (method, host, path), is_accepted) in [
        (TWO, vec![&notes], ("GET", "cloud.example", "/notes/a"), true),
        (TWO, vec![&notes], ("POST", "cloud.example", "/notes/a"), true),
        (TWO, vec![&notes], ("PUT", "cloud.example", "/notes/a"), false),
        (BELOW, vec![&notes], ("GET", "cloud.example", "/notes/a"), true),
        (BELOW, vec![&notes], ("GET", "cloud.example", "/notes"), false),
        (HOST, vec![&mcp], ("GET", "mcp.example", "/dav"), true),
        (HOST, vec![&mcp], ("PUT", "mcp.example", "/dav"), false),
        (THEN, vec![&mcp], ("GET", "mcp.example", "/notes"), true),
        (THEN, vec![&mcp], ("PUT", "mcp.example", "/notes"), false),
        (THEN, vec![&mcp, &notes], ("PUT", "mcp.example", "/notes"), true),
    ] {
        let token = bearer(&json!({ "aud": audiences }));
        let accepted = accepts(&in_order(routes), (method, host, path), &token);
        assert_eq!(accepted, is_accepted, "{routes}: {audiences:?} {method} {host}{path}");
    }
    let (token, destination) = (bearer(&json!({ "aud": notes })), HeaderName::from_static("destination"));
    let headers = [(AUTHORIZATION, token.as_str()), (destination, "/notes/b")];
    let resources = in_order(TWO);
    assert!(with(("MOVE", "cloud.example", "/notes/a"), &headers, |info| resources.accept(info)));
}

/// Row [E61](../../../../docs/security-requirements.md#e61).
#[test]
fn destination_of_a_move_needs_a_token_for_its_resource_too() {
    let resources = resources(|_| ());
    let destination = HeaderName::from_static("destination");
    let moves = |claims: &Value, destination_path: &str| {
        let (authorization, request) = (bearer(claims), ("MOVE", "cloud.example", "/a"));
        let headers = [(AUTHORIZATION, authorization.as_str()), (destination.clone(), destination_path)];
        with(request, &headers, |info| resources.accept(info))
    };
    let notes = format!("{SITE}/notes");
    let (for_site, for_notes, for_both) =
        (json!({ "aud": SITE }), json!({ "aud": notes }), json!({ "aud": [SITE, notes] }));
    assert!(moves(&for_site, "/b") && moves(&for_both, "/notes/b"));
    assert!(!moves(&for_notes, "/notes/b"), "what it moves is elsewhere");
    for elsewhere in ["/notes/b", "https://cloud.example/notes/b", "https://evil.example/notes/b"] {
        assert!(!moves(&for_site, elsewhere), "{elsewhere}");
    }
}

/// Row [E61](../../../../docs/security-requirements.md#e61).
#[test]
fn resource_of_a_site_without_a_valid_url_takes_no_access_token() {
    let resources = resources(|config| config.url = "https://[".to_owned());
    assert!(!accepts(&resources, ("GET", "cloud.example", "/notes"), &bearer(&json!({ "aud": "/notes" }))));
    assert_eq!(resources.document("cloud.example", PATH), None);
}

static RESOURCES: LazyLock<Resources> = LazyLock::new(|| resources(|_| ()));

proptest! {
    /// Row [E60](../../../../docs/security-requirements.md#e60).
    #[test]
    fn no_other_path_has_a_document(
        parts in prop::collection::vec(prop::sample::select(vec![
            PATH, "/.well-known", "/oauth-protected-resource", "/notes", "/open", "/", "..", "%2f", "%2e%2e", "..%2f", ";", "%00", "\\",
        ]), 0..6),
    ) {
        let path = parts.concat();
        if let Some(found) = document(&RESOURCES, "cloud.example", &path) {
            let rest = path.strip_prefix(PATH).expect("the path of metadata");
            prop_assert!(["", "/notes", "/open"].contains(&rest), "{}", path);
            prop_assert_eq!(&found["resource"], &json!(format!("{SITE}{rest}")));
        }
    }
}
