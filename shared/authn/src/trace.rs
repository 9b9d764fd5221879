//! Who acts for whom, and in which transaction, in the span of a request.

use tracing::Span;
use tracing::field::display;

use crate::Actor;

/// The identifier of the user. The span of a request has this field, and the two below, empty.
pub const USER: &str = "user.id";
/// The actors, the current one first.
pub const ACTOR: &str = "doorward.act";
/// The transaction of a transaction token.
pub const TRANSACTION: &str = "doorward.txn";

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
