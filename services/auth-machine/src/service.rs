use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use authn::audit::Event;
use authn::{
    AuthError, Authenticated, Authenticator, Caller, Claim, Credentials, Directory, Groups, Reason, Revalidate, amr,
};
use bounded_cache::HeapSize;
use secrecy::ExposeSecret;
use tracing::field::display;

use crate::{
    key::Keys,
    policy::{Decision, Policy},
};

/// What an anonymous holder of the machine key is called where a name is needed.
const UNNAMED_CALLER: &str = "machine";

/// What an operator does about a directory without roles.
const ROLES_UNKNOWN: &str = "impersonation is refused: the directory knows no roles (LDAP, or another gateway), so that 'users' in AUTH_MACHINE_ALLOW_IMPERSONATION cannot leave administrators out; set AUTH_MACHINE_ALLOW_IMPERSONATION=*=users,*=admins if the key may act as both";

/// The remedy for a forwarded caller's name that is not trusted.
const UNTRUSTED_GATEWAY: &str = "impersonation is refused: the peer forwards the name of its caller and is not in AUTH_MACHINE_TRUSTED_GATEWAYS, so that no rule for a named caller holds; add the peer's name there if it is a gateway";

/// Lets a holder of the machine key act for a user.
pub(crate) struct Machine {
    pub(crate) keys: Arc<Keys>,
    pub(crate) policy: Policy,
    /// The names of peers that may forward the names of their callers.
    pub(crate) gateways: Arc<[String]>,
    pub(crate) directory: Arc<dyn Directory>,
}

#[async_trait]
impl Authenticator for Machine {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let caller = name_of(&credentials.caller, &self.gateways);
        let verdict = self.decide(credentials, caller).await;
        let (outcome, reason, subject) = match &verdict {
            Ok(answer) => ("granted", "", &answer.user.id.opaque_id),
            Err(error) => ("refused", error.reason(), &credentials.client_id),
        };
        audit(&credentials.caller, caller, outcome, reason, subject);
        verdict
    }
}

impl Machine {
    async fn decide(&self, credentials: &Credentials, caller: Option<&str>) -> Result<Authenticated, AuthError> {
        let secret = credentials.secret.expose_secret();
        if secret.is_empty() {
            return Err(AuthError::Refused(Reason::EmptySecret));
        }
        // before the checks, so that no change between this and the answer is missed
        let (replacements, changes) = (self.keys.replacements(), self.directory.changes());
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
        let revalidate = changes.map(|changes| -> Arc<dyn Revalidate> {
            Arc::new(Impersonation {
                keys: Arc::clone(&self.keys),
                directory: Arc::clone(&self.directory),
                gateways: Arc::clone(&self.gateways),
                replacements,
                changes,
                caller: caller.map(str::to_owned),
                subject: user.id.opaque_id.clone(),
            })
        });
        let actor = caller.unwrap_or(UNNAMED_CALLER);
        Ok(Authenticated { actor: Some(actor.into()), revalidate, ..Authenticated::full(user, amr::MACHINE) })
    }
}

/// An impersonation that was allowed. It stays so while the keys, the directory and the caller's name are the same, since nothing else
/// decides. Each use is an audit event of its own.
struct Impersonation {
    keys: Arc<Keys>,
    directory: Arc<dyn Directory>,
    gateways: Arc<[String]>,
    /// The replacements of keys and the changes of the directory before the checks.
    replacements: u64,
    changes: u64,
    caller: Option<String>,
    subject: String,
}

impl HeapSize for Impersonation {
    fn heap_size(&self) -> usize {
        // the rest is shared by all
        self.caller.heap_size() + self.subject.heap_size()
    }
}

