//! The order of routes, and which of their paths need no credential.

use super::super::document::RouteKind;
use super::*;

/// A route of theirs: type, method, endpoint, whether it is unprotected.
type Theirs = (RouteKind, &'static str, &'static str, bool);

/// The route that the proxy of an oCIS takes, by its number. Where theirs fails, since it looks for a route of a method only where it has
/// found one in another type, the types are independent of each other here.
fn reference(routes: &[Theirs], method: &str, path: &str, has_preview: bool) -> Option<usize> {
    let matches = |kind: RouteKind, endpoint: &str| match kind {
        RouteKind::Query => has_preview && path.starts_with(endpoint.split('?').next().unwrap_or_default()),
        RouteKind::Regex => regex::Regex::new(endpoint).expect("an expression").is_match(path),
        RouteKind::Prefix => endpoint != "/" && path.starts_with(endpoint),
    };
    let every = || routes.iter().copied().enumerate();
    for kind in [RouteKind::Query, RouteKind::Regex, RouteKind::Prefix] {
        let has_method = routes.iter().any(|(other, own, ..)| *other == kind && *own == method);
        let wanted = if has_method { method } else { "" };
        let of_kind = every().filter(|(_, (other, own, ..))| *other == kind && *own == wanted);
        let mut found = of_kind.filter(|(_, (kind, _, endpoint, _))| matches(*kind, endpoint));
        if let Some((at, _)) = found.next() {
            return Some(at);
        }
    }
    let root = |wanted: &str| {
        every().find(|(_, (kind, own, endpoint, _))| *kind == RouteKind::Prefix && *own == wanted && *endpoint == "/")
    };
    root(method).or_else(|| root("")).map(|(at, _)| at)
}

/// Whether the proxy of an oCIS forwards a path without a credential, whatever its route says.
fn is_public(path: &str) -> bool {
    ["/ocm/", "/dav/public-files/"].iter().any(|public| path.starts_with(public))
}

fn any_route() -> impl Strategy<Value = Theirs> {
    let of = |kind, endpoints: &'static [&'static str]| {
        let methods = prop::sample::select(&["", "GET", "REPORT"][..]);
        (Just(kind), methods, prop::sample::select(endpoints), prop::bool::weighted(0.2))
    };
    prop_oneof![
        of(RouteKind::Prefix, &["/", "/a", "/a/b", "/b", "/ocm", "/ocm/", "/ocm/a", "/dav/", "/dav/public-files/a"]),
        of(RouteKind::Regex, &["/a", "b$", "^/b", "^/ocm/?$", "/public-files/"]),
        of(RouteKind::Query, &["/a?preview=1", "/?preview=1", "/ocm/?preview=1"]),
    ]
}

/// The routes of a file with these, whose backends have their numbers.
fn translated(routes: &[Theirs]) -> Vec<Route> {
    let entry = |(at, (kind, method, endpoint, unprotected)): (usize, &Theirs)| {
        let kind = format!("{kind:?}").to_lowercase();
        format!(
            "{{ type: {kind}, method: '{method}', endpoint: '{endpoint}', backend: 'http://h{at}', unprotected: {unprotected} }}"
        )
    };
    let entries: Vec<_> = routes.iter().enumerate().map(entry).collect();
    let file = read(&format!("policies: [{{ name: a, routes: [{}] }}]", entries.join(", "))).expect("a file");
    file.policies.into_iter().flat_map(|policy| policy.routes).collect()
}

/// The backend of a request, and whether it needs no credential.
fn found(routes: &[Route], method: &str, target: &str) -> Option<(String, bool)> {
    route_of(routes, method, target).map(|route| (route.backend.authority().to_owned(), route.unprotected))
}

/// Row [E46](../../../../../docs/security-requirements.md#e46).
#[test]
fn public_path_takes_its_route_without_a_credential() {
    let prefix = |method, endpoint| (RouteKind::Prefix, method, endpoint, false);
    let regex = |endpoint| (RouteKind::Regex, "", endpoint, false);
    for (routes, method, target, expected) in [
        (&[prefix("", "/ocm/invite"), prefix("", "/ocm/")][..], "GET", "/ocm/invite/x", ("h0", true)),
        (&[prefix("", "/ocm/invite"), prefix("", "/ocm/")], "GET", "/ocm/x", ("h1", true)),
        (&[prefix("POST", "/ocm/shares"), prefix("", "/ocm/")], "POST", "/ocm/shares", ("h0", true)),
        (&[prefix("", "/"), regex(r"^/dav/public-files/.*[.]zip$")], "GET", "/dav/public-files/a/b.zip", ("h1", true)),
        (&[prefix("", "/"), regex(r"^/dav/public-files/.*[.]zip$")], "GET", "/dav/public-files/a/b.txt", ("h0", true)),
        (&[prefix("", "/"), regex("[.]zip$")], "GET", "/dav/a.zip", ("h1", false)),
        (&[prefix("", "/"), regex("^/ocm/?$")], "GET", "/ocm/a", ("h0", true)),
        (&[prefix("", "/"), regex("^/ocm/?$")], "GET", "/ocm", ("h1", false)),
        (&[prefix("", "/")], "GET", "/remote.php/dav/ocm/a", ("h0", true)),
        (&[prefix("", "/")], "GET", "/ocs/v1.php/cloud/capabilities", ("h0", true)),
        (&[prefix("", "/")], "GET", "/ocs/v1.php/cloud/capabilitiesx", ("h0", false)),
        (&[prefix("", "/dav/public")], "GET", "/dav/public-filesystem", ("h0", false)),
    ] {
        let (backend, unprotected) = expected;
        let expected = Some((backend.to_owned(), unprotected));
        assert_eq!(found(&translated(routes), method, target), expected, "{method} {target}");
    }
}

proptest! {
    #[test]
    fn routes_are_tried_in_the_order_of_the_go_proxy(
        routes in prop::collection::vec(any_route(), 0..8),
        method in prop::sample::select(&["GET", "PUT", "REPORT"][..]),
        path in prop::sample::select(
            &["/a", "/ab", "/a/b", "/b", "/c", "/ocm", "/ocm/a", "/ocm/ab", "/dav/a", "/dav/public-files/a"][..],
        ),
        has_preview in any::<bool>(),
    ) {
        let target = if has_preview { format!("{path}?preview=1") } else { path.to_owned() };
        let expected = reference(&routes, method, path, has_preview);
        let expected = expected.map(|at| (format!("h{at}"), routes[at].3 || is_public(path)));
        prop_assert_eq!(found(&translated(&routes), method, &target), expected);
    }
}
