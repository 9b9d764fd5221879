//! Flows that succeed, and one that the user rejects.

use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use super::BOTH;
use crate::{
    browser::Arrival,
    checks::{Check, scopes::claims_of},
    context::Context,
    login,
    outcome::{Needed, Verdict, ensure, failed},
    relying::{
        fapi::{INVALID_PARAMETER, Party, is_signing, pushed, visit},
        flow,
        request::Request,
    },
};

/// The claims of ID tokens (`OpenID` Connect Core 2, 3.3.2.11, FAPI 1 5.2.2.1, RFC 7519 4.1); others are for clients that asked, or are
/// registered, for them, as `sid` for one that is notified when a user signs out.
const OF_ID_TOKENS: [&str; 15] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "azp",
    "at_hash",
    "c_hash",
    "s_hash",
];

pub(super) const CHECKS: &[Check] = &[
    Check::new("fapi2-security-profile-final-discovery-end-point-verification", BOTH, |c| {
        Box::pin(std::future::ready(discovery(c)))
    }),
    Check::new("fapi2-security-profile-final-happy-flow", BOTH, |c| Box::pin(with(c, |request| request))),
    Check::new("fapi2-security-profile-final-user-rejects-authentication", BOTH, |c| Box::pin(rejected(c))),
    Check::new("fapi2-security-profile-final-ensure-authorization-request-without-state-success", BOTH, |c| {
        Box::pin(with(c, |request| Request { state: None, ..request.without("state") }))
    }),
    Check::new("fapi2-security-profile-final-ensure-authorization-request-without-nonce-success", BOTH, |c| {
        Box::pin(with(c, Request::without_nonce))
    }),
    Check::new("fapi2-security-profile-final-ensure-authorization-request-with-64-char-nonce-success", BOTH, |c| {
        Box::pin(with(c, |request| with_nonce(request, &"n".repeat(64))))
    }),
    Check::new("fapi2-security-profile-final-ensure-authorization-request-with-long-nonce", BOTH, |c| {
        Box::pin(accepted_or_refused(c, |request| with_nonce(request, &"n".repeat(384))))
    }),
    Check::new("fapi2-security-profile-final-ensure-authorization-request-with-long-state", BOTH, |c| {
        Box::pin(accepted_or_refused(c, |request| with_state(request, &"s".repeat(384))))
    }),
    Check::new("fapi2-security-profile-final-ensure-other-scope-order-succeeds", BOTH, |c| {
        Box::pin(with(c, |request| request.with("scope", "offline_access openid")))
    }),
    Check::new("fapi2-security-profile-final-test-claims-parameter-identity-claims", BOTH, |c| {
        Box::pin(claims_parameter(c))
    }),
    Check::new("fapi2-security-profile-final-access-token-type-header-case-sensitivity", BOTH, |c| {
        Box::pin(scheme_in_any_case(c))
    }),
    Check::new("fapi2-security-profile-final-state-only-outside-request-object-not-used", BOTH, |c| {
        Box::pin(state_outside(c))
    }),
    Check::new("fapi2-security-profile-final-ensure-different-nonce-inside-and-outside-request-object", BOTH, |c| {
        Box::pin(outside(c, &[("nonce", "another-nonce")]))
    }),
    Check::new("fapi2-security-profile-final-ensure-different-state-inside-and-outside-request-object", BOTH, |c| {
        Box::pin(outside(c, &[("state", "another-state")]))
    }),
    Check::new("fapi2-security-profile-final-par-without-duplicate-parameters", BOTH, |c| Box::pin(outside(c, &[]))),
];

/// The members of the discovery document.
fn discovery(context: &Context<'_>) -> Verdict {
    let found = context.discovery;
    let endpoints = [
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "userinfo_endpoint",
        "pushed_authorization_request_endpoint",
    ];
    for name in endpoints {
        let url = found.endpoint(name)?;
        ensure(url.starts_with("https://"), format!("{name} is {url}"))?;
    }
    let mut lists: Vec<(&str, &[&str])> = vec![
        ("response_types_supported", &["code"]),
        ("code_challenge_methods_supported", &["S256"]),
        ("token_endpoint_auth_methods_supported", &["private_key_jwt"]),
        ("token_endpoint_auth_signing_alg_values_supported", &["PS256", "ES256", "EdDSA"]),
        ("id_token_signing_alg_values_supported", &["PS256", "ES256", "EdDSA"]),
        ("dpop_signing_alg_values_supported", &["PS256", "ES256", "EdDSA"]),
    ];
    if is_signing(context) {
        lists.extend([
            ("request_object_signing_alg_values_supported", &["PS256", "ES256", "EdDSA"] as &[&str]),
            ("authorization_signing_alg_values_supported", &["PS256", "ES256", "EdDSA"]),
            ("response_modes_supported", &["jwt"]),
        ]);
    }
    for (name, wanted) in lists {
        let listed = wanted.iter().any(|word| found.lists(name, word));
        ensure(listed, format!("{name} lists none of {wanted:?}"))?;
    }
    let flag = "authorization_response_iss_parameter_supported";
    ensure(found.flag(flag), format!("{flag} is not true"))
}

fn with_nonce(request: Request, nonce: &str) -> Request {
    Request { nonce: Some(nonce.to_owned()), ..request.with("nonce", nonce) }
}

fn with_state(request: Request, state: &str) -> Request {
    Request { state: Some(state.to_owned()), ..request.with("state", state) }
}

