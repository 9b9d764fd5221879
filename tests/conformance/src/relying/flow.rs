//! A whole flow: to the provider, back, and to the token endpoint, judged by the rules that hold for every flow.

use reqwest::StatusCode;
use serde_json::Value;
use url::Url;

use super::{
    client::Client,
    id_token::{self, Expected, Verified},
    request::Request,
};
use crate::{
    browser::{Answer, Arrival, Browser, Page, Via, Visit},
    context::Context,
    login::{self, Journey},
    outcome::{Needed, Verdict, ensure, failed},
    plan::ResponseType,
    provider::Reply,
};

/// What a flow gave.
#[derive(Debug)]
pub(crate) struct SignedIn {
    pub(crate) answer: Answer,
    /// The ID token that the flow is about: the token endpoint's, or that of the authorization endpoint.
    pub(crate) id_token: Verified,
    /// The access token; the token endpoint's where there are two.
    pub(crate) access_token: Option<String>,
    /// The token endpoint's answer; `Null` without one.
    pub(crate) tokens: Value,
    /// The pages on the way.
    pub(crate) pages: Vec<Page>,
    /// The number of password prompts.
    pub(crate) logins: usize,
}

impl SignedIn {
    pub(crate) fn subject(&self) -> &str {
        self.id_token.subject()
    }

    /// The access token of a flow that gives one.
    pub(crate) fn access(&self) -> Verdict<&str> {
        self.access_token.as_deref().needed("an access token")
    }

    pub(crate) fn refresh_token(&self) -> Option<&str> {
        self.tokens.get("refresh_token")?.as_str()
    }
}

/// Walks a request to its end, whatever that is.
pub(crate) async fn walk(context: &Context<'_>, browser: &Browser, visit: Visit) -> Verdict<Journey> {
    login::walk(browser, &context.target.person, visit).await
}

/// A flow that must succeed.
pub(crate) async fn sign_in(
    context: &Context<'_>,
    browser: &Browser,
    client: &Client,
    request: &Request,
) -> Verdict<SignedIn> {
    let journey = walk(context, browser, request.visit(context)?).await?;
    finish(context, client, request, journey).await
}

/// The rest of a flow that must succeed, from where the browser ended.
pub(crate) async fn finish(
    context: &Context<'_>,
    client: &Client,
    request: &Request,
    journey: Journey,
) -> Verdict<SignedIn> {
    let Journey { end, pages, logins } = journey;
    let answer = match end {
        Arrival::Back(answer) => answer,
        Arrival::Page(page) => return Err(failed(format!("ended at {}", page.described()))),
    };
    succeeded(context, client, request, &answer)?;
    let expected = Expected { nonce: request.nonce.as_deref(), state: request.state.as_deref(), ..Expected::default() };
    let mut id_token = None;
    if let Some(raw) = answer.get("id_token") {
        let (access_token, code) = (answer.get("access_token"), answer.get("code"));
        let expected = Expected { access_token, code, hashed: true, ..expected };
        id_token = Some(id_token::verify(context, client, raw, expected).await?);
    }
    let mut access_token = answer.get("access_token").map(str::to_owned);
    let mut tokens = Value::Null;
    if let Some(code) = answer.get("code") {
        let reply = redeem(context, client, request, code).await?;
        tokens = received(&reply)?;
        let text = |name: &str| tokens.get(name).and_then(Value::as_str);
        let issued = text("access_token").needed("access_token from the token endpoint")?.to_owned();
        let raw = text("id_token").needed("id_token from the token endpoint")?;
        let expected = Expected { access_token: Some(&issued), code: Some(code), state: None, ..expected };
        let token = id_token::verify(context, client, raw, expected).await?;
        if let Some(first) = &id_token {
            same(first, &token)?;
        }
        (id_token, access_token) = (Some(token), Some(issued));
    }
    let id_token = id_token.needed("an ID token")?;
    Ok(SignedIn { answer, id_token, access_token, tokens, pages, logins })
}

/// The two ID tokens of a hybrid flow (OpenID Connect Core 3.3.3.6).
fn same(first: &Verified, second: &Verified) -> Verdict {
    for name in ["iss", "sub", "auth_time"] {
        let (front, back) = (first.claims.get(name), second.claims.get(name));
        let differ = format!("{name} is {front:?} in one ID token and {back:?} in the other");
        ensure(front == back || (name == "auth_time" && (front.is_none() || back.is_none())), differ)?;
    }
    Ok(())
}

/// Redeems a code at the token endpoint.
pub(crate) async fn redeem(context: &Context<'_>, client: &Client, request: &Request, code: &str) -> Verdict<Reply> {
    client.ask(context, &redemption(client, request, code)).await
}

/// The fields that redeem a code.
pub(crate) fn redemption<'a>(client: &'a Client, request: &'a Request, code: &'a str) -> Vec<(&'static str, &'a str)> {
    let mut fields = vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", &client.redirect_uri)];
    fields.extend(request.get("code_verifier").map(|verifier| ("code_verifier", verifier)));
    fields
}

/// The token endpoint's success (RFC 6749 5.1).
pub(crate) fn received(reply: &Reply) -> Verdict<Value> {
    received_as(reply, "bearer")
}

/// The same, with an access token of this type.
pub(crate) fn received_as(reply: &Reply, wanted: &str) -> Verdict<Value> {
    ensure(reply.status == StatusCode::OK, format!("the token endpoint: {}", reply.described()))?;
    ensure(reply.is_a("application/json"), "the token endpoint does not answer with application/json")?;
    reply.ensure_not_stored("the token endpoint's answer")?;
    let tokens = reply.json();
    let kind = tokens.get("token_type").and_then(Value::as_str).unwrap_or_default();
    ensure(kind.eq_ignore_ascii_case(wanted), format!("token_type is {kind:?}"))?;
    let lasts = tokens.get("expires_in").is_none_or(|seconds| seconds.as_u64().is_some_and(|seconds| seconds > 0));
    ensure(lasts, "expires_in is no number of seconds")?;
    Ok(tokens)
}

