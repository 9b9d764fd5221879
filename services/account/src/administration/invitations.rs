//! Invitations by e-mail, with which users set their first password, as the pages and the API send them
//! (`docs/security-requirements.md#n60`).

use proto::doorward::idp::v1::{GetInvitationPolicyRequest, InviteUserRequest};
use tonic::Status;

use super::Administration;
use super::users::absent;
use crate::transport::OnBehalfOf;

impl Administration {
    /// Whether idp sends invitations: not if it sends no mail, or is not part of the installation.
    pub(crate) async fn sends_invitations(&self, by: &OnBehalfOf<'_>) -> Result<bool, Status> {
        let Some(mut invitations) = self.invitations.clone() else { return Ok(false) };
        Ok(invitations.get_invitation_policy(by.call(GetInvitationPolicyRequest {})).await?.into_inner().enabled)
    }

    /// Sends a user an invitation.
    pub(crate) async fn invite_user(&self, by: &OnBehalfOf<'_>, id: &str) -> Result<(), Status> {
        let mut invitations = self.invitations.clone().ok_or_else(absent)?;
        invitations.invite_user(by.call(InviteUserRequest { user_id: id.to_owned() })).await.map(drop)
    }
}
