//! `AccountAPI`: users see and end their own sessions, and the access of applications to their accounts.

#[cfg(test)]
mod tests;

use ::token::{Claims, authorize};
use authn::Caller;
use axum::http::HeaderMap;
use proto::doorward::idp::v1::{
    ChangeMailRequest, ChangeMailResponse, DisconnectApplicationRequest, DisconnectApplicationResponse,
    EndAllSessionsRequest, EndAllSessionsResponse, EndOtherSessionsRequest, EndOtherSessionsResponse,
    EndSessionRequest, EndSessionResponse, GetCurrentSessionRequest, GetCurrentSessionResponse,
    GetMailChangePolicyRequest, GetMailChangePolicyResponse, ListConnectedApplicationsRequest,
    ListConnectedApplicationsResponse, ListEventsRequest, ListEventsResponse, ListSessionsRequest,
    ListSessionsResponse,
    account_api_server::{AccountApi, AccountApiServer},
};
use status::Kind;
use tonic::{Request, Response, Status};
use uuid::Uuid;
use web::i18n::Language;

use super::account_messages::{self, Act, Reader};
use super::failed;
use crate::Provider;
use crate::account_links::mail_change::{self, MailRequestError};
use crate::config::MultiFactorPolicy;
use crate::engine::factors::FRESH;
use crate::engine::levels::{Level, SEVERAL};
use crate::engine::{connected_applications, factors, termination};
use crate::model::{Session, seconds};
use crate::revocations::Of;
use crate::store::EventFilter;

/// The largest request that is read, in bytes.
const REQUEST_LIMIT: usize = 8 * 1024;

/// The gRPC service.
pub struct Api(Provider);

/// Serves it, to requests of at most so many bytes; 8 KiB by default.
pub fn serve(provider: Provider, limit: Option<usize>) -> AccountApiServer<Api> {
    AccountApiServer::new(Api(provider)).max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
}

/// Refuses credentials that a program presents without its user, or whose type is not known (`docs/security-requirements.md#s3`): a
/// leaked one would otherwise sign its owner out, and see where the owner is signed in.
fn refuse_programs(claims: &Claims) -> Result<(), Status> {
    if !claims.is_in_person() {
        let text = "accounts are managed by users who have signed in, not with app tokens, access tokens of other clients, \
                    machine keys or service accounts";
        return Err(status::grpc(Kind::PermissionDenied, text));
    }
    Ok(())
}

/// A user who calls.
struct Own {
    claims: Claims,
    caller: Caller,
}

impl Own {
    fn user(&self) -> &str {
        &self.claims.user.id.opaque_id
    }

    fn audit(&self, provider: &Provider, act: &Act<'_>) {
        account_messages::audit(provider, (&self.claims, &self.caller), self.user(), act);
    }
}

impl Api {
    /// The user who calls, with a credential that has not ended with its session in the meantime.
    fn own<T>(&self, request: &Request<T>) -> Result<Own, Status> {
        let Self(provider) = self;
        let claims = authorize(&provider.verifier, provider.clock.now(), request.metadata())?;
        refuse_programs(&claims)?;
        if !claims.scopes.is_full_user() || !claims.user.is_active() {
            return Err(status::grpc(Kind::PermissionDenied, "the credential does not permit managing the account"));
        }
        // the internal token is valid for minutes, and what it was issued for may have ended since
        let user = &claims.user.id.opaque_id;
        let has_ended = sid(&claims).is_some_and(|sid| provider.revocations.contains(sid))
            || provider.revocations.cuts_off(Of::Person(user), seconds(claims.issued_at));
        if has_ended {
            return Err(status::grpc(Kind::Unauthenticated, "the session has ended"));
        }
        Ok(Own { claims, caller: Caller::of(request.metadata(), request.extensions()) })
    }

    /// The live sessions of the user, and which of them is the current one.
    async fn sessions(&self, own: &Own) -> Result<(Vec<Session>, Option<Uuid>), Status> {
        let Self(provider) = self;
        let sessions = provider.store.sessions_of(own.user(), provider.clock.now()).await;
        let mut sessions = sessions.map_err(|error| failed(&error))?;
        sessions.retain(|session| account_messages::is_live(provider, session));
        let Some(sid) = sid(&own.claims) else { return Ok((sessions, None)) };
        let ids: Vec<_> = sessions.iter().map(|session| session.id).collect();
        let current = provider.store.session_known_as(sid, &ids).await.map_err(|error| failed(&error))?;
        Ok((sessions, current))
    }