/// What the token endpoint refuses (RFC 6749 5.2).
pub(crate) fn refused(reply: &Reply, errors: &[&str]) -> Verdict {
    let description = reply.described();
    let is_client_error = matches!(reply.status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED);
    ensure(is_client_error, format!("the token endpoint does not refuse: {description}"))?;
    ensure(errors.contains(&reply.error().as_str()), format!("the error is none of {errors:?}: {description}"))
}

/// The answer of the authorization endpoint to a request that succeeds.
pub(crate) fn succeeded(context: &Context<'_>, client: &Client, request: &Request, answer: &Answer) -> Verdict {
    if let Some(error) = answer.get("error") {
        let description = answer.get("error_description").unwrap_or_default();
        return Err(failed(format!("the authorization endpoint refuses: {error}: {description}")));
    }
    returned(context, client, request, answer)?;
    let wanted: ResponseType = context.plan.response_type;
    for (name, is_wanted) in
        [("code", wanted.has_code()), ("id_token", wanted.has_id_token()), ("access_token", wanted.has_token())]
    {
        let has = answer.get(name).is_some_and(|value| !value.is_empty());
        ensure(has == is_wanted, format!("the answer has {name}: {has}; it should: {is_wanted}"))?;
    }
    if wanted.has_token() {
        let kind = answer.get("token_type").unwrap_or_default();
        ensure(kind.eq_ignore_ascii_case("bearer"), format!("token_type is {kind:?}"))?;
        let lasts = answer.get("expires_in").is_none_or(|seconds| seconds.parse::<u64>().is_ok());
        ensure(lasts, "expires_in is no number of seconds")?;
    }
    Ok(())
}

/// The rules for every answer, success or error: where it goes, by which way, with which state and issuer.
pub(crate) fn returned(context: &Context<'_>, client: &Client, request: &Request, answer: &Answer) -> Verdict {
    let way = if context.plan.form_post {
        Via::FormPost
    } else if request.get("response_type").is_some() && context.plan.response_type != ResponseType::Code {
        Via::Fragment
    } else {
        Via::Query
    };
    ensure(answer.via == way, format!("the answer comes by {:?} instead of {way:?}", answer.via))?;
    ensure(is_at(&answer.url, &client.redirect_uri), format!("the answer goes to {}", place(&answer.url)))?;
    let state = answer.get("state");
    ensure(state == request.state.as_deref(), format!("state is {state:?} instead of {:?}", request.state))?;
    let issuer = answer.get("iss");
    let promised = context.discovery.flag("authorization_response_iss_parameter_supported");
    // RFC 9207 2.4: an ID token in the answer names the issuer already.
    let is_due = promised && answer.get("id_token").is_none();
    let is_ours = issuer.map_or(!is_due, |issuer| Some(issuer) == context.discovery.get("issuer"));
    ensure(is_ours, format!("iss of the answer is {issuer:?} (RFC 9207)"))
}

/// Whether a URL is this redirect URI, with whatever was added to its query.
pub(crate) fn is_at(url: &Url, redirect_uri: &str) -> bool {
    let Ok(wanted) = Url::parse(redirect_uri) else { return false };
    let kept = wanted.query_pairs().all(|pair| url.query_pairs().any(|other| other == pair));
    kept && place(url) == place(&wanted)
}

fn place(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// The error of an answer to a request that must not succeed.
pub(crate) fn error_of<'a>(
    context: &Context<'_>,
    client: &Client,
    request: &Request,
    answer: &'a Answer,
    errors: &[&str],
) -> Verdict<&'a str> {
    returned(context, client, request, answer)?;
    let parameters: Vec<_> = answer.parameters.keys().collect();
    let error = answer.get("error").needed(&format!("an error; there are {parameters:?}"))?;
    ensure(errors.contains(&error), format!("the error {error} is none of {errors:?}"))?;
    let given = ["code", "id_token", "access_token"].into_iter().find(|name| answer.get(name).is_some());
    ensure(given.is_none(), format!("an error comes with {given:?}"))?;
    Ok(error)
}

/// A request that must end at a page of the provider, and never back at the relying party.
pub(crate) async fn ends_at_page(context: &Context<'_>, visit: Visit) -> Verdict<Page> {
    match walk(context, &context.browser(), visit).await?.end {
        Arrival::Page(page) => Ok(*page),
        Arrival::Back(answer) => Err(failed(format!("redirects to {}", place(&answer.url)))),
    }
}

/// The response to `prompt=none` without a session (OpenID Connect Core 3.1.2.6).
pub(crate) const NOT_SILENT: [&str; 4] =
    ["login_required", "interaction_required", "account_selection_required", "consent_required"];

/// Whether the browser's session is over: `prompt=none` fails.
pub(crate) async fn is_signed_out(context: &Context<'_>, browser: &Browser, client: &Client) -> Verdict {
    let request = Request::new(context, client).with("prompt", "none");
    let journey = walk(context, browser, request.visit(context)?).await?;
    match journey.end {
        Arrival::Back(answer) => error_of(context, client, &request, &answer, &NOT_SILENT).map(|_| ()),
        Arrival::Page(page) => Err(failed(format!("prompt=none shows {}", page.described()))),
    }
}
