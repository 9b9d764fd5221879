//! A client that keeps to FAPI 2.0: its requests, and how it judges what comes back.

mod answer;
mod form;
mod party;

pub(crate) use self::{
    answer::Granted,
    form::Form,
    party::{LIFETIME, Party, hash, now},
};

use reqwest::{Method, StatusCode, header};
use serde_json::Value;
use url::Url;

use super::{id_token::Verified, jwt::Jwt, request::Request};
use crate::{
    browser::{Arrival, Browser, Site, Visit},
    context::Context,
    login,
    outcome::{Needed, Verdict, ensure, failed},
    plan::Profile,
    provider::{Call, Reply},
    relying::flow,
};

/// The errors of a request that is refused at the pushed authorization request endpoint or the authorization endpoint.
pub(crate) const INVALID: &[&str] = &["invalid_request"];
/// That of a request object.
pub(crate) const INVALID_OBJECT: &[&str] = &["invalid_request_object"];
/// Those of a parameter that may stand in a request object.
pub(crate) const INVALID_PARAMETER: &[&str] = &["invalid_request_object", "invalid_request"];
/// Those of a client that does not prove its identity.
pub(crate) const INVALID_CLIENT: &[&str] = &["invalid_client", "invalid_request"];
/// Those of a proof of possession.
pub(crate) const INVALID_PROOF: &[&str] = &["invalid_dpop_proof", "invalid_request", "invalid_grant"];

/// Holds that a code or a refresh token is refused (RFC 6749 5.2).
pub(crate) fn refused_grant(reply: &Reply) -> Verdict {
    ensure(reply.status == StatusCode::BAD_REQUEST, format!("the status is not 400: {}", reply.described()))?;
    flow::refused(reply, &["invalid_grant"])
}

/// Whether requests and responses are signed.
pub(crate) fn is_signing(context: &Context<'_>) -> bool {
    context.plan.profile == Profile::Fapi2MessageSigning
}

/// The `request_uri` of a pushed request that is accepted, and its lifetime in seconds (RFC 9126 2.2).
pub(crate) fn pushed(reply: &Reply) -> Verdict<(String, u64)> {
    ensure(reply.status == StatusCode::CREATED, format!("the pushed request: {}", reply.described()))?;
    reply.ensure_not_stored("the answer to a pushed request").or_else(|_| {
        let cache_control = reply.header(header::CACHE_CONTROL).to_ascii_lowercase();
        ensure(cache_control.contains("no-cache"), "the answer to a pushed request may be stored")
    })?;
    let answer = reply.json();
    let uri = answer.get("request_uri").and_then(Value::as_str).needed("request_uri")?;
    let lasts = answer.get("expires_in").and_then(Value::as_u64).needed("expires_in of a pushed request")?;
    ensure((5..600).contains(&lasts), format!("expires_in of a pushed request is {lasts}"))?;
    Ok((uri.to_owned(), lasts))
}

/// The address of an authorization request by `request_uri`, with further parameters.
pub(crate) fn visit(context: &Context<'_>, client_id: &str, uri: &str, more: &[(&str, &str)]) -> Verdict<Visit> {
    let endpoint = context.discovery.endpoint("authorization_endpoint")?;
    let mut url = Url::parse(endpoint).needed("authorization_endpoint")?;
    url.query_pairs_mut().extend_pairs([("client_id", client_id), ("request_uri", uri)]).extend_pairs(more);
    Ok(Visit { url, form: None, from: Site::Relying })
}

impl Party {
    /// Pushes a request, signs the user in, and reads the response.
    pub(crate) async fn authorize(&self, context: &Context<'_>, request: &Request) -> Verdict<Granted> {
        let form = self.pushing(context, request)?;
        self.authorize_by(context, request, form).await
    }

    /// The same with this form.
    pub(crate) async fn authorize_by(
        &self,
        context: &Context<'_>,
        request: &Request,
        form: Form<'_>,
    ) -> Verdict<Granted> {
        let (uri, _) = pushed(&form.send(context).await?)?;
        self.arrive(context, &context.browser(), request, visit(context, &self.id, &uri, &[])?).await
    }

    /// Signs the user in at this address, and reads the response.
    pub(crate) async fn arrive(
        &self,
        context: &Context<'_>,
        browser: &Browser,
        request: &Request,
        visit: Visit,
    ) -> Verdict<Granted> {
        match login::walk(browser, &context.target.person, visit).await?.end {
            Arrival::Back(answer) => self.granted(context, request, &answer).await,
            Arrival::Page(page) => Err(failed(format!("ended at {}", page.described()))),
        }
    }

