//! What calls that concern app tokens cost the services in one process, in stores of different sizes: first and later uses, creation,
//! listing and revocation.

mod calls;

use std::fs;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use authn::{BoxError, role};

use self::calls::NAMES;
use crate::call::{self, Junk};
use crate::family::Family;
use crate::load::Callers;
use crate::report::{self, Series};
use crate::scenario::order;
use crate::server::Server;
use crate::tokens::{self, Crowd, USED};
use crate::users;

/// How many tokens each user has, in a store of any size.
const OF_ONE_USER: NonZeroUsize = NonZeroUsize::new(10).unwrap();
/// Callers at the same time.
const CALLERS: usize = 16;
/// Connections that they share.
const CONNECTIONS: usize = 4;
/// For how long a server has to use next to no CPU time until it counts as idle.
const QUIET: Duration = Duration::from_millis(200);
/// How much it may use in that time, in milliseconds.
const IDLE_CPU_MS: f64 = 20.0;
/// How long it may take until it is idle.
const MOST_BUSY: Duration = Duration::from_mins(1);

/// How much is measured, and what is accepted.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// App tokens in the store, a row for each number: two or more numbers, each of them 1,000 or more.
    #[arg(long, value_delimiter = ',', default_values = ["1000", "10000", "100000", "1000000"])]
    sizes: Vec<usize>,
    /// Rounds: in each, every store is measured once, after a restart of the services.
    #[arg(long, default_value = "5")]
    rounds: NonZeroUsize,
    /// How often each call is made in a round: 1,000 times at most.
    #[arg(long, default_value_t = USED)]
    calls: usize,
    /// Accepted ratio of the server's CPU time for a call in the largest store to that in the smallest store.
    #[arg(long, default_value_t = 2.0)]
    most_growth: f64,
}

impl Arguments {
    /// The sizes, the smallest one first.
    fn checked_sizes(&self) -> Result<Vec<usize>, BoxError> {
        if !(1..=USED).contains(&self.calls) {
            return Err(format!("--calls: a number from 1 to {USED} is needed").into());
        }
        let mut sizes = self.sizes.clone();
        sizes.sort_unstable();
        sizes.dedup();
        if sizes.len() < 2 || sizes.iter().any(|size| *size < USED) {
            return Err(format!("--sizes: two or more numbers are needed, each of them {USED} or more").into());
        }
        Ok(sizes)
    }
}

/// Measures stores of each size and prints a row for each; fails if a call was not answered as it should be, or if its CPU time grows
/// with the store.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), BoxError> {
    let mut stores = Vec::new();
    for size in arguments.checked_sizes()? {
        stores.push(Store::fill(size).await?);
    }
    for round in 0..arguments.rounds.get() {
        for place in order(stores.len(), round) {
            stores[place].measure(arguments.calls).await?;
        }
    }
    print(&stores)?;
    stores.iter().try_for_each(Store::check_answers)?;
    check_growth(&stores[0], &stores[stores.len() - 1], arguments.most_growth)
}

/// A store of one size, the services that use it, and what was measured.
struct Store {
    size: usize,
    family: Family,
    crowd: Crowd,
    /// What each call cost, in the order of [`NAMES`].
    rows: [Series; NAMES.len()],
    /// The most resident memory at the end of a round, in KiB.
    resident_kib: u64,
}

impl Store {
    /// Fills a new store, and adds the users whose tokens are used.
    async fn fill(size: usize) -> Result<Self, BoxError> {
        let mut family = Family::new()?;
        let begin = Instant::now();
        let (mut crowds, size) = tokens::fill(&family.token_store(), &[OF_ONE_USER], size).await?;
        report::line(&format!("{size} app tokens, made in {:.0} s", begin.elapsed().as_secs_f64()))?;
        let crowd = crowds.pop().ok_or("no tokens to use")?;
        let server = family.start()?;
        users::add(&family.users, role::USER, crowd.owners.iter()).await?;
        server.stop()?;
        Ok(Self { size, family, crowd, rows: Default::default(), resident_kib: 0 })
    }

