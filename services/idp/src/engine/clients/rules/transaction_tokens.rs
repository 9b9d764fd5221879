//! What a client may request transaction tokens for.

use std::time::Duration;

use token::transaction::{MAX_LIFETIME, WorkloadPolicy};

use super::{list, scopes};
use crate::engine::clients::client::{AuthMethod, TransactionPolicy};
use crate::engine::clients::metadata::{Metadata, MetadataError, Span};

const MEMBER: &str = "transaction_tokens";

/// The policy that the member `transaction_tokens` describes; `None` without it.
pub(super) fn policy(
    metadata: &Metadata,
    auth: AuthMethod,
    id: &str,
) -> Result<Option<TransactionPolicy>, MetadataError> {
    let Some(own) = &metadata.transaction_tokens else { return Ok(None) };
    let refused = |problem: &str| Err(MetadataError::new(MEMBER, problem));
    if auth == AuthMethod::None {
        return refused("is not for a client that cannot prove who it is (token_endpoint_auth_method)");
    }
    // the claim that names the requesters joins their identifiers by commas
    if id.contains(',') {
        return refused("is not for a client with a comma in its client_id");
    }
    let scopes = scopes(MEMBER, own.scopes.iter().map(String::as_str))?;
    if scopes.is_empty() {
        return refused("scopes must name at least one");
    }
    let lifetime = own.lifetime.map(|Span(lifetime)| lifetime);
    if lifetime.is_some_and(|lifetime| lifetime < Duration::from_secs(1) || lifetime > MAX_LIFETIME) {
        return refused("lifetime must be from 1s to 5m");
    }
    let allowed = WorkloadPolicy {
        scopes: scopes.iter().map(str::to_owned).collect(),
        details: list(MEMBER, &own.details)?.into_iter().collect(),
        context: list(MEMBER, &own.context)?.into_iter().collect(),
        may_replace: own.replace,
        ..WorkloadPolicy::default()
    };
    Ok(Some(TransactionPolicy { allowed, lifetime }))
}
