//! The trust bundles of SPIFFE trust domains: where they are from, and how they are replaced while the service runs.

mod bundle;
mod endpoint;
mod file;
mod workload_api;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use authn::BoxError;
use config::{BundleSource, Spiffe};
use outbound::{Authorities, FetchError};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use runtime::{Context, FileSetting, Misconfigured, SpiffeAuthorities};
use spiffe::{JwtBundleSet, TrustDomain};

use crate::metrics::{BundleUpdate, bundle_updates};
use crate::workload::WorkloadError;
use bundle::{Bundle, BundleError};
use endpoint::Endpoint;

/// The setting that names the trust domains.
const SETTING: &str = "OCIS_SPIFFE_TRUST_DOMAINS";
/// The setting that names authorities for bundle endpoints.
const AUTHORITIES: &str = "OCIS_SPIFFE_CACERT";
/// How long the bundle of an endpoint is used that cannot be reached.
const USABLE: Duration = Duration::from_hours(24);
/// The least time between two requests to an endpoint for keys that are not in its bundle.
const PAUSE: Duration = Duration::from_secs(10);
/// The same while there is no bundle.
const PAUSE_WHILE_EMPTY: Duration = Duration::from_secs(1);
const UNAVAILABLE: WorkloadError = WorkloadError::Unavailable("the trust bundle of the workload is not available");

/// The authorities of a trust domain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DomainKeys {
    /// The keys for JWT-SVIDs; `None` while they are not available.
    pub(crate) jwt: Option<JwtBundleSet>,
    /// The authorities for X.509-SVIDs, in DER.
    pub(crate) x509: Vec<Vec<u8>>,
}

/// A trust domain of the settings.
#[derive(Debug, Clone)]
struct Domain {
    keys: Arc<DomainKeys>,
    source: &'static str,
    /// When its bundle was last read or received.
    read_at: Option<SystemTime>,
    /// How long its bundle is used after that.
    usable: Option<Duration>,
}

/// The trust bundles of all trust domains of the settings. A verification holds the keys with which it begins.
pub(crate) struct TrustBundles {
    service: &'static str,
    context: Context,
    domains: ArcSwap<BTreeMap<String, Domain>>,
    /// Held while `domains` is replaced.
    writing: Mutex<()>,
    /// Grows with each change of a bundle.
    changes: Arc<AtomicU64>,
    endpoints: BTreeMap<String, Endpoint>,
    /// The trust domains whose bundles the Workload API has, and its socket.
    agent: (Vec<TrustDomain>, String),
    /// What listeners verify certificates by, once one wants that.
    listeners: OnceLock<SpiffeAuthorities>,
    updates: Family<BundleUpdate, Counter>,
}

/// The trust domains of the settings, by their sources.
#[derive(Default)]
struct Sources {
    domains: BTreeMap<String, Domain>,
    endpoints: BTreeMap<String, Endpoint>,
    files: Vec<(TrustDomain, PathBuf)>,
    of_agent: Vec<TrustDomain>,
}

impl Sources {
    fn of(spiffe: &Spiffe, service: &'static str, context: &Context) -> Result<Self, Misconfigured> {
        let follow = |file| Authorities::follow(FileSetting { service, name: AUTHORITIES, files: vec![file] }, context);
        let authorities = spiffe.cacert.clone().map(follow).transpose().map_err(Misconfigured::new)?;
        let mut all = Self::default();
        for (domain, source) in sources(spiffe)? {
            let name = domain.as_str().to_owned();
            let (source, usable) = match source {
                BundleSource::File(file) => {
                    all.files.push((domain, file));
                    ("file", None)
                }
                BundleSource::Url(url) => {
                    let endpoint = Endpoint::new(domain.clone(), url, authorities.as_ref());
                    let unusable = |error: FetchError| {
                        let problem = BundleError::new(format!("cannot be fetched: its address {error}"));
                        misconfigured(&domain, &problem)
                    };
                    all.endpoints.insert(name.clone(), endpoint.map_err(unusable)?);
                    ("https", Some(USABLE))
                }
                BundleSource::WorkloadApi => {
                    all.of_agent.push(domain);
                    ("workload_api", None)
                }
            };
            all.domains.insert(name, Domain { keys: Arc::default(), source, read_at: None, usable });
        }
        Ok(all)
    }
}

impl DomainKeys {
    /// How many keys and authorities there are.
    fn count(&self) -> usize {
        let bundles = self.jwt.iter().flat_map(JwtBundleSet::iter);
        bundles.map(|(_, bundle)| bundle.jwt_authorities().count()).sum::<usize>() + self.x509.len()
    }
}

impl Domain {
    fn is_outdated(&self, now: SystemTime) -> bool {
        let age = self.read_at.and_then(|read_at| now.duration_since(read_at).ok()).unwrap_or_default();
        self.usable.is_some_and(|usable| age >= usable)
    }
}

