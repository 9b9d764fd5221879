//! Verifies workloads by the settings of a service.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use authn::BoxError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bounded_cache::Lookups;
use config::{Spiffe, WorkloadPolicy};
use runtime::{Context, FileSetting, FileValue, Misconfigured, Reading, SpiffeAuthorities};
use serde_json::Value;
use tokio::sync::watch;

use crate::issuers::{Issuers, Surroundings};
use crate::metrics::Verifications;
use crate::policy::{Policy, Purpose, SETTING};
use crate::results::Results;
use crate::trust::TrustBundles;
use crate::verification::{Accepted, Explanation, Refusal, Verifier};
use crate::workload::{Workload, WorkloadError};

/// How SPIFFE ids begin.
const SPIFFE: &str = "spiffe://";
/// What an operator does about a SPIFFE id in a certificate that its trust domain has not verified.
const UNVERIFIED: &str = "a client certificate with a SPIFFE id of a trust domain in OCIS_SPIFFE_TRUST_DOMAINS proves nothing, as OCIS_GRPC_TLS_CLIENT_CA has verified it; set OCIS_GRPC_TLS_CLIENT_SPIFFE=true for this service and the gateways before it";

/// Verifies the tokens of workloads, and has the policy for them.
pub struct Workloads {
    trust: Arc<TrustBundles>,
    in_force: Arc<FileValue<InForce>>,
    /// Counts the readings of the policy file.
    readings: watch::Receiver<u64>,
    /// Counts the changes of trust bundles and key sets.
    changes: Arc<AtomicU64>,
    results: Results,
    verifications: Verifications,
}

/// What the policy file says, and the issuers that it names.
#[derive(Default)]
struct InForce {
    policy: Arc<Policy>,
    issuers: Issuers,
}

impl Workloads {
    /// Reads the policy file and the trust bundles that are in files, and begins to follow them and the other bundles. No issuer is asked
    /// before the first token. Needs a tokio runtime.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn open(
        policy: &WorkloadPolicy,
        spiffe: &Spiffe,
        service: &'static str,
        context: &Context,
    ) -> Result<Arc<Self>, BoxError> {
        let changes = Arc::<AtomicU64>::default();
        let trust = TrustBundles::open(spiffe, service, Arc::clone(&changes), context)?;
        let surroundings = Surroundings { service, changes: Arc::clone(&changes), context: context.clone() };
        let in_force = in_force(policy, trust.names(), surroundings)?;
        let results = Results::default();
        let verifications = Verifications::new(service, &context.metrics);
        let readings = in_force.readings();
        Ok(Arc::new(Self { trust, in_force, readings, changes, results, verifications }))
    }

    /// Reads the files that the settings name, as [`open`](Self::open) does, for `config check`.
    ///
    /// # Errors
    /// When one cannot be used.
    pub fn check(policy: &WorkloadPolicy, spiffe: &Spiffe) -> Result<(), Misconfigured> {
        TrustBundles::check(spiffe)?;
        let Some(file) = &policy.policy_file else { return Ok(()) };
        let domains: Vec<_> = spiffe.sources().unwrap_or_default().into_iter().map(|source| source.domain).collect();
        let policy = Policy::read(file, &domains).map_err(Misconfigured::new)?;
        Issuers::check(policy.issuers()).map_err(Misconfigured::new)
    }

    /// Whether a secret is a token in the compact form of a JWT, and not a key.
    pub fn is_token(secret: &str) -> bool {
        let parts: Vec<_> = secret.splitn(4, '.').map(|part| URL_SAFE_NO_PAD.decode(part).ok()).collect();
        let [Some(header), Some(_), Some(_)] = parts.as_slice() else { return false };
        serde_json::from_slice::<Value>(header).is_ok_and(|header| header.get("alg").is_some())
    }

    /// The workload that a token proves, for entries of the policy that let it act for a user or as a service account.
    ///
    /// # Errors
    /// [`WorkloadError`].
    pub async fn verify(&self, token: &str, now: SystemTime) -> Result<Arc<Workload>, WorkloadError> {
        // before the policy and the keys are read, so that no change between this and the verdict is missed
        let (key, generation) = (crypto::fingerprint(token.as_bytes()), self.generation());
        if let Some(known) = self.results.known(&key, now, generation) {
            self.verifications.count(Some(known.proof), Ok(&known));
            return Ok(known);
        }
        let workload = self.decide(token, Accepted::Entries(Purpose::Authentication), now).await?;
        self.results.keep(key, &workload, now, generation);
        Ok(workload)
    }

    /// The workload that a JWT-SVID for this audience proves. No entry of the policy is needed.
    ///
    /// # Errors
    /// [`WorkloadError`].
    pub async fn verify_svid_for(
        &self,
        token: &str,
        audience: &str,
        now: SystemTime,
    ) -> Result<Arc<Workload>, WorkloadError> {
        self.decide(token, Accepted::SvidsFor(audience), now).await
    }

    /// The workload that a token for this audience proves, for entries of the policy that name a client.
    ///
    /// # Errors
    /// [`WorkloadError`].
    pub async fn verify_for(
        &self,
        token: &str,
        audience: &str,
        now: SystemTime,
    ) -> Result<Arc<Workload>, WorkloadError> {
        self.decide(token, Accepted::EntriesFor(Purpose::ClientAssertion, audience), now).await
    }

    /// What the policy says of a token, whatever the request, for operators. It counts in no metric.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn explain(&self, token: &str, now: SystemTime) -> Result<Explanation, Refusal> {
        let in_force = self.in_force.current();
        let verifier = Verifier { policy: &in_force.policy, issuers: &in_force.issuers, trust: &self.trust };
        verifier.explain(token, now).await
    }

    /// The workload that has shown a client certificate, by the name that counts for it. `None` for an id of one of the trust domains unless the
    /// listener has the trust domains verify their ids ([`client_authorities`](Self::client_authorities)): no other authority may make them
    /// (`docs/security-requirements.md#m15`).
    pub fn certificate(&self, name: &str) -> Option<Workload> {
        let domain = name.strip_prefix(SPIFFE).and_then(|id| id.split('/').next());
        if domain.is_some_and(|domain| self.trust.has(domain)) && !self.trust.verifies_certificates() {
            tracing::warn!(caller = name, "{UNVERIFIED}");
            return None;
        }
        Some(Workload::certificate(name))
    }

    async fn decide(
        &self,
        token: &str,
        accepted: Accepted<'_>,
        now: SystemTime,
    ) -> Result<Arc<Workload>, WorkloadError> {
        let in_force = self.in_force.current();
        let verifier = Verifier { policy: &in_force.policy, issuers: &in_force.issuers, trust: &self.trust };
        let (proof, verdict) = match verifier.read(token, accepted) {
            Ok(token) => (Some(token.proof()), verifier.verify(&token, accepted, now).await),
            Err(error) => (None, Err(error)),
        };
        if let Err(error) = &verdict {
            tracing::debug!(%error, "the token of a workload proves nothing");
        }
        self.verifications.count(proof, verdict.as_ref());
        verdict.map(Arc::new)
    }

    /// How often [`verify`](Self::verify) found a token in its cache, for the metrics of services that call it.
    pub fn lookups(&self) -> &Lookups {
        self.results.lookups()
    }

    /// The policy in force.
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.in_force.current().policy)
    }

    /// Changes with the policy, and with each trust bundle and key set: what was decided before is to be decided anew.
    pub fn generation(&self) -> u64 {
        self.changes.load(Ordering::SeqCst) + *self.readings.borrow()
    }

    /// The authorities of the trust domains, for [`App::client_authorities`](runtime::App::client_authorities). Needs a tokio runtime.
    pub fn client_authorities(&self) -> SpiffeAuthorities {
        self.trust.client_authorities()
    }
}

