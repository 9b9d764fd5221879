//! The API behind the administration pages, for administrators.

mod clients;
mod events;
mod groups;
mod health;
mod invitations;
mod keys;
mod passwords;
mod profiles;
mod service_accounts;
mod sessions;
mod tokens;
mod users;

use authn::DirectoryError;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;

use super::caller::Administrator;
use super::problem::Problem;
use crate::http::admin::user_names::identifier;
use crate::state::AccountState;

pub(super) fn routes() -> OpenApiRouter<AccountState> {
    OpenApiRouter::new()
        .merge(users::routes())
        .merge(invitations::routes())
        .merge(profiles::routes())
        .merge(passwords::routes())
        .merge(groups::routes())
        .merge(tokens::routes())
        .merge(service_accounts::routes())
        .merge(clients::routes())
        .merge(keys::routes())
        .merge(sessions::routes())
        .merge(events::routes())
        .merge(health::routes())
}

/// Which entries of a list are wanted, and which page of them.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Search {
    /// A part of a name; left out for all entries.
    query: Option<String>,
    /// How many entries to return at most; 100 if it is left out.
    #[param(minimum = 1)]
    page_size: Option<u32>,
    /// `next_page_token` of the page before; left out for the first page.
    page_token: Option<String>,
}

/// The user whose entries a request is about.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OfUser {
    /// The identifier of the user.
    user_id: String,
}

impl OfUser {
    /// The identifier, which must not be empty: it must not be taken for that of all users.
    fn id(self) -> Result<String, Problem> {
        if self.user_id.is_empty() { Err(Problem::parameter("user_id", "it is empty")) } else { Ok(self.user_id) }
    }
}

/// The identifier of the user whom a parameter names by the login name, the identifier or the mail address; `None` if it is left out.
async fn user_id(administrator: &Administrator, named: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(named) = named else { return Ok(None) };
    if named.is_empty() {
        return Err(Problem::parameter("user", "it is empty"));
    }
    let found = identifier(&administrator.0.state, named).await;
    Ok(found.map_err(|error: DirectoryError| status::grpc(error.kind(), error.to_string()))?)
}
