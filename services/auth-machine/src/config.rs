use authn::AllowedCallers;
use config::{
    Debug, Grpc, GrpcClientTls, Invalid, Log, Reva, Secret, SecretFiles, Section, Spiffe, Tracing, WorkloadPolicy,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workload::Workloads;

use crate::policy::Policy;

/// What an operator should know whose rules name callers.
const GATEWAYS_UNNAMED: &str = "AUTH_MACHINE_ALLOW_IMPERSONATION names callers, and AUTH_MACHINE_TRUSTED_GATEWAYS is empty: these rules hold for callers that ask themselves, or by a gateway in the same process, and for no caller behind a gateway in another process; set it to the name in that gateway's client certificate";

/// What an operator does about a service that would accept no one.
const NO_PROOF: &str = "is not set, and there is no AUTH_MACHINE_POLICY_FILE either; give every service the same key, made with: openssl rand -base64 32";
/// What is wrong with a key that a token could be taken for (`docs/security-requirements.md#m18`).
const TOKEN_AS_KEY: &str =
    "has the form of a token (JWT), and would never be compared; make a key with: openssl rand -base64 32";

/// The configuration of auth-machine.
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
    #[schemars(extend("default" = {"addr": "127.0.0.1:9167"}))]
    pub debug: Debug,
    /// Where it listens.
    #[schemars(extend("default" = {"addr": "127.0.0.1:9166"}))]
    pub grpc: Grpc,
    /// TLS towards the directory.
    pub grpc_client_tls: GrpcClientTls,
    /// The gateway of an existing installation, as the directory.
    pub reva: Reva,
    /// The directory's own address.
    #[schemars(description = runtime::USERS_ENDPOINT, extend("x-env" = ["AUTH_MACHINE_USERS_ENDPOINT"]))]
    pub users_endpoint: String,
    /// The machine auth API key used to validate internal requests necessary to access resources from other services. Without
    /// one only workloads of the policy file are accepted.
    #[schemars(extend("x-env" = ["OCIS_MACHINE_AUTH_API_KEY", "AUTH_MACHINE_API_KEY"]))]
    #[schemars(extend("x-min-bytes" = 32))]
    pub machine_auth_api_key: Secret,
    /// The machine auth API key that was in use before the current one, still accepted while services change over.
    #[schemars(extend("x-env" = ["OCIS_MACHINE_AUTH_API_KEY_PREVIOUS", "AUTH_MACHINE_API_KEY_PREVIOUS"]))]
    #[schemars(extend("x-min-bytes" = 32))]
    pub machine_auth_api_key_previous: Secret,
    /// Who may act as whom: a list of CALLER=SUBJECT. CALLER is the name in a client certificate or '*'. SUBJECT is a
    /// login name, 'users' (neither administrators nor service accounts), 'admins' or '*'. Where the directory knows no
    /// roles (LDAP, or another gateway) 'users' alone refuses: administrators cannot be told from others, and
    /// '*=users,*=admins' lets the key act as both.
    #[schemars(extend("x-env" = ["AUTH_MACHINE_ALLOW_IMPERSONATION"], "default" = ["*=users"]))]
    pub allow_impersonation: Vec<String>,
    /// Names in the client certificates of gateways (the first URI in a certificate, or else the first DNS name), like
    /// '`spiffe://example.org/gateway`'. Behind these gateways CALLER is the name in the certificate of the gateway's
    /// own caller, which the gateway forwards. A name that any other caller forwards is not believed, and only rules
    /// for '*' hold for such a request.
    #[schemars(extend("x-env" = ["AUTH_MACHINE_TRUSTED_GATEWAYS"]))]
    pub trusted_gateways: Vec<String>,
    /// The callers that may use the machine key, by the names in their client certificates: DNS names and URIs, like
    /// '`spiffe://example.org/gateway`'. A URI that ends in '/*' stands for all that begin with what precedes the '*'.
    /// Callers without one of these names are refused. Every caller may use the key if unset.
    #[schemars(extend("x-env" = ["AUTH_MACHINE_CALLERS"]))]
    pub callers: Vec<String>,
    /// The policy for workloads.
    #[serde(flatten)]
    pub workload_policy: WorkloadPolicy,
    /// The trust domains of workloads.
    pub spiffe: Spiffe,
}

config::impl_default!(Config);

impl Config {
    /// Whether the rules allow a caller nothing where the directory knows no roles.
    pub fn relies_on_roles(&self) -> bool {
        Policy::parse(&self.allow_impersonation).is_ok_and(|policy| policy.relies_on_roles())
    }

