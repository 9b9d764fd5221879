//! A code is good once (RFC 6749 4.1.2).

use reqwest::StatusCode;

use super::{Check, runs};
use crate::{
    context::Context,
    outcome::{Needed, Verdict},
    provider::Reply,
    relying::{Client, Request, SignedIn, flow, userinfo, userinfo::Way},
};

pub(super) const CHECKS: &[Check] = &[
    Check::new("oidcc-codereuse", runs::WITH_CODE, |c| Box::pin(at_once(c))),
    Check::new("oidcc-codereuse-30seconds", runs::WITH_CODE, |c| Box::pin(later(c))),
];

struct Used {
    client: Client,
    request: Request,
    done: SignedIn,
}

impl Used {
    async fn once(context: &Context<'_>) -> Verdict<Self> {
        let client = context.client().await?;
        let request = Request::new(context, &client);
        let done = context.sign_in(&context.browser(), &client, &request).await?;
        Ok(Self { client, request, done })
    }

    async fn again(&self, context: &Context<'_>) -> Verdict<Reply> {
        let code = self.done.answer.get("code").needed("a code")?;
        flow::redeem(context, &self.client, &self.request, code).await
    }
}

async fn at_once(context: &Context<'_>) -> Verdict {
    let reply = Used::once(context).await?.again(context).await?;
    if let Err(other) = flow::refused(&reply, &["invalid_grant"]) {
        context.warn(format!("a second use at once: {}", other.remark()));
    }
    Ok(())
}

async fn later(context: &Context<'_>) -> Verdict {
    let used = Used::once(context).await?;
    tokio::time::sleep(context.target.waits.code_reuse).await;
    flow::refused(&used.again(context).await?, &["invalid_grant"])?;
    let reply = userinfo::ask(context, used.done.access()?, Way::Get).await?;
    if reply.status != StatusCode::UNAUTHORIZED {
        context.warn("the access token outlives the second use of its code");
    }
    Ok(())
}
