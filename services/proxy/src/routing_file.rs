//! The built-in routes, the routes and access rules of the file of `PROXY_ROUTES_FILE`, and the routes of that of
//! `PROXY_POLICIES_FILE`. Both files are read again when one changes, and replaced together.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use authn::BoxError;
use http::Method;
use runtime::{Context, FileSetting, FileValue, Misconfigured, Reading, Service};

use crate::builtin_routes;
use crate::config::{Backends, Config};
use crate::pattern::{PathPattern, Pattern};
use crate::policies_file::{self, PoliciesFile, Selection};
use crate::protected_resource::Publisher;
use crate::route_metrics::Metrics;
use crate::routes::{InvalidBackend, Route};
use crate::routes_file::{self, RoutesFile};
use crate::routing::{Policies, Routes, Routing};
use crate::rules::{Action, Rule};
use crate::user_agents::UserAgents;

/// The settings that name the files.
const SETTINGS: [&str; 3] = ["PROXY_ROUTES_FILE", "PROXY_POLICIES_FILE", "PROXY_ROUTES_FILE, PROXY_POLICIES_FILE"];

/// Where the routes are read from.
struct Source {
    routes_file: Option<PathBuf>,
    policies_file: Option<PathBuf>,
    policies: policies_file::Reader,
    backends: Backends,
    publisher: Publisher,
    /// Whether users are refused to change their pictures.
    fixes_pictures: bool,
}

/// Where users change their pictures.
const PICTURE: &str = r".*/graph/v1\.0/me/photo/\$value/?";

/// Those of the configuration and its files, which are read again when one changes and at SIGHUP.
///
/// # Errors
/// If a file or the URL of a backend is invalid.
pub(crate) fn follow(
    config: &Config,
    metrics: Metrics,
    context: &Context,
) -> Result<Arc<FileValue<Routing>>, BoxError> {
    let source = Source::of(config)?;
    let [of_routes, of_policies, of_both] = SETTINGS;
    let name = match (&source.routes_file, &source.policies_file) {
        (None, None) => return Ok(FileValue::fixed(source.read(&metrics)?)),
        (Some(_), None) => of_routes,
        (None, Some(_)) => of_policies,
        (Some(_), Some(_)) => of_both,
    };
    let files: Vec<PathBuf> = source.routes_file.iter().chain(&source.policies_file).cloned().collect();
    let setting = FileSetting { service: crate::Proxy::IDENTITY.name, name, files: files.clone() };
    let read = move |_: Option<&Routing>| {
        let value = source.read(&metrics)?;
        Ok::<_, BoxError>(Reading { value, files: files.clone() })
    };
    FileValue::open(setting, read, changes, context)
}

/// Reads the files of a configuration without using them, and returns what the operator should know, one line each.
///
/// # Errors
/// If one is invalid.
pub(crate) fn check(config: &Config) -> Result<Vec<String>, Misconfigured> {
    let (routes, policies) = Source::of(config)?.files()?;
    Ok(warnings(&routes, policies.as_ref()).collect())
}

impl Source {
    fn of(config: &Config) -> Result<Self, Misconfigured> {
        Ok(Self {
            routes_file: config.routes_file.clone(),
            policies_file: config.proxy_yaml.file.clone(),
            policies: policies_file::Reader::new(config).map_err(Misconfigured::new)?,
            backends: config.backends.clone(),
            publisher: Publisher::new(config),
            fixes_pictures: config.oidc_profile_picture.disable_local_changes,
        })
    }

    fn files(&self) -> Result<(RoutesFile, Option<PoliciesFile>), Misconfigured> {
        let routes = self.routes_file.as_deref().map_or(Ok(RoutesFile::default()), routes_file::read);
        let policies = self.policies_file.as_deref().map(|file| self.policies.read(file)).transpose();
        Ok((routes.map_err(Misconfigured::new)?, policies.map_err(Misconfigured::new)?))
    }

    fn read(&self, metrics: &Metrics) -> Result<Routing, BoxError> {
        let (routes, policies) = self.files()?;
        warnings(&routes, policies.as_ref()).for_each(|warning| tracing::warn!("{warning}"));
        let mut routing = routing(routes, policies, &self.backends, &self.publisher, metrics)?;
        if self.fixes_pictures {
            routing.rules.rules.insert(0, fixed_pictures()?);
        }
        Ok(routing)
    }
}

