//! The end of a flow with a second factor: the session begins, or is replaced by one of a higher level.

use authn::Caller;
use axum::http::HeaderValue;
use store::StoreError;
use web::cookie::Lifetime;

use crate::engine::authorize::flow::{Flow, VerifiedPassword};
use crate::engine::factors::Method;
use crate::engine::factors::trusted_device::{self, TRUSTED_FOR};
use crate::engine::provider::Provider;
use crate::engine::replay_guard::{self, Kind};
use crate::engine::sessions::{self, SignedInUser};
use crate::http::issuer::Issuer;
use crate::http::{cookie, device_cookie, new_browser, sign_in};
use crate::model::{Session, time_of};

/// A factor that a user has given.
#[derive(Clone, Copy)]
pub(super) struct GivenFactor<'a> {
    pub(super) user: &'a str,
    /// The session that is replaced; none after a password.
    pub(super) former: Option<&'a Session>,
    pub(super) method: Method,
    /// Whether the user wants the device to be trusted.
    pub(super) trust: bool,
}

/// A flow whose user has given the factor.
pub(super) struct Completion {
    pub(super) flow: Flow,
    pub(super) session: Session,
    pub(super) cookies: Vec<HeaderValue>,
}

/// Why no session begins.
pub(super) enum CompletionError {
    /// The password of the flow has led to a session before. The flow goes back to the sign-in.
    PasswordUsed(Box<Flow>),
    /// The database is unavailable.
    Store(StoreError),
}

impl From<StoreError> for CompletionError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Uses up the password of a flow. Returns whether it was not used before: a flow is a URL, and who finds it in the history of the
/// browser has not given the password (`docs/security-requirements.md#f34`).
async fn use_up(provider: &Provider, flow: &Flow, password: &VerifiedPassword) -> Result<bool, StoreError> {
    let forget_at = time_of(flow.began) + provider.config.lifetimes.interaction;
    let id = password.id.to_string();
    replay_guard::first_time(provider, Kind::VerifiedPassword, &password.user, &id, forget_at).await
}

/// Begins the session that the factor makes possible, and trusts the device if the user wants that.
///
/// # Errors
/// [`CompletionError`].
pub(super) async fn complete(
    issuer: &Issuer,
    flow: Flow,
    factor: GivenFactor<'_>,
    caller: &Caller,
) -> Result<Completion, CompletionError> {
    let Issuer { provider, endpoints, .. } = issuer;
    if let Some(password) = &flow.password
        && !use_up(provider, &flow, password).await?
    {
        return Err(CompletionError::PasswordUsed(Box::new(flow)));
    }
    let GivenFactor { user, former, method, trust } = factor;
    let amr = method.after_password();
    let (flow, begun) = match (former, &flow.password) {
        (Some(former), _) => {
            let begun = sessions::step_up(provider, former, &amr).await?;
            (flow.with_session(former.id, begun.session.id), begun)
        }
        (None, password) => {
            let remember = password.as_ref().is_some_and(|password| password.remember);
            let former = issuer.session().await?;
            let signed_in = SignedInUser { user, amr: &amr, remember };
            let begun = sessions::begin(provider, former.as_ref(), signed_in, caller).await?;
            new_browser::notify(issuer, user, caller);
            sign_in::record(issuer, user, caller, "success");
            (Flow { signed_in: Some(begun.session.id), password: None, ..flow }, begun)
        }
    };
    let mut cookies = sign_in::session_cookies(issuer, &begun).to_vec();
    cookies.push(device_cookie::remember(issuer, user));
    if trust {
        let value = trusted_device::trust(provider, user).await?;
        let lifetime = Lifetime::For(TRUSTED_FOR);
        cookies.push(cookie::private(endpoints, &cookie::trusted_device(endpoints), &value, lifetime));
    }
    Ok(Completion { flow, session: begun.session, cookies })
}
