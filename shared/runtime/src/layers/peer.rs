//! The peer of a connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use authn::caller::{CALLER_KEY, DEVICE_KEY, ForwardedCaller, SOURCE_KEY};
use http::{HeaderMap, Request};

use crate::metrics::Protocol;
use crate::own_connection::Accepted;
use crate::{ClientCertificate, TrustedProxies};

/// The first URI, or else the first DNS name, in the certificate that a client has proved to be its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerIdentity(pub(crate) Arc<str>);

/// Stands in the extensions of a request, by HTTP or by gRPC, whose connection is that of a proxy which the HTTP server's settings name
/// (see [`TrustedProxies`]), or comes by a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FromTrustedProxy;

/// What is known of the peer.
#[derive(Debug, Default)]
pub(crate) struct PeerConnection {
    /// The address of the peer; `None` for a Unix socket.
    pub(crate) addr: Option<SocketAddr>,
    /// The connection, if it is one of TCP.
    pub(crate) accepted: Option<Accepted>,
    pub(crate) identity: Option<PeerIdentity>,
    /// All URIs and DNS names in that certificate.
    pub(crate) names: Arc<[String]>,
    /// Whether a SPIFFE trust domain has verified that certificate, and not the authority of the family.
    pub(crate) is_svid: bool,
    /// The certificate of a client to which it is optional.
    pub(crate) certificate: Option<ClientCertificate>,
}

impl PeerConnection {
    /// Inserts the [`authn::Peer`] and the certificate into the request's extensions. Peers in `networks` are trusted to forward
    /// addresses; requests of `proxies` are marked with [`FromTrustedProxy`].
    pub(super) fn introduce<A>(
        &self,
        request: &mut Request<A>,
        protocol: Protocol,
        networks: &TrustedProxies,
        proxies: &TrustedProxies,
    ) {
        let is_trusted = self.is_trusted(protocol, networks);
        let passed_on = match protocol {
            Protocol::Grpc if is_trusted => source_of(request.headers()),
            Protocol::Http if is_trusted => networks.behind(request.headers()),
            _ => None,
        };
        if protocol != Protocol::Grpc || !is_trusted {
            // Handlers must not forward what an untrusted peer claims.
            request.headers_mut().remove(SOURCE_KEY);
            request.headers_mut().remove(DEVICE_KEY);
        }
        // The name decides on the use of the machine key: a peer without a verified name must not forward one.
        let forwarded = request.headers_mut().remove(CALLER_KEY);
        if protocol == Protocol::Grpc
            && self.identity.is_some()
            && let Some(name) = forwarded.and_then(|value| value.to_str().ok().map(str::to_owned))
        {
            request.extensions_mut().insert(ForwardedCaller(name));
        }
        let source = passed_on.or_else(|| self.addr.map(|addr| addr.ip().to_canonical()));
        if protocol != Protocol::Debug && self.is_configured(proxies) {
            request.extensions_mut().insert(FromTrustedProxy);
        }
        let identity = self.identity.as_ref().map(|identity| identity.0.as_ref().to_owned());
        // Over HTTP only X-Forwarded-For is trusted, since proxies forward all other headers of their clients.
        let is_trusted = is_trusted && protocol == Protocol::Grpc;
        request.extensions_mut().insert(authn::Peer { source, identity, names: Arc::clone(&self.names), is_trusted });
        if let Some(certificate) = &self.certificate {
            request.extensions_mut().insert(certificate.clone());
        }
    }

    /// Whether the peer is in these networks, or uses a Unix socket.
    fn is_configured(&self, networks: &TrustedProxies) -> bool {
        self.addr.is_none_or(|addr| networks.is_trusted(addr.ip().to_canonical()))
    }

    /// Whether the peer is trusted to forward the address and the device of a client: one with a certificate of the family's own authority,
    /// one that uses a Unix socket, this process itself, and those in these networks. None that shows an X.509-SVID over TCP: every workload
    /// of every trust domain has one, and could guess passwords as any number of sources and devices. Nor does a network, which may be that
    /// of all pods, say which workload it is (`docs/security-requirements.md#m15`).
    fn is_trusted(&self, protocol: Protocol, networks: &TrustedProxies) -> bool {
        match protocol {
            Protocol::Grpc if self.is_svid => self.addr.is_none(),
            Protocol::Grpc => self.identity.is_some() || self.is_configured(networks),
            Protocol::Http => self.is_configured(networks) || self.accepted.as_ref().is_some_and(Accepted::is_own),
            Protocol::Debug => false,
        }
    }
}

