use authn::{BoxError, Caller, Scopes};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use proto::cs3::gateway::v1beta1::{AuthenticateRequest, gateway_api_client::GatewayApiClient};
use runtime::{Context, client};
use serde_json::json;
use status::Kind;
use tonic::Request;

use super::{json, say, secret};
use crate::{cli::Authenticate, services::Settings};

/// Runs `doorward authenticate`.
pub(crate) async fn run(arguments: Authenticate, settings: &Settings, context: &Context) -> Result<(), BoxError> {
    let secret = secret(&arguments.secret, "secret: ")?;
    let endpoint = settings.gateway_endpoint();
    let channel = client::channel(&endpoint, &settings.gateway.grpc_client_tls, context)?;
    let mut request = Request::new(AuthenticateRequest {
        r#type: arguments.kind,
        client_id: arguments.client_id,
        client_secret: secret.expose().to_owned(),
        ..AuthenticateRequest::default()
    });
    Caller { user_agent: "doorward".to_owned(), ..Caller::default() }.propagate(request.metadata_mut());
    let answer = GatewayApiClient::new(channel).authenticate(request).await;
    let answer = answer.map_err(|status| format!("the gateway at {endpoint}: {}", status.message()))?.into_inner();

    let status = answer.status.unwrap_or_default();
    if let Some(kind) = Kind::from_cs3(status.code) {
        return Err(format!("{kind:?}: {}", status.message).into());
    }
    let claims = claims(&answer.token)?;
    if arguments.output.json {
        let scopes: Vec<_> = scope_keys(&claims["scope"]).collect();
        return json(&json!({ "user": claims["user"], "scopes": scopes, "claims": claims, "token": answer.token }));
    }
    say(format_args!("user    {}", line(&claims["user"])))?;
    say(format_args!("scopes  {}", scopes(&claims["scope"])))?;
    say(format_args!("claims  {}", serde_json::to_string_pretty(&claims)?))?;
    say(format_args!("token   {}", answer.token))?;
    Ok(())
}

/// The claims of a token that the gateway has just minted: shown, not trusted.
fn claims(token: &str) -> Result<serde_json::Value, BoxError> {
    let payload = token.split('.').nth(1).ok_or("the gateway answered without a token")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?)
}

fn line(user: &serde_json::Value) -> String {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let (id, login, name) = (text(&user["id"]["opaque_id"]), text(&user["username"]), text(&user["display_name"]));
    [login, id, name].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
}

fn scopes(scopes: &serde_json::Value) -> String {
    scope_keys(scopes).collect::<Vec<_>>().join(", ")
}

/// The scopes of a token, without those that only mark how the user was authenticated.
fn scope_keys(scopes: &serde_json::Value) -> impl Iterator<Item = &str> {
    let keys = scopes.as_object().into_iter().flat_map(serde_json::Map::keys);
    keys.map(String::as_str).filter(|key| !Scopes::is_marker(key))
}
