//! The ways of showing an access token to the userinfo endpoint.

use super::{Check, runs};
use crate::{
    context::Context,
    outcome::Verdict,
    relying::{Request, userinfo, userinfo::Way},
};

pub(super) const CHECKS: &[Check] = &[
    Check::new("oidcc-userinfo-get", runs::WITH_ACCESS, |c| Box::pin(shown(c, Way::Get))),
    Check::new("oidcc-userinfo-post-header", runs::WITH_ACCESS, |c| Box::pin(shown(c, Way::PostHeader))),
    Check::new("oidcc-userinfo-post-body", runs::WITH_ACCESS, |c| Box::pin(shown(c, Way::PostBody))),
];

async fn shown(context: &Context<'_>, way: Way) -> Verdict {
    let client = context.client().await?;
    let done = context.sign_in(&context.browser(), &client, &Request::new(context, &client)).await?;
    let found = userinfo::fetch(context, done.access()?, done.subject(), way).await;
    match found {
        // RFC 6750 2.2: a server need not take it.
        Err(refused) if way == Way::PostBody => context.warn(refused.remark()),
        found => drop(found?),
    }
    Ok(())
}
