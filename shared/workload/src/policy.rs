//! The policy: which workloads may authenticate without a shared secret, and for whom they may act.
//!
//! Entries are compared in order, and the first one that fits the workload and what it asks for decides. What no entry fits is refused.

mod document;
mod matcher;
mod subject;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use authn::{Grants, Scopes, User};
use config::{duration, read_yaml_file};
use outbound::issuer::discovery_of;

use self::document::{CallerEntry, Document, IssuerEntry};
use self::matcher::Matcher;
use self::subject::{MayActFor, Verdict};
use crate::workload::Workload;

/// The setting that names the policy file.
pub(crate) const SETTING: &str = "OCIS_WORKLOAD_POLICY_FILE";
/// The most entries of a policy.
const MAX_ENTRIES: usize = 1000;
/// The most claims that an entry compares.
const MAX_CLAIMS: usize = 8;
/// The shortest and the longest time for which a workload may act for a user by one answer.
const LIFETIMES: [Duration; 2] = [Duration::from_secs(10), Duration::from_hours(1)];

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
    /// The longest lifetime of its tokens.
    pub(crate) max_token_lifetime: Option<Duration>,
}

/// Why a policy is refused: the setting, the file, the entry and the key.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct PolicyError(String);

/// What a policy file says. Without one, no workload is accepted.
#[derive(Debug, Default)]
pub struct Policy {
    entries: Vec<Arc<Entry>>,
    issuers: Vec<IssuerSettings>,
}

/// A workload, and what it may do.
#[derive(Debug)]
pub struct Entry {
    number: usize,
    workload: Matcher,
    audiences: Vec<String>,
    may_act_for: Option<MayActFor>,
    service_account: Option<String>,
    client: Option<String>,
    scopes: Arc<Scopes>,
    lifetime: Option<Duration>,
}

