//! When the password is asked for, and when it must not be.

use std::time::Duration;

use super::{Check, runs};
use crate::{
    browser::{Arrival, Browser},
    context::Context,
    outcome::{Needed, Verdict, ensure, failed},
    relying::{Client, Request, SignedIn, flow},
};

pub(super) const CHECKS: &[Check] = &[
    Check::new("oidcc-prompt-login", runs::ALL, |c| Box::pin(prompt_login(c))),
    Check::new("oidcc-prompt-none-not-logged-in", runs::ALL, |c| Box::pin(none_not_logged_in(c))),
    Check::new("oidcc-prompt-none-logged-in", runs::ALL, |c| Box::pin(none_logged_in(c))),
    Check::new("oidcc-max-age-1", runs::ALL, |c| Box::pin(max_age_1(c))),
    Check::new("oidcc-max-age-10000", runs::ALL, |c| Box::pin(max_age_10000(c))),
    Check::new("oidcc-id-token-hint", runs::ALL, |c| Box::pin(id_token_hint(c))),
];

/// Time in tokens is in whole seconds, and `max_age` is held against it.
const LATER: Duration = Duration::from_secs(2);

/// A browser in which a user has just signed in.
struct First {
    browser: Browser,
    client: Client,
    done: SignedIn,
}

impl First {
    async fn sign_in(context: &Context<'_>, extra: &[(&str, &str)]) -> Verdict<Self> {
        let (browser, client) = (context.browser(), context.client().await?);
        let request = with(Request::new(context, &client), extra);
        let done = context.sign_in(&browser, &client, &request).await?;
        ensure(done.logins > 0, "the browser has no session, and the password is not asked for")?;
        Ok(Self { browser, client, done })
    }

    /// The same person once more.
    async fn again(&self, context: &Context<'_>, extra: &[(&str, &str)]) -> Verdict<SignedIn> {
        let request = with(Request::new(context, &self.client), extra);
        let second = context.sign_in(&self.browser, &self.client, &request).await?;
        let (before, after) = (self.done.subject(), second.subject());
        ensure(before == after, format!("sub was {before} and is {after}"))?;
        Ok(second)
    }

    /// The password was asked for again, and the second token says so.
    fn ensure_asked_again(&self, second: &SignedIn, must_tell: bool) -> Verdict {
        ensure(second.logins > 0, "the password is not asked for again")?;
        match (self.done.id_token.number("auth_time"), second.id_token.number("auth_time")) {
            (Some(before), Some(after)) => {
                ensure(after > before, format!("auth_time was {before} and is {after}, which is not later"))
            }
            (_, None) if must_tell => Err(failed("auth_time is missing, though max_age was sent")),
            _ => Ok(()),
        }
    }

    /// Nothing was asked for, and the second token says so.
    fn ensure_silent(&self, second: &SignedIn, must_tell: bool) -> Verdict {
        ensure(second.logins == 0, "the password is asked for again")?;
        let times = self.done.id_token.number("auth_time").zip(second.id_token.number("auth_time"));
        match times {
            Some((before, after)) => ensure(before == after, format!("auth_time was {before} and is {after}")),
            None if must_tell => Err(failed("auth_time is missing, though max_age was sent")),
            None => Ok(()),
        }
    }
}

fn with(request: Request, extra: &[(&str, &str)]) -> Request {
    extra.iter().fold(request, |request, (name, value)| request.with(name, value))
}

async fn prompt_login(context: &Context<'_>) -> Verdict {
    let first = First::sign_in(context, &[]).await?;
    tokio::time::sleep(LATER).await;
    let second = first.again(context, &[("prompt", "login")]).await?;
    first.ensure_asked_again(&second, false)
}

async fn none_not_logged_in(context: &Context<'_>) -> Verdict {
    let client = context.client().await?;
    let request = Request::new(context, &client).with("prompt", "none");
    match flow::walk(context, &context.browser(), request.visit(context)?).await?.end {
        Arrival::Page(page) => Err(failed(format!("prompt=none shows {}", page.described()))),
        Arrival::Back(answer) => flow::error_of(context, &client, &request, &answer, &flow::NOT_SILENT).map(|_| ()),
    }
}

async fn none_logged_in(context: &Context<'_>) -> Verdict {
    let first = First::sign_in(context, &[]).await?;
    let second = first.again(context, &[("prompt", "none")]).await?;
    ensure(second.pages.is_empty(), "prompt=none shows a page")?;
    first.ensure_silent(&second, false)
}

async fn max_age_1(context: &Context<'_>) -> Verdict {
    let first = First::sign_in(context, &[]).await?;
    tokio::time::sleep(LATER).await;
    let second = first.again(context, &[("max_age", "1")]).await?;
    first.ensure_asked_again(&second, true)
}

async fn max_age_10000(context: &Context<'_>) -> Verdict {
    let first = First::sign_in(context, &[("max_age", "15000")]).await?;
    first.done.id_token.number("auth_time").needed("auth_time after max_age=15000")?;
    tokio::time::sleep(LATER).await;
    let second = first.again(context, &[("max_age", "10000")]).await?;
    first.ensure_silent(&second, true)
}

async fn id_token_hint(context: &Context<'_>) -> Verdict {
    let first = First::sign_in(context, &[]).await?;
    let hint = first.done.id_token.raw.clone();
    let second = first.again(context, &[("prompt", "none"), ("id_token_hint", &hint)]).await?;
    ensure(second.pages.is_empty(), "prompt=none shows a page")?;
    first.ensure_silent(&second, false)
}
