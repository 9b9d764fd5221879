//! From parameters to a request of which all is known to be good but the user.

use std::sync::Arc;

use oidc::error::ErrorCode;
use oidc::pkce::{self, PkceError};
use oidc::redirect::Redirect;
use oidc::request::{Addressee, AuthorizationRequest, Reply, RequestError};
use oidc::response::{ResponseMode, ResponseType};
use oidc::scope::Scopes;

use super::flow::PendingRequest;
use super::redirect_uri;
use super::rejection::Rejection;
use super::request_object::{self, EffectiveParameters};
use crate::endpoints::IssuerEndpoints;
use crate::engine::clients::{Client, GrantType};
use crate::engine::provider::Provider;

#[cfg(test)]
mod tests;

/// The most resources of one request (RFC 8707), and the longest of them in bytes.
const MAX_RESOURCES: usize = 8;
const MAX_RESOURCE: usize = 512;
/// SHA-256 in base64url.
const THUMBPRINT: usize = 43;

/// A request that may be answered once the user is ready.
#[derive(Debug, Clone)]
pub(crate) struct ValidRequest {
    pub(crate) client: Arc<Client>,
    pub(crate) redirect: Redirect,
    pub(crate) request: AuthorizationRequest,
    pub(crate) resources: Vec<String>,
    pub(crate) dpop_jkt: Option<String>,
    pub(crate) empty_state: bool,
    /// The name of the pushed request that this is.
    pub(crate) pushed: Option<String>,
}

impl ValidRequest {
    /// The request as it waits.
    pub(crate) fn pending(&self) -> PendingRequest {
        PendingRequest {
            parameters: self.request.to_parameters(),
            redirect_uri: self.redirect.as_str().to_owned(),
            resources: self.resources.clone(),
            dpop_jkt: self.dpop_jkt.clone(),
            empty_state: self.empty_state,
            pushed: self.pushed.clone(),
        }
    }

    /// How the response is sent.
    pub(crate) fn reply(&self) -> Reply {
        let empty = || self.empty_state.then(String::new);
        Reply { delivery: self.request.delivery, state: self.request.state.clone().or_else(empty) }
    }

    /// The request is rejected with this error, which is sent to the client.
    pub(crate) fn refused(&self, code: ErrorCode, description: &'static str) -> Rejection {
        let reply = self.reply();
        let error = RequestError { code, description: description.into(), reply: Some(reply.clone()) };
        Rejection::client(&self.client, &self.redirect, error, reply)
    }

    /// What is granted at most: what was asked for, as far as the client may have it and the scopes are known.
    pub(crate) fn grantable(&self) -> Scopes {
        let known = |token: &&str| self.client.may_be_granted(token);
        let offline = self.request.response_type.issues_code() && self.client.may(GrantType::RefreshToken);
        let may = |token: &&str| offline || !matches!(*token, oidc::scope::OFFLINE_ACCESS | oidc::scope::OFFLINE);
        // a part of a set that was read is one itself
        Scopes::of(self.request.scope.iter().filter(known).filter(may)).unwrap_or_default()
    }
}

/// Checks everything that needs no user. `pushed_by` is the client that has proved who it is, where the request is
/// pushed by it (RFC 9126).
pub(crate) async fn validate(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    parameters: Vec<(String, String)>,
    pushed_by: Option<&Arc<Client>>,
) -> Result<ValidRequest, Rejection> {
    let named = Addressee::read(&parameters).map_err(Rejection::Page)?;
    let client = match pushed_by {
        Some(client) if client.id == named.client_id => client.clone(),
        Some(_) => return Err(Rejection::page(ErrorCode::InvalidRequest, "client_id is another client's")),
        None => {
            let unknown = || Rejection::page(ErrorCode::InvalidClient, "there is no such client");
            provider.clients.find_to_authorize(&named.client_id).await?.ok_or_else(unknown)?
        }
    };
    let EffectiveParameters { parameters, pushed } =
        request_object::expand(provider, endpoints, &client, parameters, pushed_by.is_some()).await?;
    let valid = check(provider, &client, &parameters)?;
    if endpoints.is_strict() {
        strictly_allowed(&valid)?;
    }
    Ok(ValidRequest { pushed, ..valid })
}

/// Takes up a request again that waited; everything is checked anew, since the client may have changed.
pub(crate) async fn resume(provider: &Provider, pending: &PendingRequest) -> Result<ValidRequest, Rejection> {
    let named = Addressee::read(&pending.parameters).map_err(Rejection::Page)?;
    let unknown = || Rejection::page(ErrorCode::InvalidClient, "there is no such client any more");
    let client = provider.clients.find_to_authorize(&named.client_id).await?.ok_or_else(unknown)?;
    let valid = check(provider, &client, &pending.parameters)?;
    if valid.redirect.as_str() != pending.redirect_uri {
        return Err(Rejection::page(ErrorCode::InvalidRequest, "redirect_uri is not registered any more"));
    }
    if client.needs_pushed && pending.pushed.is_none() {
        return Err(valid.refused(ErrorCode::InvalidRequest, "this client has to push its requests"));
    }
    let resources = pending.resources.iter().filter(|uri| provider.clients.may_target(&client, uri)).cloned().collect();
    Ok(ValidRequest {
        resources,
        dpop_jkt: pending.dpop_jkt.clone(),
        empty_state: pending.empty_state,
        pushed: pending.pushed.clone(),
        ..valid
    })
}

