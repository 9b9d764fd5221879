use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use authn::testing::{MemoryDirectory, user};
use authn::{Authenticated, Authenticator, Credentials, Directory, Grants, User};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use config::{Environment, TokenManager};
use runtime::{Clock, Context};
use secrecy::SecretString;
use serde_json::Value;
use tempfile::TempDir;
use token::{KeyRing, METADATA_KEY, Minter, Verifier};
use tower::ServiceExt;
use web::page::{Assets, Installation};

use super::contract;
use super::fake_idp::FakeIdp;
use crate::administration::Administration;
use crate::form_keys::FormKeys;
use crate::own_account::OwnAccount;
use crate::own_tokens::OwnTokens;
use crate::self_service::SelfService;
use crate::state::{AccountState, Parts};
use crate::{Config, applications, router};

pub(crate) const SECRET: &str = "an-adequate-secret-of-32-bytes-ok";

/// What the pages run in: a clock that stands still, the same for every service of a test.
pub(crate) fn context() -> Context {
    let clock = Clock::manual(UNIX_EPOCH + Duration::from_mins(29_933_253));
    Context { clock, ..Context::new(Environment::default()) }
}

const HOUR: Duration = Duration::from_hours(1);
/// The origin of the pages.
pub(crate) const ORIGIN_OF_PAGES: &str = "https://localhost:9200";

/// The pages, and what is behind them.
pub(crate) struct Bench {
    router: Router,
    minter: Minter,
    pub(crate) directory: Arc<MemoryDirectory>,
    pub(crate) idp: FakeIdp,
    authenticator: Option<Arc<dyn Authenticator>>,
    clock: Clock,
    _folder: TempDir,
}

impl Bench {
    /// The pages with auth-app and idp.
    pub(crate) async fn new() -> Self {
        Self::with(true, "").await
    }

    /// The pages with or without auth-app and idp, and with a file of applications if its text is not empty.
    pub(crate) async fn with(has_services: bool, applications: &str) -> Self {
        let directory = MemoryDirectory::new(["einstein", "marie"].map(user));
        let users: Arc<dyn Directory> = Arc::<MemoryDirectory>::clone(&directory);
        let administration = Administration::default();
        Self::over((directory, users), (SelfService::default(), administration), has_services, applications).await
    }

    /// The pages over these services, where `users` is the directory that the pages have.
    pub(crate) async fn over(
        (directory, users): (Arc<MemoryDirectory>, Arc<dyn Directory>),
        (self_service, administration): (SelfService, Administration),
        has_services: bool,
        applications: &str,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let context = context();
        let clock = context.clock.clone();
        let token_manager = TokenManager { jwt_secret: SECRET.into(), ..TokenManager::default() };
        let auth_app = auth_app::Config {
            token_manager: token_manager.clone(),
            token_key: "the-key-of-the-token-digests-32-bytes".into(),
            database_url: format!("sqlite://{}/auth-app.db", folder.path().display()).into(),
            ..auth_app::Config::default()
        };
        let opened = if has_services {
            Some(auth_app::open(&auth_app, Arc::clone(&users), &context).await.expect("opens"))
        } else {
            None
        };
        let file = folder.path().join("applications.yaml");
        let applications_file = (!applications.is_empty()).then(|| {
            std::fs::write(&file, applications).expect("is written");
            file
        });
        let keys = Arc::new(KeyRing::new(&SecretString::from(SECRET), None).expect("is long enough"));
        let config = Config::default();
        let idp = FakeIdp::new(Verifier::new(Arc::clone(&keys)), clock.clone());
        let assets = Assets::new(config.root(), &config.pages);
        let state = AccountState::new(Parts {
            installation: Installation::new(&config.pages, &assets),
            applications: applications::follow(applications_file.as_deref(), &context).expect("a valid file"),
            verifier: Verifier::new(Arc::clone(&keys)),
            form_keys: FormKeys::new(&token_manager),
            directory: users,
            own_tokens: opened
                .as_ref()
                .map(|opened| OwnTokens::new(auth_app::grpc::own_tokens::serve(opened.own_tokens.clone(), None))),
            own_account: has_services.then(|| OwnAccount::new(idp.server())),
            self_service,
            administration,
            clock: clock.clone(),
            random: context.random.clone(),
            config,
        });
        Self {
            router: Router::new().nest("/account", router(state)),
            minter: Minter::new(keys, HOUR, false),
            directory,
            idp,
            authenticator: opened.map(|opened| opened.authenticator),
            clock,
            _folder: folder,
        }
    }

