//! Transaction tokens: issued to workloads as the policy allows, for the bearer of an internal token or for one who has just
//! authenticated.

mod authentication;
mod http;
mod policy;
mod service;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use authn::audit::Event;
use authn::gateway::{TransactionKeySet, TransactionWanted};
use authn::trace::record_delegation;
use authn::{Actor, AuthError, Authenticated, BoxError, Caller, Grants, Reason, Scopes, User};
use oidc::scope::Scopes as OAuthScopes;
use runtime::{Clock, Context, FileValue, TransactionRequests};
use status::Kind;
use token::transaction::{
    Authority, KeySource, Minted, ReplacementRequest, Subject, SubjectType, TransactionClaims, TransactionDefect,
    TransactionError, TransactionKeys, TransactionMinter, TransactionRequest, TransactionVerifier, WorkloadPolicy,
};
use token::{Claims, TokenError, Verifier};
use tracing::Span;
use tracing::field::display;

use crate::{Config, Gateway};
pub(crate) use authentication::{REQUEST_KEY, TOKEN_KEY, requested};
use policy::EDGE;
pub(crate) use policy::Policies;
pub(crate) use service::TransactionService;

/// Issues transaction tokens.
pub(crate) struct Transactions {
    keys: Arc<TransactionKeys>,
    minter: TransactionMinter,
    /// Verifies the transaction tokens that are to be replaced.
    replaced: TransactionVerifier,
    /// Verifies internal tokens.
    internal: Verifier,
    /// `None` where no file is set: then only the edge in the same process may request tokens.
    policies: Option<Arc<FileValue<Policies>>>,
    lifetime: Duration,
    requests: TransactionRequests,
    clock: Clock,
}

/// A workload that requests a token, and what it may request.
struct Workload<'a> {
    name: &'a str,
    policy: Cow<'a, WorkloadPolicy>,
}

/// Whose transaction it is.
struct Holder<'a> {
    user: &'a User,
    scopes: &'a Scopes,
    actor: Option<&'a Actor>,
    not_after: SystemTime,
}

/// What is requested, and of whose transaction, as far as that is known.
#[derive(Clone, Copy)]
enum Requested<'a> {
    /// The first token of a transaction of this user.
    First(Option<&'a User>),
    /// A token in place of the one with these claims.
    Replacement(Option<&'a TransactionClaims>),
}

/// Why no transaction token is issued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The caller has no certificate with a name in the policy.
    #[error("the policy does not allow the caller to request transaction tokens")]
    Workload,
    /// The request is not one.
    #[error("{0}")]
    Malformed(&'static str),
    /// The internal token is not accepted.
    #[error(transparent)]
    Internal(#[from] TokenError),
    /// The user is disabled.
    #[error("the user may not sign in")]
    Disabled,
    /// The transaction token that is to be replaced is not accepted.
    #[error("the transaction token is invalid")]
    Replaced(#[source] TransactionDefect),
    /// The token would say more than the policy and the subject allow.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
}

impl Refusal {
    /// The kind, which decides the gRPC code.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Workload | Self::Disabled | Self::Replaced(_) => Kind::PermissionDenied,
            Self::Malformed(_) => Kind::InvalidArgument,
            Self::Internal(error) => error.kind(),
            Self::Transaction(error) => error.kind(),
        }
    }

    /// The reason code of the audit log.
    fn reason(&self) -> &'static str {
        match self {
            Self::Workload => "caller",
            Self::Malformed(_) => "malformed",
            Self::Internal(error) => error.reason(),
            Self::Disabled => "disabled",
            Self::Replaced(defect) => defect.code(),
            Self::Transaction(error) => error.reason(),
        }
    }
}

impl From<Refusal> for AuthError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Malformed(problem) | Refusal::Transaction(TransactionError::Malformed(problem)) => {
                Self::Malformed(problem)
            }
            _ => Self::NotPermitted(Reason::Policy),
        }
    }
}

/// The error of a request for a transaction token where none are issued.
pub(crate) fn unavailable() -> AuthError {
    AuthError::Unavailable { service: "gateway", source: "OCIS_TRANSACTION_SECRET is not set at the gateway".into() }
}

impl Transactions {
    /// Those of the configuration; `None` where no secret is set.
    ///
    /// # Errors
    /// When the secret or the policy cannot be used.
    pub(crate) fn open(config: &Config, internal: Verifier, context: &Context) -> Result<Option<Self>, BoxError> {
        let Some(keys) = runtime::transaction_keys::<Gateway>(config, |config| config.transactions.clone(), context)?
        else {
            return Ok(None);
        };
        let (random, lifetime) = (context.random.clone(), config.transactions.lifetime);
        let trust_domain = &config.transactions.trust_domain;
        let minter = TransactionMinter::new(Arc::clone(&keys), trust_domain);
        let policies = policy::follow(config.transaction_policy_file.as_deref(), lifetime, context)?;
        let service = <Gateway as runtime::Service>::IDENTITY.name;
        Ok(Some(Self {
            replaced: TransactionVerifier::new(trust_domain, KeySource::Derived(Arc::clone(&keys))),
            keys,
            minter: minter.with_identifiers(move || random.bytes()),
            internal,
            policies,
            lifetime,
            requests: TransactionRequests::new(&context.metrics, service),
            clock: context.clock.clone(),
        }))
    }

