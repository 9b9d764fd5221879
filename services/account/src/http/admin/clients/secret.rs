//! A new secret for a client, in place of the former one, which may stay valid for a while. Secrets are shown once.

use askama::Template;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::idp::v1::{Client, Issuer, RotateSecretRequest};
use web::cookie::with_cookies;
use web::policy::Policy;

use super::super::super::page::{Navigation, Page};
use super::super::AdminSection;
use super::super::client_text::ClientText;
use super::{ClientAdministrator, has_secret, is_changeable, metadata_of, name_of};

/// For how many seconds the former secret may stay valid.
const GRACE: [u64; 3] = [0, 86_400, 30 * 86_400];

/// A time for which the former secret stays valid.
struct Choice {
    value: u64,
    text: &'static str,
}

#[derive(Template)]
#[template(path = "admin_client_rotate.html")]
struct RotatePage<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static ClientText,
    name: &'a str,
    choices: Vec<Choice>,
    csrf: String,
    path: String,
    cancel_path: String,
}

#[derive(Template)]
#[template(path = "admin_client_secret.html")]
struct SecretPage<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static ClientText,
    name: &'a str,
    id: &'a str,
    /// Empty if the client has none.
    secret: &'a str,
    /// One for each endpoint profile of the provider.
    issuers: Vec<Issuer>,
    client_path: String,
}

/// The purpose of the form for this client.
fn form(id: &str) -> String {
    format!("admin-client-secret {id}")
}

impl ClientAdministrator {
    /// Why this client gets no new secret here, if it gets none.
    fn no_new_secret(&self, client: &Client) -> Option<&'static str> {
        let texts = self.texts();
        if !is_changeable(client) {
            return Some(texts.read_only);
        }
        (!has_secret(&metadata_of(client))).then_some(texts.without_secret)
    }

    /// The page that shows what an application needs, with the secret.
    pub(super) async fn secret_page(&mut self, client: &Client, secret: &str) -> Response {
        let issuers = self.issuers().await;
        let (administrator, context, texts) = (&self.administrator, self.administrator.context(), self.texts());
        let page = SecretPage {
            page: context.page(texts.secret_title).with_script(),
            navigation: administrator.navigation(AdminSection::Clients),
            texts,
            name: name_of(client),
            id: &client.id,
            secret,
            issuers,
            client_path: self.path_of(&client.id, ""),
        };
        context.respond_with(StatusCode::OK, &Policy::here().with_own_script(), &page)
    }
}

/// `GET /admin/clients/of/{id}/secret`: asks for how long the former secret stays valid.
pub(super) async fn confirm(mut user: ClientAdministrator, Path(id): Path<String>) -> Result<Response, Response> {
    let client = user.client(&id).await?;
    if let Some(reason) = user.no_new_secret(&client) {
        let title = user.administrator.texts().refused_title;
        return Ok(user.administrator.context().message(StatusCode::BAD_REQUEST, title, reason));
    }
    user.administrator.recent_sign_in(&user.path_of(&id, "/secret")).await?;
    let (administrator, context, texts) = (&user.administrator, user.administrator.context(), user.texts());
    let choice = |(value, text)| Choice { value, text };
    let (browser, cookie) = administrator.signed_in.browser();
    let page = RotatePage {
        page: context.page(texts.new_secret),
        navigation: administrator.navigation(AdminSection::Clients),
        texts,
        name: name_of(&client),
        choices: GRACE
            .into_iter()
            .zip([texts.ends_now, texts.ends_in_a_day, texts.ends_in_a_month])
            .map(choice)
            .collect(),
        csrf: administrator.signed_in.csrf(&browser, &form(&id)),
        path: user.path_of(&id, "/secret"),
        cancel_path: user.path_of(&id, ""),
    };
    Ok(with_cookies(context.respond(StatusCode::OK, &page), cookie))
}

/// `POST /admin/clients/of/{id}/secret`.
pub(super) async fn rotate(
    mut user: ClientAdministrator,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Response> {
    let fields = user.administrator.signed_in.own_form(&form(&id), &body);
    let fields = fields.ok_or_else(|| user.administrator.forgery())?;
    user.administrator.recent_sign_in(&user.path_of(&id, "/secret")).await?;
    let client = user.client(&id).await?;
    let grace = GRACE.into_iter().find(|seconds| seconds.to_string() == fields.text("grace")).unwrap_or_default();
    let message = RotateSecretRequest { id, grace };
    let rotated = user.api.rotate_secret(user.administrator.signed_in.on_behalf().call(message)).await;
    let rotated = rotated.map_err(|status| user.administrator.failure(&status))?;
    Ok(user.secret_page(&client, &rotated.into_inner().secret).await)
}
