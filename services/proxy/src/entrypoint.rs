//! What all entrypoints share: forwarding, `/verify`, Envoy's external authorization, and `TokenReview`.

use std::sync::Arc;

use http::header::USER_AGENT;
use runtime::FileValue;

use crate::authorizer::Authorizer;
use crate::headers::RequestFilter;
use crate::path::Leniency;
use crate::refusal::{Challenges, Refusal, ResourceChallenge, is_navigation};
use crate::request_info::RequestInfo;
use crate::routing::Routing;
use crate::verdict::{CredentialError, Verdict};

/// Decides on requests, and words the refusals.
pub struct Entrypoint {
    /// Decides.
    pub authorizer: Authorizer,
    /// The routes and access rules. They change while requests are handled: each request uses one value from its beginning to its end.
    pub routing: Arc<FileValue<Routing>>,
    /// The challenges of a 401 response.
    pub challenges: Challenges,
    /// Which ambiguous paths are accepted.
    pub leniency: Leniency,
    /// Removes the headers that clients must not send to a backend.
    pub filter: Arc<RequestFilter>,
    /// Whether clients reach the edge by https.
    pub is_https: bool,
}

impl Entrypoint {
    /// Whether a request that is not forwarded here may pass, by the rules in force, and as which user.
    pub async fn decide(&self, info: &RequestInfo<'_>) -> Verdict {
        let routing = self.routing.current();
        self.authorizer.decide(&routing.rules, info, false).await
    }

    /// The response to a request that must not pass; `None` if it may. A browser that navigates to a page is redirected to the
    /// sign-in (`docs/security-requirements.md#e14`), but not with a credential that was refused, which would make a loop. The
    /// same holds where several factors or a more recent sign-in are needed (`docs/security-requirements.md#f12`). At a resource that a
    /// route names, scripts of every site may read the refusal (`docs/security-requirements.md#e62`).
    pub fn refusal(&self, verdict: &Verdict, info: &RequestInfo<'_>) -> Option<Refusal> {
        if matches!(verdict, Verdict::Allowed(_)) {
            return None;
        }
        if matches!(verdict, Verdict::Unauthenticated(CredentialError::Missing))
            && is_navigation(info)
            && let Some(login) = self.authorizer.sessions.as_ref().and_then(|sessions| sessions.login_for(info))
        {
            return Some(Refusal::redirect(&login));
        }
        if let Verdict::InsufficientAuthentication { acr_values, max_age, may_step_up: true } = verdict
            && is_navigation(info)
            && let Some(sessions) = &self.authorizer.sessions
            && let Some(login) = sessions.step_up_for(info, acr_values.is_some(), *max_age)
        {
            return Some(Refusal::redirect(&login));
        }
        let routing = self.routing.current();
        let resources = &routing.rules.resources;
        let (metadata_url, scopes) = (resources.metadata_url(info), routing.rules.needed_scopes(info));
        let resource = ResourceChallenge { metadata_url, scopes };
        let refusal = Refusal::of(verdict, info, self.challenges_for(&routing, info), &resource)?;
        Some(if resources.has_named(info) { refusal.readable_by_scripts() } else { refusal })
    }

    /// The challenges of a 401 response to a request. A guest has no password, and the browser would ask for one.
    fn challenges_for(&self, routing: &Routing, info: &RequestInfo<'_>) -> Challenges {
        if self.authorizer.links.is_of_guest(info.headers) {
            return Challenges { basic: false, bearer: false };
        }
        routing.user_agents.offered(self.challenges, info.header(&USER_AGENT))
    }
}
