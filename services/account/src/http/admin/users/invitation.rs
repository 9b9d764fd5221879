//! Invitations by e-mail, as far as pages offer them.

use super::UserAdministrator;

impl UserAdministrator {
    /// Whether idp sends invitations: `false` if it sends no mail, or does not answer.
    pub(super) async fn can_invite(&self) -> bool {
        let signed_in = &self.administrator.signed_in;
        match signed_in.state.administration.sends_invitations(&signed_in.on_behalf()).await {
            Ok(sends_invitations) => sends_invitations,
            Err(status) => {
                tracing::warn!(%status, "idp does not say whether users can be invited");
                false
            }
        }
    }
}
