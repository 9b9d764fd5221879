//! `AccountAdminAPI`: administrators see and end the sessions of all users, and the access of applications to their accounts.

#[cfg(test)]
mod tests;

use ::store::page::Position;
use ::token::{Claims, authorize_admin};
use authn::{Caller, Claim, Groups};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use proto::doorward::idp::v1::{
    AccountEvent, AccountUser, DisconnectUserApplicationRequest, DisconnectUserApplicationResponse,
    EndAllUserSessionsRequest, EndAllUserSessionsResponse, EndEveryUsersSessionsRequest, EndEveryUsersSessionsResponse,
    EndUserSessionRequest, EndUserSessionResponse, ExportUserEventsRequest, ExportUserEventsResponse,
    ListUserApplicationsRequest, ListUserApplicationsResponse, ListUserEventsRequest, ListUserEventsResponse,
    ListUserSessionsRequest, ListUserSessionsResponse,
    account_admin_api_server::{AccountAdminApi, AccountAdminApiServer},
    account_user::Name,
};
use tonic::{Request, Response, Status};

use super::account_messages::{self, Act, Reader, cut, page_size, position};
use super::change::{self, Change};
use super::{failed, invalid};
use crate::Provider;
use crate::engine::termination::every_user::{self, Stage, StageError};
use crate::engine::{connected_applications, termination};
use crate::model::{Session, time_of};
use crate::store::EventFilter;

/// The largest request that is read, in bytes.
const REQUEST_LIMIT: usize = 8 * 1024;

/// The gRPC service.
pub struct Api(Provider);

/// Serves it, to requests of at most so many bytes; 8 KiB by default.
pub fn serve(provider: Provider, limit: Option<usize>) -> AccountAdminApiServer<Api> {
    AccountAdminApiServer::new(Api(provider)).max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
}

impl Api {
    /// The caller, who has to be an administrator that has signed in, or the operator (`docs/security-requirements.md#s4`).
    fn admin<T>(&self, request: &Request<T>) -> Result<(Claims, Caller), Status> {
        let claims = authorize_admin(&self.0.verifier, self.0.clock.now(), request.metadata())?;
        Ok((claims, Caller::of(request.metadata(), request.extensions())))
    }

    /// The identifier of a user. One that is given as such need not be in the directory any more.
    async fn user(&self, user: Option<AccountUser>) -> Result<String, Status> {
        match user.and_then(|user| user.name) {
            Some(Name::Id(id)) if !id.is_empty() => Ok(id),
            Some(Name::Username(name)) if !name.is_empty() => {
                let found = self.0.directory.user_by_claim(&Claim::Username(name), Groups::Skip).await;
                let found = found.map_err(|error| status::grpc(error.kind(), error.to_string()))?;
                Ok(found.id.opaque_id.clone())
            }
            _ => Err(invalid("user has neither an id nor a username")),
        }
    }

    /// The same, where a user may be left out.
    async fn optional_user(&self, user: Option<AccountUser>) -> Result<Option<String>, Status> {
        if user.is_none() {
            return Ok(None);
        }
        self.user(user).await.map(Some)
    }

    /// Which events a request asks for.
    async fn event_filter(&self, request: &ListUserEventsRequest) -> Result<EventFilter, Status> {
        let time = |seconds: i64| time_of(u64::try_from(seconds).unwrap_or_default());
        let text = |text: &str| Some(text).filter(|text| !text.is_empty()).map(str::to_owned);
        let address = match &*request.address {
            "" => None,
            address => Some(address.parse().map_err(|_| invalid("address is not an IP address"))?),
        };
        Ok(EventFilter {
            user: self.optional_user(request.user.clone()).await?,
            event: text(&request.event),
            outcome: text(&request.outcome),
            address,
            since: request.since.map(time),
            until: request.until.map(time),
        })
    }

    /// The events that a filter finds, a page at a time.
    async fn event_page(&self, filter: &EventFilter, page: (u32, &str)) -> Result<(Vec<AccountEvent>, String), Status> {
        account_messages::events(&self.0, Reader::Administrator, filter, page).await
    }

    /// Records that the events are read for a copy that is kept elsewhere.
    fn record_export(&self, (claims, caller): (&Claims, &Caller)) {
        let export = Change { event: "audit_export", ..Change::default() };
        change::record(&self.0.audit_events, (claims, caller), &export, self.0.clock.now());
    }
}

/// All events that a filter finds, of which the first page is read. A page is read when the one before was taken, so that no more than one
/// is in memory.
fn exported(
    provider: Provider,
    filter: EventFilter,
    first: (Vec<AccountEvent>, String),
) -> BoxStream<'static, Result<ExportUserEventsResponse, Status>> {
    let pages = stream::try_unfold((Some(first), String::new()), move |(read, next)| {
        let (api, filter) = (Api(provider.clone()), filter.clone());
        async move {
            let (events, page_token) = match read {
                Some(first) => first,
                None if next.is_empty() => return Ok(None),
                None => api.event_page(&filter, (0, &next)).await?,
            };
            Ok(Some((ExportUserEventsResponse { events }, (None, page_token))))
        }
    });
    pages.boxed()
}

fn invalid_stage(error: StageError) -> Status {
    invalid(error.to_string())
}