/// The access rule by which users cannot change their pictures, before those of the file.
fn fixed_pictures() -> Result<Rule, regex::Error> {
    let path = PathPattern::regex(PICTURE, true)?;
    let methods = vec![Method::PUT, Method::PATCH, Method::POST, Method::DELETE];
    Ok(Rule { pattern: Pattern { path: Some(path), methods, ..Pattern::default() }, action: Action::Deny })
}

fn warnings(routes: &RoutesFile, policies: Option<&PoliciesFile>) -> impl Iterator<Item = String> {
    let of_policies = policies.into_iter().flat_map(|policies| &policies.warnings);
    let of_policies = of_policies.map(|warning| format!("PROXY_POLICIES_FILE: {warning}"));
    routes.warnings().into_iter().chain(of_policies)
}

/// The routes and rules of the files. Where users have policies, each policy has its routes behind those of the routes file.
fn routing(
    file: RoutesFile,
    policies: Option<PoliciesFile>,
    backends: &Backends,
    publisher: &Publisher,
    metrics: &Metrics,
) -> Result<Routing, InvalidBackend> {
    let RoutesFile { routes, mut rules } = file;
    let (policies, selection, user_agents) = match policies {
        Some(PoliciesFile { policies, selection, user_agents, .. }) => (policies, Some(selection), user_agents),
        None => (Vec::new(), None, UserAgents::default()),
    };
    let every = routes.iter().chain(policies.iter().flat_map(|policy| &policy.routes));
    rules.resources = publisher.resources(every.clone());
    // a backend may be reached by several routes, and must believe the header of none of its clients
    let user_headers: Arc<[_]> = every.filter_map(|route| route.user_header.clone()).collect();
    let measured = |route: Route| {
        let metrics = metrics.of_route(&route.name);
        (Route { user_headers: Arc::clone(&user_headers), ..route }, metrics)
    };
    // the built-in ones come first: a route for everything must not take the sign-in away
    let with = |more: &[Route]| -> Result<Routes, InvalidBackend> {
        let routes = builtin_routes::with_account(routes.iter().chain(more).cloned().collect(), backends)?;
        Ok(builtin_routes::routes(backends)?.into_iter().chain(routes).map(measured).collect())
    };
    let of = |name: &str| {
        let policy = policies.iter().find(|policy| policy.name == name);
        with(policy.map(|policy| policy.routes.as_slice()).unwrap_or_default())
    };
    match selection {
        None => Ok(Routing { routes: with(&[])?, policies: None, rules, user_agents }),
        Some(Selection::Always(name)) => Ok(Routing { routes: of(&name)?, policies: None, rules, user_agents }),
        Some(Selection::OfUser(selector)) => {
            let each = policies.iter().map(|policy| Ok((policy.name.clone(), with(&policy.routes)?)));
            let of_users = each.collect::<Result<_, InvalidBackend>>()?;
            let routes = of(&selector.unauthenticated)?;
            let policies = Some(Policies { selector, routes: of_users });
            Ok(Routing { routes, policies, rules, user_agents })
        }
    }
}

/// How the routes and rules `after` differ from those `before`, by the names of the routes.
fn changes(before: &Routing, after: &Routing) -> String {
    let names = |routing: &Routing| -> BTreeSet<String> {
        let of_users = routing.policies.iter().flat_map(|policies| &policies.routes).flat_map(|(_, routes)| routes);
        routing.routes.iter().chain(of_users).map(|(route, _)| route.name.clone()).collect()
    };
    let (before, names_after) = (names(before), names(after));
    let mut changes = format!("{} routes and {} access rules", after.routes.len(), after.rules.rules.len());
    for (what, names) in [("added", names_after.difference(&before)), ("removed", before.difference(&names_after))] {
        let names: Vec<&str> = names.map(String::as_str).collect();
        if !names.is_empty() {
            // writing into a String cannot fail
            let _ = write!(changes, "; {what}: {}", names.join(", "));
        }
    }
    changes
}

#[cfg(test)]
mod tests;
