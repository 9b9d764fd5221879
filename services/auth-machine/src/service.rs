#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use authn::audit::Event;
use authn::trace::record_workload;
use authn::{
    AuthError, Authenticated, Authenticator, Caller, Claim, Credentials, Directory, Groups, Reason, Revalidate, Scopes,
    User, amr,
};
use bounded_cache::HeapSize;
use runtime::Clock;
use secrecy::ExposeSecret;
use tracing::Span;
use tracing::field::display;
use workload::{Act, Proof, Workload, Workloads};

use crate::{
    key::Keys,
    policy::{Decision, Policy},
};

/// What an anonymous holder of the machine key is called where a name is needed.
const UNNAMED_CALLER: &str = "machine";

/// What an operator does about a directory without roles.
const ROLES_UNKNOWN: &str = "impersonation is refused: the directory knows no roles (LDAP, or another gateway), so that 'users' in AUTH_MACHINE_ALLOW_IMPERSONATION cannot leave administrators out; set AUTH_MACHINE_ALLOW_IMPERSONATION=*=users,*=admins if the key may act as both";

/// The same where the policy for workloads cannot leave administrators out.
const WORKLOAD_ROLES_UNKNOWN: &str = "impersonation is refused: the directory knows no roles (LDAP, or another gateway), so that '*' and groups in the policy for workloads cannot leave administrators out; name the users, or add the role admin to the entry if it may act for them too";

/// The remedy for a forwarded caller's name that is not trusted.
const UNTRUSTED_GATEWAY: &str = "impersonation is refused: the peer forwards the name of its caller and is not in AUTH_MACHINE_TRUSTED_GATEWAYS, so that no rule for a named caller holds; add the peer's name there if it is a gateway";

/// Lets a holder of the machine key, or a workload of the policy, act for a user.
pub(crate) struct Machine {
    pub(crate) keys: Arc<Keys>,
    /// The rules for holders of the key.
    pub(crate) policy: Policy,
    /// Verifies workloads and has the policy for them; `None` without a policy file.
    pub(crate) workloads: Option<Arc<Workloads>>,
    /// The names of peers that may forward the names of their callers.
    pub(crate) gateways: Arc<[String]>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) clock: Clock,
}

/// By what a caller has proved who it is.
#[derive(Clone)]
enum Proved {
    /// By the machine key, which all its holders share.
    Key,
    /// As a workload.
    Workload(Arc<Workload>),
}

/// What decides, as it was before the checks: no change between this and the answer is missed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Before {
    /// The replacements of keys.
    replacements: u64,
    /// The generation of the policy for workloads and of what verifies them.
    generation: u64,
    /// The changes of the directory, if it tells them.
    changes: Option<u64>,
}

impl Before {
    fn of(keys: &Keys, workloads: Option<&Workloads>, directory: &dyn Directory) -> Self {
        let generation = workloads.map(Workloads::generation).unwrap_or_default();
        Self { replacements: keys.replacements(), generation, changes: directory.changes() }
    }
}

/// What an entry of the policy for workloads, or a rule for the key, allows.
struct Permission {
    scopes: Arc<Scopes>,
    /// When it ends at the latest.
    not_after: Option<SystemTime>,
}

#[async_trait]
impl Authenticator for Machine {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let caller = credentials.caller.name(&self.gateways);
        let before = Before::of(&self.keys, self.workloads.as_deref(), &*self.directory);
        let (proved, verdict) = match self.identify(credentials, caller).await {
            Ok(proved) => {
                if let Proved::Workload(workload) = &proved {
                    record_workload(&Span::current(), &workload.identity, workload.proof.name());
                }
                let verdict = self.decide(credentials, caller, (&proved, before)).await;
                (Some(proved), verdict)
            }
            Err(error) => (None, Err(error)),
        };
        let (outcome, reason, subject) = match &verdict {
            Ok(answer) => ("granted", "", &answer.user.id.opaque_id),
            Err(error) => ("refused", error.reason(), &credentials.client_id),
        };
        audit((&credentials.caller, caller), proved.as_ref(), outcome, reason, subject);
        verdict
    }
}

