mod order;
mod restrictions;

use http::{HeaderMap, Method};
use proptest::prelude::*;

use super::*;
use crate::config::{Backends, ProxyYaml};
use crate::path::{Leniency, Path};
use crate::policy_selector::Criterion;
use crate::refusal::Challenges;
use crate::request_info::RequestInfo;

/// What both products have: method, target, port of the backend, whether it needs no credential.
const BOTH: [(&str, &str, u16, bool); 53] = [
    ("GET", "/", 9100, true),
    ("GET", "/files/spaces", 9100, true),
    ("GET", "/.well-known/ocm", 9280, true),
    ("GET", "/.well-known/webfinger", 9130, true),
    ("GET", "/.well-known/openid-configuration", 9130, true),
    ("GET", "/branding/logo", 9100, false),
    ("GET", "/konnect/v1/session/check", 9130, true),
    ("GET", "/signin/v1/identifier", 9130, true),
    ("GET", "/archiver?id=a", 9140, false),
    ("GET", "/ocs/v2.php/apps/notifications/api/v1/notifications/sse", 9135, false),
    ("GET", "/ocs/v2.php/apps/notifications/api/v1/notifications", 9210, false),
    ("GET", "/ocs/v1.php/cloud/user/signing-key", 9110, false),
    ("GET", "/ocs/v2.php/cloud/user/signing-key?format=json", 9110, false),
    ("GET", "/ocs/v1.php/config", 9140, true),
    ("GET", "/ocs/v2.php/config?format=json", 9140, true),
    ("GET", "/ocs/v1.php/cloud/user", 9140, false),
    ("GET", "/ocs/v1.php/cloud/capabilities", 9140, true),
    ("GET", "/ocs/v2.php/cloud/capabilities", 9140, false),
    ("GET", "/ocs/v1.php/apps/files_sharing/api/v1/tokeninfo/unprotected/token", 9140, true),
    ("GET", "/ocs/v2.php/apps/files_sharing/api/v1/tokeninfo/unprotected/token", 9140, true),
    ("GET", "/ocs/v2.php/apps/files_sharing/api/v1/tokeninfo/protected/token", 9140, false),
    ("POST", "/sciencemesh/generate-invite", 9280, false),
    ("POST", "/ocm/shares", 9280, true),
    ("GET", "/ocmx", 9100, true),
    ("GET", "/remote.php/dav/files/einstein/a?preview=1", 9115, false),
    ("GET", "/dav/spaces/1$2!3/a?preview=1", 9115, false),
    ("GET", "/webdav/a?preview=1&x=64", 9115, false),
    ("GET", "/dav/spaces/1$2!3/a?preview=1&preview=0", 9350, false),
    ("GET", "/dav/spaces/1$2!3/a?preview=0", 9350, false),
    ("REPORT", "/dav/spaces/1$2!3", 9115, false),
    ("REPORT", "/remote.php/dav/spaces/1$2!3", 9115, false),
    ("REPORT", "/webdav/a", 9115, false),
    ("REPORT", "/other", 9100, true),
    ("PUT", "/dav/spaces/1$2!3/a", 9350, false),
    ("PROPFIND", "/remote.php/webdav/a", 9350, false),
    ("PROPFIND", "/dav/public-files/token/a", 9350, true),
    ("GET", "/dav/public-files/token/a?preview=1", 9115, true),
    ("REPORT", "/dav/public-files/token", 9115, true),
    ("PROPFIND", "/dav/public-filesystem", 9350, false),
    ("PROPFIND", "/remote.php/dav/public-files/token", 9350, true),
    ("PROPFIND", "/dav/ocm/token", 9350, true),
    ("GET", "/status.php", 9350, true),
    ("GET", "/index.php/s/token", 9350, false),
    ("GET", "/apps/files", 9350, false),
    ("PUT", "/data/upload", 9140, true),
    ("PUT", "/database", 9140, true),
    ("GET", "/app/list", 9140, true),
    ("POST", "/app/open", 9140, false),
    ("GET", "/graph/v1beta1/extensions/org.libregraph/activities?kql=a", 9195, false),
    ("POST", "/graph/v1.0/invitations", 9265, false),
    ("GET", "/graph/v1.0/me", 9120, false),
    ("POST", "/api/v0/settings/roles-list", 9190, false),
    ("GET", "/wopi/files/a", 9300, true),
];
/// The port of a backend, and whether its route is unprotected.
type Target = (u16, bool);

