//! The circumstances of a call, and how they travel from service to service.

mod propagated;

use std::net::IpAddr;
use std::sync::Arc;

use opentelemetry::propagation::Injector;
use tonic::{
    Extensions,
    metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue},
};
use tracing_opentelemetry::OpenTelemetrySpanExt;

pub use self::propagated::Propagated;

/// Metadata key under which a trusted peer sends the address that a credential came from.
pub const SOURCE_KEY: &str = "x-doorward-source";
/// Metadata key under which a trusted peer passes on the [`Device`]: its identifier, a blank, and the user's identifier.
pub const DEVICE_KEY: &str = "x-doorward-device-bin";
/// Metadata key under which a service tells the name in its own caller's client certificate: to an authenticator the peer is the gateway,
/// whoever called that.
pub const CALLER_KEY: &str = "x-doorward-caller";
const REQUEST_ID_KEY: &str = "x-request-id";
const USER_AGENT_KEY: &str = "x-user-agent";

/// The other end of a connection, as the listener knows it; a request extension.
#[derive(Debug, Clone, Default)]
pub struct Peer {
    /// The address the credential came from: the peer's own, or the one that a trusted peer sent in [`SOURCE_KEY`].
    pub source: Option<IpAddr>,
    /// The first subject alternative name of the peer's client certificate.
    pub identity: Option<String>,
    /// All subject alternative names of the peer's client certificate that are URIs or DNS names.
    pub names: Arc<[String]>,
    /// Whether the peer is trusted to state the properties of the caller.
    pub is_trusted: bool,
}

/// A browser in which a user has signed in before, as the service says that has set its cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The user's identifier (`UserId::opaque_id`).
    pub user_id: String,
    /// The identifier of the device, without blanks.
    pub id: String,
}

/// The name that a peer forwarded in [`CALLER_KEY`], a request extension. The listener adds it only where the peer itself has shown a client
/// certificate, since the name decides what the machine key opens.
#[derive(Debug, Clone)]
pub struct ForwardedCaller(pub String);

/// The context of a call: what throttling and the audit log need in addition to the credential.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// The address the credential came from, as far as trusted peers sent it.
    pub source: Option<IpAddr>,
    /// The device, if it is one that is known.
    pub device: Option<Device>,
    /// The subject alternative name of the peer's client certificate, if it showed one.
    pub identity: Option<String>,
    /// All subject alternative names of the peer's client certificate that are URIs or DNS names.
    pub names: Arc<[String]>,
    /// The subject alternative name in the certificate of the peer's own caller, where the peer may forward it.
    pub forwarded: Option<String>,
    /// The trace (W3C trace id, hex) or request this call belongs to.
    pub trace_id: String,
    /// The client program, as it names itself.
    pub user_agent: String,
    /// What goes along with the calls that this one causes.
    pub propagated: Propagated,
}

impl Caller {
    /// The circumstances of a gRPC request.
    pub fn of(metadata: &MetadataMap, extensions: &Extensions) -> Self {
        let peer = extensions.get::<Peer>();
        Self {
            source: peer.and_then(|peer| peer.source),
            device: peer.filter(|peer| peer.is_trusted).and_then(|_| Device::read(metadata)),
            identity: peer.and_then(|peer| peer.identity.clone()),
            names: peer.map(|peer| Arc::clone(&peer.names)).unwrap_or_default(),
            forwarded: extensions.get::<ForwardedCaller>().map(|caller| caller.0.clone()),
            trace_id: trace_id(metadata),
            user_agent: text(metadata, USER_AGENT_KEY)
                .or_else(|| text(metadata, "user-agent"))
                .unwrap_or_default()
                .into(),
            propagated: Propagated::default(),
        }
    }

    /// The same circumstances, with what goes along with the calls that this one causes. It is only taken from calls by gRPC.
    #[must_use]
    pub fn with_propagated(self, metadata: &MetadataMap) -> Self {
        Self { propagated: Propagated::of(metadata), ..self }
    }

    /// The name of the caller that counts: the one in its certificate, or behind one of these gateways the one that the gateway forwards. A
    /// peer that is no gateway and forwards a name is not asking for itself, so that it has none.
    pub fn name(&self, gateways: &[String]) -> Option<&str> {
        let peer = self.identity.as_ref();
        if peer.is_some_and(|peer| gateways.contains(peer)) {
            return self.forwarded.as_deref();
        }
        peer.filter(|_| self.forwarded.is_none()).map(String::as_str)
    }

    /// Passes the circumstances on to the next service, and the current span so that both stand in one trace.
    pub fn propagate(&self, metadata: &mut MetadataMap) {
        if let Some(source) = self.source {
            set(metadata, MetadataKey::from_static(SOURCE_KEY), &source.to_string());
        }
        if let Some(device) = &self.device {
            let value = MetadataValue::from_bytes(format!("{} {}", device.id, device.user_id).as_bytes());
            metadata.insert_bin(DEVICE_KEY, value);
        }
        if let Some(identity) = &self.identity {
            set(metadata, MetadataKey::from_static(CALLER_KEY), identity);
        }
        if !self.trace_id.is_empty() {
            set(metadata, MetadataKey::from_static(REQUEST_ID_KEY), &self.trace_id);
        }
        if !self.user_agent.is_empty() {
            set(metadata, MetadataKey::from_static(USER_AGENT_KEY), &self.user_agent);
        }
        self.propagated.write(metadata);
        propagate_trace(metadata);
    }
}

impl Device {
    fn read(metadata: &MetadataMap) -> Option<Self> {
        let bytes = metadata.get_bin(DEVICE_KEY)?.to_bytes().ok()?;
        let (id, user_id) = std::str::from_utf8(&bytes).ok()?.split_once(' ')?;
        Some(Self { user_id: user_id.to_owned(), id: id.to_owned() })
    }
}

