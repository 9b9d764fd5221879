//! The id of a request, by which the logs of several services are correlated.

use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderName, HeaderValue, Request};
use uuid::Uuid;

use crate::Random;

pub(super) const NAME: HeaderName = HeaderName::from_static("x-request-id");

/// Generates ids. They are unique but not secret: a random start and a counter.
pub(super) struct RequestIds {
    start: u64,
    count: AtomicU64,
}

impl RequestIds {
    pub(super) fn new() -> Self {
        Self { start: u64::from_be_bytes(Random::system().bytes()), count: AtomicU64::new(0) }
    }

    /// The id in the request if it is valid, else a new one, which is set in the request.
    pub(super) fn of<A>(&self, request: &mut Request<A>) -> HeaderValue {
        if let Some(id) = request.headers().get(NAME).filter(|id| is_sane(id.as_bytes())) {
            return id.clone();
        }
        let id = self.next();
        request.headers_mut().insert(NAME, id.clone());
        id
    }

    fn next(&self) -> HeaderValue {
        let mut digits = Uuid::encode_buffer();
        // Encodes both halves in hexadecimal without the formatting machinery, which would be slower.
        let text = Uuid::from_u64_pair(self.start, self.count.fetch_add(1, Ordering::Relaxed)).simple();
        let mut id =
            HeaderValue::from_str(text.encode_lower(&mut digits)).unwrap_or(HeaderValue::from_static("unknown"));
        // "Sensitive" keeps HPACK from storing an id, which never recurs.
        id.set_sensitive(true);
        id
    }
}

/// Whether an id is short, and harmless in a log line.
fn is_sane(id: &[u8]) -> bool {
    (1..=128).contains(&id.len())
        && id
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'/' | b'+' | b'='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(sent: &'static str) -> (String, String) {
        let mut request = Request::builder().header(NAME, sent).body(()).expect("a request");
        let id = RequestIds::new().of(&mut request);
        (id.to_str().expect("ASCII").into(), request.headers()[NAME].to_str().expect("ASCII").into())
    }

    #[test]
    fn sane_ids_are_kept_and_others_replaced() {
        assert_eq!(id_of("proxy-7/a.b"), ("proxy-7/a.b".into(), "proxy-7/a.b".into()));
        for odd in ["", "two words", "{\"level\":\"info\"}"] {
            let (id, handler_sees) = id_of(odd);
            assert_eq!((id.len(), id.as_str()), (32, handler_sees.as_str()), "{odd:?}");
        }
    }

    #[test]
    fn ids_differ() {
        let ids = RequestIds::new();
        assert_ne!(ids.next(), ids.next());
        let ids = RequestIds { start: 0x0123_4567_89ab_cdef, count: AtomicU64::new(26) };
        assert_eq!(ids.next(), "0123456789abcdef000000000000001a");
    }
}
