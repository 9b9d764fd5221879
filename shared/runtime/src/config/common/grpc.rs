//! The gRPC server.

use std::path::PathBuf;
use std::time::Duration;

use super::super::{Invalid, ListenAddr, PrivateKeyFile, Section, Visitor};
use super::{MAX_HEADER_SIZE, cert_and_key, header_size, positive};
use crate::TrustedProxies;

/// `grpc`: the gRPC server.
#[derive(Clone, Debug)]
pub struct Grpc {
    /// Where it listens.
    pub addr: ListenAddr,
    /// Its TLS.
    pub tls: GrpcTls,
    /// `tcp` or `unix`.
    pub protocol: String,
    /// Networks whose peers are believed when they pass on which address a credential came from; see
    /// [`TrustedProxies::parse`].
    pub trusted_networks: Vec<String>,
    /// The longest message that is accepted, in bytes; without it, each API has a limit of its own.
    pub max_received_message_size: Option<usize>,
    /// The largest headers of a request that are accepted, in bytes.
    pub max_header_size: usize,
    /// How many requests are handled at the same time; what comes on top of it is refused.
    pub max_concurrent_requests: usize,
    /// After which time a request is given up.
    pub request_timeout: Duration,
    /// After which time a connection is asked to be made anew, so that clients spread over new replicas.
    pub max_connection_age: Option<Duration>,
}

impl Grpc {
    /// The defaults, with a service's own address.
    pub fn at(addr: &str) -> Self {
        Self { addr: ListenAddr::built_in(addr), ..Self::default() }
    }

    /// A warning where callers on other machines cannot pass on which address a credential came from, so that one user's wrong
    /// passwords delay all others. For services that count failures, or pass the address on.
    pub fn source_warning(&self) -> Option<String> {
        let is_local =
            self.addr.is_local() || self.trusted_networks.iter().any(|network| !LOOPBACK.contains(&&**network));
        (!is_local && self.tls.client_ca.is_none()).then(|| {
            format!(
                "the addresses that callers of the GRPC service at {} pass on are not believed, so that all users count as one source of failed sign-ins; set OCIS_GRPC_TRUSTED_NETWORKS to the networks of the services, or OCIS_GRPC_TLS_CLIENT_CA",
                self.addr
            )
        })
    }
}

/// The addresses of this machine that no other can send from.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1"];

impl Default for Grpc {
    fn default() -> Self {
        Self {
            addr: ListenAddr::Off,
            tls: GrpcTls::default(),
            protocol: "tcp".into(),
            trusted_networks: LOOPBACK.map(str::to_owned).into(),
            max_received_message_size: None,
            max_header_size: MAX_HEADER_SIZE,
            max_concurrent_requests: 1024,
            request_timeout: Duration::from_secs(5),
            max_connection_age: None,
        }
    }
}

