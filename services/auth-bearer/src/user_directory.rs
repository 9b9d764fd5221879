//! Finds the directory's user for the claims of a token.
//!
//! A user is identified by issuer and `sub`, never by another claim. The identifier of a user who was provisioned from an issuer is
//! derived from these two, so that no other issuer can name that user, whatever it writes; nor can a claim that is only a name.

use std::sync::Arc;

use authn::audit::Event;
use authn::{AuthError, Claim, Directory, DirectoryError, Groups, Login, Reason, User, may_be_new_address};
use uuid::Uuid;

use crate::claims::Claims;
use crate::derived_id::{derive_uuid, is_derived};
use crate::groups;
use crate::issuer::{Issuer, Naming, Roles};
use crate::provision::{Profile, Provisioner};

#[cfg(test)]
mod tests;

/// Finds users, and creates them where auto-provisioning is on.
pub struct UserDirectory {
    directory: Arc<dyn Directory>,
    groups: Groups,
    provisioner: Option<Provisioner>,
}

impl UserDirectory {
    /// Users of this directory, created and changed by this provisioner.
    pub fn new(directory: Arc<dyn Directory>, groups: Groups, provisioner: Option<Provisioner>) -> Self {
        Self { directory, groups, provisioner }
    }

    /// The user whom a valid token names.
    ///
    /// # Errors
    /// When there is no such user, or the user may not sign in.
    pub async fn find(&self, issuer: &Issuer, claims: &Claims) -> Result<Arc<User>, AuthError> {
        let role = issuer.settings.roles.as_ref().map(|roles| role_of(roles, claims)).transpose()?;
        let id = identity(issuer.name(), &claims.subject).to_string();
        let mut user = match self.known(issuer, claims, &id).await? {
            Some(user) => user,
            None => self.make(issuer, claims, &id, role).await?,
        };
        if !user.is_active() {
            return Err(AuthError::Refused(Reason::Disabled));
        }
        let is_newest = self.provisioner.as_ref().is_none_or(|provisioner| provisioner.is_newest(&id, claims.issued));
        if is_newest && user.id.opaque_id == id && self.keep_up(issuer, claims, &id).await? {
            user = self.by_id(&id).await?.ok_or(AuthError::Refused(Reason::UnknownUser))?;
        }
        // a role from a newer token has been stored, unless the directory is read-only
        if let Some(role) = role.filter(|_| is_newest || !user.knows_roles()) {
            user = self.with_role(user, role, is_newest).await?;
        }
        Ok(with_numbers(user, issuer, claims))
    }

    async fn known(&self, issuer: &Issuer, claims: &Claims, id: &str) -> Result<Option<Arc<User>>, AuthError> {
        let Naming::Directory { claim, by_id } = &issuer.settings.naming else { return self.by_id(id).await };
        if issuer.settings.provisioning.is_some()
            && let Some(user) = self.by_id(id).await?
        {
            return Ok(Some(user));
        }
        let (value, by_id) = match claims.text(claim) {
            Some(value) => (value, *by_id),
            None if issuer.settings.subject_identifies_user(claims) => (claims.subject.as_str(), true),
            None => return Err(AuthError::Refused(Reason::Malformed)),
        };
        let claim = if by_id { Claim::UserId(value.to_owned()) } else { Claim::Username(value.to_owned()) };
        match self.look_up(&claim).await? {
            // a user who was provisioned from an issuer can be named only by that issuer, by the subject
            Some(user) if is_derived(&user.id.opaque_id) && user.id.opaque_id != id => {
                Err(AuthError::Refused(Reason::OwnerMismatch))
            }
            // a directory finds users by variants of their names too, and to the issuer a variant may be another user
            Some(user) if !by_id && is_variant(value, &user) => Err(AuthError::Refused(Reason::OwnerMismatch)),
            found => Ok(found),
        }
    }

    async fn by_id(&self, id: &str) -> Result<Option<Arc<User>>, AuthError> {
        self.look_up(&Claim::UserId(id.to_owned())).await
    }

    async fn look_up(&self, claim: &Claim) -> Result<Option<Arc<User>>, AuthError> {
        match self.directory.user_by_claim(claim, self.groups).await {
            Ok(user) => Ok(Some(user)),
            Err(DirectoryError::NotFound) => Ok(None),
            Err(error) => Err(error.into_auth(AuthError::Refused(Reason::UnknownUser))),
        }
    }

