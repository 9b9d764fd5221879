use std::path::PathBuf;

use config::{Debug, Grpc, Invalid, Log, Secret, SecretFiles, Section, Tracing};
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
    /// The server for `ProviderAPI`.
    #[schemars(extend("default" = {"addr": "127.0.0.1:9199"}))]
    pub grpc: Grpc,
    /// The one account that oCIS knows.
    pub service_account: ServiceAccount,
    /// Path/File name of a YAML list of further service accounts: id, secret or `secret_file`, scopes, expires,
    /// disabled. It is read again when it changes.
    #[schemars(extend("x-env" = ["AUTH_SERVICE_ACCOUNTS_FILE"]))]
    pub accounts_file: Option<PathBuf>,
}

config::impl_default!(Config);

impl Section for Config {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![("grpc", &self.grpc), ("service_account", &self.service_account)]
    }

    fn validate(&self) -> Result<(), Invalid> {
        let has_account = self.accounts_file.is_some() || !self.service_account.id.is_empty();
        let hint = "is not set, and there is no AUTH_SERVICE_ACCOUNTS_FILE either; name at least one account";
        Invalid::unless(has_account, "service_account.service_account_id", hint)
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
}

impl Section for ServiceAccount {
    fn validate(&self) -> Result<(), Invalid> {
        let (has_id, has_secret) = (!self.id.is_empty(), !self.secret.is_empty());
        Invalid::unless(has_secret || !has_id, "service_account_secret", "is not set, but the account's id is")?;
        Invalid::unless(has_id || !has_secret, "service_account_id", "is not set, but the account's secret is")
    }
}
