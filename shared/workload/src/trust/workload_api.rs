//! Trust bundles that the SPIFFE Workload API pushes.

use std::collections::BTreeSet;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use spiffe::{
    JwtBundle, JwtBundleSet, JwtResourceLimits, JwtSource, JwtSourceError, TrustDomain, X509BundleSet,
    X509ResourceLimits, X509Source, X509SourceError, jwt_source, x509_source,
};

use super::{DomainKeys, TrustBundles};

/// How long it takes until the agent is called again, at least and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
/// How long it takes until a source is made anew that has ended.
const RESTART: Duration = Duration::from_secs(10);
/// The most trust domains that an agent may push, and the most bytes of one bundle.
const MAX_BUNDLES: usize = 64;
const MAX_BUNDLE_BYTES: usize = 1024 * 1024;
/// The most identities of our own that an agent may push.
const MAX_SVIDS: usize = 64;
/// After how long without a failure the agent has answered: much longer than it takes until it is called again.
const RECOVERED: Duration = Duration::from_mins(1);
/// The failure that the source notes after the one that caused it; alone, where the agent has no identity for its caller.
const SUMMARY: &str = "initial_sync_failed";

/// Takes the keys for JWT-SVIDs that the agent pushes, until the service stops.
pub(super) async fn follow_jwt(bundles: Arc<TrustBundles>, socket: String) {
    let shutdown = bundles.context().shutdown.clone();
    let following = async {
        loop {
            let ended = jwt_until_end(&bundles, &socket).await;
            tracing::error!(%ended, "the SPIFFE Workload API cannot be followed for JWT-SVIDs: {ended}");
            tokio::time::sleep(RESTART).await;
        }
    };
    let _ = shutdown.run_until_cancelled(following).await;
}

/// Takes the keys for JWT-SVIDs until their source ends; why it did.
async fn jwt_until_end(bundles: &Arc<TrustBundles>, socket: &str) -> JwtSourceError {
    let limits = JwtResourceLimits::new(Some(MAX_BUNDLES), Some(MAX_BUNDLE_BYTES));
    let builder = JwtSource::builder().endpoint(socket).reconnect_backoff(BACKOFF.0, BACKOFF.1);
    let built = builder.resource_limits(limits).metrics(Arc::new(Failures::new(bundles, &JWT))).build().await;
    let source = match built {
        Ok(source) => source,
        Err(error) => return error,
    };
    // before the state is read, so that no later one is missed
    let mut updates = source.updated();
    loop {
        take_jwt(bundles, source.state().bundle_set());
        if let Err(ended) = updates.changed().await {
            return ended;
        }
    }
}

/// Takes the keys of the trust domains of the settings, and of no others. While the agent refuses to give any, none is in use.
fn take_jwt(bundles: &TrustBundles, pushed: Result<Arc<JwtBundleSet>, JwtSourceError>) {
    if let Err(error) = &pushed {
        tracing::error!(%error, "the SPIFFE Workload API has withdrawn its bundles for JWT-SVIDs");
    }
    let pushed = pushed.ok();
    for domain in bundles.of_agent() {
        let jwt = pushed.as_ref().and_then(|pushed| pushed.get(domain));
        let jwt = jwt.map(|bundle| std::iter::once(JwtBundle::clone(&bundle)).collect::<JwtBundleSet>());
        bundles.count(domain.as_str(), jwt.is_some());
        bundles.update(domain.as_str(), jwt.is_some(), |keys| keys.jwt = jwt);
    }
}

/// Takes the authorities for X.509-SVIDs that the agent pushes, until the service stops.
pub(super) async fn follow_x509(bundles: Arc<TrustBundles>, socket: String) {
    let shutdown = bundles.context().shutdown.clone();
    let following = async {
        loop {
            let ended = x509_until_end(&bundles, &socket).await;
            tracing::error!(%ended, "the SPIFFE Workload API cannot be followed for X.509-SVIDs: {ended}");
            tokio::time::sleep(RESTART).await;
        }
    };
    let _ = shutdown.run_until_cancelled(following).await;
}

async fn x509_until_end(bundles: &Arc<TrustBundles>, socket: &str) -> X509SourceError {
    let limits = X509ResourceLimits::new(Some(MAX_SVIDS), Some(MAX_BUNDLES), Some(MAX_BUNDLE_BYTES));
    let builder = X509Source::builder().endpoint(socket).reconnect_backoff(BACKOFF.0, BACKOFF.1);
    let built = builder.resource_limits(limits).metrics(Arc::new(Failures::new(bundles, &X509))).build().await;
    let source = match built {
        Ok(source) => source,
        Err(error) => return error,
    };
    let mut updates = source.updated();
    loop {
        take_x509(bundles, source.state().context().map(|context| Arc::clone(context.bundle_set())));
        if let Err(ended) = updates.changed().await {
            return ended;
        }
    }
}

