//! `PasswordsAPI`, for administrators, and for users about their own password.

mod convert;

use std::sync::Arc;

use authn::audit::Event;
use authn::{AuthError, Caller, User, amr};
use proto::doorward::passwords::v1::{
    ChangeOwnPasswordRequest, ChangeOwnPasswordResponse, HasPasswordRequest, HasPasswordResponse, JudgePasswordRequest,
    JudgePasswordResponse, RemovePasswordRequest, RemovePasswordResponse, ResetPasswordRequest, ResetPasswordResponse,
    SetPasswordRequest, SetPasswordResponse,
    passwords_api_server::{PasswordsApi, PasswordsApiServer},
};
use runtime::Clock;
use secrecy::SecretString;
use status::Kind;
use store::columns::micros;
use token::{Claims, Verifier, authorize, authorize_admin};
use tonic::{Request, Response, Status};
use tracing::field::display;

use crate::own_password::OwnPasswords;
use crate::{Administration, AdministrationError};

/// The largest request that is read, in bytes.
const REQUEST_LIMIT: usize = 64 * 1024;
/// The seconds to wait, in the metadata of a refusal.
const RETRY_AFTER: &str = "retry-after";

/// The gRPC face of [`Administration`].
pub(crate) struct Api {
    pub(crate) administration: Arc<Administration>,
    pub(crate) own: OwnPasswords,
    pub(crate) verifier: Verifier,
    pub(crate) clock: Clock,
}

/// Serves administration as `PasswordsAPI`, to requests of at most so many bytes; 64 KiB by default.
pub(crate) fn serve(api: Api, limit: Option<usize>) -> PasswordsApiServer<Api> {
    PasswordsApiServer::new(api).max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
}

/// Serves `PasswordsAPI` where an LDAP server keeps the passwords: every call is refused with the reason.
/// `limit` is the largest request that is read, in bytes; 64 KiB by default.
pub(crate) fn serve_read_only(limit: Option<usize>) -> PasswordsApiServer<ReadOnly> {
    PasswordsApiServer::new(ReadOnly).max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
}

/// `PasswordsAPI` without passwords.
pub(crate) struct ReadOnly;

fn refuse<T>() -> Result<Response<T>, Status> {
    let text = "passwords are kept in LDAP (AUTH_BASIC_AUTH_MANAGER): change them with the tools of the LDAP server";
    Err(status::grpc(Kind::Unimplemented, text))
}

#[tonic::async_trait]
impl PasswordsApi for ReadOnly {
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
        _: Request<JudgePasswordRequest>,
    ) -> Result<Response<JudgePasswordResponse>, Status> {
        refuse()
    }

    async fn change_own_password(
        &self,
        _: Request<ChangeOwnPasswordRequest>,
    ) -> Result<Response<ChangeOwnPasswordResponse>, Status> {
        refuse()
    }

    async fn reset_password(
        &self,
        _: Request<ResetPasswordRequest>,
    ) -> Result<Response<ResetPasswordResponse>, Status> {
        refuse()
    }
}

impl Api {
    /// Who calls, if it is an administrator.
    fn administrator<T>(&self, request: &Request<T>) -> Result<Circumstances, Status> {
        let caller = Caller::of(request.metadata(), request.extensions());
        let claims = authorize_admin(&self.verifier, self.clock.now(), request.metadata()).inspect_err(|error| {
            audit("password_administration", &caller, "", "", "refused", error.reason());
        })?;
        let token = token::from_metadata(request.metadata()).unwrap_or_default().to_owned();
        Ok(Circumstances { caller, administrator: claims.user.id.opaque_id, token })
    }

    /// Who calls, if it is a user in person: a restricted credential, one that a program presents and one that acts in the user's
    /// name may not learn or change anything of a password (`docs/security-requirements.md#b21`).
    fn user<T>(&self, request: &Request<T>) -> Result<Claims, Status> {
        person(authorize(&self.verifier, self.clock.now(), request.metadata())?)
    }

    /// Who calls, if it is the OpenID Provider for a user who has proved by a link in a mail to be that user
    /// (`docs/security-requirements.md#l7`).
    fn password_resetter<T>(&self, request: &Request<T>) -> Result<Claims, Status> {
        let claims = authorize(&self.verifier, self.clock.now(), request.metadata())?;
        if claims.is_password_resetter() {
            Ok(claims)
        } else {
            Err(status::grpc(Kind::PermissionDenied, "only the OpenID Provider resets passwords"))
        }
    }
}

/// A user in person, see [`Api::user`].
fn person(claims: Claims) -> Result<Claims, Status> {
    let is_of_program = claims.amr.iter().any(|method| amr::is_of_program(method));
    if claims.scopes.is_full_user() && claims.actor.is_none() && !is_of_program {
        Ok(claims)
    } else {
        Err(status::grpc(
            Kind::PermissionDenied,
            "the credential is restricted, a program's, or acts in the user's name",
        ))
    }
}

/// In which an administrator or a user calls.
struct Circumstances {
    caller: Caller,
    /// The identifier of the caller, for the audit log.
    administrator: String,
    /// The internal token, for the directory.
    token: String,
}

impl Circumstances {
    /// Writes the audit log, and turns a failure into a status.
    fn conclude<T>(&self, event: &str, user_id: &str, outcome: Result<T, AdministrationError>) -> Result<T, Status> {
        let (word, reason) = match &outcome {
            Ok(_) => ("granted", String::new()),
            // the caller is to repeat it, but it did happen
            Err(AdministrationError::Untold(_)) => ("granted", "untold".to_owned()),
            Err(error) => ("failed", format!("{:?}", error.kind())),
        };
        audit(event, &self.caller, &self.administrator, user_id, word, &reason);
        outcome.map_err(|error| {
            if let Some(cause) = std::error::Error::source(&error) {
                tracing::error!(%error, cause, "a password could not be administered");
            }
            refusal(&error)
        })
    }
}

