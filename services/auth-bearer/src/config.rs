mod file;
mod multi_instance;
mod oidc;
mod provisioning;
mod tenants;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use config::{
    Debug, Environment, Grpc, GrpcClientTls, Http, HttpClientTls, Invalid, Log, Reva, Secret, SecretFiles, Section,
    TokenManager, Tracing,
};
use outbound::issuer::backend_url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use file::FileError;
pub use multi_instance::MultiInstance;
pub use oidc::Oidc;
pub use provisioning::{AutoProvision, RoleAssignment};

use crate::access::Rules;
use crate::issuer::{Method, Settings};

/// The configuration of auth-bearer.
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
    #[schemars(extend("default" = {"addr": "127.0.0.1:9149"}))]
    pub debug: Debug,
    /// The server for `ProviderAPI`.
    #[schemars(extend("default" = {"addr": "127.0.0.1:9148"}))]
    pub grpc: Grpc,
    /// The server that receives back-channel logouts.
    #[schemars(extend("default" = {"addr": "127.0.0.1:9248"}))]
    pub http: Http,
    /// TLS towards the directory.
    pub grpc_client_tls: GrpcClientTls,
    /// TLS towards the internal address of idp.
    pub http_client_tls: HttpClientTls,
    /// The gateway of an existing installation, as the directory.
    pub reva: Reva,
    /// What signs the token that people are made and changed with.
    #[serde(rename = "token_manager")]
    pub minting: Minting,
    /// Disables the encoding of the user's group memberships in the access token. This reduces the token size,
    /// especially when users are members of a large number of groups.
    #[schemars(extend("x-env" = ["<P>_SKIP_USER_GROUPS_IN_TOKEN"]))]
    pub skip_user_groups_in_token: bool,
    /// Whose tokens are accepted.
    pub auth_providers: AuthProviders,
    /// How issuers are called.
    pub outbound: Outbound,
    /// How accounts of unknown users are created.
    pub auto_provision: AutoProvision,
    /// Which roles tokens give.
    pub role_assignment: RoleAssignment,
    /// Whether every user belongs to a tenant. Accounts are not created then, as tenants come from LDAP.
    #[schemars(extend("x-env" = ["OCIS_MULTI_TENANT_ENABLED"]))]
    pub multi_tenant_enabled: bool,
    /// Which of several instances this is.
    pub multi_instance: MultiInstance,
    /// The internal address of Doorward's own idp, like `http://127.0.0.1:9130`: requests to the issuers in
    /// `own_issuers` go there instead of to their URL. 'doorward server' sets it for an idp in the same process. If
    /// empty, they go to the URL.
    #[schemars(extend("x-env" = ["<P>_IDP_BACKEND"]))]
    pub idp_backend: String,
    /// The endpoint of Doorward's own idp, like 127.0.0.1:9131: it tells which sessions have ended and what is revoked, and access
    /// tokens of these are refused at once. If empty, they are accepted until they expire, unless idp runs in the same process.
    #[schemars(extend("x-env" = ["<P>_IDP_ENDPOINT"]))]
    pub idp_endpoint: String,
    /// The directory's own address.
    #[schemars(description = runtime::USERS_ENDPOINT, extend("x-env" = ["<P>_USERS_ENDPOINT"]))]
    pub users_endpoint: String,
    /// Where it is stored which sessions have ended at issuers that send logout tokens: `sqlite:///path/to/file.db`, or
    /// `postgres://user:password@host/database` for more than one replica. If empty, the file auth-bearer.db in the data
    /// folder; where that cannot be made, logout tokens are refused.
    #[schemars(extend("x-env" = ["OCIS_DATABASE_URL", "<P>_DATABASE_URL"]))]
    pub database_url: Secret,
    /// See [`store::Options::listen_url`].
    #[schemars(description = store::LISTEN_URL, extend("x-env" = ["OCIS_DATABASE_LISTEN_URL", "<P>_DATABASE_LISTEN_URL"]))]
    pub database_listen_url: Secret,
    /// The connections to a `PostgreSQL` server.
    #[serde(flatten)]
    pub database_pool: store::Pool,
}

config::impl_default!(Config);

impl Section for Config {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![
            ("tracing", &self.tracing),
            ("log", &self.log),
            ("grpc", &self.grpc),
            ("http", &self.http),
            ("auth_providers.oidc", &self.auth_providers.oidc),
            ("auto_provision", &self.auto_provision),
            ("role_assignment", &self.role_assignment),
            ("multi_instance", &self.multi_instance),
            ("", &self.database_pool),
        ]
    }

    fn validate(&self) -> Result<(), Invalid> {
        if !self.idp_backend.is_empty() {
            backend_url(&self.idp_backend).map_err(|problem| Invalid::new("idp_backend", problem))?;
        }
        let asks = !self.idp_endpoint.is_empty();
        let hint = "is not set; idp is asked with a token that it signs: give every service the same one";
        Invalid::unless(!asks || !self.minting.jwt_secret.is_empty(), "token_manager.jwt_secret", hint)?;
        let writes = self.auto_provision.accounts || self.role_assignment.is_by_claim();
        let hint =
            "is not set; people are made and changed with a token that it signs: give every service the same one";
        Invalid::unless(!writes || !self.minting.jwt_secret.is_empty(), "token_manager.jwt_secret", hint)?;
        let has_tenants = self.multi_tenant_enabled || self.auth_providers.oidc.tenant_claim.is_empty();
        Invalid::unless(has_tenants, "multi_tenant_enabled", "is not set; PROXY_TENANT_OIDC_CLAIM needs it")?;
        let is_possible = !self.multi_tenant_enabled || !self.auto_provision.accounts;
        let hint = "must not be set together with OCIS_MULTI_TENANT_ENABLED: tenants come from LDAP";
        Invalid::unless(is_possible, "auto_provision.accounts", hint)?;
        let is_callable = !self.auth_providers.oidc.tenant_id_mapping || !self.minting.jwt_secret.is_empty();
        let hint = "is not set; tenants are looked up with a token that it signs: give every service the same one";
        Invalid::unless(is_callable, "token_manager.jwt_secret", hint)?;
        store::validate_url(&self.database_url)?;
        store::validate_listen_url(&self.database_listen_url)
    }
}

