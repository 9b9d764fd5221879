//! The userinfo endpoint.

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::{
    context::Context,
    outcome::{Verdict, ensure},
    provider::{Call, Reply},
};

/// How the access token is shown (RFC 6750 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Get,
    PostHeader,
    PostBody,
}

/// Asks, whatever comes back.
pub(crate) async fn ask(context: &Context<'_>, access_token: &str, way: Way) -> Verdict<Reply> {
    let url = context.discovery.endpoint("userinfo_endpoint")?;
    let post = || Call::new(&context.http, Method::POST, url);
    let call = match way {
        Way::Get => Call::new(&context.http, Method::GET, url).bearer(Some(access_token)),
        Way::PostHeader => post().bearer(Some(access_token)),
        Way::PostBody => post().form(&[("access_token".to_owned(), access_token.to_owned())]),
    };
    call.send().await
}

/// The claims of the subject of the ID token (OpenID Connect Core 5.3.2).
pub(crate) async fn fetch(context: &Context<'_>, access_token: &str, subject: &str, way: Way) -> Verdict<Value> {
    let reply = ask(context, access_token, way).await?;
    ensure(reply.status == StatusCode::OK, format!("userinfo: {}", reply.described()))?;
    ensure(reply.is_a("application/json"), "userinfo is not application/json")?;
    let claims = reply.json();
    of_subject(&claims, subject)?;
    Ok(claims)
}

/// Whether userinfo has the subject of the ID token.
pub(crate) fn of_subject(claims: &Value, subject: &str) -> Verdict {
    let found = claims.get("sub").and_then(Value::as_str);
    ensure(found == Some(subject), format!("sub of userinfo is {found:?} instead of {subject:?}"))
}
