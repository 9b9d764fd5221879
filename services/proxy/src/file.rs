//! The file with routes, access rules and trees.

mod warnings;

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use authn::Grants;
use http::header::HOST;
use http::{HeaderName, HeaderValue, Method};
use ipnet::IpNet;
use runtime::config::read_yaml_file;
use serde::Deserialize;

use crate::asked::{canonical_host, is_host};
use crate::headers::is_reserved;
use crate::pattern::{PathPattern, Pattern};
use crate::routes::{Backend, HeaderRules, InternalToken, PathKind, Rewrite, Route};
use crate::rules::{Action, Demands, Rule, Rules};
use crate::straight::is_own;
use crate::trees::Trees;

/// Why the file is not taken.
#[derive(Debug, thiserror::Error)]
#[error("PROXY_ROUTES_FILE names {}: {problem}", file.display())]
pub struct FileError {
    file: PathBuf,
    problem: String,
}

/// What the file says.
#[derive(Debug, Default)]
pub struct Contents {
    /// The routes, in order.
    pub routes: Vec<Route>,
    /// The access rules.
    pub rules: Rules,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    routes: Vec<RouteEntry>,
    #[serde(default)]
    access: Vec<RuleEntry>,
    trees: Option<Vec<String>>,
}

/// What routes and rules have in common. It is written flat beside what is their own, which serde cannot do strictly.
#[derive(Default)]
struct When {
    host: Option<String>,
    path: Option<String>,
    regex: Option<String>,
    methods: Vec<String>,
    query: BTreeMap<String, String>,
    networks: Vec<String>,
    ignore_case: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteEntry {
    host: Option<String>,
    path: Option<String>,
    regex: Option<String>,
    #[serde(default)]
    methods: Vec<String>,
    #[serde(default)]
    query: BTreeMap<String, String>,
    backend: String,
    #[serde(default)]
    unprotected: bool,
    keep_authorization: Option<bool>,
    #[serde(default)]
    internal_token: InternalToken,
    #[serde(default)]
    http2: bool,
    strip: Option<String>,
    prepend: Option<String>,
    paths: Option<PathKind>,
    max_body: Option<u64>,
    timeout_seconds: Option<u64>,
    #[serde(default)]
    request_headers: HeaderEntry,
    #[serde(default)]
    response_headers: HeaderEntry,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderEntry {
    #[serde(default)]
    set: BTreeMap<String, String>,
    #[serde(default)]
    remove: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    host: Option<String>,
    path: Option<String>,
    regex: Option<String>,
    #[serde(default)]
    methods: Vec<String>,
    #[serde(default)]
    query: BTreeMap<String, String>,
    #[serde(default)]
    networks: Vec<String>,
    #[serde(default)]
    ignore_case: bool,
    action: ActionName,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    scopes: Vec<String>,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum ActionName {
    Allow,
    Deny,
    Authenticate,
}

/// Reads the file.
///
/// # Errors
/// [`FileError`], with the place and what is wrong there.
pub fn read(file: &FilePath) -> Result<Contents, FileError> {
    let error = |problem: String| FileError { file: file.to_owned(), problem };
    let text = read_yaml_file(file).map_err(|problem| error(format!("it cannot be read: {problem}")))?;
    parse(&text).map_err(error)
}

/// Reads the file's text; an error says where and what.
fn parse(text: &str) -> Result<Contents, String> {
    let Document { routes, access, trees } = serde_yaml_ng::from_str(text).map_err(|problem| problem.to_string())?;
    let numbered = |kind: &'static str| move |(at, problem): (usize, String)| format!("{kind} {}: {problem}", at + 1);
    let each = |(at, entry): (usize, RouteEntry)| route(entry).map_err(|problem| (at, problem));
    let routes = routes.into_iter().enumerate().map(each).collect::<Result<_, _>>().map_err(numbered("route"))?;
    let each = |(at, entry): (usize, RuleEntry)| rule(entry).map_err(|problem| (at, problem));
    let rules = access.into_iter().enumerate().map(each).collect::<Result<_, _>>().map_err(numbered("access rule"))?;
    let template = |text: &String| text.parse().map_err(|problem| format!("the tree {text:?} {problem}"));
    let trees = match trees {
        Some(trees) => Trees::new(trees.iter().map(template).collect::<Result<_, _>>()?),
        None => Trees::default(),
    };
    Ok(Contents { routes, rules: Rules { rules, trees } })
}

fn route(entry: RouteEntry) -> Result<Route, String> {
    let RouteEntry { host, path, regex, methods, query, .. } = &entry;
    let when = When {
        host: host.clone(),
        path: path.clone(),
        regex: regex.clone(),
        methods: methods.clone(),
        query: query.clone(),
        ..When::default()
    };
    if let Some(path) = path.as_ref().filter(|path| is_own(path)) {
        return Err(format!(
            "path {path:?} is one of the edge's own endpoints, which are never passed on; choose another one"
        ));
    }
    let name = path.clone().or_else(|| regex.clone()).or_else(|| host.clone()).unwrap_or_else(|| "/".to_owned());
    let path = |name: &str, path: Option<String>| match path {
        Some(path) if !path.starts_with('/') || path.ends_with('/') => {
            Err(format!("{name} {path:?} must begin with / and not end with it"))
        }
        other => Ok(other.unwrap_or_default()),
    };
    Ok(Route {
        name,
        pattern: pattern(when)?,
        backend: entry
            .backend
            .parse::<Backend>()
            .map_err(|problem| format!("backend {:?} {problem}", entry.backend))?,
        unprotected: entry.unprotected,
        of_family: false,
        keep_authorization: entry.keep_authorization,
        keeps_internal_token: entry.internal_token == InternalToken::Verify,
        http2: entry.http2,
        rewrite: Rewrite { strip: path("strip", entry.strip)?, prepend: path("prepend", entry.prepend)? },
        paths: entry.paths,
        max_body: entry.max_body,
        timeout: entry.timeout_seconds.map_or(Route::TIMEOUT, |seconds| Duration::from_secs(seconds.max(1))),
        request_headers: request_header_rules(&entry.request_headers, entry.http2)?,
        response_headers: header_rules(&entry.response_headers)
            .map_err(|problem| format!("response_headers: {problem}"))?,
    })
}

fn rule(entry: RuleEntry) -> Result<Rule, String> {
    let RuleEntry { host, path, regex, methods, query, networks, ignore_case, action, groups, roles, scopes } = entry;
    let demands_nothing = groups.is_empty() && roles.is_empty() && scopes.is_empty();
    if action != ActionName::Authenticate && !demands_nothing {
        return Err("groups, roles and scopes are demands of action: authenticate".to_owned());
    }
    let grants = |scope: &String| Grants::parse([scope.as_str()]).map_err(|problem| problem.to_string());
    let action = match action {
        ActionName::Allow => Action::Allow,
        ActionName::Deny => Action::Deny,
        ActionName::Authenticate => Action::Authenticate(Demands {
            groups,
            roles,
            scopes: scopes.iter().map(grants).collect::<Result<_, _>>()?,
        }),
    };
    Ok(Rule { pattern: pattern(When { host, path, regex, methods, query, networks, ignore_case })?, action })
}

/// Whether a port stands behind a host, which may be an IPv6 address in brackets.
fn has_port(host: &str) -> bool {
    host.rsplit(']').next().is_some_and(|rest| rest.contains(':'))
}

fn pattern(when: When) -> Result<Pattern, String> {
    let path = match (when.path, when.regex) {
        (Some(_), Some(_)) => return Err("path and regex exclude each other".to_owned()),
        (Some(path), None) if path.starts_with('/') => {
            Some(PathPattern::prefix(&path, when.ignore_case).map_err(|problem| format!("path {path:?}: {problem}"))?)
        }
        (Some(path), None) => return Err(format!("path {path:?} must begin with /")),
        (None, Some(regex)) => {
            Some(PathPattern::regex(&regex, when.ignore_case).map_err(|problem| format!("regex: {problem}"))?)
        }
        (None, None) if when.ignore_case => {
            return Err("ignore_case is about a path or regex, and there is none".to_owned());
        }
        (None, None) => None,
    };
    if let Some(host) = when.host.as_ref().filter(|host| !is_host(host) || has_port(host)) {
        return Err(format!("host {host:?} must be a name or an address, without a port"));
    }
    let method = |text: &String| match Method::from_bytes(text.as_bytes()) {
        Ok(method) if !text.bytes().any(|byte| byte.is_ascii_lowercase()) => Ok(method),
        _ => Err(format!("method {text:?} must be one, in capital letters")),
    };
    let network = |text: &String| {
        let address = || text.parse().map(|address: std::net::IpAddr| IpNet::from(address)).ok();
        text.parse().ok().or_else(address).ok_or_else(|| format!("network {text:?} must be one, like 10.0.0.0/8"))
    };
    Ok(Pattern {
        host: when.host.map(|host| canonical_host(&host).into_owned()),
        path,
        methods: when.methods.iter().map(method).collect::<Result<_, _>>()?,
        query: when.query.into_iter().collect(),
        networks: when.networks.iter().map(network).collect::<Result<_, _>>()?,
    })
}

fn request_header_rules(entry: &HeaderEntry, http2: bool) -> Result<HeaderRules, String> {
    let rules = header_rules(entry).map_err(|problem| format!("request_headers: {problem}"))?;
    let names = rules.set.iter().map(|(name, _)| name).chain(&rules.remove);
    if let Some(name) = names.clone().find(|name| is_reserved(name.as_str())) {
        return Err(format!("request_headers: {name} is set by the edge alone"));
    }
    if rules.remove.contains(&HOST) {
        return Err("request_headers: Host cannot be removed, as every request has one; set it instead".to_owned());
    }
    match rules.set.iter().find(|(name, _)| *name == HOST) {
        Some(_) if http2 => {
            Err("request_headers: Host cannot be set where http2 is: HTTP/2 has the host in its target, that of the backend".to_owned())
        }
        Some((_, host)) if !host.to_str().is_ok_and(is_host) => {
            Err(format!("request_headers: Host must be a name or an address, and perhaps a port; {host:?} is none"))
        }
        _ => Ok(rules),
    }
}

fn header_rules(entry: &HeaderEntry) -> Result<HeaderRules, String> {
    let name =
        |text: &str| HeaderName::from_bytes(text.as_bytes()).map_err(|_| format!("{text:?} is no header's name"));
    let set = |(key, value): (&String, &String)| {
        let value = HeaderValue::from_str(value).map_err(|_| format!("the value of {key} is no header's"))?;
        Ok::<_, String>((name(key)?, value))
    };
    Ok(HeaderRules {
        set: entry.set.iter().map(set).collect::<Result<_, _>>()?,
        remove: entry.remove.iter().map(|text| name(text)).collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests;
