use std::net::IpAddr;

use http::{HeaderMap, HeaderName};

use super::*;
use crate::path::{Leniency, Path};
use crate::request_info::RequestInfo;
use crate::rules::Ruling;

fn problem(text: &str) -> String {
    parse(text).map(|contents| format!("{contents:?}")).expect_err(text)
}

fn action(rules: &Rules, method: &str, target: &str, source: &str) -> &'static str {
    ruling_on(rules, method, ("A.example:1", target), &HeaderMap::new(), source.parse().ok())
}

/// The ruling for a request to this host, with this `Destination`.
fn ruling(rules: &Rules, method: &str, host: &str, path: &str, destination: Option<&str>) -> &'static str {
    let value = |text: &str| (HeaderName::from_static("destination"), text.parse().expect("a header"));
    ruling_on(rules, method, (host, path), &destination.map(value).into_iter().collect(), None)
}

fn ruling_on(
    rules: &Rules,
    method: &str,
    (host, target): (&str, &str),
    headers: &HeaderMap,
    source: Option<IpAddr>,
) -> &'static str {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let (path, method) = (Path::parse(path, Leniency::default()).expect("a path"), method.parse().expect("a method"));
    let info = RequestInfo { method: &method, is_https: true, host, path: &path, query, headers, source };
    in_words(&rules.ruling(&info))
}

