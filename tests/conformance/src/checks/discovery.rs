//! The discovery document (OpenID Connect Discovery 3) and the keys that it leads to.

use std::future::ready;

use reqwest::StatusCode;
use serde_json::Value;
use url::Url;

use super::{Check, runs};
use crate::{
    context::Context,
    outcome::{Needed, Verdict, ensure},
    relying::id_token,
};

pub(super) const CHECKS: &[Check] = &[
    Check::new("oidcc-discovery-endpoint-verification", runs::CONFIG, |c| Box::pin(document(c))),
    Check::new("oidcc-rp-initiated-logout-discovery-endpoint-verification", runs::RP_LOGOUT, |c| {
        Box::pin(ready(announces(c, &[], &["end_session_endpoint"])))
    }),
    Check::new("oidcc-backchannel-logout-discovery-endpoint-verification", runs::BACK_CHANNEL, |c| {
        Box::pin(ready(announces(
            c,
            &["backchannel_logout_supported", "backchannel_logout_session_supported"],
            &["end_session_endpoint"],
        )))
    }),
    Check::new("oidcc-frontchannel-logout-discovery-endpoint-verification", runs::FRONT_CHANNEL, |c| {
        Box::pin(ready(announces(
            c,
            &["frontchannel_logout_supported", "frontchannel_logout_session_supported"],
            &["end_session_endpoint"],
        )))
    }),
    Check::new("oidcc-session-management-discovery-endpoint-verification", runs::SESSION, |c| {
        Box::pin(ready(announces(c, &[], &["check_session_iframe", "end_session_endpoint"])))
    }),
];

/// The endpoints of which one that is there must be a URL, and whether it has to be there.
const ENDPOINTS: [(&str, bool); 8] = [
    ("authorization_endpoint", true),
    ("token_endpoint", true),
    ("jwks_uri", true),
    ("userinfo_endpoint", false),
    ("registration_endpoint", false),
    ("end_session_endpoint", false),
    ("revocation_endpoint", false),
    ("introspection_endpoint", false),
];

const FLAGS: [&str; 4] = [
    "claims_parameter_supported",
    "request_parameter_supported",
    "request_uri_parameter_supported",
    "require_request_uri_registration",
];

const LISTS: [&str; 12] = [
    "scopes_supported",
    "response_types_supported",
    "response_modes_supported",
    "grant_types_supported",
    "acr_values_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
    "userinfo_signing_alg_values_supported",
    "request_object_signing_alg_values_supported",
    "token_endpoint_auth_methods_supported",
    "claims_supported",
    "ui_locales_supported",
];

async fn document(context: &Context<'_>) -> Verdict {
    let discovery = context.discovery;
    ensure(discovery.reply.status == StatusCode::OK, "the discovery document does not have status 200")?;
    ensure(discovery.reply.is_a("application/json"), "the discovery document is not application/json")?;
    let issuer = discovery.get("issuer");
    let ours = &context.target.issuer;
    ensure(issuer == Some(ours), format!("issuer is {issuer:?} instead of {ours:?}"))?;
    is_https("issuer", issuer.unwrap_or_default())?;
    for (name, must) in ENDPOINTS {
        match discovery.get(name) {
            Some(url) => is_https(name, url)?,
            None => ensure(!must, format!("{name} is missing"))?,
        }
    }
    for name in FLAGS {
        let is_flag = discovery.document.get(name).is_none_or(Value::is_boolean);
        ensure(is_flag, format!("{name} is no boolean"))?;
    }
    for name in LISTS {
        let Some(list) = discovery.document.get(name) else { continue };
        let words = list.as_array().needed(&format!("{name} as a list"))?;
        let is_right = !words.is_empty() && words.iter().all(Value::is_string);
        ensure(is_right, format!("{name} is empty or not of words"))?;
    }
    for (name, word) in [
        ("response_types_supported", "code"),
        ("subject_types_supported", "public"),
        ("id_token_signing_alg_values_supported", "RS256"),
        ("scopes_supported", "openid"),
    ] {
        let pairwise = name == "subject_types_supported" && discovery.lists(name, "pairwise");
        ensure(discovery.lists(name, word) || pairwise, format!("{name} does not list {word}"))?;
    }
    keys(context).await
}

fn is_https(name: &str, url: &str) -> Verdict {
    let parsed = Url::parse(url).needed(&format!("{name} as a URL"))?;
    ensure(parsed.scheme() == "https", format!("{name} is not https: {url}"))?;
    ensure(parsed.fragment().is_none(), format!("{name} has a fragment: {url}"))
}

/// Public parts only, each named once (RFC 7517 4).
async fn keys(context: &Context<'_>) -> Verdict {
    let keys = id_token::keys(context).await?;
    ensure(!keys.is_empty(), "there are no keys at jwks_uri")?;
    let mut named = Vec::new();
    for key in &keys {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let kind = text("kty").needed("kty of a key")?;
        ensure(kind != "oct", "a symmetric key is published")?;
        let private = ["d", "p", "q", "dp", "dq", "qi", "k"].into_iter().find(|name| key.get(name).is_some());
        ensure(private.is_none(), format!("a private part is published: {private:?}"))?;
        let parts: &[&str] = match kind {
            "RSA" => &["n", "e"],
            "EC" => &["crv", "x", "y"],
            "OKP" => &["crv", "x"],
            _ => &[],
        };
        for name in parts {
            let part = text(name).needed(&format!("{name} of a key"))?;
            let is_base64url = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
            ensure(is_base64url, format!("{name} of a key is not base64url without padding"))?;
        }
        named.extend(text("kid"));
    }
    let mut once = named.clone();
    once.sort_unstable();
    once.dedup();
    ensure(once.len() == named.len(), "two keys have the same kid")?;
    ensure(keys.len() == 1 || named.len() == keys.len(), "there are several keys, and not all have a kid")
}

/// Flags that must be true and endpoints that must be there; without the flag the profile is not offered.
fn announces(context: &Context<'_>, flags: &[&str], endpoints: &[&str]) -> Verdict {
    offers(context, flags.first().copied().or(endpoints.first().copied()).unwrap_or_default())?;
    for name in flags {
        ensure(context.discovery.flag(name), format!("{name} is not true"))?;
    }
    for name in endpoints {
        is_https(name, context.discovery.endpoint(name)?)?;
    }
    Ok(())
}

/// Ends a check of a profile that the provider does not say it offers.
pub(super) fn offers(context: &Context<'_>, name: &str) -> Verdict {
    let found = context.discovery.document.get(name);
    let is_there = found.is_some_and(|value| value.as_bool().unwrap_or(true));
    let reason = format!("the discovery document has {name}: {}", found.unwrap_or(&Value::Null));
    if is_there { Ok(()) } else { Err(crate::outcome::skipped(reason)) }
}
