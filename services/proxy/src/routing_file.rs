//! The built-in routes, and the routes and access rules of the file of `PROXY_ROUTES_FILE`, which is read again when it changes.

use std::fmt::Write;
use std::sync::Arc;

use authn::BoxError;
use runtime::{Context, FileSetting, FileValue, Misconfigured, Reading, Service};

use crate::builtin_routes;
use crate::config::{Backends, Config};
use crate::protected_resource::Publisher;
use crate::route_metrics::Metrics;
use crate::routes::{InvalidBackend, Route};
use crate::routes_file::{self, RoutesFile};
use crate::routing::Routing;

/// The setting that names the file.
const SETTING: &str = "PROXY_ROUTES_FILE";

/// Those of the configuration and its file, which is read again when it changes and at SIGHUP.
///
/// # Errors
/// If the file or the URL of a backend is invalid.
pub(crate) fn follow(
    config: &Config,
    metrics: Metrics,
    context: &Context,
) -> Result<Arc<FileValue<Routing>>, BoxError> {
    let (backends, publisher) = (config.backends.clone(), Publisher::new(config));
    let Some(file) = config.routes_file.clone() else {
        return Ok(FileValue::fixed(routing(RoutesFile::default(), &backends, &publisher, &metrics)?));
    };
    let setting = FileSetting { service: crate::Proxy::IDENTITY.name, name: SETTING, files: vec![file.clone()] };
    let read = move |_: Option<&Routing>| {
        let contents = routes_file::read(&file).map_err(Misconfigured::new)?;
        contents.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
        let value = routing(contents, &backends, &publisher, &metrics)?;
        Ok::<_, BoxError>(Reading { value, files: vec![file.clone()] })
    };
    FileValue::open(setting, read, changes, context)
}

/// The built-in routes, then those of the file: a route for everything must not take the sign-in away.
fn routing(
    file: RoutesFile,
    backends: &Backends,
    publisher: &Publisher,
    metrics: &Metrics,
) -> Result<Routing, InvalidBackend> {
    let RoutesFile { routes, mut rules } = file;
    rules.resources = publisher.resources(&routes);
    let routes = builtin_routes::with_account(routes, backends)?;
    let routes = builtin_routes::routes(backends)?.into_iter().chain(routes);
    let measured = |route: Route| {
        let metrics = metrics.of_route(&route.name);
        (route, metrics)
    };
    Ok(Routing { routes: routes.map(measured).collect(), rules })
}

/// How the routes and rules `after` differ from those `before`, by the names of the routes.
fn changes(before: &Routing, after: &Routing) -> String {
    let only_in = |one: &Routing, other: &Routing| {
        let is_new = |name: &&str| other.routes.iter().all(|(route, _)| route.name != *name);
        one.routes.iter().map(|(route, _)| route.name.as_str()).filter(is_new).collect::<Vec<_>>().join(", ")
    };
    let mut changes = format!("{} routes and {} access rules", after.routes.len(), after.rules.rules.len());
    for (what, names) in [("added", only_in(after, before)), ("removed", only_in(before, after))] {
        if !names.is_empty() {
            // writing into a String cannot fail
            let _ = write!(changes, "; {what}: {names}");
        }
    }
    changes
}

#[cfg(test)]
mod tests;