    /// The whole flow.
    pub(crate) async fn sign_in(&self, context: &Context<'_>, request: &Request) -> Verdict<Tokens> {
        let granted = self.authorize(context, request).await?;
        self.tokens(context, request, &self.redeeming(context, &granted.code)?.send(context).await?).await
    }

    /// The tokens of the token endpoint's success, for this request.
    pub(crate) async fn tokens(&self, context: &Context<'_>, request: &Request, reply: &Reply) -> Verdict<Tokens> {
        let tokens = flow::received_as(reply, "DPoP")?;
        let text = |name: &str| tokens.get(name).and_then(Value::as_str).map(str::to_owned);
        let access = text("access_token").needed("an access token")?;
        let id_token = text("id_token").needed("an ID token")?;
        let id_token = self.id_token(context, request, &id_token).await?;
        Ok(Tokens { access, refresh: text("refresh_token"), subject: id_token.subject().to_owned(), id_token })
    }

    /// Userinfo with an access token, as it is answered. The scheme is `DPoP` in some spelling.
    pub(crate) async fn userinfo(
        &self,
        context: &Context<'_>,
        access: &str,
        scheme: &str,
        proof: Option<&Jwt>,
    ) -> Verdict<Reply> {
        let url = context.discovery.endpoint("userinfo_endpoint")?;
        let call = || Call::new(&context.http, Method::GET, url).authorization(Some(format!("{scheme} {access}")));
        let write = |proof: &Jwt| self.with_nonce(proof.clone()).write();
        let reply = call().dpop(proof.map(write).transpose()?).send().await?;
        match proof {
            Some(proof) if self.takes_nonce(&reply) => call().dpop(Some(write(&proof.clone().renewed())?)).send().await,
            _ => Ok(reply),
        }
    }

    /// Userinfo that must be answered.
    pub(crate) async fn reads_userinfo(&self, context: &Context<'_>, tokens: &Tokens) -> Verdict {
        let proof = self.resource_proof(context, &tokens.access)?;
        let reply = self.userinfo(context, &tokens.access, "DPoP", Some(&proof)).await?;
        ensure(reply.status == StatusCode::OK, format!("userinfo: {}", reply.described()))?;
        let subject = reply.json().get("sub").and_then(Value::as_str).map(str::to_owned);
        ensure(subject.as_deref() == Some(&tokens.subject), format!("sub of userinfo is {subject:?}"))
    }

    /// A proof for userinfo (RFC 9449 7).
    pub(crate) fn resource_proof(&self, context: &Context<'_>, access: &str) -> Verdict<Jwt> {
        let url = context.discovery.endpoint("userinfo_endpoint")?;
        Ok(self.proof("GET", url)?.claim("ath", hash(access)))
    }

    /// Holds that a pushed request is refused with one of these errors: at its endpoint, or else at the authorization endpoint.
    pub(crate) async fn refused(
        &self,
        context: &Context<'_>,
        request: &Request,
        form: Form<'_>,
        errors: &[&str],
    ) -> Verdict {
        let reply = form.send(context).await?;
        if reply.status != StatusCode::CREATED {
            return flow::refused(&reply, errors);
        }
        let (uri, _) = pushed(&reply)?;
        self.refused_at(context, request, visit(context, &self.id, &uri, &[])?, errors).await
    }

    /// Holds that the authorization endpoint refuses: by a page, or with one of these errors.
    pub(crate) async fn refused_at(
        &self,
        context: &Context<'_>,
        request: &Request,
        visit: Visit,
        errors: &[&str],
    ) -> Verdict {
        match login::walk(&context.browser(), &context.target.person, visit).await?.end {
            Arrival::Page(page) => {
                // not that of another reason, as 404 or 429
                let refusals = [StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
                ensure(refusals.contains(&page.status), format!("no error page: {}", page.described()))
            }
            Arrival::Back(answer) => {
                let parameters = self.parameters(context, request, &answer).await?;
                let error = parameters.get("error").needed("an error in the response")?;
                ensure(errors.contains(&error.as_str()), format!("the error {error} is none of {errors:?}"))
            }
        }
    }
}

/// What a flow gives.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
    pub(crate) subject: String,
    pub(crate) id_token: Verified,
}

impl Tokens {
    pub(crate) fn refresh(&self) -> Verdict<&str> {
        self.refresh.as_deref().needed("a refresh token")
    }
}
