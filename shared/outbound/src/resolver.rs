//! Resolving names. What is returned is what the connection is made to, so that a name cannot mean another address a
//! moment later.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::may_be_called;

/// The system's resolver, without the addresses that are not called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolver {
    pub(super) allow_private: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("its name stands for no address that is called")]
struct NoAddress;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            // the port is put in by the connection
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let called: Vec<SocketAddr> = found.filter(|address| may_be_called(address.ip(), allow_private)).collect();
            if called.is_empty() {
                return Err(NoAddress.into());
            }
            Ok(Box::new(called.into_iter()) as Addrs)
        })
    }
}
