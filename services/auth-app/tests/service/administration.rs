//! `AppTokensAPI`, as administrators use it.

use std::sync::Arc;

use crate::support::HOUR;
use auth_app::Config;
use authn::testing::{MemoryDirectory, user};
use authn::{Authenticated, Directory, User, amr, role};
use config::{Environment, TokenManager};
use proto::doorward::apptokens::v1::{
    CreateOwnTokenRequest, CreateTokenRequest, GetTokenRequest, ListTokensRequest, PersonRef, PruneTokensRequest,
    RevokeTokenRequest, RevokeTokensRequest, SearchTokensRequest, app_tokens_api_client::AppTokensApiClient,
    own_tokens_api_client::OwnTokensApiClient, person_ref::By,
};
use runtime::Context;
use secrecy::SecretString;
use store::testing::TestDatabase;
use token::{KeyRing, METADATA_KEY, Minter};
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};

const SECRET: &str = "an-adequate-secret-of-32-bytes-ok";

struct World {
    routes: Routes,
    minter: Minter,
    context: Context,
    _database: TestDatabase,
}

impl World {
    async fn new() -> Self {
        let (database, context) = (store::testing::database(), Context::new(Environment::default()));
        let config = Config {
            token_manager: TokenManager { jwt_secret: SECRET.into(), ..TokenManager::default() },
            token_key: crate::support::KEY.into(),
            database_url: database.url().into(),
            ..Config::default()
        };
        let directory: Arc<dyn Directory> = MemoryDirectory::new(["einstein", "marie"].map(user));
        let opened = auth_app::open(&config, directory, &context).await.expect("opens");
        let keys = Arc::new(KeyRing::new(&SecretString::from(SECRET), None).expect("is long enough"));
        let minter = Minter::new(keys, HOUR, false);
        Self { routes: auth_app::app(&opened).grpc.expect("gRPC"), minter, context, _database: database }
    }

    fn api(&self) -> AppTokensApiClient<Routes> {
        AppTokensApiClient::new(self.routes.clone())
    }

    /// A request of a user who has proven it by this method.
    fn by<T>(&self, user: User, method: &'static str, message: T) -> Request<T> {
        let authenticated = Authenticated::full(Arc::new(user), method);
        let token = self.minter.mint(self.context.clock.now(), &authenticated).expect("mints");
        let mut request = Request::new(message);
        request.metadata_mut().insert(METADATA_KEY, token.parse().expect("is ASCII"));
        request
    }

    fn by_admin<T>(&self, message: T) -> Request<T> {
        self.by(admin(), "pwd", message)
    }

    /// Makes a token of this user; returns its identifier.
    async fn token(&self, name: &str, label: &str) -> String {
        let scopes = vec!["user".to_owned()];
        let message = CreateOwnTokenRequest { label: label.to_owned(), scopes, life: None };
        let mut own = OwnTokensApiClient::new(self.routes.clone());
        let made = own.create_own_token(self.by(user(name), "pwd", message)).await.expect("is made").into_inner();
        made.token.expect("a token").id
    }

    async fn search(&self, request: SearchTokensRequest) -> Vec<String> {
        let found = self.api().search_tokens(self.by_admin(request)).await.expect("searches").into_inner();
        found.tokens.into_iter().map(|token| token.label).collect()
    }
}

fn admin() -> User {
    User { roles: vec![role::ADMIN.to_owned()], ..user("admin") }
}

fn named(name: &str) -> PersonRef {
    PersonRef { by: Some(By::Username(name.to_owned())) }
}

fn code<T>(answer: Result<Response<T>, Status>) -> Option<Code> {
    answer.err().map(|status| status.code())
}

/// Row [N40](../../../../docs/security-requirements.md#n40).
#[tokio::test]
async fn administrators_see_and_revoke_tokens_of_all_users_and_others_do_not() {
    let world = World::new().await;
    let (phone, laptop) = (world.token("einstein", "phone").await, world.token("einstein", "laptop").await);
    world.token("marie", "tablet").await;
    let refused = Some(Code::PermissionDenied);
    for (caller, method) in [(user("marie"), "pwd"), (admin(), amr::APP), (admin(), amr::MACHINE)] {
        let mut api = world.api();
        let search = SearchTokensRequest::default();
        assert_eq!(code(api.search_tokens(world.by(caller.clone(), method, search)).await), refused, "{method}");
        let list = ListTokensRequest { owner: Some(named("einstein")), ..ListTokensRequest::default() };
        assert_eq!(code(api.list_tokens(world.by(caller.clone(), method, list)).await), refused, "{method}");
        let get = GetTokenRequest { id: phone.clone() };
        assert_eq!(code(api.get_token(world.by(caller.clone(), method, get)).await), refused, "{method}");
        let revoke = RevokeTokenRequest { token: phone.clone() };
        assert_eq!(code(api.revoke_token(world.by(caller.clone(), method, revoke)).await), refused, "{method}");
        let all = RevokeTokensRequest { owner: Some(named("einstein")) };
        assert_eq!(code(api.revoke_tokens(world.by(caller, method, all)).await), refused, "{method}");
    }
    let mut found = world.search(SearchTokensRequest::default()).await;
    found.sort();
    assert_eq!(found, ["laptop", "phone", "tablet"]);
    let of_marie = SearchTokensRequest { owner: Some(named("marie")), ..SearchTokensRequest::default() };
    assert_eq!(world.search(of_marie).await, ["tablet"]);
    let labelled = SearchTokensRequest { label: "PHO".to_owned(), ..SearchTokensRequest::default() };
    assert_eq!(world.search(labelled).await, ["phone"]);
    let nobody = SearchTokensRequest { owner: Some(named("nobody")), ..SearchTokensRequest::default() };
    assert_eq!(code(world.api().search_tokens(world.by_admin(nobody)).await), Some(Code::NotFound));
    let junk = SearchTokensRequest { page_token: "x".to_owned(), ..SearchTokensRequest::default() };
    assert_eq!(code(world.api().search_tokens(world.by_admin(junk)).await), Some(Code::InvalidArgument));

    let revoke = RevokeTokenRequest { token: laptop };
    world.api().revoke_token(world.by_admin(revoke)).await.expect("is revoked");
    let all = RevokeTokensRequest { owner: Some(named("einstein")) };
    let revoked = world.api().revoke_tokens(world.by_admin(all)).await.expect("are revoked").into_inner();
    assert_eq!((revoked.count, world.search(SearchTokensRequest::default()).await), (1, vec!["tablet".to_owned()]));
}

/// Row [N40](../../../../docs/security-requirements.md#n40).
#[tokio::test]
async fn administrator_makes_no_token_without_impersonation() {
    let world = World::new().await;
    let create = CreateTokenRequest { owner: Some(named("marie")), label: "x".to_owned(), ..Default::default() };
    assert_eq!(code(world.api().create_token(world.by_admin(create)).await), Some(Code::PermissionDenied));
    let prune = world.api().prune_tokens(world.by_admin(PruneTokensRequest {})).await;
    assert_eq!(code(prune), Some(Code::PermissionDenied));
}
