use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use proto::cs3::{
    auth::provider::v1beta1::{AuthenticateRequest, provider_api_client::ProviderApiClient},
    rpc::v1beta1::Status as Cs3Status,
};
use secrecy::ExposeSecret;
use status::Kind;
use tonic::{Code, Request};

use super::extras;
use crate::{AuthError, Authenticated, Authenticator, Channel, Credentials, Reason, Repeatable};

/// An authenticator in another process, called by CS3 `ProviderAPI`: one of ours, or one of an existing installation.
#[derive(Debug, Clone)]
pub struct Remote {
    name: &'static str,
    client: ProviderApiClient<Channel>,
}

impl Remote {
    /// The authenticator behind `channel`; `name` is what errors call it (`auth-app`).
    pub fn new(name: &'static str, channel: impl Into<Channel>) -> Self {
        Self { name, client: ProviderApiClient::new(channel.into()) }
    }
}

#[async_trait]
impl Authenticator for Remote {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let mut request = Request::new(AuthenticateRequest {
            opaque: None,
            client_id: credentials.client_id.clone(),
            client_secret: credentials.secret.expose_secret().to_owned(),
        });
        credentials.caller.propagate(request.metadata_mut());

        let response = self.client.clone().authenticate(Repeatable::mark(request)).await;
        let response = response.map_err(|status| transport(self.name, status))?;
        let (metadata, message, _) = response.into_parts();
        verdict(self.name, message.status)?;
        // A user without an identity is no answer, whatever the status says.
        let user = message.user.filter(|user| user.id.as_ref().is_some_and(|id| !id.opaque_id.is_empty()));
        let user =
            user.ok_or_else(|| AuthError::Internal(format!("{} answered OK without a user", self.name).into()))?;
        let mut answer = Authenticated {
            user: Arc::new(user.into()),
            scopes: Arc::new(message.token_scope.into()),
            not_after: None,
            amr: Cow::default(),
            actor: None,
            sid: None,
            revalidate: None,
        };
        extras::read(&metadata, &mut answer);
        Ok(answer)
    }
}

/// A call that did not come back with a message.
pub(crate) fn transport(service: &'static str, status: tonic::Status) -> AuthError {
    // What our own client gives up after its timeout is "cancelled" to it.
    if status.code() == Code::Cancelled {
        return AuthError::Unavailable { service, source: Box::new(status) };
    }
    match Kind::from_grpc(status.code()) {
        Kind::ResourceExhausted => AuthError::Busy { retry_after: std::time::Duration::from_secs(1) },
        Kind::Unavailable | Kind::DeadlineExceeded => AuthError::Unavailable { service, source: Box::new(status) },
        _ => AuthError::Internal(Box::new(status)),
    }
}

/// What the status inside the message says. No status at all is a failure.
pub(crate) fn verdict(service: &'static str, answer: Option<Cs3Status>) -> Result<(), AuthError> {
    let answer = answer.unwrap_or_default();
    let Some(kind) = Kind::from_cs3(answer.code) else { return Ok(()) };
    let said = || format!("{service} answered {kind:?}: {}", answer.message);
    Err(match kind {
        Kind::Unauthenticated => AuthError::Refused(Reason::Unstated),
        Kind::NotFound => AuthError::UnknownUser,
        Kind::PermissionDenied => AuthError::NotPermitted(Reason::Unstated),
        Kind::ResourceExhausted => AuthError::Busy { retry_after: std::time::Duration::from_secs(1) },
        Kind::InvalidArgument => AuthError::Malformed("the authenticator could not read the request"),
        Kind::Unavailable | Kind::DeadlineExceeded => AuthError::Unavailable { service, source: said().into() },
        Kind::AlreadyExists | Kind::FailedPrecondition | Kind::Aborted | Kind::Unimplemented | Kind::Internal => {
            AuthError::Internal(said().into())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: i32) -> Cs3Status {
        Cs3Status { code, ..Cs3Status::default() }
    }

    #[test]
    fn only_an_explicit_ok_is_one() {
        assert!(verdict("auth-app", Some(answer(1))).is_ok());
        for code in [-1, 0, 2, 3, 15, 99] {
            assert!(matches!(verdict("auth-app", Some(answer(code))), Err(AuthError::Internal(_))), "{code}");
        }
        assert!(matches!(verdict("auth-app", None), Err(AuthError::Internal(_))));
    }

    #[test]
    fn refusals_keep_their_kind() {
        assert!(matches!(verdict("x", Some(answer(9))), Err(AuthError::Refused(_))));
        assert!(matches!(verdict("x", Some(answer(6))), Err(AuthError::UnknownUser)));
        assert!(matches!(verdict("x", Some(answer(8))), Err(AuthError::NotPermitted(_))));
        assert!(matches!(verdict("x", Some(answer(16))), Err(AuthError::Unavailable { .. })));
    }
}
