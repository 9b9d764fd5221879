//! From a credential to an identity.

use std::sync::Arc;

use authn::{AuthError, Caller, Credentials, Gateway, kind};
use runtime::Clock;
use token::Verifier;

use crate::asked::Asked;
use crate::credential::Presented;
use crate::identity::Identity;
use crate::verdict::{Refused, Verdict};

/// Verifies credentials by the gateway.
pub struct Admission {
    /// The gateway.
    pub gateway: Arc<dyn Gateway>,
    /// Verifies what the gateway mints.
    pub verifier: Verifier,
    /// The time.
    pub clock: Clock,
}

impl Admission {
    /// Who the credential belongs to.
    ///
    /// # Errors
    /// The verdict, where it is none that lets pass.
    pub async fn identify(&self, asked: &Asked<'_>, presented: Presented) -> Result<Arc<Identity>, Verdict> {
        let caller = Caller { source: asked.source, ..Caller::default() };
        let (kind, login, secret) = match presented {
            Presented::Basic { login, secret } => (kind::APP, login, secret),
            Presented::Bearer(secret) => (kind::BEARER, String::new(), secret),
        };
        let credentials = Credentials { client_id: login, secret, caller };
        let token = self.gateway.token(kind, &credentials).await.map_err(|error| verdict(&error))?;
        let claims = self.verifier.verify(self.clock.now(), &token).map_err(|error| {
            tracing::error!(%error, "the gateway's token is not accepted here: is OCIS_JWT_SECRET the same?");
            Verdict::Unavailable
        })?;
        Ok(Arc::new(Identity { token, claims }))
    }
}

fn verdict(error: &AuthError) -> Verdict {
    match error {
        AuthError::Refused(_) | AuthError::UnknownUser | AuthError::UnknownType { .. } | AuthError::Malformed(_) => {
            Verdict::Unauthenticated(Refused::Invalid)
        }
        AuthError::NotPermitted(_) => Verdict::Forbidden,
        AuthError::Busy { retry_after } => Verdict::Busy { retry_after: *retry_after },
        AuthError::Unavailable { .. } | AuthError::Internal(_) => {
            tracing::warn!(%error, "the gateway cannot be asked");
            Verdict::Unavailable
        }
    }
}
