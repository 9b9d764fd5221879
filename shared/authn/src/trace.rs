//! Who acts for whom, and in which transaction, in the span of a request; and which program has proved who it is.

use tracing::Span;
use tracing::field::display;

use crate::Actor;

/// The identifier of the user. The span of a request has this field, and the two below, empty.
pub const USER: &str = "user.id";
/// The actors, the current one first.
pub const ACTOR: &str = "doorward.act";
/// The transaction of a transaction token.
pub const TRANSACTION: &str = "doorward.txn";
/// A program that has proved who it is in place of a shared key. Spans of requests and of authentications have this field, and the one
/// below, empty.
pub const WORKLOAD: &str = "workload.identity";
/// How it has proved that.
pub const PROOF: &str = "workload.proof";

/// Writes who acts for a user, and in which transaction, into the span of a request. Where there is neither, nothing is written: users
/// who act for themselves are not in traces.
pub fn record_delegation(span: &Span, user: &str, actor: Option<&Actor>, transaction: Option<&str>) {
    if actor.is_none() && transaction.is_none() {
        return;
    }
    span.record(USER, user);
    if let Some(actor) = actor {
        span.record(ACTOR, display(actor));
    }
    if let Some(transaction) = transaction {
        span.record(TRANSACTION, transaction);
    }
}

/// Writes which program has proved who it is, and how, into a span.
pub fn record_workload(span: &Span, identity: &str, proof: &str) {
    span.record(WORKLOAD, identity);
    span.record(PROOF, proof);
}
