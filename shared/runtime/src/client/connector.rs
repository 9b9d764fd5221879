//! Making a connection.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;
use tower::Service;

use super::endpoint::{Place, Target};
use super::{CONNECT_TIMEOUT, EndpointError};
use crate::tls::validity::{self, Dated};
use crate::tls::{self, KEPT, TlsError};
use crate::{Clock, Context, Random, Reload};
use config::{ClientTls, GrpcClientTls, PrivateKeyFile};

/// After which time the kernel gives up a peer that acknowledges nothing: one whose machine has vanished.
const VANISHED: Duration = Duration::from_secs(10);

type Plain = Either<TcpStream, UnixStream>;
type Stream = Either<Plain, Box<TlsStream<Plain>>>;

/// Connects to one target; each connection with the certificates of its day.
#[derive(Clone)]
pub(super) struct Connector(Arc<Inner>);

struct Inner {
    target: Target,
    server_name: ServerName<'static>,
    random: Random,
    clock: Clock,
    tls: GrpcClientTls,
    mode: ClientTls,
    reload: Reload,
    current: ArcSwap<Current>,
}

/// What was read from the certificates' files, and when.
struct Current {
    generation: u64,
    /// `None` when plain text is spoken.
    config: Option<Arc<ClientConfig>>,
    dated: Arc<[Dated]>,
}

impl Connector {
    pub(super) fn new(
        target: Target,
        tls: GrpcClientTls,
        mode: ClientTls,
        context: &Context,
    ) -> Result<Self, EndpointError> {
        let reload = context.reload.clone();
        let generation = reload.generation();
        let (config, dated) = read(&tls, mode)?;
        if config.is_some() {
            let certificates = [&tls.cacert, &tls.cert].into_iter().flatten().map(PathBuf::as_path);
            certificates.chain(tls.key.as_ref().map(PrivateKeyFile::path)).for_each(|file| reload.watch(file));
        }
        let malformed = |_| EndpointError::Malformed(target.to_string());
        let server_name = ServerName::try_from(target.host().to_owned()).map_err(malformed)?;
        let current = ArcSwap::from_pointee(Current { generation, config, dated });
        let (random, clock) = (context.random.clone(), context.clock.clone());
        Ok(Self(Arc::new(Inner { target, server_name, random, clock, tls, mode, reload, current })))
    }
}

impl Inner {
    async fn connect(&self) -> io::Result<Stream> {
        let plain = match &self.target.place {
            Place::Tcp(host, port) => Either::Left(self.connect_tcp(host, *port).await?),
            Place::Unix(path) => Either::Right(UnixStream::connect(path).await?),
        };
        match self.config() {
            None => Ok(Either::Left(plain)),
            Some(config) => {
                let stream = TlsConnector::from(config).connect(self.server_name.clone(), plain).await?;
                Ok(Either::Right(Box::new(stream)))
            }
        }
    }

    /// Tries a name's addresses in a random order, so that many clients spread over many replicas.
    async fn connect_tcp(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let mut addrs: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
        let start = self.random.below(addrs.len() as u64);
        addrs.rotate_left(usize::try_from(start).unwrap_or_default());
        let stream = TcpStream::connect(addrs.as_slice()).await?;
        stream.set_nodelay(true)?;
        let vanished = u32::try_from(VANISHED.as_millis()).unwrap_or(u32::MAX);
        rustix::net::sockopt::set_tcp_user_timeout(stream.as_fd(), vanished)?;
        Ok(stream)
    }

    /// The TLS configuration, read again when files have changed. The old one stays where they are of no use, or not valid while
    /// it is.
    fn config(&self) -> Option<Arc<ClientConfig>> {
        let current = self.current.load();
        let generation = self.reload.generation();
        if current.config.is_none() || current.generation == generation {
            return current.config.clone();
        }
        let read = read(&self.tls, self.mode).and_then(|(config, dated)| {
            let now = self.clock.now();
            let outcome = validity::check(&dated, now);
            let stays = outcome.is_err() && validity::check(&current.dated, now).is_ok();
            if stays { outcome.map(|()| (config, dated)) } else { Ok((config, dated)) }
        });
        let (config, dated) = read.unwrap_or_else(|problem| {
            tracing::error!(%problem, "{problem}{KEPT}");
            (current.config.clone(), Arc::clone(&current.dated))
        });
        self.current.store(Arc::new(Current { generation, config: config.clone(), dated }));
        config
    }
}

type Read = (Option<Arc<ClientConfig>>, Arc<[Dated]>);

fn read(tls: &GrpcClientTls, mode: ClientTls) -> Result<Read, TlsError> {
    let config = tls::client(tls, mode)?.map(Arc::new);
    let dated = if config.is_some() { tls::client_dated(tls, mode)? } else { Vec::new() };
    Ok((config, dated.into()))
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The address is known already.
    fn call(&mut self, _uri: Uri) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            // a timeout of tonic's would not be told as UNAVAILABLE
            let connected = timeout(CONNECT_TIMEOUT, inner.connect()).await;
            let named = |problem: io::Error| io::Error::new(problem.kind(), format!("{}: {problem}", inner.target));
            connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map(TokioIo::new).map_err(named)
        })
    }
}
