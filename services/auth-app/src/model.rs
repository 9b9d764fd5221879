//! A token as it is kept: everything about it, and of its secret only a keyed digest.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use authn::{Actor, Grants, Reason, UserId};
use bounded_cache::HeapSize;
use uuid::Uuid;

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
    /// All of them.
    pub const ALL: [Self; 3] = [Self::App, Self::Personal, Self::Impersonated];

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
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// How a token ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// At a moment, used or not; never if there is none.
    Fixed(Option<SystemTime>),
    /// When it was not used for the length of a window, and at the latest at a moment.
    Sliding {
        /// How far each use moves the end ahead.
        window: Duration,
        /// When it ends however much it is used.
        latest: SystemTime,
    },
}

impl Life {
    /// From when on it is refused, whatever happens; never if there is no such moment.
    pub const fn latest(self) -> Option<SystemTime> {
        match self {
            Self::Fixed(end) => end,
            Self::Sliding { latest, .. } => Some(latest),
        }
    }

    /// How far a use at this moment moves the end ahead; nowhere if it is fixed.
    pub fn slid(self, now: SystemTime) -> Option<SystemTime> {
        match self {
            Self::Fixed(_) => None,
            Self::Sliding { window, latest } => Some(now.checked_add(window).map_or(latest, |end| end.min(latest))),
        }
    }
}

/// The last use of a token, roughly: not every use is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    /// When.
    pub at: SystemTime,
    /// From which address, if it is known.
    pub source: Option<IpAddr>,
    /// By which program, as it called itself.
    pub user_agent: String,
}

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppToken {
    /// Its identifier: no secret.
    pub id: Uuid,
    /// Whose it is.
    pub owner: UserId,
    /// How it came to be.
    pub kind: Kind,
    /// What its owner calls it.
    pub label: String,
    /// What it may do.
    pub grants: Grants,
    /// When it was made.
    pub created: SystemTime,
    /// When it was taken over from another system, if it was.
    pub imported: Option<SystemTime>,
    /// Who made it: the identifier of a user, or of the operator.
    pub created_by: String,
    /// How it ends.
    pub life: Life,
    /// How far the uses that are written down have moved the end of a sliding one.
    pub slid: Option<SystemTime>,
    /// When it was last used.
    pub last_use: Option<LastUse>,
    /// When it was revoked.
    pub revoked: Option<SystemTime>,
}

impl HeapSize for LastUse {
    fn heap_size(&self) -> usize {
        let Self { at: _, source: _, user_agent } = self;
        user_agent.heap_size()
    }
}

impl HeapSize for AppToken {
    fn heap_size(&self) -> usize {
        let Self {
            id: _,
            owner,
            kind: _,
            label,
            grants,
            created: _,
            imported: _,
            created_by,
            life: _,
            slid: _,
            last_use,
            revoked: _,
        } = self;
        let texts = label.heap_size() + created_by.heap_size() + last_use.heap_size();
        owner.heap_size() + grants.heap_size() + texts
    }
}

impl AppToken {
    /// When it ends if it is not used any more; never if there is no such moment.
    pub fn end(&self) -> Option<SystemTime> {
        self.end_when_slid_to(self.slid)
    }

    /// The same, if uses have moved its end to here.
    pub fn end_when_slid_to(&self, slid: Option<SystemTime>) -> Option<SystemTime> {
        match self.life {
            Life::Fixed(end) => end,
            // without any use that is known of it ends a window after it was made
            Life::Sliding { latest, .. } => slid.or_else(|| self.life.slid(self.created)).map(|end| end.min(latest)),
        }
    }

    /// Why it is not valid at this moment; `None` if it is.
    pub fn refusal(&self, now: SystemTime, end: Option<SystemTime>) -> Option<Reason> {
        if self.revoked.is_some() {
            Some(Reason::Revoked)
        } else if end.is_some_and(|end| now >= end) {
            Some(Reason::Expired)
        } else {
            None
        }
    }

    /// Whether its owner has changed the password since it was made, or taken over: people often get a first password here
    /// only after their tokens were made elsewhere.
    pub fn is_outdated(&self, password_changed: Option<SystemTime>) -> bool {
        password_changed.is_some_and(|changed| self.imported.unwrap_or(self.created) < changed)
    }

    /// Who acts in its owner's name with it: the administrator who made it for another user (`docs/security-requirements.md#a11`).
    pub fn actor(&self) -> Option<Actor> {
        (self.kind == Kind::Impersonated).then(|| self.created_by.as_str().into())
    }

    /// Whether it belongs to this user, see [`UserId::is_same`].
    pub fn belongs_to(&self, user: &UserId) -> bool {
        self.owner.is_same(user)
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
