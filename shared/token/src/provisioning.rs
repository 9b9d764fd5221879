//! Services with a token for one purpose: one makes and changes users for an issuer, another reads profiles. Such a token opens
//! nothing else.

use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use authn::{Authenticated, OpaqueEntry, Role, Scope, Scopes, User, UserId, UserType};
use tonic::metadata::MetadataMap;

use crate::caller::administrator;
use crate::{Claims, TokenError, Verifier, authorize};

/// The purpose of making and changing users: the scope of the token, and its authentication method (`amr`). Only a holder of
/// the token secret can mint it; no authenticator returns it.
const PROVISION: &str = "provision";
/// The purpose of reading profiles, used alike.
const READ_PROFILES: &str = "read-profiles";
/// The purpose of setting the passwords of users who have proved by a link in their mail who they are, used alike.
const RESET_PASSWORDS: &str = "reset-passwords";
/// The purpose of learning which sessions have ended, used alike.
const WATCH_SESSIONS: &str = "watch-sessions";
/// The purpose of setting the mail addresses of users who have opened a link that was sent there, used alike.
const CHANGE_MAIL: &str = "change-mail";

/// A service that makes and changes people, to mint a token for. The token opens nothing but that.
pub fn provisioner(service: &str) -> Authenticated {
    service_for(service, PROVISION)
}

/// A service that reads the profiles of users, to mint a token for. The token opens nothing but that.
pub fn profile_reader(service: &str) -> Authenticated {
    service_for(service, READ_PROFILES)
}

/// A service that sets passwords of users who have lost theirs, to mint a token for. The token opens nothing but that.
pub fn password_resetter(service: &str) -> Authenticated {
    service_for(service, RESET_PASSWORDS)
}

/// A service that learns which sessions have ended, to mint a token for. The token opens nothing but that.
pub fn session_watcher(service: &str) -> Authenticated {
    service_for(service, WATCH_SESSIONS)
}

/// A service that sets mail addresses which links have verified, to mint a token for. The token opens nothing but that.
pub fn mail_changer(service: &str) -> Authenticated {
    service_for(service, CHANGE_MAIL)
}

fn service_for(service: &str, purpose: &'static str) -> Authenticated {
    let id = UserId { opaque_id: service.to_owned(), kind: UserType::Service, ..UserId::default() };
    let user = User { id, username: service.to_owned(), ..User::default() };
    let scope = Scope { resource: OpaqueEntry::json("{}"), role: Role::Owner };
    let scopes = Arc::new(Scopes(BTreeMap::from([(purpose.to_owned(), scope)])));
    Authenticated { scopes, ..Authenticated::full(Arc::new(user), purpose) }
}

impl Claims {
    /// Whether the bearer makes and changes people for an issuer, and does nothing else.
    pub fn is_provisioner(&self) -> bool {
        self.is_service_for(PROVISION)
    }

    /// Whether the bearer is a service that reads profiles, and does nothing else.
    pub fn is_profile_reader(&self) -> bool {
        self.is_service_for(READ_PROFILES)
    }

    /// Whether the bearer is a service that sets passwords of users who have lost theirs, and does nothing else.
    pub fn is_password_resetter(&self) -> bool {
        self.is_service_for(RESET_PASSWORDS)
    }

    /// Whether the bearer is a service that learns which sessions have ended, and does nothing else.
    pub fn is_session_watcher(&self) -> bool {
        self.is_service_for(WATCH_SESSIONS)
    }

    /// Whether the bearer is a service that sets mail addresses which links have verified, and does nothing else.
    pub fn is_mail_changer(&self) -> bool {
        self.is_service_for(CHANGE_MAIL)
    }

    fn is_service_for(&self, purpose: &str) -> bool {
        let scope = self.scopes.0.get(purpose).is_some_and(|scope| scope.role == Role::Owner);
        scope && self.scopes.0.len() == 1 && self.user.id.kind == UserType::Service && self.amr.iter().eq([purpose])
    }
}

/// Who calls an administration API, see [`authorize_admin`](crate::authorize_admin) and [`Claims::is_provisioner`].
///
/// # Errors
/// Those of [`authorize_admin`](crate::authorize_admin).
pub fn authorize_provisioner(
    verifier: &Verifier,
    now: SystemTime,
    metadata: &MetadataMap,
) -> Result<Claims, TokenError> {
    let claims = authorize(verifier, now, metadata)?;
    if claims.is_provisioner() { Ok(claims) } else { administrator(claims) }
}
