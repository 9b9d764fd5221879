//! Requests that are not in the query: pushed before (RFC 9126), or in a JWT (`OpenID` Connect Core 6, RFC 9101).

#[cfg(test)]
mod tests;

use std::sync::Arc;

use oidc::error::ErrorCode;
use oidc::jose::{Algorithm, KeySet, UnverifiedJwt};
use oidc::request::{AuthorizationRequest, Reply, RequestError, RequestObject};
use oidc::request_object::{self, ObjectError};
use serde_json::{Map, Value};

use super::pushed_request::{self, PREFIX};
use super::redirect_uri;
use super::rejection::Rejection;
use crate::endpoints::IssuerEndpoints;
use crate::engine::clients::Client;
use crate::engine::provider::Provider;
use crate::seal::Purpose;

type Parameters = Vec<(String, String)>;

/// The parameters that count.
pub(super) struct EffectiveParameters {
    pub(super) parameters: Parameters,
    /// The name of the pushed request that they are of.
    pub(super) pushed: Option<String>,
}

impl From<Parameters> for EffectiveParameters {
    fn from(parameters: Parameters) -> Self {
        Self { parameters, pushed: None }
    }
}

/// Resolves `request` and `request_uri`. `is_pushed` while a request is being pushed.
pub(super) async fn expand(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    client: &Arc<Client>,
    parameters: Parameters,
    is_pushed: bool,
) -> Result<EffectiveParameters, Rejection> {
    let refused = |code, description: String| reject(client, &parameters, code, description);
    let object = RequestObject::read(&parameters).map_err(|error| match error.reply.clone() {
        Some(_) => refused(error.code, error.description.to_string()),
        None => Rejection::Page(error),
    })?;
    if let Some(RequestObject::Reference(uri)) = &object
        && let Some(name) = uri.strip_prefix(PREFIX)
    {
        let parameters = pushed_request::load(provider, &client.id, name).await?;
        return Ok(EffectiveParameters { parameters, pushed: Some(name.to_owned()) });
    }
    // whatever else holds the request, the client has not pushed it (RFC 9126 5)
    if client.needs_pushed && !is_pushed {
        return Err(refused(ErrorCode::InvalidRequest, "this client has to push its requests".to_owned()));
    }
    let jwt: Arc<str> = match object {
        None if client.needs_signed_request => {
            return Err(refused(
                ErrorCode::InvalidRequest,
                "this client has to send a signed request object".to_owned(),
            ));
        }
        None => return Ok(parameters.into()),
        Some(RequestObject::Value(jwt)) => jwt.as_str().into(),
        Some(RequestObject::Reference(uri)) => {
            fetched(provider, client, &uri).await.map_err(|(code, text)| refused(code, text))?
        }
    };
    let read = read(provider, endpoints, client, &jwt, &parameters).await;
    read.map(EffectiveParameters::from).map_err(|(code, text)| refused(code, text))
}

type Problem = (ErrorCode, String);

/// A request object at an address that the client has registered (row I32).
async fn fetched(provider: &Provider, client: &Client, uri: &str) -> Result<Arc<str>, Problem> {
    let without_fragment = |uri: &str| uri.split('#').next().unwrap_or_default().to_owned();
    let wanted = without_fragment(uri);
    if !client.request_uris.iter().any(|registered| without_fragment(registered) == wanted) {
        return Err((ErrorCode::InvalidRequestUri, "request_uri is not registered for this client".to_owned()));
    }
    let object = provider.clients.request_object(uri).await;
    object.map_err(|_| (ErrorCode::InvalidRequestUri, "what request_uri names cannot be fetched".to_owned()))
}

/// A request object, verified as the client's registration demands.
async fn read(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    client: &Arc<Client>,
    text: &str,
    parameters: &Parameters,
) -> Result<Parameters, Problem> {
    let invalid = |text: &str| (ErrorCode::InvalidRequestObject, text.to_owned());
    let jwt = UnverifiedJwt::parse(text).map_err(|error| invalid(&error.to_string()))?;
    let signatures = &client.signatures;
    if jwt.is_unsigned() {
        let is_taken = signatures.request_object_unsigned && signatures.request_object.is_none();
        if !is_taken || client.needs_signed_request {
            return Err(invalid("this client's request objects have to be signed"));
        }
    } else {
        let algorithm =
            jwt.algorithm().ok_or_else(|| invalid("the algorithm of the request object is not supported"))?;
        if !client.may_sign_with(algorithm, signatures.request_object) {
            return Err(invalid("the request object is signed by another algorithm than registered"));
        }
        verify(provider, client, &jwt, algorithm).await?;
    }
    effective(provider, endpoints, client, jwt.claims(), parameters).map_err(|error| (error.code(), error.to_string()))
}

/// The parameters that count where a request object is verified: its own, and those outside only for a client that need not sign
/// its requests. That `client_id` names the same client outside has been checked.
fn effective(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    client: &Client,
    claims: &Map<String, Value>,
    parameters: &Parameters,
) -> Result<Parameters, ObjectError> {
    let now = provider.clock.now();
    if client.is_fapi2() {
        request_object::check_message_signing(claims, now)?;
    }
    let object = request_object::parameters(claims, &client.id, &endpoints.issuer, now)?;
    let is_alone = client.needs_signed_request || client.is_fapi2();
    if is_alone { Ok(object) } else { request_object::merge(object, parameters) }
}

async fn verify(
    provider: &Provider,
    client: &Arc<Client>,
    jwt: &UnverifiedJwt<'_>,
    algorithm: Algorithm,
) -> Result<(), Problem> {
    let invalid =
        || (ErrorCode::InvalidRequestObject, "the signature of the request object cannot be verified".to_owned());
    if algorithm == Algorithm::Hs256 {
        let secret = client.sealed_secret.as_ref().ok_or_else(invalid)?;
        let secret = provider.sealer.open_bytes(Purpose::ClientSecret, secret).map_err(|_| invalid())?;
        return jwt.verify_hs256(&secret).map_err(|_| invalid());
    }
    let verifies = |keys: &KeySet| keys.find(jwt.kid(), algorithm).is_some_and(|key| jwt.verify(key).is_ok());
    match provider.clients.verifies(client, verifies).await {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(invalid()),
    }
}

/// An error of a request object is sent to the client if the query alone says where; else a page says it.
fn reject(client: &Arc<Client>, parameters: &Parameters, code: ErrorCode, description: String) -> Rejection {
    let error = RequestError { code, description: description.into(), reply: None };
    let Ok(redirect) = redirect_uri::find(client, parameters) else { return Rejection::Page(error) };
    let reply = reply(parameters);
    Rejection::client(client, &redirect, RequestError { reply: Some(reply.clone()), ..error }, reply)
}

/// How the query alone asks for the response.
fn reply(parameters: &Parameters) -> Reply {
    let bare: Parameters =
        parameters.iter().filter(|(name, _)| !matches!(name.as_str(), "request" | "request_uri")).cloned().collect();
    match AuthorizationRequest::read(&bare) {
        Ok(request) => Reply { delivery: request.delivery, state: request.state },
        Err(error) => {
            error.reply.unwrap_or_else(|| Reply { delivery: oidc::response::Delivery::of_mode(None), state: None })
        }
    }
}
