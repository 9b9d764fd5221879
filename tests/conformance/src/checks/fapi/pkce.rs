//! Proof keys of codes (RFC 7636, FAPI 2.0 Security Profile 5.3.2.2).

use super::BOTH;
use crate::{
    checks::Check,
    context::Context,
    outcome::Verdict,
    random::random,
    relying::{
        fapi::{Form, INVALID, INVALID_PARAMETER, Party, refused_grant},
        request::Request,
    },
};

pub(super) const CHECKS: &[Check] = &[
    Check::new("fapi2-security-profile-final-par-ensure-pkce-required", BOTH, |c| {
        Box::pin(request_is_refused(
            c,
            |request, _| request.without("code_challenge").without("code_challenge_method"),
            INVALID,
        ))
    }),
    Check::new("fapi2-security-profile-final-par-plain-pkce-rejected", BOTH, |c| {
        Box::pin(request_is_refused(
            c,
            |request, verifier| request.with("code_challenge", verifier).with("code_challenge_method", "plain"),
            INVALID_PARAMETER,
        ))
    }),
    Check::new("fapi2-security-profile-final-ensure-pkce-code-verifier-required", BOTH, |c| {
        Box::pin(redemption_is_refused(c, |form| form.without("code_verifier")))
    }),
    Check::new("fapi2-security-profile-final-incorrect-pkce-code-verifier-rejected", BOTH, |c| {
        Box::pin(redemption_is_refused(c, |form| form.with("code_verifier", &random(32))))
    }),
];

async fn request_is_refused(
    context: &Context<'_>,
    change: fn(Request, &str) -> Request,
    errors: &'static [&'static str],
) -> Verdict {
    let party = Party::first(context).await?;
    let request = change(party.request(context), &party.verifier);
    party.refused(context, &request, party.pushing(context, &request)?, errors).await
}

async fn redemption_is_refused(context: &Context<'_>, change: for<'a> fn(Form<'a>) -> Form<'a>) -> Verdict {
    let party = Party::first(context).await?;
    let code = party.authorize(context, &party.request(context)).await?.code;
    refused_grant(&change(party.redeeming(context, &code)?).send(context).await?)
}