/// What differs: for an oCIS, and for an OpenCloud.
const DIFFERENT: [(&str, &str, Target, Target); 6] = [
    ("GET", "/announcement", (9100, true), (9100, false)),
    ("GET", "/sciencemesh/federations", (9280, false), (9280, true)),
    ("POST", "/sciencemesh/discover", (9280, false), (9280, true)),
    ("GET", "/auth-app/tokens", (9100, true), (9247, false)),
    ("POST", "/collaboration/fonts/manage", (9100, true), (9300, false)),
    ("GET", "/collaboration/fonts", (9100, true), (9300, true)),
];

/// A policy with three routes to these, and what selects policies.
const SELECTED: &str = r"
policy_selector: SELECTOR
policies:
  - { name: a, routes: [{ endpoint: /, backend: 'http://a' }] }
  - { name: b, routes: [{ endpoint: /, backend: 'http://b' }] }
";

fn reader(product: &str, services: &[&str]) -> Reader {
    let service_backends = services.iter().map(|pair| (*pair).to_owned()).collect();
    let proxy_yaml = ProxyYaml { service_backends, default_policies: product.to_owned(), ..::config::defaults() };
    Reader::new(&Config { proxy_yaml, ..Config::default() }).expect("valid settings")
}

fn read(text: &str) -> Result<PoliciesFile, String> {
    reader("ocis", &[]).parse(text)
}

fn problem(text: &str) -> String {
    read(text).map(|file| format!("{file:?}")).expect_err(text)
}

/// The route of a request.
fn route_of<'a>(routes: &'a [Route], method: &str, target: &str) -> Option<&'a Route> {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let (path, headers) = (Path::parse(path, Leniency::default()).expect("a path"), HeaderMap::new());
    let method: Method = method.parse().expect("a method");
    let (host, source) = ("cloud.example", None);
    let info = RequestInfo { method: &method, is_https: true, host, path: &path, query, headers: &headers, source };
    routes.iter().find(|route| route.pattern.fits(&info))
}

/// The URL to which a request is forwarded.
fn url(routes: &[Route], method: &str, target: &str) -> String {
    let route = route_of(routes, method, target).expect("there is one");
    route.uri(&target.parse().expect("a target")).expect("a URI").to_string()
}

/// The headers that a route sets on requests.
fn set_headers(route: &Route) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| value.to_str().expect("text").to_owned();
    route.request_headers.set.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

#[test]
fn default_routes_are_those_of_the_product() {
    for (product, of_product) in [("ocis", false), ("opencloud", true)] {
        let file = reader(product, &[]).parse("").expect("an empty file has the default policy");
        assert_eq!(file.warnings, Vec::<String>::new(), "{product}");
        assert_eq!(file.policies.len(), 1, "{product}");
        let routes = &file.policies[0].routes;
        let different = DIFFERENT.iter().map(|(method, target, ocis, opencloud)| {
            let (port, unprotected) = if of_product { opencloud } else { ocis };
            (*method, *target, *port, *unprotected)
        });
        for (method, target, port, unprotected) in BOTH.into_iter().chain(different) {
            let route = route_of(routes, method, target).expect("there is one");
            let found = (route.backend.authority().to_owned(), route.unprotected);
            assert_eq!(found, (format!("127.0.0.1:{port}"), unprotected), "{product}: {method} {target}");
            let (keeps, skips) = (route.keeps_internal_token, route.skips_access_token);
            assert_eq!((keeps, skips), (target == "/data/upload", target.starts_with("/wopi")), "{target}");
            let is_ours = port == 9130 || port == 9247;
            assert_eq!(route.is_builtin, is_ours, "{target}");
        }
    }
}

