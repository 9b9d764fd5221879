//! Tokens of workloads at the gateway.

use super::family::{Family, USER};
use crate::tools::Outcome;

/// The service account that the family has.
pub(super) const SERVICE_ACCOUNT: &str = "jobs";
/// The audience of tokens for our gateway.
pub(super) const AUDIENCE: &str = "doorward";

/// What a workload wants to be.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// One that acts for [`USER`].
    Machine,
    /// [`SERVICE_ACCOUNT`].
    ServiceAccount,
}

impl Kind {
    /// The type of credential, and the identifier that is sent with it.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Machine => ("machine", USER),
            Self::ServiceAccount => ("serviceaccounts", SERVICE_ACCOUNT),
        }
    }
}

/// Whether the gateway accepts a token from a caller with this certificate and key.
pub(super) fn accepted_from(family: &Family<'_>, token: &str, [certificate, key]: [&str; 2]) -> Outcome {
    let variables = [("OCIS_GRPC_CLIENT_TLS_CERTIFICATE", certificate), ("OCIS_GRPC_CLIENT_TLS_KEY", key)];
    let (name, client_id) = Kind::Machine.names();
    let arguments = ["authenticate", "--type", name, "--client-id", client_id, "--secret-stdin", "--json"];
    family.doorward_with(&variables, &arguments, token).map(drop)
}

/// Whether the gateway accepts a token; its answer names the user or the service account.
pub(super) fn accepted(family: &Family<'_>, kind: Kind, token: &str) -> Outcome {
    let (name, client_id) = kind.names();
    let answer = authenticate(family, kind, token)?;
    if answer.contains(&format!("\"{client_id}\"")) {
        Ok(())
    } else {
        Err(format!("{name}: the gateway sees another: {answer}"))
    }
}

/// Whether the gateway refuses a token with this status.
pub(super) fn refused(family: &Family<'_>, kind: Kind, token: &str, status: &str) -> Outcome {
    match authenticate(family, kind, token) {
        Ok(_) => Err(format!("{} is accepted, not {status}", kind.names().0)),
        Err(failure) if failure.contains(status) => Ok(()),
        Err(failure) => Err(format!("not {status}: {failure}")),
    }
}

fn authenticate(family: &Family<'_>, kind: Kind, token: &str) -> Outcome<String> {
    let (name, client_id) = kind.names();
    family.doorward(&["authenticate", "--type", name, "--client-id", client_id, "--secret-stdin", "--json"], token)
}
