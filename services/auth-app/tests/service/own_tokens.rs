//! `OwnTokensAPI`, as the account pages use it.

use std::sync::Arc;

use crate::support::{Fixture, HOUR, text};
use auth_app::grpc::own_tokens::Api;
use authn::testing::user;
use authn::{Authenticated, Grants};
use proto::doorward::apptokens::v1::{
    CreateOwnTokenRequest, CreateTokenResponse, GetTokenPolicyRequest, ListOwnTokensRequest, RevokeOwnTokenRequest,
    RevokeOwnTokensRequest, Token, create_own_token_request::Life, own_tokens_api_server::OwnTokensApi,
};
use secrecy::SecretString;
use token::{KeyRing, METADATA_KEY, Minter, Verifier};
use tonic::{Code, Request, Status};

struct World {
    fixture: Fixture,
    api: Api,
    minter: Minter,
}

impl World {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        let secret = SecretString::from("an-adequate-secret-of-32-bytes-ok");
        let keys = Arc::new(KeyRing::new(&secret, None).expect("is long enough"));
        let minter = Minter::new(Arc::clone(&keys), HOUR, false);
        let api = Api::new(Arc::clone(&fixture.applications), Verifier::new(keys), fixture.clock.clone());
        Self { fixture, api, minter }
    }

    /// A request of a user with a password.
    fn by<T>(&self, name: &str, message: T) -> Request<T> {
        self.proven(&Authenticated::full(Arc::new(user(name)), "pwd"), message)
    }

    fn proven<T>(&self, authenticated: &Authenticated, message: T) -> Request<T> {
        let token = self.minter.mint(self.fixture.clock.now(), authenticated).expect("mints");
        let mut request = Request::new(message);
        request.metadata_mut().insert(METADATA_KEY, token.parse().expect("is ASCII"));
        request
    }

    async fn create(&self, name: &str, message: CreateOwnTokenRequest) -> Result<CreateTokenResponse, Status> {
        Ok(self.api.create_own_token(self.by(name, message)).await?.into_inner())
    }

    async fn list(&self, name: &str, request: ListOwnTokensRequest) -> (Vec<Token>, String) {
        let listed = self.api.list_own_tokens(self.by(name, request)).await.expect("answers").into_inner();
        (listed.tokens, listed.next_page_token)
    }
}

fn request(scopes: &[&str], life: Option<Life>) -> CreateOwnTokenRequest {
    let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
    CreateOwnTokenRequest { label: "phone".to_owned(), scopes, life }
}

/// Row [A24](../../../../docs/security-requirements.md#a24).
#[tokio::test]
async fn own_tokens_are_those_of_the_internal_token() {
    let world = World::new().await;
    let created = world.create("einstein", request(&["user"], Some(Life::ExpiresIn(3600)))).await.expect("is allowed");
    let token = created.token.expect("a token");
    let secret = SecretString::from(created.secret);
    assert_eq!((&*token.owner_id, token.expires), ("id-of-einstein", Some(token.created + 3600)));
    assert_eq!(world.list("einstein", ListOwnTokensRequest::default()).await.0.len(), 1);
    assert!(world.list("marie", ListOwnTokensRequest::default()).await.0.is_empty());

    let by_marie = |id: &str| world.by("marie", RevokeOwnTokenRequest { id: id.to_owned() });
    for id in [&*token.id, text(&secret), "junk", ""] {
        let refused = world.api.revoke_own_token(by_marie(id)).await.expect_err("is not hers");
        assert_eq!(refused.code(), Code::NotFound);
    }
    let revoked = world.api.revoke_own_tokens(world.by("marie", RevokeOwnTokensRequest {})).await.expect("has none");
    assert_eq!(revoked.into_inner().count, 0);
    assert_eq!(world.list("einstein", ListOwnTokensRequest::default()).await.0.len(), 1, "still valid");

    let by_its_secret = RevokeOwnTokenRequest { id: text(&secret).to_owned() };
    let refused = world.api.revoke_own_token(world.by("einstein", by_its_secret)).await.expect_err("an id alone");
    assert_eq!(refused.code(), Code::NotFound);
    let revoke = RevokeOwnTokenRequest { id: token.id.clone() };
    let revoked = world.api.revoke_own_token(world.by("einstein", revoke)).await.expect("is his");
    assert_eq!(revoked.into_inner().id, token.id);
    assert!(world.list("einstein", ListOwnTokensRequest::default()).await.0.is_empty());
}

