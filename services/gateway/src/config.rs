use std::path::PathBuf;

use authn::AllowedCallers;
use config::{
    Debug, Grpc, GrpcClientTls, Http, Invalid, Log, SecretFiles, Section, Spiffe, TokenManager, Tracing, Transactions,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::homes::Quotas;

/// 20 KiB of groups make a token of about 28 KiB: it fits into the 32 KiB of headers that every service of the family reads.
const MAX_GROUPS_SIZE: usize = 20 * 1024;
/// With more, a token could be longer than any service of the family reads.
const MOST_GROUPS_SIZE: usize = 44 * 1024;

/// What an operator should know whose policy names workloads that show no certificates.
const WORKLOADS_UNNAMED: &str = "GATEWAY_TRANSACTION_POLICY_FILE names workloads by their certificates, which they show only where OCIS_GRPC_TLS_CLIENT_CA is set and OCIS_GRPC_TLS_ENABLED is true: no workload in another process gets a transaction token; set both";

/// The configuration of the gateway.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Config {
    /// How files of secrets are read.
    #[serde(flatten)]
    pub secret_files: SecretFiles,
    /// How it traces.
    pub tracing: Tracing,
    /// How it logs.
    pub log: Log,
    /// Where metrics and health are.
    #[schemars(extend("default" = {"addr": "127.0.0.1:9143"}))]
    pub debug: Debug,
    /// Where it listens.
    #[schemars(extend("default" = {"addr": "127.0.0.1:9142"}))]
    pub grpc: Grpc,
    /// Where it publishes the keys of transaction tokens for services that do not ask by gRPC; nowhere unless an address is set.
    pub http: Http,
    /// TLS towards the services behind it.
    pub grpc_client_tls: GrpcClientTls,
    /// The internal token it mints.
    pub token_manager: TokenManager,
    /// Disables the encoding of the user's group memberships in the access token. This reduces the token size,
    /// especially when users are members of a large number of groups.
    #[schemars(extend("x-env" = ["GATEWAY_SKIP_USER_GROUPS_IN_TOKEN"]))]
    pub skip_user_groups_in_token: bool,
    /// The quota of homes that are created at the upstream, by the role of their user: pairs like 'user=5000000000', of
    /// roles admin, spaceadmin, user, guest or an id and a number of bytes. The first pair whose role the user has
    /// counts; without one the storage decides. The same as `role_quotas` in the proxy.yaml of oCIS and OpenCloud.
    #[schemars(extend("x-env" = ["GATEWAY_ROLE_QUOTAS"]))]
    pub role_quotas: Vec<String>,
    /// The largest size in bytes of the groups in the access token, with three bytes added for each group. Larger lists
    /// are left out, and the token has the claim '`groups_omitted`': services call `WhoAmI` or `GetUserGroups` instead.
    /// A token is a third larger than its content, and headers may have 32 KiB. At most 45056.
    #[schemars(extend("x-env" = ["GATEWAY_MAX_GROUPS_SIZE"], "default" = MAX_GROUPS_SIZE))]
    pub max_groups_size: usize,
    /// Memory for internal tokens that are reused for a minute, in MiB. A larger one saves signatures where more
    /// credentials are in use within a minute.
    #[schemars(extend("x-env" = ["GATEWAY_CACHE_SIZE"], "default" = 12))]
    pub cache_size: u32,
    /// The callers that may authenticate with the machine key (type '`machine`'), by the names in their client
    /// certificates: DNS names and URIs, like '`spiffe://example.org/proxy`'. A URI that ends in '/*' stands for all that
    /// begin with what precedes the '*'. Callers without one of these names are refused. Every caller may if unset.
    #[schemars(extend("x-env" = ["GATEWAY_MACHINE_CALLERS"]))]
    pub machine_callers: Vec<String>,
    /// The same for service accounts (type '`serviceaccounts`', and access tokens of service accounts).
    #[schemars(extend("x-env" = ["GATEWAY_SERVICE_CALLERS"]))]
    pub service_callers: Vec<String>,
    /// Whether this is one of several instances with common users. Passwords and app tokens are refused then, as they do not say
    /// whether their user belongs to this instance.
    #[schemars(extend("x-env" = ["OCIS_MULTI_INSTANCE_ENABLED"]))]
    pub multi_instance_enabled: bool,
    /// Whether every user belongs to a tenant. Users without one are refused then; service accounts need none.
    #[schemars(extend("x-env" = ["OCIS_MULTI_TENANT_ENABLED"]))]
    pub multi_tenant_enabled: bool,
    /// The transaction tokens it mints.
    pub transactions: Transactions,
    /// The path of a YAML file that says which workload may request which transaction tokens, by the names in their client
    /// certificates. Without it only the edge in the same process may request them.
    #[schemars(extend("x-env" = ["GATEWAY_TRANSACTION_POLICY_FILE"]))]
    pub transaction_policy_file: Option<PathBuf>,
    /// The trust domains of callers that show X.509-SVIDs.
    pub spiffe: Spiffe,
    /// The services behind it.
    pub endpoints: Endpoints,
}

