//! Verifies tokens. What is cheap comes first, and nothing is fetched for a token that no entry of the policy is for.

mod explanation;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use oidc::claims::{self, CLIENT_AHEAD, TimeError};
use oidc::jose::UnverifiedJwt;
use serde_json::Value;
use spiffe::{JwtSvid, JwtSvidError, JwtVerificationErrorKind, SpiffeId};

use crate::issuers::{Issuer, Issuers};
use crate::kubernetes::ServiceAccount;
use crate::policy::{Origin, Policy, Purpose};
use crate::trust::{DomainKeys, TrustBundles};
use crate::workload::{Proof, Workload, WorkloadError};

pub use explanation::{Explanation, Refusal};

/// How SPIFFE ids begin.
const SPIFFE: &str = "spiffe://";
/// The algorithms of JWT-SVIDs that are verified here (JWT-SVID 2.1). All have a key pair.
const OF_SVIDS: [&str; 8] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384"];
/// Claims of ID tokens (OpenID Connect Core 2, 3.3.2.11) and of logout tokens only, and of tokens that are bound to a key.
const OF_OTHER_TOKENS: [&str; 6] = ["nonce", "at_hash", "c_hash", "s_hash", "events", "cnf"];
/// The longest `iss` and `sub`, in bytes: that of a SPIFFE id (SPIFFE-ID 2.3).
const MAX_NAME: usize = 2048;
/// The longest lifetime of a JWT-SVID.
const LONGEST: Duration = Duration::from_hours(24);
/// No setting makes tokens valid for longer.
const EVER: Duration = Duration::from_hours(24 * 366);
/// How much of a `jti` is kept, in characters.
const MAX_JTI: usize = 64;

/// Which tokens are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accepted<'a> {
    /// Those of entries for this purpose, for one of their audiences.
    Entries(Purpose),
    /// Those of entries for this purpose, for this audience.
    EntriesFor(Purpose, &'a str),
    /// JWT-SVIDs for this audience, without an entry.
    SvidsFor(&'a str),
}

/// What tokens are verified by: the policy, the issuers and the trust bundles in force.
#[derive(Clone, Copy)]
pub(crate) struct Verifier<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) issuers: &'a Issuers,
    pub(crate) trust: &'a TrustBundles,
}

/// A token whose issuer or trust domain is accepted, and of which nothing is verified yet.
pub(crate) struct Token<'a> {
    text: &'a str,
    jwt: UnverifiedJwt<'a>,
    subject: String,
    source: Source,
    proof: Proof,
}

/// Whose keys verify a token.
enum Source {
    TrustDomain(String),
    Issuer(Arc<Issuer>),
}

impl Source {
    fn name(&self) -> &str {
        match self {
            Self::TrustDomain(name) => name,
            Self::Issuer(issuer) => issuer.name(),
        }
    }

    fn origin(&self) -> Origin<'_> {
        match self {
            Self::TrustDomain(name) => Origin::TrustDomain(name),
            Self::Issuer(issuer) => Origin::Issuer(issuer.name()),
        }
    }
}

