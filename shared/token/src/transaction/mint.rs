use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::names::TYP;
use super::{
    MAX_TRANSACTION_TOKEN, ReplacementRequest, Requesters, Subject, TransactionClaims, TransactionError,
    TransactionKeys, TransactionRequest, WorkloadPolicy, narrowed,
};

/// The longest identifier of a subject, in bytes.
const MAX_SUBJECT: usize = 255;

/// Makes the 16 bytes that identify a transaction.
type Identifiers = Arc<dyn Fn() -> [u8; 16] + Send + Sync>;

/// Mints transaction tokens of one trust domain.
#[derive(Clone)]
pub struct TransactionMinter {
    keys: Arc<TransactionKeys>,
    trust_domain: Arc<str>,
    identifiers: Identifiers,
}

/// A minted token. Its `Debug` output has only the transaction.
pub struct Minted {
    /// The token: it is sent to services and never logged.
    pub token: String,
    /// What it says.
    pub claims: TransactionClaims,
}

impl std::fmt::Debug for Minted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Minted").field("transaction", &self.claims.transaction).finish_non_exhaustive()
    }
}

impl TransactionMinter {
    /// A minter of tokens for this trust domain.
    #[expect(clippy::disallowed_methods, reason = "only the default; `with_identifiers` makes randomness an argument")]
    pub fn new(keys: Arc<TransactionKeys>, trust_domain: &str) -> Self {
        Self { keys, trust_domain: trust_domain.into(), identifiers: Arc::new(rand::random) }
    }

    /// The same minter with another source of the identifiers of transactions than the process's random generator.
    #[must_use]
    pub fn with_identifiers(self, identifiers: impl Fn() -> [u8; 16] + Send + Sync + 'static) -> Self {
        Self { identifiers: Arc::new(identifiers), ..self }
    }

    /// The trust domain of the tokens.
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// The keys that sign the tokens.
    pub fn keys(&self) -> &Arc<TransactionKeys> {
        &self.keys
    }

    /// The first token of a new transaction: of this subject, as `workload` has requested it. The scope is within what both the
    /// subject and the policy allow (`docs/security-requirements.md#x4`), and the token ends with its lifetime or with the credential
    /// of the subject.
    ///
    /// # Errors
    /// [`TransactionError`].
    pub fn mint(
        &self,
        now: SystemTime,
        subject: &Subject<'_>,
        request: &TransactionRequest,
        workload: &str,
        policy: &WorkloadPolicy,
    ) -> Result<Minted, TransactionError> {
        self.sealed(self.first_claims(now, subject, request, workload, policy)?)
    }

    /// What the first token of a new transaction says, see [`mint`](Self::mint).
    ///
    /// # Errors
    /// [`TransactionError`].
    pub fn first_claims(
        &self,
        now: SystemTime,
        subject: &Subject<'_>,
        request: &TransactionRequest,
        workload: &str,
        policy: &WorkloadPolicy,
    ) -> Result<TransactionClaims, TransactionError> {
        if !(1..=MAX_SUBJECT).contains(&subject.id.len()) {
            return Err(TransactionError::Malformed("the subject has no identifier of at most 255 bytes"));
        }
        let scope = request.scope();
        if !policy.allows(scope) || !subject.authority.allows(scope) {
            return Err(TransactionError::Scope);
        }
        check_names(request.details(), &policy.details)?;
        check_names(request.context(), &policy.context)?;
        let (issued_at, expires_at) = policy.validity(now, subject.not_after)?;
        Ok(TransactionClaims {
            issuer: self.trust_domain.as_ref().to_owned(),
            audience: self.trust_domain.as_ref().to_owned(),
            transaction: URL_SAFE_NO_PAD.encode((self.identifiers)()),
            subject: subject.id.to_owned(),
            subject_type: subject.kind,
            scope: scope.clone(),
            details: request.details().clone(),
            context: request.context().clone(),
            requesters: Requesters::first(workload)?,
            actor: subject.actor.cloned(),
            issued_at,
            expires_at,
        })
    }

    /// A token that replaces one with these verified claims, see [`narrowed`].
    ///
    /// # Errors
    /// [`TransactionError`].
    pub fn replace(
        &self,
        now: SystemTime,
        claims: &TransactionClaims,
        request: &ReplacementRequest,
        workload: &str,
        policy: &WorkloadPolicy,
    ) -> Result<Minted, TransactionError> {
        self.sealed(narrowed(now, claims, request, workload, policy)?)
    }

    fn sealed(&self, claims: TransactionClaims) -> Result<Minted, TransactionError> {
        let token = self.keys.signer(claims.issued_at).jwt(TYP, &claims);
        if token.len() > MAX_TRANSACTION_TOKEN {
            Err(TransactionError::Oversized)
        } else {
            Ok(Minted { token, claims })
        }
    }
}

/// Each member is one that the policy lists.
fn check_names(members: &Map<String, Value>, allowed: &BTreeSet<String>) -> Result<(), TransactionError> {
    if members.keys().all(|name| allowed.contains(name)) { Ok(()) } else { Err(TransactionError::Policy) }
}
