//! Codes at the token endpoint.

use std::time::Duration;

use reqwest::StatusCode;

use super::BOTH;
use crate::{
    checks::Check,
    context::Context,
    outcome::Verdict,
    relying::{
        fapi::{Party, refused_grant},
        flow,
    },
};

pub(super) const CHECKS: &[Check] = &[
    Check::new("fapi2-security-profile-final-ensure-client-id-in-token-endpoint", BOTH, |c| {
        Box::pin(of_another_client_id(c))
    }),
    Check::new("fapi2-security-profile-final-ensure-authorization-code-is-bound-to-client", BOTH, |c| {
        Box::pin(of_another_client(c))
    }),
    Check::new("fapi2-security-profile-final-attempt-reuse-authorization-code-after-one-second", BOTH, |c| {
        Box::pin(used(c))
    }),
    Check::new("fapi2-security-profile-final-ensure-token-endpoint-fails-with-expired-auth-code", BOTH, |c| {
        Box::pin(expired(c))
    }),
];

/// The key of a client proves nothing for another one.
async fn of_another_client_id(context: &Context<'_>) -> Verdict {
    let (party, other) = (Party::first(context).await?, Party::second(context).await?);
    let code = party.authorize(context, &party.request(context)).await?.code;
    let form = party.redeeming(context, &code)?.with("client_id", &other.id);
    let reply = form.asserted(Some(other.assertion(context).by(&party.key))).send(context).await?;
    flow::refused(&reply, &["invalid_client", "invalid_grant"])
}

async fn of_another_client(context: &Context<'_>) -> Verdict {
    let (party, other) = (Party::first(context).await?, Party::second(context).await?);
    let code = party.authorize(context, &party.request(context)).await?.code;
    let form = other.redeeming(context, &code)?.with("redirect_uri", &party.redirect_uri);
    refused_grant(&form.with("code_verifier", &party.verifier).send(context).await?)
}

async fn used(context: &Context<'_>) -> Verdict {
    let party = Party::first(context).await?;
    let request = party.request(context);
    let code = party.authorize(context, &request).await?.code;
    let reply = party.redeeming(context, &code)?.send(context).await?;
    let tokens = party.tokens(context, &request, &reply).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    refused_grant(&party.redeeming(context, &code)?.send(context).await?)?;
    let proof = party.resource_proof(context, &tokens.access)?;
    let reply = party.userinfo(context, &tokens.access, "DPoP", Some(&proof)).await?;
    if reply.status == StatusCode::OK {
        context.warn("the access token outlives the second use of its code");
    }
    Ok(())
}

async fn expired(context: &Context<'_>) -> Verdict {
    let party = Party::first(context).await?;
    let code = party.authorize(context, &party.request(context)).await?.code;
    tokio::time::sleep(context.target.waits.code_expiry).await;
    refused_grant(&party.redeeming(context, &code)?.send(context).await?)
}
