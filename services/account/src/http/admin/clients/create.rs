//! The form for a new client. A client gives access, so it needs a recent sign-in (`docs/security-requirements.md#n20`).

use askama::Template;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::idp::v1::AddClientRequest;
use serde_json::Value;
use web::cookie::with_cookies;

use super::super::super::page::{Navigation, Page};
use super::super::AdminSection;
use super::super::client_text::ClientText;
use super::form::{ClientFields, ClientKind};
use super::{CLIENTS, ClientAdministrator, problem};

/// The purpose of the form.
const FORM: &str = "admin-new-client";

/// A kind that may be chosen.
struct Choice {
    value: &'static str,
    text: &'static str,
    is_selected: bool,
}

#[derive(Template)]
#[template(path = "admin_new_client.html")]
struct NewClientPage<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static ClientText,
    /// What idp says is wrong.
    problem: Option<&'a str>,
    kinds: Vec<Choice>,
    fields: &'a ClientFields,
    csrf: String,
    path: String,
    cancel_path: String,
}

impl ClientAdministrator {
    fn new_client_page(&self, fields: &ClientFields, kind: ClientKind, problem: Option<&str>) -> Response {
        let (administrator, context, texts) = (&self.administrator, self.administrator.context(), self.texts());
        let choice = |value: ClientKind| Choice {
            value: value.name(),
            text: match value {
                ClientKind::Web => texts.kind_web,
                ClientKind::Page => texts.kind_page,
                ClientKind::Native => texts.kind_native,
                ClientKind::Device => texts.kind_device,
            },
            is_selected: value == kind,
        };
        let (browser, cookie) = administrator.signed_in.browser();
        let page = NewClientPage {
            page: context.page(texts.new_client),
            navigation: administrator.navigation(AdminSection::Clients),
            texts,
            problem,
            kinds: ClientKind::ALL.map(choice).into(),
            fields,
            csrf: administrator.signed_in.csrf(&browser, FORM),
            path: administrator.path(&format!("{CLIENTS}/new")),
            cancel_path: administrator.path(CLIENTS),
        };
        let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        with_cookies(context.respond(status, &page), cookie)
    }
}

/// `GET /admin/clients/new`.
pub(super) async fn show(user: ClientAdministrator) -> Result<Response, Response> {
    let path = user.administrator.path(&format!("{CLIENTS}/new"));
    user.administrator.recent_sign_in(&path).await?;
    Ok(user.new_client_page(&ClientFields::EMPTY, ClientKind::Web, None))
}

/// `POST /admin/clients/new`.
pub(super) async fn create(mut user: ClientAdministrator, body: Bytes) -> Result<Response, Response> {
    let form = user.administrator.signed_in.own_form(FORM, &body);
    let form = form.ok_or_else(|| user.administrator.forgery())?;
    let path = user.administrator.path(&format!("{CLIENTS}/new"));
    user.administrator.recent_sign_in(&path).await?;
    let fields = ClientFields::of_form(&form);
    let kind = ClientKind::ALL.into_iter().find(|kind| kind.name() == form.text("kind")).unwrap_or(ClientKind::Web);
    let message = AddClientRequest { metadata: Value::from(fields.new_client(kind)).to_string() };
    match user.api.add_client(user.administrator.signed_in.on_behalf().call(message)).await {
        Ok(added) => {
            let added = added.into_inner();
            Ok(user.secret_page(&added.client.unwrap_or_default(), &added.secret).await)
        }
        Err(status) => match problem(&status) {
            Some(problem) => Ok(user.new_client_page(&fields, kind, Some(&problem))),
            None => Err(user.administrator.failure(&status)),
        },
    }
}
