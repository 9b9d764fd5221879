//! A request of the client to an endpoint of the provider.

use reqwest::Method;

use super::Party;
use crate::{
    context::Context,
    outcome::Verdict,
    provider::{Call, Reply},
    relying::jwt::Jwt,
};

/// The error of an assertion that counts no more.
const USED_UP: &str = "invalid_client";
const BY_JWT: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The request, which a check may change before it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Form<'a> {
    party: &'a Party,
    url: String,
    fields: Vec<(String, String)>,
    assertion: Option<Jwt>,
    proof: Option<Jwt>,
}

impl<'a> Form<'a> {
    /// With a client assertion, and without a proof of possession.
    pub(super) fn new(party: &'a Party, context: &Context<'_>, endpoint: &str) -> Verdict<Self> {
        let url = context.discovery.endpoint(endpoint)?.to_owned();
        Ok(Self { party, url, fields: Vec::new(), assertion: Some(party.assertion(context)), proof: None })
    }

    /// Sets a field.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self
    }

    /// With another client assertion, or none.
    pub(crate) fn asserted(self, assertion: Option<Jwt>) -> Self {
        Self { assertion, ..self }
    }

    /// With a proof of possession.
    pub(crate) fn proven(self) -> Verdict<Self> {
        let proof = self.proof()?;
        Ok(self.proven_by(Some(proof)))
    }

    /// With this proof, or none.
    pub(crate) fn proven_by(self, proof: Option<Jwt>) -> Self {
        Self { proof, ..self }
    }

    /// A proof for this request.
    pub(crate) fn proof(&self) -> Verdict<Jwt> {
        self.party.proof("POST", &self.url)
    }

    /// Sends it; once more where the provider demands a nonce, with another proof and the same assertion (RFC 9449 8). No rule says that
    /// the provider accepts that once more: if it does not, this is a warning.
    pub(crate) async fn send(self, context: &Context<'_>) -> Verdict<Reply> {
        let reply = self.attempt(context).await?;
        if self.proof.is_none() || !self.party.takes_nonce(&reply) {
            return Ok(reply);
        }
        let again = Self { proof: self.proof.clone().map(Jwt::renewed), ..self };
        let reply = again.attempt(context).await?;
        if again.assertion.is_none() || reply.error() != USED_UP {
            return Ok(reply);
        }
        let (assertion, proof) = (again.assertion.clone().map(Jwt::renewed), again.proof.clone().map(Jwt::renewed));
        let renewed = Self { assertion, proof, ..again }.attempt(context).await?;
        if renewed.error() != USED_UP {
            context.warn("the assertion of a request that is repeated with a nonce is refused");
        }
        Ok(renewed)
    }

    async fn attempt(&self, context: &Context<'_>) -> Verdict<Reply> {
        let mut fields = self.fields.clone();
        if let Some(assertion) = &self.assertion {
            fields.push(("client_assertion_type".to_owned(), BY_JWT.to_owned()));
            fields.push(("client_assertion".to_owned(), assertion.write()?));
        }
        let proof = self.proof.clone().map(|proof| self.party.with_nonce(proof).write()).transpose()?;
        Call::new(&context.http, Method::POST, &self.url).form(&fields).dpop(proof).send().await
    }
}
