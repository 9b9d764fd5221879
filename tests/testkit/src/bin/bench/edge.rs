//! The edge compared with its floor, in one run on one machine: `/verify` with a handler that does nothing, the reverse proxy
//! with nginx in front of the same backend, Envoy's `Check` with the bare echo.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use authn::BoxError;
use axum::Router;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proto::cs3::auth::provider::v1beta1::AuthenticateRequest;
use proto::cs3::auth::provider::v1beta1::provider_api_client::ProviderApiClient;
use proto::envoy::service::auth::v3::attribute_context::{HttpRequest, Request};
use proto::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use proto::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use testkit::free_address;
use tonic::transport::Channel;

use crate::family::Family;
use crate::http::{Ask, Connection};
use crate::load::{Call, Callers};
use crate::report::{self, Series};
use crate::server::Server;

const LOGIN: &str = "bench";
const PASSWORD: &str = "0123456789-horses-and-staples";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Callers at the same time; over HTTP each has a connection.
    #[arg(long, default_value_t = 32)]
    callers: usize,
    /// Connections of gRPC that the callers share.
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Rounds: in each, every row is measured once.
    #[arg(long, default_value_t = 21)]
    rounds: usize,
    /// Milliseconds of measuring, for each row in each round; a fifth of it comes before, to warm up.
    #[arg(long, default_value_t = 400)]
    milliseconds: u64,
}

/// Answers two letters, until the process is ended.
pub(crate) async fn bare(address: SocketAddr) -> Result<(), BoxError> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    Ok(axum::serve(listener, Router::new().fallback(async || "ok")).await?)
}

/// What is called over one protocol, and what was measured of it.
struct Row<'a, C> {
    callers: Callers<'a, C>,
    call: Call<C>,
    series: Series,
}

/// Measures everything and prints the tables.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), BoxError> {
    let (backend, folders) = (start_bare()?, [tempfile::tempdir()?, tempfile::tempdir()?]);
    let same = nginx(folders[0].path(), &backend.address, SAME_HEADERS)?;
    let plain = nginx(folders[1].path(), &backend.address, "")?;
    let measured = run_beside(arguments, &backend, [&same, &plain]).await;
    // it ends its workers only on a signal
    same.stop()?;
    plain.stop()?;
    measured
}

async fn run_beside(arguments: &Arguments, backend: &Server, nginx: [&Server; 2]) -> Result<(), BoxError> {
    let (bare, echo) = (start_bare()?, Server::echo()?);
    let mut family = Family::new()?;
    std::fs::write(family.routes(), routes(&backend.address))?;
    let server = family.start()?;
    family.add_user(LOGIN, PASSWORD)?;
    let token = family.app_token(LOGIN)?;
    let authorization: Arc<str> = format!("Basic {}", STANDARD.encode(format!("{LOGIN}:{token}"))).into();

    let [edge, check] = family.edge.clone();
    let row = |name: &str, server, address: &str, ask: Ask| {
        let connections = (0..arguments.callers).map(|_| Connection::to(address)).collect();
        Row { callers: Callers::over(server, &[], connections), call: asking(ask), series: Series::new(name) }
    };
    let signed = |path: &str| Ask { authorization: Some(authorization.clone()), ..Ask::get(path) };
    let values = ["/a?b=c", "GET", "cloud.example", "https"];
    let names = ["x-original-uri", "x-original-method", "x-original-host", "x-original-proto"];
    // the very same request for both
    let verify = Ask { headers: names.into_iter().zip(values).collect(), ..signed("/verify") };
    let mut http = [
        row("bare axum handler", &bare, &bare.address, verify.clone()),
        row("/verify, warm app token", &server, &edge, verify),
        row("nginx proxy_pass, the same headers", nginx[0], &nginx[0].address, signed("/a?b=c")),
        row("nginx proxy_pass, three headers less", nginx[1], &nginx[1].address, signed("/a?b=c")),
        row("reverse proxy, public", &server, &edge, Ask::get("/pub/a?b=c")),
        row("reverse proxy, warm app token", &server, &edge, signed("/a?b=c")),
    ];
    let mut grpc = [
        Row {
            callers: Callers::connect(&echo, arguments.callers, arguments.connections).await?,
            call: echoing(),
            series: Series::new("bare tonic echo"),
        },
        Row {
            callers: Callers::connect_to(&server, &check, arguments.callers, arguments.connections).await?,
            call: checking(&authorization),
            series: Series::new("Check, warm app token"),
        },
    ];
    for round in 0..arguments.rounds {
        measure(&mut http, round, arguments).await?;
        measure(&mut grpc, round, arguments).await?;
    }
    let [bare_row, verify, same, plain, public, signed] = &http.map(|row| row.series);
    let [echo_row, check] = &grpc.map(|row| row.series);
    report::line(&format!(
        "{} callers, {} rounds of {} ms",
        arguments.callers, arguments.rounds, arguments.milliseconds
    ))?;
    report::table("forward-auth and a bare handler", bare_row, &[verify])?;
    report::table(
        "the reverse proxy and nginx (whose workers' CPU time is not seen), the same backend",
        same,
        &[plain, public, signed],
    )?;
    report::table("external authorization and the echo", echo_row, &[check])?;
    server.stop()?;
    let failures: u64 =
        [bare_row, verify, same, plain, public, signed, echo_row, check].iter().map(|row| row.failures()).sum();
    if failures == 0 { Ok(()) } else { Err(format!("{failures} calls failed").into()) }
}

