//! The HTTP server.

use std::path::PathBuf;
use std::time::Duration;

use super::super::{Invalid, ListenAddr, PrivateKeyFile, Section, Visitor};
use super::{Cors, MAX_HEADER_SIZE, cert_and_key, header_size, positive};
use crate::TrustedProxies;

/// `http`: the HTTP server.
#[derive(Clone, Debug)]
pub struct Http {
    /// Where it listens.
    pub addr: ListenAddr,
    /// The path below which everything is served.
    pub root: String,
    /// Which pages of other sites may call it.
    pub cors: Cors,
    /// Its TLS.
    pub tls: HttpTls,
    /// Which proxies are believed when they say where a request comes from; see [`TrustedProxies::parse`].
    pub trusted_proxies: Vec<String>,
    /// The largest headers of a request that are accepted, in bytes.
    pub max_header_size: usize,
    /// The longest request body that is accepted, in bytes.
    pub max_body_size: usize,
    /// How many requests are handled at the same time; what comes on top of it is refused.
    pub max_concurrent_requests: usize,
    /// After which time a request is given up.
    pub request_timeout: Duration,
}

impl Http {
    /// The defaults, with a service's own address.
    pub fn at(addr: &str) -> Self {
        Self { addr: ListenAddr::built_in(addr), ..Self::default() }
    }

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

    /// Shows which proxies are believed and how large headers may be; for a service that shows the rest of this section in its
    /// own way. [`validate_shared`](Self::validate_shared) belongs to it.
    pub fn visit_shared(&mut self, v: &mut Visitor<'_>) {
        v.value(
            "trusted_proxies",
            &mut self.trusted_proxies,
            &["OCIS_TRUSTED_PROXIES", "<P>_TRUSTED_PROXIES"],
            "Addresses and networks (like 10.0.0.0/8) of the proxies in front of the HTTP service. Only they are believed when X-Forwarded-For says where a request comes from.",
        );
        v.value(
            "max_header_size",
            &mut self.max_header_size,
            &["OCIS_HTTP_MAX_HEADER_SIZE", "<P>_HTTP_MAX_HEADER_SIZE"],
            "The size in bytes of the largest request headers the HTTP service accepts; larger ones are answered with 431.",
        );
    }

    /// Whether the values that [`visit_shared`](Self::visit_shared) shows can be used.
    ///
    /// # Errors
    /// Names the value that cannot.
    pub fn validate_shared(&self) -> Result<(), Invalid> {
        TrustedProxies::parse(&self.trusted_proxies)
            .map_err(|problem| Invalid::new("trusted_proxies", format!("is a list of networks; {problem}")))?;
        header_size(self.max_header_size)
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            addr: ListenAddr::Off,
            root: "/".into(),
            cors: Cors::default(),
            tls: HttpTls::default(),
            trusted_proxies: Vec::new(),
            max_header_size: MAX_HEADER_SIZE,
            max_body_size: 1024 * 1024,
            max_concurrent_requests: 1024,
            request_timeout: Duration::from_secs(30),
        }
    }
}

impl Section for Http {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        v.value("addr", &mut self.addr, &["<P>_HTTP_ADDR"], "The bind address of the HTTP service.");
        v.value(
            "root",
            &mut self.root,
            &["<P>_HTTP_ROOT"],
            "Subdirectory that serves as the root for this HTTP service.",
        );
        v.section("cors", &mut self.cors);
        v.section("tls", &mut self.tls);
        self.visit_shared(v);
        v.value(
            "max_body_size",
            &mut self.max_body_size,
            &["<P>_HTTP_MAX_BODY_SIZE"],
            "The size in bytes of the longest request body the HTTP service accepts.",
        );
        v.value(
            "max_concurrent_requests",
            &mut self.max_concurrent_requests,
            &["<P>_HTTP_MAX_CONCURRENT_REQUESTS"],
            "How many requests the HTTP service handles at the same time.",
        );
        v.value(
            "request_timeout",
            &mut self.request_timeout,
            &["<P>_HTTP_REQUEST_TIMEOUT"],
            "The time after which the HTTP service gives up a request.",
        );
    }

    fn validate(&self) -> Result<(), Invalid> {
        if !self.root.starts_with('/') {
            return Err(Invalid::new("root", "must start with /"));
        }
        self.validate_shared()?;
        positive("max_concurrent_requests", self.max_concurrent_requests)
    }
}

/// `http.tls`: the HTTP server's certificate.
#[derive(Clone, Debug, Default)]
pub struct HttpTls {
    /// Whether only TLS is spoken.
    pub enabled: bool,
    /// The certificate; without one a temporary one is made.
    pub cert: Option<PathBuf>,
    /// The certificate's key.
    pub key: Option<PrivateKeyFile>,
    /// By which variables the operator sets both.
    pub variables: TlsVariables,
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

impl Section for HttpTls {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        v.value(
            "enabled",
            &mut self.enabled,
            &["OCIS_HTTP_TLS_ENABLED"],
            "Activates TLS for the http based services using the server certifcate and key configured via OCIS_HTTP_TLS_CERTIFICATE and OCIS_HTTP_TLS_KEY. If OCIS_HTTP_TLS_CERTIFICATE is not set a temporary server certificate is generated - to be used with PROXY_INSECURE_BACKEND=true.",
        );
        v.value(
            "cert",
            &mut self.cert,
            &["OCIS_HTTP_TLS_CERTIFICATE"],
            "Path/File name of the TLS server certificate (in PEM format) for the http services.",
        );
        v.private_key(
            "key",
            &mut self.key,
            &["OCIS_HTTP_TLS_KEY"],
            "Path/File name for the TLS certificate key (in PEM format) for the server certificate to use for the http services.",
        );
    }

    fn validate(&self) -> Result<(), Invalid> {
        cert_and_key(self.cert.as_ref(), self.key.as_ref())
    }
}
