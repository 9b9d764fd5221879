//! Sockets.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixSocket, UnixStream};
use tokio_util::either::Either;

use crate::inherited_listeners::InheritedListener;
use crate::own_connection;
use config::ListenAddr;

/// A connection's two directions, before TLS.
pub(crate) type Stream = Either<TcpStream, UnixStream>;

/// How many connections may wait to be accepted: as many as the system allows, which takes less for its own limit
/// (`net.core.somaxconn`).
const BACKLOG: u32 = i32::MAX.unsigned_abs();

/// Why a socket cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {addr}: {source}")]
pub(crate) struct BindError {
    addr: String,
    source: io::Error,
}

/// A bound socket.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    /// With its file, unless that is the service manager's.
    Unix(UnixListener, #[expect(dead_code, reason = "it is there to be dropped")] Option<SocketFile>),
}

impl Listener {
    /// Uses the socket that the service manager has bound for it, else binds one; `None` when there is nothing to bind.
    pub(crate) async fn bind(
        addr: &ListenAddr,
        inherited: Option<InheritedListener>,
    ) -> Result<Option<Self>, BindError> {
        let bound = match (addr, inherited) {
            (ListenAddr::Off, _) => return Ok(None),
            (_, Some(inherited)) => Self::adopt(inherited),
            (ListenAddr::Tcp { host, port }, None) => bind_tcp(host, *port).await.map(Self::Tcp),
            (ListenAddr::Unix(path), None) => bind_unix(path),
        };
        let bound = bound.map_err(|source| BindError { addr: addr.to_string(), source })?;
        if let Some(local) = bound.addr() {
            own_connection::listens_at(local);
        }
        Ok(Some(bound))
    }

    fn adopt(inherited: InheritedListener) -> io::Result<Self> {
        match inherited {
            InheritedListener::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener).map(Self::Tcp)
            }
            InheritedListener::Unix(listener) => {
                listener.set_nonblocking(true)?;
                Ok(Self::Unix(UnixListener::from_std(listener)?, None))
            }
        }
    }

    /// The address and the port, which the system may have chosen; `None` for a Unix socket.
    pub(crate) fn addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    /// Whether only this machine can reach it.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Tcp(listener) => listener.local_addr().is_ok_and(|addr| addr.ip().to_canonical().is_loopback()),
            Self::Unix(..) => true,
        }
    }

    /// The next connection, with the address of its other end.
    pub(crate) async fn accept(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, addr) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok((Either::Left(stream), Some(addr)))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Either::Right(stream), None))
            }
        }
    }
}

/// Every interface is both families where the machine has both.
async fn bind_tcp(host: &str, port: u16) -> io::Result<TcpListener> {
    if !host.is_empty() {
        let mut outcome = Err(io::ErrorKind::AddrNotAvailable.into());
        for addr in tokio::net::lookup_host((host, port)).await? {
            outcome = listen(addr);
            if outcome.is_ok() {
                break;
            }
        }
        return outcome;
    }
    match listen((Ipv6Addr::UNSPECIFIED, port).into()) {
        Err(problem) if problem.kind() != io::ErrorKind::AddrInUse => listen((Ipv4Addr::UNSPECIFIED, port).into()),
        bound => bound,
    }
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // a restarted service need not wait until the connections of its predecessor are forgotten
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

fn bind_unix(path: &Path) -> io::Result<Listener> {
    remove_stale(path)?;
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    let listener = socket.listen(BACKLOG)?;
    let file = SocketFile(path.into());
    // who may connect is who may write the socket: the service's user and group
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(Listener::Unix(listener, Some(file)))
}

/// Removes what a process that was killed left behind, and nothing else.
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    if !is_socket {
        return Ok(());
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(problem) if problem.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

/// Removed with its listener.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // when it is gone already there is nothing to do
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What to do when accepting failed: a client that went away is nothing, but without free file descriptors trying again
/// at once would only burn the processor.
pub(super) async fn after(problem: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if matches!(problem.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        return;
    }
    tracing::error!(%problem, "cannot accept connections");
    tokio::time::sleep(Duration::from_millis(100)).await;
}