    async fn make(
        &self,
        issuer: &Issuer,
        claims: &Claims,
        id: &str,
        role: Option<&str>,
    ) -> Result<Arc<User>, AuthError> {
        let unknown = AuthError::Refused(Reason::UnknownUser);
        let Some((provisioner, profile)) = self.provisioner.as_ref().zip(profile(issuer, claims)) else {
            return Err(unknown);
        };
        let profile = profile?;
        provisioner.create(id, &profile, role.unwrap_or(authn::role::USER)).await?;
        Event { issuer: &issuer.name(), subject: &id, ..Event::new("user.provision", "success") }.log();
        self.by_id(id).await?.ok_or(unknown)
    }

    /// Stores what the issuer now says of one of its users. Returns whether something was written.
    async fn keep_up(&self, issuer: &Issuer, claims: &Claims, id: &str) -> Result<bool, AuthError> {
        match self.provisioner.as_ref().zip(profile(issuer, claims)) {
            Some((provisioner, profile)) => provisioner.keep_up(id, &profile?).await,
            None => Ok(false),
        }
    }

    /// The user with the one role that the token gives. The role is stored too, for the user's other credentials, which have no
    /// claims.
    async fn with_role(&self, user: Arc<User>, role: &str, is_newest: bool) -> Result<Arc<User>, AuthError> {
        if user.roles.iter().map(String::as_str).eq([role]) {
            return Ok(user);
        }
        if let Some(provisioner) = self.provisioner.as_ref().filter(|_| is_newest) {
            provisioner.set_role(&user.id.opaque_id, role).await?;
        }
        Ok(Arc::new(Arc::unwrap_or_clone(user).with_roles(vec![role.to_owned()])))
    }
}

/// The identifier of a user who was provisioned from an issuer: a UUID of version 8 (RFC 9562 5.8), which no other user has.
pub fn identity(issuer: &str, subject: &str) -> Uuid {
    derive_uuid(b"doorward identity\0", issuer, subject)
}

/// Whether a name matched only after it was normalized by width, composition and case, not by case alone.
fn is_variant(name: &str, user: &User) -> bool {
    let login = Login::new(name);
    name.to_lowercase() != user.username.to_lowercase() && (login.forms().count() > 1 || login.names(&user.username))
}

/// The role of the first mapping entry whose value the token holds.
fn role_of<'a>(roles: &'a Roles, claims: &Claims) -> Result<&'a str, AuthError> {
    let held = claims.texts(&roles.claim).unwrap_or_default();
    let first = roles.mapping.iter().find(|(value, _)| held.contains(&value.as_str()));
    let reason = if claims.is_left_out(&roles.claim) { Reason::TooManyGroups } else { Reason::Policy };
    first.map(|(_, role)| role.as_str()).ok_or(AuthError::Refused(reason))
}

/// What the issuer says of its user; `None` where no user is created or changed.
fn profile(issuer: &Issuer, claims: &Claims) -> Option<Result<Profile, AuthError>> {
    let provisioning = issuer.settings.provisioning.as_ref()?;
    let suffix = match &issuer.settings.naming {
        Naming::Directory { .. } => "",
        Naming::Own { suffix } => suffix,
    };
    let Some(name) = claims.text(&provisioning.username) else {
        return Some(Err(AuthError::Refused(Reason::Malformed)));
    };
    let verified = crate::claims::Path::name("email_verified");
    let mail = claims.text(&provisioning.mail).filter(|_| provisioning.trust_mail || claims.is_true(&verified));
    // an address that could be mistaken for another user's is dropped, as users sign in with it
    let mail = mail.filter(|mail| may_be_new_address(mail));
    let groups = match groups::read(issuer.name(), claims, provisioning, suffix) {
        Ok(groups) => groups,
        Err(reason) => return Some(Err(AuthError::Refused(reason))),
    };
    Some(Ok(Profile {
        username: format!("{name}{suffix}"),
        mail: mail.map(str::to_owned),
        display_name: claims.text(&provisioning.display_name).unwrap_or(name).to_owned(),
        groups,
        suffix: suffix.to_owned(),
    }))
}

/// Adds the POSIX numbers from the token, if claims for them are configured.
fn with_numbers(user: Arc<User>, issuer: &Issuer, claims: &Claims) -> Arc<User> {
    let stated = issuer.settings.numbers.each_ref().map(|path| path.as_ref().and_then(|path| claims.number(path)));
    match stated {
        [None, None] => user,
        [uid, gid] => {
            let mut user = Arc::unwrap_or_clone(user);
            user.uid_number = uid.unwrap_or(user.uid_number);
            user.gid_number = gid.unwrap_or(user.gid_number);
            Arc::new(user)
        }
    }
}
