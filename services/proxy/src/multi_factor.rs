//! `X-Multi-Factor-Authentication`: whether the user has signed in with several factors, as the proxy of oCIS tells its services.
//! They rely on the header, so it is `true` where multi-factor authentication is off.

use std::sync::Arc;

use authn::app_token;
use http::{HeaderName, HeaderValue};
use oidc::jose::UnverifiedJwt;
use secrecy::ExposeSecret;

use crate::config::{MultiFactor as Settings, SEVERAL};
use crate::credential::Credential;
use crate::request_info::RequestInfo;
use crate::session::Sessions;
use crate::sign_in::SignIn;
use crate::signed_url::SignedUrls;
use crate::verdict::Verdict;

/// The header.
pub const HEADER: HeaderName = HeaderName::from_static("x-multi-factor-authentication");
/// Its only value.
pub const DONE: HeaderValue = HeaderValue::from_static("true");

/// Decides whether the header is set.
pub struct MultiFactor {
    settings: Settings,
    sessions: Option<Arc<Sessions>>,
    acr_values: Arc<str>,
}

impl MultiFactor {
    /// Decides by these settings, and by the sign-ins of the sessions.
    pub fn new(settings: &Settings, sessions: Option<Arc<Sessions>>) -> Self {
        Self { settings: settings.clone(), sessions, acr_values: settings.acr_values().into() }
    }

    /// Whether the user of a request with this verdict has signed in with several factors.
    pub async fn was_done(&self, info: &RequestInfo<'_>, verdict: &Verdict) -> bool {
        if !self.settings.enabled {
            return true;
        }
        if !matches!(verdict, Verdict::Allowed(Some(_))) {
            return false;
        }
        self.is_sufficient(info).await
    }

    /// The verdict on a permitted request that needs several factors, whether or not backends may demand them: `None` if the user
    /// has signed in with them (`docs/security-requirements.md#f12`).
    pub(crate) async fn insufficient(&self, info: &RequestInfo<'_>) -> Option<Verdict> {
        // The session's user need not be that of a signed URL.
        if !SignedUrls::is_one(info) && self.is_sufficient(info).await {
            return None;
        }
        let may_step_up = match (Credential::of(info), &self.sessions) {
            (Ok(None), Some(sessions)) => sessions.may_step_up(info.headers).await,
            _ => false,
        };
        Some(Verdict::InsufficientAuthentication { acr_values: Arc::clone(&self.acr_values), may_step_up })
    }

    async fn is_sufficient(&self, info: &RequestInfo<'_>) -> bool {
        let sign_in = match (Credential::of(info), &self.sessions) {
            (Ok(Some(Credential::Bearer(token))), _) => of_access_token(token.expose_secret()),
            (Ok(None), Some(sessions)) => sessions.sign_in(info.headers).await,
            _ => None,
        };
        sign_in.is_some_and(|sign_in| self.is_enough(&sign_in))
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
        MultiFactor::new(&settings, None).is_enough(&SignIn::of(claims.as_object().expect("claims")))
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
