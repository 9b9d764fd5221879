//! Which workloads an entry is for.

use std::collections::BTreeMap;

use authn::CallerName;
use outbound::issuer::discovery_of;

use super::MAX_CLAIMS;
use super::document::CallerEntry;
use crate::workload::{Proof, Workload};

/// What the identifier of a SPIFFE workload begins with.
const SPIFFE: &str = "spiffe://";
/// What stands for any value, or at the end of a subject for any that begins alike.
const ANY: &str = "*";

/// The workloads that an entry is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Matcher {
    /// By the name in a certificate, or the SPIFFE ID in a JWT-SVID.
    Name { name: CallerName, trust_domain: Option<String> },
    /// By a token of a Kubernetes service account.
    Kubernetes { issuer: String, namespace: Part, name: Part },
    /// By the subject of another token.
    Subject { issuer: String, subject: Subject, claims: BTreeMap<String, String> },
}

/// A part of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Any,
    Exactly(String),
}

/// Subjects of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    Exactly(String),
    Beginning(String),
}

impl Matcher {
    /// Reads what an entry says about the workload.
    ///
    /// # Errors
    /// What is wrong, with the key.
    pub(super) fn parse(entry: &CallerEntry) -> Result<Self, String> {
        let CallerEntry { identity, issuer, namespace, name, claims, .. } = entry;
        if let Some(issuer) = issuer {
            return of_tokens(entry, issuer);
        }
        for (key, is_set) in
            [("namespace", namespace.is_some()), ("name", name.is_some()), ("claims", !claims.is_empty())]
        {
            if is_set {
                return Err(format!("{key} needs issuer"));
            }
        }
        let identity = identity.as_deref().ok_or("has neither identity nor issuer")?;
        let name = CallerName::parse(identity).map_err(|problem| format!("identity {problem}"))?;
        let trust_domain = identity.strip_prefix(SPIFFE).map(trust_domain).transpose()?;
        if trust_domain.is_none() && !entry.audience.is_empty() {
            return Err("audience is for tokens, which need issuer or a SPIFFE ID as identity".to_owned());
        }
        Ok(Self::Name { name, trust_domain })
    }

    /// The issuer whose tokens it is about.
    pub(super) fn issuer(&self) -> Option<&str> {
        match self {
            Self::Name { .. } => None,
            Self::Kubernetes { issuer, .. } | Self::Subject { issuer, .. } => Some(issuer),
        }
    }

    /// The trust domain of its SPIFFE ID.
    pub(super) fn trust_domain(&self) -> Option<&str> {
        match self {
            Self::Name { trust_domain, .. } => trust_domain.as_deref(),
            Self::Kubernetes { .. } | Self::Subject { .. } => None,
        }
    }

    /// The names of the claims that it compares.
    pub(super) fn claims(&self) -> impl Iterator<Item = &str> {
        let claims = match self {
            Self::Subject { claims, .. } => Some(claims),
            Self::Name { .. } | Self::Kubernetes { .. } => None,
        };
        claims.into_iter().flat_map(|claims| claims.keys().map(String::as_str))
    }

    /// Whether this is a workload of the entry, whose audiences these are.
    pub(super) fn fits(&self, workload: &Workload, audiences: &[String]) -> bool {
        let is_for_it = || audiences.iter().any(|audience| **audience == *workload.audience);
        match (self, workload.proof) {
            (Self::Name { name, .. }, Proof::Certificate) => name.fits(&workload.identity),
            (Self::Name { name, trust_domain: Some(_) }, Proof::JwtSvid) => {
                is_for_it() && name.fits(&workload.identity)
            }
            (Self::Kubernetes { issuer, namespace, name }, Proof::Kubernetes) => {
                let parts = [(namespace, &workload.namespace), (name, &workload.name)];
                is_of(issuer, workload)
                    && is_for_it()
                    && parts.into_iter().all(|(part, value)| part.fits(value.as_deref()))
            }
            (Self::Subject { issuer, subject, claims }, Proof::Oidc | Proof::Kubernetes) => {
                is_of(issuer, workload)
                    && is_for_it()
                    && subject.fits(&workload.identity)
                    && claims.iter().all(|(name, text)| workload.claims.get(name) == Some(text))
            }
            (Self::Name { .. } | Self::Kubernetes { .. } | Self::Subject { .. }, _) => false,
        }
    }
}

