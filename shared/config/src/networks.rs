//! Addresses and networks that a setting names.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

/// A list of networks.
#[derive(Clone, Debug, Default)]
pub struct Networks(Arc<[IpNet]>);

/// A text that is neither an address nor a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an address nor a network (like 10.0.0.0/8)")]
pub struct InvalidNetwork(pub String);

impl Networks {
    /// Reads addresses (`127.0.0.1`) and networks (`10.0.0.0/8`).
    ///
    /// # Errors
    /// [`InvalidNetwork`] for the first text that is neither.
    pub fn parse(texts: &[String]) -> Result<Self, InvalidNetwork> {
        let network = |text: &String| {
            let address = || text.parse::<IpAddr>().map(IpNet::from).ok();
            text.parse().ok().or_else(address).ok_or_else(|| InvalidNetwork(text.clone()))
        };
        texts.iter().map(network).collect::<Result<_, _>>().map(Self)
    }

    /// Whether an address is in one of them.
    pub fn contains(&self, addr: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&addr))
    }
}
