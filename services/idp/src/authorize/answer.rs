//! The answer of the authorization endpoint, and how it travels.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oidc::error::ErrorCode;
use oidc::redirect::Redirect;
use oidc::response::{Carrier, Delivery};
use oidc::session_state;
use serde_json::{Map, Value};

use super::decide::Ready;
use super::request::Checked;
use crate::clients::{Client, Source};
use crate::endpoints::{Layout, Site};
use crate::model::{Code, Grant, SignIn, loses_api_scopes, seconds};
use crate::pages::{self, Look};
use crate::provider::Provider;
use crate::seal::Purpose;
use crate::session;
use crate::token::mint::{Beside, Issue};

/// How long an answer that is a JWT is good (JARM 2.1 advises at most ten minutes).
const SIGNED_ANSWER: Duration = Duration::from_mins(10);

/// The parameters of an answer, in alphabetical order.
pub(super) type Parameters = BTreeMap<&'static str, String>;

/// Grants what the person is ready for.
pub(super) fn granted(provider: &Provider, site: &Site, checked: &Checked, ready: &Ready) -> Parameters {
    let now = ready.since;
    let request = &checked.request;
    let client = &checked.client;
    let grant = Grant {
        id: provider.random.uuid(),
        layout: site.layout,
        client: client.id.clone(),
        person: Some(ready.session.person.clone()),
        sign_in: Some(SignIn {
            session: Some(ready.session.id),
            at: seconds(ready.session.signed_in),
            amr: ready.session.amr.split(' ').map(str::to_owned).collect(),
            acr: session::ACR.to_owned(),
        }),
        scope: ready.scope.clone(),
        claims: (!request.claims.is_empty()).then(|| request.claims.to_string()),
        resources: checked.resources.clone(),
        actor: None,
        limited: loses_api_scopes(&request.scope, &ready.scope),
    };
    let issue = Issue {
        site,
        client,
        grant: &grant,
        user: Some(&ready.user),
        binding: None,
        nonce: request.nonce.as_deref(),
        now,
    };
    let mut answer = Parameters::new();
    if request.response_type.issues_code() {
        answer.insert("code", code(provider, site, checked, &grant, now));
    }
    if request.response_type.issues_token() {
        let token = issue.access_token(provider);
        answer.insert("access_token", token.text);
        answer.insert("token_type", "Bearer".to_owned());
        answer.insert("expires_in", token.expires_in.to_string());
    }
    if request.response_type.issues_id_token() {
        let beside = Beside {
            code: answer.get("code").map(String::as_str),
            access_token: answer.get("access_token").map(String::as_str),
            state: request.state.as_deref(),
            alone: !request.response_type.issues_code() && !request.response_type.issues_token(),
            front_channel: true,
        };
        let id_token = issue.id_token(provider, &beside);
        answer.insert("id_token", id_token);
    }
    answer.insert("scope", ready.scope.to_string());
    if ready.scope.asks_openid()
        && let Some(origin) = session_state::origin_of(checked.redirect.as_str())
    {
        let salt = URL_SAFE_NO_PAD.encode(provider.random.bytes::<12>());
        let browser_state = session::state_of(provider, Some(ready.session.id));
        answer.insert("session_state", session_state::compute(&client.id, &origin, &browser_state, &salt));
    }
    answer
}

fn code(provider: &Provider, site: &Site, checked: &Checked, grant: &Grant, now: SystemTime) -> String {
    let request = &checked.request;
    let life = provider.config.lives.of(site.layout, &checked.client.lifetimes).code;
    let challenge = request.challenge.as_ref();
    let code = Code {
        grant: grant.clone(),
        redirect_uri: checked.redirect.as_str().to_owned(),
        redirect_was_named: request.addressee.redirect_uri.is_some(),
        nonce: request.nonce.clone(),
        challenge: challenge.map(|challenge| (challenge.to_text(), challenge.method().as_str().to_owned())),
        dpop_jkt: checked.dpop_jkt.clone(),
        expires: seconds(now + life),
    };
    provider.sealer.seal(Purpose::Code, &code)
}

/// The parameters of a refusal.
pub(super) fn refused(code: ErrorCode, description: &str) -> Parameters {
    let mut answer = Parameters::from([("error", code.code().to_owned())]);
    if !description.is_empty() {
        answer.insert("error_description", description.to_owned());
    }
    answer
}

/// Where an answer goes, and how.
pub(super) struct Way<'a> {
    pub(super) client: &'a Arc<Client>,
    pub(super) redirect: &'a Redirect,
    pub(super) delivery: Delivery,
    pub(super) state: Option<&'a str>,
    pub(super) empty_state: bool,
}

impl Way<'_> {
    /// Sends the answer. It names the issuer (RFC 9207, row I15).
    pub(super) fn send(
        &self,
        provider: &Provider,
        site: &Site,
        headers: &HeaderMap,
        mut answer: Parameters,
    ) -> Response {
        answer.insert("iss", site.issuer.clone());
        if let Some(state) = self.state {
            answer.insert("state", state.to_owned());
        } else if self.empty_state || self.is_of_opencloud(site) {
            answer.insert("state", String::new());
        }
        if self.delivery.signed {
            let response = sign(provider, self.client, &answer);
            answer = Parameters::from([("response", response)]);
        }
        let pairs = answer.iter().map(|(name, value)| (*name, value.as_str()));
        match self.delivery.carrier {
            Carrier::Query => see_other(&self.redirect.in_query(pairs)),
            Carrier::Fragment => see_other(&self.redirect.in_fragment(pairs)),
            Carrier::FormPost => {
                let fields: Vec<_> = pairs.collect();
                let look = Look::of(provider, site, headers, &[]);
                pages::form_post(&look, self.redirect.as_str(), &fields)
            }
        }
    }

    /// `OpenCloud`'s own clients get `state` back even where they sent none; others could take an empty one for an attack.
    fn is_of_opencloud(&self, site: &Site) -> bool {
        site.layout == Layout::OpenCloud && self.client.source == Source::BuiltIn && !self.delivery.signed
    }
}

/// The answer as one JWT (JARM 2.1).
fn sign(provider: &Provider, client: &Client, answer: &Parameters) -> String {
    let mut claims: Map<String, Value> =
        answer.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
    claims.insert("aud".to_owned(), client.id.as_str().into());
    claims.insert("exp".to_owned(), seconds(provider.clock.now() + SIGNED_ANSWER).into());
    provider.keys.signer(provider.keys.choose(client.signatures.authorization)).jwt("JWT", &claims)
}

/// 303: whatever was posted is not posted again there (row I16).
pub(crate) fn see_other(uri: &str) -> Response {
    match HeaderValue::try_from(uri) {
        Ok(location) => {
            let unkept = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
            (StatusCode::SEE_OTHER, [(LOCATION, location), unkept]).into_response()
        }
        // a registered URI is visible ASCII, and what is added to it is encoded
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
