//! The server for clients with certificates.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ListenAddr, PrivateKeyFile};

/// `mtls`: an HTTPS server in addition to the HTTP server, for programs that authenticate with a client certificate. It is a
/// separate server because browsers prompt users for a certificate wherever a server requests one.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Mtls {
    /// The bind address of the HTTPS service for programs that show a client certificate. Not served if empty.
    #[schemars(extend("x-env" = ["<P>_MTLS_ADDR"]))]
    pub addr: ListenAddr,
    /// Path/File name of the TLS server certificate (in PEM format) of that service. If not set, that of the http
    /// services.
    #[schemars(extend("x-env" = ["OCIS_MTLS_CERTIFICATE"]))]
    pub cert: Option<PathBuf>,
    /// Path/File name for the TLS certificate key (in PEM format) of that certificate.
    #[schemars(extend("x-env" = ["OCIS_MTLS_KEY"], "x-certificate" = "cert"))]
    pub key: Option<PrivateKeyFile>,
    /// Path/File name for the CA certificates (in PEM format) that vouch for the names in client certificates. If not
    /// set, a client certificate proves nothing but its key.
    #[schemars(extend("x-env" = ["OCIS_MTLS_CLIENT_CA"]))]
    pub client_ca: Option<PathBuf>,
}
