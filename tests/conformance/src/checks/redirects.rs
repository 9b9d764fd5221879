//! Redirect URIs: exactly those that are registered.

use serde_json::json;

use super::{Check, runs};
use crate::{
    context::Context,
    outcome::{Verdict, ensure},
    random::random,
    relying::{Client, Request, client, flow},
    target::CALLBACK,
};

pub(super) const CHECKS: &[Check] = &[
    Check::new("oidcc-ensure-registered-redirect-uri", runs::ALL, |c| Box::pin(unregistered(c))),
    Check::registering("oidcc-ensure-redirect-uri-in-authorization-request", runs::DYNAMIC, |c| Box::pin(missing(c))),
    Check::registering("oidcc-redirect-uri-query-OK", runs::DYNAMIC, |c| Box::pin(query_kept(c))),
    Check::registering("oidcc-redirect-uri-query-mismatch", runs::DYNAMIC, |c| Box::pin(query_mismatch(c))),
    Check::registering("oidcc-redirect-uri-query-added", runs::DYNAMIC, |c| Box::pin(query_added(c))),
    Check::registering("oidcc-redirect-uri-regfrag", runs::DYNAMIC, |c| Box::pin(fragment(c))),
];

async fn registered(context: &Context<'_>, uris: &[&str]) -> Verdict<Client> {
    client::usual_wanted(context)?.with("redirect_uris", json!(uris)).register(context).await
}

/// The request ends at a page, before the user signs in.
async fn refused(context: &Context<'_>, request: &Request) -> Verdict {
    let page = flow::ends_at_page(context, request.visit(context)?).await?;
    ensure(page.status.is_client_error(), format!("the redirect_uri is refused by {}", page.described()))
}

async fn unregistered(context: &Context<'_>) -> Verdict {
    let client = context.client().await?;
    let request = Request::new(context, &client).with("redirect_uri", &format!("{CALLBACK}/{}", random(9)));
    refused(context, &request).await
}

async fn missing(context: &Context<'_>) -> Verdict {
    let client = registered(context, &[CALLBACK, &format!("{CALLBACK}/second")]).await?;
    refused(context, &Request::new(context, &client).without("redirect_uri")).await
}

async fn query_kept(context: &Context<'_>) -> Verdict {
    let client = registered(context, &[&format!("{CALLBACK}?foo=bar")]).await?;
    context.sign_in(&context.browser(), &client, &Request::new(context, &client)).await.map(|_| ())
}

async fn query_mismatch(context: &Context<'_>) -> Verdict {
    let client = registered(context, &[&format!("{CALLBACK}?foo=bar")]).await?;
    let request = Request::new(context, &client).with("redirect_uri", &format!("{CALLBACK}?foo=other"));
    refused(context, &request).await
}

async fn query_added(context: &Context<'_>) -> Verdict {
    let client = registered(context, &[CALLBACK]).await?;
    let request = Request::new(context, &client).with("redirect_uri", &format!("{CALLBACK}?foo=bar"));
    refused(context, &request).await
}

async fn fragment(context: &Context<'_>) -> Verdict {
    let wanted = client::usual_wanted(context)?.with("redirect_uris", json!([format!("{CALLBACK}#fragment")]));
    wanted.refused(context, &["invalid_redirect_uri"]).await
}
