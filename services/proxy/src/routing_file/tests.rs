use std::path::Path;
use std::time::Duration;

use config::Environment;
use http::HeaderMap;
use runtime::Clock;

use super::*;
use crate::path::{Leniency, Path as RequestPath};
use crate::request_info::RequestInfo;
use crate::rules::Ruling;

/// How long a test waits at most for what happens at once on an idle machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A file with one route to a backend, and one rule for everything.
fn write(file: &Path, path: &str, action: &str) {
    let text =
        format!("routes: [{{ path: {path}, backend: 'http://app.example' }}]\naccess: [{{ action: {action} }}]\n");
    std::fs::write(file, text).expect("writes");
}

/// The name of the route of a path, and whether the rules refuse it.
fn ruling(routing: &Routing, path: &str) -> (Option<String>, bool) {
    let (method, headers) = (Method::GET, HeaderMap::new());
    let path = RequestPath::parse(path, Leniency::default()).expect("a path");
    let info = RequestInfo {
        method: &method,
        is_https: true,
        host: "cloud.example",
        path: &path,
        query: None,
        headers: &headers,
        source: None,
    };
    let route = routing.route(&info).map(|(route, _)| route.name.clone());
    (route, matches!(routing.rules.ruling(&info), Ruling::Deny))
}

/// Row [E30](../../../../docs/security-requirements.md#e30).
#[tokio::test]
async fn changed_file_replaces_routes_and_rules_together_and_an_invalid_one_neither() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("routes.yaml");
    write(&file, "/one", "deny");
    let backends = Backends { account: String::new(), ..config::defaults() };
    let config = Config { routes_file: Some(file.clone()), backends, ..Config::default() };
    let context = Context { clock: Clock::system(), ..Context::new(Environment::default()) };
    let routing = follow(&config, Metrics::new(&context.metrics), &context).expect("a valid file");
    let mut readings = routing.readings();
    let mut reread = async || -> Arc<Routing> {
        context.reload.announce();
        tokio::time::timeout(PATIENCE, readings.changed()).await.expect("in time").expect("is followed");
        routing.current()
    };
    let first = routing.current();
    assert_eq!(ruling(&first, "/one"), (Some("/one".to_owned()), true));
    assert_eq!(ruling(&first, "/two"), (None, true));

    // valid rules with an invalid route, and the reverse
    write(&file, "two", "allow");
    assert_eq!(ruling(reread().await.as_ref(), "/one"), (Some("/one".to_owned()), true));
    write(&file, "/two", "permit");
    assert_eq!(ruling(reread().await.as_ref(), "/two"), (None, true));
    std::fs::write(&file, "").expect("writes");
    assert_eq!(
        ruling(reread().await.as_ref(), "/one"),
        (Some("/one".to_owned()), true),
        "an editor has begun to write"
    );

    // a copy that has only begun, and one that is not complete although it is valid
    let whole = "routes:\n- { path: /one, backend: 'http://app.example' }\naccess:\n- { action: deny }\n";
    std::fs::write(&file, whole).expect("writes");
    assert_eq!(ruling(reread().await.as_ref(), "/one"), (Some("/one".to_owned()), true));
    for part in [
        "routes:\n- { path: /one, backend: 'http://app.example' }\n",
        "routes:\n- { path: /two, backend: 'http://app.example' }\naccess:\n",
    ] {
        std::fs::write(&file, part).expect("writes");
        let routing = reread().await;
        assert_eq!(
            (ruling(&routing, "/one"), ruling(&routing, "/two")),
            ((Some("/one".to_owned()), true), (None, true))
        );
    }

    write(&file, "/two", "allow");
    let second = reread().await;
    assert_eq!(ruling(&second, "/two"), (Some("/two".to_owned()), false));
    assert_eq!(ruling(&second, "/one"), (None, false));
    assert_eq!(ruling(&second, "/oidc").0.as_deref(), Some("/oidc"), "the built-in routes stay");
    assert_eq!(ruling(&first, "/one"), (Some("/one".to_owned()), true), "a request in flight has what it began with");
    let changes = changes(&first, &second);
    assert!(changes.ends_with("1 access rules; added: /two; removed: /one"), "{changes}");
}

