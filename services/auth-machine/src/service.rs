use std::sync::Arc;

use async_trait::async_trait;
use authn::{AuthError, Authenticated, Authenticator, Caller, Claim, Credentials, Directory, Groups, Reason};
use secrecy::ExposeSecret;

use crate::{
    key::Keys,
    policy::{Decision, Policy},
};

/// What an anonymous holder of the machine key is called where a name is needed.
const UNNAMED_CALLER: &str = "machine";

/// What an operator does about a directory without roles.
const ROLES_UNKNOWN: &str = "impersonation is refused: the directory knows no roles (LDAP, or another gateway), so that 'users' in AUTH_MACHINE_ALLOW_IMPERSONATION cannot leave administrators out; set AUTH_MACHINE_ALLOW_IMPERSONATION=*=users,*=admins if the key may act as both";

/// Lets a holder of the machine key act for a user.
pub(crate) struct Machine {
    pub(crate) keys: Arc<Keys>,
    pub(crate) policy: Policy,
    pub(crate) directory: Arc<dyn Directory>,
}

#[async_trait]
impl Authenticator for Machine {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let verdict = self.decide(credentials).await;
        audit(credentials, &verdict);
        verdict
    }
}

impl Machine {
    async fn decide(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let secret = credentials.secret.expose_secret();
        if secret.is_empty() {
            return Err(AuthError::Refused(Reason::EmptySecret));
        }
        if !self.keys.accept(secret) {
            return Err(AuthError::Refused(Reason::WrongSecret));
        }
        let claim = claim_of(&credentials.client_id);
        let found = self.directory.user_by_claim(&claim, Groups::Include).await;
        let user = found.map_err(|error| error.into_auth(AuthError::UnknownUser))?;
        if !user.is_active() {
            return Err(AuthError::UnknownUser);
        }
        let caller = name_of(&credentials.caller);
        match self.policy.decide(caller, &user) {
            Decision::Allowed => {}
            Decision::Denied => return Err(AuthError::NotPermitted(Reason::Policy)),
            Decision::RolesUnknown => {
                tracing::warn!(subject = user.id.opaque_id, "{ROLES_UNKNOWN}");
                return Err(AuthError::NotPermitted(Reason::Policy));
            }
        }
        let actor = caller.unwrap_or(UNNAMED_CALLER);
        Ok(Authenticated { actor: Some(actor.to_owned()), ..Authenticated::full(user, "machine") })
    }
}

/// The name of who holds the key: behind a gateway that shows a certificate it is what that says of its own caller.
fn name_of(caller: &Caller) -> Option<&str> {
    caller.forwarded.as_deref().or(caller.identity.as_deref())
}

/// `claim:value` where the claim is one a user can be found by; any other text is a login name as a whole.
fn claim_of(client_id: &str) -> Claim {
    client_id
        .split_once(':')
        .and_then(|(name, value)| Claim::parse(name, value))
        .unwrap_or_else(|| Claim::Username(client_id.to_owned()))
}

/// One event for every attempt, before its outcome is told to anyone.
fn audit(credentials: &Credentials, verdict: &Result<Authenticated, AuthError>) {
    let caller = name_of(&credentials.caller).unwrap_or(UNNAMED_CALLER);
    let source = credentials.caller.source.map(tracing::field::display);
    let (outcome, reason) = match verdict {
        Ok(_) => ("granted", ""),
        Err(error) => ("refused", error.reason()),
    };
    let subject = verdict.as_ref().map_or(credentials.client_id.as_str(), |answer| &answer.user.id.opaque_id);
    tracing::info!(
        target: "audit",
        event = "impersonation",
        outcome,
        reason,
        subject,
        caller,
        source,
        trace_id = %credentials.caller.trace_id,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caller_behind_the_gateway_is_named_by_what_the_gateway_forwards() {
        let caller = |identity: Option<&str>, forwarded: Option<&str>| Caller {
            identity: identity.map(str::to_owned),
            forwarded: forwarded.map(str::to_owned),
            ..Caller::default()
        };
        let (gateway, proxy) = (Some("spiffe://doorward/gateway"), Some("spiffe://doorward/proxy"));
        assert_eq!(name_of(&caller(gateway, proxy)), proxy);
        assert_eq!(name_of(&caller(gateway, None)), gateway);
        assert_eq!(name_of(&caller(None, None)), None);
    }

    #[test]
    fn only_known_claims_divide_the_client_id() {
        assert_eq!(claim_of("userid:4c51:0ada"), Claim::UserId("4c51:0ada".into()));
        assert_eq!(claim_of("mail:e@example.org"), Claim::Mail("e@example.org".into()));
        assert_eq!(claim_of("uid:20000"), Claim::Uid("20000".into()));
        assert_eq!(claim_of("gid:30000"), Claim::Gid("30000".into()));
        assert_eq!(claim_of("username:einstein"), Claim::Username("einstein".into()));
        assert_eq!(claim_of("foo:bar"), Claim::Username("foo:bar".into()));
        assert_eq!(claim_of("einstein"), Claim::Username("einstein".into()));
    }
}
