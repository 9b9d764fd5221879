//! Says which entries of the policy a token matches, or why it is refused, for operators who write a policy.

use std::sync::Arc;
use std::time::SystemTime;

use config::duration;
use oidc::claims;
use oidc::jose::UnverifiedJwt;

use super::{Accepted, MAX_NAME, SPIFFE, Token, Verifier, begins_as_spiffe, trust_domain};
use crate::policy::{Entry, Purpose};
use crate::workload::{Workload, WorkloadError};

/// What services verify tokens for.
const PURPOSES: [Purpose; 2] = [Purpose::Authentication, Purpose::ClientAssertion];

/// What the policy says of a token that is accepted.
#[derive(Debug)]
pub struct Explanation {
    /// The workload that the token proves.
    pub workload: Workload,
    /// The entries for that workload, in the order of the file; at least one. The first one that allows what is asked for decides.
    pub entries: Vec<Arc<Entry>>,
}

/// Why a token is refused. The text has claims of the token where they are the reason, and never the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Refusal {
    /// What services refuse it as.
    pub reason: WorkloadError,
    problem: String,
}

impl Verifier<'_> {
    /// Verifies a token for each purpose, and finds the entries that it matches.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(crate) async fn explain(&self, text: &str, now: SystemTime) -> Result<Explanation, Refusal> {
        let read = self.read(text, Accepted::Entries(Purpose::Authentication));
        let token = read.map_err(|reason| Refusal { reason, problem: self.why_unread(text) })?;
        let mut refusal = None;
        for purpose in PURPOSES {
            let accepted = Accepted::Entries(purpose);
            if self.audience(&token, accepted).is_none() {
                continue;
            }
            match self.verify(&token, accepted, now).await {
                Ok(workload) => {
                    let entries = self.policy.entries_for(&workload);
                    return Ok(Explanation { workload, entries });
                }
                Err(error) => refusal = Some(error),
            }
        }
        Err(match refusal {
            Some(reason) => Refusal { reason, problem: why_refused(&token, reason, now) },
            None => Refusal { reason: WorkloadError::Unknown, problem: self.why_not_for_us(&token) },
        })
    }

    /// Why no issuer and no trust domain is found that would verify a token.
    fn why_unread(&self, text: &str) -> String {
        let Ok(jwt) = UnverifiedJwt::parse(text) else {
            return "this is no JWT in the compact form".to_owned();
        };
        let name = |claim| claims::text(jwt.claims(), claim, MAX_NAME).ok().flatten();
        let Some(subject) = name("sub") else {
            return format!("the token has no subject (sub) of at most {MAX_NAME} bytes");
        };
        match name("iss") {
            Some(issuer) if self.issuers.named(issuer).is_some() && begins_as_spiffe(subject) => {
                format!("the subject {subject:?} is a SPIFFE ID, which the issuer {issuer} cannot prove")
            }
            Some(issuer) if self.issuers.named(issuer).is_some() => {
                format!("the claim kubernetes.io does not name the service account of the subject {subject:?}")
            }
            _ if subject.starts_with(SPIFFE) => trust_domain(subject).map_or_else(
                |_| format!("the subject {subject:?} is no SPIFFE ID with a path"),
                |domain| format!("OCIS_SPIFFE_TRUST_DOMAINS does not name the trust domain {domain} of the token"),
            ),
            Some(issuer) => format!("no entry of the policy has the issuer {issuer:?}"),
            None => format!("the token has no issuer (iss), and its subject {subject:?} is no SPIFFE ID"),
        }
    }

    /// Why the audience of a token is not accepted.
    fn why_not_for_us(&self, token: &Token<'_>) -> String {
        let source = token.source.name();
        let accepted: Vec<_> = self.policy.audiences(token.source.origin()).into_iter().collect();
        match (claims::sole_audience(token.jwt.claims()), accepted.as_slice()) {
            (_, []) => format!("no entry of the policy is for tokens of {source}"),
            (None, _) => "the token must have exactly one audience (aud)".to_owned(),
            (Some(audience), accepted) => {
                let accepted = accepted.join(", ");
                format!("the audience of the token is {audience:?}; entries for tokens of {source} have {accepted}")
            }
        }
    }
}

/// Why a token of an accepted issuer or trust domain, for an accepted audience, is refused.
fn why_refused(token: &Token<'_>, reason: WorkloadError, now: SystemTime) -> String {
    let source = token.source.name();
    match reason {
        WorkloadError::Malformed if token.check_kind().is_err() => {
            "its type, its algorithm or one of its claims is that of another kind of token, like an ID token".to_owned()
        }
        WorkloadError::Malformed if token.check_times(now).is_err() => {
            "the token has no end (exp), or one of its times cannot be read".to_owned()
        }
        WorkloadError::TooLong => {
            let longest = duration::format(token.longest());
            format!("the token is valid for longer than {longest}")
        }
        WorkloadError::Malformed => "the token is not well formed".to_owned(),
        WorkloadError::Unknown => format!("no key of {source} has the key ID (kid) and the algorithm of the token"),
        WorkloadError::Signature => format!("the signature of the token does not verify by the keys of {source}"),
        WorkloadError::Policy => {
            let subject = &token.subject;
            format!("the token proves the workload {subject:?} of {source}, and no entry with its audience is for it")
        }
        WorkloadError::Expired | WorkloadError::NotYet | WorkloadError::Unavailable(_) => reason.to_string(),
    }
}
