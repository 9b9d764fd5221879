//! What is measured, in which order.

mod calls;
mod cold;
mod passwords;

use std::time::Instant;

use authn::{BoxError, role};

use crate::{
    Arguments,
    family::Family,
    load::{Call, Callers},
    report,
    report::Series,
    server::Server,
    tokens::{self, Crowd},
    users,
    workloads::Workloads,
};

/// Measures everything and prints the tables.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), BoxError> {
    let mut family = Family::new()?;
    let workloads = Workloads::of(&mut family)?;
    let begin = Instant::now();
    let (crowds, total) = tokens::fill(&family.token_store(), &arguments.tokens, arguments.total_tokens).await?;
    report::line(&format!("{total} app tokens in all, made in {:.0} s", begin.elapsed().as_secs_f64()))?;

    let echo = Server::echo()?;
    let echo = callers(arguments, &echo).await?;
    warm(arguments, &mut family, (crowds.as_slice(), &workloads), &echo).await?;
    cold::run(arguments, &mut family, &crowds, &echo).await
}

/// Starts the family with nothing but its tokens, and measures what needs no restart.
async fn warm(
    arguments: &Arguments,
    family: &mut Family,
    (crowds, workloads): (&[Crowd], &Workloads),
    echo: &Callers<'_>,
) -> Result<(), BoxError> {
    let server = family.start()?;
    let (_, idle) = server.memory_mib()?;
    users::add(&family.users, role::USER, crowds.iter().flat_map(|crowd| &crowd.owners)).await?;
    passwords::add_people(family)?;
    let bench = Bench { arguments, crowds, workloads, echo, callers: callers(arguments, &server).await? };
    report::line(&format!("{} callers, {} connections", arguments.callers, arguments.connections))?;
    bench.calls().await?;
    bench.passwords().await?;
    let (peak, _) = server.memory_mib()?;
    report::line(&format!(
        "\nready after {} ms; memory of the one process: {idle} MiB idle, {peak} MiB at most",
        server.start.as_millis()
    ))?;
    server.stop()
}

async fn callers<'a>(arguments: &Arguments, server: &'a Server) -> Result<Callers<'a>, BoxError> {
    Callers::connect(server, arguments.callers, arguments.connections).await
}

/// In which order rows are measured: another one in each round, so that none always comes after the same one.
pub(crate) fn order(rows: usize, round: usize) -> Vec<usize> {
    let mut order: Vec<_> = (0..rows).map(|row| (row + round) % rows).collect();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

struct Bench<'a> {
    arguments: &'a Arguments,
    crowds: &'a [Crowd],
    workloads: &'a Workloads,
    echo: &'a Callers<'a>,
    callers: Callers<'a>,
}

impl Bench<'_> {
    /// Measures a call once.
    async fn round(&self, callers: &Callers<'_>, call: &Call, series: &mut Series) -> Result<(), BoxError> {
        series.add(callers.keep_calling(call, self.arguments.duration()).await?)
    }
}
