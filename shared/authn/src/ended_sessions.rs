//! Sessions that have ended at an issuer of the same process, for whoever keeps something of one and is not told as a client is.

/// An issuer that reports which of its sessions have ended.
pub trait EndedSessions: Send + Sync {
    /// Whether this session (`sid`) of this issuer was ended, by a sign-out or a change of the password, in the last 24 hours;
    /// `None` if that is unknown at this moment.
    fn has_ended(&self, issuer: &str, sid: &str) -> Option<bool>;
}
