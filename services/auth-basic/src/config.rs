use std::time::Duration;

use config::{
    Debug, Environment, Grpc, GrpcClientTls, Invalid, Log, Reva, Secret, SecretFiles, Section, TokenManager, Tracing,
};
use ldap::Ldap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::password::{Cost, Hasher, Policy};
use crate::throttle::Rules;

/// The configuration of auth-basic.
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
    #[schemars(extend("default" = {"addr": "127.0.0.1:9147"}))]
    pub debug: Debug,
    /// The server for `ProviderAPI` and `PasswordsAPI`.
    #[schemars(extend("default" = {"addr": "127.0.0.1:9146"}))]
    pub grpc: Grpc,
    /// TLS towards the directory.
    pub grpc_client_tls: GrpcClientTls,
    /// The keys of the internal token, to verify administrators.
    pub token_manager: TokenManager,
    /// The gateway of an existing installation, as the directory.
    pub reva: Reva,
    /// Known for compatibility: the gateway mints the tokens, and `GATEWAY_SKIP_USER_GROUPS_IN_TOKEN` decides.
    #[schemars(extend("x-env" = ["<P>_SKIP_USER_GROUPS_IN_TOKEN"]))]
    pub skip_user_groups_in_token: bool,
    /// Where users and passwords are stored: 'sql' (users in the users service, passwords in a database of this
    /// service) or 'ldap' (both in an LDAP server; the default of oCIS).
    #[serde(rename = "auth_provider")]
    #[schemars(extend("x-env" = ["<P>_AUTH_MANAGER"], "default" = "sql", "enum" = ["sql", "ldap"]))]
    pub auth_manager: String,
    /// The settings of the managers.
    pub auth_providers: Providers,
    /// The directory's own address.
    #[schemars(description = runtime::USERS_ENDPOINT, extend("x-env" = ["<P>_USERS_ENDPOINT"]))]
    pub users_endpoint: String,
    /// Where password verifiers and the counts of failed sign-ins are stored: `sqlite:///path/to/file.db`, or
    /// `postgres://user:password@host/database` for more than one replica. If empty, the file auth-basic.db in the data
    /// folder. With passwords in LDAP it has the counts only.
    #[schemars(extend("x-env" = ["OCIS_DATABASE_URL", "<P>_DATABASE_URL"]))]
    pub database_url: Secret,
    /// The connections to a `PostgreSQL` server.
    #[serde(flatten)]
    pub database_pool: store::Pool,
    /// What a new verifier costs.
    pub argon2: Cost,
    /// How many passwords are hashed at the same time. One for each core if 0.
    #[schemars(extend("x-env" = ["<P>_HASH_THREADS"]))]
    pub hash_threads: usize,
    /// How many more may wait for a free hash thread. Further requests are refused and may be repeated.
    #[schemars(extend("x-env" = ["<P>_HASH_QUEUE"], "default" = 64))]
    pub hash_queue: usize,
    /// The least number of characters of a new password. NIST SP 800-63B-4 requires 15 where the password is the only
    /// factor, and 8 where every user has a second one. Existing passwords stay valid.
    #[schemars(extend("x-env" = ["<P>_PASSWORD_MIN_CHARACTERS"], "default" = 15, "minimum" = 1, "maximum" = 64))]
    pub password_min_characters: usize,
    /// How hard a new password must be to guess, as zxcvbn estimates it: from 0 (not judged) to 4 (more than 10^10
    /// guesses).
    #[schemars(extend("x-env" = ["<P>_PASSWORD_MIN_SCORE"], "default" = 3, "maximum" = 4))]
    pub password_min_score: u32,
    /// Words that new passwords must not be made of, in addition to the user's own names: the name of your installation
    /// and organisation.
    #[schemars(extend("x-env" = ["<P>_PASSWORD_CONTEXT_WORDS"]))]
    pub password_context_words: Vec<String>,
    /// Whether users in LDAP may change their own passwords here, where the LDAP server announces the Password Modify
    /// operation (RFC 3062). The server decides who may, and by which rules. Not used with 'sql'.
    #[schemars(extend("x-env" = ["<P>_LDAP_PASSWORD_CHANGE"], "default" = true))]
    pub ldap_password_change: bool,
    /// How long a verified password is remembered, so that clients that send it with every request do not have it
    /// hashed each time. At most 1m, which is also how long a password that was changed in an LDAP server by other means may still work. 0s
    /// turns it off.
    #[schemars(extend("x-env" = ["<P>_CACHE_TTL"], "default" = "1m", "maximum" = "1m"))]
    pub cache_ttl: Duration,
    /// How failures are counted.
    pub throttle: Rules,
}

config::impl_default!(Config);

impl Config {
    /// The URL of the database.
    pub fn database(&self, environment: &Environment) -> String {
        store::url_or_file(&self.database_url, "auth-basic.db", environment)
    }

    /// Whether people and passwords are in an LDAP server.
    pub fn is_ldap(&self) -> bool {
        self.auth_manager == "ldap"
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy {
            least: self.password_min_characters,
            // at most 4, by the bound of the setting
            least_score: u8::try_from(self.password_min_score).unwrap_or(4),
            words: self.password_context_words.clone(),
        }
    }
}

impl Section for Config {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![
            ("tracing", &self.tracing),
            ("log", &self.log),
            ("grpc", &self.grpc),
            ("auth_providers.ldap", &self.auth_providers.ldap),
            ("", &self.database_pool),
            ("argon2", &self.argon2),
            ("throttle", &self.throttle),
        ]
    }

    fn validate(&self) -> Result<(), Invalid> {
        if self.is_ldap() {
            self.auth_providers.ldap.validate_in_use("auth_providers.ldap")?;
        }
        store::validate_url(&self.database_url)
    }

    fn warnings(&self) -> Vec<String> {
        self.grpc.source_warning().into_iter().collect()
    }
}

/// `auth_providers`: the settings of the managers.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Providers {
    /// For the manager `ldap`.
    pub ldap: Ldap,
}

impl Section for Cost {
    fn validate(&self) -> Result<(), Invalid> {
        let problem = "must be from 8 times the parallelism to 65536 KiB, with 1 to 16 iterations and lanes";
        Hasher::new(*self).map(drop).map_err(|_| Invalid::new("memory", problem))
    }
}

impl Section for Rules {
    fn validate(&self) -> Result<(), Invalid> {
        let is_between = (self.first_delay..self.forget_after).contains(&self.longest_delay);
        Invalid::unless(is_between, "longest_delay", "must be at least the first delay, and less than 1h")
    }
}
