//! The HTTP server.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cors, MAX_HEADER_SIZE, header_size};
use crate::{Invalid, ListenAddr, Networks, PrivateKeyFile, Section};

/// `http`: the HTTP server.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Http {
    /// The bind address of the HTTP service.
    #[schemars(extend("x-env" = ["<P>_HTTP_ADDR"]))]
    pub addr: ListenAddr,
    /// Subdirectory that serves as the root for this HTTP service.
    #[schemars(extend("x-env" = ["<P>_HTTP_ROOT"], "default" = "/"))]
    pub root: String,
    /// Which pages of other sites may call it.
    pub cors: Cors,
    /// Its TLS.
    pub tls: HttpTls,
    /// Addresses and networks (like 10.0.0.0/8) of the proxies in front of the HTTP service. X-Forwarded-For is trusted
    /// only in requests from these.
    #[schemars(extend("x-env" = ["OCIS_TRUSTED_PROXIES", "<P>_TRUSTED_PROXIES"]))]
    pub trusted_proxies: Vec<String>,
    /// The size in bytes of the largest request headers the HTTP service accepts; larger ones are answered with 431.
    #[schemars(extend("x-env" = ["OCIS_HTTP_MAX_HEADER_SIZE", "<P>_HTTP_MAX_HEADER_SIZE"]))]
    #[schemars(extend("default" = MAX_HEADER_SIZE))]
    pub max_header_size: usize,
    /// The size in bytes of the longest request body the HTTP service accepts.
    #[schemars(extend("x-env" = ["<P>_HTTP_MAX_BODY_SIZE"], "default" = 1024 * 1024))]
    pub max_body_size: usize,
    /// How many requests the HTTP service handles at the same time.
    #[schemars(extend("x-env" = ["<P>_HTTP_MAX_CONCURRENT_REQUESTS"], "default" = 1024, "minimum" = 1))]
    pub max_concurrent_requests: usize,
    /// The time after which the HTTP service gives up a request.
    #[schemars(extend("x-env" = ["<P>_HTTP_REQUEST_TIMEOUT"], "default" = "30s"))]
    pub request_timeout: Duration,
    /// The bind address of a listener for plain HTTP that redirects to this server. It has no setting here: only the edge has one.
    #[serde(skip)]
    pub redirect_addr: ListenAddr,
}

impl Http {
    /// A warning where no proxy is believed: behind one, all clients count as one source. For services that count failures by
    /// source.
    pub fn source_warning(&self) -> Option<String> {
        (!self.addr.is_local() && self.trusted_proxies.is_empty()).then(|| {
            format!(
                "no proxy in front of the HTTP service at {} is believed when it passes on its clients' addresses, so that all of them count as one source of failed sign-ins; set OCIS_TRUSTED_PROXIES to the addresses or networks of the edge and other proxies",
                self.addr
            )
        })
    }
}

impl Section for Http {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![("cors", &self.cors), ("tls", &self.tls)]
    }

    fn validate(&self) -> Result<(), Invalid> {
        Invalid::unless(self.root.starts_with('/'), "root", "must start with /")?;
        Networks::parse(&self.trusted_proxies)
            .map_err(|problem| Invalid::new("trusted_proxies", format!("is a list of networks; {problem}")))?;
        header_size(self.max_header_size)
    }
}

/// `http.tls`: the HTTP server's certificate.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct HttpTls {
    /// Activates TLS for the http based services using the server certifcate and key configured via
    /// `OCIS_HTTP_TLS_CERTIFICATE` and `OCIS_HTTP_TLS_KEY`. If `OCIS_HTTP_TLS_CERTIFICATE` is not set a temporary
    /// server certificate is generated - to be used with `PROXY_INSECURE_BACKEND`=true.
    #[schemars(extend("x-env" = ["OCIS_HTTP_TLS_ENABLED"]))]
    pub enabled: bool,
    /// Path/File name of the TLS server certificate (in PEM format) for the http services.
    #[schemars(extend("x-env" = ["OCIS_HTTP_TLS_CERTIFICATE"]))]
    pub cert: Option<PathBuf>,
    /// Path/File name for the TLS certificate key (in PEM format) for the server certificate to use for the http
    /// services.
    #[schemars(extend("x-env" = ["OCIS_HTTP_TLS_KEY"], "x-certificate" = "cert"))]
    pub key: Option<PrivateKeyFile>,
    /// Path/File name for the CA certificate (in PEM format) that must have signed the certificates of clients of the http
    /// services, which are the edge and auth-bearer (`OCIS_HTTP_CLIENT_TLS_CERTIFICATE`). Clients need no certificate if
    /// unset. It does not apply to the edge, whose clients are browsers and programs of users.
    #[schemars(extend("x-env" = ["OCIS_HTTP_TLS_CLIENT_CA"]))]
    pub client_ca: Option<PathBuf>,
    /// By which variables the operator sets both.
    #[serde(skip)]
    pub variables: TlsVariables,
}

impl Section for HttpTls {
    fn validate(&self) -> Result<(), Invalid> {
        let is_used = self.client_ca.is_none() || self.enabled;
        Invalid::unless(is_used, "enabled", "must be true where clients have to show a certificate")
    }
}

/// By which variables a server's certificate and its key are set, for errors to name them.
#[derive(Clone, Copy, Debug)]
pub struct TlsVariables {
    /// That of the certificate.
    pub cert: &'static str,
    /// That of the key.
    pub key: &'static str,
}

impl Default for TlsVariables {
    fn default() -> Self {
        Self { cert: "OCIS_HTTP_TLS_CERTIFICATE", key: "OCIS_HTTP_TLS_KEY" }
    }
}