/// Writes the current span's W3C trace context into the metadata; nothing when tracing is off.
pub(crate) fn propagate_trace(metadata: &mut MetadataMap) {
    let span = tracing::Span::current();
    if span.is_disabled() {
        return;
    }
    let context = span.context();
    opentelemetry::global::get_text_map_propagator(|propagator| {
        propagator.inject_context(&context, &mut MetadataInjector(metadata));
    });
}

/// The trace id of a `traceparent`, else the request id, else nothing.
pub fn trace_id(metadata: &MetadataMap) -> String {
    text(metadata, "traceparent")
        .and_then(|value| value.split('-').nth(1))
        .filter(|id| id.len() == 32)
        .or_else(|| text(metadata, REQUEST_ID_KEY))
        .unwrap_or_default()
        .to_owned()
}

fn text<'a>(metadata: &'a MetadataMap, key: &str) -> Option<&'a str> {
    metadata.get(key).and_then(|value| value.to_str().ok()).filter(|value| value.len() <= 256)
}

fn set(metadata: &mut MetadataMap, key: MetadataKey<Ascii>, value: &str) {
    // A value that is no header text (a client's odd user agent) is left out rather than failing the call.
    if let Ok(value) = MetadataValue::try_from(value) {
        metadata.insert(key, value);
    }
}

struct MetadataInjector<'a>(&'a mut MetadataMap);

impl Injector for MetadataInjector<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(key), Ok(value)) = (key.parse::<MetadataKey<Ascii>>(), MetadataValue::try_from(value)) {
            self.0.insert(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circumstances_survive_a_hop() {
        let sent = Caller {
            source: Some(IpAddr::from([192, 0, 2, 7])),
            device: Some(Device { user_id: "id of Zoë".to_owned(), id: "device-1".to_owned() }),
            identity: Some("spiffe://doorward/proxy".to_owned()),
            names: ["spiffe://doorward/proxy".to_owned()].into(),
            forwarded: Some("spiffe://doorward/elsewhere".to_owned()),
            trace_id: "req-1".to_owned(),
            user_agent: "rclone/1.60".to_owned(),
            propagated: Propagated::default(),
        };
        let mut metadata = MetadataMap::new();
        sent.propagate(&mut metadata);
        assert_eq!(metadata.get(SOURCE_KEY).and_then(|value| value.to_str().ok()), Some("192.0.2.7"));

        let told = metadata.get(CALLER_KEY).and_then(|value| value.to_str().ok());
        assert_eq!(told, Some("spiffe://doorward/proxy"), "each hop names its own caller");

        let received = Caller::of(&metadata, &Extensions::default());
        assert_eq!((received.trace_id.as_str(), received.user_agent.as_str()), ("req-1", "rclone/1.60"));
        assert_eq!(received.source, None, "only the listener decides which source is believed");
        assert_eq!(received.device, None, "nor is a stranger's device");
        assert_eq!(received.identity, None, "a certificate is never taken from a header");
        assert!(received.names.is_empty(), "nor are its names");
        assert_eq!(received.forwarded, None, "only the listener decides which name is believed");

        let mut extensions = Extensions::default();
        extensions.insert(Peer { is_trusted: true, ..Peer::default() });
        assert_eq!(Caller::of(&metadata, &extensions).device, sent.device);
    }

    /// `docs/security-requirements.md#g22`.
    #[test]
    fn propagated_metadata_is_taken_from_calls_by_grpc_alone() {
        let mut received = MetadataMap::new();
        received.insert("autoprop-mfa-authenticated", MetadataValue::from_static("true"));
        let passed_on = |caller: Caller| {
            let mut metadata = MetadataMap::new();
            caller.propagate(&mut metadata);
            metadata.contains_key("autoprop-mfa-authenticated")
        };
        // services read the headers of browsers as metadata, too
        let caller = Caller::of(&received, &Extensions::default());
        assert!(!passed_on(caller.clone()) && passed_on(caller.with_propagated(&received)));
    }

    /// Row [M7](../../../docs/security-requirements.md#m7).
    #[test]
    fn caller_is_named_by_what_a_trusted_gateway_forwards() {
        let (gateway, proxy, other) =
            (Some("spiffe://doorward/gateway"), Some("spiffe://doorward/proxy"), Some("other"));
        let gateways = ["spiffe://doorward/gateway".to_owned()];
        let name = |identity: Option<&str>, forwarded: Option<&str>, gateways: &[String]| {
            let [identity, forwarded] = [identity, forwarded].map(|name| name.map(str::to_owned));
            Caller { identity, forwarded, ..Caller::default() }.name(gateways).map(str::to_owned)
        };
        assert_eq!(name(gateway, proxy, &gateways).as_deref(), proxy);
        assert_eq!(name(gateway, None, &gateways), None, "its caller has shown no certificate");
        assert_eq!(name(proxy, None, &gateways).as_deref(), proxy);
        assert_eq!(name(other, proxy, &gateways), None, "it is no gateway");
        assert_eq!(name(gateway, proxy, &[]), None, "no setting names it");
        assert_eq!(name(None, proxy, &gateways), None);
        assert_eq!(name(None, None, &gateways), None);
    }

    #[test]
    fn trace_id_prefers_the_trace_context() {
        let mut metadata = MetadataMap::new();
        metadata.insert("x-request-id", MetadataValue::from_static("abc"));
        assert_eq!(trace_id(&metadata), "abc");
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        metadata.insert("traceparent", MetadataValue::from_static(parent));
        assert_eq!(trace_id(&metadata), "4bf92f3577b34da6a3ce929d0e0e4736");
    }
}
