//! auth-basic, in this process or another: sets the passwords of users who have proved by a link in a mail who they are.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use authn::{BoxError, Caller, Peer};
use proto::doorward::passwords::v1::{
    HasPasswordRequest, JudgePasswordRequest, JudgePasswordResponse, ResetPasswordRequest,
    passwords_api_client::PasswordsApiClient,
};
use runtime::Clock;
use token::{KeyRing, METADATA_KEY, Minter, password_resetter};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Request, Status};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};

/// The name of this service in its tokens.
const NAME: &str = "idp";
/// The lifetime of a token.
const LIFETIME: Duration = Duration::from_mins(1);
/// After how long a service that does not answer is called again.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// The transport to auth-basic: a connection, or the service itself in one process.
pub type Transport = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Unreachable>;

/// auth-basic is unreachable.
#[derive(Debug, thiserror::Error)]
#[error("auth-basic cannot be reached")]
pub struct Unreachable(#[source] BoxError);

/// Makes a transport of any gRPC service.
pub fn transport<S>(service: S) -> Transport
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
{
    BoxCloneSyncService::new(service.map_err(|error| Unreachable(error.into())))
}

/// A client of `PasswordsAPI`. Clones share what is known of the service.
#[derive(Clone)]
pub struct PasswordService {
    client: PasswordsApiClient<Transport>,
    minter: Arc<Minter>,
    clock: Clock,
    /// Whether passwords can be set, once that is known.
    is_writable: Arc<OnceLock<bool>>,
}

impl PasswordService {
    /// Calls by this transport, with tokens of these keys.
    pub fn new(transport: Transport, keys: Arc<KeyRing>, clock: Clock) -> Self {
        let (client, minter) = (PasswordsApiClient::new(transport), Minter::new(keys, LIFETIME, true));
        Self { client, minter: Arc::new(minter), clock, is_writable: Arc::default() }
    }

    /// Whether passwords can be set: not those in LDAP, and not before the service has answered once.
    pub fn is_writable(&self) -> bool {
        self.is_writable.get().is_some_and(|is_writable| *is_writable)
    }

    /// Finds out whether passwords can be set, and returns once that is known.
    pub async fn probe(self, shutdown: CancellationToken) {
        shutdown.run_until_cancelled(self.ask_until_answered()).await;
    }

    async fn ask_until_answered(&self) {
        loop {
            let answer = self.has_password("", &Caller::default()).await;
            let failure = answer.err().map(|status| status.code());
            if matches!(failure, Some(Code::Unauthenticated | Code::PermissionDenied)) {
                tracing::warn!(
                    "auth-basic refuses idp, so nobody sets a password by mail: do both have the same OCIS_JWT_SECRET?"
                );
            }
            let is_writable = tells_writable(failure);
            if let Some(is_writable) = is_writable {
                // only this task sets it
                let _ = self.is_writable.set(is_writable);
                return;
            }
            tokio::time::sleep(PROBE_INTERVAL).await;
        }
    }

    /// What the policy says of a password as this user's.
    ///
    /// # Errors
    /// That of the service.
    pub async fn judge(&self, user: &str, password: &str, caller: &Caller) -> Result<JudgePasswordResponse, Status> {
        let message = JudgePasswordRequest { password: password.to_owned(), user_id: user.to_owned(), new_user: None };
        Ok(self.client.clone().judge_password(self.request(message, caller)?).await?.into_inner())
    }

    /// Whether this user has a password.
    ///
    /// # Errors
    /// That of the service.
    pub async fn has_password(&self, user: &str, caller: &Caller) -> Result<bool, Status> {
        let message = HasPasswordRequest { user_id: user.to_owned() };
        Ok(self.client.clone().has_password(self.request(message, caller)?).await?.into_inner().has_password)
    }

    /// Sets the password of this user, which ends sessions and tokens from before.
    ///
    /// # Errors
    /// That of the service.
    /// It is `FailedPrecondition` if the user has no password to replace, or has one though this is to be the first.
    pub async fn reset(&self, user: &str, (password, is_first): (&str, bool), caller: &Caller) -> Result<(), Status> {
        let (user_id, new_password) = (user.to_owned(), password.to_owned());
        let message = ResetPasswordRequest { user_id, new_password, first_password: is_first };
        self.client.clone().reset_password(self.request(message, caller)?).await.map(drop)
    }

    fn request<T>(&self, message: T, caller: &Caller) -> Result<Request<T>, Status> {
        let minted = self.minter.mint(self.clock.now(), &password_resetter(NAME)).map_err(|error| internal(&error))?;
        let mut token = MetadataValue::<Ascii>::try_from(minted).map_err(|error| internal(&error))?;
        token.set_sensitive(true);
        let mut request = Request::new(message);
        caller.propagate(request.metadata_mut());
        request.metadata_mut().insert(METADATA_KEY, token);
        // a service in this process has no connection from which it could tell the user's address
        request.extensions_mut().insert(Peer { source: caller.source, ..Peer::default() });
        Ok(request)
    }
}

/// Whether passwords can be set, by the failure of the question for the password of no user; `None` if it does not tell.
fn tells_writable(failure: Option<Code>) -> Option<bool> {
    match failure {
        // passwords in LDAP: without the old one there is no way to change one
        Some(Code::Unimplemented) => Some(false),
        // with other keys for now it refuses the token, and would set no password either
        Some(
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Unknown
            | Code::Unauthenticated
            | Code::PermissionDenied,
        ) => None,
        // of a user who does not exist: the service answers, and has the passwords
        None | Some(_) => Some(true),
    }
}

fn internal(error: &(dyn std::error::Error + 'static)) -> Status {
    tracing::error!(error, "no token for auth-basic is made");
    Status::internal("internal error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_that_accepts_the_token_offers_links() {
        assert_eq!(tells_writable(None), Some(true));
        assert_eq!(tells_writable(Some(Code::NotFound)), Some(true));
        assert_eq!(tells_writable(Some(Code::Unimplemented)), Some(false));
        for code in [Code::Unavailable, Code::DeadlineExceeded, Code::Unauthenticated, Code::PermissionDenied] {
            assert_eq!(tells_writable(Some(code)), None, "{code:?}");
        }
    }
}
