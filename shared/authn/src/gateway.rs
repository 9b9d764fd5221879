//! The seam to the gateway, for who stands before it: the trait, and its gRPC client.

use std::sync::Arc;

use async_trait::async_trait;
use proto::cs3::gateway::v1beta1::{AuthenticateRequest, gateway_api_client::GatewayApiClient};
use secrecy::ExposeSecret;
use tonic::Request;

pub use crate::provider::write_password_change;
use crate::provider::{read_password_change, transport, verdict};
use crate::{AuthError, Channel, Credentials, Repeatable, User};

/// Who a credential belongs to, as the gateway answers.
#[derive(Debug, Clone)]
pub struct Identified {
    /// The internal token. An implementation that returns the same token again may return the same allocation, so that callers
    /// recognise it.
    pub token: Arc<str>,
    /// The user, with the groups that a token leaves out where they are many.
    pub user: Arc<User>,
}

/// Hands a credential to the one authenticator of its kind, and answers with the internal token of whom it belongs to.
#[async_trait]
pub trait Gateway: Send + Sync {
    /// The internal token for these credentials of this [`kind`](crate::kind), and its user.
    ///
    /// # Errors
    /// [`AuthError::Refused`] for every bad credential, [`AuthError::UnknownType`] for a kind that is switched off; the
    /// others say that no verdict was reached.
    async fn token(&self, kind: &str, credentials: &Credentials) -> Result<Identified, AuthError>;
}

/// A gateway in another process, called by CS3 `GatewayAPI`: ours, or that of an existing installation.
#[derive(Debug, Clone)]
pub struct Remote(GatewayApiClient<Channel>);

impl Remote {
    /// The gateway behind `channel`.
    pub fn new(channel: impl Into<Channel>) -> Self {
        Self(GatewayApiClient::new(channel.into()))
    }
}

const NAME: &str = "gateway";

#[async_trait]
impl Gateway for Remote {
    async fn token(&self, kind: &str, credentials: &Credentials) -> Result<Identified, AuthError> {
        let mut request = Request::new(AuthenticateRequest {
            opaque: None,
            r#type: kind.to_owned(),
            client_id: credentials.client_id.clone(),
            client_secret: credentials.secret.expose_secret().to_owned(),
        });
        credentials.caller.propagate(request.metadata_mut());
        let answer = self.0.clone().authenticate(Repeatable::mark(request)).await;
        let answer = answer.map_err(|status| transport(NAME, status))?;
        let (metadata, answer, _) = answer.into_parts();
        verdict(NAME, answer.status)?;
        // an older gateway answers a share's token that it could not verify with OK and nothing
        if answer.token.is_empty() {
            return Err(AuthError::Internal("the gateway answered OK without a token".into()));
        }
        let password_changed = read_password_change(&metadata);
        let user = User { password_changed, ..answer.user.map(User::from).unwrap_or_default() };
        Ok(Identified { token: answer.token.into(), user: Arc::new(user) })
    }
}
