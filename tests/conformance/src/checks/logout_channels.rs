//! Logout notifications to the relying party: by the provider itself (Back-Channel Logout 1.0), or by frames in the browser
//! (Front-Channel Logout 1.0).

use std::time::Duration;

use serde_json::Value;
use url::{Url, form_urlencoded};

use super::{
    Check,
    discovery::offers,
    logout::{Leaving, back_to, is_back, state},
    runs,
};
use crate::{
    browser::{Arrival, Browser, Page, Site, Visit, is_relying},
    context::Context,
    outcome::{Needed, Verdict, ensure, failed},
    receiver::Posted,
    relying::{Wanted, id_token},
    target::LOGGED_OUT,
};

pub(super) const CHECKS: &[Check] = &[
    Check::registering("oidcc-backchannel-rp-initiated-logout", runs::BACK_CHANNEL, |c| Box::pin(back_channel(c))),
    Check::registering("oidcc-frontchannel-rp-initiated-logout", runs::FRONT_CHANNEL, |c| Box::pin(front_channel(c))),
];

/// How often it is looked whether the provider posted, and how long apart.
const LOOKS: usize = 50;
const APART: Duration = Duration::from_millis(200);

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

async fn back_channel(context: &Context<'_>) -> Verdict {
    offers(context, "backchannel_logout_supported")?;
    let place = context.place("back-channel");
    let wanted = Wanted::of(context)
        .with("backchannel_logout_uri", context.receiver.url(&place))
        .with("backchannel_logout_session_required", true);
    let leaving = Leaving::with(context, wanted.register(context).await?).await?;
    let state = state();
    let end = leaving.leave(context, &[leaving.hint(), back_to(LOGGED_OUT), state.clone()]).await?.0;
    match end {
        Arrival::Back(answer) => is_back(&answer, Some(&state.1))?,
        Arrival::Page(page) => return Err(failed(format!("the logout ends at {}", page.described()))),
    }
    let posted = awaited(context, &place).await?;
    logout_token(context, &leaving, &posted).await?;
    leaving.is_over(context).await
}

async fn awaited(context: &Context<'_>, place: &str) -> Verdict<Posted> {
    for _ in 0..LOOKS {
        let mut posted = context.receiver.posted(place);
        ensure(posted.len() < 2, "the provider posts more than once")?;
        if let Some(posted) = posted.pop() {
            return Ok(posted);
        }
        tokio::time::sleep(APART).await;
    }
    Err(failed("the provider does not post to backchannel_logout_uri"))
}

/// Back-Channel Logout 2.4 to 2.6
async fn logout_token(context: &Context<'_>, leaving: &Leaving, posted: &Posted) -> Verdict {
    let is_form = posted.content_type.starts_with("application/x-www-form-urlencoded");
    ensure(is_form, format!("the provider posts {:?}", posted.content_type))?;
    let mut fields = form_urlencoded::parse(posted.body.as_bytes());
    let raw = fields.find(|field| field.0 == "logout_token").map(|field| field.1).needed("logout_token")?;
    let first = &leaving.done.id_token;
    let token = id_token::signed(context, &raw, first.algorithm()).await?;
    id_token::addressed(context, &leaving.client, &token)?;
    if token.header.get("typ").and_then(Value::as_str) != Some("logout+jwt") {
        context.warn("typ of the logout token is not logout+jwt");
    }
    for name in ["iat", "exp"] {
        ensure(token.number(name).is_some(), format!("the logout token lacks {name}"))?;
    }
    let now = jsonwebtoken::get_current_timestamp();
    ensure(token.number("exp").is_some_and(|exp| exp > now), "the logout token ended")?;
    ensure(token.text("jti").is_some_and(|jti| !jti.is_empty()), "the logout token lacks jti")?;
    ensure(token.claims.get("nonce").is_none(), "the logout token has a nonce")?;
    let event = token.claims.get("events").and_then(|events| events.get(EVENT));
    ensure(event.is_some_and(Value::is_object), format!("events lacks an object {EVENT}"))?;
    let (sid, sub) = (token.text("sid"), token.text("sub"));
    ensure(sid.is_some() || sub.is_some(), "the logout token has neither sid nor sub")?;
    ensure(sub.is_none_or(|sub| sub == first.subject()), format!("sub of the logout token is {sub:?}"))?;
    let known = first.text("sid");
    ensure(known.is_some(), "the ID token lacks sid, though backchannel_logout_session_required is registered")?;
    ensure(sid == known, format!("sid is {sid:?} in the logout token and {known:?} in the ID token"))
}

async fn front_channel(context: &Context<'_>) -> Verdict {
    offers(context, "frontchannel_logout_supported")?;
    let frame = "https://rp.conformance.test/front-channel";
    let wanted =
        Wanted::of(context).with("frontchannel_logout_uri", frame).with("frontchannel_logout_session_required", true);
    let leaving = Leaving::with(context, wanted.register(context).await?).await?;
    let state = state();
    let (end, mut pages) = leaving.leave(context, &[leaving.hint(), back_to(LOGGED_OUT), state.clone()]).await?;
    let back = match end {
        Arrival::Back(answer) => Some(answer),
        Arrival::Page(page) => {
            pages.push(*page);
            None
        }
    };
    let frames = pages.iter().flat_map(|page| page.elements.frames.iter().filter_map(|to| page.url.join(to).ok()));
    let opened = frames.into_iter().find(|url| url.as_str().starts_with(frame)).needed("a frame of the logout URI")?;
    check_notification(context, &leaving, &opened)?;
    let answer = match back {
        Some(answer) => answer,
        None => follow(&leaving.browser, pages.last().needed("a page")?).await?,
    };
    is_back(&answer, Some(&state.1))?;
    leaving.is_over(context).await
}

/// Front-Channel Logout 2: issuer and session.
fn check_notification(context: &Context<'_>, leaving: &Leaving, opened: &Url) -> Verdict {
    let get = |name: &str| opened.query_pairs().find(|pair| pair.0 == name).map(|pair| pair.1.into_owned());
    let issuer = get("iss");
    ensure(issuer.as_deref() == context.discovery.get("issuer"), format!("iss of the frame is {issuer:?}"))?;
    let (sid, known) = (get("sid"), leaving.done.id_token.text("sid"));
    let is_same = known.is_some() && sid.as_deref() == known;
    ensure(is_same, format!("sid is {sid:?} in the frame and {known:?} in the ID token"))
}

/// The page goes back by itself or by a link.
async fn follow(browser: &Browser, page: &Page) -> Verdict<crate::browser::Answer> {
    let header =
        page.headers.get("refresh").and_then(|value| value.to_str().ok()).and_then(|value| value.split_once('='));
    let named = page.elements.refreshes.iter().chain(&page.elements.links).map(String::as_str);
    let mut urls = named.chain(header.map(|header| header.1.trim())).filter_map(|to| page.url.join(to).ok());
    let url = urls.find(is_relying).needed(&format!("a way back on {}", page.described()))?;
    match browser.open(Visit { url, form: None, from: Site::Provider }).await? {
        Arrival::Back(answer) => Ok(answer),
        Arrival::Page(page) => Err(failed(format!("the way back ends at {}", page.described()))),
    }
}
