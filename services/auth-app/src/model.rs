//! A token as it is kept: everything about it, and of its secret only a keyed digest.

use std::sync::Arc;
use std::time::SystemTime;

use authn::{Reason, UserId};
use uuid::Uuid;

use crate::grant::Grant;

/// How a token came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By its owner, for an application.
    App,
    /// By its owner, as a personal access token.
    Personal,
    /// By an administrator in the owner's name.
    Impersonated,
}

impl Kind {
    /// Its name, as it is stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Personal => "personal",
            Self::Impersonated => "impersonated",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::App, Self::Personal, Self::Impersonated].into_iter().find(|kind| kind.name() == name)
    }
}

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppToken {
    /// Its identifier (UUID version 7): no secret.
    pub id: Uuid,
    /// Whose it is.
    pub owner: UserId,
    /// How it came to be.
    pub kind: Kind,
    /// What its owner calls it.
    pub label: String,
    /// What it may do.
    pub grants: Vec<Grant>,
    /// When it was made.
    pub created: SystemTime,
    /// Who made it: a user's identifier, or the name of who acted for that user.
    pub created_by: String,
    /// When it was last used, roughly.
    pub last_used: Option<SystemTime>,
    /// From when on it is refused, whatever happens.
    pub expires: SystemTime,
    /// When it was revoked.
    pub revoked: Option<SystemTime>,
}

impl AppToken {
    /// Why it is not good at this moment, if it is not.
    pub fn refusal(&self, now: SystemTime) -> Option<Reason> {
        if self.revoked.is_some() {
            Some(Reason::Revoked)
        } else if now >= self.expires {
            Some(Reason::Expired)
        } else {
            None
        }
    }

    /// Whether it belongs to this user. An empty `idp` on either side fits any: it means "ours".
    pub fn belongs_to(&self, user: &UserId) -> bool {
        let same_idp = self.owner.idp == user.idp || self.owner.idp.is_empty() || user.idp.is_empty();
        !user.opaque_id.is_empty() && self.owner.opaque_id == user.opaque_id && same_idp
    }
}

/// A keyed digest of a secret.
pub type Digest = [u8; 32];

/// All that is kept of a secret: which key it was digested with, and the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// Names the key; no secret.
    pub key_id: Arc<str>,
    /// HMAC-SHA-256 of the secret under that key.
    pub digest: Digest,
}

/// A token with the fingerprint of its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The token.
    pub token: AppToken,
    /// Of its secret.
    pub fingerprint: Fingerprint,
}