/// Row [E46](../../../../docs/security-requirements.md#e46).
#[test]
fn paths_of_transfers_and_guests_need_a_credential_where_their_route_does() {
    for path in ["/data", "/magic_guest_link_auth"] {
        let target = format!("{path}/a");
        let own = format!("{{ endpoint: {path}, backend: 'http://own' }}");
        let root = "{ endpoint: /, backend: 'http://root' }";
        let regex = "{ type: regex, endpoint: ., backend: 'http://regex' }";
        for routes in [root.to_owned(), format!("{root}, {own}"), own.clone(), format!("{root}, {regex}")] {
            let file = read(&format!("policies: [{{ name: a, routes: [{routes}] }}]")).expect("a file");
            let route = route_of(&file.policies[0].routes, "GET", &target).expect("there is one");
            assert!(!route.unprotected && !route.keeps_internal_token, "{target}: {routes}");
        }
        let own = format!("{{ endpoint: {path}, backend: 'http://own', unprotected: true }}");
        let file = read(&format!("policies: [{{ name: a, routes: [{root}, {own}] }}]")).expect("a file");
        let route = route_of(&file.policies[0].routes, "GET", &target).expect("there is one");
        assert_eq!((route.backend.authority(), route.unprotected), ("own", true));
        assert_eq!(route.keeps_internal_token, path == "/data");
        let unprotected = root.replace(" }", ", unprotected: true }");
        let file = read(&format!("policies: [{{ name: a, routes: [{unprotected}] }}]")).expect("a file");
        let route = route_of(&file.policies[0].routes, "GET", &target).expect("there is one");
        assert!(route.unprotected && !route.keeps_internal_token, "the web client gets no token of others");
    }
}

#[test]
fn routes_to_files_pass_on_any_name() {
    let by_root = "policies: [{ name: a, routes: [{ endpoint: /, backend: 'http://a' }, { endpoint: /x/, backend: 'http://b' }] }]";
    let by_space = "policies: [{ name: a, routes: [{ endpoint: /dav/spaces/, backend: 'http://a' }] }]";
    let [file, by_root, by_space] = ["", by_root, by_space].map(|text| read(text).expect("a file"));
    for (file, method, target, is_opaque) in [
        (&file, "PUT", "/dav/a", true),
        (&file, "REPORT", "/remote.php/webdav/a", true),
        (&file, "GET", "/webdav/a?preview=1", true),
        (&file, "GET", "/dav/public-files/a", true),
        (&file, "GET", "/graph/v1.0/me", false),
        (&file, "GET", "/a", false),
        (&by_root, "PUT", "/dav/a", true),
        (&by_root, "GET", "/remote.php/a", true),
        (&by_root, "GET", "/a", false),
        (&by_root, "GET", "/x/dav/a", false),
        (&by_space, "PUT", "/dav/spaces/a", true),
    ] {
        let route = route_of(&file.policies[0].routes, method, target).expect("there is one");
        let path = target.split('?').next().unwrap_or_default();
        let path = Path::parse(path, Leniency::default()).expect("a path");
        assert_eq!(route.is_opaque(&path), is_opaque, "{target}");
    }
}

#[test]
fn documented_files_are_read() {
    let folder = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let file = reader("ocis", &[]).read(&folder.join("ocis-proxy.yaml")).expect("is read");
    let Selection::Always(name) = &file.selection else { panic!("{:?}", file.selection) };
    assert_eq!((name.as_str(), file.policies.len()), ("ocis", 2));
    let routes = &file.policies[0].routes;
    assert_eq!(url(routes, "GET", "/ocs/v1.php/cloud/user"), "http://localhost:9140/ocs/v1.php/cloud/user");
    assert_eq!(url(routes, "GET", "/myservice/a?b=c"), "http://192.168.1.1:8080/base/myservice/a?b=c");
    let warnings = file.warnings.join("\n");
    for expected in [
        "oidc is not read from this file: set OCIS_OIDC_ISSUER",
        "AUTH_BEARER_ROLE_ASSIGNMENT_MAPPING='myAdminRole=admin,myGuestRole=guest'",
        "set OCIS_MACHINE_AUTH_API_KEY",
        "GATEWAY_ROLE_QUOTAS",
    ] {
        assert!(warnings.contains(expected), "{expected}: {warnings}");
    }
    assert!(!warnings.contains("the-key-of-the-machines"), "values are not shown");
    let offered = file.user_agents.offered(Challenges { basic: true, bearer: true }, Some("mirall/5.0"));
    assert_eq!(offered, Challenges { basic: true, bearer: false });

    let file = reader("opencloud", &["maps=http://maps:8080/"]).read(&folder.join("opencloud-proxy.yaml"));
    let file = file.expect("is read");
    let routes = &file.policies[0].routes;
    for (target, script) in [
        ("/caldav/einstein", "/caldav"),
        ("/.well-known/caldav", "/caldav"),
        ("/carddav/einstein", "/carddav"),
        ("/.well-known/carddav", "/carddav"),
    ] {
        let route = route_of(routes, "GET", target).expect("there is one");
        assert_eq!(route.user_header.as_ref().map(http::HeaderName::as_str), Some("x-remote-user"));
        assert_eq!(url(routes, "GET", target), format!("http://radicale:5232{target}"));
        assert!(route.skips_access_token && !route.unprotected, "{target}");
        assert_eq!(set_headers(route), [("x-script-name".to_owned(), script.to_owned())]);
    }
    let maps = route_of(routes, "GET", "/maps/a").expect("there is one");
    assert_eq!(set_headers(maps), [("x-tenant".to_owned(), "1".to_owned())]);
    assert_eq!(url(routes, "GET", "/maps/a"), "http://maps:8080/maps/a");
    assert_eq!(url(routes, "PUT", "/dav/a"), "http://127.0.0.1:9350/dav/a", "the others are the default ones");
    assert_eq!(file.warnings, Vec::<String>::new());
}