fn is_of(issuer: &str, workload: &Workload) -> bool {
    *issuer == *workload.issuer
}

impl Part {
    fn parse(key: &str, text: &str) -> Result<Self, String> {
        match text {
            ANY => Ok(Self::Any),
            "" => Err(format!("{key} is empty")),
            text if text.contains(ANY) => Err(format!("{key} is a name, or '*' for any")),
            text => Ok(Self::Exactly(text.to_owned())),
        }
    }

    /// A token that says nothing is none of the entry's, even if any name would do.
    fn fits(&self, value: Option<&str>) -> bool {
        match (self, value) {
            (_, None | Some("")) => false,
            (Self::Any, Some(_)) => true,
            (Self::Exactly(expected), Some(value)) => expected == value,
        }
    }
}

impl Subject {
    fn parse(text: &str) -> Result<Self, String> {
        match text.strip_suffix(ANY) {
            // what precedes the star must be whole: else a name that only begins alike would count
            Some(start) if start.ends_with(|c: char| c.is_ascii_punctuation()) && !start.contains(ANY) => {
                Ok(Self::Beginning(start.to_owned()))
            }
            None if !text.is_empty() && !text.contains(ANY) => Ok(Self::Exactly(text.to_owned())),
            _ => Err("identity is the subject of a token; it may end in '*' after a separator, as in repo:acme/site:*"
                .to_owned()),
        }
    }

    fn fits(&self, subject: &str) -> bool {
        match self {
            Self::Exactly(expected) => subject == expected,
            Self::Beginning(start) => subject.len() > start.len() && subject.starts_with(start.as_str()),
        }
    }
}

/// Reads what an entry says about tokens of an issuer.
fn of_tokens(entry: &CallerEntry, issuer: &str) -> Result<Matcher, String> {
    discovery_of(issuer, false).map_err(|problem| format!("issuer {problem}"))?;
    if entry.audience.is_empty() {
        return Err("issuer needs audience: tokens that were made for others are not accepted".to_owned());
    }
    let issuer = issuer.to_owned();
    match (&entry.namespace, &entry.name, &entry.identity) {
        (Some(_), Some(_), None) if !entry.claims.is_empty() => {
            Err("claims and namespace do not go together".to_owned())
        }
        (Some(namespace), Some(name), None) => {
            let (namespace, name) = (Part::parse("namespace", namespace)?, Part::parse("name", name)?);
            Ok(Matcher::Kubernetes { issuer, namespace, name })
        }
        (None, None, Some(identity)) if identity.starts_with(SPIFFE) => {
            Err("issuer and a SPIFFE ID do not go together: the trust domain decides which keys count".to_owned())
        }
        (None, None, Some(identity)) => {
            let subject = Subject::parse(identity)?;
            Ok(Matcher::Subject { issuer, subject, claims: claims(&entry.claims)? })
        }
        (None, None, None) => Err("issuer needs identity, or namespace and name".to_owned()),
        (Some(_), Some(_), Some(_)) => Err("identity, and namespace with name, do not go together".to_owned()),
        (Some(_), None, _) => Err("namespace needs name; '*' is any".to_owned()),
        (None, Some(_), _) => Err("name needs namespace; '*' is any".to_owned()),
    }
}

fn claims(claims: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
    if claims.len() > MAX_CLAIMS {
        return Err(format!("claims has more than {MAX_CLAIMS} claims"));
    }
    if let Some((name, _)) = claims.iter().find(|(name, text)| name.is_empty() || text.is_empty()) {
        return Err(format!("claims has an empty name or text: {name:?}"));
    }
    Ok(claims.clone())
}

/// The trust domain of a SPIFFE ID without its scheme.
fn trust_domain(rest: &str) -> Result<String, String> {
    let domain = rest.split('/').next().unwrap_or_default();
    let is_of_it = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_');
    let is_domain = (1..=255).contains(&domain.len()) && domain.bytes().all(is_of_it);
    let has_path = rest.len() > domain.len() + 1;
    if is_domain && has_path {
        Ok(domain.to_owned())
    } else {
        Err("identity is no SPIFFE ID, like spiffe://example.org/ns/mail/sa/indexer".to_owned())
    }
}