async fn measure<C: Clone + Send + 'static>(
    rows: &mut [Row<'_, C>],
    round: usize,
    arguments: &Arguments,
) -> Result<(), BoxError> {
    // another one is first in each round
    for place in 0..rows.len() {
        let at = (place + round) % rows.len();
        let Row { callers, call, series } = &mut rows[at];
        series.add(callers.keep_calling(call, Duration::from_millis(arguments.milliseconds)).await?)?;
    }
    Ok(())
}

fn start_bare() -> Result<Server, BoxError> {
    let address = free_address().to_string();
    Server::launch(Command::new(std::env::current_exe()?).args(["bare", &address]), address)
}

fn routes(backend: &str) -> String {
    format!("routes: [{{ path: /, backend: 'http://{backend}' }}]\naccess: [{{ path: /pub, action: allow }}]\n")
}

/// The headers that the edge adds for backends and clients, in addition to `X-Forwarded-For`.
const SAME_HEADERS: &str = "proxy_set_header X-Forwarded-Host $host;\n proxy_set_header X-Forwarded-Proto $scheme;\n \
    proxy_set_header X-Request-ID $request_id;\n add_header X-Request-ID $request_id;\n";

/// nginx as one would set it up to be quick: a worker a core, kept connections, no log.
fn nginx(folder: &std::path::Path, backend: &str, headers: &str) -> Result<Server, BoxError> {
    let (address, file) = (free_address().to_string(), folder.join("nginx.conf"));
    let text = format!(
        "worker_processes auto;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{ worker_connections 1024; }}\n\
         http {{\n access_log off;\n upstream backend {{ server {backend}; keepalive 64; }}\n server {{\n listen {address};\n \
         location / {{\n proxy_pass http://backend;\n proxy_http_version 1.1;\n proxy_set_header Connection \"\";\n \
         proxy_set_header Host $host;\n proxy_set_header X-Forwarded-For $remote_addr;\n {headers} }}\n }}\n}}\n",
        folder = folder.display(),
    );
    std::fs::write(&file, text)?;
    let mut command = Command::new("nginx");
    Server::launch(command.arg("-p").arg(folder).arg("-c").arg(&file).args(["-g", "daemon off;"]), address)
        .map_err(|error| format!("nginx, of the Debian package nginx-light: {error}").into())
}

fn asking(ask: Ask) -> Call<Connection> {
    Arc::new(move |connection, _| {
        let ask = ask.clone();
        Box::pin(async move { connection.ask(ask).await.is_ok_and(|reply| reply.status.is_success()) })
    })
}

fn echoing() -> Call<Channel> {
    Arc::new(|channel, _| {
        let (client_id, client_secret) = (LOGIN.to_owned(), PASSWORD.to_owned());
        let request = AuthenticateRequest { client_id, client_secret, ..AuthenticateRequest::default() };
        Box::pin(async move { ProviderApiClient::new(channel).authenticate(request).await.is_ok() })
    })
}

fn checking(authorization: &str) -> Call<Channel> {
    let headers = [("authorization", authorization), ("user-agent", "bench"), (":authority", "cloud.example")];
    let http = HttpRequest {
        method: "GET".to_owned(),
        path: "/a?b=c".to_owned(),
        host: "cloud.example".to_owned(),
        scheme: "https".to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..HttpRequest::default()
    };
    let attributes = AttributeContext { request: Some(Request { http: Some(http) }), ..AttributeContext::default() };
    let request = CheckRequest { attributes: Some(attributes) };
    Arc::new(move |channel, _| {
        let request = request.clone();
        Box::pin(async move {
            let answer = AuthorizationClient::new(channel).check(request).await;
            answer.is_ok_and(|answer| answer.into_inner().status.is_some_and(|status| status.code == 0))
        })
    })
}
