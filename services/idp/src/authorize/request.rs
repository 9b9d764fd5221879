//! From parameters to a request of which everything is known to be good but the person.

use std::sync::Arc;

use oidc::error::ErrorCode;
use oidc::pkce::{self, PkceError};
use oidc::redirect::Redirect;
use oidc::request::{Addressee, AuthorizationRequest, Reply, RequestError};
use oidc::response::ResponseType;
use oidc::scope::Scopes;
use store::StoreError;

use super::object::{self, Expanded};
use crate::clients::{Client, GrantType};
use crate::endpoints::Site;
use crate::flow::Waiting;
use crate::provider::Provider;

#[cfg(test)]
mod tests;

/// The most resources of one request (RFC 8707), and the longest of them in bytes.
const MAX_RESOURCES: usize = 8;
const MAX_RESOURCE: usize = 512;
/// SHA-256 in base64url.
const THUMBPRINT: usize = 43;

/// A request that may be answered once the person is ready.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub(super) client: Arc<Client>,
    pub(super) redirect: Redirect,
    pub(super) request: AuthorizationRequest,
    pub(super) resources: Vec<String>,
    pub(super) dpop_jkt: Option<String>,
    pub(super) empty_state: bool,
    /// The name of the pushed request that this is.
    pub(super) pushed: Option<String>,
}

/// Why a request does not go on.
#[derive(Debug)]
pub(super) enum Stop {
    /// Answered by a page: it is not known that anybody wants the answer (row I3).
    Page(RequestError),
    /// Sent back to the client.
    Answer(Box<Answered>),
    /// A fault of ours, or of the database.
    Fault(StoreError),
}

/// A refusal that is sent back.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) client: Arc<Client>,
    pub(super) redirect: Redirect,
    pub(super) error: RequestError,
    pub(super) reply: Reply,
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Fault(error)
    }
}

impl Stop {
    pub(super) fn page(code: ErrorCode, description: &'static str) -> Self {
        Self::Page(RequestError { code, description: description.into(), reply: None })
    }

    pub(super) fn answer(client: &Arc<Client>, redirect: &Redirect, error: RequestError, reply: Reply) -> Self {
        Self::Answer(Box::new(Answered { client: client.clone(), redirect: redirect.clone(), error, reply }))
    }

    /// As the error itself says.
    fn of(error: RequestError, client: &Arc<Client>, redirect: &Redirect) -> Self {
        match error.reply.clone() {
            Some(reply) => Self::answer(client, redirect, error, reply),
            None => Self::Page(error),
        }
    }
}

impl Checked {
    /// The request as it waits.
    pub(super) fn waiting(&self) -> Waiting {
        Waiting {
            parameters: self.request.to_parameters(),
            redirect_uri: self.redirect.as_str().to_owned(),
            resources: self.resources.clone(),
            dpop_jkt: self.dpop_jkt.clone(),
            empty_state: self.empty_state,
            pushed: self.pushed.clone(),
        }
    }

    /// How it is answered.
    pub(super) fn reply(&self) -> Reply {
        let empty = || self.empty_state.then(String::new);
        Reply { delivery: self.request.delivery, state: self.request.state.clone().or_else(empty) }
    }

    /// The same request, sent back with this error.
    pub(super) fn refused(&self, code: ErrorCode, description: &'static str) -> Stop {
        let reply = self.reply();
        let error = RequestError { code, description: description.into(), reply: Some(reply.clone()) };
        Stop::answer(&self.client, &self.redirect, error, reply)
    }

    /// What is granted at most: what was asked for, as far as the client may have it and as anybody knows it.
    pub(super) fn grantable(&self) -> Scopes {
        let known = |token: &&str| self.client.may_be_granted(token);
        let offline = self.request.response_type.issues_code() && self.client.may(GrantType::RefreshToken);
        let may = |token: &&str| offline || !matches!(*token, oidc::scope::OFFLINE_ACCESS | oidc::scope::OFFLINE);
        // a part of a set that was read is one itself
        Scopes::of(self.request.scope.iter().filter(known).filter(may)).unwrap_or_default()
    }
}

/// The scopes that mean something here. Others are ignored (`OpenID` Connect Core 3.1.2.1), unless the client's
/// registration names them.
pub(crate) const KNOWN: [&str; 10] = [
    oidc::scope::OPENID,
    oidc::scope::PROFILE,
    oidc::scope::EMAIL,
    oidc::scope::ADDRESS,
    oidc::scope::PHONE,
    oidc::scope::OFFLINE_ACCESS,
    oidc::scope::OFFLINE,
    oidc::scope::PYDIO,
    "groups",
    "roles",
];

/// Checks everything that needs no person. `pushed_by` is the client that has proved who it is, where the request is
/// pushed by it (RFC 9126).
pub(super) async fn resolve(
    provider: &Provider,
    site: &Site,
    parameters: Vec<(String, String)>,
    pushed_by: Option<&Arc<Client>>,
) -> Result<Checked, Stop> {
    let named = Addressee::read(&parameters).map_err(Stop::Page)?;
    let client = match pushed_by {
        Some(client) if client.id == named.client_id => client.clone(),
        Some(_) => return Err(Stop::page(ErrorCode::InvalidRequest, "client_id is another client's")),
        None => {
            let unknown = || Stop::page(ErrorCode::InvalidClient, "there is no such client");
            provider.clients.find(&named.client_id).await?.ok_or_else(unknown)?
        }
    };
    let Expanded { parameters, pushed } =
        object::expand(provider, site, &client, parameters, pushed_by.is_some()).await?;
    let checked = check(&client, &parameters)?;
    if site.is_strict() {
        strictly_allowed(&checked)?;
    }
    Ok(Checked { pushed, ..checked })
}