    /// The keys to accept: the current one, and the one before it, which may be empty.
    pub(crate) fn keys(&self) -> [&Secret; 2] {
        [&self.machine_auth_api_key, &self.machine_auth_api_key_previous]
    }
}

impl Section for Config {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![("tracing", &self.tracing), ("log", &self.log), ("grpc", &self.grpc), ("spiffe", &self.spiffe)]
    }

    fn validate(&self) -> Result<(), Invalid> {
        let has_policy = self.workload_policy.policy_file.is_some();
        let has_key = !self.machine_auth_api_key.is_empty();
        Invalid::unless(has_key || has_policy, "machine_auth_api_key", NO_PROOF)?;
        let keys = [
            ("machine_auth_api_key", &self.machine_auth_api_key),
            ("machine_auth_api_key_previous", &self.machine_auth_api_key_previous),
        ];
        for (key, secret) in keys {
            Invalid::unless(!Workloads::is_token(secret.expose()), key, TOKEN_AS_KEY)?;
        }
        AllowedCallers::parse(&self.callers).map_err(|problem| Invalid::new("callers", problem))?;
        self.grpc.require_client_certificates("callers", !self.callers.is_empty())?;
        Policy::parse(&self.allow_impersonation)
            .map(drop)
            .map_err(|problem| Invalid::new("allow_impersonation", problem))
    }

    fn warnings(&self) -> Vec<String> {
        let names_callers = Policy::parse(&self.allow_impersonation).is_ok_and(|policy| policy.names_callers());
        let is_relied_on = names_callers && self.trusted_gateways.is_empty();
        is_relied_on.then(|| GATEWAYS_UNNAMED.to_owned()).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use config::{Environment, load};
    use runtime::Service;

    use super::*;

    /// Row [M11](../../../docs/security-requirements.md#m11).
    #[test]
    fn list_of_callers_needs_client_certificates() {
        let key = "a-machine-key-of-at-least-32-characters";
        let problem = |variables: &[(&str, &str)]| {
            let variables = variables.iter().copied().chain([("AUTH_MACHINE_API_KEY", key)]);
            let environment =
                variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Environment>();
            let loaded = load::<Config>(&crate::AuthMachine::IDENTITY, &environment);
            loaded.err().map(|error| error.to_string()).unwrap_or_default()
        };
        let callers = ("AUTH_MACHINE_CALLERS", "spiffe://example.org/gateway");
        let tls = [("OCIS_GRPC_TLS_ENABLED", "true"), ("OCIS_GRPC_TLS_CLIENT_CA", "/etc/doorward/ca.pem")];
        assert_eq!(problem(&[callers, tls[0], tls[1]]), "");
        for without in [&[callers][..], &[callers, tls[0]]] {
            let problem = problem(without);
            assert!(
                problem.contains("AUTH_MACHINE_CALLERS") && problem.contains("OCIS_GRPC_TLS_CLIENT_CA"),
                "{problem}"
            );
        }
        let odd = problem(&[("AUTH_MACHINE_CALLERS", "*"), tls[0], tls[1]]);
        assert!(odd.starts_with("AUTH_MACHINE_CALLERS must hold"), "{odd}");
    }
    /// Row [M18](../../../docs/security-requirements.md#m18).
    #[test]
    fn key_or_policy_is_needed_and_a_key_is_no_token() {
        let problem = |variables: &[(&str, &str)]| {
            let variables = variables.iter().copied();
            let environment =
                variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Environment>();
            let loaded = load::<Config>(&crate::AuthMachine::IDENTITY, &environment);
            loaded.err().map(|error| error.to_string()).unwrap_or_default()
        };
        let neither = problem(&[]);
        assert!(
            neither.contains("OCIS_MACHINE_AUTH_API_KEY") && neither.contains("AUTH_MACHINE_POLICY_FILE"),
            "{neither}"
        );
        assert_eq!(problem(&[("AUTH_MACHINE_POLICY_FILE", "/etc/doorward/workloads.yaml")]), "");
        assert_eq!(problem(&[("OCIS_WORKLOAD_POLICY_FILE", "/etc/doorward/workloads.yaml")]), "");
        let token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg";
        let key = ("AUTH_MACHINE_API_KEY", "a-machine-key-of-at-least-32-characters");
        for variables in [&[("AUTH_MACHINE_API_KEY", token)][..], &[key, ("AUTH_MACHINE_API_KEY_PREVIOUS", token)]] {
            let problem = problem(variables);
            assert!(problem.contains("form of a token") && !problem.contains(token), "{problem}");
        }
    }
}
