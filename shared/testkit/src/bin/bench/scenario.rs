//! What is measured, in which order.

use std::{sync::Arc, time::Instant};

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
    report::{self, Row},
    server::{Family, MACHINE_KEY, SERVICE_ACCOUNT, SERVICE_SECRET, Server},
};

const PASSWORD: &str = "a password of the load tool";
/// People who sign in with passwords, one for each of the usual callers: equal attempts at the same time share one hash,
/// and attempts at one account are bounded.
const CROWD: usize = 64;

/// Measures everything and prints the table.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), BoxError> {
    report::head(arguments.callers)?;
    let echo = Server::echo()?;
    let family = Family::start()?;
    let (_, idle) = family.server.memory_mib()?;
    for login in people(arguments) {
        family.add_person(&login, PASSWORD)?;
    }
    let echo = Echo { channels: channels(arguments, &echo).await?, server: &echo };
    let bench = Bench { arguments, family: &family, channels: channels(arguments, &family.server).await?, echo };
    bench.gateway_row("Authenticate machine", "machine", vec![credential("einstein", MACHINE_KEY)]).await?;
    let account = credential(SERVICE_ACCOUNT, SERVICE_SECRET);
    bench.gateway_row("Authenticate serviceaccounts", "serviceaccounts", vec![account]).await?;
    bench.who_am_i().await?;
    for &count in &arguments.tokens {
        let login = owner(count);
        let tokens = bench.make_tokens(&login, count).await?;
        let credentials: Vec<_> = tokens.into_iter().map(|token| credential(&login, &token)).collect();
        let cold = bench.first_use(&credentials).await?;
        bench.gateway_row(&format!("Authenticate appauth, {count} tokens"), "appauth", credentials).await?;
        report::line(&format!("| the first use of each of them | {cold:.0} | | | | | |"))?;
    }
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

/// The floor. It is measured again before each row, for what a machine does in a second changes from minute to minute.
struct Echo<'a> {
    server: &'a Server,
    channels: Vec<Channel>,
}

impl Echo<'_> {
    async fn measure(&self, arguments: &Arguments) -> Result<f64, BoxError> {
        let mut before = Ok(0.0);
        let started = || before = self.server.cpu_ms();
        let call = |channel, _| async {
            let request = ProviderRequest {
                client_id: "einstein".to_owned(),
                client_secret: MACHINE_KEY.to_owned(),
                ..ProviderRequest::default()
            };
            ProviderApiClient::new(channel).authenticate(request).await.is_ok()
        };
        let measured = load::drive(&self.channels, arguments.callers, arguments.duration(), started, call).await?;
        let row = Row { name: "bare tonic echo".to_owned(), cpu_ms: self.server.cpu_ms()? - before?, measured };
        report::row(&row, None)?;
        Ok(row.measured.rate())
    }
}

struct Bench<'a> {
    arguments: &'a Arguments,
    family: &'a Family,
    channels: Vec<Channel>,
    echo: Echo<'a>,
}

impl Bench<'_> {
    /// Measures `Authenticate` of a type, the credentials in turn.
    async fn gateway_row(
        &self,
        name: &str,
        kind: &'static str,
        credentials: Vec<(String, String)>,
    ) -> Result<Row, BoxError> {
        let credentials = Arc::new(credentials);
        self.row(name, move |channel, number| {
            let (client_id, client_secret) = credentials[number % credentials.len()].clone();
            async move { authenticate(channel, kind, client_id, client_secret).await.is_ok() }
        })
        .await
    }

    async fn row<F, C>(&self, name: &str, call: C) -> Result<Row, BoxError>
    where
        C: Fn(Channel, usize) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = bool> + Send,
    {
        let floor = self.echo.measure(self.arguments).await?;
        let mut before = Ok(0.0);
        let server = &self.family.server;
        let (callers, duration) = (self.arguments.callers, self.arguments.duration());
        let measured = load::drive(&self.channels, callers, duration, || before = server.cpu_ms(), call).await?;
        let row = Row { name: name.to_owned(), cpu_ms: server.cpu_ms()? - before?, measured };
        report::row(&row, Some(floor))?;
        Ok(row)
    }

    async fn who_am_i(&self) -> Result<(), BoxError> {
        let token =
            authenticate(self.channels[0].clone(), "machine", "einstein".to_owned(), MACHINE_KEY.to_owned()).await?;
        self.row("WhoAmI", move |channel, _| {
            let request = WhoAmIRequest { token: token.clone(), ..WhoAmIRequest::default() };
            async {
                GatewayApiClient::new(channel)
                    .who_am_i(request)
                    .await
                    .is_ok_and(|answer| is_ok(answer.get_ref().status.as_ref()))
            }
        })
        .await?;
        Ok(())
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
        let alone = argon2_alone(self.arguments.seconds);
        report::line(&format!("\nargon2id alone, on every core: {alone:.1} a second"))?;
        let crowd = (0..CROWD).map(|number| credential(&of_the_crowd(number), PASSWORD)).collect();
        let row = self.gateway_row("Authenticate basic", "basic", crowd).await?;
        report::line(&format!("passwords: {:.2} of argon2 alone", row.measured.rate() / alone))?;

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

/// The median of logins whose passwords have to be hashed, in milliseconds.
async fn median_login(channel: &Channel) -> Result<f64, BoxError> {
    let mut took = Vec::new();
    for _ in 0..15 {
        let start = Instant::now();
        authenticate(channel.clone(), "basic", "einstein".to_owned(), PASSWORD.to_owned()).await?;
        took.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    took.sort_by(f64::total_cmp);
    Ok(took[took.len() / 2])
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
