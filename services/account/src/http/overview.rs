//! The overview of the account: what the directory knows of the user.

use askama::Template;
use authn::{User, role};
use axum::http::StatusCode;
use axum::response::Response;

use super::i18n::Words;
use super::page::{Navigation, Page, Section};
use super::signed_in::SignedIn;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    name: &'a str,
    username: &'a str,
    mail: &'a str,
    groups: &'a [String],
    roles: Vec<&'a str>,
}

/// What the groups of a user are called: by their names if users tells them, else by their identifiers.
async fn group_names(signed_in: &SignedIn, user: &User) -> Vec<String> {
    let Some(profiles) = signed_in.state.self_service.profiles.as_ref().filter(|_| !user.groups.is_empty()) else {
        return user.groups.clone();
    };
    match profiles.group_names(&signed_in.on_behalf(), &user.id.opaque_id).await {
        Ok(names) if !names.is_empty() => names,
        Ok(_) => user.groups.clone(),
        Err(status) => {
            tracing::debug!(%status, "users does not tell the names of groups, and a page shows their identifiers");
            user.groups.clone()
        }
    }
}

/// `GET /account`.
pub(super) async fn show(signed_in: SignedIn) -> Response {
    let user = signed_in.current_user().await;
    let groups = group_names(&signed_in, &user).await;
    let context = signed_in.context();
    let words = context.words();
    context.respond(
        StatusCode::OK,
        &Overview {
            page: context.page(words.overview_title),
            navigation: context.navigation(Section::Overview),
            name: &user.display_name,
            username: &user.username,
            mail: &user.mail,
            groups: &groups,
            roles: user.roles.iter().map(|role| role_name(words, role)).collect(),
        },
    )
}

/// The name of a role; its identifier if it is not one of those that the family ships.
fn role_name<'a>(words: &'static Words, id: &'a str) -> &'a str {
    match id {
        role::ADMIN => words.role_admin,
        role::SPACE_ADMIN => words.role_space_admin,
        role::USER => words.role_user,
        role::GUEST => words.role_guest,
        other => other,
    }
}
