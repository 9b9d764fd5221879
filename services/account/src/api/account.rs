//! The account of the signed-in user.

use authn::role;
use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::User;
use crate::http::admin::users::roles::ROLES;
use crate::state::AccountState;

pub(super) fn routes() -> OpenApiRouter<AccountState> {
    OpenApiRouter::new().routes(routes!(show))
}

/// What the directory knows of a user.
#[derive(Serialize, ToSchema)]
struct Account {
    /// The identifier.
    id: String,
    /// The name of the sign-in.
    username: String,
    /// The name to show.
    display_name: String,
    /// The mail address; empty if there is none.
    mail: String,
    /// The groups, as the directory names them.
    groups: Vec<String>,
    /// The names of the roles; the identifier of one that not every installation has.
    #[schema(example = json!(["user"]))]
    roles: Vec<String>,
}

/// Returns the account of the signed-in user.
#[utoipa::path(
    get,
    path = "/api/v1/account",
    operation_id = "getAccount",
    tag = "account",
    responses((status = 200, description = "The account.", body = Account))
)]
async fn show(User(signed_in): User) -> Json<Account> {
    let user = signed_in.current_user().await;
    Json(Account {
        id: user.id.opaque_id,
        username: user.username,
        display_name: user.display_name,
        mail: user.mail,
        groups: user.groups,
        roles: user.roles.iter().map(|role| role_name(role).to_owned()).collect(),
    })
}

/// The name of a role by its identifier.
fn role_name(id: &str) -> &str {
    ROLES.into_iter().find(|name| role::id(name) == id).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_named_where_every_installation_has_them() {
        assert_eq!((role_name(role::ADMIN), role_name(role::SPACE_ADMIN)), ("admin", "spaceadmin"));
        assert_eq!((role_name("user"), role_name("an-id")), ("user", "an-id"));
    }
}
