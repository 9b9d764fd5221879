//! The file of `PROXY_ROUTES_FILE`: routes, access rules, and the paths of files.

pub(crate) mod header_fields;
mod warnings;

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use authn::Grants;
use config::read_yaml_file;
use http::Method;
use ipnet::IpNet;
use serde::Deserialize;

use crate::endpoint::Endpoint;
use crate::path_scopes::PathScopes;
use crate::pattern::{PathPattern, Pattern};
use crate::protected_resource::Resources;
use crate::request_info::{canonical_host, is_host};
use crate::route_resource::RouteResource;
use crate::routes::{Backend, InternalToken, PathKind, Rewrite, Route};
use crate::rules::{Action, Demands, Rule, Rules};
use crate::transactions::TransactionEntry;
use header_fields::{HeaderEntry, request_rules, response_rules, user_header};

/// The least age of a sign-in that a rule can demand.
const MIN_AGE: Duration = Duration::from_mins(1);

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("PROXY_ROUTES_FILE names {}: {problem}", file.display())]
pub struct FileError {
    file: PathBuf,
    problem: String,
}

/// The contents of the file.
#[derive(Debug, Default)]
pub struct RoutesFile {
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

/// The fields that routes and rules share. Both list them again, since serde cannot flatten and deny unknown fields at once.
#[derive(Default)]
struct MatchFields {
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
    protected_resource: Option<RouteResource>,
    keep_authorization: Option<bool>,
    #[serde(default)]
    internal_token: InternalToken,
    transaction_token: Option<TransactionEntry>,
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
    #[serde(default)]
    additional_headers: BTreeMap<String, String>,
    remote_user_header: Option<String>,
    #[serde(default)]
    skip_x_access_token: bool,
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
    #[serde(default)]
    multi_factor: bool,
    max_age: Option<String>,
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
/// [`FileError`], with the place and the problem.
pub fn read(file: &FilePath) -> Result<RoutesFile, FileError> {
    let error = |problem: String| FileError { file: file.to_owned(), problem };
    let text = read_yaml_file(file).map_err(|problem| error(format!("it cannot be read: {problem}")))?;
    parse(&text).map_err(error)
}

/// Parses the file's text; an error names the place and the problem.
pub(crate) fn parse(text: &str) -> Result<RoutesFile, String> {
    let Document { routes, access, trees } = serde_yaml_ng::from_str(text).map_err(|problem| problem.to_string())?;
    let numbered = |kind: &'static str| move |(at, problem): (usize, String)| format!("{kind} {}: {problem}", at + 1);
    let each = |(at, entry): (usize, RouteEntry)| route(entry).map_err(|problem| (at, problem));
    let routes = routes.into_iter().enumerate().map(each).collect::<Result<_, _>>().map_err(numbered("route"))?;
    let each = |(at, entry): (usize, RuleEntry)| rule(entry).map_err(|problem| (at, problem));
    let rules = access.into_iter().enumerate().map(each).collect::<Result<_, _>>().map_err(numbered("access rule"))?;
    let template = |text: &String| text.parse().map_err(|problem| format!("the tree {text:?} {problem}"));
    let path_scopes = match trees {
        Some(trees) => PathScopes::new(trees.iter().map(template).collect::<Result<_, _>>()?),
        None => PathScopes::default(),
    };
    Ok(RoutesFile { routes, rules: Rules { rules, path_scopes, resources: Resources::default() } })
}

fn route(entry: RouteEntry) -> Result<Route, String> {
    let RouteEntry { host, path, regex, methods, query, .. } = entry;
    if let Some(path) = path.as_ref().filter(|path| Endpoint::is_reserved(path)) {
        return Err(format!(
            "path {path:?} is one of the edge's own endpoints, which are never forwarded; choose another one"
        ));
    }
    let name = [&path, &regex, &host].into_iter().flatten().next().map_or("/", String::as_str).to_owned();
    let fields = MatchFields { host, path, regex, methods, query, ..MatchFields::default() };
    let path = |name: &str, path: Option<String>| match path {
        Some(path) if !path.starts_with('/') || path.ends_with('/') => {
            Err(format!("{name} {path:?} must begin with / and not end with it"))
        }
        other => Ok(other.unwrap_or_default()),
    };
    if entry.skip_x_access_token && entry.internal_token == InternalToken::Verify {
        return Err("skip_x_access_token and internal_token: verify exclude each other".to_owned());
    }
    let pattern = pattern(fields)?;
    if let Some(resource) = &entry.protected_resource {
        resource.check(&pattern, entry.unprotected)?;
    }
    let request_headers = request_rules(&entry.request_headers, entry.additional_headers, entry.http2)?;
    let user_header = entry.remote_user_header.map(|name| user_header(&name, &request_headers)).transpose()?;
    Ok(Route {
        name,
        pattern,
        // it is not shown: it may hold a password
        backend: entry.backend.parse::<Backend>().map_err(|problem| format!("backend {problem}"))?,
        unprotected: entry.unprotected,
        protected_resource: entry.protected_resource,
        is_builtin: false,
        keep_authorization: entry.keep_authorization,
        keeps_internal_token: entry.internal_token == InternalToken::Verify,
        transaction_token: entry.transaction_token.map(|tokens| tokens.read(entry.unprotected)).transpose()?,
        http2: entry.http2,
        rewrite: Rewrite { strip: path("strip", entry.strip)?, prepend: path("prepend", entry.prepend)? },
        paths: entry.paths,
        max_body: entry.max_body,
        timeout: entry.timeout_seconds.map_or(Route::TIMEOUT, |seconds| Duration::from_secs(seconds.max(1))),
        user_headers: user_header.iter().cloned().collect(),
        user_header,
        skips_access_token: entry.skip_x_access_token,
        request_headers,
        response_headers: response_rules(&entry.response_headers)?,
    })
}

fn rule(entry: RuleEntry) -> Result<Rule, String> {
    let RuleEntry { host, path, regex, methods, query, networks, ignore_case, .. } = entry;
    let RuleEntry { action, groups, roles, scopes, multi_factor, max_age, .. } = entry;
    let demands_nothing =
        groups.is_empty() && roles.is_empty() && scopes.is_empty() && !multi_factor && max_age.is_none();
    if action != ActionName::Authenticate && !demands_nothing {
        return Err("groups, roles, scopes, multi_factor and max_age are demands of action: authenticate".to_owned());
    }
    let max_age = max_age.map(|text| age(&text)).transpose()?;
    let grants = |scope: &String| Grants::parse([scope.as_str()]).map_err(|problem| problem.to_string());
    let action = match action {
        ActionName::Allow => Action::Allow,
        ActionName::Deny => Action::Deny,
        ActionName::Authenticate => Action::Authenticate(Demands {
            groups,
            roles,
            scopes: scopes.iter().map(grants).collect::<Result<_, _>>()?,
            multi_factor,
            max_age,
        }),
    };
    Ok(Rule { pattern: pattern(MatchFields { host, path, regex, methods, query, networks, ignore_case })?, action })
}

/// How long ago a sign-in may be. A minute is the least: the way back from the sign-in takes time.
fn age(text: &str) -> Result<Duration, String> {
    let age = config::duration::parse(text).filter(|age| *age >= MIN_AGE);
    age.ok_or_else(|| format!("max_age: {text:?} is not a duration of at least 1m; write it like 10m or 1h"))
}

/// Whether a host, which may be an IPv6 address in brackets, has a port.
fn has_port(host: &str) -> bool {
    host.rsplit(']').next().is_some_and(|rest| rest.contains(':'))
}

fn pattern(fields: MatchFields) -> Result<Pattern, String> {
    let path = match (fields.path, fields.regex) {
        (Some(_), Some(_)) => return Err("path and regex exclude each other".to_owned()),
        (Some(path), None) if path.starts_with('/') => Some(
            PathPattern::prefix(&path, fields.ignore_case).map_err(|problem| format!("path {path:?}: {problem}"))?,
        ),
        (Some(path), None) => return Err(format!("path {path:?} must begin with /")),
        (None, Some(regex)) => {
            Some(PathPattern::regex(&regex, fields.ignore_case).map_err(|problem| format!("regex: {problem}"))?)
        }
        (None, None) if fields.ignore_case => {
            return Err("ignore_case needs a path or regex".to_owned());
        }
        (None, None) => None,
    };
    if let Some(host) = fields.host.as_ref().filter(|host| !is_host(host) || has_port(host)) {
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
        host: fields.host.map(|host| canonical_host(&host).into_owned()),
        path,
        within: &[],
        methods: fields.methods.iter().map(method).collect::<Result<_, _>>()?,
        except_methods: Vec::new(),
        query: fields.query.into_iter().collect(),
        networks: fields.networks.iter().map(network).collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests;
