//! CS3 `ApplicationsAPI`. Outcomes stand in the answer's status; only a missing or bad internal token is a gRPC status.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::token::{Claims, Verifier, authorize};
use authn::{Caller, Grants, Permission, Scopes, UserId};
use proto::cs3::auth::applications::v1beta1::{
    AppPassword, GenerateAppPasswordRequest, GenerateAppPasswordResponse, GetAppPasswordRequest,
    GetAppPasswordResponse, InvalidateAppPasswordRequest, InvalidateAppPasswordResponse, ListAppPasswordsRequest,
    ListAppPasswordsResponse,
    applications_api_server::{ApplicationsApi, ApplicationsApiServer},
};
use proto::cs3::{rpc::v1beta1::Status as Outcome, types::v1beta1::Timestamp};
use runtime::Clock;
use secrecy::ExposeSecret;
use tonic::{Request, Response, Status, metadata::MetadataMap};

use super::REQUEST_LIMIT;
use crate::applications::{Applications, ApplicationsError, TokenRequest};
use crate::cache::Known;
use crate::model::{AppToken, Kind};
use crate::policy::LifetimeRequest;
use crate::store::Page;

/// CS3 lists have no pages: a list ends here, whatever the configuration allows a user to have.
const MOST_LISTED: u64 = 10_000;

/// The gRPC face of [`Applications`].
#[derive(Clone)]
pub struct Api {
    applications: Arc<Applications>,
    verifier: Verifier,
    clock: Clock,
}

/// Serves applications as CS3 `ApplicationsAPI`, to requests of at most so many bytes; 64 KiB by default.
pub fn serve(api: Api, limit: Option<usize>) -> ApplicationsApiServer<Api> {
    ApplicationsApiServer::new(api).max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
}

impl Api {
    /// Answers with these applications to callers whose internal token the verifier accepts.
    pub fn new(applications: Arc<Applications>, verifier: Verifier, clock: Clock) -> Self {
        Self { applications, verifier, clock }
    }

    fn claims(&self, metadata: &MetadataMap) -> Result<Claims, Status> {
        Ok(authorize(&self.verifier, self.clock.now(), metadata)?)
    }
}

#[tonic::async_trait]
impl ApplicationsApi for Api {
    async fn generate_app_password(
        &self,
        request: Request<GenerateAppPasswordRequest>,
    ) -> Result<Response<GenerateAppPasswordResponse>, Status> {
        let claims = self.claims(request.metadata())?;
        let caller = Caller::of(request.metadata(), request.extensions());
        let made = async {
            let acting = self.applications.own(&claims, &caller, Permission::Write)?;
            self.applications.create(&acting, token_request(request.into_inner())?).await
        };
        let made = made.await;
        let (status, made) = answer(made, &caller);
        let app_password = made.map(|(token, secret)| app_password(&token, secret.expose_secret().to_owned()));
        Ok(Response::new(GenerateAppPasswordResponse { status, app_password, ..Default::default() }))
    }

    async fn list_app_passwords(
        &self,
        request: Request<ListAppPasswordsRequest>,
    ) -> Result<Response<ListAppPasswordsResponse>, Status> {
        let claims = self.claims(request.metadata())?;
        let caller = Caller::of(request.metadata(), request.extensions());
        let listed = async {
            let acting = self.applications.own(&claims, &caller, Permission::Read)?;
            self.applications.list(&acting, Page { after: None, limit: MOST_LISTED }).await
        };
        let (status, tokens) = answer(listed.await, &caller);
        let app_passwords = tokens.unwrap_or_default().iter().map(without_secret).collect();
        Ok(Response::new(ListAppPasswordsResponse { status, app_passwords, ..Default::default() }))
    }

    async fn invalidate_app_password(
        &self,
        request: Request<InvalidateAppPasswordRequest>,
    ) -> Result<Response<InvalidateAppPasswordResponse>, Status> {
        let claims = self.claims(request.metadata())?;
        let caller = Caller::of(request.metadata(), request.extensions());
        let which = request.into_inner().password;
        let revoked = async {
            let acting = self.applications.own(&claims, &caller, Permission::Write)?;
            self.applications.revoke(&acting, &which).await
        };
        let (status, _) = answer(revoked.await, &caller);
        Ok(Response::new(InvalidateAppPasswordResponse { status, ..Default::default() }))
    }

    /// Needs no internal token, as its callers have none: they are about to verify a credential. A guess has 178 bits.
    async fn get_app_password(
        &self,
        request: Request<GetAppPasswordRequest>,
    ) -> Result<Response<GetAppPasswordResponse>, Status> {
        let caller = Caller::of(request.metadata(), request.extensions());
        let GetAppPasswordRequest { user, password, .. } = request.into_inner();
        let owner = UserId::from(user.unwrap_or_default());
        let (status, known) = answer(self.applications.verify(&owner, &password, &caller).await, &caller);
        let app_password = known.map(|known| verified(&known));
        Ok(Response::new(GetAppPasswordResponse { status, app_password, ..Default::default() }))
    }
}

fn token_request(request: GenerateAppPasswordRequest) -> Result<TokenRequest, ApplicationsError> {
    let GenerateAppPasswordRequest { token_scope, label, expiration, .. } = request;
    // clients of CS3 write "never" as a time of zero too
    let end = expiration.filter(|time| (time.seconds, time.nanos) != (0, 0));
    let life = end.as_ref().map_or(LifetimeRequest::Longest, |end| LifetimeRequest::Until(system_time(end)));
    Ok(TokenRequest { label, grants: Grants::from_cs3(&Scopes::from(token_scope))?, life, kind: Kind::App })
}

/// The status of an outcome, and what came of it.
fn answer<T>(outcome: Result<T, ApplicationsError>, caller: &Caller) -> (Option<Outcome>, Option<T>) {
    match outcome {
        Ok(done) => (Some(status::ok()), Some(done)),
        Err(error) => {
            if let Some(cause) = error.cause() {
                tracing::error!(%error, cause, "app tokens are not available");
            }
            (Some(status::failure(error.kind(), error.to_string(), &caller.trace_id)), None)
        }
    }
}

/// CS3 has no field for an identifier: it stands where the secret stood when the token was made.
fn without_secret(token: &AppToken) -> AppPassword {
    app_password(token, token.id.to_string())
}

/// A token that was verified, with the scopes that a session of it has: a Go authenticator answers them as they are here.
fn verified(known: &Known) -> AppPassword {
    AppPassword { token_scope: known.scopes.as_ref().into(), ..without_secret(&known.token) }
}

fn app_password(token: &AppToken, password: String) -> AppPassword {
    AppPassword {
        password,
        token_scope: (&token.grants.to_cs3()).into(),
        label: token.label.clone(),
        user: Some((&token.owner).into()),
        expiration: token.end().map(timestamp),
        ctime: Some(timestamp(token.created)),
        utime: Some(timestamp(token.last_use.as_ref().map_or(token.created, |last| last.at))),
    }
}

/// A time too far away to be one is taken for the end of the year 9999, which no policy allows.
fn system_time(time: &Timestamp) -> SystemTime {
    const YEAR_9999: Duration = Duration::from_secs(253_402_300_799);
    let since_epoch = Duration::new(time.seconds.min(YEAR_9999.as_secs()), time.nanos.min(999_999_999));
    UNIX_EPOCH + since_epoch
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp { seconds: since_epoch.as_secs(), nanos: since_epoch.subsec_nanos() }
}
