//! Names to addresses.

use std::io;
use std::net::SocketAddr;

use futures_util::future::BoxFuture;

/// Resolves names. What it says is not trusted: with TLS, the certificate of a peer must be for its name, whatever its address.
pub(super) trait Resolve: Send + Sync {
    /// All addresses of a name, with this port.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;
}

/// The resolver of the operating system.
pub(super) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((host, port)).await?;
            Ok(addresses.collect())
        })
    }
}
