//! The calls that are measured.

use std::sync::Arc;

use auth_app::token;
use authn::BoxError;
use proto::cs3::{
    auth::{
        applications::v1beta1::{GenerateAppPasswordRequest, InvalidateAppPasswordRequest, ListAppPasswordsRequest},
        provider::v1beta1::{AuthenticateRequest as ProviderRequest, provider_api_client::ProviderApiClient},
    },
    gateway::v1beta1::{
        AuthenticateRequest, AuthenticateResponse, WhoAmIRequest, gateway_api_client::GatewayApiClient,
    },
};
use runtime::Random;
use secrecy::ExposeSecret;
use status::Kind;
use testkit::is_ok;
use tonic::{Request, transport::Channel};

use crate::{family::MACHINE_KEY, load::Call};

/// A client id and its secret.
pub(crate) type Credential = (String, String);

/// Junk that a client sends as an app token.
#[derive(Clone, Copy)]
pub(crate) enum Junk {
    /// The checksum is wrong.
    Malformed,
    /// It has the form of a token and the right checksum, but was never issued.
    Forged,
}

/// A pair of both.
pub(crate) fn credential(client_id: &str, secret: &str) -> Credential {
    (client_id.to_owned(), secret.to_owned())
}

/// `Authenticate` of a type, the credentials in turn.
pub(crate) fn gateway(kind: &'static str, credentials: Vec<Credential>) -> Call {
    Arc::new(move |channel, number| {
        let (client_id, client_secret) = credentials[number % credentials.len()].clone();
        Box::pin(async move { authenticate(channel, kind, client_id, client_secret).await.is_ok() })
    })
}

/// `Authenticate` with junk, another at each call, which has to be refused: what was refused lately may be remembered.
pub(crate) fn junk(login: &str, junk: Junk) -> Call {
    let (login, random) = (login.to_owned(), Random::system());
    Arc::new(move |channel, _| {
        let (login, mut secret) = (login.clone(), token::generate(&random).expose_secret().to_owned());
        if matches!(junk, Junk::Malformed) {
            let last = secret.pop();
            secret.push(if last == Some('A') { 'B' } else { 'A' });
        }
        Box::pin(async move {
            let answer = ask(channel, "appauth", login, secret).await;
            let kind = answer.map(|answer| answer.status.and_then(|status| Kind::from_cs3(status.code)));
            matches!(kind, Ok(Some(Kind::Unauthenticated)))
        })
    })
}

/// The request to the echo.
pub(crate) fn echo() -> Call {
    Arc::new(|channel, _| {
        let (client_id, client_secret) = credential("einstein", MACHINE_KEY);
        let request = ProviderRequest { client_id, client_secret, ..ProviderRequest::default() };
        Box::pin(async { ProviderApiClient::new(channel).authenticate(request).await.is_ok() })
    })
}

/// `WhoAmI` with this token.
pub(crate) fn who_am_i(token: String) -> Call {
    Arc::new(move |channel, _| {
        let request = WhoAmIRequest { token: token.clone(), ..WhoAmIRequest::default() };
        Box::pin(async {
            let answer = GatewayApiClient::new(channel).who_am_i(request).await;
            answer.is_ok_and(|answer| is_ok(answer.get_ref().status.as_ref()))
        })
    })
}

/// The internal token for a credential.
pub(crate) async fn authenticate(
    channel: Channel,
    kind: &str,
    client_id: String,
    client_secret: String,
) -> Result<String, BoxError> {
    let answer = ask(channel, kind, client_id, client_secret).await?;
    if is_ok(answer.status.as_ref()) { Ok(answer.token) } else { Err(format!("refused: {:?}", answer.status).into()) }
}

async fn ask(
    channel: Channel,
    kind: &str,
    client_id: String,
    client_secret: String,
) -> Result<AuthenticateResponse, tonic::Status> {
    let request =
        AuthenticateRequest { r#type: kind.to_owned(), client_id, client_secret, ..AuthenticateRequest::default() };
    Ok(GatewayApiClient::new(channel).authenticate(request).await?.into_inner())
}

/// Creates an app token for the user with this internal token, and returns its secret.
pub(crate) async fn create_app_token(channel: Channel, jwt: &str) -> Result<String, BoxError> {
    let message = GenerateAppPasswordRequest {
        label: "bench".to_owned(),
        token_scope: (&authn::Scopes::full_user()).into(),
        ..GenerateAppPasswordRequest::default()
    };
    let answer = GatewayApiClient::new(channel).generate_app_password(signed(message, jwt)?).await?.into_inner();
    let created = answer.app_password.ok_or_else(|| format!("no app token: {:?}", answer.status))?;
    Ok(created.password)
}

/// Lists the app tokens of the user with this internal token, and returns how many they are.
pub(crate) async fn count_app_tokens(channel: Channel, jwt: &str) -> Result<usize, BoxError> {
    let request = signed(ListAppPasswordsRequest::default(), jwt)?;
    let answer = GatewayApiClient::new(channel).list_app_passwords(request).await?.into_inner();
    if is_ok(answer.status.as_ref()) {
        Ok(answer.app_passwords.len())
    } else {
        Err(format!("{:?}", answer.status).into())
    }
}

/// Revokes the app token with this secret, which belongs to the user with this internal token.
pub(crate) async fn revoke_app_token(channel: Channel, jwt: &str, secret: &str) -> Result<(), BoxError> {
    let message =
        InvalidateAppPasswordRequest { password: secret.to_owned(), ..InvalidateAppPasswordRequest::default() };
    let answer = GatewayApiClient::new(channel).invalidate_app_password(signed(message, jwt)?).await?;
    let status = answer.into_inner().status;
    if is_ok(status.as_ref()) { Ok(()) } else { Err(format!("{status:?}").into()) }
}

/// A request with an internal token.
fn signed<T>(message: T, jwt: &str) -> Result<Request<T>, BoxError> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(::token::METADATA_KEY, jwt.parse()?);
    Ok(request)
}
