//! The one decision behind every door.

use std::sync::Arc;

use crate::admission::Admission;
use crate::asked::Asked;
use crate::credential::Presented;
use crate::identity::Identity;
use crate::rules::{Rules, Ruling};
use crate::session::Sessions;
use crate::signed::Signed;
use crate::trees::is_preflight;
use crate::verdict::{Refused, Verdict};

/// Decides of requests: by the access rules, by who the gateway says it is, and by what the credential may do.
pub struct Edge {
    /// Verifies credentials.
    pub admission: Admission,
    /// The access rules.
    pub rules: Rules,
    /// Verifies signed URLs, where there are any.
    pub signed: Option<Signed>,
    /// People who have signed in with a browser, if there are any.
    pub sessions: Option<Arc<Sessions>>,
}

impl Edge {
    /// May this request pass, and as whom? `unprotected` is a route's word that its backend asks who it is itself; a rule that
    /// denies holds there too.
    pub async fn decide(&self, asked: &Asked<'_>, unprotected: bool) -> Verdict {
        let demands = match self.rules.ruling(asked) {
            Ruling::Deny => return Verdict::Forbidden,
            Ruling::Allow => return Verdict::Allowed(None),
            Ruling::Authenticate(demands) => demands,
        };
        // a browser asks before it sends a credential; what is answered is the backend's matter
        if unprotected || is_preflight(asked) {
            return Verdict::Allowed(None);
        }
        match self.identify(asked).await {
            Ok(identity) if self.rules.permit(&demands, &identity, asked) => Verdict::Allowed(Some(identity)),
            Ok(_) => Verdict::Forbidden,
            Err(verdict) => verdict,
        }
    }

    async fn identify(&self, asked: &Asked<'_>) -> Result<Arc<Identity>, Verdict> {
        match Presented::of(asked) {
            Ok(Some(presented)) => self.admission.identify(asked, presented).await,
            Ok(None) => self.identify_otherwise(asked).await,
            Err(refused) => Err(Verdict::Unauthenticated(refused)),
        }
    }

    /// Who asks without `Authorization`.
    async fn identify_otherwise(&self, asked: &Asked<'_>) -> Result<Arc<Identity>, Verdict> {
        let Some(signed) = self.signed.as_ref().filter(|_| Signed::is_one(asked)) else {
            return match &self.sessions {
                Some(sessions) => sessions.identify(&self.admission, asked).await,
                None => Err(Verdict::Unauthenticated(Refused::Missing)),
            };
        };
        signed.identify(asked, &self.admission, self.sessions.as_ref()).await
    }
}
