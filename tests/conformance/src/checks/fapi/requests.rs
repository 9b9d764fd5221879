//! Authorization requests (FAPI 2.0 Security Profile 5.3.2.2).

use reqwest::StatusCode;

use super::BOTH;
use crate::{
    checks::Check,
    context::Context,
    outcome::Verdict,
    relying::{
        fapi::{INVALID, INVALID_PARAMETER, Party},
        flow,
        request::Request,
    },
};

/// The errors of a response type that is not offered.
const INVALID_TYPE: &[&str] = &["unsupported_response_type", "invalid_request", "unauthorized_client"];

pub(super) const CHECKS: &[Check] = &[
    Check::new("fapi2-security-profile-final-ensure-request-object-without-redirect-uri-fails", BOTH, |c| {
        Box::pin(refused(c, |request| request.without("redirect_uri"), INVALID_PARAMETER))
    }),
    Check::new("fapi2-security-profile-final-ensure-redirect-uri-in-authorization-request", BOTH, |c| {
        Box::pin(refused(c, |request| request.with("redirect_uri", ""), INVALID_PARAMETER))
    }),
    Check::new("fapi2-security-profile-final-plain-fapi-tolerate-unregistered-redirect-uri", BOTH, |c| {
        Box::pin(unregistered(c))
    }),
    Check::new(
        "fapi2-security-profile-final-ensure-unsigned-authorization-request-without-using-par-fails",
        BOTH,
        |c| Box::pin(not_pushed(c)),
    ),
    Check::new("fapi2-security-profile-final-ensure-response-type-code-idtoken-fails", BOTH, |c| {
        Box::pin(refused(c, |request| request.with("response_type", "code id_token"), INVALID_TYPE))
    }),
    Check::new("fapi2-security-profile-final-ensure-response-type-token-fails", BOTH, |c| {
        Box::pin(refused(c, |request| request.with("response_type", "token"), INVALID_TYPE))
    }),
];

async fn refused(context: &Context<'_>, change: fn(Request) -> Request, errors: &'static [&'static str]) -> Verdict {
    let party = Party::first(context).await?;
    let request = change(party.request(context));
    party.refused(context, &request, party.pushing(context, &request)?, errors).await
}

/// A pushed request may have another redirect URI of an authenticated client (RFC 9126 2.4), and need not.
async fn unregistered(context: &Context<'_>) -> Verdict {
    let party = Party::first(context).await?;
    let request = party.request(context).with("redirect_uri", "https://rp.conformance.test/unregistered");
    let reply = party.pushing(context, &request)?.send(context).await?;
    if reply.status == StatusCode::CREATED {
        return Ok(());
    }
    flow::refused(&reply, &["invalid_request", "invalid_request_object", "invalid_redirect_uri"])
}

async fn not_pushed(context: &Context<'_>) -> Verdict {
    let party = Party::first(context).await?;
    let request = party.request(context);
    let visit = request.visit(context)?;
    party.refused_at(context, &request, visit, INVALID).await
}
