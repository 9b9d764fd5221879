//! Which addresses are called.

use std::net::IpAddr;
use std::sync::LazyLock;

use ipnet::IpNet;

/// Addresses that are not globally routed, or that translate to another address (IANA special-purpose
/// address registries). Of IPv6 only `2000::/3` is called at all, which leaves out loopback, link-local, unique local,
/// multicast, IPv4-mapped and NAT64 addresses.
static SPECIAL: LazyLock<Vec<IpNet>> = LazyLock::new(|| nets(&SPECIAL_TEXT));
static GLOBAL_V6: LazyLock<Vec<IpNet>> = LazyLock::new(|| nets(&["2000::/3"]));

const SPECIAL_TEXT: [&str; 20] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
];

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

/// Whether an address is called. `allow_private` lets in all that a connection can be made to.
pub(super) fn may_be_called(address: IpAddr, allow_private: bool) -> bool {
    if allow_private {
        return !address.is_unspecified() && !address.is_multicast();
    }
    let is_global = address.is_ipv4() || GLOBAL_V6.iter().any(|net| net.contains(&address));
    is_global && !SPECIAL.iter().any(|net| net.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_is_written_as_one() {
        assert_eq!(nets(&SPECIAL_TEXT).len(), SPECIAL_TEXT.len());
        assert_eq!(GLOBAL_V6.len(), 1);
    }

    #[test]
    fn i32_only_addresses_of_the_open_internet_are_called() {
        for good in ["1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"] {
            assert!(may_be_called(good.parse().expect("an address"), false), "{good}");
        }
        for bad in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:1.1.1.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "fe80::1",
            "fc00::1",
            "fd12:3456::1",
            "fec0::1",
            "ff02::1",
            "2001:0:7f00:1::",
            "2001:db8::1",
            "2002:7f00:1::",
        ] {
            assert!(!may_be_called(bad.parse().expect("an address"), false), "{bad}");
        }
    }

    #[test]
    fn where_private_addresses_are_allowed_only_what_is_no_host_is_left_out() {
        for good in ["127.0.0.1", "10.1.2.3", "::1", "fd12::1"] {
            assert!(may_be_called(good.parse().expect("an address"), true), "{good}");
        }
        for bad in ["0.0.0.0", "::", "224.0.0.1", "ff02::1"] {
            assert!(!may_be_called(bad.parse().expect("an address"), true), "{bad}");
        }
    }
}