fn take_x509(bundles: &TrustBundles, pushed: Result<Arc<X509BundleSet>, X509SourceError>) {
    if let Err(error) = &pushed {
        tracing::error!(%error, "the SPIFFE Workload API has withdrawn its bundles for X.509-SVIDs");
    }
    let pushed = pushed.ok();
    for domain in bundles.of_agent() {
        let bundle = pushed.as_ref().and_then(|pushed| pushed.get(domain));
        let authorities = bundle.as_ref().map(|bundle| bundle.authorities()).unwrap_or_default();
        let x509: Vec<_> = authorities.iter().map(|authority| authority.as_bytes().to_vec()).collect();
        bundles.count(domain.as_str(), bundle.is_some());
        bundles.update(domain.as_str(), bundle.is_some(), |keys| keys.x509 = x509);
    }
}

/// What bundles are for.
struct Kind {
    name: &'static str,
    are_there: fn(&DomainKeys) -> bool,
}

static JWT: Kind = Kind { name: "JWT-SVID", are_there: |keys| keys.jwt.is_some() };
static X509: Kind = Kind { name: "X.509-SVID", are_there: |keys| !keys.x509.is_empty() };

/// Counts failures to reach the agent. The first one of its sort after the agent has answered is logged.
struct Failures {
    bundles: Weak<TrustBundles>,
    kind: &'static Kind,
    seen: Mutex<Seen>,
}

/// The failures since the agent has answered.
#[derive(Default)]
struct Seen {
    last: Option<SystemTime>,
    logged: BTreeSet<&'static str>,
    /// Whether a failure was noted since the last summary.
    is_explained: bool,
}

impl Seen {
    /// Whether a failure is to be counted, and whether it is to be logged.
    fn add(&mut self, failure: &'static str, now: SystemTime) -> (bool, bool) {
        let is_summary = failure == SUMMARY;
        if mem::replace(&mut self.is_explained, !is_summary) && is_summary {
            return (false, false);
        }
        let has_recovered = |last| now.duration_since(last).is_ok_and(|ago| ago >= RECOVERED);
        if self.last.is_some_and(has_recovered) {
            self.logged.clear();
        }
        self.last = Some(now);
        (true, self.logged.insert(failure))
    }
}

impl Failures {
    fn new(bundles: &Arc<TrustBundles>, kind: &'static Kind) -> Self {
        Self { bundles: Arc::downgrade(bundles), kind, seen: Mutex::default() }
    }

    fn note(&self, failure: &'static str) {
        let Some(bundles) = self.bundles.upgrade() else { return };
        let (is_counted, is_logged) =
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).add(failure, bundles.now());
        for domain in bundles.of_agent().filter(|_| is_counted) {
            bundles.count(domain.as_str(), false);
        }
        if is_logged {
            self.log(&bundles, failure);
        }
    }

    /// An error where callers are refused until the agent answers.
    fn log(&self, bundles: &TrustBundles, failure: &'static str) {
        let (socket, problem, missing) = (&bundles.agent.1, problem(failure), self.missing(bundles));
        let message = format!(
            "the SPIFFE Workload API at {socket} (OCIS_SPIFFE_ENDPOINT_SOCKET) {problem}; it is called until it answers, and"
        );
        if missing.is_empty() {
            tracing::warn!(failure, "{message} the former trust bundles stay in use");
        } else {
            let name = self.kind.name;
            tracing::error!(failure, "{message} until then no {name} of {missing} is accepted");
        }
    }

    /// The trust domains of which there is no bundle yet, with commas.
    fn missing(&self, bundles: &TrustBundles) -> String {
        let domains = bundles.domains.load();
        let is_known = |name: &str| domains.get(name).is_some_and(|domain| (self.kind.are_there)(&domain.keys));
        let missing: Vec<_> = bundles.of_agent().map(TrustDomain::as_str).filter(|name| !is_known(name)).collect();
        missing.join(", ")
    }
}

/// What has failed, and what to do about it.
fn problem(failure: &str) -> &'static str {
    match failure {
        "client_creation" => {
            "cannot be connected to: see whether the agent runs, and whether the account of this service may open its socket"
        }
        "stream_connect" | SUMMARY => {
            "refuses the call, or has no identity for this service: see whether it has an entry for it"
        }
        "stream_error" | "stream_ended" => {
            "has ended the connection: see whether the agent runs, and has an entry for this service"
        }
        _ => "has sent what cannot be used: see the log of the agent",
    }
}

impl jwt_source::MetricsRecorder for Failures {
    fn record_update(&self) {}

    fn record_reconnect(&self) {}

    fn record_error(&self, kind: jwt_source::MetricsErrorKind) {
        self.note(kind.as_str());
    }
}

impl x509_source::MetricsRecorder for Failures {
    fn record_update(&self) {}

    fn record_reconnect(&self) {}

    fn record_error(&self, kind: x509_source::MetricsErrorKind) {
        self.note(kind.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_is_logged_once_until_the_agent_has_answered() {
        let mut seen = Seen::default();
        for (second, failure, expected) in [
            (0, "client_creation", (true, true)),
            (0, SUMMARY, (false, false)),
            (10, "client_creation", (true, false)),
            (10, SUMMARY, (false, false)),
            // the agent runs now, and has no identity for this service
            (20, SUMMARY, (true, true)),
            (79, "client_creation", (true, false)),
            (139, "client_creation", (true, true)),
        ] {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
            assert_eq!(seen.add(failure, now), expected, "{second} {failure}");
        }
    }
}
