//! A policy of `proxy.yaml` as routes of the edge, in the order in which theirs are tried: by query, by expression, by prefix, and `/`
//! last.

use std::time::Duration;

use http::Method;

use super::document::{PolicyEntry, RouteEntry, RouteKind};
use super::services::{Place, Services};
use crate::endpoint::Endpoint;
use crate::pattern::{PathPattern, Pattern, is_within};
use crate::routes::{Backend, FILES, HeaderRules, Rewrite, Route};
use crate::routes_file::header_fields::{HeaderEntry, request_rules, user_header};

/// What the proxy of an oCIS forwards without a credential, whatever the route says: the backend verifies a link.
const PUBLIC: &[&str] = &[
    "/dav/public-files/",
    "/remote.php/dav/public-files/",
    "/dav/ocm/",
    "/remote.php/dav/ocm/",
    "/ocm/",
    "/ocs/v1.php/apps/files_sharing/api/v1/tokeninfo/unprotected",
    "/ocs/v2.php/apps/files_sharing/api/v1/tokeninfo/unprotected",
    "/ocs/v1.php/cloud/capabilities",
];
/// Where services transfer files with the internal token of the user for whom they act.
const TRANSFERS: &[&str] = &[DATA];
/// Where files are transferred.
const DATA: &str = "/data";
/// The path of downloads of several files.
const ARCHIVER: &str = "/archiver";
/// The timeout where files are transferred.
const TRANSFER_TIMEOUT: Duration = Duration::from_mins(5);
/// The prefix that is tried last.
const ROOT: &str = "/";

/// A route before it is put in order.
struct Sorted {
    kind: RouteKind,
    /// `None` for every method that no other route of its type has.
    method: Option<Method>,
    is_root: bool,
    route: Route,
}

/// A policy as routes.
pub(super) struct Translated {
    /// In the order in which they are tried.
    pub(super) routes: Vec<Route>,
    /// The services that they name.
    pub(super) services: Vec<String>,
    /// What the operator should know, one line each.
    pub(super) warnings: Vec<String>,
}

/// Translates a policy.
///
/// # Errors
/// The place and the problem.
pub(super) fn policy(entry: PolicyEntry, services: &Services) -> Result<Translated, String> {
    let PolicyEntry { name, routes: entries, defaults } = entry;
    let entries = entries.unwrap_or_default();
    let mut warnings = shadowed(&entries, defaults);
    let used = entries.iter().map(|entry| entry.service.clone()).filter(|service| !service.is_empty()).collect();
    let mut sorted = Vec::new();
    for (at, entry) in entries.into_iter().enumerate() {
        let place = label(at, &entry, defaults);
        match route(entry, services).map_err(|problem| format!("policy {name:?}, {place}: {problem}"))? {
            Some(route) => sorted.push(route),
            None => {
                warnings.push(format!("{place} is left out: the edge has no backend for this service of Doorward"));
            }
        }
    }
    let routes = in_order(sorted).into_iter().flat_map(with_exceptions).collect();
    let warnings = warnings.into_iter().map(|warning| format!("policy {name:?}: {warning}")).collect();
    Ok(Translated { routes, services: used, warnings })
}

/// A route by its number in the file, or a default one by its endpoint.
fn label(at: usize, entry: &RouteEntry, defaults: usize) -> String {
    match at.checked_sub(defaults) {
        Some(at) => format!("route {}", at + 1),
        None => format!("the default route {}", entry.endpoint),
    }
}

/// The routes in the order in which they are tried. Within a type, those with the method of the request come first; the others are
/// tried only if no route of the type has that method.
fn in_order(mut sorted: Vec<Sorted>) -> Vec<Route> {
    let named: Vec<(RouteKind, Method)> =
        sorted.iter().filter_map(|one| Some((one.kind, one.method.clone()?))).collect();
    // stable: within a type, the order of the file
    sorted.sort_by_key(|one| (one.is_root, one.kind, one.method.is_none()));
    let restricted = |one: Sorted| {
        let Sorted { kind, method, is_root, mut route } = one;
        match method {
            Some(method) => route.pattern.methods = vec![method],
            None if is_root => {}
            None => {
                let of_kind = named.iter().filter(|(other, _)| *other == kind);
                route.pattern.except_methods = of_kind.map(|(_, method)| method.clone()).collect();
            }
        }
        route
    };
    sorted.into_iter().map(restricted).collect()
}

