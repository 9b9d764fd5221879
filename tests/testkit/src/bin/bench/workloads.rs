//! Workloads that authenticate by JWT-SVIDs, and by tokens of Kubernetes service accounts.

use std::fs;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use authn::BoxError;
use oidc::jose::{Algorithm, SigningKey};
use runtime::Clock;
use serde_json::json;
use workload::testing::SpiffeAuthority;

use crate::family::{Family, SERVICE_ACCOUNT};

const DOMAIN: &str = "bench.test";
const CLUSTER: &str = "https://kubernetes.bench.test";
const AUDIENCE: &str = "bench";
const LIFETIME: Duration = Duration::from_hours(12);

/// A trust domain, and a cluster.
pub(crate) struct Workloads {
    domain: SpiffeAuthority,
    cluster: SigningKey,
}

impl Workloads {
    /// Lets a workload of a new trust domain act for users, and be the service account, and one of a new cluster act for users, from the next
    /// start on.
    pub(crate) fn of(family: &mut Family) -> Result<Self, BoxError> {
        // clusters sign by RS256
        let (domain, cluster) = (SpiffeAuthority::new(DOMAIN), SigningKey::generate(Algorithm::Rs256, "cluster")?);
        let [bundle, keys, policy] = ["bundle.json", "keys.json", "workloads.yaml"].map(|name| family.file(name));
        fs::write(&bundle, domain.bundle())?;
        fs::write(&keys, json!({ "keys": [cluster.jwk()] }).to_string())?;
        let text = format!(
            "callers:
  - {{ identity: '{}', audience: [{AUDIENCE}], may_act_for: {{ users: ['*'] }}, service_account: {SERVICE_ACCOUNT} }}
  - {{ issuer: '{CLUSTER}', audience: [{AUDIENCE}], namespace: jobs, name: worker, may_act_for: {{ users: ['*'] }} }}
issuers:
  - {{ issuer: '{CLUSTER}', jwks_file: '{}' }}
",
            domain.id("/worker"),
            keys.display()
        );
        fs::write(&policy, text)?;
        family.set("OCIS_SPIFFE_TRUST_DOMAINS", format!("{DOMAIN}={}", bundle.display()));
        family.set("OCIS_WORKLOAD_POLICY_FILE", policy.display().to_string());
        Ok(Self { domain, cluster })
    }

    /// JWT-SVIDs of the workload (ES256); no two are the same, as their signatures are not.
    pub(crate) fn svids(&self, count: usize) -> Vec<String> {
        let now = Clock::system().now();
        (0..count).map(|_| self.domain.svid("/worker", AUDIENCE, LIFETIME, now)).collect()
    }

    /// Tokens of the service account (RS256), made on every core; no two have the same `jti`.
    pub(crate) fn service_account_tokens(&self, count: usize) -> Result<Vec<String>, BoxError> {
        let (now, cores) = (Clock::system().now(), thread::available_parallelism()?.get());
        thread::scope(|scope| {
            let parts: Vec<_> = (0..cores)
                .map(|part| {
                    let numbers = (part..count).step_by(cores);
                    scope.spawn(move || {
                        numbers.map(|number| self.service_account_token(number, now)).collect::<Vec<_>>()
                    })
                })
                .collect();
            let parts: Vec<_> = parts
                .into_iter()
                .map(thread::ScopedJoinHandle::join)
                .collect::<Result<_, _>>()
                .map_err(|_| "a token cannot be made")?;
            Ok(parts.concat())
        })
    }

    /// What the API server of a cluster writes for a pod.
    fn service_account_token(&self, number: usize, now: SystemTime) -> String {
        let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let pod = json!({ "name": format!("worker-{number}"), "uid": format!("5f9b8f3e-6f0e-4c56-8a43-{number:012}") });
        let claims = json!({
            "iss": CLUSTER,
            "sub": "system:serviceaccount:jobs:worker",
            "aud": [AUDIENCE],
            "iat": seconds(now),
            "nbf": seconds(now),
            "exp": seconds(now + LIFETIME),
            "jti": format!("0d3f2b54-7c0b-4d6e-9d15-{number:012}"),
            "kubernetes.io": {
                "namespace": "jobs",
                "node": { "name": "node-1", "uid": "7a1c52f0-0b3a-4ad1-9a6c-1f0d0c6c2f11" },
                "pod": pod,
                "serviceaccount": { "name": "worker", "uid": "c2b8a5de-8a2f-49a0-8f52-6e9f7b1f0a3d" },
            },
        });
        self.cluster.jwt("JWT", &claims)
    }
}
