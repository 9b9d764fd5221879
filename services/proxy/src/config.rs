use std::path::PathBuf;

use runtime::config::{
    Debug, Grpc, GrpcClientTls, Http, Invalid, ListenAddr, Log, Section, TokenManager, Tracing, Visitor,
};

/// The configuration of proxy.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where spans are sent.
    pub tracing: Tracing,
    /// What is logged.
    pub log: Log,
    /// The server for health and metrics.
    pub debug: Debug,
    /// The server for Envoy's external authorization.
    pub grpc: Grpc,
    /// The server for everybody.
    pub http: Public,
    /// TLS towards the gateway.
    pub grpc_client_tls: GrpcClientTls,
    /// The keys of the internal token.
    pub token_manager: TokenManager,
    /// The gateway.
    pub gateway: String,
    /// The routes and access rules; none is the family's own routes.
    pub routes_file: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tracing: Tracing::default(),
            log: Log::default(),
            debug: Debug::at("127.0.0.1:9205"),
            grpc: Grpc::at("127.0.0.1:9201"),
            http: Public::default(),
            grpc_client_tls: GrpcClientTls::default(),
            token_manager: TokenManager::default(),
            gateway: "127.0.0.1:9142".to_owned(),
            routes_file: None,
        }
    }
}

impl Section for Config {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        v.section("tracing", &mut self.tracing);
        v.section("log", &mut self.log);
        v.section("debug", &mut self.debug);
        v.section("grpc", &mut self.grpc);
        v.section("http", &mut self.http);
        v.section("grpc_client_tls", &mut self.grpc_client_tls);
        v.section("token_manager", &mut self.token_manager);
        v.value("gateway", &mut self.gateway, &["<P>_GATEWAY_ENDPOINT"], "The endpoint of the gateway.")
            .required("name the endpoint of the gateway, like 127.0.0.1:9142");
        v.value(
            "routes_file",
            &mut self.routes_file,
            &["<P>_ROUTES_FILE"],
            "A YAML file with the routes and access rules. If empty, the family's own routes are served.",
        );
    }
}

/// `http`: the server for everybody. It has the proxy's own variables for TLS, as the systems have them whose place it takes.
#[derive(Clone, Debug)]
pub struct Public(pub Http);

impl Default for Public {
    fn default() -> Self {
        let mut http = Http::at("0.0.0.0:9200");
        http.tls.enabled = true;
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
        v.value(
            "tls_key",
            &mut http.tls.key,
            &["<P>_TRANSPORT_TLS_KEY"],
            "Path/File name for the TLS certificate key (in PEM format) for the server certificate.",
        );
        v.value(
            "max_concurrent_requests",
            &mut http.max_concurrent_requests,
            &["<P>_HTTP_MAX_CONCURRENT_REQUESTS"],
            "How many requests are handled at the same time.",
        );
    }

    fn validate(&self) -> Result<(), Invalid> {
        match (&self.0.tls.cert, &self.0.tls.key) {
            (Some(_), None) => Err(Invalid::new("tls_key", "must be set, as the certificate is")),
            (None, Some(_)) => Err(Invalid::new("tls_cert", "must be set, as its key is")),
            _ if self.0.addr == ListenAddr::Off => Err(Invalid::new("addr", "must be an address")),
            _ => Ok(()),
        }
    }
}