impl fmt::Debug for Workloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workloads").field("generation", &self.generation()).finish_non_exhaustive()
    }
}

/// The policy file, which is read again when it, or a file of keys that it names, changes. Without one, nothing is accepted.
fn in_force(
    policy: &WorkloadPolicy,
    domains: Vec<String>,
    surroundings: Surroundings,
) -> Result<Arc<FileValue<InForce>>, Misconfigured> {
    let Some(file) = policy.policy_file.clone() else { return Ok(FileValue::fixed(InForce::default())) };
    let setting = FileSetting { service: surroundings.service, name: SETTING, files: vec![file.clone()] };
    let context = surroundings.context.clone();
    let read = move |before: Option<&InForce>| {
        let policy = Policy::read(&file, &domains).map_err(Misconfigured::new)?;
        let issuers = Issuers::new(policy.issuers(), before.map(|before| &before.issuers), &surroundings);
        let issuers = issuers.map_err(Misconfigured::new)?;
        let files = std::iter::once(&file).chain(issuers.files()).cloned().collect();
        Ok::<_, Misconfigured>(Reading { value: InForce { policy: Arc::new(policy), issuers }, files })
    };
    let changes = |_: &InForce, after: &InForce| format!("it names {} issuers", after.issuers.len());
    FileValue::open(setting, read, changes, &context)
}

/// The authorities of the trust domains, for the listener of a service that verifies no tokens of workloads. Needs a tokio runtime.
///
/// # Errors
/// When the file of a trust bundle cannot be read.
pub fn client_authorities(
    spiffe: &Spiffe,
    service: &'static str,
    context: &Context,
) -> Result<SpiffeAuthorities, BoxError> {
    Ok(TrustBundles::open(spiffe, service, Arc::default(), context)?.client_authorities())
}
