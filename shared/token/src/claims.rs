use std::time::SystemTime;

use authn::{Actor, Scopes, User, amr};
use bounded_cache::HeapSize;

/// What a verified token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Whose token it is.
    pub user: User,
    /// What the bearer may do; empty means nothing.
    pub scopes: Scopes,
    /// The issuer of the user (`iss`): always the user's `idp`, empty if that is.
    pub issuer: String,
    /// When it was minted (`iat`).
    pub issued_at: SystemTime,
    /// When it ends (`exp`).
    pub expires_at: SystemTime,
    /// The token's own identifier; Go's tokens have none.
    pub jti: Option<String>,
    /// How the user was authenticated (RFC 8176). Tokens of Go gateways say it only where the authenticator marked the scopes, see
    /// [`Scopes::with_amr`].
    pub amr: Vec<String>,
    /// Who acts in the user's name, if another party does (RFC 8693 `act`).
    pub actor: Option<Actor>,
    /// The session at the installation's own OpenID Provider that the credential came from, if it came from one.
    pub sid: Option<String>,
    /// Whether the user's groups were left out, so that an empty list says nothing. Tokens of Go gateways leave them out without saying so.
    pub groups_omitted: bool,
}

impl HeapSize for Claims {
    fn heap_size(&self) -> usize {
        let Self { user, scopes, issuer, issued_at: _, expires_at: _, jti, amr, actor, sid, groups_omitted: _ } = self;
        user.heap_size()
            + scopes.heap_size()
            + issuer.heap_size()
            + jti.heap_size()
            + amr.heap_size()
            + actor.heap_size()
            + sid.heap_size()
    }
}

impl Claims {
    /// Whether the bearer may administer: an active user with the administrator's role and a credential without restriction.
    pub fn is_admin(&self) -> bool {
        self.user.is_admin() && self.user.is_active() && self.scopes.is_full_user()
    }

    /// Whether the user called in person: not a program with a credential of its own, not one that acts in the user's name, and not one
    /// whose credential is of an unknown type.
    pub fn is_in_person(&self) -> bool {
        let is_of_program = self.amr.iter().any(|method| amr::is_of_program(method));
        !self.amr.is_empty() && !is_of_program && self.actor.is_none()
    }
}
