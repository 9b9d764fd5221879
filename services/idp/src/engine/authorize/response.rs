//! The response of the authorization endpoint, and how it is sent.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use authn::audit::Event;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oidc::error::ErrorCode;
use oidc::redirect::Redirect;
use oidc::response::{Carrier, Delivery};
use oidc::session_state;
use serde_json::{Map, Value};
use tracing::field::display;

use super::level;
use super::prompt::GrantBasis;
use super::pushed_request;
use super::rejection::{ClientRejection, Rejection};
use super::request::ValidRequest;
use crate::endpoints::{EndpointProfile, IssuerEndpoints};
use crate::engine::clients::{Client, Source};
use crate::engine::provider::Provider;
use crate::engine::tokens::{IdTokenBindings, Issue};
use crate::engine::{accounts, claims, sessions};
use crate::model::{Code, Grant, SignIn, loses_api_scopes, seconds};
use crate::seal::Purpose;

/// How long a response that is a JWT is good (JARM 2.1 advises at most ten minutes).
const SIGNED_RESPONSE: Duration = Duration::from_mins(10);

/// The parameters of a response, in alphabetical order.
pub(crate) type Parameters = BTreeMap<&'static str, String>;

/// The tokens and the code of a grant.
pub(crate) async fn granted(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    valid: &ValidRequest,
    basis: &GrantBasis,
) -> Parameters {
    let now = basis.since;
    let request = &valid.request;
    let client = &valid.client;
    let grant = Grant {
        id: provider.random.uuid(),
        layout: endpoints.layout,
        client: client.id.clone(),
        person: Some(basis.session.person.clone()),
        sign_in: Some(SignIn {
            session: Some(basis.session.id),
            at: seconds(basis.session.signed_in),
            amr: basis.session.amr.split(' ').map(str::to_owned).collect(),
            acr: level::name_for(valid, &basis.session, &provider.config.mfa),
        }),
        scope: basis.scope.clone(),
        claims: (!basis.claims.is_empty()).then(|| basis.claims.to_string()),
        resources: valid.resources.clone(),
        actor: None,
        limited: loses_api_scopes(&request.scope, &basis.scope),
    };
    let is_alone = !request.response_type.issues_code() && !request.response_type.issues_token();
    let is_needed = (request.response_type.issues_token() || request.response_type.issues_id_token())
        && claims::needs_profile(client, &grant, is_alone);
    let profile = accounts::profile_for_token(provider, &basis.user, is_needed).await;
    let issue = Issue {
        endpoints,
        client,
        grant: &grant,
        user: Some(&basis.user),
        profile: &profile,
        binding: None,
        nonce: request.nonce.as_deref(),
        now,
    };
    let mut answer = Parameters::new();
    if request.response_type.issues_code() {
        answer.insert("code", code(provider, endpoints, valid, &grant, now));
    }
    if request.response_type.issues_token() {
        let token = issue.access_token(provider);
        answer.insert("access_token", token.text);
        answer.insert("token_type", "Bearer".to_owned());
        answer.insert("expires_in", token.expires_in.to_string());
    }
    if request.response_type.issues_id_token() {
        let bindings = IdTokenBindings {
            code: answer.get("code").map(String::as_str),
            access_token: answer.get("access_token").map(String::as_str),
            state: request.state.as_deref(),
            alone: is_alone,
            front_channel: true,
        };
        let id_token = issue.id_token(provider, &bindings);
        answer.insert("id_token", id_token);
    }
    // the token endpoint says what was granted; here these clients get the code alone (FAPI 2.0 Security Profile 5.3.2.2)
    if client.is_fapi2() {
        return answer;
    }
    answer.insert("scope", basis.scope.to_string());
    if basis.scope.asks_openid()
        && let Some(origin) = session_state::origin_of(valid.redirect.as_str())
    {
        let salt = URL_SAFE_NO_PAD.encode(provider.random.bytes::<12>());
        let browser_state = sessions::browser_state(provider, Some(basis.session.id));
        answer.insert("session_state", session_state::compute(&client.id, &origin, &browser_state, &salt));
    }
    answer
}

fn code(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    valid: &ValidRequest,
    grant: &Grant,
    now: SystemTime,
) -> String {
    let request = &valid.request;
    let life = provider.config.lifetimes.of(endpoints.layout, &valid.client.lifetimes).code;
    let challenge = request.challenge.as_ref();
    let code = Code {
        grant: grant.clone(),
        redirect_uri: valid.redirect.as_str().to_owned(),
        redirect_was_named: request.addressee.redirect_uri.is_some(),
        nonce: request.nonce.clone(),
        challenge: challenge.map(|challenge| (challenge.to_text(), challenge.method().as_str().to_owned())),
        dpop_jkt: valid.dpop_jkt.clone(),
        issued: Some(seconds(now)),
        expires: seconds(now + life),
    };
    provider.sealer.seal(Purpose::Code, &code)
}