/// Some examples of oCIS write out every key of a route.
#[test]
fn empty_keys_of_a_route_count_as_left_out() {
    let keys = "method: '', service: '', apache-vhost: false, additional_headers: {}, remote_user_header: ''";
    let text =
        format!("policies: [{{ name: ocis, routes: [{{ type: '', endpoint: /a/, backend: 'http://a', {keys} }}] }}]");
    let file = read(&text).expect("is read");
    assert_eq!(url(&file.policies[0].routes, "PUT", "/a/b"), "http://a/a/b");
    assert!(route_of(&file.policies[0].routes, "PUT", "/b").is_none());
}

#[test]
fn example_and_its_page_are_read() {
    let root = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let reader = reader("opencloud", &[]);
    let file = reader.read(&root.join("deploy/opencloud/proxy.yaml")).expect("is read");
    assert_eq!(file.warnings, Vec::<String>::new());
    let page = std::fs::read_to_string(root.join("docs/move-from-ocis-proxy.md")).expect("the page exists");
    let snippets = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let snippets: Vec<_> = snippets.map(|text| reader.parse(text).expect("is read")).collect();
    assert_eq!(snippets.len(), 1);
    for file in [&file, &snippets[0]] {
        let route = route_of(&file.policies[0].routes, "GET", "/magic_guest_link_auth/a").expect("there is one");
        assert_eq!((route.backend.authority(), route.unprotected), ("127.0.0.1:9266", true));
    }
}

#[test]
fn backends_are_joined_and_their_host_is_sent_where_it_is_wanted() {
    let text = r"
policies:
  - name: a
    routes:
      - { endpoint: /, backend: 'https://web.example/base/' }
      - { endpoint: /vhost/, backend: 'http://inner.example:81', apache_vhost: true }
";
    let routes = &read(text).expect("a file").policies[0].routes;
    assert_eq!(url(routes, "GET", "/a/?b"), "https://web.example/base/a/?b");
    let host = &route_of(routes, "GET", "/vhost/a").expect("there is one").request_headers.set;
    assert_eq!(
        host.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect::<Vec<_>>(),
        [("host", &b"inner.example:81"[..])]
    );
}

