//! Verifies a token at its issuer: by introspection (RFC 7662), or by userinfo (`OpenID` Connect Core 5.3).

use std::sync::Arc;
use std::time::SystemTime;

use authn::Reason;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oidc::jose::UnverifiedJwt;
use outbound::issuer::cache::IssuerData;
use outbound::{IssuerResponse, Question};
use reqwest::header::HeaderValue;
use serde_json::{Map, Value};

use crate::access::Rules;
use crate::claims::Claims;
use crate::failure::Failure;
use crate::issuer::{Client, Issuer, Method};
use crate::jwt::check_claims;

#[cfg(test)]
mod tests;

/// The claims that the issuer returns for a token.
///
/// # Errors
/// Why it is refused, or that the issuer is unavailable.
pub(crate) async fn ask(issuer: &Issuer, token: &str, now: SystemTime) -> Result<Claims, Failure> {
    match issuer.settings.method {
        Method::Introspection => introspect(issuer, token, now).await,
        Method::UserInfo | Method::Jwt => user_info(issuer, token).await,
    }
}

async fn introspect(issuer: &Issuer, token: &str, now: SystemTime) -> Result<Claims, Failure> {
    let known = known(issuer).await?;
    let endpoint = known.metadata.introspection_endpoint.as_deref();
    let endpoint = endpoint.ok_or_else(|| Failure::unavailable("the issuer names no introspection endpoint"))?;
    let client = issuer.settings.client.as_ref();
    let client = client.ok_or_else(|| Failure::unavailable("there is no client for the introspection endpoint"))?;
    let mut form = vec![("token", token), ("token_type_hint", "access_token")];
    let basic = basic(client);
    if client.in_form {
        form.extend([("client_id", client.id.as_str()), ("client_secret", client.secret.expose())]);
    }
    let authorization = (!client.in_form).then_some(&basic);
    let question = Question { authorization, accept: "application/json", form: Some(&form) };
    let answer = issuer.keys.source().call(endpoint, &question).await;
    let answer = answer.map_err(|error| Failure::unavailable(format!("introspection: {error}")))?;
    if answer.status != 200 {
        // 401 too: the service's own credential was refused
        return Err(Failure::unavailable(format!("introspection answers {}", answer.status)));
    }
    introspected(&answer.body, &issuer.settings.rules, now)
}

/// Reads the answer of an introspection endpoint.
fn introspected(body: &[u8], rules: &Rules, now: SystemTime) -> Result<Claims, Failure> {
    let broken = || Failure::unavailable("the answer of introspection cannot be understood");
    let mut said: Map<String, Value> = serde_json::from_slice(body).map_err(|_| broken())?;
    match said.get("active") {
        Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => return Err(Reason::Unstated.into()),
        _ => return Err(broken()),
    }
    if !is_access_token(&said) {
        return Err(Reason::Malformed.into());
    }
    if said.get("iss").is_some_and(|iss| *iss != rules.issuer.as_str()) {
        return Err(Reason::ForeignToken.into());
    }
    check_claims(&said, rules, now)?;
    // the `username` of RFC 7662 is the `preferred_username` of OpenID Connect
    if let Some(name) = said.get("username").cloned() {
        said.entry("preferred_username").or_insert(name);
    }
    Ok(Claims::read(said)?)
}

/// Introspection may describe refresh tokens too. A token counts as an access token only if the response says so.
fn is_access_token(said: &Map<String, Value>) -> bool {
    let is = |name: &str, wanted: &str| {
        said.get(name).map(|value| value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(wanted)))
    };
    let words = [is("token_type", "Bearer"), is("typ", "Bearer"), is("token_use", "access_token")];
    !words.contains(&Some(false)) && words.contains(&Some(true))
}

/// The userinfo endpoint of the issuer.
///
/// # Errors
/// When the issuer's metadata is not available.
pub(crate) async fn user_info_endpoint(issuer: &Issuer) -> Result<Option<String>, Failure> {
    Ok(known(issuer).await?.metadata.userinfo_endpoint.clone())
}

/// The claims that the userinfo endpoint returns for the user of a token.
///
/// # Errors
/// Why the token is refused, or that the issuer does not say.
pub(crate) async fn user_info(issuer: &Issuer, token: &str) -> Result<Claims, Failure> {
    let known = known(issuer).await?;
    let endpoint = known.metadata.userinfo_endpoint.as_deref();
    let endpoint = endpoint.ok_or_else(|| Failure::unavailable("the issuer names no userinfo endpoint"))?;
    let mut bearer = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| Reason::Malformed)?;
    bearer.set_sensitive(true);
    let accept = "application/json, application/jwt;q=0.5";
    let question = Question { authorization: Some(&bearer), accept, form: None };
    let answer = issuer.keys.source().call(endpoint, &question).await;
    let answer = answer.map_err(|error| Failure::unavailable(format!("userinfo: {error}")))?;
    match answer.status {
        200 => read_response(issuer, &answer).await,
        400 | 401 | 403 => Err(Reason::Unstated.into()),
        other => Err(Failure::unavailable(format!("userinfo answers {other}"))),
    }
}

/// Reads the answer of a userinfo endpoint, which may be signed.
async fn read_response(issuer: &Issuer, answer: &IssuerResponse) -> Result<Claims, Failure> {
    let broken = || Failure::unavailable("the answer of userinfo cannot be understood");
    if answer.media_type != "application/jwt" {
        let said: Map<String, Value> = serde_json::from_slice(&answer.body).map_err(|_| broken())?;
        return read(said);
    }
    let text = std::str::from_utf8(&answer.body).map_err(|_| broken())?;
    let jwt = UnverifiedJwt::parse(text).map_err(|_| broken())?;
    issuer.keys.verify(&jwt).await?;
    if jwt.claims().get("iss").is_some_and(|iss| iss != issuer.name()) {
        return Err(Reason::ForeignToken.into());
    }
    read(jwt.into_claims())
}

fn read(mut said: Map<String, Value>) -> Result<Claims, Failure> {
    // `iat` and `exp` of a signed response are about the response, not about the token
    for name in ["iat", "exp"] {
        said.remove(name);
    }
    Ok(Claims::read(said)?)
}

async fn known(issuer: &Issuer) -> Result<Arc<IssuerData>, Failure> {
    issuer.keys.get().await.map_err(|_| Failure::unavailable("the issuer's endpoints are not known"))
}

/// RFC 6749 2.3.1: both are encoded as in a form before they are joined.
fn basic(client: &Client) -> HeaderValue {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(&client.id), encoded(client.secret.expose()));
    let text = format!("Basic {}", STANDARD.encode(pair));
    let mut value = HeaderValue::try_from(text).expect("base64 is a header's text");
    value.set_sensitive(true);
    value
}