impl Config {
    /// The URL of the database.
    pub fn database(&self, environment: &Environment) -> String {
        store::url_or_file(&self.database_url, "auth-bearer.db", environment)
    }

    /// What is said of every issuer: of the one of the settings first, then of those of the file. If that one is our own provider,
    /// its further issuers (`own_issuers`) count too.
    ///
    /// # Errors
    /// When the file is wrong, or the issuers do not go together.
    pub fn issuers(&self) -> Result<Vec<Settings>, FileError> {
        let mut all = vec![self.auth_providers.oidc.settings(&self.auto_provision, &self.role_assignment)];
        if let Some(file) = &self.auth_providers.issuers_file {
            let further = file::read(file, self.secret_files.allow_readable_secrets)?;
            all.extend(further.into_iter().map(|issuer| self.auth_providers.oidc.marked(issuer)));
        }
        self.add_profiles(&mut all);
        let instance = self.multi_instance.instance();
        for issuer in &mut all {
            issuer.instance.clone_from(&instance);
        }
        Settings::check_together(&all).map_err(FileError::Together)?;
        tenants::check_together(self, &all).map_err(FileError::Together)?;
        let writes = all.iter().any(|issuer| issuer.provisioning.is_some() || issuer.roles.is_some());
        if writes && self.minting.jwt_secret.is_empty() {
            return Err(FileError::Together(
                "one of them makes or changes people, and OCIS_JWT_SECRET is not set".to_owned(),
            ));
        }
        Ok(all)
    }

    /// The files that [`issuers`](Self::issuers) reads at present.
    pub(crate) fn issuer_files(&self) -> Vec<PathBuf> {
        let file = self.auth_providers.issuers_file.iter();
        file.flat_map(|file| std::iter::once(file.clone()).chain(file::secret_files(file))).collect()
    }

    /// Whether users may be created or changed: by the issuer of the settings, or by one that the file may name later.
    pub(crate) fn may_write_users(&self) -> bool {
        let by_settings = self.auto_provision.accounts || self.role_assignment.is_by_claim();
        let by_file = self.auth_providers.issuers_file.is_some() && !self.minting.jwt_secret.is_empty();
        by_settings || by_file
    }

    /// Adds the other issuers of our own provider, which has one for each endpoint profile, if the issuer of the settings is one of
    /// them and is verified by its keys.
    fn add_profiles(&self, all: &mut Vec<Settings>) {
        let Some(first) = all.first().filter(|first| first.rules.is_own && first.method == Method::Jwt).cloned() else {
            return;
        };
        for own in &self.auth_providers.oidc.own_issuers {
            let issuer = own.trim_end_matches('/').to_owned();
            if all.iter().all(|known| known.rules.issuer != issuer) {
                all.push(Settings { rules: Rules { issuer, ..first.rules.clone() }, ..first.clone() });
            }
        }
    }
}

/// `token_manager`: the family's secret, which only who makes or changes people needs.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Minting {
    /// The secret to mint jwt tokens. Needed only where users are created or changed (autoprovisioning, roles by
    /// claim): the users service demands such a token.
    #[schemars(extend("x-env" = ["OCIS_JWT_SECRET", "<P>_JWT_SECRET"], "x-min-bytes" = 32))]
    pub jwt_secret: Secret,
    /// The secret that was in use before the current one. It signs a few seconds longer, until the users service has read the current one.
    #[schemars(extend("x-env" = ["OCIS_JWT_SECRET_PREVIOUS", "<P>_JWT_SECRET_PREVIOUS"], "x-min-bytes" = 32))]
    pub jwt_secret_previous: Secret,
}

impl Minting {
    /// How tokens are minted with these secrets.
    pub(crate) fn token_manager(&self) -> TokenManager {
        let Self { jwt_secret, jwt_secret_previous } = self.clone();
        TokenManager { jwt_secret, jwt_secret_previous, ..TokenManager::default() }
    }
}

/// `auth_providers`: whose tokens are accepted.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct AuthProviders {
    /// The one `OpenID` Provider of most installations.
    pub oidc: Oidc,
    /// A YAML file with further issuers whose access tokens are accepted. It is read again when it changes.
    #[schemars(extend("x-env" = ["<P>_OIDC_ISSUERS_FILE"]))]
    pub issuers_file: Option<PathBuf>,
}

/// `outbound`: how issuers are called.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Outbound {
    /// Whether the addresses that an issuer names (keys, introspection, userinfo) may be on this machine or in a
    /// private network. At the issuer's own host and port they always may.
    #[schemars(extend("x-env" = ["<P>_ALLOW_PRIVATE_ADDRESSES"]))]
    pub allow_private_addresses: bool,
    /// A file of certificates (in PEM format) that are trusted in addition to the system's when issuers are called. It is
    /// read again when it changes.
    #[serde(rename = "ca")]
    #[schemars(extend("x-env" = ["<P>_OUTBOUND_CACERT"]))]
    pub authorities: Option<PathBuf>,
}
