//! Connections to backends.

use std::path::Path;
use std::time::Duration;

use http::Uri;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use runtime::TlsError;
use tokio::net::TcpStream;
use tower::ServiceExt;
use tower::util::MapResponse;

use super::upload::Upload;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept: shorter than servers usually do, so that few are found closed.
const IDLE: Duration = Duration::from_secs(30);

type Tcp = TokioIo<TcpStream>;
/// Services of this process believe what the edge says of its clients by the connections that are recorded.
type Recorded = MapResponse<HttpConnector, fn(Tcp) -> Tcp>;
type Connector = HttpsConnector<Recorded>;

/// Clients of backends, which share connections.
pub struct Clients {
    http1: Client<Connector, Upload>,
    http2: Client<Connector, Upload>,
}

impl Clients {
    /// Trusts the authorities in this file, else the system's; anybody if `insecure`.
    ///
    /// # Errors
    /// When the file is of no use.
    pub fn new(authorities: Option<&Path>, insecure: bool) -> Result<Self, TlsError> {
        let tls = runtime::client::https("PROXY_HTTPS_CACERT", authorities, insecure)?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let record: fn(Tcp) -> Tcp = |stream| {
            runtime::record_own_connection(stream.inner());
            stream
        };
        let http: Recorded = ServiceExt::<Uri>::map_response(http, record);
        let builder = || {
            let mut builder = Client::builder(TokioExecutor::new());
            // the host is set where all headers are
            builder.pool_timer(TokioTimer::new()).timer(TokioTimer::new()).pool_idle_timeout(IDLE).set_host(false);
            builder
        };
        let connector = || HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http();
        let http1 = builder().build(connector().enable_http1().wrap_connector(http.clone()));
        let http2 = builder().http2_only(true).build(connector().enable_http2().wrap_connector(http));
        Ok(Self { http1, http2 })
    }

    pub(super) async fn send(
        &self,
        request: http::Request<Upload>,
        http2: bool,
    ) -> Result<http::Response<Incoming>, Error> {
        let client = if http2 { &self.http2 } else { &self.http1 };
        client.request(request).await
    }
}
