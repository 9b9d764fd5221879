//! How ID tokens and userinfo are signed.

use reqwest::StatusCode;

use super::{Check, runs};
use crate::{
    context::Context,
    outcome::{Verdict, ensure, failed, skipped},
    relying::{Request, client, id_token, userinfo, userinfo::Way},
};

pub(super) const CHECKS: &[Check] = &[
    Check::registering("oidcc-idtoken-signature", runs::ALL, |c| Box::pin(signature(c))),
    Check::registering("oidcc-idtoken-unsigned", runs::BASIC_AND_DYNAMIC, |c| Box::pin(unsigned(c))),
    Check::new("oidcc-idtoken-rs256", runs::DYNAMIC, |c| Box::pin(rs256(c))),
    Check::new("oidcc-userinfo-rs256", runs::DYNAMIC, |c| Box::pin(userinfo_rs256(c))),
];

/// Without asking for an algorithm, a client gets RS256 by a key that is published under its name.
async fn signature(context: &Context<'_>) -> Verdict {
    let client = context.client().await?;
    let done = context.sign_in(&context.browser(), &client, &Request::new(context, &client)).await?;
    let algorithm = done.id_token.algorithm();
    ensure(algorithm == "RS256", format!("an ID token is signed by {algorithm}"))?;
    let kid = done.id_token.header.get("kid");
    let rsa = id_token::keys(context).await?.into_iter().filter(|key| key.get("kty").is_some_and(|kty| kty == "RSA"));
    ensure(kid.is_some() || rsa.count() == 1, "an ID token does not name its key, and there are several")
}

async fn unsigned(context: &Context<'_>) -> Verdict {
    if !context.discovery.lists("id_token_signing_alg_values_supported", "none") {
        return Err(skipped("id_token_signing_alg_values_supported does not list none"));
    }
    let wanted = client::usual_wanted(context)?.with("id_token_signed_response_alg", "none");
    let reply = wanted.send(context).await?;
    if reply.status == StatusCode::BAD_REQUEST {
        return Err(skipped(format!("registration refuses it: {}", reply.error())));
    }
    let client = wanted.register(context).await?;
    context.sign_in(&context.browser(), &client, &Request::new(context, &client)).await.map(|_| ())
}

async fn rs256(context: &Context<'_>) -> Verdict {
    let wanted = client::usual_wanted(context)?.with("id_token_signed_response_alg", "RS256");
    let client = wanted.register(context).await?;
    context.sign_in(&context.browser(), &client, &Request::new(context, &client)).await.map(|_| ())
}

/// OpenID Connect Core 5.3.2: a JWT, with issuer and audience.
async fn userinfo_rs256(context: &Context<'_>) -> Verdict {
    if !context.discovery.lists("userinfo_signing_alg_values_supported", "RS256") {
        return Err(skipped("userinfo_signing_alg_values_supported does not list RS256"));
    }
    let wanted = client::usual_wanted(context)?.with("userinfo_signed_response_alg", "RS256");
    let client = wanted.register(context).await?;
    let done = context.sign_in(&context.browser(), &client, &Request::new(context, &client)).await?;
    let reply = userinfo::ask(context, done.access()?, Way::Get).await?;
    ensure(reply.status == StatusCode::OK, format!("userinfo: {}", reply.described()))?;
    if !reply.is_a("application/jwt") {
        return Err(failed("signed userinfo is not application/jwt"));
    }
    let token = id_token::signed(context, reply.text.trim(), "RS256").await?;
    id_token::addressed(context, &client, &token)?;
    userinfo::of_subject(&token.claims, done.subject())
}
