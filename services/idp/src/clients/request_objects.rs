//! Request objects that are fetched from clients (`OpenID` Connect Core 6.2).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use moka::future::Cache;
use outbound::{FetchError, Fetcher};
use runtime::Clock;
use tokio::sync::Mutex;

use super::fetch_rate::{FetchRate, age};

/// How long one is used without looking again.
const FRESH: Duration = Duration::from_mins(1);
/// The most of which copies are held, each of as many bytes as the fetcher takes.
const MOST: u64 = 100;

/// Request objects by address.
pub(super) struct RequestObjects {
    fetcher: Fetcher,
    clock: Clock,
    addresses: Cache<String, Arc<Mutex<Address>>>,
}

/// What is known of one address. Its lock is held while it is fetched, so that of many callers one fetches.
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
        Self { fetcher, clock, addresses: Cache::builder().max_capacity(MOST).time_to_idle(FRESH).build() }
    }

    /// The text at this `request_uri`, which is registered.
    ///
    /// # Errors
    /// [`FetchError`].
    pub(super) async fn at(&self, uri: &str) -> Result<Arc<str>, FetchError> {
        let (uri, fragment) = uri.split_once('#').unwrap_or((uri, ""));
        let address = self.addresses.get_with_by_ref(uri, async { Arc::default() }).await;
        let Address { fetched, rate } = &mut *address.lock().await;
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
        Ok(text)
    }
}