/// What a workload asks for.
#[derive(Debug, Clone, Copy)]
pub enum Act<'a> {
    /// To act for this user.
    User(&'a User),
    /// To be this service account; the empty text is the one that the entry names.
    ServiceAccount(&'a str),
    /// To be this OAuth client.
    Client(&'a str),
}

/// What the policy says of a request.
#[derive(Debug, Clone)]
pub enum Decision {
    /// This entry allows it.
    Allowed(Arc<Entry>),
    /// No entry allows it.
    Denied,
    /// An entry would allow it, but the directory knows no roles, so that the user may be an administrator.
    RolesUnknown,
}

impl Policy {
    /// Reads a policy file. Entries for JWT-SVIDs may name SPIFFE ids of these trust domains.
    ///
    /// # Errors
    /// [`PolicyError`] names the setting, the file, the entry and the key.
    pub(crate) fn read(file: &Path, trust_domains: &[String]) -> Result<Self, PolicyError> {
        let refuse = |problem: &dyn Display| PolicyError(format!("{SETTING}: {}: {problem}", file.display()));
        let text = read_yaml_file(file).map_err(|error| refuse(&error))?;
        Self::parse(&text, trust_domains).map_err(|problem| refuse(&problem))
    }

    /// Reads the text of a policy file; the error has the entry and the key.
    fn parse(text: &str, trust_domains: &[String]) -> Result<Self, String> {
        let document: Document = serde_yaml_ng::from_str(text).map_err(|error| error.to_string().replace('\n', " "))?;
        if document.callers.len() > MAX_ENTRIES {
            return Err(format!("callers has more than {MAX_ENTRIES} entries"));
        }
        let mut entries = Vec::with_capacity(document.callers.len());
        for (entry, number) in document.callers.into_iter().zip(1..) {
            let entry = Entry::parse(entry, number).and_then(|entry| entry.of_trust_domains(trust_domains));
            entries.push(Arc::new(entry.map_err(|problem| format!("callers, entry {number}: {problem}"))?));
        }
        let issuers = issuers(document.issuers, &entries)?;
        Ok(Self { entries, issuers })
    }

    /// The issuers that entries name, each once.
    pub(crate) fn issuers(&self) -> &[IssuerSettings] {
        &self.issuers
    }

    /// Whether an entry for workloads from there, and for this purpose, has this audience.
    pub(crate) fn accepts(&self, origin: Origin<'_>, audience: &str, purpose: Purpose) -> bool {
        let mut entries = self.entries.iter().filter(|entry| entry.is_for(purpose) && entry.is_from(origin));
        entries.any(|entry| entry.audiences.iter().any(|accepted| accepted == audience))
    }

    /// The audiences of entries for workloads from there.
    pub(crate) fn audiences(&self, origin: Origin<'_>) -> BTreeSet<&str> {
        let entries = self.entries.iter().filter(|entry| entry.is_from(origin));
        entries.flat_map(|entry| entry.audiences.iter().map(String::as_str)).collect()
    }

    /// The entries for a workload, in order.
    pub(crate) fn entries_for(&self, workload: &Workload) -> Vec<Arc<Entry>> {
        self.entries.iter().filter(|entry| entry.fits(workload)).cloned().collect()
    }

    /// The names of the claims that entries for this issuer compare.
    pub(crate) fn claims_of(&self, issuer: &str) -> impl Iterator<Item = &str> {
        self.entries
            .iter()
            .filter(move |entry| entry.workload.issuer() == Some(issuer))
            .flat_map(|entry| entry.workload.claims())
    }

    /// Whether an entry for this purpose is for this workload, whatever it is allowed.
    pub(crate) fn has(&self, workload: &Workload, purpose: Purpose) -> bool {
        self.entries.iter().any(|entry| entry.is_for(purpose) && entry.fits(workload))
    }

    /// Whether an entry lets this workload act for users, whoever they are.
    pub fn lets_act(&self, workload: &Workload) -> bool {
        self.entries.iter().any(|entry| entry.may_act_for.is_some() && entry.fits(workload))
    }

    /// What the policy says of a workload that has proved who it is.
    pub fn decide(&self, workload: &Workload, act: Act<'_>) -> Decision {
        let mut verdict = Decision::Denied;
        for entry in self.entries.iter().filter(|entry| entry.fits(workload)) {
            match entry.verdict(act) {
                Verdict::Allowed => return Decision::Allowed(Arc::clone(entry)),
                Verdict::RolesUnknown => verdict = Decision::RolesUnknown,
                Verdict::Denied => {}
            }
        }
        verdict
    }

    /// The service accounts that workloads may be, each once.
    pub fn service_accounts(&self) -> BTreeSet<&str> {
        self.entries.iter().filter_map(|entry| entry.service_account()).collect()
    }

    /// How many entries there are, for the log.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none, so that every workload is refused.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Entry {
    /// Its place in the file; the first one is 1.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The users for whom the workload may act, like `users *; groups staff`.
    pub fn may_act_for(&self) -> Option<String> {
        self.may_act_for.as_ref().map(MayActFor::to_string)
    }

    /// The service account that the workload is.
    pub fn service_account(&self) -> Option<&str> {
        self.service_account.as_deref()
    }

    /// The OAuth client that the workload is.
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// What the workload may do for a user.
    pub fn scopes(&self) -> &Arc<Scopes> {
        &self.scopes
    }

    /// How long it may do that, if the entry says so.
    pub fn lifetime(&self) -> Option<Duration> {
        self.lifetime
    }

    /// Whether it is for workloads whose tokens are from there.
    fn is_from(&self, origin: Origin<'_>) -> bool {
        match origin {
            Origin::TrustDomain(domain) => self.workload.trust_domain() == Some(domain),
            Origin::Issuer(issuer) => self.workload.issuer() == Some(issuer),
        }
    }

    fn is_for(&self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Authentication => self.may_act_for.is_some() || self.service_account.is_some(),
            Purpose::ClientAssertion => self.client.is_some(),
        }
    }

    fn fits(&self, workload: &Workload) -> bool {
        self.workload.fits(workload, &self.audiences)
    }

    fn verdict(&self, act: Act<'_>) -> Verdict {
        let is_allowed = match act {
            Act::User(user) => {
                return self.may_act_for.as_ref().map_or(Verdict::Denied, |users| users.verdict(user));
            }
            Act::ServiceAccount(id) => self.service_account().is_some_and(|account| id.is_empty() || account == id),
            Act::Client(id) => self.client() == Some(id),
        };
        if is_allowed { Verdict::Allowed } else { Verdict::Denied }
    }

    /// Refuses an entry for JWT-SVIDs of another trust domain: without its keys they could never be verified.
    fn of_trust_domains(self, configured: &[String]) -> Result<Self, String> {
        let is_known = |domain: &str| configured.iter().any(|known| known == domain);
        match self.workload.trust_domain() {
            Some(domain) if !self.audiences.is_empty() && !is_known(domain) => {
                Err(format!("identity is of the trust domain {domain}, which OCIS_SPIFFE_TRUST_DOMAINS does not name"))
            }
            _ => Ok(self),
        }
    }

    fn parse(entry: CallerEntry, number: usize) -> Result<Self, String> {
        let workload = Matcher::parse(&entry)?;
        let CallerEntry { audience, may_act_for, service_account, client, scopes, lifetime, .. } = entry;
        let texts = [("service_account", &service_account), ("client", &client)];
        if let Some((key, _)) = texts.into_iter().find(|(_, text)| text.as_ref().is_some_and(String::is_empty)) {
            return Err(format!("{key} is empty"));
        }
        if audience.iter().any(String::is_empty) {
            return Err("audience holds an empty text".to_owned());
        }
        match (&may_act_for, &service_account, &client) {
            (None, None, None) => return Err("has none of may_act_for, service_account and client".to_owned()),
            (None, None, Some(_)) if audience.is_empty() => {
                return Err("client needs audience: it is proved by tokens".to_owned());
            }
            (_, _, None) | (None, None, Some(_)) => {}
            (_, _, Some(_)) => {
                return Err("client does not go together with may_act_for and service_account".to_owned());
            }
        }
        if may_act_for.is_none() && (scopes.is_some() || lifetime.is_some()) {
            return Err("scopes and lifetime are for what is done for users, and need may_act_for".to_owned());
        }
        Ok(Self {
            number,
            workload,
            audiences: audience,
            may_act_for: may_act_for.map(MayActFor::parse).transpose()?,
            service_account,
            client,
            scopes: Arc::new(grants(scopes.as_deref())?.to_cs3()),
            lifetime: lifetime.as_deref().map(entry_lifetime).transpose()?,
        })
    }
}

fn grants(texts: Option<&[String]>) -> Result<Grants, String> {
    let Some(texts) = texts else { return Ok(Grants::user()) };
    Grants::parse(texts.iter().map(String::as_str)).map_err(|error| format!("scopes: {error}"))
}

fn entry_lifetime(text: &str) -> Result<Duration, String> {
    let [shortest, longest] = LIFETIMES;
    let lifetime = duration::parse(text).filter(|lifetime| (shortest..=longest).contains(lifetime));
    lifetime.ok_or_else(|| format!("lifetime is a duration from 10s to 1h, as in 5m; not {text:?}"))
}

/// The issuers that entries name, each as the file says how it is reached.
fn issuers(described: Vec<IssuerEntry>, entries: &[Arc<Entry>]) -> Result<Vec<IssuerSettings>, String> {
    let named: BTreeSet<&str> = entries.iter().filter_map(|entry| entry.workload.issuer()).collect();
    let mut issuers: Vec<IssuerSettings> = Vec::with_capacity(named.len());
    for (entry, number) in described.into_iter().zip(1..) {
        let refuse = |problem: String| format!("issuers, entry {number}: {problem}");
        let settings = IssuerSettings::parse(entry).map_err(refuse)?;
        if issuers.iter().any(|known| known.name == settings.name) {
            return Err(refuse("issuer is in another entry too".to_owned()));
        }
        if !named.contains(settings.name.as_str()) {
            return Err(refuse(format!("no caller has the issuer {}", settings.name)));
        }
        issuers.push(settings);
    }
    for name in named {
        if !issuers.iter().any(|known| known.name == name) {
            issuers.push(IssuerSettings::reached_by_discovery(name));
        }
    }
    Ok(issuers)
}

impl IssuerSettings {
    fn reached_by_discovery(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ca_file: None,
            token_file: None,
            jwks_file: None,
            allow_private: false,
            max_token_lifetime: None,
        }
    }

    fn parse(entry: IssuerEntry) -> Result<Self, String> {
        let IssuerEntry { issuer, ca_file, token_file, jwks_file, allow_private, max_token_lifetime } = entry;
        discovery_of(&issuer, false).map_err(|problem| format!("issuer {problem}"))?;
        let is_asked = ca_file.is_some() || token_file.is_some() || allow_private;
        if jwks_file.is_some() && is_asked {
            return Err(
                "jwks_file replaces asking the issuer; leave ca_file, token_file and allow_private out".to_owned()
            );
        }
        let lifetime = max_token_lifetime.as_deref().map(|text| {
            let lifetime = duration::parse(text).filter(|lifetime| !lifetime.is_zero());
            lifetime.ok_or_else(|| format!("max_token_lifetime is a duration, as in 1h; not {text:?}"))
        });
        Ok(Self {
            name: issuer,
            ca_file,
            token_file,
            jwks_file,
            allow_private,
            max_token_lifetime: lifetime.transpose()?,
        })
    }
}
