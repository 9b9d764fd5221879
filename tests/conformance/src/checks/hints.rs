//! Parameters that must not be in the way.

use url::Url;

use super::{Check, runs};
use crate::{
    context::Context,
    outcome::{Verdict, ensure},
    relying::{Request, SignedIn},
};

pub(super) const CHECKS: &[Check] = &[
    Check::new("oidcc-display-page", runs::ALL, |c| Box::pin(taken(c, "display", "page"))),
    Check::new("oidcc-display-popup", runs::ALL, |c| Box::pin(taken(c, "display", "popup"))),
    Check::new("oidcc-ensure-request-with-unknown-parameter-succeeds", runs::ALL, |c| {
        Box::pin(taken(c, "extra", "foobar"))
    }),
    Check::new("oidcc-login-hint", runs::ALL, |c| Box::pin(login_hint(c))),
    Check::new("oidcc-ui-locales", runs::ALL, |c| Box::pin(taken(c, "ui_locales", "se de en"))),
    Check::new("oidcc-claims-locales", runs::ALL, |c| Box::pin(taken(c, "claims_locales", "se"))),
    Check::new("oidcc-ensure-request-with-acr-values-succeeds", runs::ALL, |c| Box::pin(acr_values(c))),
];

async fn sent(context: &Context<'_>, name: &str, value: &str) -> Verdict<SignedIn> {
    let client = context.client().await?;
    let request = Request::new(context, &client).with(name, value);
    context.sign_in(&context.browser(), &client, &request).await
}

async fn taken(context: &Context<'_>, name: &str, value: &str) -> Verdict {
    sent(context, name, value).await.map(|_| ())
}

async fn login_hint(context: &Context<'_>) -> Verdict {
    let issuer = Url::parse(&context.target.issuer).ok();
    let host = issuer.as_ref().and_then(Url::host_str).unwrap_or("localhost").to_owned();
    taken(context, "login_hint", &format!("user@{host}")).await
}

async fn acr_values(context: &Context<'_>) -> Verdict {
    let supported = context.discovery.list("acr_values_supported");
    let requested = if supported.is_empty() { "1 2".to_owned() } else { supported.join(" ") };
    let done = sent(context, "acr_values", &requested).await?;
    match done.id_token.claims.get("acr") {
        None => context.warn(format!("acr_values={requested} is asked for, and no acr given")),
        Some(acr) => ensure(acr.is_string(), format!("acr is {acr}"))?,
    }
    Ok(())
}
