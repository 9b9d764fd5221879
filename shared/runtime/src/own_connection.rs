//! Connections that this process makes to listeners of its own: what comes by one of them comes from the process itself.
//!
//! Services of one process meet by function calls, except that the edge forwards HTTP to them. Any process of the machine can
//! connect to their listeners, so the address alone does not tell the edge from others; that this process has made the
//! connection does.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::net::TcpStream;

/// The addresses of a connection: that of the client, and that of the listener.
type Ends = (SocketAddr, SocketAddr);

/// What this process listens at and connects to.
#[derive(Default)]
struct Known {
    /// The ports of its listeners.
    ports: HashSet<u16>,
    /// The connections that it has made to them, until one of both ends closes.
    made: HashSet<Ends>,
}

static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

/// A connection that this process has made; it is forgotten when this is dropped, which must be before the connection is closed. It
/// may lead to another process, whose listener never tells of the end.
#[derive(Debug)]
pub struct OwnConnection(Option<Ends>);

impl OwnConnection {
    /// Records a connection that was just made, before a request is sent on it. Only one that may lead to a listener of this
    /// process is.
    pub fn record(stream: &TcpStream) -> Self {
        let (Ok(client), Ok(listener)) = (stream.local_addr(), stream.peer_addr()) else { return Self(None) };
        let mut known = known();
        let may_be_own = client.ip() == listener.ip() && known.ports.contains(&listener.port());
        let ends = may_be_own.then(|| ends(client, listener));
        known.made.extend(ends);
        Self(ends)
    }
}

impl Drop for OwnConnection {
    fn drop(&mut self) {
        if let Some(ends) = &self.0 {
            known().made.remove(ends);
        }
    }
}

/// Tells that this process listens there.
pub(crate) fn listens_at(listener: SocketAddr) {
    known().ports.insert(listener.port());
}

/// A connection that a listener of this process has accepted; it is forgotten when this is dropped.
#[derive(Debug)]
pub(crate) struct Accepted {
    ends: Ends,
    own: OnceLock<bool>,
}

impl Accepted {
    pub(crate) fn new(client: SocketAddr, listener: SocketAddr) -> Self {
        Self { ends: ends(client, listener), own: OnceLock::new() }
    }

    /// Whether this process has made it. To be asked once the first request is there: it is recorded by then.
    pub(crate) fn is_own(&self) -> bool {
        *self.own.get_or_init(|| known().made.contains(&self.ends))
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        known().made.remove(&self.ends);
    }
}

/// A listener for both versions of IP shows IPv4 addresses as IPv6 ones.
fn ends(client: SocketAddr, listener: SocketAddr) -> Ends {
    let canonical = |addr: SocketAddr| SocketAddr::new(addr.ip().to_canonical(), addr.port());
    (canonical(client), canonical(listener))
}

fn known() -> MutexGuard<'static, Known> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn only_a_recorded_connection_is_own_and_only_until_it_ends() {
        let listener = TcpListener::bind("[::]:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let accept = async || {
            let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("connects");
            let (accepted, client) = listener.accept().await.expect("accepts");
            (stream, client, accepted.local_addr().expect("connected"))
        };
        let (stream, client, here) = accept().await;
        let _elsewhere = OwnConnection::record(&stream);
        assert!(!Accepted::new(client, here).is_own(), "no listener of this process, as far as it knows");
        listens_at(listener.local_addr().expect("bound"));
        let (stranger, client, here) = accept().await;
        assert!(!Accepted::new(client, here).is_own(), "not recorded");
        let _own = OwnConnection::record(&stranger);
        let accepted = Accepted::new(client, here);
        assert!(accepted.is_own() && !Accepted::new(here, client).is_own());
        drop(accepted);
        assert!(!Accepted::new(client, here).is_own(), "it has ended");
    }

    #[tokio::test]
    async fn connection_that_is_never_accepted_is_forgotten_when_it_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let here = listener.local_addr().expect("bound");
        listens_at(here);
        let stream = TcpStream::connect(here).await.expect("connects");
        let ends = ends(stream.local_addr().expect("connected"), here);
        let own = OwnConnection::record(&stream);
        assert!(known().made.contains(&ends));
        drop((own, stream));
        assert!(!known().made.contains(&ends), "who gets the same port later is not this process");
    }
}
