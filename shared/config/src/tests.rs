//! The configuration of a service that has every common section, read, printed and refused.

mod documented;
mod flattened;
mod layers;
mod properties;
mod refusals;
mod secrets;

use std::fs;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::{
    ConfigError, Debug, Environment, Grpc, GrpcClientTls, Http, Identity, Loaded, Log, Reva, Secret, SecretFiles,
    Section, TokenManager, Tracing, load,
};

const IDENTITY: Identity = Identity { name: "auth-app", prefix: "AUTH_APP" };
const JWT_SECRET: &str = "an-adequate-secret-of-32-bytes-ok";

/// What auth-app's configuration consists of, as far as operators of oCIS know it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct AuthAppLike {
    /// How files of secrets are read.
    #[serde(flatten)]
    secret_files: SecretFiles,
    tracing: Tracing,
    log: Log,
    #[schemars(extend("default" = {"addr": "127.0.0.1:9245"}))]
    debug: Debug,
    #[schemars(extend("default" = {"addr": "127.0.0.1:9246"}))]
    grpc: Grpc,
    #[schemars(extend("default" = {"addr": "127.0.0.1:9247"}))]
    http: Http,
    grpc_client_tls: GrpcClientTls,
    token_manager: TokenManager,
    reva: Reva,
    /// Disables the encoding of the user's group memberships in the access token. This reduces the token size,
    /// especially when users are members of a large number of groups.
    #[schemars(extend("x-env" = ["<P>_SKIP_USER_GROUPS_IN_TOKEN"]))]
    skip_user_groups_in_token: bool,
    /// The machine auth API key used to validate internal requests necessary to access resources from other services.
    #[schemars(extend("x-env" = ["OCIS_MACHINE_AUTH_API_KEY", "<P>_MACHINE_AUTH_API_KEY"]))]
    machine_auth_api_key: Secret,
    /// Allows admins to create app tokens for other users. Used for migration. Do NOT use in productive deployments.
    #[schemars(extend("x-env" = ["<P>_ENABLE_IMPERSONATION"]))]
    allow_impersonation: bool,
}

crate::impl_default!(AuthAppLike);

impl Section for AuthAppLike {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![("grpc", &self.grpc), ("http", &self.http)]
    }
}

/// A configuration folder of a test's own.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn holding(name: &str, text: &str) -> Self {
        let folder = Self::new();
        folder.write(name, text);
        folder
    }

    /// Writes a file that only its owner can read.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("sets the mode");
        path
    }

    /// An environment that leads here and has nothing else.
    fn bare_env(&self) -> Environment {
        Environment::from([("OCIS_CONFIG_DIR", self.0.path().to_str().expect("UTF-8"))])
    }

    /// The same with the one secret that every service must have.
    fn env(&self) -> Environment {
        self.bare_env().with("OCIS_JWT_SECRET", JWT_SECRET)
    }
}

fn read(env: &Environment) -> Result<Loaded<AuthAppLike>, ConfigError> {
    load(&IDENTITY, env)
}

fn read_ok(env: &Environment) -> Loaded<AuthAppLike> {
    read(env).expect("a valid configuration")
}

/// The refusal's text, which must be one line.
fn refusal(env: &Environment) -> String {
    let text = read(env).expect_err("an invalid configuration").to_string();
    assert!(!text.contains('\n'), "more than one line: {text}");
    text
}
