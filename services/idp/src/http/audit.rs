//! The audit log of the endpoints that programs call, and who acts for whom in their traces.

use authn::Caller;
use authn::audit::Event;
use authn::trace::record_delegation;
use axum::http::request::Parts;
use tonic::metadata::MetadataMap;
use tracing::Span;
use tracing::field::display;

use crate::engine::error::AuditedRefusal;
use crate::engine::grants::token_response::{AuditedGrant, AuditedTransaction};

/// The longest name that is written, in characters: callers choose them.
const MAX_NAME: usize = 256;

/// Writes a refusal, with the reason that the caller does not get.
pub(crate) fn refused(AuditedRefusal { event, reason, client }: &AuditedRefusal, parts: &Parts) {
    write(&Event { reason, ..Event::new(event, "refused") }, client, parts);
}

/// Writes what was done with the rights of a user.
pub(crate) fn done(event: &'static str, client: &str, subject: &str, parts: &Parts) {
    write(&Event { subject: &subject, ..Event::new(event, "done") }, client, parts);
}

/// Writes that tokens were issued for a user, and who acts for the user by them, also into the trace.
pub(crate) fn issued(AuditedGrant { event, user, act }: &AuditedGrant, client: &str, parts: &Parts) {
    let subject = &user.id.opaque_id;
    record_delegation(&Span::current(), subject, act.as_ref(), None);
    write(&Event { subject, act: &act.as_ref().map(display), ..Event::new(event, "done") }, client, parts);
}

/// Writes that a transaction token was issued, also into the trace: its transaction, never the token.
pub(crate) fn transaction(transaction: &AuditedTransaction, client: &str, parts: &Parts) {
    let AuditedTransaction { event, outcome, claims } = transaction;
    record_delegation(&Span::current(), &claims.subject, claims.actor.as_ref(), Some(&claims.transaction));
    let event = Event {
        subject: &claims.subject,
        act: &claims.actor.as_ref().map(display),
        txn: &claims.transaction,
        scope: &display(&claims.scope),
        ..Event::new(event, outcome)
    };
    write(&event, client, parts);
}

fn write(event: &Event<'_>, client: &str, parts: &Parts) {
    let caller = Caller::of(&MetadataMap::from_headers(parts.headers.clone()), &parts.extensions);
    let client: String = client.chars().take(MAX_NAME).collect();
    Event { client: &client, source: &caller.source.map(display), trace_id: &display(&caller.trace_id), ..*event }
        .log();
}
