//! Signing in with a browser at the edge, whose provider is the family's own.

use std::fs;

use doorward::ServiceId;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::{Browser, Landing, Layout, authorization_query, code_redemption, note_secret};

/// Where browsers find a family whose edge has sessions.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// The edge.
    pub edge: String,
    /// The provider.
    pub issuer: String,
    password: String,
}

impl SignIn {
    /// The secret of the clients at the provider.
    pub const CLIENT_SECRET: &str = "k8Zr0wVqT2yN5mXc1bLd7hGf4jPs6aUe";
    /// The cookie of a session at the edge.
    pub const COOKIE: &str = "doorward";

    /// Makes the edge a client of the family's provider. `clients` are lines of YAML for further clients.
    ///
    /// # Panics
    /// When the file of clients cannot be written.
    pub fn configure(layout: &mut Layout, clients: &str) -> Self {
        let (edge, issuer) = (local(layout, "PROXY_HTTP_ADDR"), local(layout, "IDP_HTTP_ADDR"));
        let secret = Self::CLIENT_SECRET;
        let file = format!(
            "clients:\n  - id: edge\n    secret: {secret}\n    trusted: true\n    application_type: native\n    \
             redirect_uris: [\"{edge}/_doorward/callback\"]\n    post_logout_redirect_uris: [\"{edge}/_doorward/logout\"]\n    \
             token_endpoint_auth_method: client_secret_basic\n    access_token_claims: [preferred_username]\n    \
             backchannel_logout_uri: {edge}/_doorward/backchannel_logout\n{clients}"
        );
        let path = layout.folder().join("clients.yaml");
        fs::write(&path, file).expect("the file of clients can be written");
        let bearer = layout.address(ServiceId::AuthBearer).to_string();
        let cookies = "a-secret-for-cookies-of-32-bytes-or-more";
        for secret in [secret, cookies] {
            note_secret(secret);
        }
        for (name, value) in [
            ("IDP_CLIENTS_FILE", path.display().to_string().as_str()),
            ("IDP_ISS", &issuer),
            ("IDP_ALLOW_PRIVATE_ADDRESSES", "true"),
            ("AUTH_BEARER_OIDC_ISSUER", &issuer),
            ("AUTH_BEARER_OIDC_AUDIENCE", "edge"),
            ("AUTH_BEARER_OIDC_AT_JWT_ONLY", "true"),
            ("OCIS_ADD_RUN_SERVICES", "auth-app,auth-bearer"),
            ("GATEWAY_AUTH_BEARER_ENDPOINT", &bearer),
            ("PROXY_OIDC_ISSUER", &issuer),
            ("PROXY_TLS", "false"),
            ("PROXY_URL", &edge),
            ("PROXY_SESSION_CLIENT_ID", "edge"),
            ("PROXY_SESSION_CLIENT_SECRET", secret),
            ("PROXY_SESSION_SECRET", cookies),
        ] {
            layout.set(name, value);
        }
        Self { edge, issuer, password: layout.password.clone() }
    }

    /// Sends einstein's password to the provider, unless this browser is signed in there; where it sends the browser, which is an
    /// address that begins with `back`. `None` if it does not.
    ///
    /// # Panics
    /// When the provider does not answer.
    pub async fn prove(&self, browser: &mut Browser, authorize: &str, back: &str) -> Option<Landing> {
        let begin = browser.open(authorize).await.expect("the provider answers");
        if begin.location.starts_with(back) {
            return Some(begin);
        }
        let landing = log_on(browser, &self.issuer, &begin.location, ("einstein", self.password.as_str())).await?;
        landing.location.starts_with(back).then_some(landing)
    }
}

/// Submits the form of the provider's sign-in page, to which the authorization endpoint redirects. `None` if the page does not ask
/// for a password.
///
/// # Panics
/// When the provider does not answer.
pub async fn log_on(
    browser: &mut Browser,
    issuer: &str,
    page: &str,
    (username, password): (&str, &str),
) -> Option<Landing> {
    let page = format!("{issuer}{}", page.trim_start_matches(issuer));
    let page = browser.open(&page).await.expect("the provider answers");
    if !page.page.contains("name=\"password\"") {
        return None;
    }
    let (flow, csrf) = (page.field("flow"), page.field("csrf"));
    let form = [("flow", flow), ("csrf", csrf), ("username", username), ("password", password)];
    let target = format!("{issuer}/signin/v1/identifier/_/logon");
    Some(browser.submit(&target, issuer, &form).await.expect("the provider answers"))
}

/// Opens a page at the edge as a user who signs in on the way; `site` is the URL of the edge, whose own provider is the issuer.
///
/// # Panics
/// When it does not come to the sign-in, or is not accepted there.
pub async fn signed_in(mut browser: Browser, site: &str, path: &str, who: (&str, &str)) -> Browser {
    const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let sent = browser.request(Method::GET, &format!("{site}{path}"), &[HTML]).await.expect("answers");
    let authorize = browser.open(&sent.location).await.expect("answers");
    let page = browser.open(&authorize.location).await.expect("answers");
    let back = log_on(&mut browser, site, &page.location, who).await.expect("a sign-in page");
    let landed = browser.open(&back.location).await.expect("answers");
    assert_eq!(landed.status, StatusCode::SEE_OTHER, "{landed:?}");
    browser
}

/// An access token of a user that a public client has got from this issuer, which is at the site.
///
/// # Panics
/// When there is none.
pub async fn access_token(
    mut browser: Browser,
    (site, issuer): (&str, &str),
    (client, redirect_uri): (&str, &str),
    who: (&str, &str),
) -> String {
    let metadata = browser.open(&format!("{issuer}/.well-known/openid-configuration")).await.expect("answers");
    let metadata: Value = serde_json::from_str(&metadata.page).expect("JSON");
    let endpoint = |name: &str| metadata[name].as_str().expect("an endpoint").to_owned();
    let query = authorization_query(client, redirect_uri, "openid profile", &[("state", "a-state-of-the-test")]);
    let begin = browser.open(&format!("{}?{query}", endpoint("authorization_endpoint"))).await.expect("answers");
    let back = log_on(&mut browser, site, &begin.location, who).await.expect("a sign-in page");
    let code = back.parameter("code").unwrap_or_else(|| panic!("no code: {back:?}"));
    let form = [&code_redemption(&code, redirect_uri)[..], &[("client_id", client)]].concat();
    let answer = browser.submit(&endpoint("token_endpoint"), site, &form).await.expect("answers");
    let tokens: Value = serde_json::from_str(&answer.page).unwrap_or_else(|_| panic!("no tokens: {answer:?}"));
    let token = tokens["access_token"].as_str().unwrap_or_else(|| panic!("no token: {tokens}")).to_owned();
    note_secret(&token);
    token
}

/// A listener's address, as a browser on this machine has it.
fn local(layout: &Layout, name: &str) -> String {
    let port = layout.variables()[name].rsplit_once(':').expect("an address has a port").1;
    format!("http://localhost:{port}")
}
