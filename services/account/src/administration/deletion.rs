//! Deletes a user with what the services have of the account, as the administration pages and the command line do it.

#[cfg(test)]
mod tests;

use std::fmt;

use proto::doorward::apptokens::v1::{PersonRef as TokenOwner, RevokeTokensRequest, person_ref::By as OwnerBy};
use proto::doorward::users::v1::{DeleteUserRequest, GetProfileRequest};
use status::Kind;
use tonic::Status;

use super::Administration;
use super::users::by_id;
use crate::transport::OnBehalfOf;

/// A part of an account, in the order in which they are removed. The user comes after what the other services have, so that the user can
/// still be found and named while something of it is left. The sessions end last, so that no other one begins in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountPart {
    /// The password, at auth-basic.
    Password,
    /// The second factors, at idp.
    SecondFactors,
    /// The app tokens, at auth-app.
    AppTokens,
    /// The user with the memberships, at users.
    User,
    /// The sessions, and the tokens from them, at idp.
    Sessions,
}

impl AccountPart {
    const ALL: [Self; 5] = [Self::Password, Self::SecondFactors, Self::AppTokens, Self::User, Self::Sessions];
}

impl fmt::Display for AccountPart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Password => "password",
            Self::SecondFactors => "second factors",
            Self::AppTokens => "app tokens",
            Self::User => "user",
            Self::Sessions => "sessions",
        })
    }
}

/// A user was not deleted, or not with everything.
#[derive(Debug, thiserror::Error)]
pub enum DeletionError {
    /// Nothing was removed.
    #[error("{}", .0.message())]
    Refused(Status),
    /// Some parts are removed, and the next one could not be. To delete the user again removes the rest.
    #[error("the {failed} could not be removed: {}; removed so far: {}", .status.message(), list(.removed))]
    Unfinished {
        /// The parts that are removed.
        removed: Vec<AccountPart>,
        /// The part that is not.
        failed: AccountPart,
        /// Why.
        status: Status,
    },
}

impl DeletionError {
    /// The kind, which decides the status.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Refused(status) | Self::Unfinished { status, .. } => Kind::from_grpc(status.code()),
        }
    }
}

fn list(parts: &[AccountPart]) -> String {
    let names: Vec<_> = parts.iter().map(ToString::to_string).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

impl Administration {
    /// Deletes the user with this identifier. What no connected service has is left out, and what is gone already counts as removed, so
    /// that a call after a failure completes the deletion.
    ///
    /// # Errors
    /// If the user is in a directory that is only read, or a service has not removed its part.
    pub async fn delete_user(&self, by: &OnBehalfOf<'_>, id: &str) -> Result<(), DeletionError> {
        self.require_deletable(by, id).await.map_err(DeletionError::Refused)?;
        let mut removed = Vec::new();
        for part in AccountPart::ALL {
            match self.remove(by, id, part).await {
                Ok(true) => removed.push(part),
                Ok(false) => {}
                Err(status) if removed.is_empty() && !status::is_partly_done(&status) => {
                    return Err(DeletionError::Refused(status));
                }
                Err(status) => return Err(DeletionError::Unfinished { removed, failed: part, status }),
            }
        }
        Ok(())
    }

    /// Requires that users can delete the user, before the other services remove anything.
    async fn require_deletable(&self, by: &OnBehalfOf<'_>, id: &str) -> Result<(), Status> {
        let Some(profiles) = &self.profiles else { return Ok(()) };
        let request = GetProfileRequest { user: Some(by_id(id)) };
        match profiles.clone().get_profile(by.call(request)).await {
            Ok(profile) if profile.get_ref().writable.is_empty() => {
                let text = "users are kept in LDAP or another directory that is only read here: delete the user there";
                Err(status::grpc(Kind::FailedPrecondition, text))
            }
            Ok(_) => Ok(()),
            // an earlier call has deleted the user, and failed afterwards
            Err(status) if is_not_found(&status) => Ok(()),
            Err(status) => Err(status),
        }
    }

    /// Removes a part of an account; returns whether there is a service that had it.
    async fn remove(&self, by: &OnBehalfOf<'_>, id: &str, part: AccountPart) -> Result<bool, Status> {
        match part {
            AccountPart::Password => match self.remove_password(by, id).await {
                // auth-basic is not connected, or passwords are in LDAP
                Err(status) if Kind::from_grpc(status.code()) == Kind::Unimplemented => return Ok(false),
                answer => answer?,
            },
            AccountPart::SecondFactors => {
                if self.factors.is_none() {
                    return Ok(false);
                }
                self.reset_factors(by, id).await?;
            }
            AccountPart::AppTokens => {
                let Some(mut tokens) = self.tokens.clone() else { return Ok(false) };
                let owner = TokenOwner { by: Some(OwnerBy::Id(id.to_owned())) };
                tokens.revoke_tokens(by.call(RevokeTokensRequest { owner: Some(owner) })).await?;
            }
            AccountPart::User => {
                let Some(mut users) = self.users.clone() else {
                    return Err(status::grpc(Kind::Unimplemented, "users is not configured"));
                };
                match users.delete_user(by.call(DeleteUserRequest { user: Some(by_id(id)) })).await {
                    Err(status) if is_not_found(&status) => {}
                    answer => answer.map(drop)?,
                }
            }
            AccountPart::Sessions => {
                if self.accounts.is_none() {
                    return Ok(false);
                }
                self.end_sessions(by, id).await?;
            }
        }
        Ok(true)
    }
}

fn is_not_found(status: &Status) -> bool {
    Kind::from_grpc(status.code()) == Kind::NotFound
}