impl Section for Grpc {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        v.value("addr", &mut self.addr, &["<P>_GRPC_ADDR"], "The bind address of the GRPC service.");
        v.section("tls", &mut self.tls);
        v.value(
            "protocol",
            &mut self.protocol,
            &["OCIS_GRPC_PROTOCOL", "<P>_GRPC_PROTOCOL"],
            "The transport protocol of the GRPC service.",
        )
        .one_of(&["tcp", "unix"]);
        v.value(
            "max_received_message_size",
            &mut self.max_received_message_size,
            &["OCIS_GRPC_MAX_RECEIVED_MESSAGE_SIZE", "<P>_GRPC_MAX_RECEIVED_MESSAGE_SIZE"],
            "The size in bytes of the longest message the GRPC service accepts. If unset, 64 KiB, but 128 KiB for the administration of idp and 2 MiB for the import of app tokens.",
        );
        v.value(
            "max_header_size",
            &mut self.max_header_size,
            &["OCIS_GRPC_MAX_HEADER_SIZE", "<P>_GRPC_MAX_HEADER_SIZE"],
            "The size in bytes of the largest request headers (metadata) the GRPC service accepts.",
        );
        v.value(
            "max_concurrent_requests",
            &mut self.max_concurrent_requests,
            &["<P>_GRPC_MAX_CONCURRENT_REQUESTS"],
            "How many requests the GRPC service handles at the same time.",
        );
        v.value(
            "request_timeout",
            &mut self.request_timeout,
            &["<P>_GRPC_REQUEST_TIMEOUT"],
            "The time after which the GRPC service gives up a request.",
        );
        v.value(
            "max_connection_age",
            &mut self.max_connection_age,
            &["GRPC_MAX_CONNECTION_AGE", "<P>_GRPC_MAX_CONNECTION_AGE"],
            "The time after which clients of the GRPC service are asked to connect anew. About half an hour if unset.",
        );
        v.value(
            "trusted_networks",
            &mut self.trusted_networks,
            &["OCIS_GRPC_TRUSTED_NETWORKS", "<P>_GRPC_TRUSTED_NETWORKS"],
            "Addresses and networks (like 10.0.0.0/8) of services that call the GRPC service without a client certificate. They, callers by a Unix socket and those with a certificate that OCIS_GRPC_TLS_CLIENT_CA has signed are believed when they pass on which address a credential came from.",
        );
    }

    fn validate(&self) -> Result<(), Invalid> {
        let is_socket = matches!(self.addr, ListenAddr::Unix(_));
        if self.protocol == "unix" && !is_socket && self.addr != ListenAddr::Off {
            return Err(Invalid::new("addr", "must be the path of a socket, as the protocol is unix"));
        }
        TrustedProxies::parse(&self.trusted_networks)
            .map_err(|problem| Invalid::new("trusted_networks", format!("is a list of networks; {problem}")))?;
        positive("max_concurrent_requests", self.max_concurrent_requests)?;
        header_size(self.max_header_size)?;
        self.max_received_message_size.map_or(Ok(()), |size| positive("max_received_message_size", size))
    }
}

/// `grpc.tls`: the gRPC server's certificate.
#[derive(Clone, Debug, Default)]
pub struct GrpcTls {
    /// Whether only TLS is spoken.
    pub enabled: bool,
    /// The certificate; without one a temporary one is made.
    pub cert: Option<PathBuf>,
    /// The certificate's key.
    pub key: Option<PrivateKeyFile>,
    /// Who must have signed a client's certificate; without it clients need none.
    pub client_ca: Option<PathBuf>,
}

impl Section for GrpcTls {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        v.value(
            "enabled",
            &mut self.enabled,
            &["OCIS_GRPC_TLS_ENABLED"],
            "Activates TLS for the grpc based services using the server certifcate and key configured via OCIS_GRPC_TLS_CERTIFICATE and OCIS_GRPC_TLS_KEY. If OCIS_GRPC_TLS_CERTIFICATE is not set a temporary server certificate is generated - to be used with OCIS_GRPC_CLIENT_TLS_MODE=insecure.",
        );
        v.value(
            "cert",
            &mut self.cert,
            &["OCIS_GRPC_TLS_CERTIFICATE"],
            "Path/File name of the TLS server certificate (in PEM format) for the grpc services.",
        );
        v.private_key(
            "key",
            &mut self.key,
            &["OCIS_GRPC_TLS_KEY"],
            "Path/File name for the TLS certificate key (in PEM format) for the server certificate to use for the grpc services.",
        );
        v.value(
            "client_ca",
            &mut self.client_ca,
            &["OCIS_GRPC_TLS_CLIENT_CA"],
            "Path/File name for the CA certificate (in PEM format) that must have signed the certificates of clients of the grpc services. Clients need no certificate if unset.",
        );
    }

    fn validate(&self) -> Result<(), Invalid> {
        cert_and_key(self.cert.as_ref(), self.key.as_ref())?;
        if self.client_ca.is_some() && !self.enabled {
            return Err(Invalid::new("enabled", "must be true where clients have to show a certificate"));
        }
        Ok(())
    }
}
