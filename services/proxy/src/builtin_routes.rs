//! The built-in routes to services of Doorward that browsers and clients use.

use crate::config::Backends;
use crate::pattern::{PathPattern, Pattern};
use crate::routes::{Backend, InvalidBackend, Rewrite, Route};

/// The paths of idp, which authenticates users itself.
const IDP: [&str; 10] = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/.well-known/webfinger",
    "/.well-known/passkey-endpoints",
    "/konnect/v1",
    "/signin/v1",
    "/oidc",
    "/oauth2/oob",
    "/oauth/oob",
    "/device",
];
/// The API for app tokens, which needs a credential.
pub(crate) const AUTH_APP: &str = "/auth-app";
/// Where issuers send logout tokens to auth-bearer, which verifies them.
pub(crate) const AUTH_BEARER: &str = "/backchannel_logout";

/// The administration pages, below the root of the account pages.
const ADMIN: &str = "/admin";

/// The page with the user's applications, below the root of the account pages.
const APPLICATIONS: &str = "/applications";

/// Where password managers look for the form that changes a password (W3C, A Well-Known URL for Changing Passwords).
const WELL_KNOWN_CHANGE_PASSWORD: &str = "/.well-known/change-password";
/// The redirect to that form, below the root of the account pages.
const CHANGE_PASSWORD: &str = "/change-password";

/// The routes to these backends; an empty one has none.
///
/// # Errors
/// If the URL of a backend is invalid.
pub(crate) fn routes(backends: &Backends) -> Result<Vec<Route>, InvalidBackend> {
    let idp = IDP.map(|path| (path, &backends.idp, true));
    let others = [(AUTH_APP, &backends.auth_app, false), (AUTH_BEARER, &backends.auth_bearer, true)];
    let there = idp.into_iter().chain(others).filter(|(_, backend, _)| !backend.is_empty());
    let route = |(path, backend, unprotected): (&str, &String, bool)| {
        backend.parse::<Backend>().map(|backend| Route::builtin(path, backend, unprotected))
    };
    there.map(route).collect()
}

/// The operator's routes, and among them those to the account pages, if there are any. These pages are an application like any other:
/// a route of the operator for the same path wins.
///
/// # Errors
/// If the URL of the backend is invalid.
pub(crate) fn with_account(mut routes: Vec<Route>, backends: &Backends) -> Result<Vec<Route>, InvalidBackend> {
    if backends.account.is_empty() {
        return Ok(routes);
    }
    let (backend, root): (Backend, _) = (backends.account.parse()?, backends.account_root());
    insert(&mut routes, root, Route::builtin(root, backend.clone(), false));
    let admin = backends.account_admin_root();
    if !admin.is_empty() {
        let rewrite = Rewrite { strip: admin.to_owned(), prepend: format!("{root}{ADMIN}") };
        insert(&mut routes, admin, Route { rewrite, ..Route::builtin(admin, backend.clone(), false) });
    }
    if backends.account_front_page {
        let pattern = Pattern { path: Some(PathPattern::Exact("/".to_owned())), ..Pattern::default() };
        let rewrite = Rewrite { strip: "/".to_owned(), prepend: format!("{root}{APPLICATIONS}") };
        insert(&mut routes, "/", Route { pattern, rewrite, ..Route::builtin("/", backend.clone(), false) });
    }
    // without a credential: the answer is the same for everyone (docs/security-requirements.md#a42)
    let path = WELL_KNOWN_CHANGE_PASSWORD;
    let pattern = Pattern { path: Some(PathPattern::Exact(path.to_owned())), ..Pattern::default() };
    let rewrite = Rewrite { strip: path.to_owned(), prepend: format!("{root}{CHANGE_PASSWORD}") };
    insert(&mut routes, path, Route { pattern, rewrite, ..Route::builtin(path, backend, true) });
    Ok(routes)
}

