//! The front page: the user's applications.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::page::{Navigation, Page, Section};
use super::signed_in::SignedIn;
use crate::applications::Application;

#[derive(Template)]
#[template(path = "applications.html")]
struct FrontPage<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    name: &'a str,
    applications: Vec<&'a Application>,
    overview: String,
}

/// `GET /account/applications`, and `/` at the edge.
pub(super) async fn show(signed_in: SignedIn) -> Response {
    let user = signed_in.current_user().await;
    let context = signed_in.context();
    let words = context.words();
    let applications = signed_in.state.applications.current();
    context.respond(
        StatusCode::OK,
        &FrontPage {
            page: context.page(words.applications_title),
            navigation: context.navigation(Section::Applications),
            name: if user.display_name.is_empty() { &user.username } else { &user.display_name },
            applications: applications.iter().filter(|application| application.is_visible_to(&user)).collect(),
            overview: signed_in.state.path(""),
        },
    )
}
