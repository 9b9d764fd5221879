//! Warnings about a valid file whose routes rely on defaults that have changed.

use super::RoutesFile;
use crate::pattern::PathPattern;
use crate::routes::{FILES, Route, is_file};
use crate::rules::{Action, Rule};

impl RoutesFile {
    /// The warnings, one line each. A route that states the setting gets none.
    pub fn warnings(&self) -> Vec<String> {
        let (rules, routes) = (&self.rules.rules, &self.routes);
        let is_opaque = |route: &Route| route.paths.is_none() && reaches_files(route);
        let is_stripped = |route: &Route| {
            let is_unstated = !route.unprotected && route.keep_authorization.is_none();
            is_unstated && rules.iter().any(|rule| matches!(rule.action, Action::Allow) && leads(rule, route, routes))
        };
        let opaque = "pass on paths with several readings (;, \\, %2F, %25 in names) below /dav/, /remote.php/ and /webdav/, which were \
                      refused before; write paths: opaque on those whose backends take such names as they came, else paths: plain";
        let stripped = "are sent no Authorization where an access rule says allow, which was passed on before; write \
                        keep_authorization: true on those whose backends ask for passwords themselves, else keep_authorization: false";
        let warning =
            |which: String, text: &str| (!which.is_empty()).then(|| format!("PROXY_ROUTES_FILE: {which} {text}"));
        let found = [(self.named(is_opaque), opaque), (self.named(is_stripped), stripped)];
        found.into_iter().filter_map(|(which, text)| warning(which, text)).collect()
    }

    /// The names and numbers of the routes that meet a condition; empty if there are none.
    fn named(&self, is_so: impl Fn(&Route) -> bool) -> String {
        let routes = self.routes.iter().enumerate().filter(|(_, route)| is_so(route));
        let names: Vec<_> = routes.map(|(at, route)| format!("{} ({})", at + 1, route.name)).collect();
        if names.is_empty() { String::new() } else { format!("routes {}", names.join(", ")) }
    }
}

/// Whether the route matches a path of the `WebDAV` endpoints.
fn reaches_files(route: &Route) -> bool {
    match &route.pattern.path {
        None => true,
        Some(PathPattern::Prefix(prefix)) if is_file(prefix) => true,
        Some(path) => FILES.iter().any(|files| path.fits(files) || path.fits(&format!("{files}files/a"))),
    }
}

/// Whether requests that a rule matches may take a route. Regular expressions are not compared with each other.
fn leads(rule: &Rule, route: &Route, routes: &[Route]) -> bool {
    let Some(PathPattern::Prefix(path)) = &rule.pattern.path else { return rule.pattern.path.is_none() };
    let fits = |route: &Route| route.pattern.path.as_ref().is_none_or(|own| own.fits(path));
    let is_first = routes.iter().find(|route| fits(route)).is_some_and(|first| std::ptr::eq(first, route));
    let is_below = match &route.pattern.path {
        Some(PathPattern::Prefix(own)) => rule.pattern.path.as_ref().is_some_and(|path| path.fits(own)),
        _ => false,
    };
    is_first || is_below
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    fn warnings(text: &str) -> Vec<String> {
        parse(text).expect("a valid file").warnings()
    }

    #[test]
    fn routes_that_rely_on_opaque_webdav_paths_are_warned_of() {
        for (route, is_warned_of) in [
            ("path: /", true),
            ("host: a", true),
            ("path: /dav", true),
            ("path: /dav/", true),
            ("path: /dav/files", true),
            ("path: /remote.php/dav", true),
            ("regex: '/(web)?dav/.*'", true),
            ("path: /, paths: plain", false),
            ("path: /dav, paths: opaque", false),
            ("path: /david", false),
            ("path: /webdavs", false),
            ("regex: '/v[0-9]/.*'", false),
        ] {
            let found =
                warnings(&format!("routes: [{{ path: /a, backend: 'http://a' }}, {{ {route}, backend: 'http://a' }}]"));
            assert_eq!(found.len(), usize::from(is_warned_of), "{route}: {found:?}");
            assert!(found.iter().all(|line| line.starts_with("PROXY_ROUTES_FILE: routes 2 (")), "{found:?}");
        }
        let found = warnings("routes: [{ path: /dav, backend: 'http://a' }, { path: /, backend: 'http://a' }]");
        assert!(found[0].contains("routes 1 (/dav), 2 (/)") && found[0].contains("paths: plain"), "{found:?}");
    }

    #[test]
    fn routes_that_lose_authorization_behind_a_rule_that_allows_are_warned_of() {
        for (routes, rule, which) in [
            ("{ path: /, ROUTE }", "path: /pub, action: allow", "1 (/)"),
            ("{ path: /pub, ROUTE }, { path: /, ROUTE }", "path: /pub/a, action: allow", "1 (/pub)"),
            ("{ path: /pub/a, ROUTE }, { path: /, ROUTE }", "path: /pub, action: allow", "1 (/pub/a), 2 (/)"),
            ("{ path: /a, ROUTE }", "methods: [GET], action: allow", "1 (/a)"),
            ("{ path: /a, ROUTE }", "path: /pub, action: allow", ""),
            ("{ path: /, ROUTE }", "path: /pub, action: deny", ""),
            ("{ path: /, ROUTE, keep_authorization: true }", "path: /pub, action: allow", ""),
            ("{ path: /, ROUTE, keep_authorization: false }", "path: /pub, action: allow", ""),
            ("{ path: /, ROUTE, unprotected: true }", "path: /pub, action: allow", ""),
        ] {
            let routes = routes.replace("ROUTE", "backend: 'http://a', paths: plain");
            let found = warnings(&format!("routes: [{routes}]\naccess: [{{ {rule} }}]"));
            assert_eq!(found.len(), usize::from(!which.is_empty()), "{routes} {rule}: {found:?}");
            assert!(found.iter().all(|line| line.contains(&format!("routes {which} are sent"))), "{found:?}");
        }
    }
}
