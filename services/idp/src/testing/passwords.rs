//! auth-basic as the provider sees it: passwords of eight characters are good enough.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};

use proto::doorward::passwords::v1::{
    ChangeOwnPasswordRequest, ChangeOwnPasswordResponse, HasPasswordRequest, HasPasswordResponse, JudgePasswordRequest,
    JudgePasswordResponse, PasswordWeakness, RemovePasswordRequest, RemovePasswordResponse, ResetPasswordRequest,
    ResetPasswordResponse, SetPasswordRequest, SetPasswordResponse,
    passwords_api_server::{PasswordsApi, PasswordsApiServer},
};
use tonic::{Request, Response, Status};

/// auth-basic, whose users have a password unless it was removed.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakePasswords(Arc<Mutex<Passwords>>);

#[derive(Debug, Default)]
struct Passwords {
    /// The passwords that were set, with their users.
    set: Vec<(String, String)>,
    /// Users without a password.
    without: HashSet<String>,
}

impl FakePasswords {
    /// The passwords that were set, with their users.
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        self.lock().set.clone()
    }

    /// Takes the password of a user away.
    pub(crate) fn remove(&self, user: &str) {
        self.lock().without.insert(user.to_owned());
    }

    fn lock(&self) -> MutexGuard<'_, Passwords> {
        self.0.lock().expect("not poisoned")
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

    async fn has_password(
        &self,
        request: Request<HasPasswordRequest>,
    ) -> Result<Response<HasPasswordResponse>, Status> {
        let has_password = !self.lock().without.contains(&request.into_inner().user_id);
        Ok(Response::new(HasPasswordResponse { has_password }))
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
        let ResetPasswordRequest { user_id, new_password, first_password } = request.into_inner();
        let mut passwords = self.lock();
        if passwords.without.contains(&user_id) != first_password {
            return Err(Status::failed_precondition("the first password replaces none"));
        }
        passwords.without.remove(&user_id);
        passwords.set.push((user_id, new_password));
        Ok(Response::new(ResetPasswordResponse::default()))
    }
}
