//! `FactorsAPI`, for users and administrators.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::SystemTime;

use ::token::authorize_admin;
use authn::audit::Event;
use authn::{Caller, Groups, User, UserType};
use proto::doorward::idp::v1::{
    BeginTotpRequest, BeginTotpResponse, ConfirmTotpRequest, ConfirmTotpResponse, Factor, FactorKind,
    GetFactorsRequest, GetFactorsResponse, RegenerateRecoveryCodesRequest, RegenerateRecoveryCodesResponse,
    RemoveFactorsRequest, RemoveFactorsResponse, ResetFactorsRequest, ResetFactorsResponse,
    factors_api_server::{FactorsApi, FactorsApiServer},
};
use status::Kind;
use store::StoreError;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};
use tracing::field::display;

use crate::Provider;
use crate::engine::accounts::{self, AccountStatus};
use crate::engine::audit_events::Circumstances;
use crate::engine::factors::enrolment::{self, EnrolmentError, Proof};
use crate::engine::factors::{self, FRESH, policy, recovery_code};
use crate::engine::levels::SEVERAL;
use crate::engine::tokens::access_token::PresentedToken;
use crate::model::{SignIn, seconds};
use crate::store::StoredFactor;

/// The largest request that is read, in bytes.
const REQUEST_LIMIT: usize = 8 * 1024;
/// Why a factor is not removed.
const REQUIRED: &str = "a second factor is required of this user, by IDP_MFA_POLICY, a group in IDP_MFA_GROUPS_REQUIRED or \
                        the role of administrators: replace it on the page for sign-in methods instead";

/// The gRPC service.
pub struct Api(Provider);

/// Serves it, to requests of at most so many bytes; 8 KiB by default.
pub fn serve(provider: Provider, limit: Option<usize>) -> FactorsApiServer<Api> {
    FactorsApiServer::new(Api(provider)).max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
}

/// The user of an access token.
struct Bearer {
    user: Arc<User>,
    sign_in: SignIn,
}

impl Bearer {
    /// Whether the user has signed in a short time ago.
    fn is_fresh(&self, now: SystemTime) -> bool {
        seconds(now).saturating_sub(self.sign_in.at) < FRESH.as_secs()
    }

    fn id(&self) -> &str {
        &self.user.id.opaque_id
    }
}

impl Api {
    /// The user of the access token of a request. A token of another party's client does not count, nor one that needs a proof, nor
    /// one that a client has got without the user, by a token exchange or an assertion: it names no method of a sign-in.
    async fn bearer(&self, metadata: &MetadataMap) -> Result<Bearer, Status> {
        let provider = &self.0;
        let refused =
            || status::grpc(Kind::Unauthenticated, "an access token of a client of the installation is needed");
        if !provider.revocations.is_current() {
            return Err(status::grpc(Kind::Unavailable, "it is not known what is revoked"));
        }
        let value = metadata.get("authorization").and_then(|value| value.to_str().ok()).ok_or_else(refused)?;
        let (scheme, token) = value.split_once(' ').ok_or_else(refused)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(refused());
        }
        let mut issuers = provider.issuers.iter();
        let presented = issuers.find_map(|endpoints| PresentedToken::verify(provider, endpoints, token));
        let has_methods = |sign_in: &SignIn| !sign_in.amr.is_empty();
        let is_ours = |PresentedToken { binding, grant, .. }: &PresentedToken| {
            binding.is_none() && grant.actor.is_none() && grant.sign_in.as_ref().is_some_and(has_methods)
        };
        let PresentedToken { grant, .. } = presented.filter(is_ours).ok_or_else(refused)?;
        let client = provider.clients.find(&grant.client).await.map_err(|error| failed(&error))?;
        let client = client.filter(|client| client.is_first_party_for(&grant)).ok_or_else(refused)?;
        let (Some(person), Some(sign_in)) = (grant.person.as_deref(), grant.sign_in.clone()) else {
            return Err(refused());
        };
        let is_outdated = |changed| sign_in.at < seconds(changed);
        let status = accounts::look_up(provider, person, Groups::Include, is_outdated).await;
        match status.map_err(|error| status::grpc(error.kind(), "the directory does not answer"))? {
            AccountStatus::Active(user) if user.id.kind != UserType::Service && accounts::may_use(&client, &user) => {
                Ok(Bearer { user, sign_in })
            }
            AccountStatus::Active(_) | AccountStatus::Ineligible(_) => Err(refused()),
        }
    }

    /// The same for changes, for which the user has signed in a short time ago: with the second factor, if there is one.
    async fn fresh(&self, metadata: &MetadataMap) -> Result<Bearer, Status> {
        let bearer = self.bearer(metadata).await?;
        if !bearer.is_fresh(self.0.clock.now()) {
            return Err(status::grpc(Kind::PermissionDenied, "sign in again, and come back within ten minutes"));
        }
        let is_enrolled = factors::is_enrolled(&self.0, bearer.id()).await.map_err(|error| failed(&error))?;
        if is_enrolled && !bearer.sign_in.amr.iter().any(|method| method == SEVERAL) {
            return Err(status::grpc(Kind::PermissionDenied, "sign in with the second factor (acr_values=mfa)"));
        }
        Ok(bearer)
    }
}

/// The status for a failure of the store; the cause is logged, and not returned to the caller.
fn failed(error: &StoreError) -> Status {
    tracing::error!(%error, "second factors could not be administered");
    status::grpc(error.kind(), "the database failed")
}

