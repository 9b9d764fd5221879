//! Workloads that are service accounts: a token or a certificate in place of the secret.

use std::sync::Arc;
use std::time::SystemTime;

use authn::audit::Event;
use authn::{AuthError, Authenticated, Credentials, Reason};
use secrecy::ExposeSecret;
use tracing::field::display;
use workload::{Act, Decision, Workload, Workloads};

/// The longest identifier of an account that is written into the audit log, in characters.
const MAX_TEXT: usize = 64;

/// Recognises workloads, and finds the account that each of them is.
pub(crate) struct WorkloadAccounts {
    pub(crate) workloads: Arc<Workloads>,
    /// The names of peers that may forward the names of their callers.
    pub(crate) gateways: Vec<String>,
}

/// By what a caller shows that it is a workload.
pub(crate) enum Shown<'a> {
    /// A token.
    Token(&'a str),
    /// Nothing but its client certificate, by the name that counts.
    Certificate(&'a str),
}

impl WorkloadAccounts {
    /// What credentials show of a workload; `None` if the secret is that of an account. A token is compared with no secret (row
    /// [M18](../../../docs/security-requirements.md#m18)).
    pub(crate) fn shown<'a>(&self, credentials: &'a Credentials) -> Option<Shown<'a>> {
        let secret = credentials.secret.expose_secret();
        if secret.is_empty() {
            return credentials.caller.name(&self.gateways).map(Shown::Certificate);
        }
        Workloads::is_token(secret).then_some(Shown::Token(secret))
    }

    /// The workload that shows this.
    ///
    /// # Errors
    /// Why its token is not accepted, or its certificate proves nothing.
    pub(crate) async fn identify(&self, shown: &Shown<'_>, now: SystemTime) -> Result<Arc<Workload>, AuthError> {
        match shown {
            Shown::Token(token) => Ok(self.workloads.verify(token, now).await?),
            Shown::Certificate(name) => {
                let workload = self.workloads.certificate(name);
                workload.map(Arc::new).ok_or(AuthError::Refused(Reason::EmptySecret))
            }
        }
    }

    /// The identifier of the account that a workload is, by the first entry of the policy for it (row
    /// [M17](../../../docs/security-requirements.md#m17)). `wanted` is that of the request; any if it is empty.
    ///
    /// # Errors
    /// [`AuthError::NotPermitted`] if it is none, or another than the one that is wanted.
    pub(crate) fn account(&self, workload: &Workload, wanted: &str) -> Result<String, AuthError> {
        let account = match self.workloads.policy().decide(workload, Act::ServiceAccount(wanted)) {
            Decision::Allowed(entry) => entry.service_account().map(str::to_owned),
            Decision::Denied | Decision::RolesUnknown => None,
        };
        account.ok_or(AuthError::NotPermitted(Reason::Policy))
    }

    /// Writes one audit event for each attempt, before the response is sent.
    pub(crate) fn audit(
        &self,
        credentials: &Credentials,
        workload: Option<&Workload>,
        verdict: &Result<Authenticated, AuthError>,
    ) {
        let caller = &credentials.caller;
        let (outcome, reason, subject) = match verdict {
            Ok(answer) => ("granted", "", answer.user.id.opaque_id.as_str()),
            Err(error) => ("refused", error.reason(), shortened(&credentials.client_id)),
        };
        let name = workload.map(|workload| &*workload.identity).or_else(|| caller.name(&self.gateways));
        Event {
            reason: &reason,
            subject: &subject,
            proof: &workload.map(|workload| workload.proof.name()),
            issuer: &workload.map(|workload| &*workload.issuer).filter(|issuer| !issuer.is_empty()),
            token: &workload.and_then(|workload| workload.token.as_deref()),
            caller: &name,
            peer: &caller.identity,
            source: &caller.source.map(display),
            trace_id: &display(&caller.trace_id),
            ..Event::new("service_account_authenticated", outcome)
        }
        .log();
    }
}

/// The beginning of a text that a caller chooses.
fn shortened(text: &str) -> &str {
    text.char_indices().nth(MAX_TEXT).map_or(text, |(end, _)| text.get(..end).unwrap_or(text))
}
