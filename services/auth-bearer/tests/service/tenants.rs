//! Users of tenants.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth_bearer::transport::transport;
use auth_bearer::{AuthProviders, Config, Minting, Oidc};
use authn::testing::{MemoryDirectory, user};
use authn::{AuthError, Directory, Reason, User, UserId};
use oidc::jose::{Algorithm, SigningKey};
use proto::cs3::identity::tenant::v1beta1::{
    GetTenantByClaimRequest, GetTenantByClaimResponse, GetTenantRequest, GetTenantResponse, Tenant,
    tenant_api_server::{TenantApi, TenantApiServer},
};
use serde_json::{Value, json};
use status::Kind;
use token::{KeyRing, Verifier};
use tonic::{Request, Response, Status};

use crate::support::{Provider, Service, key, no_users, sign, with};

const SECRET: &str = "an internal secret of at least 32 bytes";

/// A service with tenants by their external identifiers, which may be away.
#[derive(Clone, Default)]
struct TenantService {
    tenants: Arc<Mutex<BTreeMap<String, String>>>,
    is_away: Arc<Mutex<bool>>,
    calls: Arc<AtomicUsize>,
}

#[async_trait]
impl TenantApi for TenantService {
    async fn get_tenant(&self, _: Request<GetTenantRequest>) -> Result<Response<GetTenantResponse>, Status> {
        Ok(Response::new(GetTenantResponse::default()))
    }

    async fn get_tenant_by_claim(
        &self,
        request: Request<GetTenantByClaimRequest>,
    ) -> Result<Response<GetTenantByClaimResponse>, Status> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if *self.is_away.lock().expect("is not poisoned") {
            return Err(status::grpc(Kind::Unavailable, "the directory is away"));
        }
        let keys = Arc::new(KeyRing::new(&SECRET.into(), None).expect("a secret"));
        let shown =
            request.metadata().get(token::METADATA_KEY).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // a manual clock is far from the time of this machine
        let claims = Verifier::new(keys).verify(std::time::UNIX_EPOCH + Duration::from_hours(500_000), shown);
        assert!(claims.is_ok_and(|claims| claims.user.username == "auth-bearer"), "a token of the service");
        let message = request.into_inner();
        assert_eq!(message.claim, "externalid");
        let found = self.tenants.lock().expect("is not poisoned").get(&message.value).cloned();
        Ok(Response::new(match found {
            Some(id) => GetTenantByClaimResponse {
                status: Some(status::ok()),
                tenant: Some(Tenant { id, external_id: message.value, ..Tenant::default() }),
            },
            None => GetTenantByClaimResponse {
                status: Some(status::failure(Kind::NotFound, "no tenant", "")),
                tenant: None,
            },
        }))
    }
}

struct World {
    signer: SigningKey,
    provider: Provider,
    service: Service,
    tenants: TenantService,
}

impl World {
    /// The service for einstein of the tenant `physics`.
    async fn start(claim: &str, is_external: bool) -> Self {
        let signer = key("k", Algorithm::Es256);
        let provider = Provider::start(&[&signer]).await;
        // userinfo says nothing of tenants, unless a test says otherwise
        provider.tell(Some(json!({ "sub": "4c51" })));
        let tenants = TenantService::default();
        let oidc = Oidc {
            issuer: provider.url.clone(),
            tenant_claim: claim.to_owned(),
            tenant_id_mapping: is_external,
            ..Oidc::default()
        };
        let config = Config {
            auth_providers: AuthProviders { oidc, ..AuthProviders::default() },
            multi_tenant_enabled: true,
            minting: Minting { jwt_secret: SECRET.into(), ..Minting::default() },
            ..Config::default()
        };
        let routes = tonic::service::Routes::new(TenantApiServer::new(tenants.clone()));
        let service = Service::of_config(&config, directory("physics"), transport(routes));
        Self { signer, provider, service, tenants }
    }

    /// The outcome with this value of a claim; null leaves it out.
    async fn outcome(&self, name: &str, value: Value) -> Result<(), AuthError> {
        let claims = self.service.claims(&self.provider.url);
        let claims = if value.is_null() { claims } else { with(claims, name, value) };
        self.service.authenticate(&sign(&self.signer, &claims)).await.map(drop)
    }

    async fn is_refused(&self, name: &str, value: Value) -> bool {
        matches!(self.outcome(name, value).await, Err(AuthError::Refused(Reason::Tenant)))
    }
}

