//! The family with a session of each kind, and what changes its stores.

use authn::Scopes;
use proto::cs3::auth::applications::v1beta1::{GenerateAppPasswordRequest, InvalidateAppPasswordRequest};
use reqwest::{Client, Method, StatusCode, header::CONTENT_TYPE};
use testkit::{
    Browser, Landing, Layout, Mode, SignIn, TestFamily, authorization_query, code_redemption, is_ok, note_secret,
};
use tonic::{Request, metadata::MetadataValue};

/// Where the client is sent back to. No server listens there.
const CALLBACK: &str = "https://rp.example/callback";
/// The services that store something.
const STORES: [&str; 5] = ["USERS", "AUTH_BASIC", "AUTH_APP", "IDP", "PROXY"];

pub(crate) struct World {
    pub(crate) family: TestFamily,
    http: Client,
    site: SignIn,
}

impl World {
    pub(crate) async fn start(mut layout: Layout) -> Self {
        let secret = SignIn::CLIENT_SECRET;
        let client = format!(
            "  - id: client\n    secret: {secret}\n    trusted: true\n    grant_types: [authorization_code, refresh_token]\n    \
             redirect_uris: [{CALLBACK:?}]\n"
        );
        let site = SignIn::configure(&mut layout, &client);
        let routes = layout.folder().join("routes.yaml");
        std::fs::write(&routes, "routes:\n  - { path: /, backend: 'http://127.0.0.1:9', timeout_seconds: 1 }\n")
            .expect("the file can be written");
        layout.set("PROXY_ROUTES_FILE", &routes.display().to_string());
        layout.set("OCIS_LOG_LEVEL", "info");
        let family = TestFamily::start_with(layout, Mode::OneProcess, |context| context).await;
        let http = Client::builder().no_proxy().build().expect("an HTTP client");
        Self { family, http, site }
    }

    /// What each of [`STORES`] says of its readiness.
    pub(crate) async fn readiness(&self) -> [u16; 5] {
        let mut found = [0; 5];
        for (place, prefix) in found.iter_mut().zip(STORES) {
            let address = &self.family.layout.variables()[&format!("{prefix}_DEBUG_ADDR")];
            let answer = self.http.get(format!("http://{address}/readyz")).send().await.expect("it answers");
            *place = answer.status().as_u16();
        }
        found
    }

    /// Whether an operator's command succeeds.
    pub(crate) async fn command(&self, arguments: &[&str], input: &str) -> bool {
        self.family.command(arguments, input).await.code == 0
    }

    /// An app token of einstein's, if it is acknowledged.
    pub(crate) async fn create_token(&self) -> Option<String> {
        let (token_scope, label) = ((&Scopes::full_user()).into(), "disk".to_owned());
        let wish = GenerateAppPasswordRequest { token_scope, label, ..GenerateAppPasswordRequest::default() };
        let answer = self.family.gateway().generate_app_password(self.by_einstein(wish).await).await.ok()?.into_inner();
        let made = is_ok(answer.status.as_ref()).then_some(answer.app_password)??.password;
        note_secret(&made);
        Some(made)
    }

    /// Whether the revocation of a token is acknowledged.
    pub(crate) async fn revoke_token(&self, token: &str) -> bool {
        let which =
            InvalidateAppPasswordRequest { password: token.to_owned(), ..InvalidateAppPasswordRequest::default() };
        let answer = self.family.gateway().invalidate_app_password(self.by_einstein(which).await).await;
        answer.is_ok_and(|answer| is_ok(answer.into_inner().status.as_ref()))
    }

    async fn by_einstein<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let token = MetadataValue::try_from(self.family.token_of("einstein").await).expect("a token is ASCII");
        request.metadata_mut().insert(token::METADATA_KEY, token);
        request
    }

    /// A code of the client, for einstein, who signs in at the provider unless this browser has a session there.
    pub(crate) async fn code(&self, browser: &mut Browser) -> String {
        let state = [("state", "of the test")];
        let query = authorization_query("client", CALLBACK, "openid offline_access", &state);
        let authorize = format!("{}/signin/v1/identifier/_/authorize?{query}", self.site.issuer);
        let landing = self.site.prove(browser, &authorize, CALLBACK).await.expect("the provider answers");
        let code = landing.parameter("code").unwrap_or_else(|| panic!("no code: {landing:?}"));
        note_secret(&code);
        code
    }

    /// Whether a code brings tokens.
    pub(crate) async fn redeem(&self, code: &str) -> bool {
        let form = code_redemption(code, CALLBACK);
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self
            .http
            .post(format!("{}/konnect/v1/token", self.site.issuer))
            .basic_auth("client", Some(SignIn::CLIENT_SECRET));
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        let answer = request.send().await.expect("the provider answers");
        let is_good = answer.status().is_success();
        let text = answer.text().await.expect("a text");
        for part in text.split('"').filter(|part| part.len() > 40) {
            note_secret(part);
        }
        is_good
    }

    /// Whether einstein is signed in at the edge.
    pub(crate) async fn sign_in(&self, browser: &mut Browser) -> bool {
        let sent = self.navigate(browser).await;
        let Ok(authorize) = browser.open(&sent.location).await else { return false };
        let callback = format!("{}/_doorward/callback?", self.site.edge);
        let Some(back) = self.site.prove(browser, &authorize.location, &callback).await else { return false };
        let landed = browser.open(&back.location).await.expect("the edge answers");
        browser.cookie(SignIn::COOKIE).into_iter().for_each(note_secret);
        landed.status == StatusCode::SEE_OTHER && self.is_signed_in(browser).await
    }

    /// Whether a browser has a session at the edge: it is not sent to sign in.
    pub(crate) async fn is_signed_in(&self, browser: &mut Browser) -> bool {
        self.navigate(browser).await.status != StatusCode::FOUND
    }

    /// Whether the end of a session at the edge is acknowledged.
    pub(crate) async fn sign_out(&self, browser: &mut Browser) -> bool {
        let url = format!("{}/_doorward/logout", self.site.edge);
        let answer = browser.submit(&url, &self.site.edge, &[]).await.expect("the edge answers");
        answer.status == StatusCode::SEE_OTHER
    }

    async fn navigate(&self, browser: &mut Browser) -> Landing {
        let page = format!("{}/page", self.site.edge);
        browser.request(Method::GET, &page, &[("accept", "text/html")]).await.expect("the edge answers")
    }
}
