//! Invitations by e-mail, with which users set their first password. idp sends them.

use proto::doorward::idp::v1::{GetInvitationPolicyRequest, InviteUserRequest};
use status::Kind;
use tonic::Status;

use super::UserAdministrator;

impl UserAdministrator {
    /// Whether idp sends invitations: `false` if it sends no mail, or does not answer.
    pub(super) async fn can_invite(&self) -> bool {
        let Some(mut invitations) = self.administrator.signed_in.state.administration.invitations.clone() else {
            return false;
        };
        let request = self.administrator.signed_in.on_behalf().call(GetInvitationPolicyRequest {});
        match invitations.get_invitation_policy(request).await {
            Ok(policy) => policy.into_inner().enabled,
            Err(status) => {
                tracing::warn!(%status, "idp does not say whether users can be invited");
                false
            }
        }
    }

    /// Sends a user an invitation.
    pub(super) async fn invite(&self, id: &str) -> Result<(), Status> {
        let invitations = self.administrator.signed_in.state.administration.invitations.clone();
        let absent = || status::grpc(Kind::Unimplemented, "idp is not configured");
        let message = InviteUserRequest { user_id: id.to_owned() };
        let call = self.administrator.signed_in.on_behalf().call(message);
        invitations.ok_or_else(absent)?.invite_user(call).await.map(drop)
    }
}
