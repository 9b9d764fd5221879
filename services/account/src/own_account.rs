//! The sessions, connected applications and events of the signed-in user, at idp.

use authn::BoxError;
use proto::doorward::idp::v1::{
    AccountSession, ChangeMailRequest, ConnectedApplication, DisconnectApplicationRequest, EndAllSessionsRequest,
    EndOtherSessionsRequest, EndSessionRequest, GetCurrentSessionRequest, GetCurrentSessionResponse,
    GetMailChangePolicyRequest, ListConnectedApplicationsRequest, ListEventsRequest, ListEventsResponse,
    ListSessionsRequest, account_api_client::AccountApiClient,
};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::Service;
use web::i18n::Language;

use crate::transport::{OnBehalfOf, Transport, transport};

/// A client of `AccountAPI`, in this process or another.
#[derive(Clone)]
pub struct OwnAccount(AccountApiClient<Transport>);

impl OwnAccount {
    /// Calls a generated server of this process, or a channel.
    pub fn new<S>(service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        Self(AccountApiClient::new(transport("idp", service)))
    }

    /// The user's live sessions, the last used ones first.
    pub(crate) async fn sessions(&self, user: &OnBehalfOf<'_>) -> Result<Vec<AccountSession>, Status> {
        Ok(self.0.clone().list_sessions(user.call(ListSessionsRequest {})).await?.into_inner().sessions)
    }

    /// The session from which the user's credential comes, and whether the user has a second factor.
    pub(crate) async fn current_session(&self, user: &OnBehalfOf<'_>) -> Result<GetCurrentSessionResponse, Status> {
        Ok(self.0.clone().get_current_session(user.call(GetCurrentSessionRequest {})).await?.into_inner())
    }

    /// Ends one of the user's sessions.
    pub(crate) async fn end_session(&self, user: &OnBehalfOf<'_>, id: &str) -> Result<(), Status> {
        self.0.clone().end_session(user.call(EndSessionRequest { id: id.to_owned() })).await.map(drop)
    }

    /// Ends all sessions but the current one; how many there were.
    pub(crate) async fn end_other_sessions(&self, user: &OnBehalfOf<'_>) -> Result<u32, Status> {
        Ok(self.0.clone().end_other_sessions(user.call(EndOtherSessionsRequest {})).await?.into_inner().ended)
    }

    /// Signs the user out everywhere.
    pub(crate) async fn end_all_sessions(&self, user: &OnBehalfOf<'_>) -> Result<(), Status> {
        self.0.clone().end_all_sessions(user.call(EndAllSessionsRequest {})).await.map(drop)
    }

    /// The applications that have access to the user's account.
    pub(crate) async fn applications(&self, user: &OnBehalfOf<'_>) -> Result<Vec<ConnectedApplication>, Status> {
        let request = user.call(ListConnectedApplicationsRequest {});
        Ok(self.0.clone().list_connected_applications(request).await?.into_inner().applications)
    }

    /// Ends the access of an application.
    pub(crate) async fn disconnect(&self, user: &OnBehalfOf<'_>, client_id: &str) -> Result<(), Status> {
        let request = DisconnectApplicationRequest { client_id: client_id.to_owned() };
        self.0.clone().disconnect_application(user.call(request)).await.map(drop)
    }

    /// Whether the user may change the mail address by a link that idp sends.
    pub(crate) async fn may_change_mail(&self, user: &OnBehalfOf<'_>) -> Result<bool, Status> {
        match self.0.clone().get_mail_change_policy(user.call(GetMailChangePolicyRequest {})).await {
            Ok(response) => Ok(response.into_inner().enabled),
            // an idp of an earlier version
            Err(status) if status.code() == Code::Unimplemented => Ok(false),
            Err(status) => Err(status),
        }
    }

    /// Has idp send a link to another mail address. The language is for a user whose profile has none.
    pub(crate) async fn change_mail(
        &self,
        user: &OnBehalfOf<'_>,
        address: &str,
        language: Language,
    ) -> Result<(), Status> {
        let (address, language) = (address.to_owned(), language.tag().to_owned());
        self.0.clone().change_mail(user.call(ChangeMailRequest { address, language })).await.map(drop)
    }

    /// A page of the user's events, the newest first; the first page if the token is empty.
    pub(crate) async fn events(
        &self,
        user: &OnBehalfOf<'_>,
        page_size: u32,
        page_token: &str,
    ) -> Result<ListEventsResponse, Status> {
        let request = ListEventsRequest { page_size, page_token: page_token.to_owned() };
        Ok(self.0.clone().list_events(user.call(request)).await?.into_inner())
    }
}
