//! `X-Multi-Factor-Authentication`: whether the user has signed in with several factors, as the proxy of oCIS tells its services.
//! They rely on the header, so it is `true` where multi-factor authentication is off.

use std::sync::Arc;
use std::time::Duration;

use authn::app_token;
use http::{HeaderName, HeaderValue};
use oidc::jose::UnverifiedJwt;
use runtime::Clock;
use secrecy::ExposeSecret;

use crate::config::{MultiFactor as Settings, SEVERAL};
use crate::credential::Credential;
use crate::request_info::RequestInfo;
use crate::rules::SignInDemand;
use crate::session::Sessions;
use crate::sign_in::SignIn;
use crate::signed_url::SignedUrls;
use crate::verdict::Verdict;

/// The header.
pub const HEADER: HeaderName = HeaderName::from_static("x-multi-factor-authentication");
/// Its only value.
pub const DONE: HeaderValue = HeaderValue::from_static("true");

/// Decides whether the header is set, and whether a sign-in meets the demands of the access rules.
pub struct MultiFactor {
    settings: Settings,
    sessions: Option<Arc<Sessions>>,
    acr_values: Arc<str>,
    /// How far the clocks of issuers may differ.
    leeway: Duration,
    clock: Clock,
}

impl MultiFactor {
    /// Decides by these settings, and by the sign-ins of the sessions.
    pub fn new(settings: &Settings, sessions: Option<Arc<Sessions>>, leeway: Duration, clock: Clock) -> Self {
        Self { settings: settings.clone(), sessions, acr_values: settings.acr_values().into(), leeway, clock }
    }

    /// Whether the user of a request with this verdict has signed in with several factors.
    pub async fn was_done(&self, info: &RequestInfo<'_>, verdict: &Verdict) -> bool {
        if !self.settings.enabled {
            return true;
        }
        // an ended session says nothing about the user of a link
        let is_account = matches!(verdict, Verdict::Allowed(Some(identity)) if identity.link.is_none());
        is_account && self.is_sufficient(info).await
    }

    /// The verdict on a permitted request that demands something of the sign-in, whether or not backends may demand several factors:
    /// `None` if the demand is met (`docs/security-requirements.md#f12`, `#f40`).
    pub(crate) async fn insufficient(&self, info: &RequestInfo<'_>, demand: SignInDemand) -> Option<Verdict> {
        if demand == SignInDemand::default() {
            return None;
        }
        // The session's user need not be that of a signed URL.
        let sign_in = if SignedUrls::is_one(info) { None } else { self.sign_in(info).await };
        let is_enough = sign_in.as_ref().is_some_and(|sign_in| self.is_enough(sign_in));
        let now = self.clock.now();
        let is_recent = |max_age| sign_in.as_ref().is_some_and(|sign_in| sign_in.is_within(max_age, self.leeway, now));
        let acr_values = (demand.multi_factor && !is_enough).then(|| Arc::clone(&self.acr_values));
        let max_age = demand.max_age.filter(|max_age| !is_recent(*max_age));
        if acr_values.is_none() && max_age.is_none() {
            return None;
        }
        let may_step_up = match (Credential::of(info), &self.sessions) {
            // the age is checked with the same leeway when the browser returns, so that only missing factors could make a loop
            (Ok(None), Some(sessions)) if acr_values.is_some() => sessions.may_step_up(info.headers).await,
            (Ok(None), Some(_)) => sign_in.is_some(),
            _ => false,
        };
        Some(Verdict::InsufficientAuthentication { acr_values, max_age, may_step_up })
    }

    async fn is_sufficient(&self, info: &RequestInfo<'_>) -> bool {
        self.sign_in(info).await.is_some_and(|sign_in| self.is_enough(&sign_in))
    }

    /// The sign-in of a request's user, as far as the issuer describes it.
    pub(crate) async fn sign_in(&self, info: &RequestInfo<'_>) -> Option<SignIn> {
        match (Credential::of(info), &self.sessions) {
            (Ok(Some(Credential::Bearer(token))), _) => of_access_token(token.expose_secret()),
            (Ok(None), Some(sessions)) => sessions.sign_in(info.headers).await,
            _ => None,
        }
    }

    fn is_enough(&self, sign_in: &SignIn) -> bool {
        sign_in.acr.as_ref().is_some_and(|acr| self.settings.auth_level_names.contains(acr))
            || sign_in.amr.iter().any(|method| method == SEVERAL)
    }
}

/// The sign-in of an access token. The gateway has accepted the token, so that its signature is not verified again.
fn of_access_token(token: &str) -> Option<SignIn> {
    let is_issuers = !token.starts_with(app_token::PREFIX);
    let jwt = is_issuers.then(|| UnverifiedJwt::parse(token).ok())??;
    Some(SignIn::of(jwt.claims()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn is_enough(claims: &Value) -> bool {
        let settings = Settings { enabled: true, ..::config::defaults() };
        MultiFactor::new(&settings, None, Duration::ZERO, Clock::system())
            .is_enough(&SignIn::of(claims.as_object().expect("claims")))
    }

    #[test]
    fn level_of_the_configuration_or_several_methods_are_enough() {
        assert!(is_enough(&json!({ "acr": "advanced" })));
        assert!(is_enough(&json!({ "acr": "1", "amr": ["pwd", "mfa"] })));
        for claims in [
            json!({}),
            json!({ "acr": "1" }),
            json!({ "acr": ["advanced"] }),
            json!({ "acr": "Advanced" }),
            json!({ "amr": ["pwd"] }),
            json!({ "amr": "mfa" }),
            json!({ "amr": ["advanced"] }),
        ] {
            assert!(!is_enough(&claims), "{claims}");
        }
    }
}
