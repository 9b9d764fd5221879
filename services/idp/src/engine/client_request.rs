//! A request of a client that has proved who it is.

use std::sync::Arc;

use oidc::error::ErrorCode;

use super::client_authentication;
use super::clients::{AuthMethod, Client};
use super::error::OAuthError;
use super::form::Form;
use super::proofs::Proofs;
use super::provider::Provider;
use crate::endpoints::IssuerEndpoints;

/// A form that a client has sent, and the client.
pub struct ClientRequest<'a> {
    /// The client.
    pub client: Arc<Client>,
    /// How it has proved who it is; [`AuthMethod::None`] if it cannot.
    pub method: AuthMethod,
    /// The parameters.
    pub form: &'a Form,
    /// What else came with the request.
    pub proofs: Proofs<'a>,
}

impl<'a> ClientRequest<'a> {
    /// Finds the client that a request to the endpoint at this path is from: for the token endpoint, and for those where
    /// clients prove who they are in the same way (PAR, revocation, introspection, device authorization).
    ///
    /// # Errors
    /// `invalid_request`, and `invalid_client`.
    pub async fn authenticate(
        provider: &Provider,
        endpoints: &IssuerEndpoints,
        (form, proofs): (&'a Form, Proofs<'a>),
        path: &str,
    ) -> Result<Self, OAuthError> {
        let (client, method) = client_authentication::authenticate(provider, endpoints, (form, &proofs), path).await?;
        Ok(Self { client, method, form, proofs })
    }

    /// The outcome of the request as it is answered. A client that has to repeat the request with a nonce may send the same client
    /// assertion with it (`docs/security-requirements.md#i75`).
    ///
    /// # Errors
    /// That of the outcome, and `temporarily_unavailable`.
    pub(crate) async fn answered<T>(
        &self,
        provider: &Provider,
        outcome: Result<T, OAuthError>,
    ) -> Result<T, OAuthError> {
        if outcome.as_ref().is_err_and(|error| error.code == ErrorCode::UseDpopNonce) {
            client_authentication::release(provider, (&self.client, self.method), self.form).await?;
        }
        outcome
    }

    /// Whether the client has proved who it is.
    pub fn is_authenticated(&self) -> bool {
        self.method != AuthMethod::None
    }
}