    /// Starts the services, whose caches are empty then, and makes each call so many times.
    async fn measure(&mut self, calls: usize) -> Result<(), BoxError> {
        let server = self.family.start()?;
        wait_until_idle(&server).await?;
        let callers = Callers::connect(&server, CALLERS, CONNECTIONS).await?;
        let measured = calls::prepare(&self.crowd, &callers.channel(0)).await?;
        // Forged tokens open the connections to the store, whose cost would count for the first uses otherwise.
        let forged = call::junk(&self.crowd.owners[0].login, Junk::Forged);
        callers.succeed(&forged, calls).await?;
        for (row, call) in self.rows.iter_mut().zip(&measured) {
            row.add(callers.call_each_once(call, calls).await?)?;
        }
        let [_, resident_kib, _] = server.memory_kib()?;
        self.resident_kib = self.resident_kib.max(resident_kib);
        server.stop()
    }

    fn check_answers(&self) -> Result<(), BoxError> {
        for (name, row) in NAMES.into_iter().zip(&self.rows) {
            let failures = row.failures();
            if failures > 0 {
                return Err(format!("{name} with {} app tokens: {failures} calls failed", self.size).into());
            }
        }
        Ok(())
    }
}

/// Waits until the server has done what it does by itself after a start, such as pruning: that is no part of a call.
async fn wait_until_idle(server: &Server) -> Result<(), BoxError> {
    let begin = Instant::now();
    while begin.elapsed() < MOST_BUSY {
        let before = server.spent()?;
        tokio::time::sleep(QUIET).await;
        if server.spent()?.since(&before).cpu_ms < IDLE_CPU_MS {
            return Ok(());
        }
    }
    Err(format!("the server is still busy {} s after its start", MOST_BUSY.as_secs()).into())
}

fn print(stores: &[Store]) -> Result<(), BoxError> {
    let head = NAMES.map(|name| format!("{name}: CPU ms | p99 ms")).join(" | ");
    report::line(&format!("\n| app tokens | {head} | resident MiB | database MiB |"))?;
    report::line(&format!("|{}", "---:|".repeat(2 * NAMES.len() + 3)))?;
    for Store { size, family, rows, resident_kib, .. } in stores {
        let cells = rows.each_ref().map(|row| format!("{:.4} | {:.2}", row.cpu_ms(), row.percentile_ms(99.0)));
        let database_kib = fs::metadata(family.token_store())?.len() / 1024;
        report::line(&format!(
            "| {size} | {} | {:.1} | {:.1} |",
            cells.join(" | "),
            report::mib(*resident_kib),
            report::mib(database_kib)
        ))?;
    }
    Ok(())
}

/// Prints how the CPU time of each call grew, and fails if it is more than accepted.
fn check_growth(smallest: &Store, largest: &Store, most: f64) -> Result<(), BoxError> {
    let ratios = largest.rows.iter().zip(&smallest.rows).map(|(after, before)| after.cpu_ms() / before.cpu_ms());
    let all: Vec<_> = NAMES.into_iter().zip(ratios).collect();
    let shown: Vec<_> = all.iter().map(|(name, ratio)| format!("{name} {ratio:.2}")).collect();
    report::line(&format!(
        "\nCPU time for a call with {} app tokens, as a ratio to that with {}: {}; {most:.2} is accepted",
        largest.size,
        smallest.size,
        shown.join(", ")
    ))?;
    let exceeded: Vec<_> = all.iter().filter(|(_, ratio)| *ratio > most).map(|(name, _)| *name).collect();
    if exceeded.is_empty() {
        return Ok(());
    }
    Err(format!("the CPU time for a call grows with the number of app tokens: {}", exceeded.join(", ")).into())
}
