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

/// What an operator does about a caller's name that is not believed.
const UNTRUSTED_GATEWAY: &str = "impersonation is refused: the peer forwards the name of its caller and is not in AUTH_MACHINE_TRUSTED_GATEWAYS, so that no rule for a named caller holds; add the peer's name there if it is a gateway";

/// Lets a holder of the machine key act for a user.
pub(crate) struct Machine {
    pub(crate) keys: Arc<Keys>,
    pub(crate) policy: Policy,
    /// The names of peers that may forward the names of their callers.
    pub(crate) gateways: Vec<String>,
    pub(crate) directory: Arc<dyn Directory>,
}

#[async_trait]
impl Authenticator for Machine {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let caller = name_of(&credentials.caller, &self.gateways);
        let verdict = self.decide(credentials, caller).await;
        audit(credentials, caller, &verdict);
        verdict
    }
}

impl Machine {
    async fn decide(&self, credentials: &Credentials, caller: Option<&str>) -> Result<Authenticated, AuthError> {
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
        match self.policy.decide(caller, &user) {
            Decision::Allowed => {}
            Decision::Denied => {
                if let Caller { identity: Some(peer), forwarded: Some(_), .. } = &credentials.caller
                    && caller.is_none()
                {
                    tracing::warn!(peer, "{UNTRUSTED_GATEWAY}");
                }
                return Err(AuthError::NotPermitted(Reason::Policy));
            }
            Decision::RolesUnknown => {
                tracing::warn!(subject = user.id.opaque_id, "{ROLES_UNKNOWN}");
                return Err(AuthError::NotPermitted(Reason::Policy));
            }
        }
        let actor = caller.unwrap_or(UNNAMED_CALLER);
        Ok(Authenticated { actor: Some(actor.to_owned()), ..Authenticated::full(user, "machine") })
    }
}

/// The name of who holds the key: the one in its certificate, or behind a gateway the one that the gateway forwards. A peer that is no
/// gateway and forwards a name is not asking for itself, so that it has none.
fn name_of<'a>(caller: &'a Caller, gateways: &[String]) -> Option<&'a str> {
    let peer = caller.identity.as_ref();
    if peer.is_some_and(|peer| gateways.contains(peer)) {
        return caller.forwarded.as_deref();
    }
    peer.filter(|_| caller.forwarded.is_none()).map(String::as_str)
}

/// `claim:value` where the claim is one a user can be found by; any other text is a login name as a whole.
fn claim_of(client_id: &str) -> Claim {
    client_id
        .split_once(':')
        .and_then(|(name, value)| Claim::parse(name, value))
        .unwrap_or_else(|| Claim::Username(client_id.to_owned()))
}

/// One event for every attempt, before its outcome is told to anyone.
fn audit(credentials: &Credentials, caller: Option<&str>, verdict: &Result<Authenticated, AuthError>) {
    let caller = caller.unwrap_or(UNNAMED_CALLER);
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
    fn m7_caller_is_named_by_what_a_trusted_gateway_forwards() {
        let caller = |identity: Option<&str>, forwarded: Option<&str>| Caller {
            identity: identity.map(str::to_owned),
            forwarded: forwarded.map(str::to_owned),
            ..Caller::default()
        };
        let gateways = ["spiffe://doorward/gateway".to_owned()];
        let (gateway, proxy) = (Some("spiffe://doorward/gateway"), Some("spiffe://doorward/proxy"));
        assert_eq!(name_of(&caller(gateway, proxy), &gateways), proxy);
        assert_eq!(name_of(&caller(gateway, None), &gateways), None, "its caller has shown no certificate");
        assert_eq!(name_of(&caller(proxy, None), &gateways), proxy);
        let other = Some("spiffe://doorward/other");
        assert_eq!(name_of(&caller(other, proxy), &gateways), None, "it is no gateway");
        assert_eq!(name_of(&caller(gateway, proxy), &[]), None, "no setting names it");
        assert_eq!(name_of(&caller(None, proxy), &gateways), None);
        assert_eq!(name_of(&caller(None, None), &gateways), None);
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
