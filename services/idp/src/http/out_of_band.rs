//! The out-of-band page: shows a code that the user carries to a program by hand. It is an ordinary redirect URI of the clients
//! that are registered for it.

use axum::Router;
use axum::extract::RawQuery;
use axum::response::Response;
use axum::routing::get;
use web::form::Parameters;

use super::issuer::{Issuer, IssuerState};
use super::pages;
use crate::endpoints::page;

/// The page, which all issuers share.
pub(crate) fn router(state: IssuerState) -> Router {
    page::OUT_OF_BAND.into_iter().fold(Router::new(), |router, path| router.route(path, get(show))).with_state(state)
}

async fn show(issuer: Issuer, RawQuery(query): RawQuery) -> Response {
    let query = Parameters::unlimited(query.unwrap_or_default().as_bytes());
    let context = issuer.page(&[]);
    match (query.first("error"), query.first("code")) {
        (Some(error), _) => pages::out_of_band(&context, Err((error, query.text("error_description")))),
        (None, Some(code)) => pages::out_of_band(&context, Ok(code)),
        (None, None) => issuer.expired(),
    }
}
