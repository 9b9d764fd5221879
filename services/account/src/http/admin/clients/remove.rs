//! Removes a client, after a confirmation and a recent sign-in.

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::idp::v1::{Client, RemoveClientRequest};
use web::cookie::with_cookies;
use web::response::see_other;

use super::super::AdminSection;
use super::super::confirm::Confirm;
use super::super::field::Field;
use super::{CLIENTS, ClientAdministrator, MAX_ID, list, name_of};

/// The purpose of the form for this client.
fn form(id: &str) -> String {
    format!("admin-remove-client {id}")
}

impl ClientAdministrator {
    fn remove_page(&self, client: &Client, error: Option<&'static str>) -> Response {
        let (administrator, context, texts) = (&self.administrator, self.administrator.context(), self.texts());
        let (browser, cookie) = administrator.signed_in.browser();
        let field = Field::text("id", texts.type_id, "").required();
        let field = Field { hint: Some(client.id.clone()), ..field };
        let page = Confirm {
            page: context.page(texts.remove),
            navigation: administrator.navigation(AdminSection::Clients),
            texts: administrator.texts(),
            name: name_of(client),
            means: texts.remove_means,
            unfinished: None,
            field: Some(field.with_errors(error.map(str::to_owned))),
            button: texts.remove,
            is_danger: true,
            csrf: administrator.signed_in.csrf(&browser, &form(&client.id)),
            path: self.path_of(&client.id, "/remove"),
            cancel_path: self.path_of(&client.id, ""),
        };
        let status = if error.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        with_cookies(context.respond(status, &page), cookie)
    }
}

/// `GET /admin/clients/of/{id}/remove`: asks for confirmation.
pub(super) async fn confirm(mut user: ClientAdministrator, Path(id): Path<String>) -> Result<Response, Response> {
    user.administrator.recent_sign_in(&user.path_of(&id, "/remove")).await?;
    let client = user.client(&id).await?;
    Ok(user.remove_page(&client, None))
}

/// `POST /admin/clients/of/{id}/remove`.
pub(super) async fn remove(
    mut user: ClientAdministrator,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Response> {
    let fields = user.administrator.signed_in.own_form(&form(&id), &body);
    let fields = fields.ok_or_else(|| user.administrator.forgery())?;
    user.administrator.recent_sign_in(&user.path_of(&id, "/remove")).await?;
    let client = user.client(&id).await?;
    if fields.one("id", MAX_ID).ok().flatten().unwrap_or_default().trim() != client.id {
        return Ok(user.remove_page(&client, Some(user.texts().type_wrong)));
    }
    let removed =
        user.api.remove_client(user.administrator.signed_in.on_behalf().call(RemoveClientRequest { id })).await;
    removed.map_err(|status| user.administrator.failure(&status))?;
    Ok(see_other(&user.administrator.path(&format!("{CLIENTS}?done={}", list::REMOVED))))
}
