//! Client assertions (FAPI 2.0 Security Profile 5.3.2.1).

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::BOTH;
use crate::{
    checks::Check,
    context::Context,
    outcome::{Needed, Verdict, ensure, failed},
    relying::{
        fapi::{INVALID_CLIENT, LIFETIME, Party, now, pushed},
        flow,
        jwt::Jwt,
        keys::SigningKey,
    },
};

pub(super) const CHECKS: &[Check] = &[
    Check::new("fapi2-security-profile-final-ensure-signed-client-assertion-with-RS256-fails", BOTH, |c| {
        Box::pin(by_rs256(c))
    }),
    Check::new("fapi2-security-profile-final-ensure-client-assertion-in-token-endpoint", BOTH, |c| {
        Box::pin(missing(c))
    }),
    Check::new("fapi2-security-profile-final-ensure-client-assertion-with-exp-is-5-minutes-in-past-fails", BOTH, |c| {
        Box::pin(refused_at_token(c, |jwt| jwt.claim("iat", now() - 6 * LIFETIME).claim("exp", now() - 5 * LIFETIME)))
    }),
    Check::new("fapi2-security-profile-final-ensure-client-assertion-with-wrong-aud-fails", BOTH, |c| {
        Box::pin(refused_at_token(c, |jwt| jwt.claim("aud", "https://rp.conformance.test/another")))
    }),
    Check::new("fapi2-security-profile-final-ensure-client-assertion-with-no-sub-fails", BOTH, |c| {
        Box::pin(refused_at_token(c, |jwt| jwt.without("sub")))
    }),
    Check::new("fapi2-security-profile-final-ensure-invalid-client-assertions-fail", BOTH, |c| Box::pin(invalid(c))),
    Check::new(
        "fapi2-security-profile-final-par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted",
        BOTH,
        |c| Box::pin(ahead(c)),
    ),
    Check::new(
        "fapi2-security-profile-final-par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails",
        BOTH,
        |c| Box::pin(refused_at_push(c, |jwt| jwt.claim("nbf", now() + 70).claim("exp", now() + 3 * LIFETIME))),
    ),
    Check::new("fapi2-security-profile-final-par-test-array-as-audience-fails", BOTH, |c| {
        Box::pin(audience(c, Audience::List))
    }),
    Check::new("fapi2-security-profile-final-par-test-par-endpoint-url-as-audience-fails", BOTH, |c| {
        Box::pin(audience(c, Audience::Endpoint("pushed_authorization_request_endpoint")))
    }),
    Check::new("fapi2-security-profile-final-par-test-token-endpoint-url-as-audience-fails", BOTH, |c| {
        Box::pin(audience(c, Audience::Endpoint("token_endpoint")))
    }),
];

