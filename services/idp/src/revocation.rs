//! The revocation endpoint (RFC 7009): a client gives back what it does not need any more.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use crate::answer::Refusal;
use crate::model::time_of;
use crate::provider::Provider;
use crate::token::asked::Asked;
use crate::token::presented::Presented;
use crate::token::refresh::RefreshToken;
use crate::token::served::{Served, at_every_site};
use crate::token::{audit, revoke};

/// The revocation endpoint of every issuer.
pub fn router(provider: Provider) -> Router {
    at_every_site(provider, |paths| paths.revocation, &post(answer))
}

async fn answer(State(served): State<Served>, request: Request) -> Response {
    match take_back(&served, request).await {
        // also for what is unknown or another client's: nobody learns which tokens there are
        Ok(()) => (StatusCode::OK, [(CACHE_CONTROL, "no-store")]).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// A refresh token takes its whole grant with it, an access token only itself (row I24). `token_type_hint` is not needed:
/// a token shows what it is.
async fn take_back(Served { provider, site }: &Served, request: Request) -> Result<(), Refusal> {
    let asked = Asked::read(provider, site, request, site.paths.revocation).await?;
    let (text, now) = (asked.form.need("token")?, provider.clock.now());
    if let Some(RefreshToken { grant, .. }) = RefreshToken::read(&provider.sealer, text) {
        let family = provider.store.family(grant, now).await?;
        if family.is_some_and(|family| family.grant.client == asked.client.id) {
            revoke::revoke_grant(provider, site, &asked.client, grant, now).await?;
            audit::done("revoke", &asked.client.id, "", &asked.parts);
        }
        return Ok(());
    }
    let own = Presented::read(provider, site, text).filter(|token| token.grant.client == asked.client.id);
    if let Some(Presented { token, expires, grant, .. }) = own {
        provider.store.revoke_token(token, time_of(expires), now).await?;
        audit::done("revoke", &asked.client.id, grant.person.as_deref().unwrap_or_default(), &asked.parts);
    }
    Ok(())
}
