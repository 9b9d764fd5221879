//! Browser sessions: who is signed in, by which cookie, and the form by which somebody signs in.

pub mod browser;
mod consents;
pub mod cookie;
mod device;
mod logon;

use std::time::{Duration, SystemTime};

use authn::{Groups, UserId};
use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use store::StoreError;
use subtle::ConstantTimeEq;
use uuid::Uuid;

pub use browser::{Browser, browser};

use crate::authorize;
use crate::endpoints::{Site, page};
use crate::flow::Flow;
use crate::logout;
use crate::model::{Session, seconds, time_of};
use crate::provider::Provider;
use crate::revocations::Of;
use crate::seal::Tag;
use cookie::Lasting;

/// How exactly it is known when a session was last used: not every request writes.
const SEEN: Duration = Duration::from_mins(1);
const SECRET_LEN: usize = 32;
const ID_LEN: usize = 16;

/// A live session of the request's cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// The session.
    pub session: Session,
}

/// The routes of signing in.
pub fn router(provider: Provider) -> Router {
    let forms = [page::LOGON, page::CONSENT, page::ACCOUNT, page::SIGN_OUT];
    let router = forms.into_iter().fold(Router::new(), |router, path| router.route(path, get(to_sign_in)));
    router
        .route(page::LOGON, post(logon::sign_in))
        .route(page::CONSENTS, get(consents::show).post(consents::take_back))
        .with_state(provider)
}

/// `GET` on the URL of a form, as a browser sends it that is opened anew: leads to the sign-in, or to what it would lead to.
async fn to_sign_in(State(provider): State<Provider>) -> Response {
    match provider.sites.first() {
        Some(site) => authorize::see_other(&sign_in_url(&provider, site, page::CONSENTS)),
        None => authorize::see_other("/"),
    }
}

/// The session that the request's cookie names, if it is alive and the cookie holds its secret.
///
/// # Errors
/// When the database cannot be asked.
pub async fn current(provider: &Provider, site: &Site, headers: &HeaderMap) -> Result<Option<Current>, StoreError> {
    let Some((id, secret)) = cookie::read(headers, cookie::session(site)).and_then(parse) else { return Ok(None) };
    let Some(session) = provider.store.session(id).await? else { return Ok(None) };
    let is_its: bool = digest(&SHA256, &secret).as_ref().ct_eq(&session.digest).into();
    let now = provider.clock.now();
    // also one that could not be removed when everything of the user was ended
    let is_ended = || provider.revocations.ends_sign_in(&session.person, seconds(session.signed_in));
    if !is_its || !session.is_alive(now) || is_ended() {
        return Ok(None);
    }
    if now.duration_since(session.seen).unwrap_or_default() >= SEEN {
        provider.store.touch_session(id, now).await?;
    }
    Ok(Some(Current { session }))
}

fn parse(text: &str) -> Option<(Uuid, [u8; SECRET_LEN])> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == ID_LEN + SECRET_LEN)?;
    let (id, secret) = bytes.split_at(ID_LEN);
    Some((Uuid::from_slice(id).ok()?, secret.try_into().ok()?))
}

/// A session that has just begun, and what the browser has to be given.
pub(crate) struct Begun {
    pub(crate) session: Session,
    pub(crate) cookies: Vec<HeaderValue>,
}

/// When a sign-in of this person counts as done: never before the last change of the password, nor before everything was ended.
/// Where the clock has been corrected those may lie in the future.
async fn dated(provider: &Provider, person: &str, now: SystemTime) -> SystemTime {
    let id = UserId { opaque_id: person.to_owned(), ..UserId::default() };
    // where the directory does not say, the sign-in is at worst one that has to be repeated
    let user = provider.directory.user(&id, Groups::Skip).await.ok();
    let changed = user.map_or(now, |user| user.credential_time(now));
    let ended = provider.revocations.cutoff(Of::Person(person)).map_or(now, time_of);
    // an end counts to the end of its second
    let latest = if ended > now + Duration::from_secs(1) { changed.max(ended) } else { changed };
    if latest <= now {
        return now;
    }
    tracing::warn!(person, "the password was changed, or all was ended, ahead of this clock; check the clock");
    // in whole seconds, as grants and tokens tell it
    time_of(seconds(latest) + 1)
}

