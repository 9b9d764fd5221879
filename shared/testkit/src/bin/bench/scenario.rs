//! What is measured, in which order.

use std::{pin::Pin, sync::Arc, time::Instant};

use authn::BoxError;
use proto::cs3::{
    auth::{
        applications::v1beta1::GenerateAppPasswordRequest,
        provider::v1beta1::{AuthenticateRequest as ProviderRequest, provider_api_client::ProviderApiClient},
    },
    gateway::v1beta1::{AuthenticateRequest, WhoAmIRequest, gateway_api_client::GatewayApiClient},
};
use tonic::{Request, transport::Channel};

use crate::{
    Arguments, load,
    report::{self, Series},
    server::{Family, MACHINE_KEY, SERVICE_ACCOUNT, SERVICE_SECRET, Server},
};

const PASSWORD: &str = "a password of the load tool";
/// People who sign in with passwords, one for each of the usual callers: equal attempts at the same time share one hash,
/// and attempts at one account are bounded.
const CROWD: usize = 64;

/// A call that is made again and again: over this connection, for the n-th time.
type Call = Arc<dyn Fn(Channel, usize) -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// Measures everything and prints the table.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), BoxError> {
    let echo = Server::echo()?;
    let family = Family::start()?;
    let (_, idle) = family.server.memory_mib()?;
    for login in people(arguments) {
        family.add_person(&login, PASSWORD)?;
    }
    let bench = Bench {
        arguments,
        family: &family,
        channels: channels(arguments, &family.server).await?,
        echo_channels: channels(arguments, &echo).await?,
        echo: &echo,
    };
    bench.calls().await?;
    bench.passwords().await?;
    let (peak, _) = family.server.memory_mib()?;
    report::line(&format!(
        "\nready after {} ms; memory of the one process: {idle} MiB idle, {peak} MiB at most",
        family.start.as_millis()
    ))?;
    Ok(())
}

fn owner(tokens: usize) -> String {
    format!("owner-of-{tokens}")
}

fn people(arguments: &Arguments) -> Vec<String> {
    let owners = arguments.tokens.iter().map(|&count| owner(count));
    let crowd = (0..CROWD).map(of_the_crowd);
    ["einstein".to_owned(), "victim".to_owned()].into_iter().chain(owners).chain(crowd).collect()
}

fn of_the_crowd(number: usize) -> String {
    format!("person-{number}")
}

fn credential(client_id: &str, secret: &str) -> (String, String) {
    (client_id.to_owned(), secret.to_owned())
}

async fn channels(arguments: &Arguments, server: &Server) -> Result<Vec<Channel>, BoxError> {
    load::connect(&server.address, arguments.connections).await
}

struct Bench<'a> {
    arguments: &'a Arguments,
    family: &'a Family,
    channels: Vec<Channel>,
    echo: &'a Server,
    echo_channels: Vec<Channel>,
}

