use std::path::PathBuf;

use authn::AllowedCallers;
use config::{
    Debug, Environment, Grpc, Invalid, Log, Secret, SecretFiles, Section, Spiffe, TokenManager, Tracing, WorkloadPolicy,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The fewest bytes a secret may have: 128 bits, if they are random.
pub const MIN_SECRET: usize = 16;

/// The configuration of auth-service.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Config {
    /// How files of secrets are read.
    #[serde(flatten)]
    pub secret_files: SecretFiles,
    /// Where spans are sent.
    pub tracing: Tracing,
    /// What is logged.
    pub log: Log,
    /// The server for health and metrics.
    #[schemars(extend("default" = {"addr": "127.0.0.1:9198"}))]
    pub debug: Debug,
    /// The server for `ProviderAPI` and `ServiceAccountsAPI`.
    #[schemars(extend("default" = {"addr": "127.0.0.1:9199"}))]
    pub grpc: Grpc,
    /// The one account that oCIS knows.
    pub service_account: ServiceAccount,
    /// Path/File name of a YAML list of further service accounts: id, secret or `secret_file`, scopes, expires,
    /// disabled. It is read again when it changes. With `AUTH_SERVICE_POLICY_FILE` an account needs no secret.
    #[schemars(extend("x-env" = ["AUTH_SERVICE_ACCOUNTS_FILE"]))]
    pub accounts_file: Option<PathBuf>,
    /// Stores service accounts in a database too, where administrators add them and give them secrets. An account of the
    /// environment or the file takes precedence over a stored one with the same ID. On with 'doorward server'.
    #[schemars(extend("x-env" = ["<P>_STORE_ACCOUNTS"]))]
    pub store_accounts: bool,
    /// The callers that may authenticate service accounts, by the names in their client certificates: DNS names and URIs,
    /// like '`spiffe://example.org/gateway`'. A URI that ends in '/*' stands for all that begin with what precedes the
    /// '*'. Callers without one of these names are refused. Every caller may if unset. The administration of stored
    /// accounts is not affected.
    #[schemars(extend("x-env" = ["<P>_CALLERS"]))]
    pub callers: Vec<String>,
    /// Names in the client certificates of gateways (the first URI in a certificate, or else the first DNS name), like
    /// '`spiffe://example.org/gateway`'. Behind these gateways a workload without a token is known by the name in the
    /// certificate of the gateway's own caller, which the gateway forwards. A name that any other caller forwards is not believed.
    #[schemars(extend("x-env" = ["<P>_TRUSTED_GATEWAYS"]))]
    pub trusted_gateways: Vec<String>,
    /// The policy for workloads.
    #[serde(flatten)]
    pub workload_policy: WorkloadPolicy,
    /// The trust domains of workloads.
    pub spiffe: Spiffe,
    /// Where service accounts are stored: `sqlite:///path/to/file.db`, or `postgres://user:password@host/database` for
    /// more than one replica. If empty, the file auth-service.db in the data folder.
    #[schemars(extend("x-env" = ["OCIS_DATABASE_URL", "<P>_DATABASE_URL"]))]
    pub database_url: Secret,
    /// The connections to a `PostgreSQL` server.
    #[serde(flatten)]
    pub database_pool: store::Pool,
    /// The keys of the internal token, to verify administrators.
    pub token_manager: Verification,
}

config::impl_default!(Config);

impl Config {
    /// The URL of the database of stored accounts.
    pub fn database(&self, environment: &Environment) -> String {
        store::url_or_file(&self.database_url, "auth-service.db", environment)
    }
}

impl Section for Config {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![
            ("tracing", &self.tracing),
            ("log", &self.log),
            ("grpc", &self.grpc),
            ("service_account", &self.service_account),
            ("spiffe", &self.spiffe),
            ("", &self.database_pool),
        ]
    }

    fn validate(&self) -> Result<(), Invalid> {
        AllowedCallers::parse(&self.callers).map_err(|problem| Invalid::new("callers", problem))?;
        self.grpc.require_client_certificates("callers", !self.callers.is_empty())?;
        let has_account = self.accounts_file.is_some() || !self.service_account.id.is_empty();
        let hint = "is not set, and there is no AUTH_SERVICE_ACCOUNTS_FILE either; name at least one account, or set AUTH_SERVICE_STORE_ACCOUNTS=true";
        Invalid::unless(has_account || self.store_accounts, "service_account.service_account_id", hint)?;
        let hint = "is not set, but AUTH_SERVICE_STORE_ACCOUNTS is; give every service the same one, made with: openssl rand -base64 32";
        let can_verify = !self.token_manager.jwt_secret.is_empty() || !self.store_accounts;
        Invalid::unless(can_verify, "token_manager.jwt_secret", hint)?;
        store::validate_url(&self.database_url)
    }
}

/// `token_manager`: the family's secret, which only a service with stored accounts needs.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Verification {
    /// The secret to validate jwt tokens. Needed only where service accounts are stored: administrators are known by such
    /// tokens.
    #[schemars(extend("x-env" = ["OCIS_JWT_SECRET", "<P>_JWT_SECRET"], "x-min-bytes" = 32))]
    pub jwt_secret: Secret,
    /// The secret that was in use before the current one. Tokens minted with it are still accepted.
    #[schemars(extend("x-env" = ["OCIS_JWT_SECRET_PREVIOUS", "<P>_JWT_SECRET_PREVIOUS"], "x-min-bytes" = 32))]
    pub jwt_secret_previous: Secret,
}

impl Verification {
    /// How tokens are verified with these secrets.
    pub(crate) fn token_manager(&self) -> TokenManager {
        let Self { jwt_secret, jwt_secret_previous } = self.clone();
        TokenManager { jwt_secret, jwt_secret_previous, ..TokenManager::default() }
    }
}

/// `service_account`: one account, as oCIS configures it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ServiceAccount {
    /// The ID of the service account the service should use.
    #[serde(rename = "service_account_id")]
    #[schemars(extend("x-env" = ["OCIS_SERVICE_ACCOUNT_ID", "<P>_SERVICE_ACCOUNT_ID"]))]
    pub id: String,
    /// The service account secret.
    #[serde(rename = "service_account_secret")]
    #[schemars(extend(
        "x-env" = ["OCIS_SERVICE_ACCOUNT_SECRET", "<P>_SERVICE_ACCOUNT_SECRET"],
        "x-min-bytes" = MIN_SECRET,
    ))]
    pub secret: Secret,
    /// The service account secret that was in use before the current one, still accepted while its callers change over.
    #[serde(rename = "service_account_secret_previous")]
    #[schemars(extend(
        "x-env" = ["OCIS_SERVICE_ACCOUNT_SECRET_PREVIOUS", "<P>_SERVICE_ACCOUNT_SECRET_PREVIOUS"],
        "x-min-bytes" = MIN_SECRET,
    ))]
    pub secret_previous: Secret,
}

impl Section for ServiceAccount {
    fn validate(&self) -> Result<(), Invalid> {
        let (has_id, has_secret) = (!self.id.is_empty(), !self.secret.is_empty());
        Invalid::unless(has_secret || !has_id, "service_account_secret", "is not set, but the account's id is")?;
        Invalid::unless(has_id || !has_secret, "service_account_id", "is not set, but the account's secret is")
    }
}
