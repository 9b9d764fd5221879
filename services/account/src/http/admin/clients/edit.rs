//! The page of a client: what it is, its settings, and all of its metadata. A client that can be changed is shown after a recent
//! sign-in, as its forms need one when they are sent, and a sign-in then would lose what was entered
//! (`docs/security-requirements.md#n20`).

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::idp::v1::{Client, UpdateClientRequest};
use serde_json::{Map, Value};
use web::cookie::with_cookies;
use web::date::LocalizedTime;
use web::form::Parameters;
use web::response::see_other;

use super::super::super::page::{Navigation, Page};
use super::super::super::tokens::time;
use super::super::AdminSection;
use super::super::client_text::ClientText;
use super::super::text::AdminText;
use super::form::ClientFields;
use super::{ClientAdministrator, has_secret, is_changeable, metadata_of, name_of, problem, source_text};

/// The client that the edge is, where it is stored and can be changed. `doorward server` has it built in.
const EDGE: &str = "doorward-edge";
/// The value of the parameter `done` after a client was changed.
const SAVED: &str = "saved";

/// What was sent, and what is wrong with it.
#[derive(Default)]
struct Entered<'a> {
    fields: Option<ClientFields>,
    metadata: Option<&'a str>,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "admin_client.html")]
struct ClientPage<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static ClientText,
    admin_texts: &'static AdminText,
    done: Option<&'static str>,
    problem: Option<&'a str>,
    id: &'a str,
    source: &'static str,
    created: Option<LocalizedTime>,
    is_changeable: bool,
    /// Whether users can no longer sign in at the edge after a change that the edge's settings do not follow.
    is_of_edge: bool,
    /// Whether there is a secret that can be replaced.
    has_secret: bool,
    fields: &'a ClientFields,
    metadata: &'a str,
    csrf: String,
    path: String,
}

/// The purpose of the forms for this client.
fn form(id: &str) -> String {
    format!("admin-client {id}")
}

impl ClientAdministrator {
    fn client_page(&self, client: &Client, entered: &Entered<'_>, done: Option<&'static str>) -> Response {
        let (administrator, context, texts) = (&self.administrator, self.administrator.context(), self.texts());
        let known = metadata_of(client);
        let shown = serde_json::to_string_pretty(&known).unwrap_or_default();
        let of_client = ClientFields::of_metadata(&known);
        let (browser, cookie) = administrator.signed_in.browser();
        let page = ClientPage {
            page: context.page(name_of(client)),
            navigation: administrator.navigation(AdminSection::Clients),
            texts,
            admin_texts: administrator.texts(),
            done,
            problem: entered.problem.as_deref(),
            id: &client.id,
            source: source_text(texts, client.source()),
            created: client.created.and_then(time).map(|time| LocalizedTime::minute(time, context.language)),
            is_changeable: is_changeable(client),
            is_of_edge: client.id == EDGE,
            has_secret: has_secret(&known),
            fields: entered.fields.as_ref().unwrap_or(&of_client),
            metadata: entered.metadata.unwrap_or(&shown),
            csrf: administrator.signed_in.csrf(&browser, &form(&client.id)),
            path: self.path_of(&client.id, ""),
        };
        let status = if entered.problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        with_cookies(context.respond(status, &page), cookie)
    }

    /// The fields of a form for a client, whose user has signed in a short time ago.
    async fn form_of(&self, id: &str, body: &Bytes) -> Result<Parameters, Response> {
        let fields = self.administrator.signed_in.own_form(&form(id), body);
        let fields = fields.ok_or_else(|| self.administrator.forgery())?;
        self.administrator.recent_sign_in(&self.path_of(id, "")).await?;
        Ok(fields)
    }

    async fn update(
        &mut self,
        client: &Client,
        changes: Map<String, Value>,
        entered: Entered<'_>,
    ) -> Result<Response, Response> {
        let message = UpdateClientRequest { id: client.id.clone(), metadata: Value::from(changes).to_string() };
        match self.api.update_client(self.administrator.signed_in.on_behalf().call(message)).await {
            Ok(updated) => {
                let secret = updated.into_inner().secret;
                if secret.is_empty() {
                    return Ok(see_other(&self.path_of(&client.id, &format!("?done={SAVED}"))));
                }
                Ok(self.secret_page(client, &secret).await)
            }
            Err(status) => match problem(&status) {
                problem @ Some(_) => Ok(self.client_page(client, &Entered { problem, ..entered }, None)),
                None => Err(self.administrator.failure(&status)),
            },
        }
    }
}

/// `GET /admin/clients/of/{id}`.
pub(super) async fn show(
    mut user: ClientAdministrator,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let query = Parameters::of_query(query.as_deref()).map_err(|_| user.administrator.not_found())?;
    let client = user.client(&id).await?;
    if is_changeable(&client) {
        user.administrator.recent_sign_in(&user.path_of(&id, "")).await?;
    }
    let done = (query.text("done") == SAVED).then_some(user.texts().saved);
    Ok(user.client_page(&client, &Entered::default(), done))
}

/// `POST /admin/clients/of/{id}`: changes the settings.
pub(super) async fn save(
    mut user: ClientAdministrator,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Response> {
    let form = user.form_of(&id, &body).await?;
    let client = user.client(&id).await?;
    let fields = ClientFields::of_form(&form);
    let changes = fields.changes(&metadata_of(&client));
    user.update(&client, changes, Entered { fields: Some(fields), ..Entered::default() }).await
}

/// `POST /admin/clients/of/{id}/metadata`: changes any of the metadata.
pub(super) async fn save_metadata(
    mut user: ClientAdministrator,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Response> {
    let form = user.form_of(&id, &body).await?;
    let client = user.client(&id).await?;
    let metadata = form.text("metadata");
    let entered = Entered { metadata: Some(metadata), ..Entered::default() };
    let Ok(changes) = serde_json::from_str(metadata) else {
        let problem = Some(user.texts().metadata_invalid.to_owned());
        return Ok(user.client_page(&client, &Entered { problem, ..entered }, None));
    };
    user.update(&client, changes, entered).await
}
