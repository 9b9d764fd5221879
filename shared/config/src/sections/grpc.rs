//! The gRPC server.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MAX_HEADER_SIZE, header_size};
use crate::{Invalid, ListenAddr, Networks, PrivateKeyFile, Section};

/// `grpc`: the gRPC server.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Grpc {
    /// The bind address of the GRPC service.
    #[schemars(extend("x-env" = ["<P>_GRPC_ADDR"]))]
    pub addr: ListenAddr,
    /// Its TLS.
    pub tls: GrpcTls,
    /// The transport protocol of the GRPC service.
    #[schemars(extend("x-env" = ["OCIS_GRPC_PROTOCOL", "<P>_GRPC_PROTOCOL"], "default" = "tcp"))]
    #[schemars(extend("enum" = ["tcp", "unix"]))]
    pub protocol: String,
    /// The size in bytes of the longest message the GRPC service accepts. If unset, 64 KiB, but 128 KiB for the
    /// administration of idp and 2 MiB for the import of app tokens.
    #[schemars(extend("x-env" = ["OCIS_GRPC_MAX_RECEIVED_MESSAGE_SIZE", "<P>_GRPC_MAX_RECEIVED_MESSAGE_SIZE"]))]
    #[schemars(extend("minimum" = 1))]
    pub max_received_message_size: Option<usize>,
    /// The size in bytes of the largest request headers (metadata) the GRPC service accepts.
    #[schemars(extend("x-env" = ["OCIS_GRPC_MAX_HEADER_SIZE", "<P>_GRPC_MAX_HEADER_SIZE"]))]
    #[schemars(extend("default" = MAX_HEADER_SIZE))]
    pub max_header_size: usize,
    /// How many requests the GRPC service handles at the same time.
    #[schemars(extend("x-env" = ["<P>_GRPC_MAX_CONCURRENT_REQUESTS"], "default" = 1024, "minimum" = 1))]
    pub max_concurrent_requests: usize,
    /// The time after which the GRPC service gives up a request.
    #[schemars(extend("x-env" = ["<P>_GRPC_REQUEST_TIMEOUT"], "default" = "5s"))]
    pub request_timeout: Duration,
    /// The time after which clients of the GRPC service are asked to connect anew, a tenth more or less, so that not all do
    /// at once. 30m if unset.
    #[schemars(extend("x-env" = ["GRPC_MAX_CONNECTION_AGE", "<P>_GRPC_MAX_CONNECTION_AGE"]))]
    pub max_connection_age: Option<Duration>,
    /// Addresses and networks (like 10.0.0.0/8) of services that call the GRPC service without a client certificate. The
    /// service trusts them, callers over a Unix socket and callers with a certificate that `OCIS_GRPC_TLS_CLIENT_CA` has
    /// signed to pass on the address and the known device that a credential came from. It trusts no caller that shows an
    /// X.509-SVID, not even in these networks, since every workload of a trust domain has one.
    #[schemars(extend("x-env" = ["OCIS_GRPC_TRUSTED_NETWORKS", "<P>_GRPC_TRUSTED_NETWORKS"], "default" = LOOPBACK))]
    pub trusted_networks: Vec<String>,
}

impl Grpc {
    /// Refuses the setting `key`, which names callers by their certificates, where callers show none.
    ///
    /// # Errors
    /// When the gRPC server does not require certificates of clients, and the setting `is_set`.
    pub fn require_client_certificates(&self, key: &str, is_set: bool) -> Result<(), Invalid> {
        let shows_certificates = self.tls.enabled && self.tls.requires_certificates();
        let problem = "names callers by their certificates, which they show only where OCIS_GRPC_TLS_CLIENT_CA or OCIS_GRPC_TLS_CLIENT_SPIFFE is set and OCIS_GRPC_TLS_ENABLED is true; set both, or unset it";
        Invalid::unless(shows_certificates || !is_set, key, problem)
    }

    /// A warning where callers on other machines cannot pass on which address a credential came from, so that one user's wrong
    /// passwords delay all others. For services that count failures, or pass the address on.
    pub fn source_warning(&self) -> Option<String> {
        let is_local =
            self.addr.is_local() || self.trusted_networks.iter().any(|network| !LOOPBACK.contains(&&**network));
        let is_tcp = matches!(self.addr, ListenAddr::Tcp { .. });
        let remedy = if self.tls.client_spiffe {
            is_tcp.then_some("set OCIS_GRPC_TLS_CLIENT_CA, and give the services that pass addresses on a certificate that it has signed: an X.509-SVID does not suffice")
        } else {
            (!is_local)
                .then_some("set OCIS_GRPC_TRUSTED_NETWORKS to the networks of the services, or OCIS_GRPC_TLS_CLIENT_CA")
        };
        let remedy = remedy.filter(|_| self.tls.client_ca.is_none())?;
        Some(format!(
            "the addresses that callers of the GRPC service at {} pass on are not believed, so that all users count as one source of failed sign-ins; {remedy}",
            self.addr
        ))
    }
}