fn source_of(headers: &HeaderMap) -> Option<IpAddr> {
    headers.get(SOURCE_KEY)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(addr: Option<&str>, identity: Option<&str>, protocol: Protocol) -> Option<String> {
        let addr = addr.map(|addr| addr.parse().expect("an address"));
        let identity = identity.map(|name| PeerIdentity(name.into()));
        let connected = PeerConnection { addr, identity, ..PeerConnection::default() };
        let request = Request::builder().header(SOURCE_KEY, "192.0.2.7").header("x-forwarded-for", "192.0.2.8");
        let mut request = request.body(()).expect("a request");
        let proxies = TrustedProxies::parse(&["127.0.0.9".into(), "::1".into()]).expect("networks");
        connected.introduce(&mut request, protocol, &proxies, &TrustedProxies::default());
        request.extensions().get::<authn::Peer>().and_then(|peer| peer.source).map(|source| source.to_string())
    }

    #[test]
    fn only_trusted_grpc_peers_are_believed() {
        let told = Some("192.0.2.7".to_owned());
        assert_eq!(source(Some("127.0.0.9:5"), None, Protocol::Grpc), told);
        assert_eq!(source(Some("[::ffff:127.0.0.9]:5"), None, Protocol::Grpc), told);
        assert_eq!(source(Some("127.0.0.1:5"), None, Protocol::Grpc), Some("127.0.0.1".into()), "not configured");
        assert_eq!(source(None, None, Protocol::Grpc), told);
        assert_eq!(source(Some("198.51.100.1:5"), Some("spiffe://doorward/gateway"), Protocol::Grpc), told);
        assert_eq!(source(Some("198.51.100.1:5"), None, Protocol::Grpc), Some("198.51.100.1".into()));
        assert_eq!(source(Some("[::ffff:198.51.100.1]:5"), None, Protocol::Grpc), Some("198.51.100.1".into()));
        assert_eq!(source(Some("127.0.0.1:5"), None, Protocol::Http), Some("127.0.0.1".into()));
    }

    #[test]
    fn claims_of_strangers_are_removed() {
        let kept = |addr: &str, protocol| {
            let addr = Some(addr.parse().expect("an address"));
            let request = Request::builder().header(SOURCE_KEY, "192.0.2.7").header(DEVICE_KEY, "AAAA");
            let mut request = request.body(()).expect("a request");
            let networks = TrustedProxies::parse(&["127.0.0.9".into()]).expect("networks");
            let connected = PeerConnection { addr, ..PeerConnection::default() };
            connected.introduce(&mut request, protocol, &networks, &TrustedProxies::default());
            [SOURCE_KEY, DEVICE_KEY].map(|key| request.headers().contains_key(key))
        };
        assert_eq!(kept("127.0.0.9:5", Protocol::Grpc), [true, true]);
        assert_eq!(kept("198.51.100.1:5", Protocol::Grpc), [false, false]);
        assert_eq!(kept("127.0.0.9:5", Protocol::Http), [false, false], "a proxy passes its clients' headers on");
    }

    /// Row [M15](../../../../docs/security-requirements.md#m15).
    #[test]
    fn svid_does_not_vouch_for_sources_and_devices() {
        let networks = TrustedProxies::parse(&["127.0.0.9".into()]).expect("networks");
        let introduced = |addr: Option<&str>, is_svid| {
            let request = Request::builder().header(SOURCE_KEY, "192.0.2.7").header(DEVICE_KEY, "AAAA");
            let mut request = request.header(CALLER_KEY, "spiffe://example.org/app").body(()).expect("a request");
            let connected = PeerConnection {
                addr: addr.map(|addr| addr.parse().expect("an address")),
                identity: Some(PeerIdentity("spiffe://example.org/x".into())),
                is_svid,
                ..PeerConnection::default()
            };
            connected.introduce(&mut request, Protocol::Grpc, &networks, &TrustedProxies::default());
            let peer = request.extensions().get::<authn::Peer>().expect("the peer");
            let source = peer.source.map(|source| source.to_string()).unwrap_or_default();
            let is_kept = [SOURCE_KEY, DEVICE_KEY].map(|key| request.headers().contains_key(key));
            // the services have lists of those whose callers count
            assert!(request.extensions().get::<ForwardedCaller>().is_some() && peer.identity.is_some());
            (source, peer.is_trusted, is_kept)
        };
        let believed = || ("192.0.2.7".to_owned(), true, [true, true]);
        let ignored = |source: &str| (source.to_owned(), false, [false, false]);
        assert_eq!(introduced(Some("198.51.100.1:5"), true), ignored("198.51.100.1"));
        assert_eq!(introduced(Some("127.0.0.9:5"), true), ignored("127.0.0.9"), "in a network of the settings");
        assert_eq!(introduced(None, true), believed(), "a Unix socket has its own permissions");
        assert_eq!(introduced(Some("198.51.100.1:5"), false), believed(), "a certificate of the family");
    }

    #[test]
    fn requests_of_trusted_proxies_are_marked() {
        let proxies = TrustedProxies::parse(&["127.0.0.1".into(), "2001:db8::/32".into()]).expect("networks");
        let is_marked = |addr: Option<&str>, protocol| {
            let addr = addr.map(|addr| addr.parse().expect("an address"));
            let request = Request::builder().header("x-forwarded-for", "127.0.0.1").header(SOURCE_KEY, "127.0.0.1");
            let mut request = request.body(()).expect("a request");
            let all_networks = TrustedProxies::parse(&["0.0.0.0/0".into()]).expect("a network");
            let identity = Some(PeerIdentity("spiffe://doorward/other".into()));
            let connected = PeerConnection { addr, identity, ..PeerConnection::default() };
            connected.introduce(&mut request, protocol, &all_networks, &proxies);
            request.extensions().get::<FromTrustedProxy>().is_some()
        };
        for protocol in [Protocol::Http, Protocol::Grpc] {
            for trusted in [Some("127.0.0.1:5"), Some("[::ffff:127.0.0.1]:5"), Some("[2001:db8::1]:5"), None] {
                assert!(is_marked(trusted, protocol), "{trusted:?}");
            }
            assert!(!is_marked(Some("192.0.2.1:5"), protocol), "what it says of itself does not count");
        }
        assert!(!is_marked(Some("127.0.0.1:5"), Protocol::Debug));
    }

    #[test]
    fn forwarded_caller_is_believed_from_peers_with_a_certificate_only() {
        let forwarded = |addr: Option<&str>, identity: Option<&str>, protocol| {
            let addr = addr.map(|addr| addr.parse().expect("an address"));
            let identity = identity.map(|name| PeerIdentity(name.into()));
            let connected = PeerConnection { addr, identity, ..PeerConnection::default() };
            let mut request =
                Request::builder().header(CALLER_KEY, "spiffe://doorward/proxy").body(()).expect("a request");
            connected.introduce(&mut request, protocol, &TrustedProxies::default(), &TrustedProxies::default());
            assert!(!request.headers().contains_key(CALLER_KEY), "no handler passes it on");
            request.extensions().get::<ForwardedCaller>().map(|caller| caller.0.clone())
        };
        let gateway = Some("spiffe://doorward/gateway");
        let proxy = Some("spiffe://doorward/proxy".to_owned());
        assert_eq!(forwarded(Some("198.51.100.1:5"), gateway, Protocol::Grpc), proxy);
        assert_eq!(forwarded(Some("198.51.100.1:5"), gateway, Protocol::Http), None);
        for addr in [Some("198.51.100.1:5"), Some("127.0.0.1:5"), None] {
            assert_eq!(forwarded(addr, None, Protocol::Grpc), None, "{addr:?}");
        }
    }

    #[test]
    fn e3_trusted_proxies_are_believed_over_http_only() {
        assert_eq!(source(Some("127.0.0.9:5"), None, Protocol::Http), Some("192.0.2.8".into()));
        assert_eq!(source(Some("[::1]:5"), None, Protocol::Http), Some("192.0.2.8".into()));
        assert_eq!(source(Some("198.51.100.1:5"), None, Protocol::Http), Some("198.51.100.1".into()));
        assert_eq!(
            source(None, None, Protocol::Http),
            Some("192.0.2.8".into()),
            "a Unix socket has its own permissions"
        );
        assert_eq!(source(Some("198.51.100.1:5"), None, Protocol::Grpc), Some("198.51.100.1".into()));
    }
}
