//! The administration pages over users itself, and a stand-in for idp.

mod access;
mod api;
mod groups;
mod health;
mod invitations;
mod users;

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use ::users::{Change, NewPerson, PersonRef};
use authn::testing::MemoryDirectory;
use authn::{Claim, Directory, Groups, User};
use config::TokenManager;
use proto::doorward::idp::v1::{AccountSession, GetCurrentSessionResponse};
use tempfile::TempDir;
use tonic::body::Body;
use tonic::service::Routes;
use tower::{Service, ServiceExt};

use super::support::{Bench, Browser, SECRET, context};
use crate::administration::Administration;
use crate::self_service::SelfService;
use crate::stub_service::StubService;

/// The pages, where `admin` is an administrator, and `einstein` and `marie` are not.
struct AdminBench {
    bench: Bench,
    users: Vec<User>,
    calls: Calls,
    _folder: TempDir,
}

/// What happens between the pages and users.
#[derive(Clone, Default)]
struct Calls {
    /// The paths of the calls, in their order.
    paths: Arc<Mutex<Vec<String>>>,
    /// What another administrator changes of marie just before the next change of a user arrives at users.
    meanwhile: Arc<Mutex<Option<Change>>>,
}

impl Calls {
    /// Notes a call; returns what is changed before it.
    fn note(&self, path: &str) -> Option<Change> {
        self.paths.lock().expect("no test has panicked").push(path.to_owned());
        let is_change = ["/UpdateUser", "/SetProfile"].iter().any(|method| path.ends_with(method));
        is_change.then(|| self.meanwhile.lock().expect("no test has panicked").take()).flatten()
    }
}

/// users, where another administrator may be faster.
fn interposed(
    routes: Routes,
    administration: Arc<::users::Administration>,
    calls: Calls,
) -> impl Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible, Future: Send> + Clone + Send + Sync
{
    tower::service_fn(move |request: http::Request<Body>| {
        let (routes, administration) = (routes.clone(), Arc::clone(&administration));
        let change = calls.note(request.uri().path());
        async move {
            if let Some(change) = change {
                let marie = PersonRef::Username("marie".to_owned());
                administration.update_person(&marie, change).await.expect("is changed");
            }
            routes.oneshot(request).await
        }
    })
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
        let (calls, sql) = (Calls::default(), opened.administration.clone().expect("a database"));
        let administration = Administration::default().with_users(interposed(routes, sql, calls.clone()));
        let administration = extend(administration, Arc::clone(&opened.directory)).await;
        let services = (SelfService::default(), administration);
        let directories = (MemoryDirectory::new([]), opened.directory);
        let bench = Box::pin(Bench::over(directories, services, has_idp, "")).await;
        let this = Self { bench, users, calls, _folder: folder };
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
