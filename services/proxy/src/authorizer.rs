//! The decision that all entrypoints share.

use std::sync::Arc;

use crate::authentication::Authentication;
use crate::credential::Credential;
use crate::identity::Identity;
use crate::multi_factor::MultiFactor;
use crate::request_info::RequestInfo;
use crate::rules::{Rules, Ruling};
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
            Ok(identity) if rules.permit(&demands, &identity, info) => {
                let demand = Rules::sign_in_demand(&demands);
                let insufficient = self.multi_factor.insufficient(info, demand).await;
                insufficient.unwrap_or(Verdict::Allowed(Some(identity)))
            }
            Ok(_) => Verdict::Forbidden,
            Err(verdict) => verdict,
        }
    }

    async fn identify(&self, info: &RequestInfo<'_>) -> Result<Arc<Identity>, Verdict> {
        match Credential::of(info) {
            Ok(Some(credential)) => self.authentication.identify(info, credential).await,
            Ok(None) => self.identify_without_header(info).await,
            Err(error) => Err(Verdict::Unauthenticated(error)),
        }
    }

    /// The user of a request without `Authorization`: that of its signed URL, or of its browser session.
    async fn identify_without_header(&self, info: &RequestInfo<'_>) -> Result<Arc<Identity>, Verdict> {
        let Some(signed_urls) = self.signed_urls.as_ref().filter(|_| SignedUrls::is_one(info)) else {
            return match &self.sessions {
                Some(sessions) => sessions.identify(&self.authentication, info).await,
                None => Err(Verdict::Unauthenticated(CredentialError::Missing)),
            };
        };
        signed_urls.identify(info, &self.authentication, self.sessions.as_ref()).await
    }
}
