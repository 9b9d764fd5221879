//! The audit log of the endpoints that programs call.

use authn::Caller;
use authn::audit::Event;
use axum::http::request::Parts;
use tonic::metadata::MetadataMap;
use tracing::field::display;

use crate::engine::error::AuditedRefusal;

/// The longest name that is written, in characters: callers choose them.
const MAX_NAME: usize = 256;

/// Writes a refusal, with the reason that the caller does not get.
pub(crate) fn refused(AuditedRefusal { event, reason, client }: &AuditedRefusal, parts: &Parts) {
    write(event, "refused", reason, client, "", parts);
}

/// Writes what was done with the rights of a user.
pub(crate) fn done(event: &'static str, client: &str, subject: &str, parts: &Parts) {
    write(event, "done", "", client, subject, parts);
}

fn write(event: &str, outcome: &str, reason: &str, client: &str, subject: &str, parts: &Parts) {
    let caller = Caller::of(&MetadataMap::from_headers(parts.headers.clone()), &parts.extensions);
    let client: String = client.chars().take(MAX_NAME).collect();
    Event {
        reason: &reason,
        client: &client,
        subject: &subject,
        source: &caller.source.map(display),
        trace_id: &display(&caller.trace_id),
        ..Event::new(event, outcome)
    }
    .log();
}
