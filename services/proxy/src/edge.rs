//! The one decision behind every door.

use std::sync::Arc;

use crate::admission::Admission;
use crate::asked::Asked;
use crate::credential::Presented;
use crate::rules::{Action, Rules};
use crate::verdict::{Refused, Verdict};

/// Decides of requests: by the access rules, by who the gateway says it is, and by what the credential may do.
pub struct Edge {
    /// Verifies credentials.
    pub admission: Admission,
    /// The access rules.
    pub rules: Rules,
}

impl Edge {
    /// May this request pass, and as whom?
    pub async fn decide(&self, asked: &Asked<'_>) -> Verdict {
        let rule = self.rules.of(asked);
        match rule.action {
            Action::Allow => return Verdict::Allowed(None),
            Action::Deny => return Verdict::Forbidden,
            Action::Authenticate => {}
        }
        let presented = match Presented::of(asked) {
            Ok(Some(presented)) => presented,
            Ok(None) => return Verdict::Unauthenticated(Refused::Missing),
            Err(refused) => return Verdict::Unauthenticated(refused),
        };
        match self.admission.identify(asked, presented).await {
            Ok(identity) if rule.is_met_by(&identity, asked) => Verdict::Allowed(Some(Arc::clone(&identity))),
            Ok(_) => Verdict::Forbidden,
            Err(verdict) => verdict,
        }
    }
}
