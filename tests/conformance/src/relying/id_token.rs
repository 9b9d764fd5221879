//! ID tokens, and other JWTs of the provider.

use std::str::FromStr;

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, jwk::Jwk};
use reqwest::Method;
use serde_json::Value;

use super::client::Client;
use crate::{
    context::Context,
    outcome::{Needed, Verdict, ensure, failed},
    provider::Call,
};

/// How far the clocks of provider and relying party may be apart, in seconds.
const DRIFT: u64 = 300;

/// A JWT of the provider whose signature holds.
#[derive(Debug, Clone)]
pub(crate) struct Verified {
    pub(crate) raw: String,
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

impl Verified {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.claims.get(name)?.as_u64()
    }

    pub(crate) fn algorithm(&self) -> &str {
        self.header.get("alg").and_then(Value::as_str).unwrap_or_default()
    }

    /// The subject.
    pub(crate) fn subject(&self) -> &str {
        self.text("sub").unwrap_or_default()
    }
}

/// What an ID token must agree with.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Expected<'a> {
    pub(crate) nonce: Option<&'a str>,
    pub(crate) state: Option<&'a str>,
    pub(crate) access_token: Option<&'a str>,
    pub(crate) code: Option<&'a str>,
    /// Whether the hashes of code and access token must be there: they must in what comes through the browser.
    pub(crate) hashed: bool,
}

/// The provider's published keys.
pub(crate) async fn keys(context: &Context<'_>) -> Verdict<Vec<Value>> {
    let url = context.discovery.endpoint("jwks_uri")?;
    let reply = Call::new(&context.http, Method::GET, url).send().await?;
    ensure(reply.status.is_success(), format!("the provider's keys: {}", reply.described()))?;
    reply.json().get("keys").and_then(Value::as_array).cloned().needed("keys at jwks_uri")
}

/// Header and claims, with nothing verified.
pub(crate) fn read(raw: &str) -> Verdict<Verified> {
    let mut parts = raw.split('.');
    let mut part = || -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok() };
    let (header, claims) = part().zip(part()).needed("a JWT")?;
    ensure(parts.count() == 1, "a JWT has three parts")?;
    Ok(Verified { raw: raw.to_owned(), header, claims })
}

/// Verifies a signature by the provider's published keys; `alg: none` only where the client registered that.
pub(crate) async fn signed(context: &Context<'_>, raw: &str, algorithm: &str) -> Verdict<Verified> {
    let token = read(raw)?;
    let found = token.algorithm();
    ensure(found == algorithm, format!("a JWT is signed by {found} instead of {algorithm}"))?;
    if algorithm == "none" {
        ensure(raw.ends_with('.'), "an unsigned JWT has a signature")?;
        return Ok(token);
    }
    let algorithm = Algorithm::from_str(algorithm).needed("the algorithm of a JWT")?;
    let key = key_of(&token, &keys(context).await?)?;
    let key: Jwk = serde_json::from_value(key).needed("a key of the provider")?;
    let key = DecodingKey::from_jwk(&key).needed("a key of the provider")?;
    let mut validation = Validation::new(algorithm);
    // Issuer, audience and times have rules of their own for each kind of token.
    validation.validate_aud = false;
    validation.validate_exp = false;
    validation.required_spec_claims.clear();
    decode::<Value>(raw, &key, &validation).needed("the signature of a JWT")?;
    Ok(token)
}

/// The key that a JWT names; without a name there must be one that fits (OpenID Connect Core 10.1).
fn key_of(token: &Verified, keys: &[Value]) -> Verdict<Value> {
    let family = match token.algorithm() {
        "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => "RSA",
        "ES256" | "ES384" | "ES512" => "EC",
        _ => "OKP",
    };
    let text = |key: &Value, name: &str| key.get(name).and_then(Value::as_str).map(str::to_owned);
    let fits =
        |key: &&Value| text(key, "kty").as_deref() == Some(family) && text(key, "use").is_none_or(|u| u == "sig");
    let kid = token.header.get("kid").and_then(Value::as_str);
    let mut fitting = keys.iter().filter(fits).filter(|key| kid.is_none() || text(key, "kid").as_deref() == kid);
    let key = fitting.next().cloned().needed(&format!("a published {family} key with the kid {kid:?}"))?;
    ensure(fitting.next().is_none(), format!("several published keys fit the kid {kid:?}"))?;
    Ok(key)
}

