mod tokens;

use runtime::config::{
    Debug, Environment, Grpc, GrpcClientTls, Http, Invalid, Log, Reva, Secret, Section, TokenManager, Tracing, Visitor,
    base_data_path,
};

pub use tokens::Tokens;

/// The configuration of auth-app: the documented settings in their order, then ours.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where spans are sent.
    pub tracing: Tracing,
    /// What is logged.
    pub log: Log,
    /// The server for health and metrics.
    pub debug: Debug,
    /// The server for `ProviderAPI` and `ApplicationsAPI`.
    pub grpc: Grpc,
    /// The server for `/auth-app/tokens`.
    pub http: Http,
    /// TLS towards the directory.
    pub grpc_client_tls: GrpcClientTls,
    /// The keys of the internal token, to verify callers.
    pub token_manager: TokenManager,
    /// The gateway of the family.
    pub reva: Reva,
    /// Whether groups are left out.
    pub skip_user_groups_in_token: bool,
    /// The key of auth-machine. Nothing here needs it; it is known so that nobody is warned of it.
    pub machine_auth_api_key: Secret,
    /// Whether administrators may make tokens for others.
    pub allow_impersonation: bool,
    /// The directory's own address.
    pub users_endpoint: String,
    /// Where tokens are kept; empty is a `SQLite` file in the data folder. It may hold a password.
    pub database_url: Secret,
    /// The connections to a `PostgreSQL` server.
    pub database_pool: store::Pool,
    /// See [`store::Options::listen_url`].
    pub database_listen_url: Secret,
    /// The key under which tokens are digested.
    pub token_key: Secret,
    /// The key before it, still accepted.
    pub token_key_previous: Secret,
    /// What tokens are made and when they end.
    pub tokens: Tokens,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tracing: Tracing::default(),
            log: Log::default(),
            debug: Debug::at("127.0.0.1:9245"),
            grpc: Grpc::at("127.0.0.1:9246"),
            http: Http::at("127.0.0.1:9247"),
            grpc_client_tls: GrpcClientTls::default(),
            token_manager: TokenManager::default(),
            reva: Reva::default(),
            skip_user_groups_in_token: false,
            machine_auth_api_key: Secret::default(),
            allow_impersonation: false,
            users_endpoint: String::new(),
            database_url: Secret::default(),
            database_pool: store::Pool::default(),
            database_listen_url: Secret::default(),
            token_key: Secret::default(),
            token_key_previous: Secret::default(),
            tokens: Tokens::default(),
        }
    }
}

impl Config {
    /// The URL of the database.
    pub fn database(&self, environment: &Environment) -> String {
        match self.database_url.expose() {
            "" => store::sqlite_url(&base_data_path(environment).join("auth-app.db")),
            url => url.to_owned(),
        }
    }

    fn visit_documented(&mut self, v: &mut Visitor<'_>) {
        v.section("tracing", &mut self.tracing);
        v.section("log", &mut self.log);
        v.section("debug", &mut self.debug);
        v.section("grpc", &mut self.grpc);
        v.section("http", &mut self.http);
        v.section("grpc_client_tls", &mut self.grpc_client_tls);
        v.section("token_manager", &mut self.token_manager);
        v.section("reva", &mut self.reva);
        v.value(
            "skip_user_groups_in_token",
            &mut self.skip_user_groups_in_token,
            &["<P>_SKIP_USER_GROUPS_IN_TOKEN"],
            "Disables the encoding of the user's group memberships in the access token. This reduces the token size, especially when users are members of a large number of groups.",
        );
        v.secret(
            "machine_auth_api_key",
            &mut self.machine_auth_api_key,
            &["OCIS_MACHINE_AUTH_API_KEY", "<P>_MACHINE_AUTH_API_KEY"],
            "Known for compatibility: this service acts for nobody by way of the machine key.",
        );
        v.value(
            "allow_impersonation",
            &mut self.allow_impersonation,
            &["<P>_ENABLE_IMPERSONATION"],
            "Allows admins to create app tokens for other users. Used for migration. Do NOT use in productive deployments.",
        );
    }

    fn visit_own(&mut self, v: &mut Visitor<'_>) {
        v.value("users_endpoint", &mut self.users_endpoint, &["<P>_USERS_ENDPOINT"], runtime::USERS_ENDPOINT);
        v.secret(
            "database_url",
            &mut self.database_url,
            &["OCIS_DATABASE_URL", "<P>_DATABASE_URL"],
            "Where app tokens are kept: sqlite:///path/to/file.db, or postgres://user:password@host/database for more than one replica. If empty, the file auth-app.db in the data folder.",
        );
        v.secret(
            "database_listen_url",
            &mut self.database_listen_url,
            &["OCIS_DATABASE_LISTEN_URL", "<P>_DATABASE_LISTEN_URL"],
            store::LISTEN_URL,
        );
        self.database_pool.visit(v, "<P>_DATABASE");
        v.secret(
            "token_key",
            &mut self.token_key,
            &["<P>_TOKEN_KEY"],
            "The secret under which app tokens are digested before they are stored. Without it no stored token can be used.",
        )
        .required("keep it as long as the database, made with: openssl rand -base64 32")
        .min_bytes(32);
        v.secret(
            "token_key_previous",
            &mut self.token_key_previous,
            &["<P>_TOKEN_KEY_PREVIOUS"],
            "The secret that was in use before the current one. App tokens under it still work, and are brought under the current one when they are used.",
        )
        .min_bytes(32);
        self.tokens.visit(v);
    }
}

impl Section for Config {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        self.visit_documented(v);
        self.visit_own(v);
    }

    fn validate(&self) -> Result<(), Invalid> {
        if !self.database_url.is_empty() {
            store::check_url(self.database_url.expose()).map_err(|problem| Invalid::new("database_url", problem))?;
        }
        store::check_listen_url(self.database_listen_url.expose())
            .map_err(|problem| Invalid::new("database_listen_url", problem))?;
        self.database_pool.validate()?;
        self.tokens.validate()
    }

    fn warnings(&self) -> Vec<String> {
        self.grpc.source_warning().into_iter().chain(self.http.source_warning()).collect()
    }
}
