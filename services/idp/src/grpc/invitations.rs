//! `InvitationsAPI`, for administrators.

#[cfg(test)]
mod tests;

use ::token::authorize_admin;
use authn::Caller;
use authn::audit::Event;
use proto::doorward::idp::v1::{
    GetInvitationPolicyRequest, GetInvitationPolicyResponse, InviteUserRequest, InviteUserResponse,
    invitations_api_server::{InvitationsApi, InvitationsApiServer},
};
use status::Kind;
use tonic::{Request, Response, Status};
use tracing::field::display;

use crate::Provider;
use crate::account_links::{self, InvitationError};
use crate::engine::audit_events::Circumstances;

/// The largest request that is read, in bytes.
const REQUEST_LIMIT: usize = 8 * 1024;

/// The gRPC service.
pub struct Api(Provider);

/// Serves it, to requests of at most so many bytes; 8 KiB by default.
pub fn serve(provider: Provider, limit: Option<usize>) -> InvitationsApiServer<Api> {
    InvitationsApiServer::new(Api(provider)).max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
}

fn refused(error: &InvitationError) -> Status {
    let kind = match error {
        InvitationError::NoMail
        | InvitationError::NoPasswords
        | InvitationError::Disabled
        | InvitationError::Technical
        | InvitationError::HasPassword
        | InvitationError::NoAddress
        | InvitationError::Mail(_) => Kind::FailedPrecondition,
        InvitationError::TooMany => Kind::ResourceExhausted,
        InvitationError::Passwords(status) => Kind::from_grpc(status.code()),
        InvitationError::Directory(error) => error.kind(),
        InvitationError::Store(error) => {
            tracing::error!(%error, "a user could not be invited");
            error.kind()
        }
    };
    status::grpc(kind, error.to_string())
}

#[tonic::async_trait]
impl InvitationsApi for Api {
    async fn invite_user(&self, request: Request<InviteUserRequest>) -> Result<Response<InviteUserResponse>, Status> {
        let provider = &self.0;
        let caller = Caller::of(request.metadata(), request.extensions());
        let claims = authorize_admin(&provider.verifier, provider.clock.now(), request.metadata())?;
        let user = request.into_inner().user_id;
        account_links::invite(provider, &user, &caller).await.map_err(|error| refused(&error))?;
        let (source, trace_id) = (caller.source.map(display), display(&caller.trace_id));
        let administrator = &claims.user.id.opaque_id;
        let event = Event::new("invitation", "done");
        let event = Event { subject: &user, caller: administrator, source: &source, trace_id: &trace_id, ..event };
        // the user is not shown from where the administrator's call came
        let unknown = Caller::default();
        provider.audit_events.record(&event, Circumstances::of(&user, "", &unknown), provider.clock.now());
        Ok(Response::new(InviteUserResponse {}))
    }

    async fn get_invitation_policy(
        &self,
        request: Request<GetInvitationPolicyRequest>,
    ) -> Result<Response<GetInvitationPolicyResponse>, Status> {
        let provider = &self.0;
        authorize_admin(&provider.verifier, provider.clock.now(), request.metadata())?;
        Ok(Response::new(GetInvitationPolicyResponse { enabled: provider.mail.can_reset_passwords() }))
    }
}
