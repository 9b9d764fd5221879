//! Making a connection.

use std::future::Future;
use std::io;
use std::io::IoSlice;
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
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;
use tower::Service;

use super::endpoint::{Place, Target};
use super::readable_to_end::ReadableToEnd;
use super::replica::{OpenConnection, State};
use super::{CONNECT_TIMEOUT, EndpointError};
use crate::tls::validity::{self, Dated};
use crate::tls::{self, KEPT, TlsError};
use crate::{CertificateExpiry, Clock, Context, Reload};
use config::{ClientTls, GrpcClientTls, PrivateKeyFile};

/// After which time the kernel gives up a peer that acknowledges nothing: one whose machine has vanished.
const VANISHED: Duration = Duration::from_secs(10);

type Plain = ReadableToEnd<Either<TcpStream, UnixStream>>;
type Stream = Either<Plain, Box<TlsStream<Plain>>>;

/// Connects to one target, or to one address of its name; each connection with the certificates of its day.
#[derive(Clone)]
pub(super) struct Connector {
    inner: Arc<Inner>,
    /// The replica that is connected to, instead of any.
    replica: Option<(SocketAddr, Arc<State>)>,
}

struct Inner {
    target: Target,
    server_name: ServerName<'static>,
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
        // before they are read, so that no change in between is missed
        if mode != ClientTls::Off {
            let certificates = [&tls.cacert, &tls.cert].into_iter().flatten().map(PathBuf::as_path);
            certificates.chain(tls.key.as_ref().map(PrivateKeyFile::path)).for_each(|file| reload.watch(file));
        }
        let (config, dated) = read(&tls, mode)?;
        let malformed = |_| EndpointError::Malformed(target.to_string());
        let server_name = ServerName::try_from(target.host().to_owned()).map_err(malformed)?;
        let current = ArcSwap::from_pointee(Current { generation, config, dated });
        let clock = context.clock.clone();
        let inner = Arc::new(Inner { target, server_name, clock, tls, mode, reload, current });
        let weak = Arc::downgrade(&inner);
        context.certificates.add(move || Some(weak.upgrade()?.expiries()), context);
        Ok(Self { inner, replica: None })
    }

    /// The connector to one address of the target's name. The certificate must be for the name all the same
    /// (`docs/security-requirements.md#d30`).
    pub(super) fn to(&self, address: SocketAddr, state: Arc<State>) -> Self {
        Self { inner: Arc::clone(&self.inner), replica: Some((address, state)) }
    }
}

impl Inner {
    /// When the certificates expire that it uses.
    fn expiries(&self) -> Vec<CertificateExpiry> {
        self.current.load().dated.iter().filter_map(Dated::expiry).collect()
    }

    async fn connect(self: &Arc<Self>, address: Option<SocketAddr>) -> io::Result<Stream> {
        let plain = match (&self.target.place, address) {
            (_, Some(address)) => Either::Left(tuned(TcpStream::connect(address).await?)?),
            (Place::Tcp(host, port), None) => Either::Left(tuned(TcpStream::connect((host.as_str(), *port)).await?)?),
            (Place::Unix(path), None) => Either::Right(UnixStream::connect(path).await?),
        };
        let plain = ReadableToEnd::new(plain);
        match self.config().await {
            None => Ok(Either::Left(plain)),
            Some(config) => {
                let stream = TlsConnector::from(config).connect(self.server_name.clone(), plain).await?;
                Ok(Either::Right(Box::new(stream)))
            }
        }
    }

    /// The TLS configuration, read again when files have changed.
    async fn config(self: &Arc<Self>) -> Option<Arc<ClientConfig>> {
        let current = self.current.load_full();
        let generation = self.reload.generation();
        if current.config.is_none() || current.generation == generation {
            return current.config.clone();
        }
        let (inner, before) = (Arc::clone(self), Arc::clone(&current));
        let read = tokio::task::spawn_blocking(move || inner.read_again(&before, generation)).await;
        read.unwrap_or_else(|error| {
            tracing::error!(%error, "the certificates of a client are not read again: {error}{KEPT}");
            current.config.clone()
        })
    }

    /// Reads the files, which blocks. What was read before stays where they are of no use, or not valid while it is.
    fn read_again(&self, current: &Current, generation: u64) -> Option<Arc<ClientConfig>> {
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

fn tuned(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let vanished = u32::try_from(VANISHED.as_millis()).unwrap_or(u32::MAX);
    rustix::net::sockopt::set_tcp_user_timeout(stream.as_fd(), vanished)?;
    Ok(stream)
}

type Read = (Option<Arc<ClientConfig>>, Arc<[Dated]>);

fn read(tls: &GrpcClientTls, mode: ClientTls) -> Result<Read, TlsError> {
    let config = tls::client(tls, mode)?.map(Arc::new);
    let dated = if config.is_some() { tls::client_dated(tls, mode)? } else { Vec::new() };
    Ok((config, dated.into()))
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Tracked>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The address is known already.
    fn call(&mut self, _uri: Uri) -> Self::Future {
        let Self { inner, replica } = self.clone();
        Box::pin(async move {
            let address = replica.as_ref().map(|(address, _)| *address);
            // a timeout of tonic's would not be told as UNAVAILABLE
            let connected = timeout(CONNECT_TIMEOUT, inner.connect(address)).await;
            let named = |problem: io::Error| {
                let place = address.map(|address| format!(" ({address})")).unwrap_or_default();
                io::Error::new(problem.kind(), format!("{}{place}: {problem}", inner.target))
            };
            let stream = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(named)?;
            let open = replica.map(|(_, state)| state.connected());
            Ok(TokioIo::new(Tracked { stream, _open: open }))
        })
    }
}

/// A connection, which says when it is closed.
pub(super) struct Tracked {
    stream: Stream,
    _open: Option<OpenConnection>,
}

impl AsyncRead for Tracked {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Tracked {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
