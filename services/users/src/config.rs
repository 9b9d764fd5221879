//! The settings of the users service.

use config::{
    Debug, Environment, Grpc, GrpcClientTls, Invalid, Log, Secret, SecretFiles, Section, TokenManager, Tracing,
};
use ldap::Ldap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::profile::may_be_self_service;

/// The configuration of the users service.
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
    #[schemars(extend("default" = {"addr": "127.0.0.1:9145"}))]
    pub debug: Debug,
    /// Where it listens.
    #[schemars(extend("default" = {"addr": "127.0.0.1:9144"}))]
    pub grpc: Grpc,
    /// TLS towards other services.
    pub grpc_client_tls: GrpcClientTls,
    /// How it verifies who administers.
    pub token_manager: TokenManager,
    /// Where users and groups are stored: 'sql' for a database of this service, 'ldap' for an LDAP server, which is
    /// only read.
    #[schemars(extend("x-env" = ["<P>_DRIVER"], "default" = "sql", "enum" = ["sql", "ldap"]))]
    pub driver: String,
    /// The identity provider that is written into the identifiers of users.
    #[schemars(extend("x-env" = ["OCIS_URL", "OCIS_OIDC_ISSUER", "<P>_IDP_URL"], "default" = "https://localhost:9200"))]
    #[schemars(extend("x-required" = "name the URL that people reach the installation by"))]
    pub idp: String,
    /// What the identity provider was before, if it has changed: users are also found by identifiers with one of these,
    /// which other services may have stored.
    #[schemars(extend("x-env" = ["OCIS_URL_PREVIOUS", "<P>_IDP_URL_PREVIOUS"]))]
    pub idp_previous: Vec<String>,
    /// Where users and groups are stored: `sqlite:///path/to/file.db`, or `postgres://user:password@host/database` for
    /// more than one replica. If empty, the file users.db in the data folder. With users in LDAP it has the times of
    /// password changes only.
    #[schemars(extend("x-env" = ["OCIS_DATABASE_URL", "<P>_DATABASE_URL"]))]
    pub database_url: Secret,
    /// See [`store::Options::listen_url`].
    #[schemars(description = store::LISTEN_URL, extend("x-env" = ["OCIS_DATABASE_LISTEN_URL", "<P>_DATABASE_LISTEN_URL"]))]
    pub database_listen_url: Secret,
    /// The connections to a `PostgreSQL` server.
    #[serde(flatten)]
    pub database_pool: store::Pool,
    /// Memory for users that were read from the database, in MiB, each of which is enough for about 400 users. The names and the
    /// mail addresses by which they are found have a sixth of it each, but at least 1 MiB. Not used with users in LDAP.
    #[schemars(extend("x-env" = ["<P>_CACHE_SIZE"], "default" = 6, "minimum" = 1))]
    pub cache_size: u64,
    /// The attributes of their profile that users may change themselves: `display_name`, `given_name`, `family_name`, `middle_name`,
    /// nickname, profile, picture, website, gender, birthdate, zoneinfo, locale, `phone_number`, address. Administrators may
    /// change all. With mail, users may change their mail address by a link that idp sends to the new one.
    #[schemars(extend(
        "x-env" = ["<P>_SELF_SERVICE_ATTRIBUTES"],
        "default" = ["display_name", "nickname", "profile", "picture", "website", "zoneinfo", "locale"],
    ))]
    pub self_service_attributes: Vec<String>,
    /// The LDAP server, for the driver `ldap`.
    pub ldap: Ldap,
    /// Tenants in it, for services that look them up.
    pub tenants: ldap::Tenants,
}

config::impl_default!(Config);

impl Config {
    /// Whether users are stored in LDAP, and not in a database of this service.
    pub fn is_ldap(&self) -> bool {
        self.driver == "ldap"
    }

    /// The issuers in identifiers of users: the one that is written first, then former ones.
    pub(crate) fn issuers(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.idp).chain(&self.idp_previous)
    }

    /// The URL of the database.
    pub fn database(&self, environment: &Environment) -> String {
        store::url_or_file(&self.database_url, "users.db", environment)
    }
}

impl Section for Config {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![
            ("tracing", &self.tracing),
            ("log", &self.log),
            ("grpc", &self.grpc),
            ("", &self.database_pool),
            ("ldap", &self.ldap),
            ("tenants", &self.tenants),
        ]
    }

    fn validate(&self) -> Result<(), Invalid> {
        for name in &self.self_service_attributes {
            let problem = "must name display_name, mail or attributes of profiles, like nickname or address";
            Invalid::unless(may_be_self_service(name), "self_service_attributes", problem)?;
        }
        if self.is_ldap() {
            self.ldap.validate_in_use("ldap")?;
        }
        let has_tenants = self.is_ldap() || !self.ldap.multi_tenant_enabled;
        Invalid::unless(
            has_tenants,
            "driver",
            "must be ldap where every user belongs to a tenant (OCIS_MULTI_TENANT_ENABLED)",
        )?;
        store::validate_url(&self.database_url)?;
        store::validate_listen_url(&self.database_listen_url)
    }
}