/// The parameters of an error.
fn refused(code: ErrorCode, description: &str) -> Parameters {
    let mut answer = Parameters::from([("error", code.code().to_owned())]);
    if !description.is_empty() {
        answer.insert("error_description", description.to_owned());
    }
    answer
}

/// How the browser carries a response to the client.
#[derive(Debug)]
pub(crate) enum AuthorizationResponse {
    /// It is redirected to this URI.
    Redirect(String),
    /// It posts a form (OAuth 2.0 Form Post Response Mode).
    FormPost {
        /// The redirect URI.
        action: String,
        /// The parameters.
        fields: Parameters,
    },
}

/// Grants what a valid request asks for; a pushed request is used up.
///
/// # Errors
/// [`Rejection`] for a pushed request that was answered before, and when the database does not take the grant.
pub(crate) async fn grant(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    valid: &ValidRequest,
    basis: &GrantBasis,
) -> Result<AuthorizationResponse, Rejection> {
    pushed_request::use_up(provider, valid.pushed.as_deref()).await?;
    let logout = &valid.client.logout;
    if logout.backchannel.is_some() || logout.frontchannel.is_some() {
        provider.store.join_session(basis.session.id, &valid.client.id, endpoints.layout.name()).await?;
    }
    provider.clients.note_grant(&valid.client).await?;
    let parameters = granted(provider, endpoints, valid, basis).await;
    Event {
        subject: &basis.session.person,
        client: &valid.client.id,
        scope: &display(&basis.scope),
        ..Event::new("authorize", "success")
    }
    .log();
    let target = ResponseTarget {
        client: &valid.client,
        redirect: &valid.redirect,
        delivery: valid.request.delivery,
        state: valid.request.state.as_deref(),
        empty_state: valid.empty_state,
    };
    Ok(target.respond(provider, endpoints, parameters))
}

/// Rejects a valid request with this error; a pushed request is used up.
pub(crate) async fn refuse(
    provider: &Provider,
    valid: &ValidRequest,
    (code, description): (ErrorCode, &'static str),
) -> Rejection {
    match pushed_request::use_up(provider, valid.pushed.as_deref()).await {
        Ok(()) => valid.refused(code, description),
        Err(used) => used,
    }
}

impl ClientRejection {
    /// The response.
    pub(crate) fn respond(&self, provider: &Provider, endpoints: &IssuerEndpoints) -> AuthorizationResponse {
        let Self { client, redirect, error, reply } = self;
        let (delivery, state) = (reply.delivery, reply.state.as_deref());
        let target = ResponseTarget { client, redirect, delivery, state, empty_state: false };
        target.respond(provider, endpoints, refused(error.code, &error.description))
    }
}

/// Where a response is sent, and how.
struct ResponseTarget<'a> {
    client: &'a Client,
    redirect: &'a Redirect,
    delivery: Delivery,
    state: Option<&'a str>,
    empty_state: bool,
}

impl ResponseTarget<'_> {
    /// The response names the issuer (RFC 9207, row I15).
    fn respond(
        &self,
        provider: &Provider,
        endpoints: &IssuerEndpoints,
        mut answer: Parameters,
    ) -> AuthorizationResponse {
        answer.insert("iss", endpoints.issuer.clone());
        if let Some(state) = self.state {
            answer.insert("state", state.to_owned());
        } else if self.empty_state || self.is_of_opencloud(endpoints) {
            answer.insert("state", String::new());
        }
        if self.delivery.signed {
            let response = sign(provider, self.client, &answer);
            answer = Parameters::from([("response", response)]);
        }
        let pairs = || answer.iter().map(|(name, value)| (*name, value.as_str()));
        match self.delivery.carrier {
            Carrier::Query => AuthorizationResponse::Redirect(self.redirect.in_query(pairs())),
            Carrier::Fragment => AuthorizationResponse::Redirect(self.redirect.in_fragment(pairs())),
            Carrier::FormPost => {
                AuthorizationResponse::FormPost { action: self.redirect.as_str().to_owned(), fields: answer }
            }
        }
    }

    /// `OpenCloud`'s own clients get `state` back even where they sent none; others could take an empty one for an attack.
    fn is_of_opencloud(&self, endpoints: &IssuerEndpoints) -> bool {
        endpoints.layout == EndpointProfile::OpenCloud && self.client.source == Source::BuiltIn && !self.delivery.signed
    }
}

/// The response as one JWT (JARM 2.1).
fn sign(provider: &Provider, client: &Client, answer: &Parameters) -> String {
    let mut claims: Map<String, Value> =
        answer.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
    claims.insert("aud".to_owned(), client.id.as_str().into());
    claims.insert("exp".to_owned(), seconds(provider.clock.now() + SIGNED_RESPONSE).into());
    provider.keys.signer(provider.keys.choose(client.signatures.authorization)).jwt("JWT", &claims)
}
