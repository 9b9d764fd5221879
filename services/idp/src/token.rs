//! The token endpoint (RFC 6749 3.2), and what it issues.

mod answer;
pub mod asked;
pub(crate) mod audit;
mod call;
pub(crate) mod certificate;
mod client;
pub(crate) mod dpop;
pub mod form;
mod grants;
pub mod mint;
pub(crate) mod person;
pub mod presented;
pub(crate) mod refresh;
pub(crate) mod revoke;
mod seen;
pub(crate) mod served;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use self::asked::Asked;
use self::call::Call;
use self::served::{Served, at_every_site};
use crate::provider::Provider;

/// The token endpoint of every issuer.
pub fn router(provider: Provider) -> Router {
    at_every_site(provider, |paths| paths.token, &post(token))
}

async fn token(State(Served { provider, site }): State<Served>, request: Request) -> Response {
    let asked = match Asked::read(&provider, &site, request, site.paths.token).await {
        Ok(asked) => asked,
        Err(refusal) => return refusal.into_response(),
    };
    let call = Call { provider: &provider, site: &site, asked: &asked, now: provider.clock.now() };
    grants::answer(&call).await.into_response()
}