/// Inserts a route behind those that claim its path; before all others, so that a route for everything does not hide it.
fn insert(routes: &mut Vec<Route>, path: &str, route: Route) {
    let behind = routes.iter().rposition(|other| claims(other, path)).map_or(0, |at| at + 1);
    routes.insert(behind, route);
}

/// Whether a route of the operator is meant for this path: it names the path, or everything of one host.
fn claims(route: &Route, path: &str) -> bool {
    let Pattern { host, path: pattern, .. } = &route.pattern;
    match pattern {
        Some(pattern) if host.is_some() => pattern.fits(path),
        Some(PathPattern::Prefix(own) | PathPattern::Exact(own) | PathPattern::Starts(own)) => {
            own.trim_end_matches('/') == path.trim_end_matches('/')
        }
        Some(regex @ (PathPattern::Regex(_) | PathPattern::Search(_))) => regex.fits(path),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};

    use super::*;
    use crate::path::{Leniency, Path};
    use crate::request_info::RequestInfo;

    fn backends() -> Backends {
        Backends { account: "http://127.0.0.1:9261".to_owned(), ..config::defaults() }
    }

    fn operators(patterns: &[(Option<&str>, Option<PathPattern>)]) -> Vec<Route> {
        let backend: Backend = "http://app.example".parse().expect("a backend");
        let route = |(host, path): &(Option<&str>, Option<PathPattern>)| Route {
            name: "theirs".to_owned(),
            pattern: Pattern { host: host.map(str::to_owned), path: path.clone(), ..Pattern::default() },
            ..Route::builtin("", backend.clone(), true)
        };
        patterns.iter().map(route).collect()
    }

    /// The name of the route that a request takes.
    fn route_of(routes: &[Route], host: &str, path: &str) -> Option<String> {
        let (method, headers) = (Method::GET, HeaderMap::new());
        let path = Path::parse(path, Leniency::default()).expect("a path");
        let info = RequestInfo {
            method: &method,
            is_https: true,
            host,
            path: &path,
            query: None,
            headers: &headers,
            source: None,
        };
        routes.iter().find(|route| route.pattern.fits(&info)).map(|route| route.name.clone())
    }

    fn prefix(path: &str) -> PathPattern {
        PathPattern::Prefix(path.to_owned())
    }

    #[test]
    fn account_pages_have_their_path_and_the_front_page() {
        let routes = with_account(Vec::new(), &backends()).expect("a backend");
        let of = |path: &str| route_of(&routes, "cloud.example", path);
        assert_eq!(of("/").as_deref(), Some("/"));
        for path in ["/account", "/account/tokens"] {
            assert_eq!(of(path).as_deref(), Some("/account"), "{path}");
        }
        for path in ["/accounts", "/a", "/applications"] {
            assert_eq!(of(path), None, "{path}");
        }
        let front_page = routes.iter().find(|route| route.name == "/").expect("there is one");
        let uri = front_page.uri(&"/?a=1".parse().expect("a target")).expect("a URI");
        assert_eq!(uri, "http://127.0.0.1:9261/account/applications?a=1");
        let mut pages = routes.iter().filter(|route| route.name != WELL_KNOWN_CHANGE_PASSWORD);
        assert!(pages.all(|route| !route.unprotected), "they need a credential");

        let without = Backends { account_front_page: false, ..backends() };
        assert_eq!(route_of(&with_account(Vec::new(), &without).expect("a backend"), "cloud.example", "/"), None);
        let moved = Backends { account_root: "/me/".to_owned(), ..backends() };
        let routes = with_account(Vec::new(), &moved).expect("a backend");
        assert_eq!(route_of(&routes, "cloud.example", "/me/tokens").as_deref(), Some("/me"));
        let absent = Backends { account: String::new(), ..backends() };
        assert!(with_account(Vec::new(), &absent).expect("none").is_empty());
    }

    #[test]
    fn administration_is_a_part_of_the_account_pages_with_a_path_of_its_own() {
        let routes = with_account(Vec::new(), &backends()).expect("a backend");
        let route = routes.iter().find(|route| route.name == "/admin").expect("there is one");
        assert!(!route.unprotected, "it needs a credential");
        for (asked, sent) in [("/admin", "/account/admin"), ("/admin/users?q=a", "/account/admin/users?q=a")] {
            let uri = route.uri(&asked.parse().expect("a target")).expect("a URI");
            assert_eq!(uri, *format!("http://127.0.0.1:9261{sent}"));
        }
        assert_eq!(route_of(&routes, "cloud.example", "/administrators"), None);
        let without = Backends { account_admin_root: String::new(), ..backends() };
        assert_eq!(route_of(&with_account(Vec::new(), &without).expect("a backend"), "cloud.example", "/admin"), None);
        let taken = with_account(operators(&[(None, Some(prefix("/admin")))]), &backends()).expect("a backend");
        assert_eq!(route_of(&taken, "cloud.example", "/admin/users").as_deref(), Some("theirs"));
    }

    #[test]
    fn route_of_the_operator_for_the_same_path_wins() {
        let regex = |expression| PathPattern::regex(expression, false).expect("an expression");
        for (host, path, front_page, account) in [
            (None, Some(prefix("/")), "theirs", "/account"),
            (None, Some(prefix("/account")), "/", "theirs"),
            (None, Some(prefix("/account/")), "/", "theirs"),
            (None, Some(prefix("/accounts")), "/", "/account"),
            (None, Some(regex("/(account/.*)?")), "theirs", "/account"),
            (None, Some(regex("/.*")), "theirs", "theirs"),
            (Some("wiki.example"), Some(prefix("/")), "theirs", "theirs"),
            (Some("wiki.example"), None, "theirs", "theirs"),
        ] {
            let routes = with_account(operators(&[(host, path.clone())]), &backends()).expect("a backend");
            let of = |path: &str| route_of(&routes, "wiki.example", path);
            assert_eq!(of("/").as_deref(), Some(front_page), "{host:?} {path:?}");
            assert_eq!(of("/account/").as_deref(), Some(account), "{host:?} {path:?}");
            if host.is_some() {
                assert_eq!(route_of(&routes, "cloud.example", "/account").as_deref(), Some("/account"));
            }
        }
    }

    #[test]
    fn routes_of_the_operator_keep_their_order() {
        let patterns = [prefix("/account/x"), prefix("/account"), prefix("/")].map(|path| (None, Some(path)));
        let routes = with_account(operators(&patterns), &backends()).expect("a backend");
        let names: Vec<_> = routes.iter().map(|route| route.name.as_str()).collect();
        assert_eq!(names, [WELL_KNOWN_CHANGE_PASSWORD, "/admin", "theirs", "theirs", "/account", "theirs", "/"]);
    }

    /// Row [A42](../../../docs/security-requirements.md#a42).
    #[test]
    fn change_password_url_leads_to_the_account_pages_without_a_credential() {
        let path = WELL_KNOWN_CHANGE_PASSWORD;
        let routes = with_account(operators(&[(None, Some(prefix("/")))]), &backends()).expect("a backend");
        let route = routes.iter().find(|route| route.name == path).expect("there is one");
        assert!(route.unprotected && route_of(&routes, "cloud.example", path).as_deref() == Some(path));
        let uri = route.uri(&path.parse().expect("a path")).expect("a URI");
        assert_eq!(uri, "http://127.0.0.1:9261/account/change-password");
        let below = format!("{path}/x");
        assert_eq!(route_of(&routes, "cloud.example", &below).as_deref(), Some("theirs"));
        let taken = with_account(operators(&[(None, Some(prefix(path)))]), &backends()).expect("a backend");
        assert_eq!(route_of(&taken, "cloud.example", path).as_deref(), Some("theirs"), "the operator's wins");
    }
}