fn in_words(ruling: &Ruling<'_>) -> &'static str {
    match ruling {
        Ruling::Allow => "allow",
        Ruling::Deny => "deny",
        Ruling::Authenticate(demands) if demands.iter().all(Option::is_none) => "default",
        Ruling::Authenticate(_) => "authenticate",
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
fn repeated_parameters_match_a_deny_rule_and_no_allow_rule() {
    let text = r"
access:
  - { query: { debug: '1' }, action: deny }
  - { query: { open: '1' }, action: allow }
  - { query: { admin: '1' }, roles: [admin], action: authenticate }
  - { path: /pub, action: allow }
  - { path: /closed, action: deny }
";
    let rules = parse(text).expect("rules").rules;
    for (target, expected) in [
        ("/a?debug=1", "deny"),
        ("/a?debug=1&debug=0", "deny"),
        ("/a?debug=0&debug=1", "deny"),
        ("/a?x=2;debug=1", "deny"),
        ("/a?debug=0&debug=2", "default"),
        ("/a?open=1", "allow"),
        ("/a?open=1&open=0", "default"),
        ("/a?admin=1&admin=0", "authenticate"),
        ("/pub?open=1&open=0", "allow"),
        ("/pub?admin=1&admin=0", "authenticate"),
        ("/closed?admin=1&admin=0", "deny"),
        ("/closed?open=1&open=0", "deny"),
    ] {
        assert_eq!(action(&rules, "GET", target, "192.0.2.1"), expected, "{target}");
    }
}

#[test]
fn hosts_of_rules_and_routes_ignore_case_and_trailing_dot() {
    let text = r"
routes: [{ host: Admin.Example., backend: 'http://a' }]
access: [{ host: Admin.Example., action: deny }, { host: '[0::1]', action: deny }]
";
    let RoutesFile { routes, rules } = parse(text).expect("rules");
    for host in ["admin.example", "ADMIN.example.", "admin.example.:443", "[::1]:80"] {
        assert_eq!(ruling(&rules, "GET", host, "/", None), "deny", "{host}");
    }
    assert_eq!(ruling(&rules, "GET", "admin.example.org", "/", None), "default");
    assert_eq!(routes[0].pattern.host.as_deref(), Some("admin.example"));
}

#[test]
fn paths_compare_with_case_unless_a_rule_ignores_it() {
    let text = r"
access:
  - { path: /Admin, ignore_case: true, action: deny }
  - { regex: '/v[0-9]/secret', ignore_case: true, action: deny }
  - { path: /pub, action: allow }
";
    let rules = parse(text).expect("rules").rules;
    for (path, expected) in [
        ("/admin", "deny"),
        ("/ADMIN/x", "deny"),
        ("/V1/Secret", "deny"),
        ("/administrators", "default"),
        ("/pub", "allow"),
        ("/PUB", "default"),
    ] {
        assert_eq!(ruling(&rules, "GET", "a", path, None), expected, "{path}");
    }
}

/// RFC 4918 10.3.
#[test]
fn copy_and_move_are_ruled_at_the_destination_too() {
    let text = r"
access:
  - { path: /closed, action: deny }
  - { path: /read-only, methods: [PUT, DELETE], action: deny }
  - { path: /no-moves, methods: [MOVE], action: deny }
  - { path: /admin, roles: [admin], action: authenticate }
  - { path: /pub, action: allow }
  - { host: closed.example, path: /a, action: deny }
";
    let rules = parse(text).expect("rules").rules;
    for (from, to, expected) in [
        ("/a", "/b", "default"),
        ("/pub/a", "/pub/b", "allow"),
        ("/pub/a", "/b", "default"),
        ("/a", "/pub/b", "default"),
        ("/a", "/closed/b", "deny"),
        ("/pub/a", "/closed", "deny"),
        ("/a", "https://cloud.example/closed/b", "deny"),
        ("/a", "https://elsewhere.example/closed/b", "deny"),
        ("/b", "https://closed.example./a/b", "deny"),
        ("/b", "/a/b", "default"),
        ("/a", "/%63losed/b", "deny"),
        ("/a", "/read-only/b", "deny"),
        ("/a", "/no-moves/b", "deny"),
        ("/a", "/admin/b", "authenticate"),
        ("/pub/a", "/admin/b", "authenticate"),
        ("/a", "/x/../closed", "deny"),
        ("/a", "nowhere", "deny"),
    ] {
        assert_eq!(ruling(&rules, "MOVE", "cloud.example", from, Some(to)), expected, "{from} to {to}");
    }
    assert_eq!(ruling(&rules, "COPY", "cloud.example", "/a", Some("/no-moves/b")), "default");
    assert_eq!(
        ruling(&rules, "GET", "cloud.example", "/pub/a", Some("/closed")),
        "allow",
        "a GET writes nothing there"
    );
    assert_eq!(ruling(&rules, "COPY", "cloud.example", "/pub/a", None), "allow", "the backend refuses it");
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
  - { path: /data, methods: [REPORT], backend: 'http://a', paths: opaque, internal_token: verify }
";
    let routes = parse(text).expect("routes").routes;
    assert_eq!(routes.len(), 3);
    assert!(routes[2].keeps_internal_token && !routes[1].keeps_internal_token);
    assert_eq!((routes[2].paths, routes[1].paths), (Some(PathKind::Opaque), None));
    assert_eq!(routes[2].pattern.methods, ["REPORT"]);
    assert_eq!((routes[0].max_body, routes[0].timeout), (Some(1000), Duration::from_secs(5)));
    assert!(routes[1].unprotected && routes[1].http2 && routes[1].keep_authorization == Some(true));
    assert!(parse("").is_ok() && parse("{}").is_ok(), "nothing is something");
    let text = "routes: [{ path: /, backend: 'http://a', request_headers: { set: { Host: 'b:1', X-Auth-Token: c }, remove: [X-Real-IP] } }]";
    let rules = &parse(text).expect("routes").routes[0].request_headers;
    assert_eq!((rules.set.len(), rules.remove.len()), (2, 1), "what clients cannot send a route may");
}

#[test]
fn what_is_odd_is_refused_with_its_place() {
    for (text, expected) in [
        ("routes: [{ path: /a }]", "backend"),
        ("routes: [{ path: a, backend: 'http://a' }]", "route 1: path \"a\" must begin with /"),
        ("routes: [{ path: /a, backend: 'ftp://a' }]", "route 1: backend must be like"),
        ("routes: [{ path: /a, backend: 'http://a', rewrit: x }]", "rewrit"),
        ("routes: [{ path: /a, regex: b, backend: 'http://a' }]", "exclude each other"),
        ("routes: [{ regex: '(', backend: 'http://a' }]", "route 1: regex"),
        ("routes: [{ host: 'a:1', backend: 'http://a' }]", "without a port"),
        ("routes: [{ path: /a, backend: 'http://a', strip: /a/ }]", "strip"),
        (
            "routes: [{ path: /, backend: 'http://a', request_headers: { set: { X-Access-Token: a } } }]",
            "by the edge alone",
        ),
        (
            "routes: [{ path: /, backend: 'http://a', request_headers: { remove: [x_forwarded_for] } }]",
            "by the edge alone",
        ),
        ("routes: [{ path: /, backend: 'http://a', request_headers: { set: { Upgrade: a } } }]", "by the edge alone"),
        ("routes: [{ path: /, backend: 'http://a', request_headers: { remove: [Host] } }]", "Host cannot be removed"),
        ("routes: [{ path: /, backend: 'http://a', request_headers: { set: { Host: 'a b' } } }]", "Host must be"),
        (
            "routes: [{ path: /, backend: 'http://a', http2: true, request_headers: { set: { Host: a } } }]",
            "where http2 is",
        ),
        ("routes: [{ path: /verify, backend: 'http://a' }]", "route 1: path \"/verify\" is one of the edge's own"),
        ("routes: [{ path: /_doorward/x, backend: 'http://a' }]", "the edge's own"),
        ("routes: [{ path: /tokenreview/, backend: 'http://a' }]", "the edge's own"),
        (
            "routes: [{ path: /, backend: 'http://a', additional_headers: { X-Access-Token: a } }]",
            "additional_headers: x-access-token is set by",
        ),
        (
            "routes: [{ path: /, backend: 'http://a', additional_headers: { 'a b': c } }]",
            "additional_headers: \"a b\" is not",
        ),
        (
            "routes: [{ path: /, backend: 'http://a', additional_headers: { x_a: b }, request_headers: { set: { X-A: c } } }]",
            "additional_headers: x_a is in request_headers too",
        ),
        (
            "routes: [{ path: /, backend: 'http://a', skip_x_access_token: true, internal_token: verify }]",
            "exclude each other",
        ),
        ("access: [{ host: a, ignore_case: true, action: deny }]", "ignore_case needs a path"),
        ("routes: [{ path: /a, backend: 'http://a', paths: any }]", "any"),
        ("routes: [{ path: /a, backend: 'http://a', internal_token: keep }]", "keep"),
        ("access: [{ path: /a, action: permit }]", "permit"),
        ("access: [{ path: /a }]", "action"),
        (
            "access: [{ path: /a, action: allow, roles: [admin] }]",
            "access rule 1: groups, roles, scopes, multi_factor and max_age",
        ),
        ("access: [{ path: /a, action: allow, max_age: 10m }]", "demands of action: authenticate"),
        ("access: [{ path: /a, action: authenticate, max_age: 59s }]", "at least 1m"),
        ("access: [{ path: /a, action: authenticate, max_age: soon }]", "max_age: \"soon\" is not a duration"),
        (
            "access: [{ path: /a, action: deny, multi_factor: true }]",
            "access rule 1: groups, roles, scopes, multi_factor and max_age",
        ),
        ("access: [{ path: /a, action: allow }, { methods: [get], action: deny }]", "access rule 2: method \"get\""),
        ("access: [{ networks: [cloud.example], action: deny }]", "network"),
        ("access: [{ scopes: ['node:*:rw'], action: authenticate }]", "there is no scope"),
        (
            "routes: [{ path: /a, backend: 'http://a', unprotected: true, protected_resource: {} }]",
            "route 1: protected_resource and unprotected exclude each other",
        ),
        ("routes: [{ regex: /a, backend: 'http://a', protected_resource: {} }]", "a path in place of a regex"),
        ("routes: [{ path: '/a b', backend: 'http://a', protected_resource: {} }]", "its URL cannot hold the path"),
        ("routes: [{ path: '/a\"b', backend: 'http://a', protected_resource: {} }]", "its URL cannot hold the path"),
        ("routes: [{ path: /a, backend: 'http://a', protected_resource: { scopes: ['a b'] } }]", "scopes: a scope is"),
        ("routes: [{ path: /a, backend: 'http://a', protected_resource: { audience: none } }]", "none"),
        ("trees: ['/a/{other}']", "the tree"),
        ("rules: []", "rules"),
    ] {
        let problem = problem(text);
        assert!(problem.contains(expected), "{text}: {problem}");
    }
    let problem = problem("routes: [{ path: /a, backend: 'http://user:secret@a' }]");
    assert!(problem.contains("backend must be like") && !problem.contains("secret"), "{problem}");
}

/// Row [E45](../../../../docs/security-requirements.md#e45).
#[test]
fn keys_of_the_go_proxy_are_read_in_routes() {
    let text = r"
routes:
  - { path: /a, backend: 'http://a', remote_user_header: X-Remote-User, skip_x_access_token: true, additional_headers: { X-B: c }, request_headers: { set: { X-D: e } } }
  - { path: /, backend: 'http://a' }
";
    let routes = parse(text).expect("routes").routes;
    assert_eq!(routes[0].user_header.as_ref().map(HeaderName::as_str), Some("x-remote-user"));
    assert!(routes[0].skips_access_token && !routes[1].skips_access_token && routes[1].user_header.is_none());
    let set: Vec<_> = routes[0].request_headers.set.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(set, ["x-d", "x-b"]);
    for name in [
        "X-Access-Token",
        "x_forwarded_for",
        "Host",
        "authorization",
        "Cookie",
        "Content-Length",
        "te",
        "a b",
        "",
        "-_",
        "X-Set",
        "x_removed",
    ] {
        let problem = problem(&format!(
            "routes: [{{ path: /, backend: 'http://a', remote_user_header: '{name}', request_headers: {{ set: {{ X-Set: a }}, remove: [X-Removed] }} }}]"
        ));
        assert!(problem.starts_with("route 1: remote_user_header: "), "{name}: {problem}");
    }
}

#[test]
fn routes_to_an_opencloud_are_those_of_its_own_proxy() {
    let file = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/opencloud/routes.yaml");
    let contents = read(&file).expect("the file is good");
    assert_eq!(contents.warnings(), Vec::<String>::new());
    let routes = contents.routes;
    let route = |method: &str, target: &str| {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let path = Path::parse(path, Leniency::default()).expect("a path");
        let (method, headers) = (method.parse().expect("a method"), HeaderMap::new());
        let (host, source) = ("cloud.example", None);
        let info = RequestInfo { method: &method, is_https: true, host, path: &path, query, headers: &headers, source };
        let found = routes.iter().find(|route| route.pattern.fits(&info)).expect("there is one");
        let uri = found.uri(&target.parse().expect("a target")).expect("a URI");
        (uri.port_u16().expect("a port"), found.unprotected, found.keeps_internal_token)
    };
    for (method, target, expected) in [
        ("PUT", "/data/upload", (9140, true, true)),
        ("PUT", "/dav/spaces/1$2!3/a", (9350, false, false)),
        ("REPORT", "/dav/spaces/1$2!3", (9115, false, false)),
        ("GET", "/dav/spaces/1$2!3/a?preview=1", (9115, false, false)),
        ("GET", "/remote.php/dav/public-files/token/a", (9350, true, false)),
        ("GET", "/ocs/v1.php/config", (9140, true, false)),
        ("GET", "/ocs/v1.php/cloud/capabilities", (9140, true, false)),
        ("GET", "/ocs/v1.php/cloud/user", (9140, false, false)),
        ("GET", "/ocs/v2.php/apps/files_sharing/api/v1/tokeninfo/unprotected/token", (9140, true, false)),
        ("PROPFIND", "/dav/ocm/token", (9350, true, false)),
        ("POST", "/ocm/shares", (9280, true, false)),
        ("GET", "/graph/v1.0/me", (9120, false, false)),
        ("GET", "/app/list", (9140, true, false)),
        ("POST", "/app/open", (9140, false, false)),
        ("POST", "/api/v0/settings/roles-list", (9190, false, false)),
        ("GET", "/files/spaces", (9100, true, false)),
    ] {
        assert_eq!(route(method, target), expected, "{method} {target}");
    }
    let keeping: Vec<_> = routes.iter().filter(|route| route.keeps_internal_token).map(|route| &route.name).collect();
    assert_eq!(keeping, ["/data"]);
}

#[test]
fn byte_order_mark_before_the_file_is_skipped() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("routes.yaml");
    std::fs::write(&file, "\u{feff}routes:\n- path: /wiki\n  backend: http://127.0.0.1:1\n").expect("writes");
    assert_eq!(read(&file).expect("is read").routes.len(), 1);
}
