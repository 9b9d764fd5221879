//! The audit log: events that are logged whatever the level.

use tracing::field::{Empty, Value};

/// An event of the audit log. Fields that are not set are left out.
///
/// A text that callers choose is shortened before it gets here, and a secret never does.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    /// What was done or attempted.
    pub event: &'a str,
    /// How it ended.
    pub outcome: &'a str,
    /// Why it was refused, or why a session or key has ended. The caller of a refused request does not get it.
    pub reason: &'a dyn Value,
    /// The type of the credential.
    pub kind: &'a dyn Value,
    /// The right by which an app token was changed.
    pub right: &'a dyn Value,
    /// How a service has proved who it is: `key`, `certificate`, `jwt_svid`, `kubernetes`, `oidc`.
    pub proof: &'a dyn Value,
    /// The issuer of the token.
    pub issuer: &'a dyn Value,
    /// The user whom it concerns.
    pub subject: &'a dyn Value,
    /// Who has made the request.
    pub caller: &'a dyn Value,
    /// The service that has made the request, by its certificate.
    pub peer: &'a dyn Value,
    /// The service that acts for the caller (RFC 8693 `act`), and those that acted before it.
    pub act: &'a dyn Value,
    /// The transaction of a transaction token.
    pub txn: &'a dyn Value,
    /// The role that was assigned.
    pub role: &'a dyn Value,
    /// The file or database that was worked with.
    pub object: &'a dyn Value,
    /// The session.
    pub session: &'a dyn Value,
    /// The client that has made the request, or that the subject uses.
    pub client: &'a dyn Value,
    /// The scope that was granted.
    pub scope: &'a dyn Value,
    /// The address of the caller.
    pub source: &'a dyn Value,
    /// The trace of the request.
    pub trace_id: &'a dyn Value,
    /// The identifier of the app token, of the secret of a service account, or of the token of a workload (`jti`).
    pub token: &'a dyn Value,
    /// The identifier of the signing key.
    pub kid: &'a dyn Value,
    /// The session at the issuer.
    pub sid: &'a dyn Value,
    /// How many were changed.
    pub count: &'a dyn Value,
    /// Whether the browser repeats the sign-in.
    pub again: &'a dyn Value,
}

impl<'a> Event<'a> {
    /// An event without further fields.
    pub fn new(event: &'a str, outcome: &'a str) -> Self {
        Self {
            event,
            outcome,
            reason: &Empty,
            kind: &Empty,
            right: &Empty,
            proof: &Empty,
            issuer: &Empty,
            subject: &Empty,
            caller: &Empty,
            peer: &Empty,
            act: &Empty,
            txn: &Empty,
            role: &Empty,
            object: &Empty,
            session: &Empty,
            client: &Empty,
            scope: &Empty,
            source: &Empty,
            trace_id: &Empty,
            token: &Empty,
            kid: &Empty,
            sid: &Empty,
            count: &Empty,
            again: &Empty,
        }
    }

    /// Writes the event.
    pub fn log(self) {
        tracing::info!(
            target: "audit",
            event = self.event,
            outcome = self.outcome,
            reason = self.reason,
            kind = self.kind,
            right = self.right,
            proof = self.proof,
            issuer = self.issuer,
            subject = self.subject,
            caller = self.caller,
            peer = self.peer,
            act = self.act,
            txn = self.txn,
            role = self.role,
            object = self.object,
            session = self.session,
            client = self.client,
            scope = self.scope,
            source = self.source,
            trace_id = self.trace_id,
            token = self.token,
            kid = self.kid,
            sid = self.sid,
            count = self.count,
            again = self.again,
        );
    }
}