impl Token<'_> {
    /// What a token would prove.
    pub(crate) fn proof(&self) -> Proof {
        self.proof
    }

    /// Checks that it is not a token for something else. Its type is checked where its issuer may issue others too.
    fn check_kind(&self) -> Result<(), WorkloadError> {
        let claims = self.jwt.claims();
        if OF_OTHER_TOKENS.iter().any(|name| claims.contains_key(*name)) {
            return Err(WorkloadError::Malformed);
        }
        let algorithm = self.jwt.header().get("alg").and_then(Value::as_str).unwrap_or_default();
        match self.source {
            // the rest of its header is checked with its signature
            Source::TrustDomain(_) if OF_SVIDS.contains(&algorithm) => Ok(()),
            Source::Issuer(_) if self.jwt.typ().is_none() || self.jwt.is_typ("JWT") => Ok(()),
            Source::TrustDomain(_) | Source::Issuer(_) => Err(WorkloadError::Malformed),
        }
    }

    /// The longest time for which it may be valid.
    fn longest(&self) -> Duration {
        match &self.source {
            Source::TrustDomain(_) => LONGEST,
            Source::Issuer(issuer) => issuer.longest().min(EVER),
        }
    }

    /// Checks its times, and returns when it ends. A token without an end, or with a late one, is a long-lived credential.
    fn check_times(&self, now: SystemTime) -> Result<SystemTime, WorkloadError> {
        let checked = claims::check_times(self.jwt.claims(), now, CLIENT_AHEAD).map_err(|error| match error {
            TimeError::Expired => WorkloadError::Expired,
            TimeError::NotYet => WorkloadError::NotYet,
            TimeError::Claim(_) => WorkloadError::Malformed,
        });
        let end = checked?.ok_or(WorkloadError::Malformed)?;
        // without `iat` what remains is known
        let made = claims::time(self.jwt.claims(), "iat").ok().flatten().map_or(now, |made| made.min(now));
        if end > made + self.longest() + CLIENT_AHEAD { Err(WorkloadError::TooLong) } else { Ok(end) }
    }

    /// The workload that it proves, once its signature is verified.
    fn workload(&self, audience: &str, end: SystemTime, policy: &Policy) -> Result<Workload, WorkloadError> {
        let said = self.jwt.claims();
        let account = if self.proof == Proof::Kubernetes { ServiceAccount::of(said, &self.subject)? } else { None };
        let text = |name: &str| Some((name.to_owned(), said.get(name)?.as_str()?.to_owned()));
        let claims = match &self.source {
            Source::TrustDomain(_) => Vec::new(),
            Source::Issuer(issuer) => policy.claims_of(issuer.name()).filter_map(text).collect(),
        };
        let id = said.get("jti").and_then(Value::as_str).filter(|id| !id.is_empty());
        Ok(Workload {
            proof: self.proof,
            identity: self.subject.as_str().into(),
            issuer: self.source.name().into(),
            audience: audience.into(),
            namespace: account.map(|account| account.namespace.into()),
            name: account.map(|account| account.name.into()),
            claims: claims.into_iter().collect(),
            token: id.map(|id| id.chars().take(MAX_JTI).collect::<String>().into()),
            expires: Some(end),
        })
    }
}

impl Verifier<'_> {
    /// Reads a token, and finds the issuer or the trust domain whose keys verify it. Fetches nothing.
    ///
    /// # Errors
    /// [`WorkloadError::Malformed`], and [`WorkloadError::Unknown`] for a token of none that is accepted.
    pub(crate) fn read<'t>(&self, text: &'t str, accepted: Accepted<'_>) -> Result<Token<'t>, WorkloadError> {
        let jwt = UnverifiedJwt::parse(text).map_err(|_| WorkloadError::Malformed)?;
        let name = |claim| claims::text(jwt.claims(), claim, MAX_NAME).map_err(|_| WorkloadError::Malformed);
        let subject = name("sub")?.ok_or(WorkloadError::Malformed)?.to_owned();
        let issuer = name("iss")?.and_then(|issuer| self.issuers.named(issuer));
        let is_svid = subject.starts_with(SPIFFE) && (issuer.is_none() || matches!(accepted, Accepted::SvidsFor(_)));
        let (source, proof) = if is_svid {
            (Source::TrustDomain(trust_domain(&subject)?), Proof::JwtSvid)
        } else if let (Some(issuer), false) = (issuer, matches!(accepted, Accepted::SvidsFor(_))) {
            // no issuer names the workloads of a trust domain
            if begins_as_spiffe(&subject) {
                return Err(WorkloadError::Malformed);
            }
            let is_kubernetes = ServiceAccount::of(jwt.claims(), &subject)?.is_some();
            let proof = if is_kubernetes { Proof::Kubernetes } else { Proof::Oidc };
            (Source::Issuer(Arc::clone(issuer)), proof)
        } else {
            return Err(WorkloadError::Unknown);
        };
        if matches!(&source, Source::TrustDomain(domain) if !self.trust.has(domain)) {
            return Err(WorkloadError::Unknown);
        }
        Ok(Token { text, jwt, subject, source, proof })
    }

    /// Verifies a token.
    ///
    /// # Errors
    /// [`WorkloadError`].
    pub(crate) async fn verify(
        &self,
        token: &Token<'_>,
        accepted: Accepted<'_>,
        now: SystemTime,
    ) -> Result<Workload, WorkloadError> {
        let audience = self.audience(token, accepted).ok_or(WorkloadError::Unknown)?;
        token.check_kind()?;
        let end = token.check_times(now)?;
        match &token.source {
            Source::TrustDomain(domain) => self.verify_svid(token.text, domain, audience).await?,
            Source::Issuer(issuer) => issuer.verify(&token.jwt).await?,
        }
        let workload = token.workload(audience, end, self.policy)?;
        match accepted {
            Accepted::Entries(purpose) | Accepted::EntriesFor(purpose, _) if !self.policy.has(&workload, purpose) => {
                Err(WorkloadError::Policy)
            }
            _ => Ok(workload),
        }
    }

    /// The only audience of a token, if it is one that is accepted.
    fn audience<'t>(&self, token: &'t Token<'_>, accepted: Accepted<'_>) -> Option<&'t str> {
        let audience = claims::sole_audience(token.jwt.claims()).filter(|audience| !audience.is_empty())?;
        let has_entry = |purpose| self.policy.accepts(token.source.origin(), audience, purpose);
        let is_accepted = match accepted {
            Accepted::Entries(purpose) => has_entry(purpose),
            Accepted::EntriesFor(purpose, wanted) => audience == wanted && has_entry(purpose),
            Accepted::SvidsFor(wanted) => audience == wanted,
        };
        is_accepted.then_some(audience)
    }

    /// Verifies a JWT-SVID by the bundle of its trust domain. A key that is not in the bundle may be new: then its endpoint is asked.
    async fn verify_svid(&self, text: &str, domain: &str, audience: &str) -> Result<(), WorkloadError> {
        let keys = self.trust.keys(domain).await?;
        match verify_by(&keys, text, audience) {
            Err(JwtSvidError::AuthorityNotFound(_)) => {
                let newer = self.trust.newer_keys(domain).await?;
                if Arc::ptr_eq(&newer, &keys) {
                    return Err(WorkloadError::Unknown);
                }
                verify_by(&newer, text, audience).map_err(|error| of_svid(&error))
            }
            verified => verified.map_err(|error| of_svid(&error)),
        }
    }
}