/// A route, and before it the same for those of its paths that have other rules, so that a request takes the route that it would take
/// without them.
fn with_exceptions(route: Route) -> impl Iterator<Item = Route> {
    let within = |paths: &'static [&'static str]| Pattern { within: paths, ..route.pattern.clone() };
    let is_public = !route.unprotected && reaches(&route, PUBLIC);
    let public = is_public.then(|| Route { pattern: within(PUBLIC), unprotected: true, ..route.clone() });
    // the web client gets no token of others
    let takes_token = route.unprotected && !route.skips_access_token && !is_root(&route) && reaches(&route, TRANSFERS);
    let transfers =
        takes_token.then(|| Route { pattern: within(TRANSFERS), keeps_internal_token: true, ..route.clone() });
    public.into_iter().chain(transfers).chain([route])
}

/// Whether a route may serve a path within one of these. What an expression matches is known with the request.
fn reaches(route: &Route, paths: &[&str]) -> bool {
    match &route.pattern.path {
        Some(PathPattern::Starts(start)) => {
            paths.iter().any(|path| path.starts_with(start.as_str()) || is_within(start, path))
        }
        _ => true,
    }
}

/// Whether it is the route of everything else.
fn is_root(route: &Route) -> bool {
    matches!(&route.pattern.path, Some(PathPattern::Starts(start)) if start == ROOT)
}

/// One route; `None` if it is for a service of Doorward to which the edge has no routes.
fn route(entry: RouteEntry, services: &Services) -> Result<Option<Sorted>, String> {
    let (path, query) = pattern_of(&entry)?;
    let method = Some(entry.method.to_ascii_uppercase()).filter(|method| !method.is_empty());
    let method = method.map(|method| Method::from_bytes(method.as_bytes())).transpose();
    let method = method.map_err(|_| format!("method {:?} is not one", entry.method))?;
    let (backend, is_ours) = match backend_of(&entry, services)? {
        Place::Theirs(backend) => (backend, false),
        Place::Ours(backend) => (backend, true),
        Place::Nowhere => return Ok(None),
    };
    let is_root = entry.kind == RouteKind::Prefix && entry.endpoint == ROOT;
    let has_files = !is_root && serves_files(&path);
    let is_transfer = has_files || [ARCHIVER, DATA].iter().any(|transfer| !is_root && path.fits(transfer));
    let request_headers = headers(&entry, &backend)?;
    let name = Some(entry.remote_user_header).filter(|name| !name.is_empty());
    let user_header = name.map(|name| user_header(&name, &request_headers)).transpose()?;
    let route = Route {
        name: entry.endpoint,
        pattern: Pattern { path: Some(path), query, ..Pattern::default() },
        backend,
        unprotected: entry.unprotected,
        protected_resource: None,
        transaction_token: None,
        is_builtin: is_ours,
        keep_authorization: Some(entry.unprotected),
        keeps_internal_token: false,
        http2: false,
        rewrite: Rewrite::default(),
        // those of files, whichever route they take
        paths: None,
        max_body: None,
        timeout: if is_transfer { TRANSFER_TIMEOUT } else { Route::TIMEOUT },
        request_headers,
        response_headers: HeaderRules::default(),
        user_headers: user_header.iter().cloned().collect(),
        user_header,
        skips_access_token: entry.skip_x_access_token,
    };
    Ok(Some(Sorted { kind: entry.kind, method, is_root, route }))
}

