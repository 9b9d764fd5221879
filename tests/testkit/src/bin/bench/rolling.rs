//! Two replicas of every service on PostgreSQL under a steady load, while they are restarted one after the other, replaced by those of
//! another version, and given other certificates and another secret of the internal token. No request may fail.

mod balancer;
mod changes;
mod failure;
mod files;
mod load;
mod namespace;
pub(crate) mod process;
mod progress;
mod replicas;
mod requests;
mod settings;
mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use authn::BoxError;
use store::testing::Cluster;

use self::changes::Scenario;
use self::load::Load;
use self::replicas::Replicas;
use crate::report;

/// For how long there is load before a change, and after it.
const MARGIN: Duration = Duration::from_secs(3);

/// What is done, and under how much load.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A folder with the programs of another version: the replicas are upgraded from it, and go back to it.
    #[arg(long)]
    previous: Option<PathBuf>,
    /// How often certificates are replaced, and how often the secret of the internal token.
    #[arg(long, default_value_t = 20)]
    swaps: u32,
    /// Requests of each kind in a second; sign-ins are a tenth of it.
    #[arg(long, default_value_t = 10)]
    rate: u32,
    /// Runs some scenarios only.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Scenario>,
    /// The database; given by the load tool to itself.
    #[arg(long, hide = true)]
    database: Option<String>,
}

/// Runs the scenarios, prints a row for each kind of request in each of them, and fails if a request failed.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), BoxError> {
    match &arguments.database {
        Some(database) => run_all(arguments, database).await,
        None => prepare().await,
    }
}

/// Starts PostgreSQL, and this program again where the name of the replicas has two addresses.
async fn prepare() -> Result<(), BoxError> {
    let cluster = Cluster::start().await.ok_or("there is no PostgreSQL")?;
    let database = cluster.fresh_database().await;
    namespace::run_again(&["--database", database.url()])
}

async fn run_all(arguments: &Arguments, database: &str) -> Result<(), BoxError> {
    let own = std::env::current_exe()?;
    let own = own.parent().ok_or("the load tool is in a folder")?;
    let programs = Programs { own, previous: arguments.previous.as_deref() };
    let mut replicas = Replicas::start(database, &programs).await?;
    let mut failed = 0;
    table::head()?;
    for scenario in Scenario::of(arguments.previous.is_some(), &arguments.only) {
        replicas.progress.begin("the time before the change");
        let load = Load::begin(&replicas, arguments.rate).await?;
        tokio::time::sleep(MARGIN).await;
        let changed = scenario.run(&mut replicas, &programs, arguments.swaps).await;
        replicas.progress.begin("the time after the change");
        tokio::time::sleep(MARGIN).await;
        let outcomes = load.end().await;
        table::rows(scenario.name(), &outcomes)?;
        let kinds: Vec<_> = outcomes.iter().map(|outcome| (outcome.name(), outcome.failures())).collect();
        failure::print(scenario.name(), &kinds, &replicas.log())?;
        failed += kinds.iter().map(|(_, failures)| failures.len()).sum::<usize>();
        changed?;
    }
    replicas.stop().await?;
    report::line(&format!("\n{failed} requests failed"))?;
    if failed > 0 { Err(format!("{failed} requests failed").into()) } else { Ok(()) }
}

/// Where the programs of both versions are.
struct Programs<'a> {
    own: &'a Path,
    previous: Option<&'a Path>,
}
