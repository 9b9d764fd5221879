//! Claims that scopes ask for (OpenID Connect Core 5.4), and that the parameter `claims` does (5.5).

use serde_json::{Value, json};

use super::{Check, runs};
use crate::{
    context::Context,
    outcome::Verdict,
    relying::{Client, Request, userinfo, userinfo::Way},
};

pub(super) const CHECKS: &[Check] = &[
    Check::new("oidcc-scope-profile", runs::ALL, |c| Box::pin(scopes(c, &["profile"]))),
    Check::new("oidcc-scope-email", runs::ALL, |c| Box::pin(scopes(c, &["email"]))),
    Check::new("oidcc-scope-address", runs::ALL, |c| Box::pin(scopes(c, &["address"]))),
    Check::new("oidcc-scope-phone", runs::ALL, |c| Box::pin(scopes(c, &["phone"]))),
    Check::new("oidcc-scope-all", runs::ALL, |c| Box::pin(scopes(c, &["profile", "email", "address", "phone"]))),
    Check::new("oidcc-claims-essential", runs::ALL, |c| Box::pin(essential(c))),
];

/// The claims of a scope.
pub(super) fn claims_of(scope: &str) -> &'static [&'static str] {
    match scope {
        "profile" => &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
        "email" => &["email", "email_verified"],
        "address" => &["address"],
        "phone" => &["phone_number", "phone_number_verified"],
        _ => &[],
    }
}

/// Userinfo; without an access token to ask for it, the ID token.
async fn claims(context: &Context<'_>, client: &Client, request: &Request) -> Verdict<Value> {
    let done = context.sign_in(&context.browser(), client, request).await?;
    match &done.access_token {
        Some(token) => userinfo::fetch(context, token, done.subject(), Way::Get).await,
        None => Ok(done.id_token.claims),
    }
}

async fn scopes(context: &Context<'_>, scopes: &[&str]) -> Verdict {
    let client = context.client().await?;
    let request = Request::new(context, &client).with("scope", &format!("openid {}", scopes.join(" ")));
    let claims = claims(context, &client, &request).await?;
    for (name, is_right) in TYPES {
        let Some(value) = claims.get(name) else { continue };
        crate::outcome::ensure(is_right(value), format!("the claim {name} is {value}"))?;
    }
    let wanted = scopes.iter().flat_map(|scope| claims_of(scope));
    let missing: Vec<_> = wanted.filter(|name| claims.get(**name).is_none()).copied().collect();
    if !missing.is_empty() {
        context.warn(format!("not given: {}", missing.join(", ")));
    }
    Ok(())
}

type IsRight = fn(&Value) -> bool;

/// The types of OpenID Connect Core 5.1.
const TYPES: [(&str, IsRight); 9] = [
    ("name", Value::is_string),
    ("preferred_username", Value::is_string),
    ("locale", Value::is_string),
    ("updated_at", Value::is_number),
    ("email", Value::is_string),
    ("email_verified", Value::is_boolean),
    ("phone_number", Value::is_string),
    ("phone_number_verified", Value::is_boolean),
    ("address", Value::is_object),
];

async fn essential(context: &Context<'_>) -> Verdict {
    let client = context.client().await?;
    let place = if context.plan.response_type.gives_access() { "userinfo" } else { "id_token" };
    let requested = json!({ place: { "name": { "essential": true } } });
    let request = Request::new(context, &client).with("claims", &requested.to_string());
    let claims = claims(context, &client, &request).await?;
    if claims.get("name").is_none() {
        context.warn(format!("name is asked for in {place} as essential, and not given"));
    }
    Ok(())
}
