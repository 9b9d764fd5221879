//! The response of the authorization endpoint, and ID tokens.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Party, is_signing, now};
use crate::{
    browser::{Answer, Via},
    context::Context,
    outcome::{Needed, Verdict, ensure, failed},
    relying::{
        flow,
        id_token::{self, Verified},
        request::Request,
    },
};

/// How far the clocks of provider and relying party may be apart, in seconds.
const DRIFT: u64 = 10;
/// How long a signed response may be good, in seconds (JARM 2.1).
const LONGEST: u64 = 600;

/// What a user has granted.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) code: String,
}

impl Party {
    /// The code of a response that must be a success.
    pub(super) async fn granted(&self, context: &Context<'_>, request: &Request, answer: &Answer) -> Verdict<Granted> {
        let parameters = self.parameters(context, request, answer).await?;
        if let Some(error) = parameters.get("error") {
            let description = parameters.get("error_description").map(String::as_str).unwrap_or_default();
            return Err(failed(format!("the authorization endpoint refuses: {error}: {description}")));
        }
        // FAPI 2.0 Security Profile 5.3.2.2; Session Management 1.0 3 adds one
        let known = ["code", "state", "iss", "session_state"];
        let other: Vec<_> = parameters.keys().filter(|name| !known.contains(&name.as_str())).collect();
        ensure(other.is_empty(), format!("the response has further parameters: {other:?}"))?;
        let code = parameters.get("code").cloned().needed("a code in the response")?;
        Ok(Granted { code })
    }

    /// The parameters of a response, from the client's place and with the state and issuer that they need.
    pub(crate) async fn parameters(
        &self,
        context: &Context<'_>,
        request: &Request,
        answer: &Answer,
    ) -> Verdict<BTreeMap<String, String>> {
        ensure(answer.via == Via::Query, format!("the response comes by {:?}", answer.via))?;
        ensure(flow::is_at(&answer.url, &self.redirect_uri), format!("the response goes to {}", answer.url))?;
        let mut parameters = answer.parameters.clone();
        // those of the redirect URI itself
        parameters.retain(|name, _| !self.redirect_uri.contains(&format!("{name}=")));
        if let Some(response) = parameters.get("response") {
            ensure(parameters.len() == 1, "a signed response has parameters outside of it")?;
            parameters = self.signed(context, response).await?;
        } else {
            ensure(!is_signing(context), "the response is not signed")?;
        }
        let state = parameters.get("state");
        ensure(state == request.state.as_ref(), format!("state is {state:?} instead of {:?}", request.state))?;
        let issuer = parameters.get("iss").map(String::as_str);
        ensure(issuer.is_some() && issuer == context.discovery.get("issuer"), format!("iss is {issuer:?} (RFC 9207)"))?;
        Ok(parameters)
    }

    /// The parameters of a signed response (JARM 2.1).
    async fn signed(&self, context: &Context<'_>, response: &str) -> Verdict<BTreeMap<String, String>> {
        let token = id_token::signed(context, response, "ES256").await?;
        ensure(is_for(&token, &self.id), "aud of a signed response is not the client")?;
        let (expires, now) = (token.number("exp").needed("exp of a signed response")?, now());
        ensure(expires > now, "a signed response is expired")?;
        ensure(expires <= now + LONGEST + DRIFT, "a signed response is good for more than ten minutes")?;
        let claims = token.claims.as_object().needed("claims of a signed response")?;
        let own = ["aud", "exp", "iat", "nbf"];
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let parameters = claims.iter().filter(|(name, _)| !own.contains(&name.as_str()));
        Ok(parameters.map(|(name, value)| (name.clone(), text(value))).collect())
    }

    /// An ID token that must be good.
    pub(super) async fn id_token(&self, context: &Context<'_>, request: &Request, raw: &str) -> Verdict<Verified> {
        let token = id_token::signed(context, raw, "ES256").await?;
        let issuer = token.text("iss");
        ensure(
            issuer.is_some() && issuer == context.discovery.get("issuer"),
            format!("iss of an ID token is {issuer:?}"),
        )?;
        ensure(is_for(&token, &self.id), "aud of an ID token is not the client")?;
        let (nonce, wanted) = (token.text("nonce"), request.nonce.as_deref());
        ensure(nonce == wanted, format!("nonce of an ID token is {nonce:?} instead of {wanted:?}"))?;
        ensure(token.number("exp").is_some_and(|expires| expires + DRIFT > now()), "an ID token is expired")?;
        ensure(!token.subject().is_empty(), "an ID token has no sub")?;
        Ok(token)
    }
}

/// Whether a JWT is for this client alone.
fn is_for(token: &Verified, client: &str) -> bool {
    match token.claims.get("aud") {
        Some(Value::String(one)) => one == client,
        Some(Value::Array(several)) => matches!(several.as_slice(), [one] if one == client),
        _ => false,
    }
}