#[tonic::async_trait]
impl AccountAdminApi for Api {
    async fn list_user_sessions(
        &self,
        request: Request<ListUserSessionsRequest>,
    ) -> Result<Response<ListUserSessionsResponse>, Status> {
        self.admin(&request)?;
        let ListUserSessionsRequest { user, page_size: size, page_token } = request.into_inner();
        let user = self.optional_user(user).await?;
        let (size, after, now) = (page_size(size), position(&page_token)?, self.0.clock.now());
        let found = self.0.store.live_sessions(user.as_deref(), after, u64::from(size) + 1, now).await;
        let mut found = found.map_err(|error| failed(&error))?;
        let next_page_token = cut(&mut found, size, |session| Position { at: session.signed_in, id: session.id });
        // those that are ended and could not be removed yet; a page may have less than it could for that
        let live = found.iter().filter(|session| account_messages::is_live(&self.0, session));
        let sessions = live.map(|session: &Session| account_messages::session(session, false)).collect();
        Ok(Response::new(ListUserSessionsResponse { sessions, next_page_token }))
    }

    async fn end_user_session(
        &self,
        request: Request<EndUserSessionRequest>,
    ) -> Result<Response<EndUserSessionResponse>, Status> {
        let (claims, caller) = self.admin(&request)?;
        let EndUserSessionRequest { id, user } = request.into_inner();
        let user = self.optional_user(user).await?;
        let session = account_messages::find_session(&self.0, &id).await?;
        let session = session.filter(|session| user.as_ref().is_none_or(|user| session.person == *user));
        let session = session.ok_or_else(account_messages::no_session)?;
        account_messages::end_session(&self.0, &session).await?;
        account_messages::audit(&self.0, (&claims, &caller), &session.person, &Act::EndSession(session.id));
        Ok(Response::new(EndUserSessionResponse { session: Some(account_messages::session(&session, false)) }))
    }

    async fn end_all_user_sessions(
        &self,
        request: Request<EndAllUserSessionsRequest>,
    ) -> Result<Response<EndAllUserSessionsResponse>, Status> {
        let (claims, caller) = self.admin(&request)?;
        let user_id = self.user(request.into_inner().user).await?;
        account_messages::end_everywhere(&self.0, &user_id).await?;
        account_messages::audit(&self.0, (&claims, &caller), &user_id, &Act::EndAllSessions);
        Ok(Response::new(EndAllUserSessionsResponse { user_id }))
    }

    async fn end_every_users_sessions(
        &self,
        request: Request<EndEveryUsersSessionsRequest>,
    ) -> Result<Response<EndEveryUsersSessionsResponse>, Status> {
        let (claims, caller) = self.admin(&request)?;
        let page_token = &request.get_ref().page_token;
        let from = if page_token.is_empty() { Stage::default() } else { page_token.parse().map_err(invalid_stage)? };
        let own_id = &claims.user.id.opaque_id;
        let (users, next) = every_user::end_some(&self.0, &from, own_id).await.map_err(|error| failed(&error))?;
        self.0.deliveries.notify_one();
        for user in &users {
            account_messages::audit(&self.0, (&claims, &caller), user, &Act::EndAllSessions);
        }
        let change = |outcome| Change { event: "session_end_every_user", outcome, ..Change::default() };
        let record = |outcome| {
            change::record(&self.0.audit_events, (&claims, &caller), &change(outcome), self.0.clock.now());
        };
        if page_token.is_empty() {
            record("begun");
        }
        if next.is_none() {
            account_messages::end_everywhere(&self.0, own_id).await?;
            account_messages::audit(&self.0, (&claims, &caller), own_id, &Act::EndAllSessions);
            record("done");
        }
        let users = u32::try_from(users.len()).unwrap_or(u32::MAX);
        let next_page_token = next.map(|stage| stage.to_string()).unwrap_or_default();
        Ok(Response::new(EndEveryUsersSessionsResponse { users, next_page_token }))
    }

    async fn list_user_applications(
        &self,
        request: Request<ListUserApplicationsRequest>,
    ) -> Result<Response<ListUserApplicationsResponse>, Status> {
        self.admin(&request)?;
        let user = self.user(request.into_inner().user).await?;
        let applications = connected_applications::list(&self.0, &user).await.map_err(|error| failed(&error))?;
        let applications = applications.iter().map(account_messages::application).collect();
        Ok(Response::new(ListUserApplicationsResponse { applications }))
    }

    async fn disconnect_user_application(
        &self,
        request: Request<DisconnectUserApplicationRequest>,
    ) -> Result<Response<DisconnectUserApplicationResponse>, Status> {
        let (claims, caller) = self.admin(&request)?;
        let DisconnectUserApplicationRequest { user, client_id } = request.into_inner();
        let user = self.user(user).await?;
        termination::withdraw_consent(&self.0, &user, &client_id).await.map_err(|error| failed(&error))?;
        account_messages::audit(&self.0, (&claims, &caller), &user, &Act::Disconnect(&client_id));
        Ok(Response::new(DisconnectUserApplicationResponse {}))
    }

    async fn list_user_events(
        &self,
        request: Request<ListUserEventsRequest>,
    ) -> Result<Response<ListUserEventsResponse>, Status> {
        let (claims, caller) = self.admin(&request)?;
        let request = request.into_inner();
        let filter = self.event_filter(&request).await?;
        let (events, next_page_token) = self.event_page(&filter, (request.page_size, &request.page_token)).await?;
        if request.is_export && request.page_token.is_empty() {
            self.record_export((&claims, &caller));
        }
        Ok(Response::new(ListUserEventsResponse { events, next_page_token }))
    }

    type ExportUserEventsStream = BoxStream<'static, Result<ExportUserEventsResponse, Status>>;

    async fn export_user_events(
        &self,
        request: Request<ExportUserEventsRequest>,
    ) -> Result<Response<Self::ExportUserEventsStream>, Status> {
        let (claims, caller) = self.admin(&request)?;
        let filter = self.event_filter(&request.into_inner().filter.unwrap_or_default()).await?;
        let first = self.event_page(&filter, (0, "")).await?;
        self.record_export((&claims, &caller));
        Ok(Response::new(exported(self.0.clone(), filter, first)))
    }
}
