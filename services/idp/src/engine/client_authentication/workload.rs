//! Workloads that authenticate as clients: by a JWT-SVID (draft-ietf-oauth-spiffe-client-auth-02), or by a token of an issuer that vouches
//! for them (RFC 7523 3).

#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use authn::AuthError;
use authn::audit::Event;
use authn::trace::record_workload;
use oidc::assertion::GRANT_TYPE;
use oidc::claims::{CLIENT_AHEAD, sole_audience, time};
use oidc::error::ErrorCode;
use oidc::jose::UnverifiedJwt;
use tracing::Span;
use tracing::field::display;
use workload::{Act, Decision, Workload, WorkloadError};

use crate::endpoints::IssuerEndpoints;
use crate::engine::clients::{AuthMethod, Client};
use crate::engine::error::OAuthError;
use crate::engine::form::Form;
use crate::engine::proofs::Proofs;
use crate::engine::provider::Provider;

/// The `client_assertion_type` of a JWT-SVID (draft-ietf-oauth-spiffe-client-auth-02 3.1).
pub(super) const JWT_SPIFFE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";
/// The longest remaining lifetime of a token. It may be used until it ends, so that a late end would be a long-lived credential.
const MAX_LIFETIME: Duration = Duration::from_hours(1);
/// Why a token with a late end is refused; for the audit log.
pub(super) const TOO_LONG: &str = "the token is valid for too long";

/// The token by which a workload asks for an access token of its own without another proof (RFC 7523 2.1).
pub(super) fn of_grant(form: &Form) -> Option<&str> {
    (form.get("grant_type") == Some(GRANT_TYPE)).then(|| form.get("assertion")).flatten()
}

/// The subject of a token that is not verified yet.
pub(super) fn subject(token: &str) -> Option<String> {
    let jwt = UnverifiedJwt::parse(token).ok()?;
    Some(jwt.claims().get("sub")?.as_str()?.to_owned())
}

/// Whether a token would be a JWT-SVID: its subject is a SPIFFE ID, which that of no other token is.
pub(super) fn is_svid(token: &str) -> bool {
    subject(token).is_some_and(|subject| subject.starts_with("spiffe://"))
}

/// Whether a token is made for this issuer alone.
pub(super) fn is_for(token: &str, issuer: &str) -> bool {
    UnverifiedJwt::parse(token).is_ok_and(|jwt| sole_audience(jwt.claims()) == Some(issuer))
}

/// Whether a token, of which nothing is verified yet, ends too late or never.
pub(super) fn is_valid_for_too_long(token: &str, now: SystemTime) -> bool {
    let end = UnverifiedJwt::parse(token).ok().and_then(|jwt| time(jwt.claims(), "exp").ok().flatten());
    ends_late(end, now)
}

fn ends_late(end: Option<SystemTime>, now: SystemTime) -> bool {
    end.is_none_or(|end| end > now + MAX_LIFETIME + CLIENT_AHEAD)
}

/// Checks that a token proves that a workload is this client (`docs/security-requirements.md#i80`); the reason why it does not is for the
/// audit log. Its audience is the issuer alone, and it is accepted until it ends.
///
/// # Errors
/// `temporarily_unavailable` if the keys are not available.
pub(super) async fn check(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    client: &Client,
    (token, proofs): (&str, &Proofs<'_>),
) -> Result<Result<(), &'static str>, OAuthError> {
    let Some(workloads) = &provider.workloads else { return Ok(Err("workloads are not accepted")) };
    let (now, issuer) = (provider.clock.now(), endpoints.issuer.as_str());
    let is_spiffe = client.auth == AuthMethod::SpiffeJwt;
    let verified = if is_spiffe {
        workloads.verify_svid_for(token, issuer, now).await
    } else {
        workloads.verify_for(token, issuer, now).await
    };
    let workload = match verified {
        Ok(workload) => workload,
        Err(WorkloadError::Unavailable(missing)) => {
            tracing::warn!(client = client.id, missing, "the token of a workload could not be verified");
            return Err(OAuthError::new(ErrorCode::TemporarilyUnavailable, "try again later"));
        }
        Err(error) => return Ok(Err(AuthError::from(error).reason())),
    };
    if ends_late(workload.expires, now) {
        return Ok(Err(TOO_LONG));
    }
    let is_client = if is_spiffe {
        client.spiffe_id.as_ref().is_some_and(|id| id.fits(&workload.identity))
    } else {
        matches!(workloads.policy().decide(&workload, Act::Client(&client.id)), Decision::Allowed(_))
    };
    if !is_client {
        return Ok(Err("policy"));
    }
    audit(client, &workload, proofs);
    Ok(Ok(()))
}

/// Writes which workload has authenticated as a client, also into the trace.
fn audit(client: &Client, workload: &Workload, proofs: &Proofs<'_>) {
    record_workload(&Span::current(), &workload.identity, workload.proof.name());
    let caller = proofs.caller;
    Event {
        proof: &workload.proof.name(),
        issuer: &&*workload.issuer,
        caller: &&*workload.identity,
        token: &workload.token.as_deref(),
        client: &client.id,
        source: &caller.and_then(|caller| caller.source).map(display),
        trace_id: &caller.map(|caller| display(&caller.trace_id)),
        ..Event::new("client_authenticated", "done")
    }
    .log();
}
