//! The routes and access rules in force. Routes and rules of one file are used together, so that a request is never decided by the
//! rules of one and forwarded by the routes of another (`docs/security-requirements.md#e30`).

use crate::request_info::RequestInfo;
use crate::route_metrics::RouteMetrics;
use crate::routes::Route;
use crate::rules::Rules;

/// Routes and access rules.
pub struct Routing {
    /// The routes, in order, and their metrics.
    pub(crate) routes: Vec<(Route, RouteMetrics)>,
    /// The access rules.
    pub rules: Rules,
}

impl Routing {
    /// The route of a request: the first that matches.
    pub(crate) fn route(&self, info: &RequestInfo<'_>) -> Option<&(Route, RouteMetrics)> {
        self.routes.iter().find(|(route, _)| route.pattern.fits(info))
    }
}
