//! What a replacement of a transaction token says (section 13.15): never more than the token that it replaces.

use std::time::SystemTime;

use super::{ReplacementRequest, TransactionClaims, TransactionError, WorkloadPolicy};

/// The claims of a token that replaces one with these `claims`, requested by this workload. The scope is part of the former one, the end is
/// not later, the workload is added to the requesters; all else is unchanged (`docs/security-requirements.md#x5`).
///
/// # Errors
/// [`TransactionError`]; [`TransactionError::Expired`] without any leeway for clocks, as what is replaced would live longer.
pub fn narrowed(
    now: SystemTime,
    claims: &TransactionClaims,
    request: &ReplacementRequest,
    workload: &str,
    policy: &WorkloadPolicy,
) -> Result<TransactionClaims, TransactionError> {
    if !policy.may_replace {
        return Err(TransactionError::Policy);
    }
    let (issued_at, expires_at) = policy.validity(now, claims.expires_at)?;
    let scope = request.scope().unwrap_or(&claims.scope);
    if scope.is_empty() || !scope.is_subset(&claims.scope) || !policy.allows(scope) {
        return Err(TransactionError::Scope);
    }
    let requesters = claims.requesters.then(workload)?;
    let scope = scope.clone();
    Ok(TransactionClaims { scope, requesters, issued_at, expires_at, ..claims.clone() })
}
