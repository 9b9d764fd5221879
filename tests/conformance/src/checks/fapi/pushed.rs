//! Pushed authorization requests (RFC 9126).

use std::time::Duration;

use reqwest::Method;

use super::BOTH;
use crate::{
    browser::Arrival,
    checks::Check,
    context::Context,
    outcome::{Verdict, ensure, failed},
    provider::Call,
    relying::{
        fapi::{INVALID_PARAMETER, Party, pushed, visit},
        flow,
    },
};

/// The errors of a `request_uri` that does not count.
const INVALID_URI: &[&str] = &["invalid_request_uri", "invalid_request", "invalid_request_object", "access_denied"];

pub(super) const CHECKS: &[Check] = &[
    Check::new(
        "fapi2-security-profile-final-par-ensure-reused-request-uri-prior-to-auth-completion-succeeds",
        BOTH,
        |c| Box::pin(opened_again(c)),
    ),
    Check::new("fapi2-security-profile-final-par-attempt-reuse-request_uri", BOTH, |c| Box::pin(used_again(c))),
    Check::new("fapi2-security-profile-final-par-attempt-to-use-expired-request_uri", BOTH, |c| Box::pin(expired(c))),
    Check::new("fapi2-security-profile-final-par-attempt-to-use-request_uri-for-different-client", BOTH, |c| {
        Box::pin(of_another_client(c))
    }),
    Check::new("fapi2-security-profile-final-par-authorization-request-containing-request_uri-form-param", BOTH, |c| {
        Box::pin(with_request_uri(c))
    }),
    Check::new("fapi2-security-profile-final-par-attempt-invalid-http-method", BOTH, |c| Box::pin(by_get(c))),
];

/// A user who opens the page twice before signing in is not turned away.
async fn opened_again(context: &Context<'_>) -> Verdict {
    let party = Party::first(context).await?;
    let request = party.request(context);
    let (uri, _) = pushed(&party.pushing(context, &request)?.send(context).await?)?;
    let visit = visit(context, &party.id, &uri, &[])?;
    let browser = context.browser();
    match browser.open(visit.clone()).await? {
        Arrival::Page(page) => ensure(page.status.is_success(), format!("no page to sign in: {}", page.described()))?,
        Arrival::Back(_) => return Err(failed("a browser without a session comes back at once")),
    }
    party.arrive(context, &browser, &request, visit).await.map(drop)
}

async fn used_again(context: &Context<'_>) -> Verdict {
    let party = Party::first(context).await?;
    let request = party.request(context);
    let (uri, _) = pushed(&party.pushing(context, &request)?.send(context).await?)?;
    let visit = visit(context, &party.id, &uri, &[])?;
    party.arrive(context, &context.browser(), &request, visit.clone()).await?;
    party.refused_at(context, &request, visit, INVALID_URI).await
}

async fn expired(context: &Context<'_>) -> Verdict {
    let party = Party::first(context).await?;
    let request = party.request(context);
    let (uri, lasts) = pushed(&party.pushing(context, &request)?.send(context).await?)?;
    tokio::time::sleep(Duration::from_secs(lasts + 2)).await;
    party.refused_at(context, &request, visit(context, &party.id, &uri, &[])?, INVALID_URI).await
}

async fn of_another_client(context: &Context<'_>) -> Verdict {
    let (party, other) = (Party::first(context).await?, Party::second(context).await?);
    let request = party.request(context);
    let (uri, _) = pushed(&party.pushing(context, &request)?.send(context).await?)?;
    party.refused_at(context, &request, visit(context, &other.id, &uri, &[])?, INVALID_URI).await
}

async fn with_request_uri(context: &Context<'_>) -> Verdict {
    let party = Party::first(context).await?;
    let form = party.pushing(context, &party.request(context))?;
    let form = form.with("request_uri", "urn:ietf:params:oauth:request_uri:another");
    let errors = ["request_uri_not_supported", "invalid_request_uri"];
    flow::refused(&form.send(context).await?, &[INVALID_PARAMETER, &errors].concat())
}

async fn by_get(context: &Context<'_>) -> Verdict {
    let url = context.discovery.endpoint("pushed_authorization_request_endpoint")?;
    for method in [Method::GET, Method::PUT] {
        let reply = Call::new(&context.http, method.clone(), url).send().await?;
        let is_refused = reply.status.is_client_error();
        ensure(is_refused, format!("{method} at the endpoint of pushed requests: {}", reply.described()))?;
    }
    Ok(())
}
