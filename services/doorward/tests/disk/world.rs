//! The family with a session of each kind, and what changes its stores.

use authn::Scopes;
use doorward::Member;
use proto::cs3::auth::applications::v1beta1::{GenerateAppPasswordRequest, InvalidateAppPasswordRequest};
use reqwest::{Client, Method, StatusCode, header::CONTENT_TYPE};
use testkit::{Browser, Landing, Layout, Mode, TestFamily, is_ok, note_secret};
use tonic::{Request, metadata::MetadataValue};

const SECRET: &str = "k8Zr0wVqT2yN5mXc1bLd7hGf4jPs6aUe";
const COOKIE_SECRET: &str = "a-secret-for-cookies-of-32-bytes-or-more";
/// Where the client is sent back to. No server listens there.
const CALLBACK: &str = "https://rp.example/callback";
/// The pair of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// The services that store something.
const STORES: [&str; 5] = ["USERS", "AUTH_BASIC", "AUTH_APP", "IDP", "PROXY"];

pub(crate) struct World {
    pub(crate) family: TestFamily,
    http: Client,
    /// The edge, as browsers know it.
    own: String,
    issuer: String,
}

impl World {
    pub(crate) async fn start(name: &str) -> Self {
        note_secret(SECRET);
        note_secret(COOKIE_SECRET);
        let mut layout = Layout::new(name, false);
        let local = |name: &str| {
            let port = layout.variables()[name].rsplit_once(':').expect("a port").1;
            format!("http://localhost:{port}")
        };
        let (own, issuer) = (local("PROXY_HTTP_ADDR"), local("IDP_HTTP_ADDR"));
        configure(&mut layout, &own, &issuer);
        let family = TestFamily::start_with(layout, Mode::OneProcess, |context| context).await;
        let http = Client::builder().no_proxy().build().expect("an HTTP client");
        Self { family, http, own, issuer }
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
        let query = [
            ("client_id", "client"),
            ("response_type", "code"),
            ("redirect_uri", CALLBACK),
            ("scope", "openid offline_access"),
            ("state", "of the test"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let authorize = format!("{}/signin/v1/identifier/_/authorize?{query}", self.issuer);
        let landing = self.prove(browser, &authorize, CALLBACK).await.expect("the provider answers");
        let code = landing.parameter("code").unwrap_or_else(|| panic!("no code: {landing:?}"));
        note_secret(&code);
        code
    }

    /// Whether a code brings tokens.
    pub(crate) async fn redeem(&self, code: &str) -> bool {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.http.post(format!("{}/konnect/v1/token", self.issuer)).basic_auth("client", Some(SECRET));
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
        let Ok(asked) = browser.open(&sent.location).await else { return false };
        let callback = format!("{}/_doorward/callback?", self.own);
        let Some(back) = self.prove(browser, &asked.location, &callback).await else { return false };
        let landed = browser.open(&back.location).await.expect("the edge answers");
        browser.cookie("doorward").into_iter().for_each(note_secret);
        landed.status == StatusCode::SEE_OTHER && self.is_signed_in(browser).await
    }

    /// Whether a browser has a session at the edge: it is not sent to sign in.
    pub(crate) async fn is_signed_in(&self, browser: &mut Browser) -> bool {
        self.navigate(browser).await.status != StatusCode::FOUND
    }

    /// Whether the end of a session at the edge is acknowledged.
    pub(crate) async fn sign_out(&self, browser: &mut Browser) -> bool {
        let url = format!("{}/_doorward/logout", self.own);
        let answer = browser.submit(&url, &self.own, &[]).await.expect("the edge answers");
        answer.status == StatusCode::SEE_OTHER
    }

    async fn navigate(&self, browser: &mut Browser) -> Landing {
        let page = format!("{}/page", self.own);
        browser.request(Method::GET, &page, &[("accept", "text/html")]).await.expect("the edge answers")
    }

    /// Sends einstein's password to the provider, unless it asks for none; where it sends the browser `back` to.
    async fn prove(&self, browser: &mut Browser, authorize: &str, back: &str) -> Option<Landing> {
        let begin = browser.open(authorize).await.expect("the provider answers");
        if begin.location.starts_with(back) {
            return Some(begin);
        }
        let page = format!("{}{}", self.issuer, begin.location.trim_start_matches(&self.issuer));
        let page = browser.open(&page).await.expect("the provider answers");
        if !page.page.contains("name=\"password\"") {
            return None;
        }
        let form = [
            ("flow", page.field("flow")),
            ("csrf", page.field("csrf")),
            ("username", "einstein"),
            ("password", &self.family.layout.password),
        ];
        let target = format!("{}/signin/v1/identifier/_/logon", self.issuer);
        let landing = browser.submit(&target, &self.issuer, &form).await.expect("the provider answers");
        landing.location.starts_with(back).then_some(landing)
    }
}

fn configure(layout: &mut Layout, own: &str, issuer: &str) {
    let (clients, routes) = (layout.folder().join("clients.yaml"), layout.folder().join("routes.yaml"));
    let file = format!(
        "clients:\n  - id: edge\n    secret: {SECRET}\n    trusted: true\n    application_type: native\n    \
         redirect_uris: [\"{own}/_doorward/callback\"]\n    post_logout_redirect_uris: [\"{own}/_doorward/logout\"]\n    \
         access_token_claims: [preferred_username]\n  - id: client\n    secret: {SECRET}\n    trusted: true\n    \
         grant_types: [authorization_code, refresh_token]\n    redirect_uris: [{CALLBACK:?}]\n"
    );
    std::fs::write(&clients, file).expect("the file can be written");
    std::fs::write(&routes, "routes:\n  - { path: /, backend: 'http://127.0.0.1:9', timeout_seconds: 1 }\n")
        .expect("the file can be written");
    let bearer = layout.address(Member::AuthBearer).to_string();
    for (name, value) in [
        ("OCIS_LOG_LEVEL", "info"),
        ("IDP_CLIENTS_FILE", clients.display().to_string().as_str()),
        ("IDP_ISS", issuer),
        ("IDP_ALLOW_PRIVATE_ADDRESSES", "true"),
        ("AUTH_BEARER_OIDC_ISSUER", issuer),
        ("AUTH_BEARER_OIDC_AUDIENCE", "edge"),
        ("AUTH_BEARER_OIDC_AT_JWT_ONLY", "true"),
        ("OCIS_ADD_RUN_SERVICES", "auth-app,auth-bearer"),
        ("GATEWAY_AUTH_BEARER_ENDPOINT", &bearer),
        ("PROXY_OIDC_ISSUER", issuer),
        ("PROXY_TLS", "false"),
        ("PROXY_URL", own),
        ("PROXY_ROUTES_FILE", routes.display().to_string().as_str()),
        ("PROXY_SESSION_CLIENT_ID", "edge"),
        ("PROXY_SESSION_CLIENT_SECRET", SECRET),
        ("PROXY_SESSION_SECRET", COOKIE_SECRET),
    ] {
        layout.set(name, value);
    }
}
