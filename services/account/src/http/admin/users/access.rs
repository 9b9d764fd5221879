//! Where a user is signed in, and which applications have access to the account: lists, with forms that end each.

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::idp::v1::account_admin_api_client::AccountAdminApiClient;
use proto::doorward::idp::v1::{
    AccountSession, ConnectedApplication, DisconnectUserApplicationRequest, EndUserSessionRequest,
    ListUserApplicationsRequest, ListUserSessionsRequest,
};
use web::cookie::with_cookies;
use web::date::LocalizedTime;
use web::form::Parameters;
use web::response::see_other;

use super::super::super::access_words::{AccessWords, access_words};
use super::super::super::device_text;
use super::super::super::page::{Navigation, Page};
use super::super::super::tokens::time;
use super::super::AdminSection;
use super::super::text::AdminText;
use super::{UserAdministrator, name_of};
use crate::administration::users::account;
use crate::transport::Transport;

/// The longest identifier of a session or client that is read, in bytes.
const MAX_ID: usize = 1024;
/// The longest token of a page that is read, in bytes.
const MAX_PAGE_TOKEN: usize = 128;
/// Values of the parameter `done`: what the form before the page has done.
const ENDED: &str = "ended";
const DISCONNECTED: &str = "disconnected";

/// A session, as the list shows it.
struct SessionRow {
    id: String,
    device: String,
    address: String,
    since: Option<LocalizedTime>,
    last_used: Option<LocalizedTime>,
}

/// An application, as the list shows it.
struct ApplicationRow {
    client_id: String,
    name: String,
    since: Option<LocalizedTime>,
    last_used: Option<LocalizedTime>,
}

#[derive(Template)]
#[template(path = "admin_user_access.html")]
struct AccessPage<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static AdminText,
    words: &'static AccessWords,
    done: Option<&'static str>,
    name: &'a str,
    sessions: Vec<SessionRow>,
    applications: Vec<ApplicationRow>,
    /// The page with the sessions before these.
    next: Option<String>,
    csrf: String,
    path: String,
    user_path: String,
}

/// The purpose of the forms for this user.
fn form(id: &str) -> String {
    format!("admin-user-access {id}")
}

impl UserAdministrator {
    /// idp, which has the sessions.
    pub(super) fn accounts(&self) -> Option<AccountAdminApiClient<Transport>> {
        self.administrator.signed_in.state.administration.accounts.clone()
    }
}

/// `GET /admin/users/{id}/access`.
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
    let message = ListUserSessionsRequest { user: Some(account(&id)), page_size: 0, page_token: after.to_owned() };
    let sessions = accounts.list_user_sessions(administrator.signed_in.on_behalf().call(message)).await;
    let sessions = sessions.map_err(|status| administrator.failure(&status))?.into_inner();
    let message = ListUserApplicationsRequest { user: Some(account(&id)) };
    let applications = accounts.list_user_applications(administrator.signed_in.on_behalf().call(message)).await;
    let applications = applications.map_err(|status| administrator.failure(&status))?.into_inner().applications;
    let (context, texts) = (administrator.context(), administrator.texts());
    let words = access_words(context.language);
    let minute = |seconds| time(seconds).map(|time| LocalizedTime::minute(time, context.language));
    let session = |session: AccountSession| SessionRow {
        device: device_text::summary(&session.user_agent, words),
        since: minute(session.created),
        last_used: minute(session.last_used),
        id: session.id,
        address: session.address,
    };
    let application = |application: ConnectedApplication| ApplicationRow {
        since: minute(application.since),
        last_used: application.last_used.and_then(minute),
        client_id: application.client_id,
        name: application.name,
    };
    let next = Some(sessions.next_page_token).filter(|next| !next.is_empty());
    let (browser, cookie) = administrator.signed_in.browser();
    let page = AccessPage {
        page: context.page(texts.access),
        navigation: administrator.navigation(AdminSection::Users),
        texts,
        words,
        done: match query.text("done") {
            ENDED => Some(words.session_ended),
            DISCONNECTED => Some(texts.application_disconnected),
            _ => None,
        },
        name: name_of(&person),
        sessions: sessions.sessions.into_iter().map(session).collect(),
        applications: applications.into_iter().map(application).collect(),
        next: next.map(|next| user.path_of(&id, &format!("/access?after={next}"))),
        csrf: administrator.signed_in.csrf(&browser, &form(&id)),
        path: user.path_of(&id, "/access"),
        user_path: user.path_of(&id, ""),
    };
    Ok(with_cookies(context.respond(StatusCode::OK, &page), cookie))
}

/// `POST /admin/users/{id}/access/end-session`: ends one session.
pub(super) async fn end_session(
    user: UserAdministrator,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Response> {
    let fields = user.administrator.signed_in.own_form(&form(&id), &body);
    let fields = fields.ok_or_else(|| user.administrator.forgery())?;
    let session = fields.one("session", MAX_ID).ok().flatten().unwrap_or_default().to_owned();
    let message = EndUserSessionRequest { id: session, user: Some(account(&id)) };
    let mut accounts = user.accounts().ok_or_else(|| user.administrator.not_found())?;
    let ended = accounts.end_user_session(user.administrator.signed_in.on_behalf().call(message)).await;
    ended.map_err(|status| user.administrator.failure(&status))?;
    Ok(see_other(&user.path_of(&id, &format!("/access?done={ENDED}"))))
}

/// `POST /admin/users/{id}/access/disconnect`: ends the access of an application.
pub(super) async fn disconnect(
    user: UserAdministrator,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Response> {
    let fields = user.administrator.signed_in.own_form(&form(&id), &body);
    let fields = fields.ok_or_else(|| user.administrator.forgery())?;
    let client_id = fields.one("client_id", MAX_ID).ok().flatten().unwrap_or_default().to_owned();
    let message = DisconnectUserApplicationRequest { user: Some(account(&id)), client_id };
    let mut accounts = user.accounts().ok_or_else(|| user.administrator.not_found())?;
    let ended = accounts.disconnect_user_application(user.administrator.signed_in.on_behalf().call(message)).await;
    ended.map_err(|status| user.administrator.failure(&status))?;
    Ok(see_other(&user.path_of(&id, &format!("/access?done={DISCONNECTED}"))))
}
