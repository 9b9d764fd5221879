//! Proofs of possession (RFC 9449 4.3).

use reqwest::StatusCode;
use serde_json::json;

use super::BOTH;
use crate::{
    checks::Check,
    context::Context,
    outcome::{Verdict, ensure, failed},
    random::random,
    relying::{
        fapi::{INVALID_PROOF, LIFETIME, Party, hash, now},
        flow,
        jwt::Jwt,
        keys::SigningKey,
    },
};

pub(super) const CHECKS: &[Check] = &[
    Check::new("fapi2-security-profile-final-check-dpop-proof-nbf-exp", BOTH, |c| {
        Box::pin(accepted(c, |proof| proof.claim("nbf", now() - 5).claim("exp", now() + LIFETIME)))
    }),
    Check::new("fapi2-security-profile-final-ensure-dpopproof-with-iat-10seconds-before-succeeds", BOTH, |c| {
        Box::pin(accepted(c, |proof| proof.claim("iat", now() - 10)))
    }),
    Check::new("fapi2-security-profile-final-ensure-dpopproof-with-iat-10seconds-after-succeeds", BOTH, |c| {
        Box::pin(accepted(c, |proof| proof.claim("iat", now() + 10)))
    }),
    Check::new("fapi2-security-profile-final-dpop-negative-tests", BOTH, |c| Box::pin(negative(c))),
];

/// A flow with proofs that must be accepted, at each endpoint.
async fn accepted(context: &Context<'_>, change: fn(Jwt) -> Jwt) -> Verdict {
    let party = Party::first(context).await?;
    let request = party.request(context);
    let form = party.pushing(context, &request)?;
    let proof = change(form.proof()?);
    let code = party.authorize_by(context, &request, form.proven_by(Some(proof))).await?.code;
    let form = party.redeeming(context, &code)?;
    let proof = change(form.proof()?);
    let tokens = party.tokens(context, &request, &form.proven_by(Some(proof)).send(context).await?).await?;
    let proof = change(party.resource_proof(context, &tokens.access)?);
    let reply = party.userinfo(context, &tokens.access, "DPoP", Some(&proof)).await?;
    ensure(reply.status == StatusCode::OK, format!("userinfo: {}", reply.described()))
}

/// What is wrong with a proof, and how it becomes so.
type Fault = (&'static str, fn(Jwt) -> Jwt);

/// Those of proofs for any endpoint.
const FAULTS: [Fault; 13] = [
    ("has no jti", |proof| proof.without("jti")),
    ("has no htm", |proof| proof.without("htm")),
    ("has no htu", |proof| proof.without("htu")),
    ("has no iat", |proof| proof.without("iat")),
    ("is for another method", |proof| proof.claim("htm", "PUT")),
    ("is for another URL", |proof| proof.claim("htu", "https://rp.conformance.test/elsewhere")),
    ("has another typ", |proof| proof.header("typ", "JWT")),
    ("has no typ", |proof| proof.without_header("typ")),
    ("has no jwk", |proof| proof.without_header("jwk")),
    ("has a symmetric algorithm", |proof| proof.header("alg", "HS256")),
    ("is not signed", Jwt::unsigned),
    ("has a broken signature", Jwt::broken),
    ("has a symmetric jwk", |proof| proof.header("jwk", json!({ "kty": "oct", "k": "AAAA" }))),
];

async fn negative(context: &Context<'_>) -> Verdict {
    let party = Party::first(context).await?;
    let request = party.request(context);
    let tokens = party.sign_in(context, &request).await?;
    let proof = || party.resource_proof(context, &tokens.access);
    let mut faults = FAULTS.iter().map(|(what, change)| Ok((*what, change(proof()?)))).collect::<Verdict<Vec<_>>>()?;
    let (other, mut private) = (SigningKey::elliptic()?, party.possession.public()?);
    private["d"] = json!("AAAA");
    faults.extend([
        ("has a private key", proof()?.header("jwk", private)),
        ("has no ath", proof()?.without("ath")),
        ("is for another token", proof()?.claim("ath", hash("another token"))),
        ("is of another key", proof()?.by(&other).without_header("kid").header("jwk", other.public()?)),
        ("is signed by another key than its own", proof()?.by(&other).without_header("kid")),
    ]);
    if !party.has_nonce() {
        // with a nonce of its own a provider need not look at iat (RFC 9449 11.1)
        faults.extend([
            ("is an hour old", proof()?.claim("iat", now() - 60 * LIFETIME)),
            ("is an hour ahead", proof()?.claim("iat", now() + 60 * LIFETIME)),
        ]);
    }
    for (what, proof) in faults {
        let reply = party.userinfo(context, &tokens.access, "DPoP", Some(&proof)).await?;
        let is_refused = matches!(reply.status, StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST);
        // a nonce that was demanded meanwhile excuses the time
        let is_excused = what.starts_with("is an hour") && party.has_nonce();
        ensure(is_refused || is_excused, format!("userinfo takes a proof that {what}: {}", reply.described()))?;
    }
    again(context, &party, &tokens.access).await?;
    written_differently(context, &party, &tokens.access).await?;
    at_token_endpoint(context, &party).await
}

/// A proof is good once (RFC 9449 11.1).
async fn again(context: &Context<'_>, party: &Party, access: &str) -> Verdict {
    let proof = party.resource_proof(context, access)?.claim("jti", random(16));
    let first = party.userinfo(context, access, "DPoP", Some(&proof)).await?;
    ensure(first.status == StatusCode::OK, format!("userinfo: {}", first.described()))?;
    let second = party.userinfo(context, access, "DPoP", Some(&proof)).await?;
    let is_refused = matches!(second.status, StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST);
    ensure(is_refused, format!("userinfo takes a proof twice: {}", second.described()))
}

/// URLs are compared in their normal form (RFC 9449 4.3).
async fn written_differently(context: &Context<'_>, party: &Party, access: &str) -> Verdict {
    let url = context.discovery.endpoint("userinfo_endpoint")?;
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let written = format!("{}://{}/{path}", scheme.to_ascii_uppercase(), host.to_ascii_uppercase());
    let proof = party.resource_proof(context, access)?.claim("htu", written);
    let reply = party.userinfo(context, access, "DPoP", Some(&proof)).await?;
    ensure(reply.status == StatusCode::OK, format!("userinfo with htu in capital letters: {}", reply.described()))
}

/// The token endpoint is as strict.
async fn at_token_endpoint(context: &Context<'_>, party: &Party) -> Verdict {
    let code = party.authorize(context, &party.request(context)).await?.code;
    for (what, change) in FAULTS {
        let form = party.redeeming(context, &code)?;
        let proof = change(form.proof()?);
        let reply = form.proven_by(Some(proof)).send(context).await?;
        let refused = flow::refused(&reply, INVALID_PROOF);
        refused.map_err(|found| failed(format!("a proof that {what}: {}", found.remark())))?;
    }
    Ok(())
}
