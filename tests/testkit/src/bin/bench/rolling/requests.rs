//! The kinds of requests: every type of credential at the gateway and at the edge, and sign-ins.

use std::future::Future;
use std::pin::Pin;

use authn::{BoxError, Channel, Repeatable};
use axum::http::header::{AUTHORIZATION, COOKIE};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proto::cs3::auth::applications::v1beta1::GenerateAppPasswordRequest;
use proto::cs3::gateway::v1beta1::gateway_api_client::GatewayApiClient;
use proto::cs3::gateway::v1beta1::{AuthenticateRequest, WhoAmIRequest};
use reqwest::header::HeaderName;
use testkit::{Browser, SignIn, access_token, is_ok, note_secret, signed_in};
use tonic::Request;

use super::balancer::REPLICA;
use super::replicas::Replicas;

/// The page behind the edge.
const PAGE: &str = "/page";
/// The user whose credentials are used repeatedly, and the user who signs in.
const USER: &str = "einstein";
const OTHER_USER: &str = "marie";
const SERVICE_ACCOUNT: &str = "jobs";

type Answer = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// A kind of request.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) is_sign_in: bool,
    /// Sends one; an error if it is not answered as it should be.
    pub(super) send: Box<dyn Fn() -> Answer + Send + Sync>,
}

impl Kind {
    fn new<F>(name: &'static str, is_sign_in: bool, send: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        Self { name, is_sign_in, send: Box::new(move || Box::pin(send())) }
    }
}

/// All kinds, with credentials that are new.
pub(super) async fn all(replicas: &Replicas) -> Result<Vec<Kind>, BoxError> {
    let channel = replicas.gateway()?;
    let (url, layout) = (&*replicas.url, &replicas.layout);
    let (password, machine_key) = (&*layout.password, &*layout.machine_key);
    let by_machine = format!("username:{USER}");
    let jwt = authenticate(channel.clone(), "machine", &by_machine, machine_key).await?;
    let app_token = app_token(channel.clone(), &jwt).await?;
    let bearer = bearer_of(url.to_owned(), USER, password.to_owned()).await?;
    let session = session_of(url.to_owned(), USER, password.to_owned()).await?;

    let mut kinds: Vec<Kind> = [
        ("gateway: basic", "basic", USER, password),
        ("gateway: appauth", "appauth", USER, &*app_token),
        ("gateway: bearer", "bearer", "", &*bearer),
        ("gateway: serviceaccounts", "serviceaccounts", SERVICE_ACCOUNT, &*layout.service_secret),
    ]
    .into_iter()
    .map(|(name, kind, id, secret)| at_gateway(name, &channel, kind, id, secret))
    .collect();
    kinds.push(who_am_i(&channel, &by_machine, machine_key));

    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
    let basic = |secret: &str| format!("Basic {}", STANDARD.encode(format!("{USER}:{secret}")));
    kinds.extend(
        [
            ("edge: password", AUTHORIZATION, basic(password)),
            ("edge: app token", AUTHORIZATION, basic(&app_token)),
            ("edge: access token", AUTHORIZATION, format!("Bearer {bearer}")),
            ("edge: session", COOKIE, session),
        ]
        .map(|(name, header, value)| at_edge(name, &http, url, header, value)),
    );
    let (site, secret) = (url.to_owned(), password.to_owned());
    kinds.push(Kind::new("sign-in: access token", true, move || {
        let signing_in = bearer_of(site.clone(), OTHER_USER, secret.clone());
        async move { signing_in.await.map(drop) }
    }));
    let (site, secret) = (url.to_owned(), password.to_owned());
    kinds.push(Kind::new("sign-in: session", true, move || {
        let signing_in = session_of(site.clone(), OTHER_USER, secret.clone());
        async move { signing_in.await.map(drop) }
    }));
    Ok(kinds)
}

fn at_gateway(name: &'static str, channel: &Channel, kind: &'static str, id: &str, secret: &str) -> Kind {
    let (channel, id, secret) = (channel.clone(), id.to_owned(), secret.to_owned());
    Kind::new(name, false, move || {
        let (channel, id, secret) = (channel.clone(), id.clone(), secret.clone());
        async move { authenticate(channel, kind, &id, &secret).await.map(drop) }
    })
}

