//! The routes and access rules in force. Routes and rules of one file are used together, so that a request is never decided by the
//! rules of one and forwarded by the routes of another (`docs/security-requirements.md#e30`).

use authn::User;
use http::{HeaderMap, HeaderValue};
use web::cookie::{Lifetime, SameSite, SetCookie};

use crate::policy_selector::PolicySelector;
use crate::request_info::RequestInfo;
use crate::route_metrics::RouteMetrics;
use crate::routes::Route;
use crate::rules::Rules;
use crate::user_agents::UserAgents;

/// Routes in order, and their metrics.
pub(crate) type Routes = Vec<(Route, RouteMetrics)>;

/// Routes and access rules.
pub struct Routing {
    /// The routes of every request, or of those without a user where users have policies.
    pub(crate) routes: Routes,
    /// The policies of users; `None` where all have the same routes.
    pub(crate) policies: Option<Policies>,
    /// The access rules.
    pub rules: Rules,
    /// The clients that are offered one scheme alone.
    pub(crate) user_agents: UserAgents,
}

/// The policies of users, which have routes of their own.
pub(crate) struct Policies {
    /// Selects one.
    pub(crate) selector: PolicySelector,
    /// Their names and routes.
    pub(crate) routes: Vec<(String, Routes)>,
}

impl Routing {
    /// The route of a request without a user: the first that matches.
    pub(crate) fn route(&self, info: &RequestInfo<'_>) -> Option<&(Route, RouteMetrics)> {
        route(&self.routes, info)
    }

    /// The routes of a request before its user is known: those of the policy that the browser's cookie names, else those of requests
    /// without a user. Of these only routes without authentication are used.
    pub(crate) fn routes_for(&self, headers: &HeaderMap) -> &Routes {
        let of_cookie = self.policies.as_ref().and_then(|policies| {
            let name = web::cookie::one(headers, &policies.selector.cookie)?;
            policies.named(name)
        });
        of_cookie.unwrap_or(&self.routes)
    }
}

impl Policies {
    /// The routes of the policy with this name.
    pub(crate) fn named(&self, name: &str) -> Option<&Routes> {
        self.routes.iter().find(|(other, _)| other == name).map(|(_, routes)| routes)
    }

    /// The name of a verified user's policy, whose sign-in has this claim.
    pub(crate) fn name_for<'a>(&'a self, user: &User, claim: Option<&'a str>) -> &'a str {
        self.selector.policy(user, claim)
    }

    /// `Set-Cookie` with the policy of the user for later requests; `None` if the browser has it already.
    pub(crate) fn cookie(&self, policy: &str, headers: &HeaderMap, is_https: bool) -> Option<HeaderValue> {
        let name = &self.selector.cookie;
        if web::cookie::one(headers, name) == Some(policy) {
            return None;
        }
        let cookie = SetCookie::new(name, policy, Lifetime::BrowserSession).http_only().same_site(SameSite::Lax);
        Some(cookie.secure(is_https).into_header())
    }
}

/// The first of these routes that matches a request.
pub(crate) fn route<'a>(routes: &'a Routes, info: &RequestInfo<'_>) -> Option<&'a (Route, RouteMetrics)> {
    routes.iter().find(|(route, _)| route.pattern.fits(info))
}