impl Revalidate for Impersonation {
    fn is_still_valid(&self, caller: &Caller) -> bool {
        let name = name_of(caller, &self.gateways);
        let holds = name == self.caller.as_deref()
            && self.keys.replacements() == self.replacements
            && self.directory.changes() == Some(self.changes);
        if holds {
            audit(caller, name, "granted", "", &self.subject);
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

/// Writes one audit event for each attempt, before the response is sent. `name` is the caller's, if it has one.
fn audit(caller: &Caller, name: Option<&str>, outcome: &str, reason: &str, subject: &str) {
    Event {
        reason: &reason,
        subject: &subject,
        caller: &name.unwrap_or(UNNAMED_CALLER),
        peer: &caller.identity,
        source: &caller.source.map(display),
        act: &name.unwrap_or(UNNAMED_CALLER),
        trace_id: &display(&caller.trace_id),
        ..Event::new("impersonation", outcome)
    }
    .log();
}

#[cfg(test)]
mod tests {
    use authn::role;
    use authn::testing::{MemoryDirectory, user};
    use runtime::{CapturedLog, Random};
    use tracing::Level;

    use super::*;

    /// Row M7.
    #[test]
    fn caller_is_named_by_what_a_trusted_gateway_forwards() {
        let gateways = [GATEWAY.to_owned()];
        let (gateway, proxy) = (Some(GATEWAY), Some(PROXY));
        assert_eq!(name_of(&caller(gateway, proxy), &gateways), proxy);
        assert_eq!(name_of(&caller(gateway, None), &gateways), None, "its caller has shown no certificate");
        assert_eq!(name_of(&caller(proxy, None), &gateways), proxy);
        let other = Some("spiffe://doorward/other");
        assert_eq!(name_of(&caller(other, proxy), &gateways), None, "it is no gateway");
        assert_eq!(name_of(&caller(gateway, proxy), &[]), None, "no setting names it");
        assert_eq!(name_of(&caller(None, proxy), &gateways), None);
        assert_eq!(name_of(&caller(None, None), &gateways), None);
    }

    const GATEWAY: &str = "spiffe://doorward/gateway";
    const PROXY: &str = "spiffe://doorward/proxy";
    const KEY: &str = "a-machine-key-of-at-least-32-characters";

    fn directory() -> Arc<MemoryDirectory> {
        let root = user("root").with_roles(vec![role::ADMIN.to_owned()]);
        MemoryDirectory::new([user("einstein").with_roles(Vec::new()), root])
    }

    fn machine(rules: &[&str]) -> Machine {
        let rules: Vec<_> = rules.iter().map(|&rule| rule.to_owned()).collect();
        let keys = Keys::new([&KEY.into(), &"".into()], &Random::system());
        let policy = Policy::parse(&rules).expect("rules");
        Machine { keys: Arc::new(keys), policy, gateways: [GATEWAY.to_owned()].into(), directory: directory() }
    }

    fn caller(identity: Option<&str>, forwarded: Option<&str>) -> Caller {
        let [identity, forwarded] = [identity, forwarded].map(|name| name.map(str::to_owned));
        Caller { identity, forwarded, ..Caller::default() }
    }

    /// Row M4: before the caller has the answer there is one event, which names the caller, the peer and the user.
    #[tokio::test]
    async fn every_attempt_is_one_audit_event() {
        let log = CapturedLog::start(Level::INFO);
        let machine = machine(&[&format!("{PROXY}=users")]);
        for (login, secret) in [("einstein", KEY), ("root", KEY), ("einstein", "another key")] {
            let caller = Caller { trace_id: "4bf92f35".to_owned(), ..caller(Some(GATEWAY), Some(PROXY)) };
            let credentials = Credentials { client_id: login.to_owned(), secret: secret.into(), caller };
            let _ = machine.authenticate(&credentials).await;
        }
        let (text, events) = (log.text(), log.audit_events());
        assert_eq!(text.lines().count(), events.len(), "{text}");
        let fields: Vec<_> = events
            .iter()
            .map(|event| ["outcome", "reason", "caller", "peer", "trace_id"].map(|name| event[name].as_str()))
            .collect();
        let event = |outcome, reason| [outcome, reason, PROXY, GATEWAY, "4bf92f35"].map(Some);
        assert_eq!(fields, [event("granted", ""), event("refused", "policy"), event("refused", "wrong_secret")]);
        assert!(!text.contains(KEY) && !text.contains("another key"));
    }

    /// Rows M2, M3 and M4: an allowed impersonation is valid for the same caller only, ends with the key and with any change of the
    /// directory, and each use of it is an audit event.
    #[tokio::test]
    async fn allowed_impersonation_is_valid_until_key_directory_or_caller_changes() {
        let log = CapturedLog::start(Level::INFO);
        let users = directory();
        let machine =
            Machine { directory: Arc::<MemoryDirectory>::clone(&users), ..machine(&[&format!("{PROXY}=users")]) };
        let (proxy, other) = (caller(Some(GATEWAY), Some(PROXY)), caller(Some(GATEWAY), Some("other")));
        let allowed = async || {
            let credentials = Credentials { caller: proxy.clone(), ..Credentials::new("einstein", KEY) };
            machine.authenticate(&credentials).await.expect("is allowed").revalidate.expect("can be checked again")
        };

        let first = allowed().await;
        assert!(first.is_still_valid(&proxy));
        assert_eq!(log.audit_events().len(), 2, "{}", log.text());
        assert!(
            !first.is_still_valid(&other)
                && !first.is_still_valid(&caller(Some(PROXY), Some(PROXY)))
                && !first.is_still_valid(&Caller::default())
        );
        assert_eq!(log.audit_events().len(), 2, "what is not valid any more is decided anew");

        users.put(user("marie"));
        assert!(!first.is_still_valid(&proxy));
        let second = allowed().await;
        assert!(second.is_still_valid(&proxy));
        machine.keys.replace([&KEY.into(), &"".into()]);
        assert!(!second.is_still_valid(&proxy), "the key was read again and may be another");
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
