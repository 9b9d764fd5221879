//! Trust bundles of bundle endpoints (SPIFFE Federation, 5, profile `https_web`).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use outbound::{Authorities, FetchError, Fetcher, Policy};
use runtime::Random;
use spiffe::TrustDomain;
use tokio::sync::{Mutex, MutexGuard};

use super::TrustBundles;
use super::bundle::{Bundle, BundleError};

/// The `User-Agent` of requests.
const USER_AGENT: &str = "doorward-workload";
/// How often a bundle is fetched whose publisher does not say (SPIFFE Trust Domain and Bundle, 4.1.2).
const INTERVAL: Duration = Duration::from_mins(5);
/// What publishers may ask for.
const SHORTEST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_hours(1);
/// How long after a failure the bundle is fetched again.
const RETRY: Duration = Duration::from_secs(30);

/// The bundle endpoint of a trust domain. The operator has named it, so that it may be in a private network; redirects are not followed.
pub(super) struct Endpoint {
    domain: TrustDomain,
    url: String,
    fetcher: Fetcher,
    /// When it was last asked, and the sequence number of its last bundle; locked while it is asked.
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    asked: Option<SystemTime>,
    sequence: Option<u64>,
}

impl Endpoint {
    /// Prepares to ask it, with authorities in addition to the system's.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub(super) fn new(domain: TrustDomain, url: String, authorities: Option<&Authorities>) -> Result<Self, FetchError> {
        let policy = Policy { allow_private: true, insecure: false };
        let fetcher = Fetcher::new(USER_AGENT, policy, authorities)?;
        fetcher.check(&url)?;
        Ok(Self { domain, url, fetcher, last: Mutex::default() })
    }

    /// Asks it, unless that was done within this time; several who want that wait for one answer.
    pub(super) async fn ask_unless_asked(&self, bundles: &TrustBundles, within: Duration) {
        let last = self.last.lock().await;
        let now = bundles.now();
        let is_recent = |asked: SystemTime| now.duration_since(asked).unwrap_or_default() < within;
        if !last.asked.is_some_and(is_recent) {
            self.ask(last, bundles).await;
        }
    }

    /// Asks it now. Returns how long to wait until the next time.
    async fn ask(&self, mut last: MutexGuard<'_, Last>, bundles: &TrustBundles) -> Duration {
        // counts even if the caller goes away before the answer
        last.asked = Some(bundles.now());
        let fetched = self.fetch(last.sequence).await;
        // callers that waited for the lock share this answer, and do not ask again
        last.asked = Some(bundles.now());
        bundles.count(self.domain.as_str(), fetched.is_ok());
        match fetched {
            Ok(bundle) => {
                last.sequence = bundle.sequence.or(last.sequence);
                bundles.take(&self.domain, &bundle);
                bundle.refresh_hint.unwrap_or(INTERVAL).clamp(SHORTEST, LONGEST)
            }
            Err(error) => {
                let domain = self.domain.as_str();
                tracing::warn!(domain, url = self.url, %error, "the trust bundle of {domain} {error}; the former one stays in use for a day");
                bundles.end_outdated(domain);
                RETRY
            }
        }
    }

    async fn fetch(&self, sequence: Option<u64>) -> Result<Bundle, BundleError> {
        let document = self.fetcher.get(&self.url).await;
        let document = document.map_err(|error| BundleError::new(format!("cannot be fetched: {error}")))?;
        let bundle = Bundle::parse(&self.domain, &document)?;
        bundle.check_follows(sequence)?;
        Ok(bundle)
    }
}

/// Fetches the bundle of a trust domain again and again, as often as its publisher wants, until the service stops.
pub(super) async fn follow(bundles: Arc<TrustBundles>, domain: String) {
    let context = bundles.context();
    let following = async {
        while let Some(endpoint) = bundles.endpoint(&domain) {
            let interval = endpoint.ask(endpoint.last.lock().await, &bundles).await;
            tokio::time::sleep(varied(interval, &context.random)).await;
        }
    };
    let _ = context.shutdown.run_until_cancelled(following).await;
}

/// A tenth more or less, so that not all replicas ask at once.
fn varied(interval: Duration, random: &Random) -> Duration {
    let thousandths = 900 + u32::from(u16::from_be_bytes(random.bytes())) % 201;
    interval * thousandths / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_varies_by_a_tenth() {
        let random = Random::seeded(1);
        let varied: Vec<_> = (0..100).map(|_| varied(Duration::from_secs(100), &random)).collect();
        assert!(varied.iter().all(|interval| (90..=110).contains(&interval.as_secs())));
        assert!(varied.iter().max() > varied.iter().min());
    }
}
