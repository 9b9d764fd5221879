//! Request objects that are fetched from clients (`OpenID` Connect Core 6.2).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use bounded_cache::{HeapSize, MIB};
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use outbound::{FetchError, Fetcher};
use runtime::Clock;
use tokio::sync::Mutex;

use super::fetch_rate::{FetchRate, age};

/// How long one is used without looking again.
const FRESH: Duration = Duration::from_mins(1);
/// The bound of the copies that are held, in bytes.
const BOUND: u64 = MIB;

/// Request objects by address.
pub(super) struct RequestObjects {
    fetcher: Fetcher,
    clock: Clock,
    addresses: Cache<String, Arc<Held>>,
}

/// What is held of one address. Its lock is held while it is fetched, so that of many callers one fetches.
#[derive(Default)]
struct Held {
    address: Mutex<Address>,
    /// How much was fetched, in bytes.
    text: AtomicUsize,
}

impl HeapSize for Held {
    fn heap_size(&self) -> usize {
        FetchRate::MOST_BYTES + self.text.load(Ordering::Relaxed)
    }
}

/// What is known of one address.
#[derive(Default)]
struct Address {
    fetched: Option<Fetched>,
    rate: FetchRate,
}

struct Fetched {
    text: Arc<str>,
    at: SystemTime,
    /// By another fragment a client tells of another content.
    fragment: String,
}

impl RequestObjects {
    pub(super) fn new(fetcher: Fetcher, clock: Clock) -> Self {
        let addresses = bounded_cache::future(BOUND).eviction_policy(EvictionPolicy::lru()).time_to_idle(FRESH).build();
        Self { fetcher, clock, addresses }
    }

    /// The text at this `request_uri`, which is registered.
    ///
    /// # Errors
    /// [`FetchError`].
    pub(super) async fn at(&self, uri: &str) -> Result<Arc<str>, FetchError> {
        let (uri, fragment) = uri.split_once('#').unwrap_or((uri, ""));
        let held = self.addresses.get_with_by_ref(uri, async { Arc::default() }).await;
        let Address { fetched, rate } = &mut *held.address.lock().await;
        let now = self.clock.now();
        let known = fetched.as_ref().filter(|known| age(known.at, now) < FRESH);
        match known {
            Some(known) if known.fragment == fragment => return Ok(Arc::clone(&known.text)),
            Some(known) if !rate.begin(now) => return Ok(Arc::clone(&known.text)),
            None if !rate.begin(now) => return Err(FetchError("it was fetched too often".to_owned())),
            Some(_) | None => {}
        }
        let body = self.fetcher.get(uri).await?;
        let text = std::str::from_utf8(&body).map_err(|_| FetchError("it is no text".to_owned()))?;
        let text: Arc<str> = text.trim().into();
        *fetched = Some(Fetched { text: Arc::clone(&text), at: now, fragment: fragment.to_owned() });
        held.text.store(text.len() + fragment.len(), Ordering::Relaxed);
        // it is weighed when it is put there
        self.addresses.insert(uri.to_owned(), Arc::clone(&held)).await;
        Ok(text)
    }
}
