//! A program that has proved who it is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use authn::{AuthError, Reason};
use bounded_cache::HeapSize;

/// The service that errors name when keys are not available.
const ISSUER: &str = "the issuer of the workload";

/// How a program has proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Proof {
    /// A JWT-SVID of a SPIFFE trust domain.
    JwtSvid,
    /// The token of a Kubernetes service account.
    Kubernetes,
    /// The token of another OpenID Connect issuer.
    Oidc,
    /// A client certificate.
    Certificate,
}

impl Proof {
    /// Its name in the audit log, in metrics and in traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::JwtSvid => "jwt_svid",
            Self::Kubernetes => "kubernetes",
            Self::Oidc => "oidc",
            Self::Certificate => "certificate",
        }
    }
}

/// A program that has proved who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// How it has proved that.
    pub proof: Proof,
    /// Who it is: a SPIFFE id, `system:serviceaccount:NAMESPACE:NAME`, the `sub` of an issuer's token, or the name in a certificate.
    pub identity: Arc<str>,
    /// The issuer of the token, or the name of the trust domain; empty for a certificate.
    pub issuer: Arc<str>,
    /// The audience of the token; empty for a certificate.
    pub audience: Arc<str>,
    /// The namespace of a Kubernetes service account.
    pub namespace: Option<Arc<str>>,
    /// The name of a Kubernetes service account.
    pub name: Option<Arc<str>>,
    /// The claims of an issuer's token that entries of the policy compare, as far as the token has them and they are texts.
    pub claims: BTreeMap<String, String>,
    /// The `jti` of the token, if it has one.
    pub token: Option<Arc<str>>,
    /// When the token ends; `None` for a certificate.
    pub expires: Option<SystemTime>,
}

impl Workload {
    /// The holder of a client certificate that the listener has verified, by the name that counts for it.
    pub(crate) fn certificate(name: &str) -> Self {
        Self {
            proof: Proof::Certificate,
            identity: name.into(),
            issuer: "".into(),
            audience: "".into(),
            namespace: None,
            name: None,
            claims: BTreeMap::new(),
            token: None,
            expires: None,
        }
    }
}

impl HeapSize for Workload {
    fn heap_size(&self) -> usize {
        let Self { proof: _, identity, issuer, audience, namespace, name, claims, token, expires: _ } = self;
        let texts = identity.heap_size() + issuer.heap_size() + audience.heap_size();
        texts + namespace.heap_size() + name.heap_size() + claims.heap_size() + token.heap_size()
    }
}

/// Why a token proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WorkloadError {
    /// It has not the form of a workload's token, or is for something else.
    #[error("this is no token of a workload")]
    Malformed,
    /// Its issuer, trust domain, audience or key is none that is accepted.
    #[error("the issuer, the audience or the key of the token is not accepted")]
    Unknown,
    /// Its signature does not verify.
    #[error("the signature of the token does not verify")]
    Signature,
    /// It has expired.
    #[error("the token has expired")]
    Expired,
    /// It is valid for longer than tokens of its issuer or trust domain may be.
    #[error(
        "the token is valid for too long; if an issuer makes such tokens, set its max_token_lifetime in the policy file"
    )]
    TooLong,
    /// It is not valid yet.
    #[error("the token is not valid yet")]
    NotYet,
    /// It proves who the workload is, and no entry of the policy is for that workload.
    #[error("no entry of the policy is for the workload")]
    Policy,
    /// The keys of its issuer or trust domain are not available; says what is not.
    #[error("{0}")]
    Unavailable(&'static str),
}

impl From<WorkloadError> for AuthError {
    fn from(error: WorkloadError) -> Self {
        match error {
            WorkloadError::Malformed | WorkloadError::NotYet => Self::Refused(Reason::Malformed),
            WorkloadError::Unknown => Self::Refused(Reason::ForeignToken),
            WorkloadError::Signature => Self::Refused(Reason::WrongSecret),
            WorkloadError::Expired => Self::Refused(Reason::Expired),
            WorkloadError::TooLong => Self::Refused(Reason::TooLongLived),
            WorkloadError::Policy => Self::NotPermitted(Reason::Policy),
            WorkloadError::Unavailable(_) => Self::Unavailable { service: ISSUER, source: error.into() },
        }
    }
}
