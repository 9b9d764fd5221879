//! Two replicas of auth-app with one database, and the directory that both ask.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use authn::{BoxError, role};
use doorward::ServiceId;
use proto::cs3::auth::provider::v1beta1::AuthenticateRequest;
use proto::cs3::auth::provider::v1beta1::provider_api_client::ProviderApiClient;
use status::Kind;
use testkit::Layout;
use tonic::transport::{Channel, Endpoint};
use uuid::Uuid;

use crate::call::Credential;
use crate::family::{JWT_SECRET, TOKEN_KEY};
use crate::rolling::process::Process;
use crate::tokens::{self, Owner};
use crate::users;

/// The addresses of the machines of the replicas.
pub(super) const MACHINES: [&str; 2] = ["127.0.0.1", "127.0.0.2"];
/// How many tokens a user has.
const OF_ONE_USER: usize = 100;
/// The metric whose series count the statements.
const STATEMENTS: &str = "doorward_database_statement_duration_seconds_count";
/// That of lookups in caches.
const LOOKUPS: &str = "doorward_cache_lookups_total";

/// The processes.
pub(super) struct Replicas {
    layout: Layout,
    programs: PathBuf,
    http: reqwest::Client,
    directory: Process,
    running: Vec<Replica>,
    /// The tokens in the database.
    pub(super) credentials: Arc<Vec<Credential>>,
}

/// A replica of auth-app.
struct Replica {
    process: Process,
    channel: Channel,
    /// The URL of its metrics.
    metrics: String,
}

/// What the replicas have counted together.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Counts {
    /// Tokens that were in the cache.
    pub(super) hits: f64,
    /// Tokens that were not.
    pub(super) misses: f64,
    /// Reads of the database.
    pub(super) selects: f64,
}

impl Replicas {
    /// Fills the database with so many tokens, and adds their owners to the directory. The replicas do not run yet.
    pub(super) async fn prepare(database: &str, count: usize) -> Result<Self, BoxError> {
        let mut layout = Layout::new("simulate-check", false);
        for (name, value) in [
            ("OCIS_DATABASE_URL", database),
            ("OCIS_LOG_LEVEL", "warn"),
            ("OCIS_JWT_SECRET", JWT_SECRET),
            ("AUTH_APP_TOKEN_KEY", TOKEN_KEY),
        ] {
            layout.set(name, value);
        }
        let own = std::env::current_exe()?;
        let programs = own.parent().ok_or("the load tool is in a folder")?.to_owned();
        let owner = |place| Owner { id: Uuid::from_u64_pair(1, place as u64), login: format!("owner-{place}") };
        let owners: Vec<_> = (0..count.div_ceil(OF_ONE_USER)).map(owner).collect();
        let credentials = Arc::new(tokens::fill_for(database, &owners, count).await?);
        let http = reqwest::Client::builder().no_proxy().build()?;
        let directory = start(ServiceId::Users, layout.variables(), &programs, &http).await?;
        users::add(&layout.address(ServiceId::Users).to_string(), role::USER, owners.iter()).await?;
        Ok(Self { layout, programs, http, directory, running: Vec::new(), credentials })
    }

    /// Starts the replicas, with so many MiB for tokens; those that run are stopped before.
    pub(super) async fn restart(&mut self, mib: u32) -> Result<(), BoxError> {
        self.stop_replicas().await?;
        for machine in MACHINES {
            let variables = self.variables(machine, mib);
            let process = start(ServiceId::AuthApp, &variables, &self.programs, &self.http).await?;
            let address = |name: &str| variables.get(name).ok_or_else(|| format!("{name} is not set"));
            let endpoint = Endpoint::from_shared(format!("http://{}", address("AUTH_APP_GRPC_ADDR")?))?;
            let channel = endpoint.tcp_nodelay(true).connect().await?;
            let metrics = format!("http://{}/metrics", address("AUTH_APP_DEBUG_ADDR")?);
            self.running.push(Replica { process, channel, metrics });
        }
        Ok(())
    }

    /// Stops everything.
    pub(super) async fn stop(mut self) -> Result<(), BoxError> {
        self.stop_replicas().await?;
        self.directory.stop().await
    }

    async fn stop_replicas(&mut self) -> Result<(), BoxError> {
        for replica in self.running.drain(..) {
            replica.process.stop().await?;
        }
        Ok(())
    }