/// Begins a session of this person, in place of the browser's former one: its identifier is new, so that nobody who knew
/// the old one is signed in (row I19). One of somebody else ends as if that one had signed out.
///
/// # Errors
/// When it cannot be written.
pub(crate) async fn begin(
    provider: &Provider,
    site: &Site,
    former: Option<&Session>,
    person: &str,
    remember: bool,
) -> Result<Begun, StoreError> {
    let now = provider.clock.now();
    let signed_in = dated(provider, person, now).await;
    let lives = &provider.config.lives;
    let secret: [u8; SECRET_LEN] = provider.random.bytes();
    let (life, idle) = if remember {
        (lives.remembered_session, lives.remembered_session)
    } else {
        (lives.session, lives.session_idle)
    };
    let session = Session {
        id: provider.random.uuid(),
        digest: digest(&SHA256, &secret).as_ref().try_into().unwrap_or([0; 32]),
        person: person.to_owned(),
        signed_in,
        amr: PASSWORD.to_owned(),
        seen: now,
        idle,
        end: now + life,
        remembered: remember,
    };
    match former {
        Some(former) if former.person == person => provider.store.replace_session(former.id, &session).await?,
        former => {
            // whoever was signed in here is not any more, and clients that know only that one have to be told
            if let Some(former) = former {
                logout::end(provider, former.id).await?;
            }
            provider.store.begin_session(&session).await?;
        }
    }
    let mut value = session.id.as_bytes().to_vec();
    value.extend_from_slice(&secret);
    let lasting = if remember { Lasting::For(life) } else { Lasting::AsTheBrowser };
    let cookies = vec![
        cookie::private(site, cookie::session(site), &URL_SAFE_NO_PAD.encode(value), lasting),
        cookie::readable(site, browser_state_cookie(site), &state_of(provider, Some(session.id)), lasting),
    ];
    Ok(Begun { session, cookies })
}

/// How somebody who gave a password has proved who it is (RFC 8176).
pub const PASSWORD: &str = "pwd";
/// How sure that is (`acr`): one factor. There is no other level yet.
pub const ACR: &str = "1";

/// The state of the browser as clients may know it (`OpenID` Connect Session Management 1.0): another one after every
/// sign-in and sign-out, and nothing by which anybody could sign in. It stands in a cookie that the check-session page
/// reads; without a session it is the same for all.
pub fn state_of(provider: &Provider, session: Option<Uuid>) -> String {
    match session {
        None => "none".to_owned(),
        Some(id) => {
            let tag = provider.sealer.permanent_tag(Tag::Csrf, &[b"browser state ", id.as_bytes().as_slice()].concat());
            URL_SAFE_NO_PAD.encode(&tag[..16])
        }
    }
}

/// The cookie that holds [`state_of`]; scripts of the check-session page read it.
pub fn browser_state_cookie(site: &Site) -> &'static str {
    if site.is_https() { "__Host-doorward-state" } else { "doorward-state" }
}

/// What takes the cookies of a session away.
pub fn clear_cookies(site: &Site) -> Vec<HeaderValue> {
    vec![
        cookie::private(site, cookie::session(site), "", Lasting::Gone),
        cookie::readable(site, browser_state_cookie(site), "none", Lasting::AsTheBrowser),
    ]
}

/// Where somebody signs in and is sent on to a path of ours.
pub fn sign_in_url(provider: &Provider, site: &Site, return_to: &str) -> String {
    Flow::to_path(site.layout, return_to, provider.clock.now()).url(provider, site)
}
