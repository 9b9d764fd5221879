//! Refresh tokens (OpenID Connect Core 12).

use serde_json::Value;

use super::{Check, runs};
use crate::{
    context::Context,
    outcome::{Needed, Verdict, ensure, skipped},
    relying::{Client, Request, SignedIn, client, flow, id_token, id_token::Verified, userinfo, userinfo::Way},
};

pub(super) const CHECKS: &[Check] =
    &[Check::new("oidcc-refresh-token", runs::WITH_CODE_AND_DYNAMIC, |c| Box::pin(refresh(c)))];

/// A flow that gives a refresh token, if any does.
pub(super) async fn lasting(context: &Context<'_>, client: &Client) -> Verdict<SignedIn> {
    let offline = context.discovery.lists("scopes_supported", "offline_access");
    let mut request = Request::new(context, client);
    if offline {
        request = request.with("scope", "openid offline_access").with("prompt", "consent");
    }
    let done = context.sign_in(&context.browser(), client, &request).await?;
    if done.refresh_token().is_none() {
        return Err(skipped(format!("no refresh token is given; scopes_supported lists offline_access: {offline}")));
    }
    Ok(done)
}

async fn refresh(context: &Context<'_>) -> Verdict {
    let client = context.client().await?;
    let other = client::other(context).await?;
    let first = lasting(context, &client).await?;
    let token = first.refresh_token().needed("a refresh token")?;
    let reply = client.ask(context, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await?;
    let second = flow::received(&reply)?;
    let text = |name: &str| second.get(name).and_then(Value::as_str);
    let access_token = text("access_token").needed("access_token after a refresh")?;
    userinfo::fetch(context, access_token, first.subject(), Way::Get).await?;
    if let Some(raw) = text("id_token") {
        let algorithm = client.id_token_algorithm.as_deref().unwrap_or("RS256");
        continues(&first.id_token, &id_token::signed(context, raw, algorithm).await?)?;
    }
    let newest = text("refresh_token").unwrap_or(token);
    let reply = other.ask(context, &[("grant_type", "refresh_token"), ("refresh_token", newest)]).await?;
    flow::refused(&reply, &["invalid_grant", "invalid_client"])
}

/// OpenID Connect Core 12.2
fn continues(first: &Verified, second: &Verified) -> Verdict {
    for name in ["iss", "sub", "aud"] {
        let (before, after) = (first.claims.get(name), second.claims.get(name));
        ensure(before == after, format!("{name} was {before:?} and is {after:?} after a refresh"))?;
    }
    for name in ["auth_time", "azp", "nonce"] {
        let (before, after) = (first.claims.get(name), second.claims.get(name));
        let same = after.is_none() || before == after;
        ensure(same, format!("{name} was {before:?} and is {after:?} after a refresh"))?;
    }
    let later = first.number("iat").zip(second.number("iat")).is_some_and(|(before, after)| after >= before);
    ensure(later, "iat of an ID token after a refresh is before that of the first, or missing")
}
