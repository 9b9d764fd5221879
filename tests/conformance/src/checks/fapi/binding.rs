//! Codes and tokens are bound to the key of the client (RFC 9449 10).

use reqwest::StatusCode;

use super::{BOTH, tls};
use crate::{
    checks::Check,
    context::Context,
    outcome::{Verdict, ensure},
    relying::{
        fapi::{INVALID_PROOF, Party},
        flow,
    },
};

pub(super) const CHECKS: &[Check] = &[
    Check::new("fapi2-security-profile-final-ensure-mismatched-dpop-jkt-fails", BOTH, |c| Box::pin(mismatched(c))),
    Check::new("fapi2-security-profile-final-ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt", BOTH, |c| {
        Box::pin(other_key(c, true))
    }),
    Check::new("fapi2-security-profile-final-ensure-token-endpoint-fails-with-mismatched-dpop-jkt", BOTH, |c| {
        Box::pin(other_key(c, false))
    }),
    Check::new("fapi2-security-profile-final-ensure-dpopproof-at-par-endpoint-binding-success", BOTH, |c| {
        Box::pin(same_key(c, true))
    }),
    Check::new("fapi2-security-profile-final-ensure-dpop-auth-code-binding-success", BOTH, |c| {
        Box::pin(same_key(c, false))
    }),
    Check::new("fapi2-security-profile-final-ensure-holder-of-key-required", BOTH, |c| Box::pin(holder_of_key(c))),
];

/// A code that is bound by a proof at the pushed request, or by `dpop_jkt`.
async fn bound_code(context: &Context<'_>, party: &Party, by_proof: bool) -> Verdict<String> {
    let mut request = party.request(context);
    if !by_proof {
        request = request.with("dpop_jkt", &party.possession.thumbprint()?);
    }
    let form = party.pushing(context, &request)?;
    let form = if by_proof { form.proven()? } else { form };
    Ok(party.authorize_by(context, &request, form).await?.code)
}

async fn mismatched(context: &Context<'_>) -> Verdict {
    let party = Party::first(context).await?;
    let other = party.with_other_possession()?;
    let request = party.request(context).with("dpop_jkt", &other.possession.thumbprint()?);
    let form = party.pushing(context, &request)?.proven()?;
    party.refused(context, &request, form, &["invalid_dpop_proof", "invalid_request"]).await
}

async fn other_key(context: &Context<'_>, by_proof: bool) -> Verdict {
    let party = Party::first(context).await?;
    let code = bound_code(context, &party, by_proof).await?;
    let other = party.with_other_possession()?;
    let reply = other.redeeming(context, &code)?.send(context).await?;
    flow::refused(&reply, INVALID_PROOF)
}

async fn same_key(context: &Context<'_>, by_proof: bool) -> Verdict {
    let party = Party::first(context).await?;
    let code = bound_code(context, &party, by_proof).await?;
    let reply = party.redeeming(context, &code)?.send(context).await?;
    flow::received_as(&reply, "DPoP").map(drop)
}

/// Without a proof there is no token, and a token alone is good for nothing.
async fn holder_of_key(context: &Context<'_>) -> Verdict {
    tls::check(context).await?;
    let party = Party::first(context).await?;
    let request = party.request(context);
    let code = party.authorize(context, &request).await?.code;
    let reply = party.redeeming(context, &code)?.proven_by(None).send(context).await?;
    flow::refused(&reply, INVALID_PROOF)?;
    let tokens = party.sign_in(context, &request).await?;
    for scheme in ["DPoP", "Bearer"] {
        let reply = party.userinfo(context, &tokens.access, scheme, None).await?;
        let is_refused = matches!(reply.status, StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST);
        ensure(is_refused, format!("userinfo without a proof, by {scheme}: {}", reply.described()))?;
    }
    Ok(())
}