    /// The public keys as a JSON Web Key Set.
    fn key_set(&self) -> Arc<[u8]> {
        self.keys.published(self.clock.now())
    }

    /// The same with the trust domain of the tokens.
    pub(crate) fn key_set_of_domain(&self) -> TransactionKeySet {
        let trust_domain = self.minter.trust_domain().to_owned();
        TransactionKeySet { jwks: self.key_set().to_vec(), trust_domain }
    }

    /// A token for the bearer of an internal token, requested by a caller in another process; valid for `lifetime` at most.
    fn mint(
        &self,
        caller: &Caller,
        internal_token: &str,
        wanted: &TransactionWanted,
        lifetime: Option<Duration>,
    ) -> Result<Minted, Refusal> {
        let mut claims = None;
        let outcome = self.for_caller(caller, lifetime, |workload| {
            let claims = claims.insert(self.internal.verify(self.clock.now(), internal_token)?);
            self.issue(workload, &Holder::of_claims(claims), wanted)
        });
        self.record(caller, Requested::First(claims.as_ref().map(|claims| &claims.user)), wanted, &outcome);
        outcome
    }

    /// A token for the bearer of an internal token, requested by the edge in this process, to which the span of the request belongs.
    pub(crate) fn mint_for_edge(
        &self,
        internal_token: &str,
        wanted: &TransactionWanted,
        caller: &Caller,
    ) -> Result<Minted, Refusal> {
        let mut claims = None;
        let policies = self.policies.as_ref().map(|policies| policies.current());
        let policy = match &policies {
            Some(policies) => policies.of_edge().map(Cow::Borrowed).ok_or(Refusal::Workload),
            // the routes of the operator are the policy
            None => everything_of(wanted, self.lifetime).map(Cow::Owned).map_err(Refusal::from),
        };
        let outcome = policy.and_then(|policy| {
            let claims = claims.insert(self.internal.verify(self.clock.now(), internal_token)?);
            self.issue(&Workload { name: EDGE, policy }, &Holder::of_claims(claims), wanted)
        });
        self.record(caller, Requested::First(claims.as_ref().map(|claims| &claims.user)), wanted, &outcome);
        outcome
    }

    /// A token for a user who has just authenticated, requested in the same call; `life` is that of the internal token.
    pub(crate) fn mint_with(
        &self,
        caller: &Caller,
        answer: &Authenticated,
        wanted: &TransactionWanted,
        life: Duration,
    ) -> Result<Minted, Refusal> {
        let end = self.clock.now() + life;
        let holder = Holder {
            user: &answer.user,
            scopes: &answer.scopes,
            actor: answer.actor.as_ref(),
            not_after: answer.not_after.map_or(end, |not_after| not_after.min(end)),
        };
        let outcome = self.for_caller(caller, None, |workload| self.issue(workload, &holder, wanted));
        self.record(caller, Requested::First(Some(&answer.user)), wanted, &outcome);
        outcome
    }

    /// The refusal of a call that requests no token that there could be.
    fn refuse(&self, caller: &Caller, wanted: &TransactionWanted, problem: &'static str) -> Result<Minted, Refusal> {
        let outcome = Err(Refusal::Malformed(problem));
        self.record(caller, Requested::First(None), wanted, &outcome);
        outcome
    }

    /// A token in place of one that a caller in another process has received; valid for `lifetime` at most.
    fn replace(
        &self,
        caller: &Caller,
        transaction_token: &str,
        wanted: &TransactionWanted,
        lifetime: Option<Duration>,
    ) -> Result<Minted, Refusal> {
        let now = self.clock.now();
        let mut claims = None;
        let outcome = self.for_caller(caller, lifetime, |workload| {
            let verified = self.replaced.verify(now, transaction_token).map_err(Refusal::Replaced)?;
            let claims = claims.insert(verified);
            let request = ReplacementRequest::new(&wanted.scope, &wanted.details, &wanted.context)?;
            Ok(self.minter.replace(now, claims, &request, workload.name, &workload.policy)?)
        });
        self.record(caller, Requested::Replacement(claims.as_ref()), wanted, &outcome);
        outcome
    }

