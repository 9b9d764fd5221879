//! The start of a sign-in: redirects the browser to the issuer (`OpenID` Connect Core 3.1.2.1), with PKCE (RFC 7636). A sealed cookie
//! for each sign-in holds what the callback needs, so that several can be pending.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue};
use oidc::pkce;
use serde::{Deserialize, Serialize};
use url::Url;
use web::cookie::{self, with_cookies};

use super::redirect::redirect;
use super::seal::Purpose;
use super::{Sessions, digest_of};
use crate::pages::Notice;
use crate::site::{CALLBACK, LOGIN};

/// How long a sign-in may take.
const LOGIN_TIMEOUT: Duration = Duration::from_mins(10);
/// The largest total size of a browser's cookies of pending sign-ins, in bytes, so that its headers stay below the limits of servers.
/// It is enough for about twenty ordinary pages.
const MAX_COOKIES: usize = 8 * 1024;
/// The parameter of a sign-in that replaces one whose cookie is lost.
const AGAIN: &str = "again";
/// The parameter of a sign-in with several factors.
pub(super) const STEP_UP: &str = "step_up";
/// The parameter of a sign-in that may be at most so many seconds ago.
pub(super) const MAX_AGE: &str = "max_age";
/// The prefix of its `state`. If its cookie is lost too, the browser keeps none, and there is no further attempt.
const AGAIN_STATE: &str = "again.";

/// A pending sign-in.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Login {
    /// The `nonce` that the ID token must have.
    pub(super) nonce: String,
    /// The PKCE verifier.
    pub(super) verifier: String,
    /// The page to which it returns.
    pub(super) target: String,
    /// Whether several factors are asked for.
    #[serde(default)]
    pub(super) step_up: bool,
    /// How many seconds ago the user may have signed in.
    #[serde(default)]
    pub(super) max_age: Option<u32>,
    /// Its expiry, in seconds since the epoch.
    until: u64,
}

/// Redirects the browser to the issuer.
pub(super) async fn begin(sessions: &Sessions, query: &str, headers: &HeaderMap) -> Response {
    let parameter = |wanted: &str| form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted);
    let target = sessions.site.target(&parameter("rd").unwrap_or_default().1);
    let mut state = sessions.secret();
    if parameter(AGAIN).is_some() {
        state.insert_str(0, AGAIN_STATE);
    }
    let step_up = parameter(STEP_UP).is_some();
    let max_age = parameter(MAX_AGE).and_then(|(_, seconds)| seconds.parse().ok());
    let (nonce, verifier) = (sessions.secret(), sessions.secret());
    let Some(mut address) = sessions.authorization(&state, &nonce, &verifier).await else {
        return sessions.pages.notice(Notice::SignInUnavailable, headers);
    };
    if step_up {
        address.query_pairs_mut().append_pair("acr_values", &sessions.acr_values);
    }
    if let Some(max_age) = max_age {
        address.query_pairs_mut().append_pair("max_age", &u32::to_string(&max_age));
    }
    let until = seconds(sessions.clock.now() + LOGIN_TIMEOUT);
    let login = Login { nonce, verifier, target, step_up, max_age, until };
    let cookie = sessions.keep(&sessions.login_cookie(&state), &login);
    let others = sessions.make_room(headers, cookie.len());
    with_cookies(redirect(address.as_str()), others.into_iter().chain([cookie]))
}

impl Sessions {
    /// The URL of the authorization request; `None` if the issuer does not answer.
    async fn authorization(&self, state: &str, nonce: &str, verifier: &str) -> Option<Url> {
        let known = self.issuer.get().await.ok()?;
        let mut address = Url::parse(known.metadata.authorization_endpoint.as_deref()?).ok()?;
        if !matches!(address.scheme(), "https" | "http") {
            return None;
        }
        address
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client.id)
            .append_pair("redirect_uri", &self.site.url(CALLBACK))
            .append_pair("scope", &self.client.scopes)
            .append_pair("state", state)
            .append_pair("nonce", nonce)
            .append_pair("code_challenge", &pkce::challenge(verifier))
            .append_pair("code_challenge_method", pkce::Method::S256.as_str());
        Some(address)
    }

    /// The cookie that holds a sign-in.
    fn keep(&self, name: &str, login: &Login) -> HeaderValue {
        let sealed = URL_SAFE_NO_PAD.encode(self.sealer.seal(Purpose::Login(name), login));
        let left = login.until.saturating_sub(seconds(self.clock.now()));
        self.cookies.set_login(name, &sealed, left)
    }

    /// The URL that repeats a sign-in whose cookie is lost, and with it the wanted page. `None` if its `state`, which may be forged, says
    /// that it is a repetition.
    pub(super) fn again(&self, state: &str) -> Option<String> {
        (!state.starts_with(AGAIN_STATE)).then(|| self.site.url(&format!("{LOGIN}?{AGAIN}=1")))
    }

    /// The name of that cookie.
    pub(super) fn login_cookie(&self, state: &str) -> String {
        format!("{}{}", self.cookies.logins(), &digest_of(state)[..22])
    }

    /// The pending sign-in with this `state`, if this browser has begun it.
    pub(super) fn under_way(&self, headers: &HeaderMap, state: &str) -> Option<Login> {
        let name = self.login_cookie(state);
        self.open_login(&name, cookie::one(headers, &name)?)
    }

    fn open_login(&self, name: &str, value: &str) -> Option<Login> {
        let login: Login = self.sealer.open(Purpose::Login(name), &URL_SAFE_NO_PAD.decode(value).ok()?)?;
        (login.until > seconds(self.clock.now())).then_some(login)
    }

    /// Makes room for another sign-in of this size. The oldest ones, which browsers send first (RFC 6265 5.4), lose their page, and
    /// return to the first one; if that is not enough, they are removed.
    fn make_room(&self, headers: &HeaderMap, added: usize) -> Vec<HeaderValue> {
        let prefix = self.cookies.logins();
        let cookies = cookie::all(headers).filter(|(name, _)| name.starts_with(&prefix));
        let mut pending: Vec<_> = cookies
            .map(|(name, value)| PendingCookie { name, value, length: name.len() + value.len(), change: None })
            .collect();
        let mut length = added + pending.iter().map(|one| one.length).sum::<usize>();
        for shorten in [true, false] {
            for one in &mut pending {
                if length <= MAX_COOKIES {
                    break;
                }
                length -= one.length;
                let login = self.open_login(one.name, one.value).filter(|_| shorten);
                let shortened = login.map(|login| self.keep(one.name, &Login { target: self.site.url("/"), ..login }));
                one.length = shortened.as_ref().map_or(0, HeaderValue::len);
                one.change = Some(shortened.unwrap_or_else(|| self.cookies.set_login(one.name, "", 0)));
                length += one.length;
            }
        }
        pending.into_iter().filter_map(|one| one.change).collect()
    }
}

/// The cookie of a pending sign-in.
struct PendingCookie<'a> {
    name: &'a str,
    value: &'a str,
    /// In bytes, after the change.
    length: usize,
    /// The cookie that replaces it.
    change: Option<HeaderValue>,
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