/// The addresses of this machine that no other can send from.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1"];

crate::impl_default!(Grpc);

impl Section for Grpc {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![("tls", &self.tls)]
    }

    fn validate(&self) -> Result<(), Invalid> {
        let fits = self.protocol != "unix" || !matches!(self.addr, ListenAddr::Tcp { .. });
        Invalid::unless(fits, "addr", "must be the path of a socket, as the protocol is unix")?;
        Networks::parse(&self.trusted_networks)
            .map_err(|problem| Invalid::new("trusted_networks", format!("is a list of networks; {problem}")))?;
        header_size(self.max_header_size)
    }
}

/// `grpc.tls`: the gRPC server's certificate.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct GrpcTls {
    /// Activates TLS for the grpc based services using the server certifcate and key configured via
    /// `OCIS_GRPC_TLS_CERTIFICATE` and `OCIS_GRPC_TLS_KEY`. If `OCIS_GRPC_TLS_CERTIFICATE` is not set a temporary
    /// server certificate is generated - to be used with `OCIS_GRPC_CLIENT_TLS_MODE`=insecure.
    #[schemars(extend("x-env" = ["OCIS_GRPC_TLS_ENABLED"]))]
    pub enabled: bool,
    /// Path/File name of the TLS server certificate (in PEM format) for the grpc services.
    #[schemars(extend("x-env" = ["OCIS_GRPC_TLS_CERTIFICATE"]))]
    pub cert: Option<PathBuf>,
    /// Path/File name for the TLS certificate key (in PEM format) for the server certificate to use for the grpc
    /// services.
    #[schemars(extend("x-env" = ["OCIS_GRPC_TLS_KEY"], "x-certificate" = "cert"))]
    pub key: Option<PrivateKeyFile>,
    /// Path/File name for the CA certificate (in PEM format) that must have signed the certificates of clients of the
    /// grpc services. Clients need no certificate if unset.
    #[schemars(extend("x-env" = ["OCIS_GRPC_TLS_CLIENT_CA"]))]
    pub client_ca: Option<PathBuf>,
    /// Clients of the gateway, auth-machine and auth-service show an X.509-SVID: a certificate whose SPIFFE id is of one of
    /// the trust domains in `OCIS_SPIFFE_TRUST_DOMAINS`, which the trust bundle of that domain verifies, and no other
    /// authority. All other certificates have to be signed by `OCIS_GRPC_TLS_CLIENT_CA`, and are refused if that is not
    /// set. The other services verify all certificates by `OCIS_GRPC_TLS_CLIENT_CA`, which has to be set for them.
    #[schemars(extend("x-env" = ["OCIS_GRPC_TLS_CLIENT_SPIFFE", "<P>_GRPC_TLS_CLIENT_SPIFFE"]))]
    pub client_spiffe: bool,
}

impl GrpcTls {
    /// Whether clients have to show a certificate.
    fn requires_certificates(&self) -> bool {
        self.client_ca.is_some() || self.client_spiffe
    }
}

impl Section for GrpcTls {
    fn validate(&self) -> Result<(), Invalid> {
        let is_used = !self.requires_certificates() || self.enabled;
        Invalid::unless(is_used, "enabled", "must be true where clients have to show a certificate")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row [M15](../../../../docs/security-requirements.md#m15).
    #[test]
    fn server_warns_where_callers_cannot_pass_addresses_on() {
        let warning = |addr: &str, client_ca: bool, client_spiffe: bool, networks: &[&str]| {
            let tls = GrpcTls { client_ca: client_ca.then(|| "ca.pem".into()), client_spiffe, ..GrpcTls::default() };
            let addr = addr.parse().expect("an address");
            let mut grpc = Grpc { addr, tls, ..Grpc::default() };
            grpc.trusted_networks.extend(networks.iter().map(|&network| network.to_owned()));
            grpc.source_warning().unwrap_or_default()
        };
        let (pods, none): (&[&str], &[&str]) = (&["10.0.0.0/8"], &[]);
        assert!(warning("0.0.0.0:9142", false, false, none).contains("OCIS_GRPC_TRUSTED_NETWORKS"));
        for networks in [none, pods] {
            for addr in ["0.0.0.0:9142", "127.0.0.1:9142"] {
                let warning = warning(addr, false, true, networks);
                assert!(warning.contains("an X.509-SVID does not suffice"), "{addr} {networks:?}: {warning}");
            }
            assert_eq!(warning("0.0.0.0:9142", true, true, networks), "");
            assert_eq!(warning("/run/doorward/gateway.sock", false, true, networks), "");
        }
        assert_eq!(warning("0.0.0.0:9142", false, false, pods), "");
        assert_eq!(warning("127.0.0.1:9142", false, false, none), "");
    }
}
