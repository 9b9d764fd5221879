//! Trust bundles that the SPIFFE Workload API pushes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use spiffe::{
    JwtBundle, JwtBundleSet, JwtResourceLimits, JwtSource, JwtSourceError, X509BundleSet, X509ResourceLimits,
    X509Source, X509SourceError, jwt_source, x509_source,
};

use super::TrustBundles;

/// How long it takes until the agent is called again, at least and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
/// How long it takes until a source is made anew that has ended.
const RESTART: Duration = Duration::from_secs(10);
/// The most trust domains that an agent may push, and the most bytes of one bundle.
const MAX_BUNDLES: usize = 64;
const MAX_BUNDLE_BYTES: usize = 1024 * 1024;
/// The most identities of our own that an agent may push.
const MAX_SVIDS: usize = 64;

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
async fn jwt_until_end(bundles: &TrustBundles, socket: &str) -> JwtSourceError {
    let limits = JwtResourceLimits::new(Some(MAX_BUNDLES), Some(MAX_BUNDLE_BYTES));
    let builder = JwtSource::builder().endpoint(socket).reconnect_backoff(BACKOFF.0, BACKOFF.1);
    let built = builder.resource_limits(limits).metrics(Arc::new(Failures::new(bundles))).build().await;
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

async fn x509_until_end(bundles: &TrustBundles, socket: &str) -> X509SourceError {
    let limits = X509ResourceLimits::new(Some(MAX_SVIDS), Some(MAX_BUNDLES), Some(MAX_BUNDLE_BYTES));
    let builder = X509Source::builder().endpoint(socket).reconnect_backoff(BACKOFF.0, BACKOFF.1);
    let built = builder.resource_limits(limits).metrics(Arc::new(Failures::new(bundles))).build().await;
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

/// Counts failures to reach the agent. The first one after a success is logged.
struct Failures {
    domains: Vec<String>,
    count: Box<dyn Fn(&str) + Send + Sync>,
    is_reported: AtomicBool,
}

impl Failures {
    fn new(bundles: &TrustBundles) -> Self {
        let domains = bundles.of_agent().map(|domain| domain.as_str().to_owned()).collect();
        Self { domains, count: Box::new(bundles.failures()), is_reported: AtomicBool::new(false) }
    }

    fn note(&self, kind: &str) {
        for domain in &self.domains {
            (self.count)(domain);
        }
        if !self.is_reported.swap(true, Ordering::AcqRel) {
            tracing::warn!(
                kind,
                "the SPIFFE Workload API fails ({kind}); it is called until it answers, and the former trust bundles stay in use"
            );
        }
    }

    fn note_update(&self) {
        self.is_reported.store(false, Ordering::Release);
    }
}

impl jwt_source::MetricsRecorder for Failures {
    fn record_update(&self) {
        self.note_update();
    }

    fn record_reconnect(&self) {}

    fn record_error(&self, kind: jwt_source::MetricsErrorKind) {
        self.note(kind.as_str());
    }
}

impl x509_source::MetricsRecorder for Failures {
    fn record_update(&self) {
        self.note_update();
    }

    fn record_reconnect(&self) {}

    fn record_error(&self, kind: x509_source::MetricsErrorKind) {
        self.note(kind.as_str());
    }
}
