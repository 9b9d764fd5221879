//! An access token of the issuer becomes a person of our directory.

use std::sync::Arc;

use async_trait::async_trait;
use authn::{AuthError, Authenticated, Authenticator, Claim, Credentials, Directory, Groups, Reason, User};
use runtime::Clock;
use secrecy::ExposeSecret;

use crate::cache::KeyCache;
use crate::config::Oidc;
use crate::jwt::{Claims, Rules, Unverified};

/// Verifies access tokens. `client_id` of the credentials says nothing.
pub struct Bearer {
    rules: Rules,
    keys: KeyCache,
    oidc: Oidc,
    directory: Arc<dyn Directory>,
    groups: Groups,
    clock: Clock,
}

impl Bearer {
    /// Verifies tokens with these keys and finds their people in this directory.
    pub fn new(oidc: Oidc, keys: KeyCache, directory: Arc<dyn Directory>, groups: Groups, clock: Clock) -> Self {
        let audience = Some(oidc.audience.clone()).filter(|audience| !audience.is_empty());
        let rules = Rules { issuer: oidc.issuer.clone(), audience };
        Self { rules, keys, oidc, directory, groups, clock }
    }

    async fn verify(&self, token: &str) -> Result<Claims, AuthError> {
        if token.is_empty() {
            return Err(AuthError::Refused(Reason::EmptySecret));
        }
        let token = Unverified::parse(token).map_err(AuthError::Refused)?;
        token.check(&self.rules, self.clock.now()).map_err(AuthError::Refused)?;
        let key = self.keys.find(token.kid.as_deref(), token.algorithm).await;
        let key = key.map_err(|error| AuthError::Unavailable { service: "the issuer", source: Box::new(error) })?;
        let key = key.ok_or(AuthError::Refused(Reason::ForeignToken))?;
        token.verify(&key).map_err(AuthError::Refused)
    }

    async fn person(&self, claims: &Claims) -> Result<Arc<User>, AuthError> {
        let value = claims.text(&self.oidc.id_claim).ok_or(AuthError::Refused(Reason::Malformed))?.to_owned();
        // `sub` is never reassigned and names an id; any other claim is a login name
        let claim = if self.oidc.id_claim == "sub" { Claim::UserId(value) } else { Claim::Username(value) };
        let found = self.directory.user_by_claim(&claim, self.groups).await;
        let user = found.map_err(|error| error.into_auth(AuthError::Refused(Reason::UnknownUser)))?;
        if !user.is_active() {
            return Err(AuthError::Refused(Reason::Disabled));
        }
        Ok(self.with_numbers(user, claims))
    }

    /// The POSIX numbers that the token states, if it is configured that they count.
    fn with_numbers(&self, user: Arc<User>, claims: &Claims) -> Arc<User> {
        let stated = |name: &str| if name.is_empty() { None } else { claims.number(name) };
        match (stated(&self.oidc.uid_claim), stated(&self.oidc.gid_claim)) {
            (None, None) => user,
            (uid, gid) => {
                let mut user = Arc::unwrap_or_clone(user);
                user.uid_number = uid.unwrap_or(user.uid_number);
                user.gid_number = gid.unwrap_or(user.gid_number);
                Arc::new(user)
            }
        }
    }
}

#[async_trait]
impl Authenticator for Bearer {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let claims = self.verify(credentials.secret.expose_secret()).await?;
        let user = self.person(&claims).await?;
        Ok(Authenticated { not_after: Some(claims.expires), ..Authenticated::full(user, "oidc") })
    }
}
