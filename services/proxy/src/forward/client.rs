//! Connections to backends.

use std::path::Path;
use std::time::Duration;

use http::request::Parts;
use http::{Extensions, Method, Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Builder, Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use runtime::TlsError;
use tokio::net::TcpStream;
use tower::ServiceExt;
use tower::util::MapResponse;

use super::connection::{History, Tracked};
use super::upload::{Progress, Upload};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept: shorter than servers usually do, so that few are found closed.
const IDLE: Duration = Duration::from_secs(30);
/// The methods that are sent again when a pooled connection turns out to be closed: doing it twice changes nothing more than
/// doing it once (RFC 9110 9.2.2, RFC 4918 9.1).
const IDEMPOTENT: [&str; 5] = ["GET", "HEAD", "OPTIONS", "PROPFIND", "PUT"];

type Tcp = TokioIo<TcpStream>;
type Plain = HttpsConnector<HttpConnector>;
type Stream = MaybeHttpsStream<Tcp>;
type Connector = MapResponse<Plain, fn(Stream) -> TokioIo<Tracked>>;

/// Clients of backends, which share connections.
pub struct Clients {
    http1: Protocol,
    http2: Protocol,
}

/// The clients that speak one version of HTTP.
struct Protocol {
    /// Uses a connection again.
    pooled: Client<Connector, Upload>,
    /// Makes a connection for each request.
    fresh: Client<Connector, Upload>,
    is_http2: bool,
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
        let builder = || HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http();
        let http1 = builder().enable_http1().wrap_connector(http.clone());
        let http2 = builder().enable_http2().wrap_connector(http);
        Ok(Self { http1: Protocol::new(&http1, false), http2: Protocol::new(&http2, true) })
    }

    pub(super) async fn send(&self, request: Request<Upload>, http2: bool) -> Result<Response<Incoming>, Error> {
        if http2 { self.http2.send(request).await } else { self.http1.send(request).await }
    }
}

impl Protocol {
    fn new(connector: &Plain, is_http2: bool) -> Self {
        let client = |most_idle: usize| {
            let track: fn(Stream) -> TokioIo<Tracked> = if is_http2 {
                |stream| TokioIo::new(Tracked::new(stream, true))
            } else {
                |stream| TokioIo::new(Tracked::new(stream, false))
            };
            let connector = ServiceExt::<Uri>::map_response(connector.clone(), track);
            let mut builder = Builder::new(TokioExecutor::new());
            builder.pool_timer(TokioTimer::new()).timer(TokioTimer::new()).pool_idle_timeout(IDLE);
            // the host is set where all headers are
            builder.pool_max_idle_per_host(most_idle).set_host(false).http2_only(is_http2).build(connector)
        };
        Self { pooled: client(usize::MAX), fresh: client(0), is_http2 }
    }

    /// Sends a request, and once more on a connection of its own where that is safe: the backend has closed a pooled connection at the
    /// moment in which it was used, and the request may be repeated; or the backend says that it has not processed the request
    /// (RFC 9113 8.7), whatever its method.
    async fn send(&self, request: Request<Upload>) -> Result<Response<Incoming>, Error> {
        let (parts, upload) = request.into_parts();
        let copy = Repeat::of(&parts, &upload, self.is_http2);
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
            |copy: &Repeat| (copy.is_idempotent && self.was_pooled_and_closed(&error)) || is_unprocessed(&error);
        match copy.filter(is_safe).and_then(Repeat::request) {
            Some(request) => {
                tracing::debug!(%error, "the backend has not answered; the request is sent again");
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

/// Whether the backend says that it has not processed a request: it has refused the stream, or gone away with a lower last stream
/// (RFC 9113 8.7). An HTTP/2 stream above that one is the only one that fails with the backend's GOAWAY.
fn is_unprocessed(error: &Error) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            let is_refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
            return error.is_remote() && (is_refused || error.is_go_away());
        }
        source = error.source();
    }
    false
}

/// What is needed to send a request again, as long as nothing of its body was read.
struct Repeat {
    parts: Parts,
    progress: Progress,
    is_idempotent: bool,
}

impl Repeat {
    /// The copy of a request, if there are circumstances in which it is sent again.
    fn of(parts: &Parts, upload: &Upload, is_http2: bool) -> Option<Self> {
        let method: &Method = &parts.method;
        let is_idempotent = IDEMPOTENT.contains(&method.as_str());
        let copy = || Self { parts: parts.clone(), progress: upload.progress().clone(), is_idempotent };
        (is_idempotent || is_http2).then(copy)
    }

    fn request(self) -> Option<Request<Upload>> {
        self.progress.again().map(|upload| Request::from_parts(self.parts, upload))
    }
}