#[test]
fn services_are_where_the_setting_says() {
    let services = ["ocdav=http://a:1", "com.owncloud.web.graph=http://b:2", "frontend=http://c", "unheard=http://d"];
    let file = reader("ocis", &services).parse("").expect("a file");
    let routes = &file.policies[0].routes;
    for (target, expected) in [
        ("/dav/x", "http://a:1/dav/x"),
        ("/graph/x", "http://b:2/graph/x"),
        ("/ocs/x", "http://c/ocs/x"),
        ("/dav/public-files/x", "http://a:1/dav/public-files/x"),
        ("/x", "http://127.0.0.1:9100/x"),
    ] {
        assert_eq!(url(routes, "GET", target), expected);
    }
    assert_eq!(file.warnings, ["PROXY_SERVICE_BACKENDS has unheard, which no route names"]);
    let own = Backends { idp: String::new(), ..::config::defaults() };
    let without = Reader::new(&Config { backends: own, ..Config::default() }).expect("valid settings");
    let file = without.parse("").expect("a file");
    assert!(file.warnings.iter().any(|warning| warning.contains("no backend for this service of Doorward")));
    let route = route_of(&file.policies[0].routes, "GET", "/signin/v1/a").expect("there is one");
    assert_eq!(route.backend.authority(), "127.0.0.1:9100", "the route of everything else");
}

/// Row [E46](../../../../docs/security-requirements.md#e46).
#[test]
fn what_is_odd_is_refused_with_its_place() {
    let route = |fields: &str| {
        format!("policies: [{{ name: ocis, routes: [{{ endpoint: /, backend: 'http://a' }}, {{ {fields} }}] }}]")
    };
    let selector = |text: &str| SELECTED.replace("SELECTOR", text);
    for (text, expected) in [
        (route("endpoint: /x, service: com.x.y"), "policy \"ocis\", route 2: service \"com.x.y\" is not known"),
        (route("endpoint: /x, service: com.owncloud.web.other"), "PROXY_SERVICE_BACKENDS"),
        (route("endpoint: /x, service: web"), "is not known"),
        (route("endpoint: /x"), "a backend or a service is missing"),
        (route("endpoint: /x, backend: 'http://a', service: com.owncloud.web.web"), "exclude each other"),
        (route("endpoint: /x, backend: 'ftp://a'"), "route 2: the backend must be like"),
        (route("endpoint: /x, backend: 'http://a?b'"), "the backend must be like"),
        (route("endpoint: /x, backend: 'http://a#b'"), "fragment"),
        (route("endpoint: x, backend: 'http://a'"), "must begin with /"),
        (route("endpoint: /x?a=1, backend: 'http://a'"), "only type: query"),
        (route("type: query, endpoint: /x, backend: 'http://a'"), "has no parameters"),
        (route("type: regex, endpoint: '(', backend: 'http://a'"), "endpoint \"(\""),
        (route("type: regex, endpoint: '/x\\?a', backend: 'http://a'"), "use type: query"),
        (route("type: glob, endpoint: /x, backend: 'http://a'"), "glob"),
        (route("endpoint: /x, backend: 'http://a', strip_root: true"), "strip_root"),
        (route("endpoint: /x, backend: 'http://a', method: 'a b'"), "method"),
        (route("endpoint: /verify, backend: 'http://a'"), "the edge's own"),
        (route("endpoint: /x, backend: 'http://a', remote_user_header: X-Access-Token"), "remote_user_header"),
        (route("endpoint: /x, backend: 'http://a', additional_headers: { X-Access-Token: a }"), "by the edge alone"),
        (
            route("endpoint: /x, backend: 'http://a', additional_headers: [{ X-A: a }, { X-A: b }]"),
            "additional_headers has X-A twice",
        ),
        (route("endpoint: /x, backend: 'http://a', additional_headers: { X-A: true }"), "X-A is no text"),
        (route("endpoint: /x, backend: 'http://a', additional_headers: [[X-A]]"), "a map, or a list of maps"),
        (route("endpoint: /x, backend: 'http://a', additional_headers: { X-A: [secret] }"), "X-A is no text"),
        ("polices: []".to_owned(), "the key polices is not known"),
        ("policies: [{ name: a }, { name: a }]".to_owned(), "there twice"),
        ("policies: [{ name: a }, { name: b }]".to_owned(), "names the policy \"ocis\", which does not exist"),
        (selector("{}"), "exactly one"),
        (
            selector("{ static: { policy: a }, claims: { default_policy: a, unauthenticated_policy: b } }"),
            "exactly one",
        ),
        (selector("{ static: { policy: c } }"), "static names the policy \"c\""),
        (selector("{ claims: { default_policy: a } }"), "unauthenticated_policy"),
        (selector("{ claims: { default_policy: a, unauthenticated_policy: c } }"), "unauthenticated_policy names"),
        (
            selector("{ claims: { default_policy: a, unauthenticated_policy: b, selector_cookie_name: 'a b' } }"),
            "selector_cookie_name",
        ),
        (
            selector(
                "{ claims: { default_policy: a, unauthenticated_policy: b, selector_cookie_name: __Host-doorward } }",
            ),
            "selector_cookie_name",
        ),
        (
            selector(
                "{ regex: { default_policy: a, unauthenticated_policy: b, matches_policies: [{ property: mail, match: a, policy: c }] } }",
            ),
            "matches_policies names",
        ),
        (
            selector(
                "{ regex: { default_policy: a, unauthenticated_policy: b, matches_policies: [{ property: groups, match: a, policy: b }] } }",
            ),
            "property \"groups\"",
        ),
        (
            selector(
                "{ regex: { default_policy: a, unauthenticated_policy: b, matches_policies: [{ property: id, match: '(', policy: b }] } }",
            ),
            "match \"(\"",
        ),
        (
            "auth_middleware: { credentials_by_user_agent: { mirall: digest } }".to_owned(),
            "the scheme of \"mirall\" is neither basic nor bearer",
        ),
        (
            "auth_middleware: { allow_app_auth: false }".to_owned(),
            "set PROXY_ENABLE_APP_AUTH=false too, or remove the key",
        ),
    ] {
        let problem = problem(&text);
        assert!(problem.contains(expected), "{text}: {problem}");
    }
    let error = problem(&route("endpoint: /x, backend: 'http://user:secret@a'"));
    assert!(error.contains("the backend must be like") && !error.contains("secret"), "{error}");
}

