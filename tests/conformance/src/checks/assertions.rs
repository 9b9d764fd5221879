//! Client assertions (RFC 7523).

use super::{Check, runs};
use crate::{
    browser::Arrival,
    context::Context,
    outcome::{Needed, Verdict, failed},
    relying::{Request, flow},
};

pub(super) const CHECKS: &[Check] =
    &[Check::registering("oidcc-ensure-client-assertion-with-iss-aud-succeeds", runs::DYNAMIC, |c| {
        Box::pin(for_issuer(c))
    })];

/// The issuer is an audience as good as the token endpoint (RFC 7523bis).
async fn for_issuer(context: &Context<'_>) -> Verdict {
    let client = context.client().await?;
    let request = Request::new(context, &client);
    let journey = flow::walk(context, &context.browser(), request.visit(context)?).await?;
    let answer = match journey.end {
        Arrival::Back(answer) => answer,
        Arrival::Page(page) => return Err(failed(format!("ended at {}", page.described()))),
    };
    flow::succeeded(context, &client, &request, &answer)?;
    let code = answer.get("code").needed("a code")?;
    let issuer = context.discovery.endpoint("issuer")?;
    let reply = client.ask_as(context, &flow::redemption(&client, &request, code), issuer).await?;
    if let Err(refused) = flow::received(&reply) {
        context.warn(format!("an assertion for the issuer is refused: {}", refused.remark()));
    }
    Ok(())
}