/// Where the services behind the gateway are. An empty one is switched off.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Endpoints {
    /// App tokens (`appauth`) and the app-password calls.
    #[schemars(description = endpoint("the auth-app service"))]
    #[schemars(extend("x-env" = ["GATEWAY_AUTH_APP_ENDPOINT"], "default" = "127.0.0.1:9246"))]
    pub auth_app: String,
    /// Passwords (`basic`).
    #[schemars(description = endpoint("the auth-basic service"))]
    #[schemars(extend("x-env" = ["GATEWAY_AUTH_BASIC_ENDPOINT"], "default" = "127.0.0.1:9146"))]
    pub auth_basic: String,
    /// OIDC access tokens (`bearer`).
    #[schemars(description = endpoint("the auth-bearer service"))]
    #[schemars(extend("x-env" = ["GATEWAY_AUTH_BEARER_ENDPOINT"], "default" = "127.0.0.1:9148"))]
    pub auth_bearer: String,
    /// Impersonation (`machine`).
    #[schemars(description = endpoint("the auth-machine service"))]
    #[schemars(extend("x-env" = ["GATEWAY_AUTH_MACHINE_ENDPOINT"], "default" = "127.0.0.1:9166"))]
    pub auth_machine: String,
    /// Service accounts (`serviceaccounts`).
    #[schemars(description = endpoint("the auth-service service"))]
    #[schemars(extend("x-env" = ["GATEWAY_AUTH_SERVICE_ENDPOINT"], "default" = "127.0.0.1:9199"))]
    pub auth_service: String,
    /// The directory.
    #[schemars(description = endpoint("the users service"))]
    #[schemars(extend("x-env" = ["GATEWAY_USERS_ENDPOINT"], "default" = "127.0.0.1:9144"))]
    pub users: String,
    /// The tenants.
    #[schemars(description = endpoint("a service that has tenants (TenantAPI). If it is empty, the gateway at GATEWAY_UPSTREAM_ENDPOINT is asked, and without one the users service"), extend("x-env" = ["GATEWAY_TENANTS_ENDPOINT"]))]
    pub tenants: String,
    /// The gateway that answers every other call.
    #[schemars(description = endpoint("another CS3 gateway, to which every call is forwarded that this one does not answer itself, and the authentication of types that are not ours (publicshares, ocmshares ...)"), extend("x-env" = ["GATEWAY_UPSTREAM_ENDPOINT"]))]
    pub upstream: String,
    /// The service that knows users' roles.
    #[schemars(description = endpoint("the settings service of an oCIS or OpenCloud, whose roles users have for whom the directory names none; a user without any is given the role user, a guest the role guest"), extend("x-env" = ["GATEWAY_SETTINGS_ENDPOINT"]))]
    pub settings: String,
}

/// The description of an endpoint.
fn endpoint(what: &str) -> String {
    format!(
        "The endpoint of {what}: dns:///host:port, unix:/path, http://host:port, https://host:port or host:port; empty switches it off."
    )
}

config::impl_default!(Config);

impl Section for Config {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![
            ("tracing", &self.tracing),
            ("log", &self.log),
            ("grpc", &self.grpc),
            ("http", &self.http),
            ("transactions", &self.transactions),
            ("spiffe", &self.spiffe),
        ]
    }

    fn validate(&self) -> Result<(), Invalid> {
        for (key, names) in [("machine_callers", &self.machine_callers), ("service_callers", &self.service_callers)] {
            AllowedCallers::parse(names).map_err(|problem| Invalid::new(key, problem))?;
            self.grpc.require_client_certificates(key, !names.is_empty())?;
        }
        let has_tokens = self.transaction_policy_file.is_none() || self.transactions.is_enabled();
        let problem = "is set without OCIS_TRANSACTION_SECRET, so that no transaction tokens are minted; set that too, or unset it";
        Invalid::unless(has_tokens, "transaction_policy_file", problem)?;
        Invalid::unless(self.cache_size > 0, "cache_size", "must be at least 1 (MiB)")?;
        let fits = self.max_groups_size <= MOST_GROUPS_SIZE;
        Invalid::unless(fits, "max_groups_size", "must be at most 45056: services read tokens of 64 KiB")?;
        let problem =
            |pair| format!("must hold pairs of a role and a number of bytes, like user=5000000000; not {pair:?}");
        Quotas::parse(&self.role_quotas).map(drop).map_err(|pair| Invalid::new("role_quotas", problem(pair)))
    }

    fn warnings(&self) -> Vec<String> {
        let names_workloads = self.grpc.require_client_certificates("", self.transaction_policy_file.is_some());
        let unnamed = names_workloads.is_err().then(|| WORKLOADS_UNNAMED.to_owned());
        self.grpc.source_warning().into_iter().chain(unnamed).collect()
    }
}
