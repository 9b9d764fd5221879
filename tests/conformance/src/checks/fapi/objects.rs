//! Request objects (RFC 9101, FAPI 2.0 Message Signing 5.3.1).

use serde_json::json;

use super::SIGNED;
use crate::{
    checks::Check,
    context::Context,
    outcome::{Needed, Verdict},
    relying::{
        fapi::{INVALID, INVALID_OBJECT, LIFETIME, Party, now},
        flow,
        jwt::Jwt,
        keys::SigningKey,
    },
};

/// Longer than an hour, in seconds.
const TOO_LONG: u64 = 70 * LIFETIME;

pub(super) const CHECKS: &[Check] = &[
    Check::new("fapi2-security-profile-final-ensure-request-object-with-multiple-aud-succeeds", SIGNED, |c| {
        Box::pin(several_audiences(c))
    }),
    Check::new(
        "fapi2-security-profile-final-ensure-request-object-with-nbf-8-seconds-in-the-future-is-accepted",
        SIGNED,
        |c| Box::pin(accepted(c, |object| object.claim("nbf", now() + 8))),
    ),
    Check::new("fapi2-security-profile-final-ensure-request-object-without-exp-fails", SIGNED, |c| {
        Box::pin(refused(c, |object| object.without("exp")))
    }),
    Check::new("fapi2-security-profile-final-ensure-request-object-without-nbf-fails", SIGNED, |c| {
        Box::pin(refused(c, |object| object.without("nbf")))
    }),
    Check::new("fapi2-security-profile-final-ensure-expired-request-object-fails", SIGNED, |c| {
        Box::pin(refused(c, |object| object.claim("exp", now() - 5 * LIFETIME)))
    }),
    Check::new("fapi2-security-profile-final-ensure-request-object-with-bad-aud-fails", SIGNED, |c| {
        Box::pin(refused(c, |object| object.claim("aud", "https://rp.conformance.test/another")))
    }),
    Check::new("fapi2-security-profile-final-ensure-request-object-with-exp-over-60-fails", SIGNED, |c| {
        Box::pin(refused(c, |object| object.claim("exp", now() + TOO_LONG)))
    }),
    Check::new("fapi2-security-profile-final-ensure-request-object-with-nbf-over-60-fails", SIGNED, |c| {
        Box::pin(refused(c, |object| object.claim("nbf", now() - TOO_LONG)))
    }),
    Check::new("fapi2-security-profile-final-ensure-request-object-signature-algorithm-is-not-none", SIGNED, |c| {
        Box::pin(refused(c, Jwt::unsigned))
    }),
    Check::new("fapi2-security-profile-final-ensure-request-object-with-invalid-signature-fails", SIGNED, |c| {
        Box::pin(refused(c, Jwt::broken))
    }),
    Check::new("fapi2-security-profile-final-ensure-signed-request-object-with-RS256-fails", SIGNED, |c| {
        Box::pin(by_rs256(c))
    }),
    Check::new("fapi2-security-profile-final-ensure-matching-key-in-authorization-request", SIGNED, |c| {
        Box::pin(by_another_key(c))
    }),
    Check::new("fapi2-security-profile-final-ensure-unsigned-request-at-par-endpoint-fails", SIGNED, |c| {
        Box::pin(plain(c))
    }),
    Check::new("fapi2-security-profile-final-par-authorization-request-containing-request_uri", SIGNED, |c| {
        Box::pin(refused(c, |object| object.claim("request_uri", "urn:ietf:params:oauth:request_uri:another")))
    }),
];

async fn refused(context: &Context<'_>, change: fn(Jwt) -> Jwt) -> Verdict {
    let party = Party::first(context).await?;
    let request = party.request(context);
    let object = change(party.object(context, &request));
    party.refused(context, &request, party.pushing_object(context, &object)?, INVALID_OBJECT).await
}

async fn accepted(context: &Context<'_>, change: fn(Jwt) -> Jwt) -> Verdict {
    let party = Party::first(context).await?;
    let request = party.request(context);
    let object = change(party.object(context, &request));
    let form = party.pushing_object(context, &object)?;
    party.authorize_by(context, &request, form).await.map(drop)
}

async fn several_audiences(context: &Context<'_>) -> Verdict {
    let party = Party::first(context).await?;
    let request = party.request(context);
    let audiences = json!([context.discovery.endpoint("issuer")?, "https://rp.conformance.test/another"]);
    let object = party.object(context, &request).claim("aud", audiences);
    let form = party.pushing_object(context, &object)?;
    party.authorize_by(context, &request, form).await.map(drop)
}

async fn by_rs256(context: &Context<'_>) -> Verdict {
    let party = Party::with_rsa(context).await?;
    let request = party.request(context);
    let object = party.object(context, &request).by(party.rsa.as_ref().needed("an RSA key")?);
    party.refused(context, &request, party.pushing_object(context, &object)?, INVALID_OBJECT).await
}

async fn by_another_key(context: &Context<'_>) -> Verdict {
    let party = Party::first(context).await?;
    let request = party.request(context);
    let other = SigningKey::elliptic()?;
    let object = party.object(context, &request).by(&other).header("kid", party.key.kid());
    party.refused(context, &request, party.pushing_object(context, &object)?, INVALID_OBJECT).await
}

/// Where signed requests are required, any other is refused at once (RFC 9101 10.5).
async fn plain(context: &Context<'_>) -> Verdict {
    let party = Party::first(context).await?;
    let reply = party.pushing_plain(context, &party.request(context))?.send(context).await?;
    flow::refused(&reply, INVALID)
}
