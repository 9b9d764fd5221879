//! Connections to backends.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::HttpClientTls;
use http::request::Parts;
use http::{Extensions, Method, Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Builder, Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use runtime::client::is_unprocessed;
use runtime::{CertificateExpiry, Context, FileSetting, FileValue, Reading, Service, TlsError};
use tokio::net::TcpStream;
use tower::ServiceExt;
use tower::util::MapResponse;

use super::connection::{BackendConnection, History};
use super::upload::{Progress, Upload};
use crate::config::Config;

/// The setting that names the file of authorities.
const SETTING: &str = "PROXY_HTTPS_CACERT";
/// The setting that names the certificate that backends are shown.
const CERTIFICATE: &str = "OCIS_HTTP_CLIENT_TLS_CERTIFICATE";
/// The timeout of connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept: shorter than usual servers keep it, so that few are found closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// The idempotent methods, which are sent again when a pooled connection was closed (RFC 9110 9.2.2, RFC 4918 9.1).
const IDEMPOTENT: [&str; 5] = ["GET", "HEAD", "OPTIONS", "PROPFIND", "PUT"];

type Tcp = TokioIo<TcpStream>;
type Plain = HttpsConnector<HttpConnector>;
type Stream = MaybeHttpsStream<Tcp>;
type Connector = MapResponse<Plain, fn(Stream) -> TokioIo<BackendConnection>>;

/// Clients of backends, which share connections.
pub struct Clients {
    http1: Protocol,
    http2: Protocol,
    /// When the certificates expire that they use.
    expiries: Vec<CertificateExpiry>,
}

/// The clients that speak one version of HTTP.
struct Protocol {
    /// Reuses connections.
    pooled: Client<Connector, Upload>,
    /// Connects for each request.
    fresh: Client<Connector, Upload>,
    is_http2: bool,
}

impl Clients {
    /// Trusts the authorities in the file of the configuration, else the system's; any certificate where that is insecure. Backends that
    /// ask for a certificate of its authority are shown that of the configuration. Files are read again when they change and at SIGHUP;
    /// requests that are sent already continue.
    ///
    /// # Errors
    /// If a file cannot be used.
    pub(crate) fn follow(config: &Config, context: &Context) -> Result<Arc<FileValue<Self>>, TlsError> {
        let insecure = config.insecure_backends;
        let (authorities, own) = (config.https_cacert.clone(), config.http_client_tls.clone());
        let files: Vec<PathBuf> = authorities.as_deref().into_iter().chain(own.files()).map(Path::to_owned).collect();
        if files.is_empty() {
            return Ok(FileValue::fixed(Self::new(None, insecure, &own)?));
        }
        let name = if authorities.is_some() { SETTING } else { CERTIFICATE };
        let setting = FileSetting { service: crate::Proxy::IDENTITY.name, name, files: files.clone() };
        let read = move |_: Option<&Self>| {
            let value = Self::new(authorities.as_deref(), insecure, &own)?;
            Ok::<_, TlsError>(Reading { value, files: files.clone() })
        };
        let clients = FileValue::open(setting, read, |_, _| "new connections use it".to_owned(), context)?;
        context.certificates.follow(&clients, |clients| clients.expiries.clone(), context);
        Ok(clients)
    }

    fn new(authorities: Option<&Path>, insecure: bool, own: &HttpClientTls) -> Result<Self, TlsError> {
        let tls = runtime::client::https_with_certificate(SETTING, authorities, insecure, own)?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let builder = || HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http();
        let http1 = builder().enable_http1().wrap_connector(http.clone());
        let http2 = builder().enable_http2().wrap_connector(http);
        let expiries = runtime::client::https_expiries(SETTING, authorities, own)?;
        Ok(Self { http1: Protocol::new(&http1, false), http2: Protocol::new(&http2, true), expiries })
    }

    pub(super) async fn send(&self, request: Request<Upload>, http2: bool) -> Result<Response<Incoming>, Error> {
        if http2 { self.http2.send(request).await } else { self.http1.send(request).await }
    }
}

impl Protocol {
    fn new(connector: &Plain, is_http2: bool) -> Self {
        let client = |most_idle: usize| {
            let track: fn(Stream) -> TokioIo<BackendConnection> = if is_http2 {
                |stream| TokioIo::new(BackendConnection::new(stream, true))
            } else {
                |stream| TokioIo::new(BackendConnection::new(stream, false))
            };
            let connector = ServiceExt::<Uri>::map_response(connector.clone(), track);
            let mut builder = Builder::new(TokioExecutor::new());
            builder.pool_timer(TokioTimer::new()).timer(TokioTimer::new()).pool_idle_timeout(IDLE_TIMEOUT);
            // `Forwarder` sets the Host header.
            builder.pool_max_idle_per_host(most_idle).set_host(false).http2_only(is_http2).build(connector)
        };
        Self { pooled: client(usize::MAX), fresh: client(0), is_http2 }
    }

    /// Sends a request, and once more on a new connection where that is safe: if the backend has closed a pooled connection while it was
    /// used, and the method is idempotent; or if the backend states that it has not processed the request (RFC 9113 8.7).
    async fn send(&self, request: Request<Upload>) -> Result<Response<Incoming>, Error> {
        let (parts, upload) = request.into_parts();
        let retry = Retry::of(&parts, &upload, self.is_http2);
        let error = match self.pooled.request(Request::from_parts(parts, upload)).await {
            Ok(response) => {
                if let Some(history) = History::of(response.extensions()) {
                    history.note_answer();
                }
                return Ok(response);
            }
            Err(error) => error,
        };
        let is_safe =
            |retry: &Retry| (retry.is_idempotent && self.was_pooled_and_closed(&error)) || is_unprocessed(&error);
        match retry.filter(is_safe).and_then(Retry::request) {
            Some(request) => {
                tracing::debug!(%error, "the backend has not responded; sending the request again");
                self.fresh.request(request).await
            }
            None => Err(error),
        }
    }

    fn was_pooled_and_closed(&self, error: &Error) -> bool {
        let mut extensions = Extensions::new();
        if let Some(connection) = error.connect_info() {
            connection.get_extras(&mut extensions);
        }
        History::of(&extensions).is_some_and(|history| history.was_pooled_and_closed(self.is_http2))
    }
}

/// What sends a request again, unless a part of its body was read.
struct Retry {
    parts: Parts,
    progress: Progress,
    is_idempotent: bool,
}

impl Retry {
    /// That of a request which may be sent again.
    fn of(parts: &Parts, upload: &Upload, is_http2: bool) -> Option<Self> {
        let method: &Method = &parts.method;
        let is_idempotent = IDEMPOTENT.contains(&method.as_str());
        let retry = || Self { parts: parts.clone(), progress: upload.progress().clone(), is_idempotent };
        (is_idempotent || is_http2).then(retry)
    }

    fn request(self) -> Option<Request<Upload>> {
        self.progress.again().map(|upload| Request::from_parts(self.parts, upload))
    }
}
