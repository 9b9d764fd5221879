//! The out-of-band page: shows a code that somebody carries to a program by hand. It is an ordinary redirect URI of the
//! clients that are registered for it.

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::{interact, pairs};
use crate::pages::{self, Look};
use crate::provider::Provider;

/// `GET /oauth2/oob` and `GET /oauth/oob`
pub(super) async fn show(State(provider): State<Provider>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let parameters = pairs(query.unwrap_or_default().as_bytes());
    let text = |name: &str| parameters.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
    let Some(site) = provider.sites.first() else { return interact::over(&provider, &headers) };
    let look = Look::of(&provider, site, &headers, &[]);
    match (text("error"), text("code")) {
        (Some(error), _) => pages::out_of_band(&look, Err((error, text("error_description").unwrap_or_default()))),
        (None, Some(code)) => pages::out_of_band(&look, Ok(code)),
        (None, None) => interact::over(&provider, &headers),
    }
}
