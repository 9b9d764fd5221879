//! The server for everybody.

use runtime::config::{Http, Invalid, ListenAddr, Section, TlsVariables, Visitor};

/// `http`: the server for everybody. It has the proxy's own variables for TLS, as the systems have them whose place it takes.
#[derive(Clone, Debug)]
pub struct Public(pub Http);

/// How many requests an edge handles at a time: each that is passed on to a slow backend is one.
const CONCURRENT: usize = 8192;

impl Default for Public {
    fn default() -> Self {
        let mut http = Http { max_concurrent_requests: CONCURRENT, ..Http::at("0.0.0.0:9200") };
        http.tls.enabled = true;
        http.tls.variables = TlsVariables { cert: "PROXY_TRANSPORT_TLS_CERT", key: "PROXY_TRANSPORT_TLS_KEY" };
        // the backends answer preflights for what is theirs
        http.cors.allow_origins.clear();
        Self(http)
    }
}

impl Section for Public {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        let http = &mut self.0;
        v.value("addr", &mut http.addr, &["<P>_HTTP_ADDR"], "The bind address of the HTTP service.");
        v.value(
            "tls",
            &mut http.tls.enabled,
            &["<P>_TLS"],
            "Whether TLS is spoken. Switch it off only behind something that does.",
        );
        v.value(
            "tls_cert",
            &mut http.tls.cert,
            &["<P>_TRANSPORT_TLS_CERT"],
            "Path/File name of the TLS server certificate (in PEM format). If empty, one is made that nobody has signed.",
        );
        v.private_key(
            "tls_key",
            &mut http.tls.key,
            &["<P>_TRANSPORT_TLS_KEY"],
            "Path/File name for the TLS certificate key (in PEM format) for the server certificate.",
        );
        http.visit_shared(v);
        v.value(
            "max_concurrent_requests",
            &mut http.max_concurrent_requests,
            &["<P>_HTTP_MAX_CONCURRENT_REQUESTS"],
            "How many requests are handled at the same time.",
        );
    }

    fn validate(&self) -> Result<(), Invalid> {
        self.0.validate_shared()?;
        match (&self.0.tls.cert, &self.0.tls.key) {
            (Some(_), None) => Err(Invalid::new("tls_key", "must be set, as the certificate is")),
            (None, Some(_)) => Err(Invalid::new("tls_cert", "must be set, as its key is")),
            _ if self.0.addr == ListenAddr::Off => Err(Invalid::new("addr", "must be an address")),
            _ => Ok(()),
        }
    }
}
