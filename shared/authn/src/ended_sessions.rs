//! Sessions that have ended at our own provider, and grants and tokens that it has revoked, for components that hold state of a session
//! or accept tokens, and get no logout notification as clients do.

mod cutoff;
mod remote;

pub use cutoff::{Cutoff, Issuance, REMEMBERED, second_of};
pub use remote::{Following, Remote};

/// An issuer that reports which of its sessions have ended, and which grants and tokens it has revoked.
pub trait EndedSessions: Send + Sync {
    /// Whether this session (`sid`) of this issuer was ended, by a sign-out or a change of the password, in the last 24 hours, or the
    /// grant (`gid`) or token (`jti`) with this identifier was revoked, as long as its tokens are valid; `None` if that is unknown at this
    /// moment.
    fn has_ended(&self, issuer: &str, sid: &str) -> Option<bool>;

    /// Whether this issuer has ended everything of a token's user, of its client and that user, or of everyone since the token was issued,
    /// as when the user has disconnected the client: such a token names nothing that was ended. `None` if that is unknown at this moment.
    fn cuts_off(&self, issuer: &str, token: &Issuance<'_>) -> Option<bool>;
}
