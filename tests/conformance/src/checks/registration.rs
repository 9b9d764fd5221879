//! What clients register, and where it shows.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Check, runs};
use crate::{
    browser::html::Elements,
    context::Context,
    outcome::{Needed, Verdict, ensure, failed},
    provider::Call,
    relying::{Request, Wanted, client, keys::SigningKey},
    target::CALLBACK,
};

pub(super) const CHECKS: &[Check] = &[
    Check::registering("oidcc-registration-logo-uri", runs::DYNAMIC, |c| {
        Box::pin(shown(c, "logo_uri", |page| &page.images))
    }),
    Check::registering("oidcc-registration-policy-uri", runs::DYNAMIC, |c| {
        Box::pin(shown(c, "policy_uri", |page| &page.links))
    }),
    Check::registering("oidcc-registration-tos-uri", runs::DYNAMIC, |c| {
        Box::pin(shown(c, "tos_uri", |page| &page.links))
    }),
    Check::registering("oidcc-registration-jwks-uri", runs::DYNAMIC, |c| Box::pin(jwks_uri(c))),
    Check::registering("oidcc-registration-sector-uri", runs::DYNAMIC, |c| Box::pin(sector(c, CALLBACK, true))),
    Check::registering("oidcc-registration-sector-bad", runs::DYNAMIC, |c| {
        Box::pin(sector(c, "https://elsewhere.conformance.test/callback", false))
    }),
    Check::registering("oidcc-3rd_party-init-login", runs::THIRD_PARTY, |c| Box::pin(initiated(c))),
    Check::registering("oidcc-3rd_party-init-login-nohttps", runs::THIRD_PARTY, |c| Box::pin(initiated_openly(c))),
];

/// The page that asks for the password shows it.
async fn shown(context: &Context<'_>, name: &str, at: fn(&Elements) -> &Vec<String>) -> Verdict {
    let url = format!("https://rp.conformance.test/about/{name}");
    let client = client::usual_wanted(context)?.with(name, url.clone()).register(context).await?;
    let done = context.sign_in(&context.browser(), &client, &Request::new(context, &client)).await?;
    let mut pages = done.pages.iter().map(|page| at(&page.elements).contains(&url));
    if pages.next().needed("a page before the password is given")? {
        return Ok(());
    }
    if pages.any(|shows| shows) {
        context.warn(format!("{name} is not on the page that asks for the password, but on a later one"));
        return Ok(());
    }
    Err(failed(format!("{name} is on no page")))
}

/// A client whose keys the provider fetches, and the place where they are.
pub(super) async fn with_fetched_keys(context: &Context<'_>) -> Verdict<(crate::relying::Client, String)> {
    let place = context.place("keys.json");
    let key = SigningKey::generate()?;
    context.receiver.publish(&place, "application/json", key.set()?.to_string());
    let wanted = Wanted::of(context).by_key_at(key).with("jwks_uri", context.receiver.url(&place));
    Ok((wanted.register(context).await?, place))
}

async fn jwks_uri(context: &Context<'_>) -> Verdict {
    let (client, _) = with_fetched_keys(context).await?;
    context.sign_in(&context.browser(), &client, &Request::new(context, &client)).await.map(|_| ())
}

/// OpenID Connect Dynamic Client Registration 5
async fn sector(context: &Context<'_>, listed: &str, is_good: bool) -> Verdict {
    let place = context.place("sector.json");
    context.receiver.publish(&place, "application/json", json!([listed]).to_string());
    let url = context.receiver.url(&place);
    if !url.starts_with("https:") {
        return Err(crate::outcome::skipped("a sector_identifier_uri needs a receiver that is reached by https"));
    }
    let wanted = client::usual_wanted(context)?.with("sector_identifier_uri", url);
    if is_good {
        let client = wanted.register(context).await?;
        return context.sign_in(&context.browser(), &client, &Request::new(context, &client)).await.map(|_| ());
    }
    wanted.refused(context, &["invalid_client_metadata", "invalid_redirect_uri"]).await
}

/// What is registered can be read (RFC 7592 2.1).
async fn initiated(context: &Context<'_>) -> Verdict {
    let url = "https://rp.conformance.test/initiate";
    let client = Wanted::of(context).with("initiate_login_uri", url).register(context).await?;
    let echoes = |from: &Value| from.get("initiate_login_uri").and_then(Value::as_str) == Some(url);
    ensure(echoes(&client.registered), "initiate_login_uri is not in the answer to the registration")?;
    let text = |name: &str| client.registered.get(name).and_then(Value::as_str).needed(name);
    let (at, token) = (text("registration_client_uri")?, text("registration_access_token")?);
    let reply = Call::new(&context.http, Method::GET, at).bearer(Some(token)).send().await?;
    ensure(reply.status == StatusCode::OK, format!("registration_client_uri: {}", reply.described()))?;
    ensure(echoes(&reply.json()), "initiate_login_uri is not at registration_client_uri")
}

async fn initiated_openly(context: &Context<'_>) -> Verdict {
    let wanted = Wanted::of(context).with("initiate_login_uri", "http://rp.conformance.test/initiate");
    wanted.refused(context, &["invalid_client_metadata"]).await
}
