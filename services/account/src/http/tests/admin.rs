//! The administration pages over users itself, and a stand-in for idp.

mod access;
mod api;
mod groups;
mod health;
mod invitations;
mod users;

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use ::users::NewPerson;
use authn::testing::MemoryDirectory;
use authn::{Claim, Directory, Groups, User};
use config::TokenManager;
use proto::doorward::idp::v1::{AccountSession, GetCurrentSessionResponse};
use tempfile::TempDir;

use super::support::{Bench, Browser, SECRET, context};
use crate::administration::Administration;
use crate::self_service::SelfService;
use crate::stub_service::StubService;

/// The pages, where `admin` is an administrator, and `einstein` and `marie` are not.
struct AdminBench {
    bench: Bench,
    users: Vec<User>,
    _folder: TempDir,
}

impl AdminBench {
    async fn new() -> Self {
        Self::with(async |administration, _| administration).await
    }

    /// The pages with what `extend` adds to users, whose directory it gets.
    async fn with(extend: impl AsyncFnOnce(Administration, Arc<dyn Directory>) -> Administration) -> Self {
        Self::build(extend, true).await
    }

    async fn build(
        extend: impl AsyncFnOnce(Administration, Arc<dyn Directory>) -> Administration,
        has_idp: bool,
    ) -> Self {
        let (folder, context) = (tempfile::tempdir().expect("a folder"), context());
        let config = ::users::Config {
            database_url: format!("sqlite://{}/users.db", folder.path().display()).into(),
            token_manager: TokenManager { jwt_secret: SECRET.into(), ..TokenManager::default() },
            ..::users::Config::default()
        };
        let opened = ::users::open(&config, &context).await.expect("opens");
        let mut users = Vec::new();
        for (name, roles) in [("admin", &["admin"][..]), ("einstein", &["user"]), ("marie", &[])] {
            let new = NewPerson {
                username: name.to_owned(),
                display_name: name.to_uppercase(),
                roles: roles.iter().map(|&role| role.to_owned()).collect(),
                ..NewPerson::default()
            };
            opened.administration.as_ref().expect("a database").create_person(new).await.expect("is created");
            let claim = Claim::Username(name.to_owned());
            let user = opened.directory.user_by_claim(&claim, Groups::Skip).await.expect("is there");
            users.push(User::clone(&*user));
        }
        let routes = ::users::app(&opened, &config, &context).expect("is built").grpc.expect("gRPC");
        let administration = Administration::default().with_users(routes);
        let administration = extend(administration, Arc::clone(&opened.directory)).await;
        let services = (SelfService::default(), administration);
        let directories = (MemoryDirectory::new([]), opened.directory);
        let bench = Box::pin(Bench::over(directories, services, has_idp, "")).await;
        let this = Self { bench, users, _folder: folder };
        this.signed_in(Duration::ZERO, "1", false);
        this
    }

    /// The pages with auth-basic, auth-app and idp, for all of which there is one stand-in.
    async fn with_stub() -> (Self, StubService) {
        let stub = StubService::default();
        // every user has a password
        stub.known().answers.insert("HasPassword", b"\x08\x01");
        let service = stub.clone();
        let bench = Self::with(async move |administration, _| {
            administration.with_auth_basic(service.clone()).with_auth_app(service.clone()).with_idp(service)
        });
        (bench.await, stub)
    }

    /// The pages with a stand-in for auth-basic and auth-app, where no idp runs.
    async fn without_idp() -> Self {
        let stub = StubService::default();
        stub.known().answers.insert("HasPassword", b"\x08\x01");
        let extend = async |administration: Administration, _: Arc<dyn Directory>| {
            administration.with_auth_basic(stub.clone()).with_auth_app(stub.clone())
        };
        Self::build(extend, false).await
    }

    fn user(&self, name: &str) -> User {
        self.users.iter().find(|user| user.username == name).expect("there is such a user").clone()
    }

    /// The path of a user's page.
    fn path_of(&self, name: &str, below: &str) -> String {
        format!("/account/admin/users/{}{below}", self.user(name).id.opaque_id)
    }

    fn browser(&self, name: &str) -> Browser<'_> {
        self.bench.browser_of(self.user(name))
    }

    /// idp says that every user has signed in so long ago, at this level, with or without a second factor enrolled.
    fn signed_in(&self, ago: Duration, acr: &str, second_factor_enrolled: bool) {
        let now = context().clock.now().duration_since(UNIX_EPOCH).expect("after 1970");
        self.bench.idp.lists().current = GetCurrentSessionResponse {
            session: Some(AccountSession::default()),
            signed_in: i64::try_from(now.saturating_sub(ago).as_secs()).expect("a time"),
            acr: acr.to_owned(),
            amr: if acr == "1" { vec!["pwd".to_owned()] } else { vec!["mfa".to_owned()] },
            second_factor_enrolled,
        };
    }
}
