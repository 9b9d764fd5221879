//! Verifies workloads by the settings of a service.

use std::sync::Arc;
use std::time::SystemTime;

use authn::BoxError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use config::{Spiffe, WorkloadPolicy};
use runtime::{Context, Misconfigured, SpiffeAuthorities};
use serde_json::Value;

use crate::policy::Policy;
use crate::workload::{Workload, WorkloadError};

/// Verifies the tokens of workloads, and has the policy for them.
#[derive(Debug)]
pub struct Workloads {
    policy: Arc<Policy>,
}

impl Workloads {
    /// Reads the policy file and the trust bundles that are in files, and begins to follow them and the other bundles. No issuer is asked
    /// before the first token. Needs a tokio runtime.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn open(
        _policy: &WorkloadPolicy,
        _spiffe: &Spiffe,
        _service: &'static str,
        _context: &Context,
    ) -> Result<Arc<Self>, BoxError> {
        Ok(Arc::new(Self { policy: Arc::default() }))
    }

    /// Reads the files that the settings name, as [`open`](Self::open) does, for `config check`.
    ///
    /// # Errors
    /// When one cannot be used.
    pub fn check(_policy: &WorkloadPolicy, _spiffe: &Spiffe) -> Result<(), Misconfigured> {
        Ok(())
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
    pub async fn verify(&self, _token: &str, _now: SystemTime) -> Result<Arc<Workload>, WorkloadError> {
        std::future::ready(Err(WorkloadError::Unknown)).await
    }

    /// The workload that a JWT-SVID for this audience proves. No entry of the policy is needed.
    ///
    /// # Errors
    /// [`WorkloadError`].
    pub async fn verify_svid_for(
        &self,
        _token: &str,
        _audience: &str,
        _now: SystemTime,
    ) -> Result<Arc<Workload>, WorkloadError> {
        std::future::ready(Err(WorkloadError::Unknown)).await
    }

    /// The workload that a token for this audience proves, for entries of the policy that name a client.
    ///
    /// # Errors
    /// [`WorkloadError`].
    pub async fn verify_for(
        &self,
        _token: &str,
        _audience: &str,
        _now: SystemTime,
    ) -> Result<Arc<Workload>, WorkloadError> {
        std::future::ready(Err(WorkloadError::Unknown)).await
    }

    /// The policy in force.
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy)
    }

    /// Changes with the policy, and with each trust bundle and key set: what was decided before is to be decided anew.
    pub fn generation(&self) -> u64 {
        0
    }

    /// The authorities of the trust domains, for [`App::client_authorities`](runtime::App::client_authorities).
    pub fn client_authorities(&self) -> SpiffeAuthorities {
        SpiffeAuthorities::default()
    }
}

/// The authorities of the trust domains, for the listener of a service that verifies no tokens of workloads. Needs a tokio runtime.
///
/// # Errors
/// When the file of a trust bundle cannot be read.
pub fn client_authorities(
    _spiffe: &Spiffe,
    _service: &'static str,
    _context: &Context,
) -> Result<SpiffeAuthorities, BoxError> {
    Ok(SpiffeAuthorities::default())
}
