//! The public HTTP server.

use std::path::PathBuf;

use config::{Http, HttpTls, Invalid, ListenAddr, MAX_HEADER_SIZE, PrivateKeyFile, Section, TlsVariables};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many requests an edge handles at a time: each that is passed on to a slow backend is one.
const CONCURRENT: usize = 8192;

/// `http`: the public HTTP server. Its TLS variables are those of the proxy of oCIS.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Settings", into = "Settings")]
pub struct Public(pub Http);

/// The settings of [`Public`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Settings {
    /// The bind address of the HTTP service.
    #[schemars(extend("x-env" = ["<P>_HTTP_ADDR"], "default" = "0.0.0.0:9200"))]
    addr: ListenAddr,
    /// The bind address of a server for plain HTTP, like :80, which redirects to the HTTPS service and answers http-01
    /// challenges of ACME. Not served if empty.
    #[schemars(extend("x-env" = ["<P>_HTTP_REDIRECT_ADDR"]))]
    redirect_addr: ListenAddr,
    /// Whether TLS is spoken. Switch it off only behind something that does.
    #[schemars(extend("x-env" = ["<P>_TLS"], "default" = true))]
    tls: bool,
    /// Path/File name of the TLS server certificate (in PEM format). If empty, a self-signed one is generated.
    #[schemars(extend("x-env" = ["<P>_TRANSPORT_TLS_CERT"]))]
    tls_cert: Option<PathBuf>,
    /// Path/File name for the TLS certificate key (in PEM format) for the server certificate.
    #[schemars(extend("x-env" = ["<P>_TRANSPORT_TLS_KEY"], "x-certificate" = "tls_cert"))]
    tls_key: Option<PrivateKeyFile>,
    /// Addresses and networks (like 10.0.0.0/8) of the proxies in front of the HTTP service. X-Forwarded-For is trusted
    /// only in requests from these.
    #[schemars(extend("x-env" = ["OCIS_TRUSTED_PROXIES", "<P>_TRUSTED_PROXIES"]))]
    trusted_proxies: Vec<String>,
    /// The size in bytes of the largest request headers the HTTP service accepts; larger ones are answered with 431.
    #[schemars(extend("x-env" = ["OCIS_HTTP_MAX_HEADER_SIZE", "<P>_HTTP_MAX_HEADER_SIZE"]))]
    #[schemars(extend("default" = MAX_HEADER_SIZE))]
    max_header_size: usize,
    /// How many requests are handled at the same time.
    #[schemars(extend("x-env" = ["<P>_HTTP_MAX_CONCURRENT_REQUESTS"], "default" = CONCURRENT))]
    max_concurrent_requests: usize,
}

impl From<Public> for Settings {
    fn from(Public(http): Public) -> Self {
        Self {
            addr: http.addr,
            redirect_addr: http.redirect_addr,
            tls: http.tls.enabled,
            tls_cert: http.tls.cert,
            tls_key: http.tls.key,
            trusted_proxies: http.trusted_proxies,
            max_header_size: http.max_header_size,
            max_concurrent_requests: http.max_concurrent_requests,
        }
    }
}

impl From<Settings> for Public {
    fn from(settings: Settings) -> Self {
        let Settings { addr, tls: enabled, tls_cert: cert, tls_key: key, .. } = settings;
        let variables = TlsVariables { cert: "PROXY_TRANSPORT_TLS_CERT", key: "PROXY_TRANSPORT_TLS_KEY" };
        let mut http = Http {
            addr,
            // its clients are those of users, which have no certificate of the family
            tls: HttpTls { enabled, cert, key, client_ca: None, variables },
            trusted_proxies: settings.trusted_proxies,
            max_header_size: settings.max_header_size,
            max_concurrent_requests: settings.max_concurrent_requests,
            redirect_addr: settings.redirect_addr,
            ..config::defaults()
        };
        // the backends answer preflights for what is theirs
        http.cors.allow_origins.clear();
        Self(http)
    }
}

impl Section for Public {
    fn validate(&self) -> Result<(), Invalid> {
        self.0.validate()?;
        Invalid::unless(self.0.addr != ListenAddr::Off, "addr", "must be an address")
    }
}