/// Rows [E30](../../../../docs/security-requirements.md#e30), [E46](../../../../docs/security-requirements.md#e46).
#[tokio::test]
async fn routes_file_and_proxy_yaml_are_replaced_together_or_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let (routes, policies) = (folder.path().join("routes.yaml"), folder.path().join("proxy.yaml"));
    let policy = |endpoint: &str| {
        let route = format!("{{ endpoint: {endpoint}, backend: 'http://app.example' }}");
        std::fs::write(&policies, format!("policies: [{{ name: ocis, routes: [{route}] }}]\n")).expect("writes");
    };
    write(&routes, "/one", "deny");
    policy("/theirs");
    let backends = Backends { account: String::new(), ..config::defaults() };
    let proxy_yaml = crate::config::ProxyYaml { file: Some(policies.clone()), ..config::defaults() };
    let config = Config { routes_file: Some(routes.clone()), proxy_yaml, backends, ..Config::default() };
    let context = Context { clock: Clock::system(), ..Context::new(Environment::default()) };
    let routing = follow(&config, Metrics::new(&context.metrics), &context).expect("valid files");
    let mut readings = routing.readings();
    let mut reread = async || -> Arc<Routing> {
        context.reload.announce();
        tokio::time::timeout(PATIENCE, readings.changed()).await.expect("in time").expect("is followed");
        routing.current()
    };
    let named = |routing: &Routing, path: &str| ruling(routing, path).0;
    let first = routing.current();
    assert_eq!(
        (named(&first, "/one"), named(&first, "/theirs/a")),
        (Some("/one".to_owned()), Some("/theirs".to_owned()))
    );
    assert!(ruling(&first, "/theirs").1, "the access rules hold for them");

    write(&routes, "/two", "deny");
    std::fs::write(&policies, "policies: [{ name: ocis, routes: [{ endpoint: /x, service: com.x.y }] }]\n")
        .expect("writes");
    let same = reread().await;
    assert_eq!((named(&same, "/one"), named(&same, "/two")), (Some("/one".to_owned()), None));

    policy("/other");
    let second = reread().await;
    for (path, name) in [("/two", Some("/two")), ("/other", Some("/other")), ("/theirs", None), ("/one", None)] {
        assert_eq!(named(&second, path).as_deref(), name, "{path}");
    }
    assert_eq!(check(&config).expect("valid files"), Vec::<String>::new());
    std::fs::write(&policies, "role_quotas: { a: 1 }\n").expect("writes");
    assert!(check(&config).expect("valid files")[0].starts_with("PROXY_POLICIES_FILE: role_quotas is not read"));
}

/// Row [E52](../../../../docs/security-requirements.md#e52).
#[tokio::test]
async fn pictures_of_an_issuer_cannot_be_changed_here() {
    let with = |disable_local_changes| {
        let oidc_profile_picture = crate::config::ProfilePicture { disable_local_changes, ..config::defaults() };
        let config = Config { oidc_profile_picture, ..Config::default() };
        let context = Context::new(Environment::default());
        follow(&config, Metrics::new(&context.metrics), &context).expect("is valid").current()
    };
    let (fixed, free) = (with(true), with(false));
    let is_denied = |routing: &Routing, method: &str, path: &str| {
        let (method, headers) = (method.parse().expect("a method"), HeaderMap::new());
        let (path, is_https, query) = (RequestPath::parse(path, Leniency::default()).expect("a path"), true, None);
        let (host, source) = ("cloud.example", None);
        let info = RequestInfo { method: &method, is_https, host, path: &path, query, headers: &headers, source };
        matches!(routing.rules.ruling(&info), Ruling::Deny)
    };
    for method in ["PUT", "PATCH", "DELETE"] {
        for path in ["/graph/v1.0/me/photo/$value", "/graph/v1.0/me/photo/%24value", "/Graph/v1.0/Me/photo/$VALUE/"] {
            assert!(is_denied(&fixed, method, path) && !is_denied(&free, method, path), "{method} {path}");
        }
    }
    assert!(!is_denied(&fixed, "GET", "/graph/v1.0/me/photo/$value"));
    assert!(!is_denied(&fixed, "PUT", "/graph/v1.0/me/photos/$value"));
}