impl Machine {
    /// Who the caller is: a holder of the key or, where there is a policy for workloads, the holder of a token, or without a secret that of
    /// the certificate by this name (row [M18](../../../docs/security-requirements.md#m18)). A token is never compared with the key.
    async fn identify(&self, credentials: &Credentials, caller: Option<&str>) -> Result<Proved, AuthError> {
        let secret = credentials.secret.expose_secret();
        let refuse = |reason| Err(AuthError::Refused(reason));
        match (&self.workloads, caller) {
            (Some(workloads), Some(name)) if secret.is_empty() => {
                let workload = workloads.certificate(name).ok_or(AuthError::Refused(Reason::EmptySecret))?;
                Ok(Proved::Workload(Arc::new(workload)))
            }
            (workloads, _) if secret.is_empty() => {
                if workloads.is_some() {
                    warn_of_untrusted_gateway(&credentials.caller, caller);
                }
                refuse(Reason::EmptySecret)
            }
            (Some(workloads), _) if Workloads::is_token(secret) => {
                Ok(Proved::Workload(workloads.verify(secret, self.clock.now()).await?))
            }
            _ if self.keys.accept(secret) => Ok(Proved::Key),
            _ => refuse(Reason::WrongSecret),
        }
    }

    async fn decide(
        &self,
        credentials: &Credentials,
        caller: Option<&str>,
        (proved, before): (&Proved, Before),
    ) -> Result<Authenticated, AuthError> {
        if let Proved::Workload(workload) = proved
            && !self.workloads.as_ref().is_some_and(|workloads| workloads.policy().lets_act(workload))
        {
            // before it learns which users there are
            return Err(AuthError::NotPermitted(Reason::Policy));
        }
        let claim = claim_of(&credentials.client_id);
        let found = self.directory.user_by_claim(&claim, Groups::Include).await;
        let user = found.map_err(|error| error.into_auth(AuthError::UnknownUser))?;
        if !user.is_active() {
            return Err(AuthError::UnknownUser);
        }
        let Permission { scopes, not_after } = match proved {
            Proved::Key => self.permit_key(&credentials.caller, caller, &user)?,
            Proved::Workload(workload) => self.permit_workload(workload, &user)?,
        };
        let revalidate = before.changes.map(|_| -> Arc<dyn Revalidate> {
            Arc::new(Impersonation {
                keys: Arc::clone(&self.keys),
                workloads: self.workloads.clone(),
                directory: Arc::clone(&self.directory),
                gateways: Arc::clone(&self.gateways),
                before,
                proved: proved.clone(),
                caller: caller.map(str::to_owned),
                subject: user.id.opaque_id.clone(),
            })
        });
        let actor = Some(actor(Some(proved), caller).into());
        Ok(Authenticated { scopes, not_after, actor, revalidate, ..Authenticated::full(user, amr::MACHINE) })
    }

    /// Whether a holder of the key by this name may act for a user.
    fn permit_key(&self, peer: &Caller, caller: Option<&str>, user: &Arc<User>) -> Result<Permission, AuthError> {
        match self.policy.decide(caller, user) {
            Decision::Allowed => {
                let Authenticated { scopes, not_after, .. } = Authenticated::full(Arc::clone(user), amr::MACHINE);
                Ok(Permission { scopes, not_after })
            }
            Decision::Denied => {
                warn_of_untrusted_gateway(peer, caller);
                Err(AuthError::NotPermitted(Reason::Policy))
            }
            Decision::RolesUnknown => {
                tracing::warn!(subject = user.id.opaque_id, "{ROLES_UNKNOWN}");
                Err(AuthError::NotPermitted(Reason::Policy))
            }
        }
    }

