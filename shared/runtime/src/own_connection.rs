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
    /// The connections that it has made to them, until they end there.
    made: HashSet<Ends>,
}

static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

/// Records a connection that was just made, before anything is sent on it. Only one that may lead to a listener of this
/// process is.
pub fn record_own_connection(stream: &TcpStream) {
    if let (Ok(client), Ok(listener)) = (stream.local_addr(), stream.peer_addr())
        && client.ip() == listener.ip()
    {
        let mut known = known();
        if known.ports.contains(&listener.port()) {
            known.made.insert(ends(client, listener));
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
        record_own_connection(&stream);
        assert!(!Accepted::new(client, here).is_own(), "no listener of this process, as far as it knows");
        listens_at(listener.local_addr().expect("bound"));
        let (stranger, client, here) = accept().await;
        assert!(!Accepted::new(client, here).is_own(), "not recorded");
        record_own_connection(&stranger);
        let accepted = Accepted::new(client, here);
        assert!(accepted.is_own() && !Accepted::new(here, client).is_own());
        drop(accepted);
        assert!(!Accepted::new(client, here).is_own(), "it has ended");
    }
}
