//! The networks by which requests are limited.

use std::net::{IpAddr, Ipv6Addr};

/// Who has an IPv6 address has at least 2^64 of them: they are one network.
pub(crate) fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (!0 << 64)).into(),
        address @ IpAddr::V4(_) => address,
    }
}
