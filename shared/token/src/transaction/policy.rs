use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use authn::Actor;
use oidc::scope::Scopes;

use super::claims::seconds;
use super::{LIFETIME, MAX_LIFETIME, SubjectType, TransactionError};

/// Whose transaction it is, as a credential or another token has shown.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The identifier of the user or workload (`sub`).
    pub id: &'a str,
    /// What it identifies.
    pub kind: SubjectType,
    /// Who acts for the subject.
    pub actor: Option<&'a Actor>,
    /// What the credential may do.
    pub authority: Authority<'a>,
    /// When the credential ends: no transaction token of it lives longer.
    pub not_after: SystemTime,
}

/// What a credential may do. There is no value for a credential of which that is not known: it gets no transaction token
/// (section 13.14).
#[derive(Debug, Clone, Copy)]
pub enum Authority<'a> {
    /// Everything that the user may: the policy of the workload alone limits the scope.
    WholeUser,
    /// These scopes and no others.
    Scopes(&'a Scopes),
}

/// What a workload may request. Names that are not listed are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadPolicy {
    /// The scope tokens.
    pub scopes: BTreeSet<String>,
    /// The members of the details.
    pub details: BTreeSet<String>,
    /// The members of the environment.
    pub context: BTreeSet<String>,
    /// Whether the workload may replace tokens that it has received.
    pub may_replace: bool,
    /// How long its tokens are valid; never longer than [`MAX_LIFETIME`].
    pub lifetime: Duration,
}

impl Default for WorkloadPolicy {
    /// Allows nothing.
    fn default() -> Self {
        let none = BTreeSet::new;
        Self { scopes: none(), details: none(), context: none(), may_replace: false, lifetime: LIFETIME }
    }
}

impl WorkloadPolicy {
    /// Whether each token of the scope is listed.
    pub(super) fn allows(&self, scope: &Scopes) -> bool {
        scope.iter().all(|token| self.scopes.contains(token))
    }

    /// When a token begins and ends that is issued now, for a subject that ends at `not_after`; in whole seconds, rounded down.
    pub(super) fn validity(
        &self,
        now: SystemTime,
        not_after: SystemTime,
    ) -> Result<(SystemTime, SystemTime), TransactionError> {
        let begin = seconds(now);
        let end = seconds(not_after).min(begin.saturating_add(self.lifetime.min(MAX_LIFETIME).as_secs()));
        // within a second both are rounded to the same one
        if not_after <= now || end <= begin {
            return Err(TransactionError::Expired);
        }
        let time = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        Ok((time(begin), time(end)))
    }
}

impl Authority<'_> {
    /// Whether the credential reaches so far.
    pub(super) fn allows(self, scope: &Scopes) -> bool {
        match self {
            Self::WholeUser => true,
            Self::Scopes(own) => scope.is_subset(own),
        }
    }
}
