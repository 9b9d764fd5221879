mod tokens;

use config::{
    Debug, Environment, Grpc, GrpcClientTls, Http, Invalid, Log, Reva, Secret, SecretFiles, Section, TokenManager,
    Tracing,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use tokens::Tokens;

/// The configuration of auth-app: the documented settings in their order, then ours.
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
    #[schemars(extend("default" = {"addr": "127.0.0.1:9245"}))]
    pub debug: Debug,
    /// The server for `ProviderAPI` and `ApplicationsAPI`.
    #[schemars(extend("default" = {"addr": "127.0.0.1:9246"}))]
    pub grpc: Grpc,
    /// The server for `/auth-app/tokens`.
    #[schemars(extend("default" = {"addr": "127.0.0.1:9247"}))]
    pub http: Http,
    /// TLS towards the directory.
    pub grpc_client_tls: GrpcClientTls,
    /// The keys of the internal token, to verify callers.
    pub token_manager: TokenManager,
    /// The gateway of the family.
    pub reva: Reva,
    /// Disables the encoding of the user's group memberships in the access token. This reduces the token size,
    /// especially when users are members of a large number of groups.
    #[schemars(extend("x-env" = ["<P>_SKIP_USER_GROUPS_IN_TOKEN"]))]
    pub skip_user_groups_in_token: bool,
    /// Accepted for compatibility: this service does not use the machine key.
    #[schemars(extend("x-env" = ["OCIS_MACHINE_AUTH_API_KEY", "<P>_MACHINE_AUTH_API_KEY"]))]
    pub machine_auth_api_key: Secret,
    /// Allows admins to create app tokens for other users. Used for migration. Do NOT use in productive deployments.
    #[schemars(extend("x-env" = ["<P>_ENABLE_IMPERSONATION"]))]
    pub allow_impersonation: bool,
    /// The directory's own address.
    #[schemars(description = runtime::USERS_ENDPOINT, extend("x-env" = ["<P>_USERS_ENDPOINT"]))]
    pub users_endpoint: String,
    /// Where app tokens are kept: `sqlite:///path/to/file.db`, or `postgres://user:password@host/database` for more
    /// than one replica. If empty, the file auth-app.db in the data folder.
    #[schemars(extend("x-env" = ["OCIS_DATABASE_URL", "<P>_DATABASE_URL"]))]
    pub database_url: Secret,
    /// See [`store::Options::listen_url`].
    #[schemars(description = store::LISTEN_URL, extend("x-env" = ["OCIS_DATABASE_LISTEN_URL", "<P>_DATABASE_LISTEN_URL"]))]
    pub database_listen_url: Secret,
    /// The connections to a `PostgreSQL` server.
    #[serde(flatten)]
    pub database_pool: store::Pool,
    /// The secret under which app tokens are digested before they are stored. Without it no stored token can be used.
    #[schemars(extend("x-env" = ["<P>_TOKEN_KEY"]))]
    #[schemars(extend("x-required" = "keep it as long as the database, made with: openssl rand -base64 32"))]
    #[schemars(extend("x-min-bytes" = 32))]
    pub token_key: Secret,
    /// The secret that was in use before the current one. App tokens digested under it still work, and are digested
    /// under the current one when they are used.
    #[schemars(extend("x-env" = ["<P>_TOKEN_KEY_PREVIOUS"], "x-min-bytes" = 32))]
    pub token_key_previous: Secret,
    /// Memory for app tokens that were read from the database, in MiB; 8 hold about 4,000. A replica that serves more tokens
    /// within minutes reads from the database more often, and needs more.
    #[schemars(extend("x-env" = ["<P>_CACHE_SIZE"], "default" = 8))]
    pub cache_size: u32,
    /// What tokens are made and when they end.
    #[serde(flatten)]
    pub tokens: Tokens,
}

config::impl_default!(Config);

impl Config {
    /// The URL of the database.
    pub fn database(&self, environment: &Environment) -> String {
        store::url_or_file(&self.database_url, "auth-app.db", environment)
    }
}

impl Section for Config {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![
            ("tracing", &self.tracing),
            ("log", &self.log),
            ("grpc", &self.grpc),
            ("http", &self.http),
            ("", &self.database_pool),
            ("", &self.tokens),
        ]
    }

    fn validate(&self) -> Result<(), Invalid> {
        Invalid::unless(self.cache_size > 0, "cache_size", "must be at least 1 (MiB)")?;
        store::validate_url(&self.database_url)?;
        store::validate_listen_url(&self.database_listen_url)
    }

    fn warnings(&self) -> Vec<String> {
        self.grpc.source_warning().into_iter().chain(self.http.source_warning()).collect()
    }
}
