use std::time::Duration;

use ldap::Ldap;
use runtime::config::{
    Debug, Environment, Grpc, GrpcClientTls, Invalid, Log, Reva, Secret, Section, TokenManager, Tracing, Visitor,
    base_data_path,
};

use crate::password::{Cost, Policy};
use crate::throttle::Rules;

/// The longest time that a verified credential may be remembered.
const LONGEST_MEMORY: Duration = Duration::from_mins(1);

/// The configuration of auth-basic.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where spans are sent.
    pub tracing: Tracing,
    /// What is logged.
    pub log: Log,
    /// The server for health and metrics.
    pub debug: Debug,
    /// The server for `ProviderAPI` and `PasswordsAPI`.
    pub grpc: Grpc,
    /// TLS towards the directory.
    pub grpc_client_tls: GrpcClientTls,
    /// The keys of the internal token, to verify administrators.
    pub token_manager: TokenManager,
    /// The gateway of an existing installation, as the directory.
    pub reva: Reva,
    /// Whether groups are left out of the internal token. The gateway mints it and obeys its own setting; this one is known
    /// so that nobody is warned of it.
    pub skip_user_groups_in_token: bool,
    /// `sql` or `ldap`.
    pub auth_manager: String,
    /// The settings of the managers.
    pub auth_providers: Providers,
    /// The directory's own address.
    pub users_endpoint: String,
    /// Where verifiers are kept; empty is a `SQLite` file in the data folder. It may hold a password.
    pub database_url: Secret,
    /// The connections to a `PostgreSQL` server.
    pub database_pool: store::Pool,
    /// What a new verifier costs.
    pub argon2: Argon2,
    /// How many hashes run at the same time; 0 is one for each core.
    pub hash_threads: usize,
    /// How many more may wait.
    pub hash_queue: usize,
    /// The least number of characters of a new password.
    pub password_min_characters: usize,
    /// How long a verified credential is remembered.
    pub cache_ttl: Duration,
    /// How failures are counted.
    pub throttle: Throttle,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tracing: Tracing::default(),
            log: Log::default(),
            debug: Debug::at("127.0.0.1:9147"),
            grpc: Grpc::at("127.0.0.1:9146"),
            grpc_client_tls: GrpcClientTls::default(),
            token_manager: TokenManager::default(),
            reva: Reva::default(),
            skip_user_groups_in_token: false,
            auth_manager: "sql".into(),
            auth_providers: Providers::default(),
            users_endpoint: String::new(),
            database_url: Secret::default(),
            database_pool: store::Pool::default(),
            argon2: Argon2::default(),
            hash_threads: 0,
            hash_queue: 64,
            password_min_characters: 8,
            cache_ttl: LONGEST_MEMORY,
            throttle: Throttle::default(),
        }
    }
}

impl Config {
    /// The URL of the database.
    pub fn database(&self, environment: &Environment) -> String {
        match self.database_url.expose() {
            "" => store::sqlite_url(&base_data_path(environment).join("auth-basic.db")),
            url => url.to_owned(),
        }
    }

    /// Whether people and passwords are in an LDAP server.
    pub fn is_ldap(&self) -> bool {
        self.auth_manager == "ldap"
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy { least: self.password_min_characters }
    }

    fn visit_documented(&mut self, v: &mut Visitor<'_>) {
        v.section("tracing", &mut self.tracing);
        v.section("log", &mut self.log);
        v.section("debug", &mut self.debug);
        v.section("grpc", &mut self.grpc);
        v.section("grpc_client_tls", &mut self.grpc_client_tls);
        v.section("token_manager", &mut self.token_manager);
        v.section("reva", &mut self.reva);
        v.value(
            "skip_user_groups_in_token",
            &mut self.skip_user_groups_in_token,
            &["<P>_SKIP_USER_GROUPS_IN_TOKEN"],
            "Known for compatibility: the gateway mints the tokens, and GATEWAY_SKIP_USER_GROUPS_IN_TOKEN decides.",
        );
        v.value(
            "auth_provider",
            &mut self.auth_manager,
            &["<P>_AUTH_MANAGER"],
            "Where people and passwords are: 'sql' (people in the users service, passwords in a database of this service) or 'ldap' (both in an LDAP server; what oCIS does unless told otherwise).",
        )
        .one_of(&["sql", "ldap"]);
        v.section("auth_providers", &mut self.auth_providers);
    }