fn refused(error: &EnrolmentError) -> Status {
    match error {
        EnrolmentError::Store(error) => failed(error),
        error => status::grpc(error.kind(), error.to_string()),
    }
}

/// Records what was done with the factors of a user, by the user or an administrator.
fn audit(provider: &Provider, event: &'static str, user: &str, (caller_id, caller): (&str, &Caller)) {
    let (source, trace_id) = (caller.source.map(display), display(&caller.trace_id));
    let event =
        Event { subject: &user, caller: &caller_id, source: &source, trace_id: &trace_id, ..Event::new(event, "done") };
    let administrator = if caller_id == user { "" } else { caller_id };
    let circumstances = Circumstances::of_administrator(administrator, user, caller);
    provider.audit_events.record(&event, circumstances, provider.clock.now());
}

fn epoch(time: SystemTime) -> i64 {
    i64::try_from(seconds(time)).unwrap_or(i64::MAX)
}

fn message(factor: &StoredFactor) -> Factor {
    let kind = match factor.kind {
        crate::store::FactorKind::Totp => FactorKind::Totp,
        crate::store::FactorKind::Passkey => FactorKind::Passkey,
    };
    Factor { kind: kind.into(), created: epoch(factor.created), used: factor.used.map(epoch) }
}

#[tonic::async_trait]
impl FactorsApi for Api {
    async fn get_factors(&self, request: Request<GetFactorsRequest>) -> Result<Response<GetFactorsResponse>, Status> {
        let bearer = self.bearer(request.metadata()).await?;
        let store = &self.0.store;
        let factors = store.factors(bearer.id()).await.map_err(|error| failed(&error))?;
        let left = store.recovery_codes_left(bearer.id()).await.map_err(|error| failed(&error))?;
        let factors = factors.iter().map(message).collect();
        let recovery_codes_left = u32::try_from(left).unwrap_or(u32::MAX);
        Ok(Response::new(GetFactorsResponse { factors, recovery_codes_left }))
    }

    async fn begin_totp(&self, request: Request<BeginTotpRequest>) -> Result<Response<BeginTotpResponse>, Status> {
        let bearer = self.fresh(request.metadata()).await?;
        let begun = enrolment::begin(&self.0, &bearer.user).map_err(|error| refused(&error))?;
        let (enrolment, address, picture) = (begun.handle, begun.address, begun.picture);
        Ok(Response::new(BeginTotpResponse { enrolment, address, picture }))
    }

    async fn confirm_totp(
        &self,
        request: Request<ConfirmTotpRequest>,
    ) -> Result<Response<ConfirmTotpResponse>, Status> {
        let caller = Caller::of(request.metadata(), request.extensions());
        let bearer = self.fresh(request.metadata()).await?;
        let ConfirmTotpRequest { enrolment, code } = request.into_inner();
        let codes = enrolment::confirm(&self.0, (&bearer.user, Proof::RecentSignIn), &enrolment, &code, &caller).await;
        let recovery_codes = codes.map_err(|error| refused(&error))?;
        Ok(Response::new(ConfirmTotpResponse { recovery_codes }))
    }

    async fn regenerate_recovery_codes(
        &self,
        request: Request<RegenerateRecoveryCodesRequest>,
    ) -> Result<Response<RegenerateRecoveryCodesResponse>, Status> {
        let caller = Caller::of(request.metadata(), request.extensions());
        let bearer = self.fresh(request.metadata()).await?;
        let provider = &self.0;
        if !factors::is_enrolled(provider, bearer.id()).await.map_err(|error| failed(&error))? {
            return Err(status::grpc(Kind::FailedPrecondition, "there is no second factor to recover"));
        }
        let recovery_codes = recovery_code::replace(provider, bearer.id(), &caller).await;
        let recovery_codes = recovery_codes.map_err(|error| failed(&error))?;
        Ok(Response::new(RegenerateRecoveryCodesResponse { recovery_codes }))
    }

    async fn remove_factors(
        &self,
        request: Request<RemoveFactorsRequest>,
    ) -> Result<Response<RemoveFactorsResponse>, Status> {
        let caller = Caller::of(request.metadata(), request.extensions());
        let bearer = self.fresh(request.metadata()).await?;
        if !policy::may_remove(&self.0.config.mfa, &bearer.user) {
            return Err(status::grpc(Kind::FailedPrecondition, REQUIRED));
        }
        let removed = factors::remove(&self.0, bearer.id()).await.map_err(|error| failed(&error))?;
        audit(&self.0, "second_factor_remove", bearer.id(), (bearer.id(), &caller));
        Ok(Response::new(RemoveFactorsResponse { removed }))
    }

    async fn reset_factors(
        &self,
        request: Request<ResetFactorsRequest>,
    ) -> Result<Response<ResetFactorsResponse>, Status> {
        let caller = Caller::of(request.metadata(), request.extensions());
        let claims = authorize_admin(&self.0.verifier, self.0.clock.now(), request.metadata())?;
        let user = request.into_inner().user_id;
        let removed = factors::reset(&self.0, &user).await.map_err(|error| failed(&error))?;
        audit(&self.0, "second_factor_reset", &user, (&claims.user.id.opaque_id, &caller));
        Ok(Response::new(ResetFactorsResponse { removed }))
    }
}