    /// Ends all sessions of the user but the current one, and counts them.
    async fn end_others(&self, own: &Own, ended: &mut u32) -> Result<(), Status> {
        loop {
            let (mut sessions, current) = self.sessions(own).await?;
            let current = current.ok_or_else(|| {
                let text = "the credential comes from no live session; end all sessions, or each by its id";
                status::grpc(Kind::FailedPrecondition, text)
            })?;
            sessions.retain(|session| session.id != current);
            if sessions.is_empty() {
                return Ok(());
            }
            for session in sessions {
                account_messages::end_session(&self.0, &session).await?;
                *ended += 1;
            }
        }
    }

    /// The session that the credential comes from, and how the user signed in.
    async fn current_session(&self, own: &Own) -> Result<GetCurrentSessionResponse, Status> {
        let (sessions, current) = self.sessions(own).await?;
        let is_enrolled = factors::is_enrolled(&self.0, own.user()).await.map_err(|error| failed(&error))?;
        // without the policy nothing would ask for the factor, and a page that requires it could never be reached
        let is_in_use = self.0.config.mfa.policy() != MultiFactorPolicy::Off;
        let mut response =
            GetCurrentSessionResponse { second_factor_enrolled: is_enrolled && is_in_use, ..Default::default() };
        if let Some(session) = sessions.iter().find(|session| current == Some(session.id)) {
            response.session = Some(account_messages::session(session, true));
            // a credential from before the user signed in again is as old, and as weak, as the sign-in that it came from, of which
            // nothing is kept (`docs/security-requirements.md#n2`)
            if sid(&own.claims) != Some(session.id) {
                return Ok(response);
            }
            response.signed_in = account_messages::epoch(session.signed_in);
            response.amr = session.amr.split(' ').filter(|method| !method.is_empty()).map(str::to_owned).collect();
            Level::of(session).name().clone_into(&mut response.acr);
        }
        Ok(response)
    }

    /// Requires a sign-in of the last ten minutes, with the second factor if the user has one.
    async fn require_recent_sign_in(&self, own: &Own) -> Result<(), Status> {
        let current = self.current_session(own).await?;
        let age = seconds(self.0.clock.now()).saturating_sub(u64::try_from(current.signed_in).unwrap_or_default());
        let is_recent = current.session.is_some() && age < FRESH.as_secs();
        if is_recent && (!current.second_factor_enrolled || current.amr.iter().any(|method| method == SEVERAL)) {
            return Ok(());
        }
        let text = "a sign-in of the last ten minutes is needed, with the second factor if there is one: sign in again";
        Err(status::grpc(Kind::FailedPrecondition, text))
    }
}

fn not_sent(error: &MailRequestError) -> Status {
    let kind = match error {
        MailRequestError::NotOffered => Kind::Unimplemented,
        MailRequestError::Invalid | MailRequestError::Unchanged => Kind::InvalidArgument,
        MailRequestError::Ineligible => Kind::PermissionDenied,
        MailRequestError::TooMany => {
            let mut status = status::grpc(Kind::ResourceExhausted, error.to_string());
            status.metadata_mut().insert("retry-after", mail_change::LIFETIME.as_secs().into());
            return status;
        }
        MailRequestError::Directory(error) => error.kind(),
        MailRequestError::Store(error) => return failed(error),
        MailRequestError::Mail(error) => {
            tracing::error!(%error, "a link to another mail address is not sent");
            return status::grpc(Kind::Unavailable, "the mail cannot be sent");
        }
    };
    status::grpc(kind, error.to_string())
}

fn sid(claims: &Claims) -> Option<Uuid> {
    claims.sid.as_deref()?.parse().ok()
}

#[tonic::async_trait]
impl AccountApi for Api {
    async fn list_sessions(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        let own = self.own(&request)?;
        let (sessions, current) = self.sessions(&own).await?;
        let message = |session: &Session| account_messages::session(session, current == Some(session.id));
        Ok(Response::new(ListSessionsResponse { sessions: sessions.iter().map(message).collect() }))
    }