/// Takes up a request again that waited; everything is checked anew, since the client may have changed.
pub(super) async fn resume(provider: &Provider, waiting: &Waiting) -> Result<Checked, Stop> {
    let named = Addressee::read(&waiting.parameters).map_err(Stop::Page)?;
    let unknown = || Stop::page(ErrorCode::InvalidClient, "there is no such client any more");
    let client = provider.clients.find(&named.client_id).await?.ok_or_else(unknown)?;
    let checked = check(&client, &waiting.parameters)?;
    if checked.redirect.as_str() != waiting.redirect_uri {
        return Err(Stop::page(ErrorCode::InvalidRequest, "redirect_uri is not registered any more"));
    }
    let resources = waiting.resources.iter().filter(|uri| client.may_target(uri)).cloned().collect();
    Ok(Checked {
        resources,
        dpop_jkt: waiting.dpop_jkt.clone(),
        empty_state: waiting.empty_state,
        pushed: waiting.pushed.clone(),
        ..checked
    })
}

fn check(client: &Arc<Client>, parameters: &[(String, String)]) -> Result<Checked, Stop> {
    let redirect = redirect(client, parameters)?;
    let request = AuthorizationRequest::read(parameters).map_err(|error| Stop::of(error, client, &redirect))?;
    let checked = Checked {
        client: client.clone(),
        resources: Vec::new(),
        dpop_jkt: None,
        empty_state: parameters.iter().any(|(name, value)| name == "state" && value.is_empty()),
        pushed: None,
        redirect,
        request,
    };
    allowed(&checked)?;
    let (resources, dpop_jkt) = further(&checked, parameters)?;
    Ok(Checked { resources, dpop_jkt, ..checked })
}

/// Where the answer goes: only what is registered (rows I1 to I3).
pub(super) fn redirect(client: &Client, parameters: &[(String, String)]) -> Result<Redirect, Stop> {
    let Addressee { redirect_uri, .. } = Addressee::read(parameters).map_err(Stop::Page)?;
    let found = match &redirect_uri {
        Some(uri) => client.redirects.find(uri),
        None => client.redirects.sole(),
    };
    let problem = match redirect_uri {
        Some(_) => "redirect_uri is not registered for this client",
        None => "redirect_uri is missing",
    };
    found.ok_or_else(|| Stop::page(ErrorCode::InvalidRequest, problem))
}

/// What the client's registration allows.
fn allowed(checked: &Checked) -> Result<(), Stop> {
    let (client, request) = (&checked.client, &checked.request);
    if !client.responses.contains(&request.response_type) {
        return Err(
            checked.refused(ErrorCode::UnauthorizedClient, "the client is not registered for this response_type")
        );
    }
    if request.response_type.issues_code() {
        client.pkce.check(request.challenge.as_ref()).map_err(|error| {
            checked.refused(
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
            checked.refused(ErrorCode::InvalidRequest, "this client's access tokens come from the token endpoint")
        );
    }
    Ok(())
}

/// What OAuth 2.1 allows, whatever the client's registration does: the code flow, with PKCE (4.1.1, 7.5.1).
fn strictly_allowed(checked: &Checked) -> Result<(), Stop> {
    let request = &checked.request;
    if request.response_type != ResponseType::CODE {
        return Err(checked.refused(ErrorCode::UnsupportedResponseType, "this issuer takes response_type code only"));
    }
    let policy = pkce::Policy { required: true, plain: false };
    policy
        .check(request.challenge.as_ref())
        .map_err(|error| checked.refused(error.code(), "this issuer needs a code_challenge with S256"))
}

/// The parameters of other specifications: `resource` (RFC 8707) and `dpop_jkt` (RFC 9449 10).
fn further(checked: &Checked, parameters: &[(String, String)]) -> Result<(Vec<String>, Option<String>), Stop> {
    let all = |name: &'static str| {
        let values = parameters.iter().filter(move |(given, value)| given == name && !value.is_empty());
        values.map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    let resources = all("resource");
    if resources.len() > MAX_RESOURCES || !resources.iter().all(|uri| is_resource(uri)) {
        return Err(checked.refused(ErrorCode::InvalidTarget, "resource is an absolute URI without a fragment"));
    }
    if !resources.iter().all(|uri| checked.client.may_target(uri)) {
        return Err(checked.refused(ErrorCode::InvalidTarget, "this client may not ask for tokens for that resource"));
    }
    let is_thumbprint = |text: &String| text.len() == THUMBPRINT && text.bytes().all(is_base64url);
    match all("dpop_jkt").as_slice() {
        [] => Ok((resources, None)),
        [one] if is_thumbprint(one) => Ok((resources, Some(one.clone()))),
        _ => Err(checked.refused(ErrorCode::InvalidRequest, "dpop_jkt is the thumbprint of one key")),
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