    fn visit_own(&mut self, v: &mut Visitor<'_>) {
        v.value("users_endpoint", &mut self.users_endpoint, &["<P>_USERS_ENDPOINT"], runtime::USERS_ENDPOINT);
        v.secret(
            "database_url",
            &mut self.database_url,
            &["OCIS_DATABASE_URL", "<P>_DATABASE_URL"],
            "Where what is kept of passwords is, and the counts of failed sign-ins: sqlite:///path/to/file.db, or postgres://user:password@host/database for more than one replica. If empty, the file auth-basic.db in the data folder. With passwords in LDAP it has the counts only.",
        );
        self.database_pool.visit(v, "<P>_DATABASE");
        v.section("argon2", &mut self.argon2);
        v.value(
            "hash_threads",
            &mut self.hash_threads,
            &["<P>_HASH_THREADS"],
            "How many passwords are hashed at the same time. One for each core if 0.",
        );
        v.value(
            "hash_queue",
            &mut self.hash_queue,
            &["<P>_HASH_QUEUE"],
            "How many more may wait for that. What comes on top is told to try again.",
        );
        v.value(
            "password_min_characters",
            &mut self.password_min_characters,
            &["<P>_PASSWORD_MIN_CHARACTERS"],
            "The least number of characters of a new password.",
        );
        v.value(
            "cache_ttl",
            &mut self.cache_ttl,
            &["<P>_CACHE_TTL"],
            "How long a verified password is remembered, so that clients that send it with every request do not have it hashed each time. At most 1m, which is also how long a password changed in an LDAP server may still work. 0s turns it off.",
        );
        v.section("throttle", &mut self.throttle);
    }
}

impl Section for Config {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        self.visit_documented(v);
        self.visit_own(v);
    }

    fn validate(&self) -> Result<(), Invalid> {
        if self.is_ldap() {
            self.auth_providers.ldap.validate_in_use("auth_providers.ldap")?;
        }
        if !self.database_url.is_empty() {
            store::check_url(self.database_url.expose()).map_err(|problem| Invalid::new("database_url", problem))?;
        }
        self.database_pool.validate()?;
        if !(1..=64).contains(&self.password_min_characters) {
            return Err(Invalid::new("password_min_characters", "must be from 1 to 64"));
        }
        if self.cache_ttl > LONGEST_MEMORY {
            return Err(Invalid::new("cache_ttl", "must be at most 1m"));
        }
        Ok(())
    }

    fn warnings(&self) -> Vec<String> {
        self.grpc.source_warning().into_iter().collect()
    }
}

/// `auth_providers`: the settings of the managers.
#[derive(Clone, Debug, Default)]
pub struct Providers {
    /// For the manager `ldap`.
    pub ldap: Ldap,
}

impl Section for Providers {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        v.section("ldap", &mut self.ldap);
    }
}

/// `argon2`: what a new verifier costs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Argon2(pub Cost);

impl Section for Argon2 {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        v.value(
            "memory",
            &mut self.0.memory,
            &["<P>_ARGON2_MEMORY"],
            "The memory in KiB that hashing a password takes.",
        );
        v.value(
            "iterations",
            &mut self.0.iterations,
            &["<P>_ARGON2_ITERATIONS"],
            "How often it goes over that memory.",
        );
        v.value(
            "parallelism",
            &mut self.0.parallelism,
            &["<P>_ARGON2_PARALLELISM"],
            "The lanes that memory is divided into.",
        );
    }

    fn validate(&self) -> Result<(), Invalid> {
        match crate::password::Hasher::new(self.0) {
            Ok(_) => Ok(()),
            Err(_) => Err(Invalid::new(
                "memory",
                "must be from 8 times the parallelism to 65536 KiB, with 1 to 16 iterations and lanes",
            )),
        }
    }
}

/// `throttle`: how failures are counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Throttle(pub Rules);

impl Section for Throttle {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        v.value(
            "free_failures",
            &mut self.0.free,
            &["<P>_THROTTLE_FREE_FAILURES"],
            "How many wrong passwords for one login from one address cost nothing.",
        );
        v.value(
            "first_delay",
            &mut self.0.first_delay,
            &["<P>_THROTTLE_FIRST_DELAY"],
            "How long that address has to wait after the last free one. It doubles with each further failure.",
        );
        v.value(
            "longest_delay",
            &mut self.0.longest_delay,
            &["<P>_THROTTLE_LONGEST_DELAY"],
            "The longest that address has to wait.",
        );
        v.value(
            "source_failures",
            &mut self.0.per_source,
            &["<P>_THROTTLE_SOURCE_FAILURES"],
            "How many wrong passwords a minute one address may have over all logins it never signed in with. Any number if 0.",
        );
        v.value(
            "account_failures",
            &mut self.0.per_account,
            &["<P>_THROTTLE_ACCOUNT_FAILURES"],
            "How many wrong passwords a day one account may have from all addresses and browsers that it never signed in with, a quarter of them from one network (/24, /48). After that it signs in with those it knows only, until time has passed or its password is set anew. Any number if 0.",
        );
    }

    fn validate(&self) -> Result<(), Invalid> {
        if self.0.free == 0 {
            return Err(Invalid::new("free_failures", "must be greater than 0"));
        }
        if self.0.longest_delay < self.0.first_delay || self.0.longest_delay >= self.0.forget_after {
            return Err(Invalid::new("longest_delay", "must be at least the first delay, and less than 1h"));
        }
        Ok(())
    }
}
