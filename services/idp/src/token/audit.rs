//! The audit log of the endpoints that programs call.

use authn::Caller;
use axum::http::request::Parts;
use tonic::metadata::MetadataMap;

/// The longest name that is written, in characters: callers choose them.
const MAX_NAME: usize = 256;

/// A refusal that somebody has to know of. The caller is told nothing of the reason.
pub(crate) fn refused(event: &'static str, reason: &'static str, client: &str, parts: &Parts) {
    write(event, "refused", reason, client, "", parts);
}

/// Something was done with the rights of a person.
pub(crate) fn done(event: &'static str, client: &str, subject: &str, parts: &Parts) {
    write(event, "done", "", client, subject, parts);
}

fn write(event: &str, outcome: &str, reason: &str, client: &str, subject: &str, parts: &Parts) {
    let caller = Caller::of(&MetadataMap::from_headers(parts.headers.clone()), &parts.extensions);
    let client: String = client.chars().take(MAX_NAME).collect();
    tracing::info!(
        target: "audit",
        event,
        outcome,
        reason,
        client,
        subject,
        source = caller.source.map(tracing::field::display),
        trace_id = %caller.trace_id,
    );
}