fn directory(tenant: &str) -> Arc<dyn Directory> {
    let id = UserId { opaque_id: "4c51".into(), tenant_id: tenant.to_owned(), ..UserId::default() };
    MemoryDirectory::new([User { id, ..user("einstein") }])
}

/// `docs/security-requirements.md#r22`
#[tokio::test]
async fn token_has_to_name_the_tenant_of_its_user() {
    let world = World::start("tenant", false).await;
    world.outcome("tenant", json!("physics")).await.expect("the same tenant");
    for other in [json!("chemistry"), json!("Physics"), json!(""), json!(["physics"]), json!(7), json!(null), json!({})]
    {
        assert!(world.is_refused("tenant", other.clone()).await, "{other}");
    }
    assert_eq!(world.tenants.calls.load(Ordering::Relaxed), 0, "none is looked up");

    let nested = World::start(r"org\.name.tenant", false).await;
    nested.outcome("org.name", json!({ "tenant": "physics" })).await.expect("the same tenant");
    assert!(nested.is_refused("tenant", json!("physics")).await);
}

/// `docs/security-requirements.md#r22`
#[tokio::test]
async fn user_without_a_tenant_is_of_none() {
    let world = World::start("tenant", false).await;
    let config = Config {
        auth_providers: AuthProviders {
            oidc: Oidc { issuer: world.provider.url.clone(), tenant_claim: "tenant".to_owned(), ..Oidc::default() },
            ..AuthProviders::default()
        },
        multi_tenant_enabled: true,
        ..Config::default()
    };
    let service = Service::of_config(&config, directory(""), no_users());
    for value in ["", "physics"] {
        let token = sign(&world.signer, &with(service.claims(&world.provider.url), "tenant", value));
        assert_eq!(service.refusal(&token).await, Reason::Tenant, "{value:?}");
    }
}

#[tokio::test]
async fn userinfo_is_asked_for_a_tenant_that_a_token_lacks() {
    let world = World::start("tenant", false).await;
    world.provider.tell(Some(json!({ "sub": "4c51", "tenant": "physics" })));
    let token = sign(&world.signer, &world.service.claims(&world.provider.url));
    for _ in 0..3 {
        world.service.authenticate(&token).await.expect("the same tenant");
    }
    assert_eq!(world.provider.userinfos(), 1);
}

/// `docs/security-requirements.md#r22`
#[tokio::test]
async fn external_tenant_is_looked_up_every_ten_minutes() {
    let world = World::start("tenant", true).await;
    let (tenants, calls) = (&world.tenants, || world.tenants.calls.load(Ordering::Relaxed));
    let add = |external: &str, id: &str| {
        tenants.tenants.lock().expect("is not poisoned").insert(external.to_owned(), id.to_owned());
    };
    assert!(world.is_refused("tenant", json!("t1")).await, "it is not known");
    add("t1", "physics");
    add("t2", "chemistry");
    for _ in 0..3 {
        world.outcome("tenant", json!("t1")).await.expect("the tenant of the user");
    }
    assert_eq!(calls(), 2, "that it is not known is not remembered, and the tenant is");
    assert!(world.is_refused("tenant", json!("t2")).await);
    assert!(world.is_refused("tenant", json!("physics")).await, "that is no external identifier");

    *tenants.is_away.lock().expect("is not poisoned") = true;
    world.outcome("tenant", json!("t1")).await.expect("it is remembered");
    let unknown = world.outcome("tenant", json!("t3")).await;
    assert!(matches!(unknown, Err(AuthError::Unavailable { .. })), "{unknown:?}");
}

/// `docs/security-requirements.md#r22`
#[tokio::test]
async fn remembered_tenant_expires_while_the_service_is_away() {
    let world = World::start("tenant", true).await;
    world.tenants.tenants.lock().expect("is not poisoned").insert("t1".to_owned(), "physics".to_owned());
    // for each token the tenant is looked at anew; those made later are valid later
    world.outcome("tenant", json!("t1")).await.expect("the tenant of the user");
    *world.tenants.is_away.lock().expect("is not poisoned") = true;
    world.service.clock.advance(Duration::from_secs(599));
    world.outcome("tenant", json!("t1")).await.expect("it is remembered");
    world.service.clock.advance(Duration::from_secs(1));
    let expired = world.outcome("tenant", json!("t1")).await;
    assert!(matches!(expired, Err(AuthError::Unavailable { .. })), "{expired:?}");
}
