//! A replica of the family, in one process, on a database that it shares.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use proto::cs3::auth::applications::v1beta1::InvalidateAppPasswordRequest;
use reqwest::RequestBuilder;
use status::Kind;
use testkit::{Layout, Mode, TestFamily, is_ok, secret};
use tokio::net::TcpListener;
use tonic::{Request, metadata::MetadataValue};

/// The most from the return of the database until a replica accepts a request that needs it, and says that it is ready.
pub(crate) const HEALTHY: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Accepted,
    Refused,
    Unavailable,
}

/// A replica of the family in a process of its own.
pub(crate) struct Replica {
    pub(crate) family: TestFamily,
    http: reqwest::Client,
}

impl Replica {
    pub(crate) async fn start(mut layout: Layout, database: &str, is_first: bool) -> Self {
        let routes = layout.folder().join("routes.yaml");
        let backend = backend().await;
        std::fs::write(&routes, format!("routes:\n  - {{ path: /, backend: 'http://{backend}' }}\n")).expect("writes");
        for (name, value) in [
            ("OCIS_DATABASE_URL", database),
            ("OCIS_LOG_LEVEL", "info"),
            ("PROXY_ROUTES_FILE", &routes.display().to_string()),
            ("PROXY_TLS", "false"),
            ("PROXY_ENABLE_BASIC_AUTH", "true"),
        ] {
            layout.set(name, value);
        }
        let family = if is_first {
            TestFamily::start_with(layout, Mode::OneProcess, |context| context).await
        } else {
            TestFamily::start_empty(layout, Mode::OneProcess).await
        };
        // the servers close connections that are idle for ten seconds: none is used at that moment
        let http = reqwest::Client::builder().no_proxy().pool_idle_timeout(Duration::from_secs(5));
        let http = http.build().expect("a client");
        Self { family, http }
    }

    /// What the gateway answers to a credential, by gRPC.
    pub(crate) async fn authenticate(&self, kind: &str, id: &str, secret: &str) -> Answer {
        match self.family.authenticate(kind, id, secret).await {
            Ok(_) => Answer::Accepted,
            Err((Kind::Unauthenticated, _)) => Answer::Refused,
            Err((Kind::Unavailable, _)) => Answer::Unavailable,
            // the client itself gives up after two seconds, which a loaded machine may need to say that
            Err((_, text)) if text == "Timeout expired" => Answer::Unavailable,
            Err(other) => panic!("the gateway: {other:?}"),
        }
    }

    /// What the gateway answers to einstein's app token, by gRPC.
    pub(crate) async fn gateway(&self, token: &str) -> Answer {
        self.authenticate("appauth", "einstein", token).await
    }

    /// What the edge answers to a request with that token as a password.
    pub(crate) async fn edge(&self, token: &str) -> Answer {
        self.page(|request| request.basic_auth("einstein", Some(token))).await
    }

    /// What the edge answers to a request with an access token.
    pub(crate) async fn bearer(&self, token: &str) -> Answer {
        self.page(|request| request.bearer_auth(token)).await
    }

    async fn page(&self, with_credential: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Answer {
        let url = format!("http://{}/page", self.family.layout.variables()["PROXY_HTTP_ADDR"]);
        let answer = with_credential(self.http.get(url)).send().await.expect("the edge answers");
        match answer.status() {
            StatusCode::OK => Answer::Accepted,
            StatusCode::UNAUTHORIZED => Answer::Refused,
            StatusCode::SERVICE_UNAVAILABLE => Answer::Unavailable,
            other => panic!("the edge: {other}"),
        }
    }

    pub(crate) async fn both(&self, token: &str) -> [Answer; 2] {
        let (gateway, edge) = tokio::join!(self.gateway(token), self.edge(token));
        [gateway, edge]
    }

    /// Whether all its services say that they are ready.
    pub(crate) async fn is_ready(&self) -> bool {
        let variables = self.family.layout.variables();
        let url = format!("http://{}/readyz", variables["GATEWAY_DEBUG_ADDR"]);
        self.http.get(url).send().await.expect("the debug server answers").status() == StatusCode::OK
    }

    pub(crate) async fn revoke(&self, token: &str) {
        let password = token.to_owned();
        let mut request = Request::new(InvalidateAppPasswordRequest { password, ..Default::default() });
        let by = MetadataValue::try_from(self.family.token_of("einstein").await).expect("a token is ASCII");
        request.metadata_mut().insert(token::METADATA_KEY, by);
        let answer = self.family.gateway().invalidate_app_password(request).await.expect("auth-app answers");
        assert!(is_ok(answer.into_inner().status.as_ref()), "the token is revoked");
    }
}

/// Two replicas behind one URL, which is the first one's.
pub(crate) async fn two_behind_one_url(database: &str) -> (String, [Replica; 2]) {
    let first = layout("replica-here");
    let port = first.variables()["PROXY_HTTP_ADDR"].rsplit_once(':').expect("a port").1.to_owned();
    let url = format!("http://localhost:{port}");
    let second = replica_of(&first);
    let [first, second] = [first, second].map(|mut layout| {
        for variable in ["PROXY_IDP_BACKEND", "PROXY_AUTH_APP_BACKEND", "PROXY_AUTH_BEARER_BACKEND"] {
            layout.unset(variable);
        }
        layout.set("OCIS_URL", &url);
        layout
    });
    let first = Replica::start(first, database, true).await;
    let second = Replica::start(second, database, false).await;
    (url, [first, second])
}

/// What is behind the edge.
async fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(async || "backend")).await });
    address
}

/// A layout with the secrets that a data folder makes, and that replicas share.
pub(crate) fn layout(name: &str) -> Layout {
    let mut layout = Layout::new(name, false);
    for name in ["IDP_EDGE_CLIENT_SECRET", "PROXY_SESSION_SECRET"] {
        layout.set(name, &secret());
    }
    layout
}

/// A replica's layout with the secrets of another.
pub(crate) fn replica_of(layout: &Layout) -> Layout {
    let mut replica = Layout::new("replica-elsewhere", false);
    for name in [
        "OCIS_JWT_SECRET",
        "OCIS_MACHINE_AUTH_API_KEY",
        "OCIS_SERVICE_ACCOUNT_SECRET",
        "AUTH_APP_TOKEN_KEY",
        "IDP_ENCRYPTION_SECRET",
        "IDP_EDGE_CLIENT_SECRET",
        "PROXY_SESSION_SECRET",
    ] {
        replica.set(name, &layout.variables()[name]);
    }
    replica.machine_key.clone_from(&layout.machine_key);
    replica
}