fn begins_as_spiffe(subject: &str) -> bool {
    subject.get(..SPIFFE.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(SPIFFE))
}

/// The trust domain of a SPIFFE id with a path, in the one way in which such an id is written.
fn trust_domain(subject: &str) -> Result<String, WorkloadError> {
    let id = SpiffeId::new(subject).map_err(|_| WorkloadError::Malformed)?;
    if id.path().is_empty() || id.to_string() != subject {
        return Err(WorkloadError::Malformed);
    }
    Ok(id.trust_domain_name().to_owned())
}

/// Checks signature and profile of a JWT-SVID; its times once more, by the system's clock and without leeway.
fn verify_by(keys: &DomainKeys, text: &str, audience: &str) -> Result<(), JwtSvidError> {
    let empty = spiffe::JwtBundleSet::new();
    JwtSvid::parse_and_validate(text, keys.jwt.as_ref().unwrap_or(&empty), &[audience]).map(drop)
}

fn of_svid(error: &JwtSvidError) -> WorkloadError {
    match error {
        JwtSvidError::BundleNotFound(_)
        | JwtSvidError::AuthorityNotFound(_)
        | JwtSvidError::InvalidAuthorityJwk(_)
        | JwtSvidError::InvalidAuthorityMetadata(_)
        | JwtSvidError::AuthorityAlgorithmMismatch { .. }
        | JwtSvidError::AuthorityCurveMismatch(_)
        | JwtSvidError::UnsupportedAuthorityPurpose
        | JwtSvidError::AuthorityVerificationNotPermitted
        | JwtSvidError::InvalidAuthorityKeyComponent(_)
        | JwtSvidError::NonCanonicalRsaComponent(_)
        | JwtSvidError::WeakRsaAuthority(_) => WorkloadError::Unknown,
        JwtSvidError::InvalidToken(error) => match error.kind() {
            JwtVerificationErrorKind::Expired => WorkloadError::Expired,
            JwtVerificationErrorKind::NotYetValid => WorkloadError::NotYet,
            JwtVerificationErrorKind::AudienceMismatch => WorkloadError::Unknown,
            _ => WorkloadError::Signature,
        },
        _ => WorkloadError::Malformed,
    }
}