impl TrustBundles {
    /// Reads the bundles that are in files, and begins to follow all. `changes` grows whenever one changes. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the settings are invalid, or the bundle of a file cannot be read.
    pub(crate) fn open(
        spiffe: &Spiffe,
        service: &'static str,
        changes: Arc<AtomicU64>,
        context: &Context,
    ) -> Result<Arc<Self>, BoxError> {
        let Sources { domains, endpoints, files, of_agent } = Sources::of(spiffe, service, context)?;
        let bundles = Arc::new(Self {
            service,
            context: context.clone(),
            domains: ArcSwap::from_pointee(domains),
            writing: Mutex::default(),
            changes,
            endpoints,
            agent: (of_agent, spiffe.endpoint_socket.clone()),
            listeners: OnceLock::new(),
            updates: bundle_updates(&context.metrics),
        });
        for (domain, file) in files {
            file::follow(&bundles, &domain, file).map_err(|error| misconfigured(&domain, &error))?;
        }
        bundles.measure();
        bundles.begin();
        Ok(bundles)
    }

    /// Reads the bundles that are in files, for `config check`.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(crate) fn check(spiffe: &Spiffe) -> Result<(), Misconfigured> {
        for (domain, source) in sources(spiffe)? {
            if let BundleSource::File(file) = source {
                Bundle::read(&domain, &file).map_err(|error| misconfigured(&domain, &error))?;
            }
        }
        Ok(())
    }

    /// Begins to fetch and receive bundles.
    fn begin(self: &Arc<Self>) {
        let background = &self.context.background;
        for domain in self.endpoints.keys() {
            background.spawn("trust bundle endpoints", endpoint::follow(Arc::clone(self), domain.clone()));
        }
        if !self.agent.0.is_empty() {
            let following = workload_api::follow_jwt(Arc::clone(self), self.agent.1.clone());
            background.spawn("trust bundles of the Workload API", following);
        }
    }

    /// The names of the trust domains.
    pub(crate) fn names(&self) -> Vec<String> {
        self.domains.load().keys().cloned().collect()
    }

    /// Whether this is one of them.
    pub(crate) fn has(&self, domain: &str) -> bool {
        self.domains.load().contains_key(domain)
    }

    /// Whether a listener has each of them verify the certificates with its ids.
    pub(crate) fn verifies_certificates(&self) -> bool {
        self.listeners.get().is_some()
    }

    /// The keys of a trust domain. While there are none, its bundle endpoint is asked, at most every second.
    ///
    /// # Errors
    /// [`WorkloadError::Unknown`] for another trust domain, [`WorkloadError::Unavailable`].
    pub(crate) async fn keys(&self, domain: &str) -> Result<Arc<DomainKeys>, WorkloadError> {
        match (self.current(domain), self.endpoints.get(domain)) {
            (Err(WorkloadError::Unavailable(_)), Some(endpoint)) => {
                endpoint.ask_unless_asked(self, PAUSE_WHILE_EMPTY).await;
                self.current(domain)
            }
            (current, _) => current,
        }
    }

    /// The keys of a trust domain after its bundle endpoint was asked because a key is not in its bundle, at most every ten seconds.
    ///
    /// # Errors
    /// As [`keys`](Self::keys).
    pub(crate) async fn newer_keys(&self, domain: &str) -> Result<Arc<DomainKeys>, WorkloadError> {
        if let Some(endpoint) = self.endpoints.get(domain) {
            endpoint.ask_unless_asked(self, PAUSE).await;
        }
        self.current(domain)
    }

    fn current(&self, domain: &str) -> Result<Arc<DomainKeys>, WorkloadError> {
        let domains = self.domains.load();
        let domain = domains.get(domain).ok_or(WorkloadError::Unknown)?;
        if domain.keys.jwt.is_none() || domain.is_outdated(self.now()) {
            return Err(UNAVAILABLE);
        }
        Ok(Arc::clone(&domain.keys))
    }

    /// What listeners verify certificates of clients by, from now on as the bundles have it. Needs a tokio runtime.
    pub(crate) fn client_authorities(self: &Arc<Self>) -> SpiffeAuthorities {
        let mut is_first = false;
        let listeners = self.listeners.get_or_init(|| {
            is_first = true;
            SpiffeAuthorities::new(self.names())
        });
        if is_first {
            let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            for (name, domain) in self.domains.load().iter() {
                self.announce(listeners, name, &domain.keys);
            }
            if !self.agent.0.is_empty() {
                let following = workload_api::follow_x509(Arc::clone(self), self.agent.1.clone());
                self.context.background.spawn("X.509 bundles of the Workload API", following);
            }
        }
        listeners.clone()
    }

    /// Puts the bundle of a file or an endpoint to use.
    fn take(&self, domain: &TrustDomain, bundle: &Bundle) {
        self.update(domain.as_str(), true, |keys| *keys = bundle.keys.clone());
    }

    /// Changes the keys of a trust domain. All at once: a verification has either those from before or all new ones. `is_read` is whether
    /// they come from its source.
    fn update(&self, domain: &str, is_read: bool, change: impl FnOnce(&mut DomainKeys)) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut domains = BTreeMap::clone(&self.domains.load());
        let Some(known) = domains.get_mut(domain) else { return };
        let before = Arc::clone(&known.keys);
        let mut keys = DomainKeys::clone(&before);
        change(&mut keys);
        let after = if keys == *before { Arc::clone(&before) } else { Arc::new(keys) };
        known.keys = Arc::clone(&after);
        if is_read {
            known.read_at = Some(self.context.clock.now());
        }
        self.domains.store(Arc::new(domains));
        if Arc::ptr_eq(&before, &after) {
            return;
        }
        // after the keys are in use: a verification by the former keys has read the former number, so that its result is not cached
        self.changes.fetch_add(1, Ordering::SeqCst);
        tracing::info!(domain, keys = after.count(), "the trust bundle of {domain} has changed");
        if let Some(listeners) = self.listeners.get() {
            self.announce(listeners, domain, &after);
        }
    }

    /// Ends the use of a bundle whose endpoint could not be reached for a day.
    fn end_outdated(&self, domain: &str) {
        let is_outdated = self.domains.load().get(domain).is_some_and(|domain| domain.is_outdated(self.now()));
        if is_outdated {
            self.update(domain, false, |keys| *keys = DomainKeys::default());
        }
    }

    fn announce(&self, listeners: &SpiffeAuthorities, domain: &str, keys: &DomainKeys) {
        if let Err(error) = listeners.replace(domain, keys.x509.iter().cloned()) {
            self.count(domain, false);
            tracing::error!(domain, %error, "{error}; those from before stay in use");
        }
    }

    fn context(&self) -> &Context {
        &self.context
    }

    fn service(&self) -> &'static str {
        self.service
    }

    fn now(&self) -> SystemTime {
        self.context.clock.now()
    }

    fn endpoint(&self, domain: &str) -> Option<&Endpoint> {
        self.endpoints.get(domain)
    }

    /// The trust domains whose bundles the Workload API has.
    fn of_agent(&self) -> impl Iterator<Item = &TrustDomain> {
        self.agent.0.iter()
    }

    /// Counts a bundle that was read or received, or could not be.
    fn count(&self, domain: &str, is_read: bool) {
        self.updates.get_or_create(&BundleUpdate::new(self.service, domain, is_read)).inc();
    }

    /// Has the age and the number of keys of each bundle read at each scrape.
    #[expect(clippy::cast_precision_loss, reason = "a bundle has a few keys")]
    fn measure(self: &Arc<Self>) {
        for (name, domain) in self.domains.load().iter() {
            let (service, source) = (self.service, domain.source);
            let labels =
                || vec![("service", service.to_owned()), ("trust_domain", name.clone()), ("source", source.to_owned())];
            let (bundles, of) = (Arc::downgrade(self), name.clone());
            self.context.metrics.gauge_of(
                "doorward_trust_bundle_keys",
                "How many keys and authorities the bundle of a SPIFFE trust domain has",
                labels(),
                move || Some(known(&bundles, &of)?.keys.count() as f64),
            );
            let (bundles, of, clock) = (Arc::downgrade(self), name.clone(), self.context.clock.clone());
            self.context.metrics.gauge_of(
                "doorward_trust_bundle_age_seconds",
                "How long ago the bundle of a SPIFFE trust domain was last read from its file, fetched, or received from the Workload API, in seconds",
                labels(),
                move || {
                    let read_at = known(&bundles, &of)?.read_at?;
                    Some(clock.now().duration_since(read_at).unwrap_or_default().as_secs_f64())
                },
            );
        }
    }
}

/// What is known of a trust domain, as long as its bundle is followed.
fn known(bundles: &Weak<TrustBundles>, domain: &str) -> Option<Domain> {
    let bundles = bundles.upgrade()?;
    let domains = bundles.domains.load();
    domains.get(domain).cloned()
}

/// The trust domains of the settings.
fn sources(spiffe: &Spiffe) -> Result<Vec<(TrustDomain, BundleSource)>, Misconfigured> {
    let problem = |problem: String| Misconfigured::new(BundleError::new(format!("{SETTING} {problem}")));
    let sources = spiffe.sources().map_err(problem)?.into_iter();
    let domain = |name: &str| TrustDomain::new(name).map_err(|error| problem(format!("names {name:?}: {error}")));
    sources.map(|source| Ok::<_, Misconfigured>((domain(&source.domain)?, source.source))).collect()
}

fn misconfigured(domain: &TrustDomain, error: &BundleError) -> Misconfigured {
    Misconfigured::new(BundleError::new(format!("{SETTING}: the trust bundle of {domain} {error}")))
}