fn check(
    provider: &Provider,
    client: &Arc<Client>,
    parameters: &[(String, String)],
) -> Result<ValidRequest, Rejection> {
    let redirect = redirect_uri::find(client, parameters)?;
    let request = AuthorizationRequest::read(parameters).map_err(|error| Rejection::of(error, client, &redirect))?;
    let valid = ValidRequest {
        client: client.clone(),
        resources: Vec::new(),
        dpop_jkt: None,
        empty_state: parameters.iter().any(|(name, value)| name == "state" && value.is_empty()),
        pushed: None,
        redirect,
        request,
    };
    allowed(&valid)?;
    let (resources, dpop_jkt) = further(provider, &valid, parameters)?;
    Ok(ValidRequest { resources, dpop_jkt, ..valid })
}

/// What the client's registration allows.
fn allowed(valid: &ValidRequest) -> Result<(), Rejection> {
    let (client, request) = (&valid.client, &valid.request);
    if !client.responses.contains(&request.response_type) {
        return Err(valid.refused(ErrorCode::UnauthorizedClient, "the client is not registered for this response_type"));
    }
    let fits = |mode: &ResponseMode| request.response_type.delivery(Some(*mode)) == Ok(request.delivery);
    if client.response_modes.as_ref().is_some_and(|modes| !modes.iter().any(fits)) {
        return Err(valid.refused(ErrorCode::InvalidRequest, "the client is not registered for this response_mode"));
    }
    if client.is_fapi2() && request.addressee.redirect_uri.is_none() {
        return Err(valid.refused(ErrorCode::InvalidRequest, "this client has to send a redirect_uri"));
    }
    if request.response_type.issues_code() {
        client.pkce.check(request.challenge.as_ref()).map_err(|error| {
            valid.refused(
                error.code(),
                match error {
                    PkceError::PlainRefused => "the code challenge method plain is not allowed: send S256",
                    _ => "this client needs a code_challenge",
                },
            )
        })?;
    }
    if request.response_type.issues_token() && (client.needs_dpop || client.binds_certificate) {
        return Err(
            valid.refused(ErrorCode::InvalidRequest, "this client's access tokens come from the token endpoint")
        );
    }
    Ok(())
}

/// What OAuth 2.1 allows, whatever the client's registration does: the code flow, with PKCE (4.1.1, 7.5.1).
fn strictly_allowed(valid: &ValidRequest) -> Result<(), Rejection> {
    let request = &valid.request;
    if request.response_type != ResponseType::CODE {
        return Err(valid.refused(ErrorCode::UnsupportedResponseType, "this issuer takes response_type code only"));
    }
    let policy = pkce::Policy { required: true, plain: false };
    policy
        .check(request.challenge.as_ref())
        .map_err(|error| valid.refused(error.code(), "this issuer needs a code_challenge with S256"))
}

/// The parameters of other specifications: `resource` (RFC 8707) and `dpop_jkt` (RFC 9449 10).
fn further(
    provider: &Provider,
    valid: &ValidRequest,
    parameters: &[(String, String)],
) -> Result<(Vec<String>, Option<String>), Rejection> {
    let all = |name: &'static str| {
        let values = parameters.iter().filter(move |(given, value)| given == name && !value.is_empty());
        values.map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    let resources = all("resource");
    if resources.len() > MAX_RESOURCES || !resources.iter().all(|uri| is_resource(uri)) {
        return Err(valid.refused(ErrorCode::InvalidTarget, "resource is an absolute URI without a fragment"));
    }
    if !resources.iter().all(|uri| provider.clients.may_target(&valid.client, uri)) {
        return Err(valid.refused(ErrorCode::InvalidTarget, "this client may not ask for tokens for that resource"));
    }
    let is_thumbprint = |text: &String| text.len() == THUMBPRINT && text.bytes().all(is_base64url);
    match all("dpop_jkt").as_slice() {
        [] => Ok((resources, None)),
        [one] if is_thumbprint(one) => Ok((resources, Some(one.clone()))),
        _ => Err(valid.refused(ErrorCode::InvalidRequest, "dpop_jkt is the thumbprint of one key")),
    }
}

fn is_resource(uri: &str) -> bool {
    let has_scheme = uri.split_once(':').is_some_and(|(scheme, rest)| {
        scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) && !rest.is_empty()
    });
    has_scheme && uri.len() <= MAX_RESOURCE && uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}