    /// Does this for the workload that a caller is by its certificate, and writes the transaction into the span of its call.
    fn for_caller(
        &self,
        caller: &Caller,
        lifetime: Option<Duration>,
        issue: impl FnOnce(&Workload<'_>) -> Result<Minted, Refusal>,
    ) -> Result<Minted, Refusal> {
        let policies = self.policies.as_ref().map(|policies| policies.current());
        let (name, policy) =
            policies.as_ref().and_then(|policies| policies.of_caller(caller)).ok_or(Refusal::Workload)?;
        let policy = match lifetime.filter(|shorter| *shorter < policy.lifetime) {
            Some(lifetime) => Cow::Owned(WorkloadPolicy { lifetime, ..policy.clone() }),
            None => Cow::Borrowed(policy),
        };
        let minted = issue(&Workload { name, policy })?;
        let TransactionClaims { subject, actor, transaction, .. } = &minted.claims;
        record_delegation(&Span::current(), subject, actor.as_ref(), Some(transaction));
        Ok(minted)
    }

    fn issue(
        &self,
        workload: &Workload<'_>,
        holder: &Holder<'_>,
        wanted: &TransactionWanted,
    ) -> Result<Minted, Refusal> {
        let Holder { user, scopes, actor, not_after } = *holder;
        if !user.is_active() {
            return Err(Refusal::Disabled);
        }
        let own = if scopes.is_full_user() { None } else { Some(scope_of(scopes)?) };
        let authority = own.as_ref().map_or(Authority::WholeUser, Authority::Scopes);
        let kind = SubjectType::of(user.id.kind);
        let subject = Subject { id: &user.id.opaque_id, kind, actor, authority, not_after };
        let request = request(wanted)?;
        Ok(self.minter.mint(self.clock.now(), &subject, &request, workload.name, &workload.policy)?)
    }

    /// Counts and logs what has become of a request. The token itself is never logged (`docs/security-requirements.md#x10`).
    fn record(
        &self,
        caller: &Caller,
        requested: Requested<'_>,
        wanted: &TransactionWanted,
        outcome: &Result<Minted, Refusal>,
    ) {
        let replaces = matches!(requested, Requested::Replacement(_));
        self.requests.record(replaces, outcome.is_ok());
        let (source, trace_id) = (caller.source.map(display), display(&caller.trace_id));
        let event = Event {
            peer: &caller.identity,
            source: &source,
            trace_id: &trace_id,
            ..Event::new("transaction_token", "refused")
        };
        match outcome {
            Ok(Minted { claims, .. }) => {
                let (scope, act) = (display(&claims.scope), claims.actor.as_ref().map(display));
                let (caller, outcome) = (claims.requesters.last(), if replaces { "replaced" } else { "minted" });
                let event = Event { subject: &claims.subject, caller: &caller, outcome, ..event };
                Event { act: &act, txn: &claims.transaction, scope: &scope, ..event }.log();
            }
            Err(refusal) => {
                let (reason, subject, txn) = (refusal.reason(), requested.subject(), requested.transaction());
                let scope: String = wanted.scope.chars().take(256).collect();
                Event { reason: &reason, subject: &subject, txn: &txn, scope: &scope, ..event }.log();
            }
        }
    }
}

impl<'a> Requested<'a> {
    fn subject(self) -> Option<&'a str> {
        match self {
            Self::First(user) => user.map(|user| user.id.opaque_id.as_str()),
            Self::Replacement(claims) => claims.map(|claims| claims.subject.as_str()),
        }
    }

    fn transaction(self) -> Option<&'a str> {
        match self {
            Self::First(_) => None,
            Self::Replacement(claims) => claims.map(|claims| claims.transaction.as_str()),
        }
    }
}

impl<'a> Holder<'a> {
    fn of_claims(claims: &'a Claims) -> Self {
        let Claims { user, scopes, actor, expires_at, .. } = claims;
        Self { user, scopes, actor: actor.as_ref(), not_after: *expires_at }
    }
}

fn request(wanted: &TransactionWanted) -> Result<TransactionRequest, TransactionError> {
    TransactionRequest::new(&wanted.scope, &wanted.details, &wanted.context)
}

/// A policy that allows what is requested, without replacements.
fn everything_of(wanted: &TransactionWanted, lifetime: Duration) -> Result<WorkloadPolicy, TransactionError> {
    let request = request(wanted)?;
    Ok(WorkloadPolicy {
        scopes: request.scope().iter().map(str::to_owned).collect(),
        details: request.details().keys().cloned().collect(),
        context: request.context().keys().cloned().collect(),
        may_replace: false,
        lifetime,
    })
}

/// What a credential of limited scope may do, as scope tokens. A scope that is not known here, like that of a share or of a service
/// for one purpose, gets no token (section 13.14, `docs/security-requirements.md#x4`).
fn scope_of(scopes: &Scopes) -> Result<OAuthScopes, TransactionError> {
    let mut scopes = scopes.clone();
    scopes.0.retain(|key, _| !Scopes::is_marker(key));
    let words = Grants::from_cs3(&scopes).map_err(|_| TransactionError::Scope)?.words();
    OAuthScopes::of(words.iter().map(String::as_str)).map_err(|_| TransactionError::Scope)
}
