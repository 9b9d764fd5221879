//! The decision that all entrypoints share.

use std::sync::Arc;

use crate::authentication::Authentication;
use crate::credential::Credential;
use crate::identity::{Identity, Link};
use crate::links::Links;
use crate::multi_factor::MultiFactor;
use crate::request_info::RequestInfo;
use crate::rules::{Demands, Rules, Ruling, SignInDemand};
use crate::session::Sessions;
use crate::signed_url::SignedUrls;
use crate::verdict::{CredentialError, Verdict};

/// Decides on requests: by access rules, the user whom the gateway authenticates, and the scopes of the credential.
pub struct Authorizer {
    /// Verifies credentials.
    pub authentication: Authentication,
    /// Verifies signed URLs; `None` where they are off.
    pub signed_urls: Option<SignedUrls>,
    /// Decides whether a user has signed in with several factors, and a short time ago.
    pub multi_factor: MultiFactor,
    /// Verifies credentials of links.
    pub links: Links,
    /// The browser sessions; `None` where they are off.
    pub sessions: Option<Arc<Sessions>>,
}

impl Authorizer {
    /// Whether this request may pass by these rules, and as which user. `unprotected` is that of its route: the backend authenticates
    /// clients itself. A rule that denies applies there too.
    pub async fn decide(&self, rules: &Rules, info: &RequestInfo<'_>, unprotected: bool) -> Verdict {
        let demands = match rules.ruling(info) {
            Ruling::Deny => return Verdict::Forbidden,
            Ruling::Allow => return Verdict::Allowed(None),
            Ruling::Authenticate(demands) => demands,
        };
        // A preflight carries no credential. The backend decides on its response.
        if unprotected || info.is_preflight() {
            return Verdict::Allowed(None);
        }
        match self.identify(info).await {
            Ok(_) if !rules.resources.accept(info) => Verdict::Unauthenticated(CredentialError::Invalid),
            Ok(identity) => self.permit(rules, &demands, identity, info).await,
            Err(verdict) => verdict,
        }
    }

    /// Whether a user meets the demands of the rules. A link has no sign-in, and a public link no user who could meet one: the scopes of
    /// its token are for what it shares, and its paths are few.
    async fn permit(
        &self,
        rules: &Rules,
        demands: &[Option<&Demands>],
        identity: Arc<Identity>,
        info: &RequestInfo<'_>,
    ) -> Verdict {
        let demand = Rules::sign_in_demand(demands);
        let is_permitted = match identity.link {
            None => rules.permit(demands, &identity, info),
            Some(Link::Guest) => demand == SignInDemand::default() && rules.permit(demands, &identity, info),
            Some(Link::Public) => Rules::demand_nothing(demands),
        };
        if !is_permitted {
            let is_by_token =
                identity.link.is_none() && matches!(Credential::of(info), Ok(Some(Credential::Bearer(_))));
            let scopes = if is_by_token { rules.missing_scopes(demands, &identity, info) } else { None };
            return scopes.map_or(Verdict::Forbidden, |scopes| Verdict::InsufficientScope { scopes: scopes.into() });
        }
        let insufficient = self.multi_factor.insufficient(info, demand).await;
        insufficient.unwrap_or(Verdict::Allowed(Some(identity)))
    }

    /// The policy of routes that the issuer names in the sign-in of a request's user.
    pub(crate) async fn policy(&self, info: &RequestInfo<'_>) -> Option<String> {
        // The session's user need not be that of a signed URL.
        let sign_in = if SignedUrls::is_one(info) { None } else { self.multi_factor.sign_in(info).await };
        sign_in?.policy
    }

    async fn identify(&self, info: &RequestInfo<'_>) -> Result<Arc<Identity>, Verdict> {
        match Credential::of(info) {
            Ok(Some(Credential::Basic { login, secret })) if self.links.takes_password(&login, info) => {
                self.links.identify_by_password(&self.authentication, info, &secret).await
            }
            Ok(Some(credential)) => self.authentication.identify(info, credential).await,
            Ok(None) => self.identify_without_header(info).await,
            Err(error) => Err(Verdict::Unauthenticated(error)),
        }
    }

    /// The user of a request without `Authorization`: that of its signed URL, of its browser session, or of a link.
    async fn identify_without_header(&self, info: &RequestInfo<'_>) -> Result<Arc<Identity>, Verdict> {
        let Some(signed_urls) = self.signed_urls.as_ref().filter(|_| SignedUrls::is_one(info)) else {
            let of_session = match &self.sessions {
                Some(sessions) => sessions.identify(&self.authentication, info).await,
                None => Err(Verdict::Unauthenticated(CredentialError::Missing)),
            };
            return match of_session {
                Err(Verdict::Unauthenticated(CredentialError::Missing)) => {
                    self.links.identify(&self.authentication, info).await
                }
                decided => decided,
            };
        };
        signed_urls.identify(info, &self.authentication, self.sessions.as_ref()).await
    }
}