/// What an assertion is for, other than the issuer as a text.
#[derive(Debug, Clone, Copy)]
enum Audience {
    /// A list with the issuer.
    List,
    Endpoint(&'static str),
}

impl Audience {
    fn value(self, context: &Context<'_>) -> Verdict<Value> {
        Ok(match self {
            Self::List => json!([context.discovery.endpoint("issuer")?]),
            Self::Endpoint(name) => json!(context.discovery.endpoint(name)?),
        })
    }
}

/// The token endpoint with an assertion that must be refused.
async fn refused_at_token(context: &Context<'_>, change: fn(Jwt) -> Jwt) -> Verdict {
    let party = Party::first(context).await?;
    let code = party.authorize(context, &party.request(context)).await?.code;
    let assertion = change(party.assertion(context));
    let reply = party.redeeming(context, &code)?.asserted(Some(assertion)).send(context).await?;
    flow::refused(&reply, INVALID_CLIENT)
}

/// The endpoint of pushed requests with an assertion that must be refused.
async fn refused_at_push(context: &Context<'_>, change: fn(Jwt) -> Jwt) -> Verdict {
    let party = Party::first(context).await?;
    pushing_is_refused(context, &party, change(party.assertion(context))).await
}

async fn pushing_is_refused(context: &Context<'_>, party: &Party, assertion: Jwt) -> Verdict {
    let form = party.pushing(context, &party.request(context))?;
    let reply = form.asserted(Some(assertion)).send(context).await?;
    flow::refused(&reply, INVALID_CLIENT)
}

async fn audience(context: &Context<'_>, audience: Audience) -> Verdict {
    let party = Party::first(context).await?;
    let assertion = party.assertion(context).claim("aud", audience.value(context)?);
    pushing_is_refused(context, &party, assertion).await
}

async fn by_rs256(context: &Context<'_>) -> Verdict {
    let party = Party::with_rsa(context).await?;
    let code = party.authorize(context, &party.request(context)).await?.code;
    let assertion = party.assertion(context).by(party.rsa.as_ref().needed("an RSA key")?);
    let reply = party.redeeming(context, &code)?.asserted(Some(assertion)).send(context).await?;
    flow::refused(&reply, INVALID_CLIENT)
}

async fn missing(context: &Context<'_>) -> Verdict {
    let party = Party::first(context).await?;
    let code = party.authorize(context, &party.request(context)).await?.code;
    let form = party.redeeming(context, &code)?.with("client_id", &party.id).asserted(None);
    flow::refused(&form.send(context).await?, INVALID_CLIENT)
}

async fn ahead(context: &Context<'_>) -> Verdict {
    let party = Party::first(context).await?;
    let assertion = party.assertion(context).claim("nbf", now() + 8).claim("iat", now() + 8);
    let form = party.pushing(context, &party.request(context))?;
    pushed(&form.asserted(Some(assertion)).send(context).await?).map(drop)
}

/// Everything that can be wrong with an assertion, at the endpoint of pushed requests.
async fn invalid(context: &Context<'_>) -> Verdict {
    let party = Party::first(context).await?;
    let assertion = || party.assertion(context);
    let other = SigningKey::elliptic()?;
    let mut faults = vec![
        ("is not signed", assertion().unsigned()),
        ("has a broken signature", assertion().broken()),
        ("is of another key", assertion().by(&other).header("kid", party.key.kid())),
        ("has a symmetric algorithm", assertion().header("alg", "HS256")),
        ("has no iss", assertion().without("iss")),
        ("has no sub", assertion().without("sub")),
        ("has no aud", assertion().without("aud")),
        ("has no exp", assertion().without("exp")),
        ("has no jti", assertion().without("jti")),
        ("has another iss", assertion().claim("iss", "another")),
        ("has another sub", assertion().claim("sub", "another")),
        ("has another aud", assertion().claim("aud", "https://rp.conformance.test/another")),
        ("is expired", assertion().claim("iat", now() - 6 * LIFETIME).claim("exp", now() - 5 * LIFETIME)),
        ("is not good yet", assertion().claim("nbf", now() + 70)),
    ];
    for (what, audience) in [
        ("is for a list", Audience::List),
        ("is for the endpoint", Audience::Endpoint("pushed_authorization_request_endpoint")),
        ("is for the token endpoint", Audience::Endpoint("token_endpoint")),
    ] {
        faults.push((what, assertion().claim("aud", audience.value(context)?)));
    }
    for (what, assertion) in faults {
        let refused = pushing_is_refused(context, &party, assertion).await;
        refused.map_err(|found| failed(format!("an assertion that {what}: {}", found.remark())))?;
    }
    let again = assertion();
    let form = || party.pushing(context, &party.request(context));
    let first = form()?.asserted(Some(again.clone())).send(context).await?;
    ensure(first.status == StatusCode::CREATED, format!("a good assertion: {}", first.described()))?;
    let second = form()?.asserted(Some(again)).send(context).await?;
    if second.status == StatusCode::CREATED {
        context.warn("an assertion is taken twice");
    }
    Ok(())
}