/// A flow with a request that must succeed, up to userinfo.
async fn with(context: &Context<'_>, change: fn(Request) -> Request) -> Verdict {
    let party = Party::first(context).await?;
    let tokens = party.sign_in(context, &change(party.request(context))).await?;
    party.reads_userinfo(context, &tokens).await
}

/// A flow with a request that may be refused.
async fn accepted_or_refused(context: &Context<'_>, change: fn(Request) -> Request) -> Verdict {
    let party = Party::first(context).await?;
    let request = change(party.request(context));
    let reply = party.pushing(context, &request)?.send(context).await?;
    if reply.status != StatusCode::CREATED {
        context.warn("a long value is refused");
        return flow::refused(&reply, INVALID_PARAMETER);
    }
    party.sign_in(context, &request).await.map(drop)
}

async fn rejected(context: &Context<'_>) -> Verdict {
    // the redirect URI of the second has parameters of its own, which are kept
    for party in [Party::first(context).await?, Party::second(context).await?] {
        rejected_for(context, &party).await?;
    }
    Ok(())
}

async fn rejected_for(context: &Context<'_>, party: &Party) -> Verdict {
    let request = with_state(party.request(context), &"s".repeat(128));
    let (uri, _) = pushed(&party.pushing(context, &request)?.send(context).await?)?;
    let visit = visit(context, &party.id, &uri, &[])?;
    match login::walk_rejecting(&context.browser(), &context.target.person, visit).await? {
        Arrival::Back(answer) => {
            let parameters = party.parameters(context, &request, &answer).await?;
            let error = parameters.get("error").needed("an error in the response")?;
            ensure(error == "access_denied", format!("the error is {error}"))
        }
        Arrival::Page(page) => Err(failed(format!("ended at {}", page.described()))),
    }
}

/// OpenID Connect Core 5.5: the claims of the scope that the client is registered for, at both places, and a member that is not known,
/// which changes nothing.
async fn claims_parameter(context: &Context<'_>) -> Verdict {
    let party = Party::first(context).await?;
    let is_listed = |name: &&str| context.discovery.lists("claims_supported", name);
    let wanted: Vec<&str> = claims_of("profile").iter().copied().filter(is_listed).collect();
    let members: Map<String, Value> = wanted.iter().map(|name| ((*name).to_owned(), Value::Null)).collect();
    let claims = json!({ "userinfo": members, "id_token": members, "unknown": { "unknown": null } });
    let request = party.request(context).with("claims", &claims.to_string());
    let tokens = party.sign_in(context, &request).await?;
    let proof = party.resource_proof(context, &tokens.access)?;
    let reply = party.userinfo(context, &tokens.access, "DPoP", Some(&proof)).await?;
    ensure(reply.status == StatusCode::OK, format!("userinfo: {}", reply.described()))?;
    let claims = tokens.id_token.claims.as_object().needed("claims of an ID token")?;
    let userinfo = reply.json();
    let is_lacking = |name: &&str| !claims.contains_key(*name) && userinfo.get(*name).is_none();
    let lacking: Vec<&str> = wanted.iter().copied().filter(is_lacking).collect();
    if context.discovery.flag("claims_parameter_supported") && !lacking.is_empty() {
        context.warn(format!("the claims parameter is supported, and neither ID token nor userinfo has {lacking:?}"));
    }
    let is_known = |name: &str| OF_ID_TOKENS.contains(&name) || wanted.contains(&name);
    let unknown: Vec<_> = claims.keys().filter(|name| !is_known(name)).collect();
    if !unknown.is_empty() {
        context.warn(format!("an ID token has claims that are not for every client: {unknown:?}"));
    }
    Ok(())
}

/// RFC 9110 11.1
async fn scheme_in_any_case(context: &Context<'_>) -> Verdict {
    let party = Party::first(context).await?;
    let tokens = party.sign_in(context, &party.request(context)).await?;
    for scheme in ["DPoP", "dpop", "DPOP", "dPoP"] {
        let proof = party.resource_proof(context, &tokens.access)?;
        let reply = party.userinfo(context, &tokens.access, scheme, Some(&proof)).await?;
        ensure(reply.status == StatusCode::OK, format!("the scheme {scheme} at userinfo: {}", reply.described()))?;
    }
    Ok(())
}

/// What stands in the address in addition to a pushed request does not count (RFC 9126 4, RFC 9101 6.3).
async fn outside(context: &Context<'_>, more: &'static [(&'static str, &'static str)]) -> Verdict {
    let party = Party::first(context).await?;
    let request = party.request(context);
    let (uri, _) = pushed(&party.pushing(context, &request)?.send(context).await?)?;
    let visit = visit(context, &party.id, &uri, more)?;
    let granted = party.arrive(context, &context.browser(), &request, visit).await?;
    let reply = party.redeeming(context, &granted.code)?.send(context).await?;
    party.tokens(context, &request, &reply).await.map(drop)
}

async fn state_outside(context: &Context<'_>) -> Verdict {
    let party = Party::first(context).await?;
    let request = party.request(context);
    let request = Request { state: None, ..request.without("state") };
    let (uri, _) = pushed(&party.pushing(context, &request)?.send(context).await?)?;
    let visit = visit(context, &party.id, &uri, &[("state", "a-state-outside")])?;
    party.arrive(context, &context.browser(), &request, visit).await.map(drop)
}
