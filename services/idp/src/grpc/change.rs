//! Events of what administrators change of the installation itself, as of its clients and signing keys. They are of no user's account, and
//! in the audit log alone.

use std::time::SystemTime;

use ::token::Claims;
use authn::Caller;
use authn::audit::Event;
use tracing::field::display;

use crate::engine::audit_events::{AuditEvents, Circumstances};

/// What an administrator has changed.
pub(super) struct Change<'a> {
    /// What was done.
    pub(super) event: &'a str,
    /// How it ended.
    pub(super) outcome: &'a str,
    /// The client; empty if it concerns none.
    pub(super) client: &'a str,
    /// The signing key; empty if it concerns none.
    pub(super) kid: &'a str,
}

impl Default for Change<'_> {
    fn default() -> Self {
        Self { event: "", outcome: "done", client: "", kid: "" }
    }
}

/// Records it (`docs/security-requirements.md#n46`).
pub(super) fn record(events: &AuditEvents, (claims, caller): (&Claims, &Caller), change: &Change<'_>, now: SystemTime) {
    let administrator = &claims.user.id.opaque_id;
    let Change { event, outcome, client, kid } = *change;
    let circumstances =
        Circumstances { client, object: kid, ..Circumstances::of_administrator(administrator, "", caller) };
    let event = Event {
        caller: administrator,
        act: &claims.actor.as_ref().map(display),
        client: &client,
        kid: &kid,
        source: &caller.source.map(display),
        trace_id: &display(&caller.trace_id),
        ..Event::new(event, outcome)
    };
    events.record(&event, circumstances, now);
}
