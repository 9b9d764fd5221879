//! The route of a request whose user has a policy of routes.

use http::HeaderValue;

use super::{Forwarder, route_of};
use crate::path::Paths;
use crate::refusal::Refusal;
use crate::request_info::RequestInfo;
use crate::route_metrics::RouteMetrics;
use crate::routes::Route;
use crate::routing::{Policies, Routing};
use crate::verdict::Verdict;

/// The route of a verified user's policy.
pub(super) struct OfUser<'a> {
    pub(super) route: Option<&'a (Route, RouteMetrics)>,
    /// `Set-Cookie` with the policy, unless the browser has it. A link has none.
    pub(super) cookie: Option<HeaderValue>,
}

impl Forwarder {
    /// The route by the policy of the user, whatever the browser's cookie says (`docs/security-requirements.md#e47`); `None` where users
    /// have no policies, and without a user. `ambiguity` is why a request without a user has no route: the user's may forward it.
    ///
    /// # Errors
    /// If the user's policy does not exist or does not forward the path; `ambiguity`, if there is no user.
    pub(super) async fn route_of_user<'a>(
        &self,
        routing: &'a Routing,
        paths: &Paths<'_>,
        info: &RequestInfo<'_>,
        verdict: &Verdict,
        ambiguity: Option<Refusal>,
    ) -> Result<Option<OfUser<'a>>, Refusal> {
        let (Some(policies), Verdict::Allowed(Some(identity))) = (&routing.policies, verdict) else {
            return ambiguity.map_or(Ok(None), Err);
        };
        let is_account = identity.link.is_none();
        let claim = if is_account { self.claimed_policy(policies, info).await } else { None };
        let name = policies.name_for(&identity.claims.user, claim.as_deref());
        let Some(routes) = policies.named(name) else {
            tracing::warn!(policy = name, "refused: the sign-in names a policy that does not exist");
            return Err(Refusal::not_permitted());
        };
        let route = route_of(routes, paths, info)?;
        // the browser of a link's visitor must not take the policy of the link's owner for its own
        let cookie = if is_account { policies.cookie(name, info.headers, self.entrypoint.is_https) } else { None };
        Ok(Some(OfUser { route, cookie }))
    }

    async fn claimed_policy(&self, policies: &Policies, info: &RequestInfo<'_>) -> Option<String> {
        if policies.selector.needs_claim() { self.entrypoint.authorizer.policy(info).await } else { None }
    }
}
