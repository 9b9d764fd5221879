use std::sync::Arc;

use proto::cs3::auth::provider::v1beta1::{
    AuthenticateRequest, AuthenticateResponse,
    provider_api_server::{ProviderApi, ProviderApiServer},
};
use secrecy::SecretString;
use tonic::{Request, Response, Status};
use tracing::Span;
use tracing::field::display;

use super::{extras, failure};
use crate::audit::Event;
use crate::trace::record_delegation;
use crate::{AuthError, Authenticator, Caller, Credentials, causes};

/// Largest request an authenticator reads unless another limit is set, in bytes.
const REQUEST_LIMIT: usize = 64 * 1024;

/// A CS3 `ProviderAPI` whose every answer comes from one [`Authenticator`].
pub struct Provider(Arc<dyn Authenticator>);

/// Serves an authenticator as CS3 `ProviderAPI`, to requests of at most so many bytes; 64 KiB by default.
pub fn serve(authenticator: Arc<dyn Authenticator>, limit: Option<usize>) -> ProviderApiServer<Provider> {
    ProviderApiServer::new(Provider(authenticator)).max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
}

#[tonic::async_trait]
impl ProviderApi for Provider {
    async fn authenticate(
        &self,
        request: Request<AuthenticateRequest>,
    ) -> Result<Response<AuthenticateResponse>, Status> {
        let caller = Caller::of(request.metadata(), request.extensions()).with_propagated(request.metadata());
        let AuthenticateRequest { client_id, client_secret, .. } = request.into_inner();
        let credentials = Credentials { client_id, secret: SecretString::from(client_secret), caller };

        let mut response = Response::new(AuthenticateResponse::default());
        match self.0.authenticate(&credentials).await {
            Ok(answer) => {
                record_delegation(&Span::current(), &answer.user.id.opaque_id, answer.actor.as_ref(), None);
                extras::write(&answer, response.metadata_mut());
                *response.get_mut() = AuthenticateResponse {
                    status: Some(status::ok()),
                    user: Some(answer.user.as_ref().into()),
                    token_scope: answer.scopes.as_ref().into(),
                };
            }
            Err(error) => {
                let cause = causes(&error);
                if !cause.is_empty() {
                    tracing::error!(%error, cause, "authentication came to no verdict");
                }
                audit(&credentials, &error);
                response.get_mut().status = Some(failure(&error, &credentials.caller.trace_id));
            }
        }
        Ok(response)
    }
}

/// Why a credential was refused is logged by the process that knows it: the response to another process does not contain it.
fn audit(credentials: &Credentials, error: &AuthError) {
    let subject: String = credentials.client_id.chars().take(256).collect();
    Event {
        reason: &error.reason(),
        subject: &subject,
        peer: &credentials.caller.identity,
        source: &credentials.caller.source.map(display),
        trace_id: &display(&credentials.caller.trace_id),
        ..Event::new("verify", "refused")
    }
    .log();
}