    /// A browser in which this user has signed in with a password.
    pub(crate) fn browser(&self, name: &str) -> Browser<'_> {
        self.browser_of(user(name))
    }

    /// A browser in which this user of another directory has signed in with a password.
    pub(crate) fn browser_of(&self, user: User) -> Browser<'_> {
        self.proven(&Authenticated::full(Arc::new(user), "pwd"))
    }

    /// A browser in which einstein has signed in by this method, with a credential of these scopes.
    pub(crate) fn restricted(&self, method: &'static str, scopes: &[&str]) -> Browser<'_> {
        let scopes = Grants::parse(scopes.iter().copied()).expect("scopes").to_cs3();
        self.proven(&Authenticated { scopes: scopes.into(), ..Authenticated::full(Arc::new(user("einstein")), method) })
    }

    fn proven(&self, authenticated: &Authenticated) -> Browser<'_> {
        let token = self.minter.mint(self.clock.now(), authenticated).expect("is minted");
        Browser { bench: self, token: Some(token), cookie: None, headers: Vec::new() }
    }

    /// A client that has not passed the edge.
    pub(crate) fn stranger(&self) -> Browser<'_> {
        Browser { bench: self, token: None, cookie: None, headers: Vec::new() }
    }

    /// Whether an app token is accepted with this login name.
    pub(crate) async fn accepts(&self, login: &str, secret: &str) -> bool {
        let credentials = Credentials::new(login, secret);
        let authenticator = self.authenticator.as_ref().expect("there is an auth-app");
        authenticator.authenticate(&credentials).await.is_ok()
    }

    /// Changes what the directory knows of a user.
    pub(crate) fn change(&self, name: &str, change: impl FnOnce(User) -> User) {
        self.directory.put(change(user(name)));
    }
}

/// A browser, with the internal token that the edge would set.
pub(crate) struct Browser<'a> {
    bench: &'a Bench,
    token: Option<String>,
    /// The cookie that the pages have set.
    pub(crate) cookie: Option<String>,
    /// Further headers of all requests.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Browser<'_> {
    pub(crate) async fn get(&mut self, path: &str) -> Reply {
        self.send(Request::get(path), String::new()).await
    }

    /// Sends a form from a page of this origin; an empty one sends no header.
    pub(crate) async fn post_from(&mut self, origin: &str, path: &str, form: &[(&str, &str)]) -> Reply {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if !origin.is_empty() {
            request = request.header(ORIGIN, origin);
        }
        self.send(request, body).await
    }

    /// Sends a form from a page of ours.
    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Reply {
        self.post_from(ORIGIN_OF_PAGES, path, form).await
    }

    /// Makes a token with full access by the form; returns the page that shows it.
    pub(crate) async fn create(&mut self, label: &str) -> Reply {
        let form = self.get("/account/tokens").await;
        let csrf = form.field("csrf", 1);
        self.post("/account/tokens", &[("csrf", &csrf), ("label", label), ("expiry", "30"), ("access", "user")]).await
    }

    /// Sends a request of the API, with this object as its body. The response has to be as the OpenAPI document describes it.
    pub(crate) async fn call(&mut self, method: Method, path: &str, body: &Value) -> Reply {
        let request = Request::builder().method(method.clone()).uri(path).header(CONTENT_TYPE, "application/json");
        let reply = self.send(request, body.to_string()).await;
        contract::check(&method, path, &reply);
        reply
    }

    /// The same by GET.
    pub(crate) async fn read(&mut self, path: &str) -> Reply {
        let reply = self.get(path).await;
        contract::check(&Method::GET, path, &reply);
        reply
    }

    /// The same by DELETE, without a body.
    pub(crate) async fn delete(&mut self, path: &str) -> Reply {
        let reply = self.send(Request::delete(path), String::new()).await;
        contract::check(&Method::DELETE, path, &reply);
        reply
    }

    pub(crate) async fn send(&mut self, mut request: axum::http::request::Builder, body: String) -> Reply {
        if let Some(token) = &self.token {
            request = request.header(METADATA_KEY, token);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let request = request.body(Body::from(body)).expect("a request");
        let response = self.bench.router.clone().oneshot(request).await.expect("is answered");
        let (status, headers) = (response.status(), response.headers().clone());
        if let Some(set) = headers.get(SET_COOKIE).and_then(|value| value.to_str().ok()) {
            self.cookie = set.split(';').next().map(str::to_owned);
        }
        let body = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
        Reply { status, headers, page: String::from_utf8(body.to_vec()).expect("UTF-8") }
    }
}

/// A response.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) page: String,
}

impl Reply {
    /// The value of the hidden field with this name, by its number from the end of the page, which is 1 for the last one.
    #[track_caller]
    pub(crate) fn field(&self, name: &str, from_end: usize) -> String {
        let fields: Vec<_> = self.page.split(&format!("name=\"{name}\" value=\"")).skip(1).collect();
        let field = fields.len().checked_sub(from_end).and_then(|at| fields.get(at));
        field.and_then(|rest| rest.split('"').next()).expect("the page has the field").to_owned()
    }

    /// The app token that the page shows.
    #[track_caller]
    pub(crate) fn secret(&self) -> String {
        let (_, rest) = self.page.split_once("id=\"secret\">").expect("the page shows a token");
        rest.split('<').next().expect("a text").to_owned()
    }

    /// The body, which is JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.page).unwrap_or_else(|error| panic!("{error}: {}", self.page))
    }

    pub(crate) fn location(&self) -> &str {
        self.headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