impl Bench<'_> {
    /// Everything that costs no hash, in rounds.
    async fn calls(&self) -> Result<(), BoxError> {
        let account = credential(SERVICE_ACCOUNT, SERVICE_SECRET);
        let mut calls = vec![
            ("Authenticate machine".to_owned(), gateway("machine", vec![credential("einstein", MACHINE_KEY)])),
            ("Authenticate serviceaccounts".to_owned(), gateway("serviceaccounts", vec![account])),
            ("WhoAmI".to_owned(), self.who_am_i().await?),
        ];
        for &count in &self.arguments.tokens {
            let login = owner(count);
            let tokens = self.make_tokens(&login, count).await?;
            let credentials: Vec<_> = tokens.into_iter().map(|token| credential(&login, &token)).collect();
            let cold = self.first_use(&credentials).await?;
            report::line(&format!("first use of {count} app tokens: {cold:.0} a second"))?;
            calls.push((format!("Authenticate appauth, {count} tokens"), gateway("appauth", credentials)));
        }
        let (mut floor, mut rows) = (Series::default(), Vec::new());
        rows.resize_with(calls.len(), Series::default);
        for _ in 0..self.arguments.rounds {
            self.round(self.echo, &self.echo_channels, &echo_call(), &mut floor).await?;
            for ((_, call), row) in calls.iter().zip(&mut rows) {
                self.round(&self.family.server, &self.channels, call, row).await?;
            }
        }
        report::head(self.arguments.callers, self.arguments.rounds)?;
        report::row("bare tonic echo", &floor, floor.rate())?;
        for ((name, _), row) in calls.iter().zip(&rows) {
            report::row(name, row, floor.rate())?;
        }
        Ok(())
    }

    /// Measures a call once.
    async fn round(
        &self,
        server: &Server,
        channels: &[Channel],
        call: &Call,
        series: &mut Series,
    ) -> Result<(), BoxError> {
        let mut before = Ok(0.0);
        let (callers, duration) = (self.arguments.callers, self.arguments.duration());
        let call = call.clone();
        let started = || before = server.cpu_ms();
        let measured =
            load::drive(channels, callers, duration, started, move |channel, number| call(channel, number)).await?;
        series.add(measured, server.cpu_ms()? - before?)
    }

    async fn who_am_i(&self) -> Result<Call, BoxError> {
        let token =
            authenticate(self.channels[0].clone(), "machine", "einstein".to_owned(), MACHINE_KEY.to_owned()).await?;
        Ok(Arc::new(move |channel, _| {
            let request = WhoAmIRequest { token: token.clone(), ..WhoAmIRequest::default() };
            Box::pin(async {
                let answer = GatewayApiClient::new(channel).who_am_i(request).await;
                answer.is_ok_and(|answer| is_ok(answer.get_ref().status.as_ref()))
            })
        }))
    }

    /// Uses every credential once, as many at a time as there are callers; returns how many a second. What comes later
    /// finds them remembered.
    #[expect(clippy::cast_precision_loss, reason = "counts of tokens are far below 2^52")]
    async fn first_use(&self, credentials: &[(String, String)]) -> Result<f64, BoxError> {
        let start = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        let callers = self.arguments.callers;
        for caller in 0..callers.min(credentials.len()) {
            let channel = self.channels[caller % self.channels.len()].clone();
            let share: Vec<_> = credentials.iter().skip(caller).step_by(callers).cloned().collect();
            tasks.spawn(async move {
                for (client_id, client_secret) in share {
                    authenticate(channel.clone(), "appauth", client_id, client_secret).await?;
                }
                Ok::<_, BoxError>(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        Ok(credentials.len() as f64 / start.elapsed().as_secs_f64())
    }

    /// Makes app tokens of one person, several at a time.
    async fn make_tokens(&self, login: &str, count: usize) -> Result<Vec<String>, BoxError> {
        let access =
            authenticate(self.channels[0].clone(), "machine", login.to_owned(), MACHINE_KEY.to_owned()).await?;
        let mut tasks = tokio::task::JoinSet::new();
        for lane in 0..self.channels.len() {
            let (channel, access) = (self.channels[lane].clone(), access.clone());
            let share = count / self.channels.len() + usize::from(lane < count % self.channels.len());
            tasks.spawn(async move {
                let mut made = Vec::with_capacity(share);
                for _ in 0..share {
                    let mut request = Request::new(GenerateAppPasswordRequest {
                        label: "bench".to_owned(),
                        token_scope: (&authn::Scopes::full_user()).into(),
                        ..GenerateAppPasswordRequest::default()
                    });
                    request.metadata_mut().insert("x-access-token", access.parse()?);
                    let answer =
                        GatewayApiClient::new(channel.clone()).generate_app_password(request).await?.into_inner();
                    let failed = || format!("no app token: {:?}", answer.status);
                    made.push(answer.app_password.as_ref().ok_or_else(failed)?.password.clone());
                }
                Ok::<_, BoxError>(made)
            });
        }
        let mut tokens = Vec::with_capacity(count);
        while let Some(made) = tasks.join_next().await {
            tokens.extend(made??);
        }
        Ok(tokens)
    }

    /// Passwords against argon2 alone, and what a hammered account costs everybody else.
    async fn passwords(&self) -> Result<(), BoxError> {
        let crowd = (0..CROWD).map(|number| credential(&of_the_crowd(number), PASSWORD)).collect();
        let call = gateway("basic", crowd);
        let (mut alone, mut row) = (Vec::new(), Series::default());
        for _ in 0..self.arguments.rounds {
            alone.push(argon2_alone(2 * self.arguments.seconds));
            // A hash takes long: twice the time, so that what is under way at the edges counts for little.
            for _ in 0..2 {
                self.round(&self.family.server, &self.channels, &call, &mut row).await?;
            }
        }
        let alone = report::median(&alone);
        report::line(&format!(
            "\npasswords: {:.1} a second; argon2id alone, on every core: {alone:.1} a second; the ratio is {:.2}",
            row.rate(),
            row.rate() / alone
        ))?;

        let one = self.channels[0].clone();
        let quiet = median_login(&one).await?;
        let hammer: Vec<_> = (0..4)
            .map(|caller| {
                let channel = self.channels[caller % self.channels.len()].clone();
                tokio::spawn(async move {
                    loop {
                        let _ = authenticate(channel.clone(), "basic", "victim".to_owned(), "wrong".to_owned()).await;
                    }
                })
            })
            .collect();
        let hammered = median_login(&one).await?;
        hammer.iter().for_each(tokio::task::JoinHandle::abort);
        report::line(&format!(
            "a login takes {quiet:.1} ms, and {hammered:.1} ms while four callers hammer another account"
        ))?;
        Ok(())
    }
}

/// `Authenticate` of a type, the credentials in turn.
fn gateway(kind: &'static str, credentials: Vec<(String, String)>) -> Call {
    Arc::new(move |channel, number| {
        let (client_id, client_secret) = credentials[number % credentials.len()].clone();
        Box::pin(async move { authenticate(channel, kind, client_id, client_secret).await.is_ok() })
    })
}

fn echo_call() -> Call {
    Arc::new(|channel, _| {
        let (client_id, client_secret) = credential("einstein", MACHINE_KEY);
        let request = ProviderRequest { client_id, client_secret, ..ProviderRequest::default() };
        Box::pin(async { ProviderApiClient::new(channel).authenticate(request).await.is_ok() })
    })
}

/// The median of logins whose passwords have to be hashed, in milliseconds.
async fn median_login(channel: &Channel) -> Result<f64, BoxError> {
    let mut took = Vec::new();
    for _ in 0..15 {
        let start = Instant::now();
        authenticate(channel.clone(), "basic", "einstein".to_owned(), PASSWORD.to_owned()).await?;
        took.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(report::median(&took))
}

/// Hashes a second that the machine manages when it does nothing else, not even ask for memory.
fn argon2_alone(seconds: u64) -> f64 {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let start = Instant::now();
    let hash = move || {
        let argon2 = argon2::Argon2::default();
        let mut memory = vec![argon2::Block::default(); argon2.params().block_count()];
        let (mut count, mut output) = (0_u32, [0; 32]);
        while start.elapsed().as_secs() < seconds {
            if argon2.hash_password_into_with_memory(PASSWORD.as_bytes(), &[7; 16], &mut output, &mut memory).is_ok() {
                count += 1;
            }
        }
        count
    };
    let counts: Vec<_> = (0..threads).map(|_| std::thread::spawn(hash)).collect();
    let total: u32 = counts.into_iter().map(|thread| thread.join().unwrap_or(0)).sum();
    f64::from(total) / start.elapsed().as_secs_f64()
}

fn is_ok(status: Option<&proto::cs3::rpc::v1beta1::Status>) -> bool {
    status.is_some_and(|status| status::Kind::from_cs3(status.code).is_none())
}

async fn authenticate(
    channel: Channel,
    kind: &str,
    client_id: String,
    client_secret: String,
) -> Result<String, BoxError> {
    let request =
        AuthenticateRequest { r#type: kind.to_owned(), client_id, client_secret, ..AuthenticateRequest::default() };
    let answer = GatewayApiClient::new(channel).authenticate(request).await?.into_inner();
    if is_ok(answer.status.as_ref()) { Ok(answer.token) } else { Err(format!("refused: {:?}", answer.status).into()) }
}
