use std::path::PathBuf;

use runtime::config::{Debug, Grpc, Invalid, Log, Secret, Section, Tracing, Visitor};

/// The configuration of auth-service.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where spans are sent.
    pub tracing: Tracing,
    /// What is logged.
    pub log: Log,
    /// The server for health and metrics.
    pub debug: Debug,
    /// The server for `ProviderAPI`.
    pub grpc: Grpc,
    /// The one account that oCIS knows.
    pub service_account: ServiceAccount,
    /// A YAML file of further accounts.
    pub accounts_file: Option<PathBuf>,
    /// Whether secrets are taken from files that other accounts of the machine can read.
    pub allows_exposed_secrets: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tracing: Tracing::default(),
            log: Log::default(),
            debug: Debug::at("127.0.0.1:9198"),
            grpc: Grpc::at("127.0.0.1:9199"),
            service_account: ServiceAccount::default(),
            accounts_file: None,
            allows_exposed_secrets: false,
        }
    }
}

impl Section for Config {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        v.section("tracing", &mut self.tracing);
        v.section("log", &mut self.log);
        v.section("debug", &mut self.debug);
        v.section("grpc", &mut self.grpc);
        v.section("service_account", &mut self.service_account);
        self.allows_exposed_secrets = v.allows_exposed_secrets();
        v.value(
            "accounts_file",
            &mut self.accounts_file,
            &["AUTH_SERVICE_ACCOUNTS_FILE"],
            "Path/File name of a YAML list of further service accounts: id, secret or secret_file, scopes, expires, disabled. It is read again when it changes.",
        );
    }

    fn validate(&self) -> Result<(), Invalid> {
        if self.accounts_file.is_none() && self.service_account.id.is_empty() {
            let hint = "is not set, and there is no AUTH_SERVICE_ACCOUNTS_FILE either; name at least one account";
            return Err(Invalid::new("service_account.service_account_id", hint));
        }
        Ok(())
    }
}

/// `service_account`: one account, as oCIS configures it.
#[derive(Clone, Debug, Default)]
pub struct ServiceAccount {
    /// Its identifier.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
}

impl Section for ServiceAccount {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        v.value(
            "service_account_id",
            &mut self.id,
            &["OCIS_SERVICE_ACCOUNT_ID", "<P>_SERVICE_ACCOUNT_ID"],
            "The ID of the service account the service should use.",
        );
        v.secret(
            "service_account_secret",
            &mut self.secret,
            &["OCIS_SERVICE_ACCOUNT_SECRET", "<P>_SERVICE_ACCOUNT_SECRET"],
            "The service account secret.",
        )
        .min_bytes(super::accounts::MIN_SECRET);
    }

    fn validate(&self) -> Result<(), Invalid> {
        match (self.id.is_empty(), self.secret.is_empty()) {
            (false, true) => Err(Invalid::new("service_account_secret", "is not set, but the account's id is")),
            (true, false) => Err(Invalid::new("service_account_id", "is not set, but the account's secret is")),
            _ => Ok(()),
        }
    }
}