/// The status of a failure. After too many wrong passwords its metadata says in how many seconds the next attempt is accepted.
fn refusal(error: &AdministrationError) -> Status {
    let mut status = status::grpc(error.kind(), error.to_string());
    if let AdministrationError::Untold(_) = error {
        status = status::partly_done(status);
    }
    if let AdministrationError::Verification(AuthError::Busy { retry_after }) = error {
        let seconds = retry_after.as_millis().div_ceil(1000);
        if let Ok(seconds) = seconds.to_string().parse() {
            status.metadata_mut().insert(RETRY_AFTER, seconds);
        }
    }
    status
}

#[tonic::async_trait]
impl PasswordsApi for Api {
    async fn set_password(
        &self,
        request: Request<SetPasswordRequest>,
    ) -> Result<Response<SetPasswordResponse>, Status> {
        let circumstances = self.administrator(&request)?;
        let SetPasswordRequest { user_id, password } = request.into_inner();
        let password = SecretString::from(password);
        let outcome = self.administration.set_password(&user_id, &password, &circumstances.token).await;
        circumstances.conclude("password_set", &user_id, outcome)?;
        Ok(Response::new(SetPasswordResponse {}))
    }

    async fn remove_password(
        &self,
        request: Request<RemovePasswordRequest>,
    ) -> Result<Response<RemovePasswordResponse>, Status> {
        let circumstances = self.administrator(&request)?;
        let user_id = request.into_inner().user_id;
        let outcome = self.administration.remove_password(&user_id, &circumstances.token).await;
        let removed = circumstances.conclude("password_removed", &user_id, outcome)?;
        Ok(Response::new(RemovePasswordResponse { removed }))
    }

    async fn has_password(
        &self,
        request: Request<HasPasswordRequest>,
    ) -> Result<Response<HasPasswordResponse>, Status> {
        let circumstances = self.administrator(&request)?;
        let user_id = request.into_inner().user_id;
        let outcome = self.administration.has_password(&user_id).await;
        let has_password = circumstances.conclude("password_asked_for", &user_id, outcome)?;
        Ok(Response::new(HasPasswordResponse { has_password }))
    }

    async fn judge_password(
        &self,
        request: Request<JudgePasswordRequest>,
    ) -> Result<Response<JudgePasswordResponse>, Status> {
        let claims = authorize(&self.verifier, self.clock.now(), request.metadata())?;
        let claims = if claims.is_password_resetter() { claims } else { person(claims)? };
        let JudgePasswordRequest { password, user_id, new_user } = request.into_inner();
        let own_id = claims.user.id.opaque_id.as_str();
        let is_own = new_user.is_none() && (user_id.is_empty() || user_id == own_id);
        if !is_own && !claims.is_admin() && !claims.is_password_resetter() {
            return Err(token::TokenError::NotAdministrator.into());
        }
        let password = SecretString::from(password);
        let judgement = if let Some(names) = new_user {
            self.administration.judge(own_id, &password, convert::new_user(names)).await
        } else {
            let user_id = if user_id.is_empty() { own_id } else { &user_id };
            let user = self.administration.user(user_id).await;
            let user = user.map_err(|error| status::grpc(error.kind(), error.to_string()))?;
            self.administration.judge(own_id, &password, User::clone(&user)).await
        };
        let judgement = judgement.map_err(|error| status::grpc(error.kind(), error.to_string()))?;
        Ok(Response::new(convert::judgement(&judgement, &self.administration.policy)))
    }

    async fn change_own_password(
        &self,
        request: Request<ChangeOwnPasswordRequest>,
    ) -> Result<Response<ChangeOwnPasswordResponse>, Status> {
        let caller = Caller::of(request.metadata(), request.extensions());
        let claims = self.user(&request).inspect_err(|error| {
            audit("password_changed", &caller, "", "", "refused", error.message());
        })?;
        let user_id = claims.user.id.opaque_id;
        let ChangeOwnPasswordRequest { old_password, new_password } = request.into_inner();
        let (old, new) = (SecretString::from(old_password), SecretString::from(new_password));
        let outcome = self.own.change(&user_id, &old, &new, &caller).await;
        let circumstances = Circumstances { caller, administrator: user_id.clone(), token: String::new() };
        let changed_at = micros(circumstances.conclude("password_changed", &user_id, outcome)?);
        Ok(Response::new(ChangeOwnPasswordResponse { changed_at }))
    }

    async fn reset_password(
        &self,
        request: Request<ResetPasswordRequest>,
    ) -> Result<Response<ResetPasswordResponse>, Status> {
        let caller = Caller::of(request.metadata(), request.extensions());
        let claims = self.password_resetter(&request).inspect_err(|error| {
            audit("password_reset", &caller, "", "", "refused", error.message());
        })?;
        let ResetPasswordRequest { user_id, new_password } = request.into_inner();
        let outcome = self.own.reset(&user_id, &SecretString::from(new_password)).await;
        let circumstances = Circumstances { caller, administrator: claims.user.id.opaque_id, token: String::new() };
        let changed_at = micros(circumstances.conclude("password_reset", &user_id, outcome)?);
        Ok(Response::new(ResetPasswordResponse { changed_at }))
    }
}

fn audit(event: &str, caller: &Caller, administrator: &str, subject: &str, outcome: &str, reason: &str) {
    Event {
        reason: &reason,
        subject: &subject,
        caller: &administrator,
        source: &caller.source.map(display),
        trace_id: &caller.trace_id,
        ..Event::new(event, outcome)
    }
    .log();
}
