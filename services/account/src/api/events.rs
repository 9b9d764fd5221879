//! What happened with the account of the signed-in user.

use axum::Json;
use proto::doorward::idp::v1::AccountEvent;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::User;
use super::given;
use super::problem::Problem;
use super::request::Parameters;
use super::sessions::own_account;
use super::timestamp::Timestamp;
use super::tokens::Page;
use crate::state::AccountState;

pub(super) fn routes() -> OpenApiRouter<AccountState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// An event of an account, or of the installation.
#[derive(Serialize, ToSchema)]
pub(super) struct Event {
    /// The identifier; administrators alone are shown it.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// When it happened.
    time: Timestamp,
    /// What was done or attempted, as the audit log names it.
    #[serde(rename = "event")]
    #[schema(example = "sign_in")]
    name: String,
    /// How it ended.
    #[schema(example = "success")]
    outcome: String,
    /// The identifier of the user whose account it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    /// The identifier of the administrator who has done it; administrators alone are shown it.
    #[serde(skip_serializing_if = "Option::is_none")]
    administrator_id: Option<String>,
    /// The client.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// What it was done to besides an account, or why; administrators alone are shown it.
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    /// The address from which it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// What the browser or program called itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
}

impl From<AccountEvent> for Event {
    fn from(event: AccountEvent) -> Self {
        Self {
            id: given(event.id),
            time: Timestamp::at(event.time),
            name: event.event,
            outcome: event.outcome,
            user_id: given(event.user_id),
            administrator_id: given(event.administrator_id),
            client_id: given(event.client_id),
            object: given(event.object),
            address: given(event.address),
            user_agent: given(event.user_agent),
        }
    }
}

/// A page of events.
#[derive(Serialize, ToSchema)]
pub(super) struct EventList {
    pub(super) events: Vec<Event>,
    /// For the next page; left out if this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_page_token: Option<String>,
}

/// Lists what happened with the account, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    operation_id = "listEvents",
    tag = "events",
    params(Page),
    responses((status = 200, description = "A page of the events.", body = EventList))
)]
async fn list(User(signed_in): User, Parameters(page): Parameters<Page>) -> Result<Json<EventList>, Problem> {
    let Page { page_size, page_token } = page;
    let (own_account, token) = (own_account(&signed_in)?, page_token.unwrap_or_default());
    let listed = own_account.events(&signed_in.on_behalf(), page_size.unwrap_or_default(), &token).await?;
    let events = listed.events.into_iter().map(Event::from).collect();
    Ok(Json(EventList { events, next_page_token: given(listed.next_page_token) }))
}