    /// Whether a workload may act for a user, by the policy for workloads (row [M17](../../../docs/security-requirements.md#m17)).
    fn permit_workload(&self, workload: &Workload, user: &User) -> Result<Permission, AuthError> {
        let decision = self.workloads.as_ref().map(|workloads| workloads.policy().decide(workload, Act::User(user)));
        match decision {
            Some(workload::Decision::Allowed(entry)) => {
                let end = entry.lifetime().map(|lifetime| self.clock.now() + lifetime);
                let not_after = [workload.expires, end].into_iter().flatten().min();
                Ok(Permission { scopes: Arc::clone(entry.scopes()), not_after })
            }
            Some(workload::Decision::RolesUnknown) => {
                tracing::warn!(subject = user.id.opaque_id, workload = &*workload.identity, "{WORKLOAD_ROLES_UNKNOWN}");
                Err(AuthError::NotPermitted(Reason::Policy))
            }
            Some(workload::Decision::Denied) | None => Err(AuthError::NotPermitted(Reason::Policy)),
        }
    }
}

/// Says what an operator does about a forwarded name that does not count.
fn warn_of_untrusted_gateway(peer: &Caller, name: Option<&str>) {
    if let Caller { identity: Some(peer), forwarded: Some(_), .. } = peer
        && name.is_none()
    {
        tracing::warn!(peer, "{UNTRUSTED_GATEWAY}");
    }
}

/// An impersonation that was allowed. It stays so while the keys, the policy for workloads, the directory and the caller's name are the
/// same, since nothing else decides; a token proves who its holder is, whatever the name. Each use is an audit event of its own.
struct Impersonation {
    keys: Arc<Keys>,
    workloads: Option<Arc<Workloads>>,
    directory: Arc<dyn Directory>,
    gateways: Arc<[String]>,
    before: Before,
    proved: Proved,
    caller: Option<String>,
    subject: String,
}

impl HeapSize for Impersonation {
    fn heap_size(&self) -> usize {
        let workload = match &self.proved {
            Proved::Key => 0,
            Proved::Workload(workload) => workload.heap_size(),
        };
        // the rest is shared by all
        self.caller.heap_size() + self.subject.heap_size() + workload
    }
}

impl Revalidate for Impersonation {
    fn is_still_valid(&self, caller: &Caller) -> bool {
        let name = caller.name(&self.gateways);
        let is_same = match &self.proved {
            Proved::Workload(workload) if workload.proof != Proof::Certificate => true,
            Proved::Key | Proved::Workload(_) => name == self.caller.as_deref(),
        };
        let now = Before::of(&self.keys, self.workloads.as_deref(), &*self.directory);
        let holds = is_same && now == self.before;
        if holds {
            audit((caller, name), Some(&self.proved), "granted", "", &self.subject);
        }
        holds
    }
}

impl fmt::Debug for Impersonation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Impersonation")
            .field("caller", &self.caller)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

/// Who acts: the workload, or the holder of the key by its name if it has one.
fn actor<'a>(proved: Option<&'a Proved>, caller: Option<&'a str>) -> &'a str {
    match proved {
        Some(Proved::Workload(workload)) => &workload.identity,
        Some(Proved::Key) | None => caller.unwrap_or(UNNAMED_CALLER),
    }
}

/// `claim:value` where the claim is one a user can be found by; any other text is a login name as a whole.
fn claim_of(client_id: &str) -> Claim {
    client_id
        .split_once(':')
        .and_then(|(name, value)| Claim::parse(name, value))
        .unwrap_or_else(|| Claim::Username(client_id.to_owned()))
}

/// Writes one audit event for each attempt, before the response is sent. `name` is the caller's, if it has one.
fn audit((caller, name): (&Caller, Option<&str>), proved: Option<&Proved>, outcome: &str, reason: &str, subject: &str) {
    let workload = match proved {
        Some(Proved::Workload(workload)) => Some(&**workload),
        Some(Proved::Key) | None => None,
    };
    let proof = proved.map(|_| workload.map_or("key", |workload| workload.proof.name()));
    Event {
        reason: &reason,
        subject: &subject,
        proof: &proof,
        issuer: &workload.map(|workload| &*workload.issuer).filter(|issuer| !issuer.is_empty()),
        token: &workload.and_then(|workload| workload.token.as_deref()),
        caller: &actor(proved, name),
        peer: &caller.identity,
        source: &caller.source.map(display),
        act: &actor(proved, name),
        trace_id: &display(&caller.trace_id),
        ..Event::new("impersonation", outcome)
    }
    .log();
}