/// Row [A9](../../../../docs/security-requirements.md#a9).
#[tokio::test]
async fn app_tokens_need_a_scope_and_nothing_works_without_an_internal_token() {
    let world = World::new().await;
    let with_app_token = Authenticated::full(Arc::new(user("einstein")), "app");
    let refused = world.api.list_own_tokens(world.proven(&with_app_token, ListOwnTokensRequest::default())).await;
    assert_eq!(refused.expect_err("needs tokens:read").code(), Code::PermissionDenied);
    let request_for_all = request(&["user"], None);
    let refused = world.api.create_own_token(world.proven(&with_app_token, request_for_all.clone())).await;
    assert_eq!(refused.expect_err("needs tokens:write").code(), Code::PermissionDenied);
    let scopes = Grants::parse(["tokens:read"]).expect("a scope").to_cs3();
    let reader = Authenticated { scopes: scopes.into(), ..with_app_token };
    assert!(world.api.list_own_tokens(world.proven(&reader, ListOwnTokensRequest::default())).await.is_ok());
    let refused = world.api.revoke_own_tokens(world.proven(&reader, RevokeOwnTokensRequest {})).await;
    assert_eq!(refused.expect_err("only reads").code(), Code::PermissionDenied);

    let refused = world.api.get_token_policy(Request::new(GetTokenPolicyRequest {})).await;
    assert_eq!(refused.expect_err("has no token").code(), Code::Unauthenticated);
    let refused = world.api.create_own_token(Request::new(request_for_all)).await;
    assert_eq!(refused.expect_err("has no token").code(), Code::Unauthenticated);
}

#[tokio::test]
async fn policy_is_told_and_held() {
    let world = World::new().await;
    let policy = world.api.get_token_policy(world.by("einstein", GetTokenPolicyRequest {})).await.expect("answers");
    let policy = policy.into_inner();
    assert_eq!((policy.default_lifetime, policy.longest_lifetime), (72 * 3600, 8760 * 3600));
    assert_eq!((policy.allows_never, policy.most_tokens, policy.scope_kinds.len()), (false, 100, 5));
    let usual = world.create("einstein", request(&["user"], None)).await.expect("is allowed").token.expect("a token");
    assert_eq!(usual.expires, Some(usual.created + policy.default_lifetime));
    for (scopes, life) in [
        (&["user"][..], Some(Life::ExpiresIn(policy.longest_lifetime + 1))),
        (&["user"], Some(Life::ExpiresIn(0))),
        (&["user"], Some(Life::ExpiresIn(-1))),
        (&["user"], Some(Life::Never(true))),
        (&[], None),
        (&["everything"], None),
    ] {
        let refused = world.create("einstein", request(scopes, life)).await.expect_err("is refused");
        assert_eq!(refused.code(), Code::InvalidArgument, "{scopes:?} {life:?}");
    }
}

#[tokio::test]
async fn list_has_pages() {
    let world = World::new().await;
    for _ in 0..3 {
        world.create("einstein", request(&["profile"], None)).await.expect("is allowed");
    }
    let page = |after: &str| ListOwnTokensRequest { page_size: 2, page_token: after.to_owned() };
    let (first, next) = world.list("einstein", page("")).await;
    assert_eq!((first.len(), &next), (2, &first[1].id));
    let (rest, end) = world.list("einstein", page(&next)).await;
    assert_eq!((rest.len(), &*end), (1, ""));
    let refused = world.api.list_own_tokens(world.by("einstein", page("junk"))).await.expect_err("is no token");
    assert_eq!(refused.code(), Code::InvalidArgument);
}
