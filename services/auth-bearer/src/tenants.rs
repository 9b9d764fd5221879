//! The tenant that a token names has to be that of its user (`docs/security-requirements.md#r22`).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use authn::{AuthError, Authenticated, BoxError, Reason, User, UserId, UserType};
use bounded_cache::MIB;
use moka::sync::Cache;
use proto::call;
use proto::cs3::identity::tenant::v1beta1::{GetTenantByClaimRequest, GetTenantByClaimResponse};
use runtime::{Clock, Random};
use status::Kind;
use token::{KeyRing, Minter};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Response};

use crate::claims::{Claims, TenantClaim};
use crate::issuer::Issuer;
use crate::transport::Transport;

/// The method of a service with tenants, and that of a gateway, whose messages are the same.
const OF_TENANTS: &str = "/cs3.identity.tenant.v1beta1.TenantAPI/GetTenantByClaim";
const OF_GATEWAY: &str = "/cs3.gateway.v1beta1.GatewayAPI/GetTenantByClaim";
/// The claim by which it finds the identifiers of another system.
const EXTERNAL_ID: &str = "externalid";
/// How long the identifier of a tenant is remembered.
const REMEMBERED_FOR: Duration = Duration::from_mins(10);
/// The bound of the memory for them, in bytes: enough for more than a thousand.
const BOUND: u64 = MIB;
/// The lifetime of the token for one call.
const LIFETIME: Duration = Duration::from_mins(1);

/// Where tenants are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// At the users service.
    Users,
    /// At the gateway of an existing installation.
    Gateway,
}

/// Finds tenants by the identifiers of another system.
pub struct Tenants {
    transport: Transport,
    path: &'static str,
    minter: Minter,
    clock: Clock,
    /// The identifier of a tenant by that of the other system, and when it was found.
    known: Cache<String, (Arc<str>, SystemTime)>,
}

impl Tenants {
    /// Looks tenants up at this service, with tokens that these keys sign.
    pub fn new((transport, service): (Transport, Service), keys: Arc<KeyRing>, clock: Clock, random: Random) -> Self {
        let minter = Minter::new(keys, LIFETIME, true).with_identifiers(move || random.bytes());
        let known = bounded_cache::sync(BOUND).time_to_live(REMEMBERED_FOR).build();
        let path = match service {
            Service::Users => OF_TENANTS,
            Service::Gateway => OF_GATEWAY,
        };
        Self { transport, path, minter, clock, known }
    }

    async fn id_of(&self, external: &str) -> Result<Arc<str>, AuthError> {
        let now = self.clock.now();
        let is_fresh = |(_, found): &(Arc<str>, SystemTime)| *found <= now && now < *found + REMEMBERED_FOR;
        if let Some((id, _)) = self.known.get(external).filter(is_fresh) {
            return Ok(id);
        }
        let response = self.ask(external).await.map_err(unavailable)?;
        let status = response.status.unwrap_or_default();
        match Kind::from_cs3(status.code) {
            None => {}
            Some(Kind::NotFound) => return Err(AuthError::Refused(Reason::Tenant)),
            Some(kind) => return Err(unavailable(format!("the answer is {kind:?}: {}", status.message).into())),
        }
        let tenant = response.tenant.filter(|tenant| !tenant.id.is_empty());
        let id: Arc<str> = tenant.ok_or_else(|| unavailable("the answer has no tenant".into()))?.id.into();
        self.known.insert(external.to_owned(), (Arc::clone(&id), now));
        Ok(id)
    }

    async fn ask(&self, external: &str) -> Result<GetTenantByClaimResponse, BoxError> {
        let mut request =
            Request::new(GetTenantByClaimRequest { claim: EXTERNAL_ID.to_owned(), value: external.to_owned() });
        let mut token = MetadataValue::<Ascii>::try_from(self.minter.mint(self.clock.now(), &service())?)?;
        token.set_sensitive(true);
        request.metadata_mut().insert(token::METADATA_KEY, token);
        let response: Response<_> = call::unary(self.transport.clone(), self.path, request).await?;
        Ok(response.into_inner())
    }
}

/// The user of the calls: a service, which Go services accept with all that a user may do, and with nothing less.
fn service() -> Authenticated {
    let id = UserId { opaque_id: "auth-bearer".to_owned(), kind: UserType::Service, ..UserId::default() };
    Authenticated::full(Arc::new(User { id, username: "auth-bearer".to_owned(), ..User::default() }), "service")
}

fn unavailable(source: BoxError) -> AuthError {
    AuthError::Unavailable { service: "the service with tenants", source }
}

/// Checks that a token names the tenant of its user, at each use: the tenant of a user may change.
///
/// # Errors
/// [`AuthError::Refused`] where it names none or another one; [`AuthError::Unavailable`] where the tenant cannot be looked up.
pub async fn check(tenants: Option<&Tenants>, issuer: &Issuer, claims: &Claims, user: &User) -> Result<(), AuthError> {
    let Some(TenantClaim { path, is_external }) = &issuer.settings.tenant else { return Ok(()) };
    let stated = claims.text(path).ok_or(AuthError::Refused(Reason::Tenant))?;
    let is_same = if *is_external {
        let tenants = tenants.ok_or_else(|| unavailable("there is no secret to call it with".into()))?;
        *tenants.id_of(stated).await? == *user.id.tenant_id
    } else {
        stated == user.id.tenant_id
    };
    if is_same { Ok(()) } else { Err(AuthError::Refused(Reason::Tenant)) }
}
