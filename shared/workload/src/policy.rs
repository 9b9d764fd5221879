//! The policy for workloads: which of them are accepted, and for whom they may act.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::workload::Workload;

/// What a workload proves who it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To act for a user, or as a service account: entries with `may_act_for` or `service_account`.
    Authentication,
    /// To be a client at the token endpoint: entries with `client`.
    ClientAssertion,
}

/// Where a token is from, by what it says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin<'a> {
    /// A SPIFFE trust domain.
    TrustDomain(&'a str),
    /// An OpenID Connect issuer.
    Issuer(&'a str),
}

/// How the keys of an issuer are found that an entry names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IssuerSettings {
    /// Its name, as in `iss`.
    pub(crate) name: String,
    /// Certificates (PEM) that are trusted in addition to the system's.
    pub(crate) ca_file: Option<PathBuf>,
    /// The bearer token that it is shown.
    pub(crate) token_file: Option<PathBuf>,
    /// Its keys (JWKS), which are not fetched then.
    pub(crate) jwks_file: Option<PathBuf>,
    /// Whether the addresses that it names may be in a private network.
    pub(crate) allow_private: bool,
    /// The longest remaining lifetime of its tokens.
    pub(crate) max_token_lifetime: Option<Duration>,
}

/// Why a policy file is refused.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct PolicyError(String);

/// What a policy file says. Without one, no workload is accepted.
#[derive(Debug, Default)]
pub struct Policy {
    issuers: Vec<IssuerSettings>,
}

impl Policy {
    /// Reads a policy file. Entries may name SPIFFE ids of these trust domains.
    ///
    /// # Errors
    /// [`PolicyError`] names the file, the entry and the key.
    pub(crate) fn read(file: &Path, _trust_domains: &[String]) -> Result<Self, PolicyError> {
        Err(PolicyError(format!("{} is not read", file.display())))
    }

    /// The issuers that entries name, each once.
    pub(crate) fn issuers(&self) -> &[IssuerSettings] {
        &self.issuers
    }

    /// Whether an entry for workloads from there, and for this purpose, has this audience.
    pub(crate) fn accepts(&self, _origin: Origin<'_>, _audience: &str, _purpose: Purpose) -> bool {
        false
    }

    /// The names of the claims that entries for this issuer compare.
    pub(crate) fn claims_of(&self, _issuer: &str) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }

    /// Whether an entry for this purpose is for this workload, whatever it is allowed.
    pub(crate) fn has(&self, _workload: &Workload, _purpose: Purpose) -> bool {
        false
    }
}
