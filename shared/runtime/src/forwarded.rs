//! Where a request comes from that proxies have passed on (row E3).

use std::net::{IpAddr, SocketAddr};

use config::{InvalidNetwork, Networks};
use http::{HeaderMap, HeaderName};

/// By which proxies tell for whom they ask; each appends who has asked it.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies whose forwarding headers are trusted. By default, none are.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Networks);

impl TrustedProxies {
    /// Those at these addresses (`127.0.0.1`) and in these networks (`10.0.0.0/8`).
    ///
    /// # Errors
    /// [`InvalidNetwork`] for the first text that is neither.
    pub fn parse(networks: &[String]) -> Result<Self, InvalidNetwork> {
        Networks::parse(networks).map(Self)
    }

    /// Whether the proxy at this address is believed.
    pub fn is_trusted(&self, addr: IpAddr) -> bool {
        self.0.contains(addr)
    }

    /// Where a request comes from whose connection is from `peer`: the right-most hop of `X-Forwarded-For` that is no trusted
    /// proxy. What stands left of it, anybody may have written. A hop that is no address ends what is believed.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if self.is_trusted(peer) { self.behind(headers).unwrap_or(peer) } else { peer }
    }

    /// The same where the peer itself is believed; `None` if it does not say.
    pub(crate) fn behind(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let mut client = None;
        for line in headers.get_all(FORWARDED_FOR).iter().rev() {
            for hop in line.to_str().unwrap_or_default().rsplit(',') {
                let Some(hop) = address(hop.trim()) else { return client };
                client = Some(hop);
                if !self.is_trusted(hop) {
                    return client;
                }
            }
        }
        client
    }
}

/// The address of a hop; some proxies write the port too.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    let with_port = || hop.parse::<SocketAddr>().map(|addr| addr.ip()).ok();
    bare.parse().ok().or_else(with_port).map(|addr: IpAddr| addr.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proxies() -> TrustedProxies {
        let networks = ["10.0.0.0/8", "127.0.0.1", "2001:db8::/32"].map(str::to_owned);
        TrustedProxies::parse(&networks).expect("networks")
    }

    fn client(peer: &str, lines: &[&str]) -> String {
        let lines = lines.iter().map(|line| (FORWARDED_FOR, line.parse().expect("a header")));
        proxies().client(peer.parse().expect("an address"), &lines.collect()).to_string()
    }

    #[test]
    fn e3_a_stranger_is_not_believed() {
        assert_eq!(client("198.51.100.7", &["1.2.3.4"]), "198.51.100.7");
        assert_eq!(client("::ffff:198.51.100.7", &["1.2.3.4"]), "198.51.100.7");
        let no_proxies = TrustedProxies::default();
        let headers = HeaderMap::from_iter([(FORWARDED_FOR, "1.2.3.4".parse().expect("a header"))]);
        assert_eq!(no_proxies.client([127, 0, 0, 1].into(), &headers), IpAddr::from([127, 0, 0, 1]));
    }

    #[test]
    fn e3_the_right_most_untrusted_hop_is_the_client() {
        assert_eq!(client("10.0.0.1", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["1.2.3.4, 192.0.2.1, 10.9.9.9"]), "192.0.2.1", "what it wrote itself is left");
        assert_eq!(client("10.0.0.1", &["1.2.3.4", "192.0.2.1,127.0.0.1"]), "192.0.2.1", "several lines are one list");
        assert_eq!(client("::ffff:10.0.0.1", &["::ffff:192.0.2.1"]), "192.0.2.1");
        assert_eq!(client("2001:db8::1", &["[2001:db9::7]:443"]), "2001:db9::7");
        assert_eq!(client("10.0.0.1", &["192.0.2.1:51004"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3", "the family among itself");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn e3_what_is_no_address_ends_what_is_believed() {
        assert_eq!(client("10.0.0.1", &["192.0.2.1, unknown, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(client("10.0.0.1", &["192.0.2.1,"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["", "192.0.2.1"]), "192.0.2.1");
    }

    #[test]
    fn networks_are_read_or_named() {
        for odd in ["", "10.0.0.0/33", "cloud.example", "*", "10.0.0"] {
            assert_eq!(TrustedProxies::parse(&[odd.to_owned()]).expect_err(odd), InvalidNetwork(odd.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read(line in "[ -~]{0,60}") {
            let answered = client("10.0.0.1", &[&line]);
            prop_assert!(answered == "10.0.0.1" || line.contains(&answered) || answered.contains(':'));
        }
    }
}
