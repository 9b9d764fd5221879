//! What the account and administration pages cost the services in one process, with many users and app tokens.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use authn::{Authenticated, BoxError, User, UserId, UserType, amr, role};
use runtime::Clock;
use secrecy::SecretString;
use token::{KeyRing, Minter};
use uuid::Uuid;

use crate::family::{Family, JWT_SECRET};
use crate::http::{Ask, Connection};
use crate::load::{Call, Callers};
use crate::report::{self, Series};
use crate::tokens::{self, Owner};
use crate::users;

/// How many tokens each user has.
const OF_ONE_USER: NonZeroUsize = NonZeroUsize::new(10).unwrap();
/// Callers at the same time, each with a connection.
const CALLERS: usize = 4;
/// How long the internal token of the run is valid.
const LIFETIME: Duration = Duration::from_hours(1);
/// The pages: the root of each is where the account service has it.
const PAGES: [&str; 14] = [
    "/account",
    "/account/applications",
    "/account/tokens",
    "/account/sessions",
    "/account/connected",
    "/account/activity",
    "/account/profile",
    "/account/admin/users",
    "/account/admin/users?q=user-77",
    "/account/admin/users?q=nobody-has-this-name",
    "/account/admin/groups",
    "/account/admin/tokens",
    "/account/admin/sessions",
    "/account/admin/audit",
];

/// How much is measured, and what is accepted.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Users in the directory.
    #[arg(long, default_value_t = 100_000)]
    users: usize,
    /// App tokens in the store, 1,000 at least.
    #[arg(long, default_value_t = 1_000_000)]
    tokens: usize,
    /// How often each page is requested.
    #[arg(long, default_value_t = 400)]
    requests: usize,
    /// Accepted CPU time of the server for the median page, in milliseconds.
    #[arg(long, default_value_t = 5.0)]
    most_cpu_ms: f64,
    /// Accepted time of 95 of 100 requests for a page, in milliseconds.
    #[arg(long, default_value_t = 200.0)]
    most_p95_ms: f64,
}

/// Measures each page and prints a row for it; fails if a page was not answered, or costs more than accepted.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), BoxError> {
    let mut family = Family::new()?;
    let begin = Instant::now();
    let (crowds, tokens) = tokens::fill(&family.token_store(), &[OF_ONE_USER], arguments.tokens).await?;
    let owners = &crowds.first().ok_or("no tokens to use")?.owners;
    let server = family.start()?;
    let address = family.setting("ACCOUNT_HTTP_ADDR").ok_or("no address of the account pages")?;
    let others: Vec<Owner> = (0..arguments.users.saturating_sub(owners.len()))
        .map(|number| Owner { id: Uuid::from_u64_pair(u64::MAX - 1, number as u64), login: format!("user-{number}") })
        .collect();
    users::add(&family.users, owners.iter().chain(&others)).await?;
    let (people, seconds) = (owners.len() + others.len(), begin.elapsed().as_secs_f64());
    report::line(&format!("{people} users and {tokens} app tokens, made in {seconds:.0} s"))?;

    let internal_token: Arc<str> = internal_token(&owners[0])?.into();
    let callers = Callers::over(&server, &[], (0..CALLERS).map(|_| Connection::to(address)).collect());
    let mut rows = Vec::with_capacity(PAGES.len());
    for page in PAGES {
        let call = asking(Ask { internal_token: Some(Arc::clone(&internal_token)), ..Ask::get(page) });
        // once for the caches, which every page of a running service has
        callers.succeed(&call, CALLERS).await?;
        let mut row = Series::new(page);
        row.add(callers.call_each_once(&call, arguments.requests).await?)?;
        rows.push((page, row));
    }
    server.stop()?;
    print(&rows)?;
    check(&rows, arguments)
}

/// The internal token of a signed-in administrator.
fn internal_token(owner: &Owner) -> Result<String, BoxError> {
    let keys = KeyRing::new(&SecretString::from(JWT_SECRET), None)?;
    let id = UserId { opaque_id: owner.id.to_string(), kind: UserType::Primary, ..UserId::default() };
    let roles = vec![role::ADMIN.to_owned()];
    let user = User { id, username: owner.login.clone(), roles, ..User::default() };
    let answer = Authenticated::full(Arc::new(user), amr::OIDC);
    Ok(Minter::new(Arc::new(keys), LIFETIME, false).mint(Clock::system().now(), &answer)?)
}

fn asking(ask: Ask) -> Call<Connection> {
    Arc::new(move |connection, _| {
        let ask = ask.clone();
        Box::pin(async move { connection.ask(ask).await.is_ok_and(|reply| reply.holds("</html>")) })
    })
}

fn print(rows: &[(&str, Series)]) -> Result<(), BoxError> {
    report::line("\n| page | CPU ms | p50 ms | p95 ms | failures |\n|---|---:|---:|---:|---:|")?;
    for (page, row) in rows {
        report::line(&format!(
            "| `{page}` | {:.2} | {:.2} | {:.2} | {} |",
            row.cpu_ms(),
            row.percentile_ms(50.0),
            row.percentile_ms(95.0),
            row.failures()
        ))?;
    }
    Ok(())
}

fn check(rows: &[(&str, Series)], arguments: &Arguments) -> Result<(), BoxError> {
    let cpu: Vec<f64> = rows.iter().map(|(_, row)| row.cpu_ms()).collect();
    let median = report::median(&cpu);
    report::line(&format!("\nCPU time of the median page: {median:.2} ms; {} is accepted", arguments.most_cpu_ms))?;
    for (page, row) in rows {
        if row.failures() > 0 {
            return Err(format!("{page}: {} requests failed", row.failures()).into());
        }
        if row.percentile_ms(95.0) > arguments.most_p95_ms {
            return Err(format!("{page} takes more than {} ms", arguments.most_p95_ms).into());
        }
    }
    if median > arguments.most_cpu_ms { Err("the pages take too much CPU time".into()) } else { Ok(()) }
}
