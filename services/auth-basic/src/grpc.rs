//! `PasswordsAPI`, for administrators, and for users about their own password.

mod convert;
pub(crate) mod ldap;

use std::sync::Arc;
use std::time::SystemTime;

use authn::audit::Event;
use authn::{AuthError, Caller, User};
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
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};
use tracing::Instrument;
use tracing::field::display;

use crate::own_password::OwnPasswords;
use crate::{Administration, AdministrationError};

/// The largest request that is read, in bytes.
const REQUEST_LIMIT: usize = 64 * 1024;
/// The seconds to wait, in the metadata of a refusal.
const RETRY_AFTER: &str = "retry-after";
/// Why an LDAP server refuses a change, in the metadata of a refusal.
const REFUSAL: &str = "password-refusal";

/// The gRPC face of [`Administration`].
pub(crate) struct Api {
    pub(crate) administration: Arc<Administration>,
    pub(crate) own: Arc<OwnPasswords>,
    pub(crate) verifier: Verifier,
    pub(crate) clock: Clock,
}

/// Serves administration as `PasswordsAPI`, to requests of at most so many bytes; 64 KiB by default.
pub(crate) fn serve(api: Api, limit: Option<usize>) -> PasswordsApiServer<Api> {
    PasswordsApiServer::new(api).max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
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

/// Who calls, if it is a user in person: a restricted credential, one that a program presents and one that acts in the user's
/// name may not learn or change anything of a password (`docs/security-requirements.md#b21`).
fn person(claims: Claims) -> Result<Claims, Status> {
    if claims.scopes.is_full_user() && claims.is_in_person() {
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

/// A user's wish to change the own password.
struct OwnChange {
    user_id: String,
    old: SecretString,
    new: SecretString,
    caller: Caller,
}

impl OwnChange {
    fn of(request: Request<ChangeOwnPasswordRequest>, verifier: &Verifier, now: SystemTime) -> Result<Self, Status> {
        let caller = Caller::of(request.metadata(), request.extensions());
        let claims = authorize(verifier, now, request.metadata()).map_err(Status::from).and_then(person);
        let claims = claims.inspect_err(|error| {
            audit("password_changed", &caller, "", "", "refused", error.message());
        })?;
        let ChangeOwnPasswordRequest { old_password, new_password } = request.into_inner();
        let (old, new) = (SecretString::from(old_password), SecretString::from(new_password));
        Ok(Self { user_id: claims.user.id.opaque_id, old, new, caller })
    }

    fn conclude(
        self,
        outcome: Result<SystemTime, AdministrationError>,
    ) -> Result<Response<ChangeOwnPasswordResponse>, Status> {
        let Self { user_id, caller, .. } = self;
        let circumstances = Circumstances { caller, administrator: user_id.clone(), token: String::new() };
        let changed_at = micros(circumstances.conclude("password_changed", &user_id, outcome)?);
        Ok(Response::new(ChangeOwnPasswordResponse { changed_at }))
    }
}

/// The status of a failure. After too many wrong passwords its metadata says in how many seconds the next attempt is accepted,
/// and where an LDAP server refuses the change, for which reason.
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
    if let AdministrationError::Refused(refusal) = error {
        status.metadata_mut().insert(REFUSAL, MetadataValue::from_static(convert::refusal(*refusal)));
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
        let administration = Arc::clone(&self.administration);
        to_the_end(async move {
            let outcome = administration.set_password(&user_id, &password, &circumstances.token).await;
            circumstances.conclude("password_set", &user_id, outcome)
        })
        .await?;
        Ok(Response::new(SetPasswordResponse {}))
    }

    async fn remove_password(
        &self,
        request: Request<RemovePasswordRequest>,
    ) -> Result<Response<RemovePasswordResponse>, Status> {
        let circumstances = self.administrator(&request)?;
        let user_id = request.into_inner().user_id;
        let administration = Arc::clone(&self.administration);
        let removed = to_the_end(async move {
            let outcome = administration.remove_password(&user_id, &circumstances.token).await;
            circumstances.conclude("password_removed", &user_id, outcome)
        })
        .await?;
        Ok(Response::new(RemovePasswordResponse { removed }))
    }

    async fn has_password(
        &self,
        request: Request<HasPasswordRequest>,
    ) -> Result<Response<HasPasswordResponse>, Status> {
        if self.password_resetter(&request).is_ok() {
            let asked = self.administration.has_password(&request.into_inner().user_id).await;
            let has_password = asked.map_err(|error| refusal(&error))?;
            return Ok(Response::new(HasPasswordResponse { has_password }));
        }
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
            // one user who follows a link in a mail must not keep out all others who do
            let on_behalf_of = if claims.is_password_resetter() { user_id } else { own_id };
            self.administration.judge(on_behalf_of, &password, User::clone(&user)).await
        };
        let judgement = judgement.map_err(|error| status::grpc(error.kind(), error.to_string()))?;
        Ok(Response::new(convert::judgement(&judgement, &self.administration.policy)))
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
        request: Request<ResetPasswordRequest>,
    ) -> Result<Response<ResetPasswordResponse>, Status> {
        let caller = Caller::of(request.metadata(), request.extensions());
        let claims = self.password_resetter(&request).inspect_err(|error| {
            audit("password_reset", &caller, "", "", "refused", error.message());
        })?;
        let ResetPasswordRequest { user_id, new_password, first_password } = request.into_inner();
        let (own, new) = (Arc::clone(&self.own), SecretString::from(new_password));
        let changed_at = to_the_end(async move {
            let outcome = own.reset(&user_id, &new, first_password).await;
            let circumstances = Circumstances { caller, administrator: claims.user.id.opaque_id, token: String::new() };
            circumstances.conclude("password_reset", &user_id, outcome)
        })
        .await?;
        Ok(Response::new(ResetPasswordResponse { changed_at: micros(changed_at) }))
    }
}

/// Does work to its end even if the caller hangs up: with a changed password, credentials from before it must end too.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Status>> + Send + 'static,
) -> Result<T, Status> {
    tokio::spawn(work.in_current_span()).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a password could not be administered");
        Err(status::grpc(Kind::Internal, "internal error"))
    })
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
