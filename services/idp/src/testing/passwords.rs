//! auth-basic as the provider sees it: passwords of eight characters are good enough.

use std::sync::{Arc, Mutex};

use proto::doorward::passwords::v1::{
    ChangeOwnPasswordRequest, ChangeOwnPasswordResponse, HasPasswordRequest, HasPasswordResponse, JudgePasswordRequest,
    JudgePasswordResponse, PasswordWeakness, RemovePasswordRequest, RemovePasswordResponse, ResetPasswordRequest,
    ResetPasswordResponse, SetPasswordRequest, SetPasswordResponse,
    passwords_api_server::{PasswordsApi, PasswordsApiServer},
};
use tonic::{Request, Response, Status};

/// The passwords that were set, with their users.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakePasswords(Arc<Mutex<Vec<(String, String)>>>);

impl FakePasswords {
    /// The passwords that were set, with their users.
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        self.0.lock().expect("not poisoned").clone()
    }

    pub(super) fn serve(self) -> PasswordsApiServer<Self> {
        PasswordsApiServer::new(self)
    }
}

fn refuse<T>() -> Result<Response<T>, Status> {
    Err(Status::permission_denied("the provider calls nothing else"))
}

#[tonic::async_trait]
impl PasswordsApi for FakePasswords {
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

    async fn judge_password(
        &self,
        request: Request<JudgePasswordRequest>,
    ) -> Result<Response<JudgePasswordResponse>, Status> {
        let is_short = request.into_inner().password.len() < 8;
        let weaknesses = is_short.then_some(PasswordWeakness::Short.into()).into_iter().collect();
        Ok(Response::new(JudgePasswordResponse { weaknesses, min_characters: 8, ..JudgePasswordResponse::default() }))
    }

    async fn change_own_password(
        &self,
        _: Request<ChangeOwnPasswordRequest>,
    ) -> Result<Response<ChangeOwnPasswordResponse>, Status> {
        refuse()
    }

    async fn reset_password(
        &self,
        request: Request<ResetPasswordRequest>,
    ) -> Result<Response<ResetPasswordResponse>, Status> {
        let ResetPasswordRequest { user_id, new_password } = request.into_inner();
        self.0.lock().expect("not poisoned").push((user_id, new_password));
        Ok(Response::new(ResetPasswordResponse::default()))
    }
}