/// An ID token by all the rules of OpenID Connect Core 3.1.3.7, 3.2.2.9 and 3.3.2.11.
pub(crate) async fn verify(
    context: &Context<'_>,
    client: &Client,
    raw: &str,
    expected: Expected<'_>,
) -> Verdict<Verified> {
    let algorithm = client.id_token_algorithm.as_deref().unwrap_or("RS256");
    let token = signed(context, raw, algorithm).await?;
    addressed(context, client, &token)?;
    let now = jsonwebtoken::get_current_timestamp();
    let exp = token.number("exp").needed("exp in an ID token")?;
    ensure(exp > now, format!("an ID token ended {} s ago", now.saturating_sub(exp)))?;
    ensure(exp < now + 366 * 86_400, "an ID token holds for longer than a year")?;
    for (name, must) in [("iat", true), ("auth_time", false)] {
        match token.claims.get(name) {
            None if must => return Err(failed(format!("an ID token lacks {name}"))),
            None => {}
            Some(value) => {
                let time = value.as_u64().needed(&format!("{name} as a number of seconds"))?;
                ensure(time <= now + DRIFT, format!("{name} of an ID token is in the future"))?;
            }
        }
    }
    ensure(token.number("iat").is_some_and(|iat| iat + DRIFT >= now), "an ID token was made long ago")?;
    let nonce = token.text("nonce");
    ensure(nonce == expected.nonce, format!("the nonce of an ID token is {nonce:?} instead of {:?}", expected.nonce))?;
    let hashes = [
        ("at_hash", expected.access_token, expected.hashed),
        ("c_hash", expected.code, expected.hashed),
        ("s_hash", expected.state, false),
    ];
    for (name, hashed, must) in hashes {
        let Some(text) = hashed else { continue };
        // Which hash goes with no signature is said nowhere.
        if algorithm == "none" {
            continue;
        }
        let wanted = half_hash(token.algorithm(), text);
        match token.text(name) {
            Some(found) => ensure(found == wanted, format!("{name} is {found} instead of {wanted}"))?,
            None => ensure(!must, format!("an ID token lacks {name}"))?,
        }
    }
    Ok(token)
}

/// Issuer, subject, audience, authorized party.
pub(crate) fn addressed(context: &Context<'_>, client: &Client, token: &Verified) -> Verdict {
    let issuer = token.text("iss");
    let ours = context.discovery.get("issuer");
    ensure(issuer.is_some() && issuer == ours, format!("iss is {issuer:?} instead of {ours:?}"))?;
    let audience: Vec<&str> = match token.claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    ensure(audience.contains(&client.id.as_str()), format!("aud is {audience:?} without {}", client.id))?;
    let party = token.text("azp");
    ensure(party.is_none_or(|party| party == client.id), format!("azp is {party:?}"))?;
    ensure(audience.len() == 1 || party.is_some(), "a JWT for several audiences lacks azp")?;
    let subject = token.text("sub");
    let is_short = subject.is_none_or(|subject| !subject.is_empty() && subject.len() <= 255 && subject.is_ascii());
    ensure(is_short, "sub is empty, longer than 255 characters, or not ASCII")
}

/// The left half of a hash (OpenID Connect Core 3.1.3.6).
fn half_hash(algorithm: &str, text: &str) -> String {
    // Ed25519 hashes by SHA-512.
    let by = match algorithm.get(2..) {
        Some("384") => &digest::SHA384,
        Some("512" | "DSA" | "25519") => &digest::SHA512,
        _ => &digest::SHA256,
    };
    let hash = digest::digest(by, text.as_bytes());
    let half = hash.as_ref().len() / 2;
    URL_SAFE_NO_PAD.encode(hash.as_ref().get(..half).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of OpenID Connect Core A.4: code and access token of a hybrid flow.
    #[test]
    fn the_hashes_of_the_specifications_example_come_out() {
        assert_eq!(half_hash("RS256", "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(
            half_hash("RS256", "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"),
            "LDktKdoQak3Pk0cnXxCltA"
        );
    }
}
