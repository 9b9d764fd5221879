//! A stand-in for idp: `AccountAdminAPI` over lists, for administrators alone, as idp does.

use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use proto::doorward::idp::v1::{
    AccountEvent, AccountSession, DisconnectUserApplicationRequest, DisconnectUserApplicationResponse,
    EndAllUserSessionsRequest, EndAllUserSessionsResponse, EndEveryUsersSessionsRequest, EndEveryUsersSessionsResponse,
    EndUserSessionRequest, EndUserSessionResponse, ExportUserEventsRequest, ExportUserEventsResponse,
    ListUserApplicationsRequest, ListUserApplicationsResponse, ListUserEventsRequest, ListUserEventsResponse,
    ListUserSessionsRequest, ListUserSessionsResponse,
    account_admin_api_server::{AccountAdminApi, AccountAdminApiServer},
    account_user::Name,
};
use runtime::Clock;
use token::{Verifier, authorize_admin};
use tonic::{Request, Response, Status};

/// How many events a page has here.
const EVENTS_OF_PAGE: usize = 2;

/// What the stand-in has, and was asked for.
#[derive(Default)]
pub(crate) struct Lists {
    pub(crate) sessions: Vec<AccountSession>,
    pub(crate) events: Vec<AccountEvent>,
    /// The last requests for events, in their order.
    pub(crate) asked: Vec<ListUserEventsRequest>,
    /// The same for exports.
    pub(crate) exported: Vec<ExportUserEventsRequest>,
    /// How many calls it takes to sign all users out.
    pub(crate) calls: usize,
}

/// The stand-in. Clones share the lists.
#[derive(Clone)]
pub(crate) struct FakeAccountAdmin {
    verifier: Verifier,
    clock: Clock,
    lists: Arc<Mutex<Lists>>,
}

impl FakeAccountAdmin {
    pub(crate) fn new(verifier: Verifier, clock: Clock) -> Self {
        Self { verifier, clock, lists: Arc::default() }
    }

    pub(crate) fn server(&self) -> AccountAdminApiServer<Self> {
        AccountAdminApiServer::new(self.clone())
    }

    pub(crate) fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().expect("no test has panicked")
    }

    fn authorize<T>(&self, request: &Request<T>) -> Result<(), Status> {
        authorize_admin(&self.verifier, self.clock.now(), request.metadata())?;
        Ok(())
    }
}

fn id(name: Option<Name>) -> String {
    match name {
        Some(Name::Id(id)) => id,
        Some(Name::Username(_)) | None => String::new(),
    }
}

#[tonic::async_trait]
impl AccountAdminApi for FakeAccountAdmin {
    async fn list_user_sessions(
        &self,
        request: Request<ListUserSessionsRequest>,
    ) -> Result<Response<ListUserSessionsResponse>, Status> {
        self.authorize(&request)?;
        let user = request.into_inner().user.map(|user| id(user.name));
        let lists = self.lists();
        let fits = |session: &&AccountSession| user.as_ref().is_none_or(|user| session.user_id == *user);
        let sessions = lists.sessions.iter().filter(fits).cloned().collect();
        Ok(Response::new(ListUserSessionsResponse { sessions, next_page_token: String::new() }))
    }

    async fn end_user_session(
        &self,
        request: Request<EndUserSessionRequest>,
    ) -> Result<Response<EndUserSessionResponse>, Status> {
        self.authorize(&request)?;
        let EndUserSessionRequest { id: session_id, user } = request.into_inner();
        let user = user.map(|user| id(user.name));
        let mut lists = self.lists();
        let fits = |session: &AccountSession| user.as_ref().is_none_or(|user| session.user_id == *user);
        let found = lists.sessions.iter().position(|session| session.id == session_id && fits(session));
        let session = lists.sessions.remove(found.ok_or_else(|| Status::not_found("there is no such session"))?);
        Ok(Response::new(EndUserSessionResponse { session: Some(session) }))
    }

    async fn end_all_user_sessions(
        &self,
        request: Request<EndAllUserSessionsRequest>,
    ) -> Result<Response<EndAllUserSessionsResponse>, Status> {
        self.authorize(&request)?;
        let user_id = id(request.into_inner().user.and_then(|user| user.name));
        self.lists().sessions.retain(|session| session.user_id != user_id);
        Ok(Response::new(EndAllUserSessionsResponse { user_id }))
    }

    async fn end_every_users_sessions(
        &self,
        request: Request<EndEveryUsersSessionsRequest>,
    ) -> Result<Response<EndEveryUsersSessionsResponse>, Status> {
        self.authorize(&request)?;
        let page_token = request.into_inner().page_token;
        let done = if page_token.is_empty() { Ok(0) } else { page_token.parse::<usize>() };
        let done = done.map_err(|_| Status::invalid_argument("page_token: is invalid"))? + 1;
        let mut lists = self.lists();
        let is_last = done >= lists.calls;
        if is_last {
            lists.sessions.clear();
        }
        let next_page_token = if is_last { String::new() } else { done.to_string() };
        Ok(Response::new(EndEveryUsersSessionsResponse { users: 1, next_page_token }))
    }

    async fn list_user_applications(
        &self,
        request: Request<ListUserApplicationsRequest>,
    ) -> Result<Response<ListUserApplicationsResponse>, Status> {
        self.authorize(&request)?;
        Ok(Response::new(ListUserApplicationsResponse::default()))
    }

    async fn disconnect_user_application(
        &self,
        request: Request<DisconnectUserApplicationRequest>,
    ) -> Result<Response<DisconnectUserApplicationResponse>, Status> {
        self.authorize(&request)?;
        Ok(Response::new(DisconnectUserApplicationResponse {}))
    }

    async fn list_user_events(
        &self,
        request: Request<ListUserEventsRequest>,
    ) -> Result<Response<ListUserEventsResponse>, Status> {
        self.authorize(&request)?;
        let request = request.into_inner();
        let mut lists = self.lists();
        let first = if request.page_token.is_empty() { Ok(0) } else { request.page_token.parse::<usize>() };
        let first = first.map_err(|_| Status::invalid_argument("page_token: is invalid"))?;
        lists.asked.push(request);
        let end = first + EVENTS_OF_PAGE;
        let next_page_token = if lists.events.len() > end { end.to_string() } else { String::new() };
        let events = lists.events.iter().skip(first).take(EVENTS_OF_PAGE).cloned().collect();
        Ok(Response::new(ListUserEventsResponse { events, next_page_token }))
    }

    type ExportUserEventsStream = BoxStream<'static, Result<ExportUserEventsResponse, Status>>;

    async fn export_user_events(
        &self,
        request: Request<ExportUserEventsRequest>,
    ) -> Result<Response<Self::ExportUserEventsStream>, Status> {
        self.authorize(&request)?;
        let mut lists = self.lists();
        lists.exported.push(request.into_inner());
        let message = |events: &[AccountEvent]| Ok(ExportUserEventsResponse { events: events.to_vec() });
        let messages: Vec<_> = lists.events.chunks(EVENTS_OF_PAGE).map(message).collect();
        Ok(Response::new(stream::iter(messages).boxed()))
    }
}
