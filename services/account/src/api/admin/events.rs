//! The audit log.

use axum::Json;
use proto::doorward::idp::v1::ListUserEventsRequest;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::caller::Administrator;
use super::super::events::{Event, EventList};
use super::super::given;
use super::super::problem::Problem;
use super::super::request::Parameters;
use super::sessions::accounts;
use super::user_id;
use crate::http::admin::audit::filter::{BadField, Entered};
use crate::state::AccountState;

pub(super) fn routes() -> OpenApiRouter<AccountState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which events are wanted.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventSearch {
    /// Only those of the account of the user with this login name or identifier.
    user: Option<String>,
    /// Only those with this name, as in `sign_in`.
    event: Option<String>,
    /// Only those that ended so, as in `failure`.
    outcome: Option<String>,
    /// Only those from this IP address.
    address: Option<String>,
    /// Only those of this day or later days, as in `2026-11-29`, in UTC.
    #[param(format = Date)]
    from: Option<String>,
    /// Only those of this day or earlier days, in UTC.
    #[param(format = Date)]
    until: Option<String>,
    /// How many entries to return at most; 100 if it is left out, and never more.
    #[param(minimum = 1, maximum = 100)]
    page_size: Option<u32>,
    /// `next_page_token` of the page before; left out for the first page.
    page_token: Option<String>,
}

/// Lists the events of the audit log, the newest first.
#[utoipa::path(
    get,
    path = "/admin/api/v1/events",
    operation_id = "listAuditEvents",
    tag = "administration: events",
    params(EventSearch),
    responses((status = 200, description = "A page of the events.", body = EventList))
)]
async fn list(
    administrator: Administrator,
    Parameters(wanted): Parameters<EventSearch>,
) -> Result<Json<EventList>, Problem> {
    let mut accounts = accounts(&administrator)?;
    let user_id = user_id(&administrator, wanted.user.as_deref()).await?;
    let entered = Entered {
        user: wanted.user.unwrap_or_default(),
        event: wanted.event.unwrap_or_default(),
        outcome: wanted.outcome.unwrap_or_default(),
        address: wanted.address.unwrap_or_default(),
        from: wanted.from.unwrap_or_default(),
        until: wanted.until.unwrap_or_default(),
    };
    let request = ListUserEventsRequest {
        page_size: wanted.page_size.unwrap_or_default(),
        page_token: wanted.page_token.unwrap_or_default(),
        ..entered.request(user_id).map_err(bad_field)?
    };
    let listed = accounts.list_user_events(administrator.0.on_behalf().call(request)).await?.into_inner();
    let events = listed.events.into_iter().map(Event::from).collect();
    Ok(Json(EventList { events, next_page_token: given(listed.next_page_token) }))
}

fn bad_field(field: BadField) -> Problem {
    match field {
        BadField::Address => Problem::parameter("address", "it is not an IP address"),
        BadField::From => Problem::parameter("from", "it is not a day, like 2026-11-29"),
        BadField::Until => Problem::parameter("until", "it is not a day, like 2026-11-29"),
    }
}
