//! What a browser and a client do together, step by step.

use reqwest::header::CONTENT_TYPE;
use reqwest::{Error, RequestBuilder};
use serde_json::Value;
use testkit::{Browser, Landing, authorization_query, code_redemption, note_secret};

use crate::provider::world::{ASKING, CALLBACK, SECRET, World};

/// The authorization endpoint of the issuer that is the site itself.
pub(crate) const AUTHORIZE: &str = "/signin/v1/identifier/_/authorize";
const LOGON: &str = "/signin/v1/identifier/_/logon";
const CONSENT: &str = "/signin/v1/identifier/_/consent";
pub(crate) const TOKEN: &str = "/konnect/v1/token";
const INTROSPECTION: &str = "/konnect/v1/introspect";

/// A response of the token or the introspection endpoint.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OAuthResponse {
    /// The status.
    pub(crate) status: u16,
    /// The answer.
    pub(crate) answer: Value,
}

impl OAuthResponse {
    /// A member of the answer that is text; empty if it is not there.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.answer.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether there are tokens.
    pub(crate) fn is_good(&self) -> bool {
        self.status == 200 && !self.text("access_token").is_empty()
    }

    /// Whether it is the error `invalid_grant` (RFC 6749 5.2).
    pub(crate) fn is_invalid_grant(&self) -> bool {
        self.status == 400 && self.text("error") == "invalid_grant"
    }
}

/// The URL of an authorization request.
pub(crate) fn authorization(base: &str, client: &str) -> String {
    let query = authorization_query(client, CALLBACK, "openid offline_access", &[("state", "of the test")]);
    format!("{base}{AUTHORIZE}?{query}")
}

/// The same place of the provider's, at one of its replicas.
pub(crate) fn at(base: &str, location: &str, issuer: &str) -> String {
    format!("{base}{}", location.strip_prefix(issuer).unwrap_or(location))
}

impl World {
    /// Sends the form with the password.
    pub(crate) async fn log_on(&self, base: &str, browser: &mut Browser, page: &Landing) -> Result<Landing, Error> {
        let (flow, csrf) = (page.field("flow"), page.field("csrf"));
        let form = [("flow", flow), ("csrf", csrf), ("username", "einstein"), ("password", self.password())];
        browser.submit(&format!("{base}{LOGON}"), &self.issuer, &form).await
    }

    /// Sends the form with the consent.
    pub(crate) async fn agree(&self, base: &str, browser: &mut Browser, page: &Landing) -> Result<Landing, Error> {
        let form = [("flow", page.field("flow")), ("csrf", page.field("csrf")), ("decision", "allow")];
        browser.submit(&format!("{base}{CONSENT}"), &self.issuer, &form).await
    }

    /// Submits the pages of the flow in a browser until the client has a code.
    pub(crate) async fn code(&self, browser: &mut Browser, client: &str) -> String {
        self.code_of(browser, client, &authorization(self.base(0), client)).await
    }

    /// The same for a request with this URL, at the first replica.
    pub(crate) async fn code_of(&self, browser: &mut Browser, client: &str, url: &str) -> String {
        let base = self.base(0);
        let mut landing = browser.open(url).await.expect("the provider answers");
        for _ in 0..8 {
            if landing.location.starts_with(CALLBACK) {
                let code = landing.parameter("code").unwrap_or_else(|| panic!("no code: {landing:?}"));
                note_secret(&code);
                return code;
            }
            landing = if !landing.location.is_empty() {
                browser.open(&at(base, &landing.location, &self.issuer)).await
            } else if landing.page.contains("name=\"password\"") {
                self.log_on(base, browser, &landing).await
            } else {
                assert_eq!(client, ASKING, "only this client needs consent: {landing:?}");
                self.agree(base, browser, &landing).await
            }
            .expect("the provider answers");
        }
        panic!("the flow does not end: {landing:?}")
    }

    /// Redeems a code.
    pub(crate) async fn redeem(&self, base: &str, client: &str, code: &str) -> Result<OAuthResponse, Error> {
        self.post(base, TOKEN, client, &code_redemption(code, CALLBACK)).await
    }

    /// Uses a refresh token.
    pub(crate) async fn refresh(&self, base: &str, client: &str, token: &str) -> Result<OAuthResponse, Error> {
        self.post(base, TOKEN, client, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// An access token for a client itself.
    pub(crate) async fn own(&self, base: &str, client: &str) -> Result<OAuthResponse, Error> {
        self.post(base, TOKEN, client, &[("grant_type", "client_credentials")]).await
    }

    /// Whether a token is active, as a replica says.
    pub(crate) async fn is_active(&self, base: &str, client: &str, token: &str) -> bool {
        let response = self.post(base, INTROSPECTION, client, &[("token", token)]).await.expect("the provider answers");
        let active = response.answer.get("active").and_then(Value::as_bool);
        active.unwrap_or_else(|| panic!("introspection says neither: {response:?}"))
    }

    async fn post(&self, base: &str, path: &str, client: &str, form: &[(&str, &str)]) -> Result<OAuthResponse, Error> {
        let request = self.http.post(format!("{base}{path}")).basic_auth(client, Some(SECRET));
        self.send(request, form).await
    }

    /// Sends a form.
    pub(crate) async fn send(&self, request: RequestBuilder, form: &[(&str, &str)]) -> Result<OAuthResponse, Error> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let answer = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body).send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        let response = OAuthResponse { status, answer: serde_json::from_str(&text).unwrap_or_default() };
        assert!(response.answer.is_object(), "neither tokens nor an OAuth error: {status} {text}");
        for name in ["access_token", "refresh_token"] {
            if !response.text(name).is_empty() {
                note_secret(response.text(name));
            }
        }
        Ok(response)
    }
}
