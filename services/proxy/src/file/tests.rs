use http::HeaderMap;

use super::*;
use crate::asked::Asked;
use crate::path::{Leniency, Path};

fn problem(text: &str) -> String {
    parse(text).map(|contents| format!("{contents:?}")).expect_err(text)
}

fn action(rules: &Rules, method: &str, target: &str, source: &str) -> &'static str {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let (path, method) = (Path::parse(path, Leniency::default()).expect("a path"), method.parse().expect("a method"));
    let (headers, source) = (HeaderMap::new(), source.parse().ok());
    let asked =
        Asked { method: &method, is_https: true, host: "A.example:1", path: &path, query, headers: &headers, source };
    match rules.action(&asked) {
        Some(Action::Allow) => "allow",
        Some(Action::Deny) => "deny",
        Some(Action::Authenticate(_)) => "authenticate",
        None => "default",
    }
}

#[test]
fn the_first_rule_that_fits_decides() {
    let text = r"
access:
  - { path: /metrics, networks: [10.0.0.0/8, 127.0.0.1], action: allow }
  - { path: /metrics, action: deny }
  - { path: /pub, methods: [GET, HEAD], host: a.example, action: allow }
  - { regex: '/v[0-9]+/health', action: allow }
  - { path: /q, query: { open: '1' }, action: allow }
  - { path: /admin, roles: [admin], groups: [g], scopes: [user], action: authenticate }
";
    let rules = parse(text).expect("rules").rules;
    for (method, target, source, expected) in [
        ("GET", "/metrics", "10.1.2.3", "allow"),
        ("GET", "/metrics", "127.0.0.1", "allow"),
        ("GET", "/metrics", "192.0.2.1", "deny"),
        ("GET", "/metrics", "unknown", "deny"),
        ("GET", "/pub/a", "192.0.2.1", "allow"),
        ("PUT", "/pub/a", "192.0.2.1", "default"),
        ("GET", "/public", "192.0.2.1", "default"),
        ("GET", "/v1/health", "192.0.2.1", "allow"),
        ("GET", "/v1/health/x", "192.0.2.1", "default"),
        ("GET", "/x/v1/health", "192.0.2.1", "default"),
        ("GET", "/q?open=1", "192.0.2.1", "allow"),
        ("GET", "/q?open=1&open=2", "192.0.2.1", "default"),
        ("GET", "/admin/x", "192.0.2.1", "authenticate"),
    ] {
        assert_eq!(action(&rules, method, target, source), expected, "{method} {target} {source}");
    }
}

#[test]
fn routes_are_read_whole() {
    let text = r"
routes:
  - path: /dav/
    host: cloud.example
    backend: http://127.0.0.1:9110/base
    strip: /dav
    prepend: /remote
    max_body: 1000
    timeout_seconds: 5
    request_headers: { set: { X-Tenant: a }, remove: [Cookie] }
    response_headers: { remove: [Server] }
  - { path: /, backend: 'https://backend.example', unprotected: true, http2: true, keep_authorization: true }
";
    let routes = parse(text).expect("routes").routes;
    assert_eq!(routes.len(), 2);
    assert_eq!((routes[0].max_body, routes[0].timeout), (Some(1000), Duration::from_secs(5)));
    assert!(routes[1].unprotected && routes[1].http2 && routes[1].keep_authorization);
    assert!(parse("").is_ok() && parse("{}").is_ok(), "nothing is something");
}

#[test]
fn what_is_odd_is_refused_with_its_place() {
    for (text, expected) in [
        ("routes: [{ path: /a }]", "backend"),
        ("routes: [{ path: a, backend: 'http://a' }]", "route 1: path \"a\" must begin with /"),
        ("routes: [{ path: /a, backend: 'ftp://a' }]", "route 1: backend"),
        ("routes: [{ path: /a, backend: 'http://a', rewrit: x }]", "rewrit"),
        ("routes: [{ path: /a, regex: b, backend: 'http://a' }]", "exclude each other"),
        ("routes: [{ regex: '(', backend: 'http://a' }]", "route 1: regex"),
        ("routes: [{ host: 'a:1', backend: 'http://a' }]", "without a port"),
        ("routes: [{ path: /a, backend: 'http://a', strip: /a/ }]", "strip"),
        (
            "routes: [{ path: /, backend: 'http://a', request_headers: { set: { X-Access-Token: a } } }]",
            "by the edge alone",
        ),
        ("access: [{ path: /a, action: permit }]", "permit"),
        ("access: [{ path: /a }]", "action"),
        ("access: [{ path: /a, action: allow, roles: [admin] }]", "access rule 1: groups, roles and scopes"),
        ("access: [{ path: /a, action: allow }, { methods: [get], action: deny }]", "access rule 2: method \"get\""),
        ("access: [{ networks: [cloud.example], action: deny }]", "network"),
        ("access: [{ scopes: ['node:*:rw'], action: authenticate }]", "there is no scope"),
        ("trees: ['/a/{other}']", "the tree"),
        ("rules: []", "rules"),
    ] {
        let problem = problem(text);
        assert!(problem.contains(expected), "{text}: {problem}");
    }
}
