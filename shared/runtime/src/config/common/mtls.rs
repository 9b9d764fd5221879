//! The server for clients with certificates.

use std::path::PathBuf;

use super::super::{Invalid, ListenAddr, PrivateKeyFile, Section, Visitor};
use super::cert_and_key;

/// `mtls`: an HTTPS server beside the HTTP server, for programs that prove who they are by a certificate. It is one of its
/// own, as browsers ask people for a certificate wherever a server asks for one.
#[derive(Clone, Debug, Default)]
pub struct Mtls {
    /// Where it listens.
    pub addr: ListenAddr,
    /// Its certificate; without one, that of the HTTP server.
    pub cert: Option<PathBuf>,
    /// The certificate's key.
    pub key: Option<PrivateKeyFile>,
    /// Who vouches for clients. Certificates that nobody vouches for are accepted too, and told apart.
    pub client_ca: Option<PathBuf>,
}

impl Section for Mtls {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        v.value(
            "addr",
            &mut self.addr,
            &["<P>_MTLS_ADDR"],
            "The bind address of the HTTPS service for programs that show a client certificate. Not served if empty.",
        );
        v.value(
            "cert",
            &mut self.cert,
            &["OCIS_MTLS_CERTIFICATE"],
            "Path/File name of the TLS server certificate (in PEM format) of that service. If not set, that of the http services.",
        );
        v.private_key(
            "key",
            &mut self.key,
            &["OCIS_MTLS_KEY"],
            "Path/File name for the TLS certificate key (in PEM format) of that certificate.",
        );
        v.value(
            "client_ca",
            &mut self.client_ca,
            &["OCIS_MTLS_CLIENT_CA"],
            "Path/File name for the CA certificates (in PEM format) that vouch for the names in client certificates. If not set, a client certificate proves nothing but its key.",
        );
    }

    fn validate(&self) -> Result<(), Invalid> {
        cert_and_key(self.cert.as_ref(), self.key.as_ref())
    }
}