/// Uses the internal token at once: one of a former secret is refused.
fn who_am_i(channel: &Channel, id: &str, secret: &str) -> Kind {
    let (channel, id, secret) = (channel.clone(), id.to_owned(), secret.to_owned());
    Kind::new("gateway: machine, WhoAmI", false, move || {
        let (channel, id, secret) = (channel.clone(), id.clone(), secret.clone());
        async move {
            let token = authenticate(channel.clone(), "machine", &id, &secret).await?;
            let request = Repeatable::mark(Request::new(WhoAmIRequest { token, ..WhoAmIRequest::default() }));
            let status = GatewayApiClient::new(channel).who_am_i(request).await?.into_inner().status;
            if is_ok(status.as_ref()) { Ok(()) } else { Err(format!("{status:?}").into()) }
        }
    })
}

fn at_edge(name: &'static str, http: &reqwest::Client, url: &str, header: HeaderName, value: String) -> Kind {
    let (http, url) = (http.clone(), format!("{url}{PAGE}"));
    Kind::new(name, false, move || {
        let request = http.get(&url).header(header.clone(), &value);
        async move {
            let response = request.send().await?;
            let [replica, id] = [REPLICA, "x-request-id"].map(|name| response.headers().get(name).cloned());
            let origin = format!("replica {replica:?}, request {id:?}");
            let (status, text) = (response.status(), response.text().await?);
            if status.is_success() { Ok(()) } else { Err(format!("{status} of {origin}: {text}").into()) }
        }
    })
}

/// Marked as services mark it.
async fn authenticate(channel: Channel, kind: &str, id: &str, secret: &str) -> Result<String, BoxError> {
    let request = Repeatable::mark(Request::new(AuthenticateRequest {
        r#type: kind.to_owned(),
        client_id: id.to_owned(),
        client_secret: secret.to_owned(),
        ..AuthenticateRequest::default()
    }));
    let answer = GatewayApiClient::new(channel).authenticate(request).await?.into_inner();
    if is_ok(answer.status.as_ref()) { Ok(answer.token) } else { Err(format!("{:?}", answer.status).into()) }
}

async fn app_token(channel: Channel, jwt: &str) -> Result<String, BoxError> {
    let mut request = Request::new(GenerateAppPasswordRequest {
        label: "rolling".to_owned(),
        token_scope: (&authn::Scopes::full_user()).into(),
        ..GenerateAppPasswordRequest::default()
    });
    request.metadata_mut().insert(token::METADATA_KEY, jwt.parse()?);
    let answer = GatewayApiClient::new(channel).generate_app_password(request).await?.into_inner();
    let made = answer.app_password.ok_or_else(|| format!("no app token: {:?}", answer.status))?.password;
    note_secret(&made);
    Ok(made)
}

/// An access token by the code flow. In a task, because the browser of tests panics where it is not answered as it should be.
async fn bearer_of(url: String, user: &'static str, password: String) -> Result<String, BoxError> {
    let signing_in = tokio::spawn(async move {
        let redirect_uri = format!("{url}/oidc-callback.html");
        access_token(Browser::new(), (&url, &url), ("web", &redirect_uri), (user, &password)).await
    });
    signing_in.await.map_err(|error| panicked(error).into())
}

/// The cookies of a new session at the edge; in a task like [`bearer_of`].
async fn session_of(url: String, user: &'static str, password: String) -> Result<String, BoxError> {
    let signing_in = tokio::spawn(async move { signed_in(Browser::new(), &url, PAGE, (user, &password)).await });
    let browser = signing_in.await.map_err(panicked)?;
    let cookie = browser.cookie(SignIn::COOKIE).ok_or("the edge has set no cookie")?;
    Ok(format!("{}={cookie}", SignIn::COOKIE))
}

/// What a task has said.
fn panicked(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(_) => "the sign-in was not answered as it should be".to_owned(),
        },
        Err(error) => error.to_string(),
    }
}
