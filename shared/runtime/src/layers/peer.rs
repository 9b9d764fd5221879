//! Who is at the other end of a connection.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use authn::caller::SOURCE_KEY;
use http::{HeaderMap, Request};

use crate::metrics::Protocol;
use crate::{ClientCertificate, TrustedProxies};

/// The first URI, or else the first DNS name, in the certificate that a client has proved to be its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeerIdentity(pub(crate) Arc<str>);

/// What is known of a connection's other end.
#[derive(Clone, Debug)]
pub(crate) struct Connected {
    pub(crate) addr: Option<SocketAddr>,
    pub(crate) identity: Option<PeerIdentity>,
    /// What it has shown where it may show one.
    pub(crate) certificate: Option<ClientCertificate>,
}

impl Connected {
    /// Tells the handlers who asks.
    pub(super) fn introduce<A>(&self, request: &mut Request<A>, protocol: Protocol, proxies: &TrustedProxies) {
        let told = if self.is_trusted(protocol) {
            told_source(request.headers())
        } else {
            // nor may a handler pass a stranger's word on
            request.headers_mut().remove(SOURCE_KEY);
            None
        };
        let source = told.or_else(|| self.source(request.headers(), protocol, proxies));
        let identity = self.identity.as_ref().map(|identity| identity.0.as_ref().to_owned());
        request.extensions_mut().insert(authn::Peer { source, identity });
        if let Some(certificate) = &self.certificate {
            request.extensions_mut().insert(certificate.clone());
        }
    }

    /// Where the request comes from, as far as proxies have told that are believed. The other end of a Unix socket is on this
    /// machine.
    fn source(&self, headers: &HeaderMap, protocol: Protocol, proxies: &TrustedProxies) -> Option<IpAddr> {
        let addr = self.addr.map(|addr| addr.ip().to_canonical());
        let proxy = addr.unwrap_or(Ipv4Addr::LOCALHOST.into());
        if protocol == Protocol::Http && proxies.is_trusted(proxy) {
            Some(proxies.client(proxy, headers))
        } else {
            addr
        }
    }

    /// Whether it is believed when it tells where a credential came from: gRPC peers that proved who they are, and those
    /// on this machine. Over HTTP nobody is, as proxies pass their clients' headers on; for those, see [`TrustedProxies`].
    fn is_trusted(&self, protocol: Protocol) -> bool {
        protocol == Protocol::Grpc
            && (self.identity.is_some() || self.addr.is_none_or(|addr| addr.ip().to_canonical().is_loopback()))
    }
}

fn told_source(headers: &HeaderMap) -> Option<IpAddr> {
    headers.get(SOURCE_KEY)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(addr: Option<&str>, identity: Option<&str>, protocol: Protocol) -> Option<String> {
        let addr = addr.map(|addr| addr.parse().expect("an address"));
        let identity = identity.map(|name| PeerIdentity(name.into()));
        let connected = Connected { addr, identity, certificate: None };
        let request = Request::builder().header(SOURCE_KEY, "192.0.2.7").header("x-forwarded-for", "192.0.2.8");
        let mut request = request.body(()).expect("a request");
        let proxies = TrustedProxies::parse(&["127.0.0.9".into(), "::1".into()]).expect("networks");
        connected.introduce(&mut request, protocol, &proxies);
        request.extensions().get::<authn::Peer>().and_then(|peer| peer.source).map(|source| source.to_string())
    }

    #[test]
    fn only_family_is_believed() {
        let told = Some("192.0.2.7".to_owned());
        assert_eq!(source(Some("127.0.0.1:5"), None, Protocol::Grpc), told);
        assert_eq!(source(None, None, Protocol::Grpc), told);
        assert_eq!(source(Some("198.51.100.1:5"), Some("spiffe://doorward/gateway"), Protocol::Grpc), told);
        assert_eq!(source(Some("198.51.100.1:5"), None, Protocol::Grpc), Some("198.51.100.1".into()));
        assert_eq!(source(Some("[::ffff:198.51.100.1]:5"), None, Protocol::Grpc), Some("198.51.100.1".into()));
        assert_eq!(source(Some("127.0.0.1:5"), None, Protocol::Http), Some("127.0.0.1".into()));
    }

    #[test]
    fn e3_trusted_proxies_are_believed_over_http_only() {
        assert_eq!(source(Some("127.0.0.9:5"), None, Protocol::Http), Some("192.0.2.8".into()));
        assert_eq!(source(Some("[::1]:5"), None, Protocol::Http), Some("192.0.2.8".into()));
        assert_eq!(source(Some("198.51.100.1:5"), None, Protocol::Http), Some("198.51.100.1".into()));
        assert_eq!(source(None, None, Protocol::Http), None);
        assert_eq!(source(Some("198.51.100.1:5"), None, Protocol::Grpc), Some("198.51.100.1".into()));
    }
}
