//! Proofs of possession (RFC 9449 4.3).

use jsonwebtoken::Algorithm;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::BOTH;
use crate::{
    checks::Check,
    context::Context,
    outcome::{Verdict, ensure, failed},
    provider::{Call, Reply},
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
const FAULTS: [Fault; 14] = [
    ("has no jti", |proof| proof.without("jti")),
    ("has no htm", |proof| proof.without("htm")),
    ("has no htu", |proof| proof.without("htu")),
    ("has no iat", |proof| proof.without("iat")),
    ("is for another method", |proof| proof.claim("htm", "PUT")),
    ("is for another URL", |proof| proof.claim("htu", "https://rp.conformance.test/elsewhere")),
    ("has another typ", |proof| proof.header("typ", "JWT")),
    ("has no typ", |proof| proof.without_header("typ")),
    ("has no jwk", |proof| proof.without_header("jwk")),
    ("has no alg", |proof| proof.without_header("alg")),
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
        // a nonce that was demanded meanwhile excuses the time
        let is_excused = what.starts_with("is an hour") && party.has_nonce();
        ensure(is_refused(&reply) || is_excused, format!("userinfo takes a proof that {what}: {}", reply.described()))?;
    }
    as_headers(context, &party, &tokens.access).await?;
    again(context, &party, &tokens.access).await?;
    written_differently(context, &party, &tokens.access).await?;
    by_rs256(context, &party).await?;
    at_token_endpoint(context, &party).await
}

/// Whether userinfo does not accept a proof.
fn is_refused(reply: &Reply) -> bool {
    matches!(reply.status, StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST)
}

/// There is one header with one JWT (RFC 9449 4.3).
async fn as_headers(context: &Context<'_>, party: &Party, access: &str) -> Verdict {
    let url = context.discovery.endpoint("userinfo_endpoint")?;
    let good = || party.with_nonce(party.resource_proof(context, access)?).write();
    for (what, proofs) in [("two proofs", vec![good()?, good()?]), ("no JWT", vec![good()?.replacen('.', "", 1)])] {
        let call = Call::new(&context.http, Method::GET, url).authorization(Some(format!("DPoP {access}")));
        let reply = call.dpop(proofs).send().await?;
        ensure(is_refused(&reply), format!("userinfo with {what}: {}", reply.described()))?;
    }
    Ok(())
}

/// RS256 is refused, although it is by the key to which the token is bound (FAPI 2.0 Security Profile 5.4.1).
async fn by_rs256(context: &Context<'_>, party: &Party) -> Verdict {
    if !context.discovery.lists("dpop_signing_alg_values_supported", "PS256") {
        context.warn("no proof by RS256 is sent: proofs by PS256 are not offered, so that no RSA key has tokens");
        return Ok(());
    }
    let key = SigningKey::generate()?;
    let party = party.with_possession(key.by(Algorithm::PS256));
    let tokens = party.sign_in(context, &party.request(context)).await?;
    party.reads_userinfo(context, &tokens).await?;
    let proof = party.resource_proof(context, &tokens.access)?.by(&key).without_header("kid");
    let reply = party.userinfo(context, &tokens.access, "DPoP", Some(&proof)).await?;
    ensure(is_refused(&reply), format!("userinfo takes a proof by RS256: {}", reply.described()))
}

/// A proof is good once (RFC 9449 11.1).
async fn again(context: &Context<'_>, party: &Party, access: &str) -> Verdict {
    let proof = party.resource_proof(context, access)?.claim("jti", random(16));
    let first = party.userinfo(context, access, "DPoP", Some(&proof)).await?;
    ensure(first.status == StatusCode::OK, format!("userinfo: {}", first.described()))?;
    let second = party.userinfo(context, access, "DPoP", Some(&proof)).await?;
    ensure(is_refused(&second), format!("userinfo takes a proof twice: {}", second.described()))
}

/// URLs are compared in their normal form without query and fragment, and unknown members do not count (RFC 9449 4.2 and 4.3).
async fn written_differently(context: &Context<'_>, party: &Party, access: &str) -> Verdict {
    let url = context.discovery.endpoint("userinfo_endpoint")?;
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let in_capitals = format!("{}://{}/{path}", scheme.to_ascii_uppercase(), host.to_ascii_uppercase());
    let proof = || party.resource_proof(context, access);
    let mut proofs = vec![
        ("htu in capital letters", proof()?.claim("htu", in_capitals)),
        ("htu with a query and a fragment", proof()?.claim("htu", format!("{url}?query=1#fragment"))),
        ("unknown members", proof()?.header("extra", "value").claim("extra", json!({ "member": [1, "value"] }))),
    ];
    if scheme == "https" && !host.contains(':') {
        proofs.push(("htu with its usual port", proof()?.claim("htu", format!("https://{host}:443/{path}"))));
    }
    for (what, proof) in proofs {
        let reply = party.userinfo(context, access, "DPoP", Some(&proof)).await?;
        ensure(reply.status == StatusCode::OK, format!("userinfo with {what}: {}", reply.described()))?;
    }
    Ok(())
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
