//! What happened with a user's account.

use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::idp::v1::ListUserEventsRequest;
use web::form::Parameters;

use super::super::super::access_words::{AccessWords, access_words};
use super::super::super::activity::{EVENTS_OF_PAGE, MAX_PAGE_TOKEN, Row};
use super::super::super::page::{Navigation, Page};
use super::super::AdminSection;
use super::{UserAdministrator, name_of};
use crate::administration::users::account;

#[derive(Template)]
#[template(path = "admin_user_activity.html")]
struct ActivityPage<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    words: &'static AccessWords,
    name: &'a str,
    rows: Vec<Row>,
    /// The page with the events before these.
    next: Option<String>,
    user_path: String,
}

/// `GET /admin/users/{id}/activity`.
pub(super) async fn show(
    user: UserAdministrator,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let mut accounts = user.accounts().ok_or_else(|| user.administrator.not_found())?;
    let person = user.user(&id).await?;
    let administrator = &user.administrator;
    let query = Parameters::of_query(query.as_deref()).map_err(|_| administrator.not_found())?;
    let after = query.one("after", MAX_PAGE_TOKEN).map_err(|_| administrator.not_found())?.unwrap_or_default();
    let message = ListUserEventsRequest {
        user: Some(account(&id)),
        page_size: EVENTS_OF_PAGE,
        page_token: after.to_owned(),
        ..ListUserEventsRequest::default()
    };
    let listed = accounts.list_user_events(administrator.signed_in.on_behalf().call(message)).await;
    let listed = listed.map_err(|status| administrator.failure(&status))?.into_inner();
    let context = administrator.context();
    let words = access_words(context.language);
    let next = Some(listed.next_page_token).filter(|next| !next.is_empty());
    let page = ActivityPage {
        page: context.page(administrator.texts().activity),
        navigation: administrator.navigation(AdminSection::Users),
        words,
        name: name_of(&person),
        rows: listed.events.into_iter().map(|event| Row::new(words, context.language, event)).collect(),
        next: next.map(|next| user.path_of(&id, &format!("/activity?after={next}"))),
        user_path: user.path_of(&id, ""),
    };
    Ok(context.respond(StatusCode::OK, &page))
}
