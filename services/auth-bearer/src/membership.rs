//! Who belongs to this instance, where several have common users (`docs/security-requirements.md#r23`).

use std::sync::Arc;

use authn::{AuthError, Reason, User, UserType};

use crate::claims::{Claims, Path};

/// What the claims of the users of an instance say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its identifier, which is not empty.
    pub id: String,
    /// The value that makes a user a member of every instance; empty if there is none.
    pub master_id: String,
    /// The claim that names the instances of a member.
    pub member_claim: Path,
    /// The claim that names the instances of a guest.
    pub guest_claim: Path,
}

/// How a user belongs to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// As a member.
    Member,
    /// As a guest.
    Guest,
}

impl Instance {
    /// How the user of these claims belongs to this instance. A user who is both is a member.
    ///
    /// # Errors
    /// When the user is neither.
    pub fn membership(&self, claims: &Claims) -> Result<Membership, AuthError> {
        let members = claims.texts(&self.member_claim).unwrap_or_default();
        // an empty entry makes no list, so that an empty identifier matches none
        if members.iter().any(|id| *id == self.id || *id == self.master_id) {
            return Ok(Membership::Member);
        }
        let guests = claims.texts(&self.guest_claim).unwrap_or_default();
        if guests.contains(&self.id.as_str()) {
            return Ok(Membership::Guest);
        }
        Err(AuthError::Refused(Reason::NotMember))
    }

    /// Whether the claims say nothing about any instance.
    pub fn is_unstated(&self, claims: &Claims) -> bool {
        self.claims().iter().all(|path| claims.value(path).is_none())
    }

    /// Whether the claims do not admit the user, and one of them is missing, which may be elsewhere.
    pub fn is_undecided(&self, claims: &Claims) -> bool {
        self.membership(claims).is_err() && self.claims().iter().any(|path| claims.value(path).is_none())
    }

    /// The claims that are read.
    pub fn claims(&self) -> [&Path; 2] {
        [&self.member_claim, &self.guest_claim]
    }
}

impl Membership {
    /// The user as one of this instance: a guest has the type of guests, whatever the user is elsewhere. Nothing of it is stored.
    pub fn of_user(self, user: Arc<User>) -> Arc<User> {
        if self == Self::Member || user.id.kind == UserType::Guest {
            return user;
        }
        let mut user = Arc::unwrap_or_clone(user);
        user.id.kind = UserType::Guest;
        Arc::new(user)
    }
}