    async fn get_current_session(
        &self,
        request: Request<GetCurrentSessionRequest>,
    ) -> Result<Response<GetCurrentSessionResponse>, Status> {
        let own = self.own(&request)?;
        Ok(Response::new(self.current_session(&own).await?))
    }

    async fn end_session(&self, request: Request<EndSessionRequest>) -> Result<Response<EndSessionResponse>, Status> {
        let own = self.own(&request)?;
        let session = account_messages::find_session(&self.0, &request.get_ref().id).await?;
        // the answer is the same for a session of another user
        let session = session.filter(|session| session.person == own.user());
        let session = session.ok_or_else(account_messages::no_session)?;
        account_messages::end_session(&self.0, &session).await?;
        own.audit(&self.0, &Act::EndSession(session.id));
        Ok(Response::new(EndSessionResponse {}))
    }

    async fn end_other_sessions(
        &self,
        request: Request<EndOtherSessionsRequest>,
    ) -> Result<Response<EndOtherSessionsResponse>, Status> {
        let own = self.own(&request)?;
        let mut ended = 0;
        let outcome = self.end_others(&own, &mut ended).await;
        // one event for all of them, as thousands would leave no room for others (`docs/security-requirements.md#n47`)
        if ended > 0 {
            own.audit(&self.0, &Act::EndOtherSessions(ended));
        }
        outcome.map(|()| Response::new(EndOtherSessionsResponse { ended }))
    }

    async fn end_all_sessions(
        &self,
        request: Request<EndAllSessionsRequest>,
    ) -> Result<Response<EndAllSessionsResponse>, Status> {
        let own = self.own(&request)?;
        account_messages::end_everywhere(&self.0, own.user()).await?;
        own.audit(&self.0, &Act::EndAllSessions);
        Ok(Response::new(EndAllSessionsResponse {}))
    }

    async fn list_connected_applications(
        &self,
        request: Request<ListConnectedApplicationsRequest>,
    ) -> Result<Response<ListConnectedApplicationsResponse>, Status> {
        let own = self.own(&request)?;
        let applications = connected_applications::list(&self.0, own.user()).await.map_err(|error| failed(&error))?;
        let applications = applications.iter().map(account_messages::application).collect();
        Ok(Response::new(ListConnectedApplicationsResponse { applications }))
    }

    async fn disconnect_application(
        &self,
        request: Request<DisconnectApplicationRequest>,
    ) -> Result<Response<DisconnectApplicationResponse>, Status> {
        let own = self.own(&request)?;
        let client = &request.get_ref().client_id;
        termination::withdraw_consent(&self.0, own.user(), client).await.map_err(|error| failed(&error))?;
        own.audit(&self.0, &Act::Disconnect(client));
        Ok(Response::new(DisconnectApplicationResponse {}))
    }

    async fn list_events(&self, request: Request<ListEventsRequest>) -> Result<Response<ListEventsResponse>, Status> {
        let own = self.own(&request)?;
        let ListEventsRequest { page_size, page_token } = request.into_inner();
        let filter = EventFilter { user: Some(own.user().to_owned()), ..EventFilter::default() };
        let (events, next_page_token) =
            account_messages::events(&self.0, Reader::User, &filter, (page_size, &page_token)).await?;
        Ok(Response::new(ListEventsResponse { events, next_page_token }))
    }

    async fn get_mail_change_policy(
        &self,
        request: Request<GetMailChangePolicyRequest>,
    ) -> Result<Response<GetMailChangePolicyResponse>, Status> {
        self.own(&request)?;
        let enabled = mail_change::is_offered(&self.0).await.map_err(|error| not_sent(&error.into()))?;
        Ok(Response::new(GetMailChangePolicyResponse { enabled }))
    }

    /// `docs/security-requirements.md#l11`
    async fn change_mail(&self, request: Request<ChangeMailRequest>) -> Result<Response<ChangeMailResponse>, Status> {
        let own = self.own(&request)?;
        self.require_recent_sign_in(&own).await?;
        let ChangeMailRequest { address, language } = request.into_inner();
        let language = Language::choose(&[language], &HeaderMap::new());
        let sent = mail_change::request(&self.0, &own.claims.user.id, (address.trim(), language), &own.caller).await;
        sent.map_err(|error| not_sent(&error))?;
        Ok(Response::new(ChangeMailResponse {}))
    }
}