#[test]
fn selectors_are_read_in_the_order_of_their_priorities() {
    let text = SELECTED.replace(
        "SELECTOR",
        "{ regex: { default_policy: a, unauthenticated_policy: b, matches_policies: [{ priority: 20, property: mail, match: '.*@x\\.org', policy: a }, { priority: 10, property: username, match: 1, policy: b }] } }",
    );
    let Selection::OfUser(selector) = read(&text).expect("a file").selection else { panic!("it is of the user") };
    let Criterion::Properties(matches) = &selector.criterion else { panic!("{selector:?}") };
    let found: Vec<_> = matches.iter().map(|one| (one.policy.as_str(), one.regex.as_str())).collect();
    assert_eq!(found, [("b", "1"), ("a", r".*@x\.org")]);
    assert_eq!((selector.cookie.as_str(), selector.unauthenticated.as_str()), ("ocis-selector", "b"));
}

#[test]
fn additional_routes_are_behind_the_default_ones() {
    let text = r"
additional_policies:
  - name: ocis
    routes:
      - { endpoint: /graph/mine/, backend: 'http://a' }
      - { type: regex, endpoint: ^/graph/ours/, backend: 'http://b' }
  - { name: other, routes: [{ endpoint: /, backend: 'http://c' }] }
";
    let file = read(text).expect("a file");
    assert_eq!(file.policies.len(), 2);
    let routes = &file.policies[0].routes;
    assert_eq!(url(routes, "GET", "/graph/mine/x"), "http://127.0.0.1:9120/graph/mine/x");
    assert_eq!(url(routes, "GET", "/graph/ours/x"), "http://b/graph/ours/x");
    let [warning] = &file.warnings[..] else { panic!("{:?}", file.warnings) };
    let expected = "policy \"ocis\": route 1 (/graph/mine/) is never used, as the default route /graph/ matches";
    assert!(warning.contains(expected), "{warning}");
    let unknown = text.replace("endpoint: /graph/mine/, backend: 'http://a'", "endpoint: /a, service: com.x.y");
    let error = problem(&unknown);
    assert!(error.contains("policy \"ocis\", route 1: service \"com.x.y\""), "{error}");
    let both = format!("policies: [{{ name: ocis, routes: [{{ endpoint: /, backend: 'http://a' }}] }}]\n{text}");
    let file = read(&both).expect("a file");
    assert_eq!(file.policies.len(), 1);
    assert!(file.warnings[0].contains("additional_policies has no effect"), "{:?}", file.warnings);
}

proptest! {
    #[test]
    fn never_panics(text in "[ -~\n]{0,60}") {
        let _ = read(&text);
    }
}
