//! Logout that the relying party begins (RP-Initiated Logout 1.0).

use serde_json::{Map, Value};
use url::Url;

use super::{Check, discovery::offers, runs};
use crate::{
    browser::{Answer, Arrival, Browser, Page, Site, Visit},
    context::Context,
    outcome::{Needed, Verdict, ensure, failed},
    random::random,
    relying::{
        Client, Request, SignedIn, flow,
        keys::{SigningKey, unsigned},
    },
    target::LOGGED_OUT,
};

pub(super) const CHECKS: &[Check] = &[
    Check::new("oidcc-rp-initiated-logout", runs::RP_LOGOUT, |c| Box::pin(logout(c))),
    Check::new("oidcc-rp-initiated-logout-bad-post-logout-redirect-uri", runs::RP_LOGOUT, |c| Box::pin(bad_uri(c))),
    Check::new("oidcc-rp-initiated-logout-modified-id-token-hint", runs::RP_LOGOUT, |c| Box::pin(modified_hint(c))),
    Check::new("oidcc-rp-initiated-logout-no-id-token-hint", runs::RP_LOGOUT, |c| Box::pin(no_hint(c))),
    Check::new("oidcc-rp-initiated-logout-no-params", runs::RP_LOGOUT, |c| Box::pin(no_parameters(c))),
    Check::new("oidcc-rp-initiated-logout-no-post-logout-redirect-uri", runs::RP_LOGOUT, |c| Box::pin(no_uri(c))),
    Check::new("oidcc-rp-initiated-logout-no-state", runs::RP_LOGOUT, |c| Box::pin(no_state(c))),
    Check::new("oidcc-rp-initiated-logout-only-state", runs::RP_LOGOUT, |c| Box::pin(only_state(c))),
    Check::new("oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri", runs::RP_LOGOUT, |c| {
        Box::pin(query_added(c))
    }),
    Check::new("oidcc-rp-initiated-logout-bad-id-token-hint", runs::RP_LOGOUT, |c| Box::pin(bad_hint(c))),
];

/// Somebody who is signed in, and is about to leave.
pub(super) struct Leaving {
    pub(super) browser: Browser,
    pub(super) client: Client,
    pub(super) done: SignedIn,
}

impl Leaving {
    pub(super) async fn with(context: &Context<'_>, client: Client) -> Verdict<Self> {
        offers(context, "end_session_endpoint")?;
        let browser = context.browser();
        let done = context.sign_in(&browser, &client, &Request::new(context, &client)).await?;
        Ok(Self { browser, client, done })
    }

    async fn usual(context: &Context<'_>) -> Verdict<Self> {
        Self::with(context, context.client().await?).await
    }

    pub(super) fn hint(&self) -> (&'static str, String) {
        ("id_token_hint", self.done.id_token.raw.clone())
    }

    /// Where the logout leads, and the pages on the way.
    pub(super) async fn leave(
        &self,
        context: &Context<'_>,
        fields: &[(&str, String)],
    ) -> Verdict<(Arrival, Vec<Page>)> {
        let mut url = Url::parse(context.discovery.endpoint("end_session_endpoint")?).needed("end_session_endpoint")?;
        if !fields.is_empty() {
            url.query_pairs_mut().extend_pairs(fields);
        }
        let visit = Visit { url, form: None, from: Site::Relying };
        let journey = flow::walk(context, &self.browser, visit).await?;
        Ok((journey.end, journey.pages))
    }

    /// The logout must lead back.
    async fn comes_back(&self, context: &Context<'_>, fields: &[(&str, String)]) -> Verdict {
        let state = fields.iter().find(|field| field.0 == "state").map(|field| field.1.as_str());
        match self.leave(context, fields).await?.0 {
            Arrival::Page(page) => Err(failed(format!("the logout ends at {}", page.described()))),
            Arrival::Back(answer) => is_back(&answer, state),
        }
    }

