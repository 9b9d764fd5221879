//! `TenantAPI` over an LDAP server.

use authn::{Access, DirectoryError, UserType, caller::trace_id, causes};
use ldap::TenantKey;
use proto::cs3::identity::tenant::v1beta1::{
    GetTenantByClaimRequest, GetTenantByClaimResponse, GetTenantRequest, GetTenantResponse, Tenant,
    tenant_api_server::{TenantApi, TenantApiServer},
};
use proto::cs3::rpc::v1beta1::Status as Cs3Status;
use status::Kind;
use tonic::{Request, Response, Status, metadata::MetadataMap};

use super::{Authority, GrpcResult, REQUEST_LIMIT};

/// Serves the tenants of this directory to services.
pub(crate) fn serve(tenants: Tenants, limit: Option<usize>) -> TenantApiServer<impl TenantApi> {
    TenantApiServer::new(tenants).max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
}

/// Tenants, and where they are.
pub(crate) struct Tenants {
    pub(crate) directory: ldap::Directory,
    pub(crate) settings: ldap::Tenants,
    pub(crate) authority: Authority,
}

impl Tenants {
    /// Refuses all but services: users do not learn of other tenants than their own.
    fn authorize(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let claims = token::authorize(&self.authority.verifier, self.authority.clock.now(), metadata)?;
        if claims.user.id.kind == UserType::Service && claims.scopes.allow(&Access::Other) {
            return Ok(());
        }
        Err(status::grpc(Kind::PermissionDenied, "only services may look tenants up"))
    }

    async fn find(&self, key: Option<TenantKey>, value: &str, trace: &str) -> (Option<Cs3Status>, Option<Tenant>) {
        let Some(key) = key else {
            let problem = "claim must be one of id, externalid, name";
            return (Some(status::failure(Kind::InvalidArgument, problem, trace)), None);
        };
        match self.directory.tenant(&self.settings, key, value).await {
            Ok(ldap::Tenant { id, external_id, name }) => (Some(status::ok()), Some(Tenant { id, name, external_id })),
            Err(error) => (Some(failed(&error, trace)), None),
        }
    }
}

fn failed(error: &DirectoryError, trace: &str) -> Cs3Status {
    let cause = causes(error);
    let (kind, text) = match error {
        DirectoryError::NotFound => (Kind::NotFound, "tenant not found".to_owned()),
        // a fault of the directory, not of the call
        DirectoryError::Ambiguous => (Kind::Internal, "the claim fits more than one tenant".to_owned()),
        other => (other.kind(), other.to_string()),
    };
    if kind != Kind::NotFound {
        tracing::error!(%error, cause, "no tenant is found");
    }
    status::failure(kind, text, trace)
}

#[tonic::async_trait]
impl TenantApi for Tenants {
    async fn get_tenant(&self, request: Request<GetTenantRequest>) -> GrpcResult<GetTenantResponse> {
        self.authorize(request.metadata())?;
        let trace = trace_id(request.metadata());
        let (status, tenant) = self.find(Some(TenantKey::Id), &request.into_inner().tenant_id, &trace).await;
        Ok(Response::new(GetTenantResponse { status, tenant }))
    }

    async fn get_tenant_by_claim(
        &self,
        request: Request<GetTenantByClaimRequest>,
    ) -> GrpcResult<GetTenantByClaimResponse> {
        self.authorize(request.metadata())?;
        let trace = trace_id(request.metadata());
        let GetTenantByClaimRequest { claim, value } = request.into_inner();
        let key = match claim.as_str() {
            "id" => Some(TenantKey::Id),
            "externalid" => Some(TenantKey::ExternalId),
            "name" => Some(TenantKey::Name),
            _ => None,
        };
        let (status, tenant) = self.find(key, &value, &trace).await;
        Ok(Response::new(GetTenantByClaimResponse { status, tenant }))
    }
}
