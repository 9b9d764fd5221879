//! `PasswordsAPI` where an LDAP server has the passwords: users change their own if it supports that, and every other call is
//! refused with the reason. Without the old password nothing can be changed: an administrator or a link in a mail would need an
//! account of ours that may write all passwords.

use std::sync::Arc;

use proto::doorward::passwords::v1::{
    ChangeOwnPasswordRequest, ChangeOwnPasswordResponse, HasPasswordRequest, HasPasswordResponse, JudgePasswordRequest,
    JudgePasswordResponse, RemovePasswordRequest, RemovePasswordResponse, ResetPasswordRequest, ResetPasswordResponse,
    SetPasswordRequest, SetPasswordResponse,
    passwords_api_server::{PasswordsApi, PasswordsApiServer},
};
use runtime::Clock;
use secrecy::SecretString;
use token::{Verifier, authorize};
use tonic::{Request, Response, Status};

use super::{OwnChange, REQUEST_LIMIT, convert, person, refusal, to_the_end};
use crate::AdministrationError;
use crate::ldap_password::OwnLdapPasswords;

/// Serves the passwords of users in LDAP. `limit` is the largest request that is read, in bytes; 64 KiB by default.
pub(crate) fn serve(api: LdapApi, limit: Option<usize>) -> PasswordsApiServer<LdapApi> {
    PasswordsApiServer::new(api).max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
}

/// The gRPC face of [`OwnLdapPasswords`].
pub(crate) struct LdapApi {
    pub(crate) own: Arc<OwnLdapPasswords>,
    pub(crate) verifier: Verifier,
    pub(crate) clock: Clock,
}

fn refuse<T>() -> Result<Response<T>, Status> {
    Err(refusal(&AdministrationError::Elsewhere))
}

#[tonic::async_trait]
impl PasswordsApi for LdapApi {
    async fn set_password(&self, _: Request<SetPasswordRequest>) -> Result<Response<SetPasswordResponse>, Status> {
        refuse()
    }

    async fn remove_password(
        &self,
        _: Request<RemovePasswordRequest>,
    ) -> Result<Response<RemovePasswordResponse>, Status> {
        refuse()
    }

    async fn has_password(&self, _: Request<HasPasswordRequest>) -> Result<Response<HasPasswordResponse>, Status> {
        refuse()
    }

    /// Judges the caller's own password, where the caller can change it.
    async fn judge_password(
        &self,
        request: Request<JudgePasswordRequest>,
    ) -> Result<Response<JudgePasswordResponse>, Status> {
        let JudgePasswordRequest { user_id, new_user, .. } = request.get_ref();
        if !user_id.is_empty() || new_user.is_some() {
            return refuse();
        }
        let claims = authorize(&self.verifier, self.clock.now(), request.metadata())?;
        if claims.is_password_resetter() {
            return refuse();
        }
        let user_id = person(claims)?.user.id.opaque_id;
        let password = SecretString::from(request.into_inner().password);
        let judgement = self.own.judge(&user_id, &password).await.map_err(|error| refusal(&error))?;
        Ok(Response::new(convert::judgement(&judgement, &self.own.passwords.policy)))
    }

    async fn change_own_password(
        &self,
        request: Request<ChangeOwnPasswordRequest>,
    ) -> Result<Response<ChangeOwnPasswordResponse>, Status> {
        let change = OwnChange::of(request, &self.verifier, self.clock.now())?;
        let own = Arc::clone(&self.own);
        to_the_end(async move {
            let OwnChange { user_id, old, new, caller } = &change;
            let outcome = own.change(user_id, old, new, caller).await;
            change.conclude(outcome)
        })
        .await
    }

    async fn reset_password(
        &self,
        _: Request<ResetPasswordRequest>,
    ) -> Result<Response<ResetPasswordResponse>, Status> {
        refuse()
    }
}
