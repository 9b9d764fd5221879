//! The sessions of the signed-in user.

use axum::Json;
use axum::http::StatusCode;
use proto::doorward::idp::v1::AccountSession;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::User;
use super::given;
use super::problem::Problem;
use super::request::Id;
use super::timestamp::Timestamp;
use crate::http::signed_in::SignedIn;
use crate::own_account::OwnAccount;
use crate::state::AccountState;

pub(super) fn routes() -> OpenApiRouter<AccountState> {
    OpenApiRouter::new().routes(routes!(list, end_all)).routes(routes!(end_others)).routes(routes!(end))
}

/// A session.
#[derive(Serialize, ToSchema)]
pub(super) struct Session {
    /// The identifier: `sid` in the tokens of clients.
    id: String,
    /// The identifier of its user.
    user_id: String,
    /// When the user signed in.
    created: Timestamp,
    /// When it was last used, to within a minute.
    last_used: Timestamp,
    /// When it ends if it is not used.
    expires: Timestamp,
    /// What the browser called itself at the sign-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    /// The address at the sign-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// Whether the credential of the request comes from this session.
    current: bool,
}

impl From<AccountSession> for Session {
    fn from(session: AccountSession) -> Self {
        Self {
            id: session.id,
            user_id: session.user_id,
            created: Timestamp::at(session.created),
            last_used: Timestamp::at(session.last_used),
            expires: Timestamp::at(session.expires),
            user_agent: given(session.user_agent),
            address: given(session.address),
            current: session.current,
        }
    }
}

/// The sessions of a user.
#[derive(Serialize, ToSchema)]
struct OwnSessions {
    sessions: Vec<Session>,
}

/// How many sessions were ended.
#[derive(Serialize, ToSchema)]
struct EndedSessions {
    ended: u32,
}

/// idp, which has the sessions, applications and events of the user.
pub(super) fn own_account(signed_in: &SignedIn) -> Result<&OwnAccount, Problem> {
    signed_in.state.own_account.as_ref().ok_or_else(|| Problem::without("idp"))
}

/// Lists the sessions, the last used ones first.
#[utoipa::path(
    get,
    path = "/api/v1/sessions",
    operation_id = "listSessions",
    tag = "sessions",
    responses((status = 200, description = "The sessions that have not ended.", body = OwnSessions))
)]
async fn list(User(signed_in): User) -> Result<Json<OwnSessions>, Problem> {
    let sessions = own_account(&signed_in)?.sessions(&signed_in.on_behalf()).await?;
    Ok(Json(OwnSessions { sessions: sessions.into_iter().map(Session::from).collect() }))
}

/// Ends a session.
#[utoipa::path(
    delete,
    path = "/api/v1/sessions/{id}",
    operation_id = "endSession",
    tag = "sessions",
    params(("id" = String, Path, description = "The identifier of the session.")),
    responses((status = 204, description = "The session has ended, and the tokens of clients from it."))
)]
async fn end(User(signed_in): User, Id(id): Id) -> Result<StatusCode, Problem> {
    own_account(&signed_in)?.end_session(&signed_in.on_behalf(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all sessions but the one from which the credential of the request comes.
#[utoipa::path(
    delete,
    path = "/api/v1/sessions/others",
    operation_id = "endOtherSessions",
    tag = "sessions",
    responses((status = 200, description = "The other sessions have ended.", body = EndedSessions))
)]
async fn end_others(User(signed_in): User) -> Result<Json<EndedSessions>, Problem> {
    let ended = own_account(&signed_in)?.end_other_sessions(&signed_in.on_behalf()).await?;
    Ok(Json(EndedSessions { ended }))
}

/// Signs the user out everywhere.
///
/// The credential of the request ends, too, if it comes from a session.
#[utoipa::path(
    delete,
    path = "/api/v1/sessions",
    operation_id = "endAllSessions",
    tag = "sessions",
    responses((status = 204, description = "All sessions have ended."))
)]
async fn end_all(User(signed_in): User) -> Result<StatusCode, Problem> {
    own_account(&signed_in)?.end_all_sessions(&signed_in.on_behalf()).await?;
    Ok(StatusCode::NO_CONTENT)
}
