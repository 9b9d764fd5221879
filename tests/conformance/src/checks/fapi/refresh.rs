//! Refresh tokens, which are bound and not rotated (FAPI 2.0 Security Profile 5.3.2.1).

use serde_json::Value;

use super::BOTH;
use crate::{
    checks::Check,
    context::Context,
    outcome::{Needed, Verdict, ensure},
    relying::{
        fapi::{Party, Tokens, refused_grant},
        flow,
    },
};

pub(super) const CHECKS: &[Check] =
    &[Check::new("fapi2-security-profile-final-refresh-token", BOTH, |c| Box::pin(refresh(c)))];

async fn refresh(context: &Context<'_>) -> Verdict {
    let (party, other) = (Party::first(context).await?, Party::second(context).await?);
    let first = party.sign_in(context, &party.request(context)).await?;
    let token = first.refresh()?;
    refused_grant(&other.refreshing(context, token)?.send(context).await?)?;
    let reply = party.refreshing(context, token)?.proven_by(None).send(context).await?;
    flow::refused(&reply, &["invalid_request", "invalid_grant", "invalid_client"])?;

    let second = used(context, &party, &first).await?;
    let newest = second.refresh.as_deref().unwrap_or(token);
    ensure(newest == token, "a refresh token is rotated")?;
    tokio::time::sleep(context.target.waits.refresh_reuse).await;
    used(context, &party, &first).await.map(drop)
}

/// Uses the refresh token of a flow with a new key, as a client may that proves who it is (RFC 9449 5), and the access token that it
/// gives.
async fn used(context: &Context<'_>, party: &Party, tokens: &Tokens) -> Verdict<Tokens> {
    let party = party.with_other_possession()?;
    let reply = party.refreshing(context, tokens.refresh()?)?.send(context).await?;
    let answer = flow::received_as(&reply, "DPoP")?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
    let access = text("access_token").needed("an access token after a refresh")?;
    let refreshed = Tokens { access, refresh: text("refresh_token"), ..tokens.clone() };
    party.reads_userinfo(context, &refreshed).await?;
    Ok(refreshed)
}
