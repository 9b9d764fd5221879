//! Workloads that authenticate by JWT-SVIDs.

use std::fs;
use std::time::Duration;

use authn::BoxError;
use runtime::Clock;
use workload::testing::SpiffeAuthority;

use crate::family::{Family, SERVICE_ACCOUNT};

const DOMAIN: &str = "bench.test";
const AUDIENCE: &str = "bench";
const LIFETIME: Duration = Duration::from_hours(12);

/// A trust domain.
pub(crate) struct Workloads(SpiffeAuthority);

impl Workloads {
    /// Lets a workload of a new trust domain act for users, and be the service account, from the next start on.
    pub(crate) fn of(family: &mut Family) -> Result<Self, BoxError> {
        let authority = SpiffeAuthority::new(DOMAIN);
        let (bundle, policy) = (family.file("bundle.json"), family.file("workloads.yaml"));
        fs::write(&bundle, authority.bundle())?;
        let entry = format!(
            "{{ identity: '{}', audience: [{AUDIENCE}], may_act_for: {{ users: ['*'] }}, service_account: {SERVICE_ACCOUNT} }}",
            authority.id("/worker")
        );
        fs::write(&policy, format!("callers:\n  - {entry}\n"))?;
        family.set("OCIS_SPIFFE_TRUST_DOMAINS", format!("{DOMAIN}={}", bundle.display()));
        family.set("OCIS_WORKLOAD_POLICY_FILE", policy.display().to_string());
        Ok(Self(authority))
    }

    /// JWT-SVIDs of the workload; no two are the same, as their signatures are not.
    pub(crate) fn tokens(&self, count: usize) -> Vec<String> {
        let now = Clock::system().now();
        (0..count).map(|_| self.0.svid("/worker", AUDIENCE, LIFETIME, now)).collect()
    }
}
