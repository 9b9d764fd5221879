//! An authorization request.

use serde_json::{Map, Value};
use url::Url;

use super::client::Client;
use crate::{
    browser::{Site, Visit},
    context::Context,
    outcome::{Needed, Verdict},
    random::random,
};

/// The parameters, in order.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) parameters: Vec<(String, String)>,
    /// What must come back, wherever it was sent.
    pub(crate) state: Option<String>,
    /// What the ID tokens must hold, wherever it was sent.
    pub(crate) nonce: Option<String>,
}

impl Request {
    /// What the plan asks for, with the scope `openid`.
    pub(crate) fn new(context: &Context<'_>, client: &Client) -> Self {
        let (state, nonce) = (random(12), random(12));
        let mut request = Self { parameters: Vec::new(), state: Some(state.clone()), nonce: Some(nonce.clone()) };
        request = request
            .with("client_id", &client.id)
            .with("redirect_uri", &client.redirect_uri)
            .with("response_type", context.plan.response_type.as_str())
            .with("scope", "openid")
            .with("state", &state)
            .with("nonce", &nonce);
        if context.plan.form_post { request.with("response_mode", "form_post") } else { request }
    }

    /// Sets a parameter.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        match self.parameters.iter_mut().find(|known| known.0 == name) {
            Some(known) => value.clone_into(&mut known.1),
            None => self.parameters.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Leaves a parameter out.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.parameters.retain(|known| known.0 != name);
        self
    }

    /// Leaves the nonce out, and expects none.
    pub(crate) fn without_nonce(mut self) -> Self {
        self.nonce = None;
        self.without("nonce")
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|known| known.0 == name).map(|known| known.1.as_str())
    }

    /// As claims of a request object (OpenID Connect Core 6.1).
    pub(crate) fn claims(&self, context: &Context<'_>) -> Value {
        let mut claims: Map<_, _> =
            self.parameters.iter().map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect();
        claims.extend(self.get("client_id").map(|id| ("iss".to_owned(), Value::from(id))));
        claims.insert("aud".to_owned(), Value::from(context.discovery.get("issuer").unwrap_or_default()));
        Value::Object(claims)
    }

    /// The parameters that accompany a request object: without state and nonce, which show whether the object was read.
    pub(crate) fn beside_object(self) -> Self {
        ["state", "nonce"].into_iter().fold(self, Self::without)
    }

    /// By GET.
    pub(crate) fn visit(&self, context: &Context<'_>) -> Verdict<Visit> {
        let mut url = endpoint(context)?;
        url.query_pairs_mut().extend_pairs(&self.parameters);
        Ok(Visit { url, form: None, from: Site::Relying })
    }

    /// By POST.
    pub(crate) fn posted(&self, context: &Context<'_>) -> Verdict<Visit> {
        Ok(Visit { url: endpoint(context)?, form: Some(self.parameters.clone()), from: Site::Relying })
    }
}

fn endpoint(context: &Context<'_>) -> Verdict<Url> {
    Url::parse(context.discovery.endpoint("authorization_endpoint")?).needed("authorization_endpoint")
}