    /// The environment of a replica: its listeners are at the address of its machine, and it has a data folder of its own.
    fn variables(&self, machine: &str, mib: u32) -> BTreeMap<String, String> {
        let mut variables = self.layout.variables().clone();
        for (name, value) in &mut variables {
            if name.ends_with("_ADDR") {
                *value = value.replace(MACHINES[0], machine);
            }
        }
        let data = self.layout.folder().join(format!("data-{machine}"));
        variables.insert("OCIS_BASE_DATA_PATH".to_owned(), data.display().to_string());
        variables.insert("AUTH_APP_CACHE_SIZE".to_owned(), mib.to_string());
        variables
    }

    /// A channel to each replica.
    pub(super) fn channels(&self) -> Vec<Channel> {
        self.running.iter().map(|replica| replica.channel.clone()).collect()
    }

    /// What they have counted so far.
    pub(super) async fn counts(&self) -> Result<Counts, BoxError> {
        let mut counts = Counts::default();
        for replica in &self.running {
            let answer = self.http.get(&replica.metrics).send().await?.error_for_status()?;
            counts.add(&answer.text().await?);
        }
        Ok(counts)
    }
}

impl Counts {
    /// Adds those of the metrics of a replica.
    fn add(&mut self, text: &str) {
        self.hits += sum(text, LOOKUPS, &[r#"cache="app_tokens""#, r#"outcome="hit""#]);
        self.misses += sum(text, LOOKUPS, &[r#"cache="app_tokens""#, r#"outcome="miss""#]);
        self.selects += sum(text, STATEMENTS, &[r#"operation="SELECT""#]);
    }

    /// What was counted since then.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        Self {
            hits: self.hits - earlier.hits,
            misses: self.misses - earlier.misses,
            selects: self.selects - earlier.selects,
        }
    }
}

/// The sum of the series of a metric that have these labels.
fn sum(text: &str, metric: &str, wanted: &[&str]) -> f64 {
    let series = text.lines().filter_map(|line| line.strip_prefix(metric)?.strip_prefix('{')?.split_once("} "));
    let has_labels = |labels: &str| wanted.iter().all(|wanted| labels.split(',').any(|label| label == *wanted));
    let values = series.filter(|&(labels, _)| has_labels(labels)).filter_map(|(_, value)| value.split(' ').next());
    values.filter_map(|value| value.parse::<f64>().ok()).sum()
}

/// Starts a service, and waits until it is ready.
async fn start(
    service: ServiceId,
    variables: &BTreeMap<String, String>,
    programs: &Path,
    http: &reqwest::Client,
) -> Result<Process, BoxError> {
    let name = format!("{}_DEBUG_ADDR", service.identity().prefix);
    let debug: SocketAddr = variables.get(&name).ok_or_else(|| format!("{name} is not set"))?.parse()?;
    let mut process = Process::start(&programs.join(service.name()), variables)?;
    let ready = process.wait_until_ready(http, debug).await;
    ready.map_err(|error| format!("{}: {error}", service.name()))?;
    Ok(process)
}

/// Authenticates by an app token at a replica: whether it is accepted.
pub(super) async fn accepts(channel: Channel, (login, secret): &Credential) -> Result<bool, BoxError> {
    let request = AuthenticateRequest {
        client_id: login.clone(),
        client_secret: secret.clone(),
        ..AuthenticateRequest::default()
    };
    let status = ProviderApiClient::new(channel).authenticate(request).await?.into_inner().status;
    match status.as_ref().map(|status| Kind::from_cs3(status.code)) {
        Some(None) => Ok(true),
        Some(Some(Kind::Unauthenticated)) => Ok(false),
        Some(Some(_)) | None => Err(format!("{status:?}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_app_tokens_and_reads() {
        let text = "doorward_cache_lookups_total{cache=\"app_tokens\",outcome=\"hit\"} 5\n\
                    doorward_cache_lookups_total{cache=\"app_tokens\",outcome=\"miss\"} 2\n\
                    doorward_cache_lookups_total{cache=\"users\",outcome=\"hit\"} 100\n\
                    doorward_database_statement_duration_seconds_count{operation=\"SELECT\"} 7\n\
                    doorward_database_statement_duration_seconds_count{operation=\"UPDATE\"} 100\n";
        let mut counts = Counts::default();
        counts.add(text);
        counts.add(text);
        assert_eq!(counts, Counts { hits: 10.0, misses: 4.0, selects: 14.0 });
        assert_eq!(counts.since(&counts), Counts::default());
    }
}
