//! The routes and access rules in force: the built-in routes, and those of the file of `PROXY_ROUTES_FILE`, which is read again when it
//! changes. Routes and rules of one file are used together, so that a request is never decided by the rules of one and forwarded by the
//! routes of another (`docs/security-requirements.md#e30`).

use std::fmt::Write;
use std::sync::Arc;

use authn::BoxError;
use runtime::{Context, FileSetting, FileValue, Misconfigured, Reading, Service};

use crate::builtin_routes;
use crate::config::{Backends, Config};
use crate::forward::{Metrics, RouteMetrics};
use crate::request_info::RequestInfo;
use crate::routes::{InvalidBackend, Route};
use crate::routes_file::{self, RoutesFile};
use crate::rules::Rules;

/// The setting that names the file.
const SETTING: &str = "PROXY_ROUTES_FILE";

/// Routes and access rules.
pub struct Routing {
    /// The routes, in order, and their metrics.
    routes: Vec<(Route, RouteMetrics)>,
    /// The access rules.
    pub rules: Rules,
}

impl Routing {
    /// Those of the configuration and its file, which is read again when it changes and at SIGHUP.
    ///
    /// # Errors
    /// If the file or the URL of a backend is invalid.
    pub(crate) fn follow(
        config: &Config,
        metrics: Metrics,
        context: &Context,
    ) -> Result<Arc<FileValue<Self>>, BoxError> {
        let backends = config.backends.clone();
        let Some(file) = config.routes_file.clone() else {
            return Ok(FileValue::fixed(Self::new(RoutesFile::default(), &backends, &metrics)?));
        };
        let setting = FileSetting { service: crate::Proxy::IDENTITY.name, name: SETTING, files: vec![file.clone()] };
        let read = move |_: Option<&Self>| {
            let contents = routes_file::read(&file).map_err(Misconfigured::new)?;
            contents.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
            let value = Self::new(contents, &backends, &metrics)?;
            Ok::<_, BoxError>(Reading { value, files: vec![file.clone()] })
        };
        FileValue::open(setting, read, Self::changes, context)
    }

    /// The built-in routes, then those of the file: a route for everything must not take the sign-in away.
    fn new(file: RoutesFile, backends: &Backends, metrics: &Metrics) -> Result<Self, InvalidBackend> {
        let RoutesFile { routes, rules } = file;
        let routes = builtin_routes::with_account(routes, backends)?;
        let routes = builtin_routes::routes(backends)?.into_iter().chain(routes);
        let measured = |route: Route| {
            let metrics = metrics.of_route(&route.name);
            (route, metrics)
        };
        Ok(Self { routes: routes.map(measured).collect(), rules })
    }

    /// The route of a request: the first that matches.
    pub(crate) fn route(&self, info: &RequestInfo<'_>) -> Option<&(Route, RouteMetrics)> {
        self.routes.iter().find(|(route, _)| route.pattern.fits(info))
    }

    /// How the routes and rules `after` differ from those `before`, by the names of the routes.
    fn changes(before: &Self, after: &Self) -> String {
        let only_in = |one: &Self, other: &Self| {
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
}

#[cfg(test)]
mod tests;
