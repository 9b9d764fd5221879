//! The configuration of a service that has every common section, read, printed and refused.

mod documented;
mod layers;
mod properties;
mod refusals;
mod secrets;

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::{
    ConfigError, Debug, Environment, Grpc, GrpcClientTls, Http, Identity, Loaded, Log, Reva, Secret, Section,
    TokenManager, Tracing, Visitor, load,
};

const IDENTITY: Identity = Identity { name: "auth-app", prefix: "AUTH_APP" };
const JWT_SECRET: &str = "an-adequate-secret-of-32-bytes-ok";

/// What auth-app's configuration consists of, as far as operators of oCIS know it.
#[derive(Clone, Debug)]
struct AuthAppLike {
    tracing: Tracing,
    log: Log,
    debug: Debug,
    grpc: Grpc,
    http: Http,
    grpc_client_tls: GrpcClientTls,
    token_manager: TokenManager,
    reva: Reva,
    skip_user_groups_in_token: bool,
    machine_auth_api_key: Secret,
    allow_impersonation: bool,
}

impl Default for AuthAppLike {
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
        }
    }
}

impl Section for AuthAppLike {
    fn visit(&mut self, v: &mut Visitor<'_>) {
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
            "The machine auth API key used to validate internal requests necessary to access resources from other services.",
        );
        v.value(
            "allow_impersonation",
            &mut self.allow_impersonation,
            &["<P>_ENABLE_IMPERSONATION"],
            "Allows admins to create app tokens for other users. Used for migration. Do NOT use in productive deployments.",
        );
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