/// The path of an endpoint, and the parameters of its query.
fn pattern_of(entry: &RouteEntry) -> Result<(PathPattern, Vec<(String, String)>), String> {
    let endpoint = entry.endpoint.as_str();
    let invalid = |problem: &str| format!("endpoint {endpoint:?} {problem}");
    if entry.kind == RouteKind::Regex {
        if endpoint.is_empty() {
            return Err(invalid("is empty"));
        }
        if endpoint.contains(r"\?") {
            return Err(invalid("is compared with the path alone; use type: query for a parameter"));
        }
        return PathPattern::search(endpoint)
            .map(|path| (path, Vec::new()))
            .map_err(|problem| invalid(&problem.to_string()));
    }
    let (path, query) = endpoint.split_once('?').map_or((endpoint, None), |(path, query)| (path, Some(query)));
    if !path.starts_with('/') || path.contains(['%', '#']) {
        return Err(invalid("must begin with /, and have no %, as it is compared with the decoded path"));
    }
    if Endpoint::is_reserved(path) {
        return Err(invalid("is one of the edge's own, which are never forwarded; choose another one"));
    }
    let query: Vec<_> = match (entry.kind, query) {
        (RouteKind::Query, Some(query)) if !query.is_empty() => {
            form_urlencoded::parse(query.as_bytes()).into_owned().collect()
        }
        (RouteKind::Query, _) => return Err(invalid("has no parameters; write them like /dav/?preview=1")),
        (_, None) => Vec::new(),
        (_, Some(_)) => return Err(invalid("has parameters, which only type: query compares")),
    };
    Ok((PathPattern::Starts(path.to_owned()), query))
}

fn backend_of(entry: &RouteEntry, services: &Services) -> Result<Place, String> {
    // the URL is not shown: it may hold a password
    match (entry.backend.as_str(), entry.service.as_str()) {
        ("", "") => Err("a backend or a service is missing".to_owned()),
        ("", service) => services.place(service),
        (url, "") if url.contains('#') => Err("the backend has a fragment, which has no meaning there".to_owned()),
        (url, "") => url.parse::<Backend>().map(Place::Theirs).map_err(|problem| format!("the backend {problem}")),
        _ => Err("backend and service exclude each other".to_owned()),
    }
}

/// The changes to the request's headers. A backend with virtual hosts gets its own name as `Host`.
fn headers(entry: &RouteEntry, backend: &Backend) -> Result<HeaderRules, String> {
    let host = entry.apache_vhost.then(|| ("Host".to_owned(), backend.authority().to_owned()));
    let set = HeaderEntry { set: host.into_iter().collect(), remove: Vec::new() };
    request_rules(&set, entry.additional_headers.clone(), false)
}

/// Whether files are below a path, whose names may hold any character.
fn serves_files(path: &PathPattern) -> bool {
    FILES.iter().any(|files| path.fits(files) || path.fits(&format!("{files}files/a")))
}

/// Prefixes that their proxy never uses, as another one before them matches the same.
fn shadowed(entries: &[RouteEntry], defaults: usize) -> Vec<String> {
    let prefixes = || entries.iter().enumerate().filter(|(_, entry)| entry.kind == RouteKind::Prefix);
    let mut warnings = Vec::new();
    for (at, entry) in prefixes() {
        let (place, endpoint) = (label(at, entry, defaults), &entry.endpoint);
        let mut before =
            prefixes().take_while(|(other, _)| *other < at).filter(|(_, other)| other.method == entry.method);
        if endpoint == ROOT {
            if before.next().is_some() {
                warnings.push(format!(
                    "{place} (/) is used for all other paths here; their proxy uses it only as the first prefix"
                ));
            }
            continue;
        }
        let is_elsewhere = |other: &RouteEntry| (&other.service, &other.backend) != (&entry.service, &entry.backend);
        let first = before.find(|(_, other)| other.endpoint != ROOT && endpoint.starts_with(&other.endpoint));
        if let Some((first, other)) = first.filter(|(_, other)| is_elsewhere(other)) {
            let first = label(first, other, defaults);
            warnings.push(format!(
                "{place} ({endpoint}) is never used, as {first} matches its paths before; move it up, or make it type: regex"
            ));
        }
    }
    warnings
}