    /// The logout must not lead back.
    async fn stays(&self, context: &Context<'_>, fields: &[(&str, String)]) -> Verdict {
        match self.leave(context, fields).await?.0 {
            Arrival::Back(answer) => Err(failed(format!("the logout redirects to {}", answer.url))),
            Arrival::Page(page) => {
                let description = page.described();
                ensure(!page.status.is_server_error() && !page.text.trim().is_empty(), format!("ends at {description}"))
            }
        }
    }

    /// The session is over.
    pub(super) async fn is_over(&self, context: &Context<'_>) -> Verdict {
        flow::is_signed_out(context, &self.browser, &self.client).await
    }

    /// The logout must not lead back, but end the session.
    async fn stays_and_is_over(&self, context: &Context<'_>, fields: &[(&str, String)]) -> Verdict {
        self.stays(context, fields).await?;
        self.is_over(context).await
    }
}

/// Back at the registered URL, with the state as it was sent.
pub(super) fn is_back(answer: &Answer, state: Option<&str>) -> Verdict {
    ensure(flow::is_at(&answer.url, LOGGED_OUT), format!("the logout redirects to {}", answer.url))?;
    let found = answer.get("state");
    ensure(found == state, format!("state is {found:?} instead of {state:?}"))
}

pub(super) fn back_to(url: &str) -> (&'static str, String) {
    ("post_logout_redirect_uri", url.to_owned())
}

pub(super) fn state() -> (&'static str, String) {
    ("state", random(12))
}

async fn logout(context: &Context<'_>) -> Verdict {
    let leaving = Leaving::usual(context).await?;
    leaving.comes_back(context, &[leaving.hint(), back_to(LOGGED_OUT), state()]).await?;
    leaving.is_over(context).await
}

async fn no_state(context: &Context<'_>) -> Verdict {
    let leaving = Leaving::usual(context).await?;
    leaving.comes_back(context, &[leaving.hint(), back_to(LOGGED_OUT)]).await?;
    leaving.is_over(context).await
}

async fn bad_uri(context: &Context<'_>) -> Verdict {
    let leaving = Leaving::usual(context).await?;
    let elsewhere = format!("{LOGGED_OUT}/{}", random(9));
    leaving.stays(context, &[leaving.hint(), back_to(&elsewhere), state()]).await
}

async fn query_added(context: &Context<'_>) -> Verdict {
    let leaving = Leaving::usual(context).await?;
    let other = format!("{LOGGED_OUT}?foo=bar");
    leaving.stays(context, &[leaving.hint(), back_to(&other), state()]).await
}

async fn modified_hint(context: &Context<'_>) -> Verdict {
    let leaving = Leaving::usual(context).await?;
    let hint = unsigned(&leaving.done.id_token.claims);
    leaving.stays(context, &[("id_token_hint", hint), back_to(LOGGED_OUT), state()]).await
}

async fn bad_hint(context: &Context<'_>) -> Verdict {
    let leaving = Leaving::usual(context).await?;
    let mut claims: Map<String, Value> = leaving.done.id_token.claims.as_object().cloned().unwrap_or_default();
    claims.insert("iss".to_owned(), Value::from("https://elsewhere.conformance.test"));
    let hint = SigningKey::generate()?.sign(&Value::Object(claims))?;
    leaving.stays(context, &[("id_token_hint", hint), back_to(LOGGED_OUT), state()]).await
}

async fn no_hint(context: &Context<'_>) -> Verdict {
    let leaving = Leaving::usual(context).await?;
    leaving.stays(context, &[back_to(LOGGED_OUT), state()]).await
}

async fn no_parameters(context: &Context<'_>) -> Verdict {
    Leaving::usual(context).await?.stays_and_is_over(context, &[]).await
}

async fn only_state(context: &Context<'_>) -> Verdict {
    Leaving::usual(context).await?.stays_and_is_over(context, &[state()]).await
}

async fn no_uri(context: &Context<'_>) -> Verdict {
    let leaving = Leaving::usual(context).await?;
    leaving.stays_and_is_over(context, &[leaving.hint(), state()]).await
}
