//! A stand-in for idp: `AccountAPI` over lists, which takes the user from the internal token, as idp does.

use std::sync::{Arc, Mutex, MutexGuard};

use proto::doorward::idp::v1::{
    AccountEvent, AccountSession, ChangeMailRequest, ChangeMailResponse, ConnectedApplication,
    DisconnectApplicationRequest, DisconnectApplicationResponse, EndAllSessionsRequest, EndAllSessionsResponse,
    EndOtherSessionsRequest, EndOtherSessionsResponse, EndSessionRequest, EndSessionResponse, GetCurrentSessionRequest,
    GetCurrentSessionResponse, GetMailChangePolicyRequest, GetMailChangePolicyResponse,
    ListConnectedApplicationsRequest, ListConnectedApplicationsResponse, ListEventsRequest, ListEventsResponse,
    ListSessionsRequest, ListSessionsResponse,
    account_api_server::{AccountApi, AccountApiServer},
};
use runtime::Clock;
use token::{Verifier, authorize};
use tonic::{Request, Response, Status};

/// How many events a page has here.
const EVENTS_OF_PAGE: usize = 2;

/// What the stand-in has. Sessions and events name their users themselves.
#[derive(Default)]
pub(crate) struct Lists {
    pub(crate) sessions: Vec<AccountSession>,
    /// Each with the identifier of its user.
    pub(crate) applications: Vec<(String, ConnectedApplication)>,
    pub(crate) events: Vec<AccountEvent>,
    /// The session of every credential.
    pub(crate) current: GetCurrentSessionResponse,
    /// Whether mail is sent.
    pub(crate) sends_mail: bool,
    /// The identifiers of users, each with the address to which a link was sent, and the language of the page.
    pub(crate) links: Vec<(String, String, String)>,
    /// What a request for a link is refused with, if that is set.
    pub(crate) link_refusal: Option<Status>,
    /// What every call is refused with, if that is set.
    pub(crate) failure: Option<Status>,
}

/// The stand-in. Clones share the lists.
#[derive(Clone)]
pub(crate) struct FakeIdp {
    verifier: Verifier,
    clock: Clock,
    lists: Arc<Mutex<Lists>>,
}

impl FakeIdp {
    pub(crate) fn new(verifier: Verifier, clock: Clock) -> Self {
        Self { verifier, clock, lists: Arc::default() }
    }

    pub(crate) fn server(&self) -> AccountApiServer<Self> {
        AccountApiServer::new(self.clone())
    }

    pub(crate) fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().expect("no test has panicked")
    }

    /// The user who calls, who must not be a program.
    fn user<T>(&self, request: &Request<T>) -> Result<String, Status> {
        if let Some(failure) = &self.lists().failure {
            return Err(failure.clone());
        }
        let claims = authorize(&self.verifier, self.clock.now(), request.metadata())?;
        if claims.amr.iter().any(|method| authn::amr::is_of_program(method)) {
            return Err(Status::permission_denied("accounts are managed by users who have signed in"));
        }
        Ok(claims.user.id.opaque_id)
    }
}

#[tonic::async_trait]
impl AccountApi for FakeIdp {
    async fn list_sessions(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        let user = self.user(&request)?;
        let sessions = self.lists().sessions.iter().filter(|session| session.user_id == user).cloned().collect();
        Ok(Response::new(ListSessionsResponse { sessions }))
    }

    async fn get_current_session(
        &self,
        request: Request<GetCurrentSessionRequest>,
    ) -> Result<Response<GetCurrentSessionResponse>, Status> {
        self.user(&request)?;
        Ok(Response::new(self.lists().current.clone()))
    }

    async fn end_session(&self, request: Request<EndSessionRequest>) -> Result<Response<EndSessionResponse>, Status> {
        let (user, id) = (self.user(&request)?, request.into_inner().id);
        let mut lists = self.lists();
        let found = lists.sessions.iter().position(|session| session.user_id == user && session.id == id);
        lists.sessions.remove(found.ok_or_else(|| Status::not_found("there is no such session"))?);
        Ok(Response::new(EndSessionResponse {}))
    }

    async fn end_other_sessions(
        &self,
        request: Request<EndOtherSessionsRequest>,
    ) -> Result<Response<EndOtherSessionsResponse>, Status> {
        let user = self.user(&request)?;
        let mut lists = self.lists();
        if !lists.sessions.iter().any(|session| session.user_id == user && session.current) {
            return Err(Status::failed_precondition("the credential comes from no live session"));
        }
        lists.sessions.retain(|session| session.user_id != user || session.current);
        Ok(Response::new(EndOtherSessionsResponse { ended: 1 }))
    }

    async fn end_all_sessions(
        &self,
        request: Request<EndAllSessionsRequest>,
    ) -> Result<Response<EndAllSessionsResponse>, Status> {
        let user = self.user(&request)?;
        self.lists().sessions.retain(|session| session.user_id != user);
        Ok(Response::new(EndAllSessionsResponse {}))
    }

    async fn list_connected_applications(
        &self,
        request: Request<ListConnectedApplicationsRequest>,
    ) -> Result<Response<ListConnectedApplicationsResponse>, Status> {
        let user = self.user(&request)?;
        let lists = self.lists();
        let own = lists.applications.iter().filter(|(owner, _)| *owner == user);
        let applications = own.map(|(_, application)| application.clone()).collect();
        Ok(Response::new(ListConnectedApplicationsResponse { applications }))
    }

    async fn disconnect_application(
        &self,
        request: Request<DisconnectApplicationRequest>,
    ) -> Result<Response<DisconnectApplicationResponse>, Status> {
        let (user, client) = (self.user(&request)?, request.into_inner().client_id);
        self.lists().applications.retain(|(owner, own)| *owner != user || own.client_id != client);
        Ok(Response::new(DisconnectApplicationResponse {}))
    }

    async fn list_events(&self, request: Request<ListEventsRequest>) -> Result<Response<ListEventsResponse>, Status> {
        let (user, after) = (self.user(&request)?, request.into_inner().page_token);
        let first = if after.is_empty() { Ok(0) } else { after.parse::<usize>() };
        let first = first.map_err(|_| Status::invalid_argument("page_token: is invalid"))?;
        let lists = self.lists();
        let own: Vec<_> = lists.events.iter().filter(|event| event.user_id == user).cloned().collect();
        let end = first + EVENTS_OF_PAGE;
        let next_page_token = if own.len() > end { end.to_string() } else { String::new() };
        let events = own.into_iter().skip(first).take(EVENTS_OF_PAGE).collect();
        Ok(Response::new(ListEventsResponse { events, next_page_token }))
    }

    async fn get_mail_change_policy(
        &self,
        request: Request<GetMailChangePolicyRequest>,
    ) -> Result<Response<GetMailChangePolicyResponse>, Status> {
        self.user(&request)?;
        Ok(Response::new(GetMailChangePolicyResponse { enabled: self.lists().sends_mail }))
    }

    async fn change_mail(&self, request: Request<ChangeMailRequest>) -> Result<Response<ChangeMailResponse>, Status> {
        let (user, ChangeMailRequest { address, language }) = (self.user(&request)?, request.into_inner());
        let mut lists = self.lists();
        if let Some(refusal) = &lists.link_refusal {
            return Err(refusal.clone());
        }
        lists.links.push((user, address, language));
        Ok(Response::new(ChangeMailResponse {}))
    }
}
